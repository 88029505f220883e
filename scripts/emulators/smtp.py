"""SMTP with AUTH for the mail emulator: one object a connection (RFC 5321, 4954)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re

from scripts.emulators.mailboxes import Post

SIZE_LIMIT_BYTES = 36 * 1024 * 1024
_PATH = re.compile(r"(?:FROM|TO):\s*<([^>]*)>", re.IGNORECASE)


class SmtpConnection:
    """One client, from the greeting to QUIT."""

    def __init__(self, post: Post, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._post, self._reader, self._writer = post, reader, writer
        self._login = ""
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._open = True

    async def run(self) -> None:
        """Serve until the client leaves."""
        await self._say("220 emulated.example ESMTP")
        while self._open:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                return
            verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            await self._obey(verb.upper(), rest)

    async def _obey(self, verb: str, rest: str) -> None:
        match verb:
            case "EHLO":
                features = ("emulated.example", "AUTH PLAIN LOGIN", f"SIZE {SIZE_LIMIT_BYTES}", "8BITMIME", "SMTPUTF8")
                await self._say("\r\n".join(f"250-{one}" for one in features) + "\r\n250 ENHANCEDSTATUSCODES")
            case "HELO" | "NOOP":
                await self._say("250 emulated.example")
            case "AUTH":
                await self._authenticate(rest)
            case "MAIL":
                await self._begin(rest)
            case "RCPT":
                await self._add_recipient(rest)
            case "DATA":
                await self._take_data()
            case "RSET":
                self._reset()
                await self._say("250 2.0.0 forgotten")
            case "QUIT":
                self._open = False
                await self._say("221 2.0.0 bye")
            case _:
                await self._say("500 5.5.2 not understood")

    async def _authenticate(self, rest: str) -> None:
        method, _, given = rest.partition(" ")
        try:
            if method.upper() == "PLAIN":
                _, user, password = base64.b64decode(given or await self._ask("")).split(b"\0")
            elif method.upper() == "LOGIN":
                user = base64.b64decode(given or await self._ask("VXNlcm5hbWU6"))
                password = base64.b64decode(await self._ask("UGFzc3dvcmQ6"))
            else:
                await self._say("504 5.5.4 PLAIN or LOGIN")
                return
        except (binascii.Error, ValueError):
            await self._say("501 5.5.2 not base64")
            return
        if self._post.sign_in(user.decode(), password.decode()) is None:
            await self._say("535 5.7.8 Authentication failed")
            return
        self._login = user.decode().lower()
        await self._say("235 2.7.0 signed in")

    async def _ask(self, prompt: str) -> str:
        await self._say(f"334 {prompt}")
        return (await self._reader.readline()).decode("ascii", "replace").strip()

    async def _begin(self, rest: str) -> None:
        found = _PATH.match(rest)
        if not self._login:
            await self._say("530 5.7.0 sign in first")
        elif found is None:
            await self._say("501 5.1.7 no sender")
        elif (size := re.search(r"SIZE=(\d+)", rest, re.IGNORECASE)) and int(size.group(1)) > SIZE_LIMIT_BYTES:
            await self._say("552 5.3.4 too big")
        else:
            self._reset()
            self._sender = found.group(1)
            await self._say("250 2.1.0 go on")

    async def _add_recipient(self, rest: str) -> None:
        found = _PATH.match(rest)
        if self._sender is None or found is None or not found.group(1):
            await self._say("503 5.5.1 sender first")
        elif self._post.wrong.rcpt and not (answer := self._post.wrong.rcpt.pop(0)).startswith("2"):
            await self._say(answer)
        else:
            self._recipients.append(found.group(1))
            await self._say("250 2.1.5 known")

    async def _take_data(self) -> None:
        if self._sender is None or not self._recipients:
            await self._say("503 5.5.1 recipients first")
            return
        await self._say("354 end with a dot")
        raw = await self._read_message()
        planned = self._post.wrong.data.pop(0) if self._post.wrong.data else "250 2.0.0 queued"
        if planned in ("cut", "250 2.0.0 queued") or planned.startswith("2"):
            taken = self._post.take(self._sender, self._recipients, raw, self._login)
            planned = f"250 2.0.0 queued as {taken.number}" if planned == "250 2.0.0 queued" else planned
        self._reset()
        if planned in ("cut", "lose"):
            self._writer.transport.abort()
            raise ConnectionResetError
        await self._say(planned)

    async def _read_message(self) -> bytes:
        lines: list[bytes] = []
        while (line := await self._reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionResetError
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    async def _say(self, text: str) -> None:
        self._writer.write(text.encode() + b"\r\n")
        await self._writer.drain()
