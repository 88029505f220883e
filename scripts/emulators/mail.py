"""
Emulates a mail provider on loopback: IMAP, SMTP with AUTH, accounts in memory, and ways to misbehave.

Run: ``python -m scripts.emulators.mail --account shop@lamps.example:secret`` (or several in ``EMULATED_ACCOUNTS``);
the first line printed is ``{"imap": port, "smtp": port, "control": port}``. No TLS: loopback only. Steer it over HTTP
at the control port:

``GET /_control`` tells ``accounts`` (folders with uidvalidity, uidnext, messages), ``sent`` (without the messages'
bytes) and ``logins``. ``GET /_control?sent_after=N&wait_s=S`` tells what was sent after number N with the bytes
(``raw``, base64), waiting up to S seconds for something. ``POST /_control`` takes ``{"op": …}``:

``deliver {to, raw, folder="INBOX", received_at?}`` puts a message (base64; ISO time) into a mailbox → ``{uid}``;
``account {address, password}`` adds one; ``uidvalidity {address, folder="INBOX"}`` numbers a folder anew;
``idle {mode: "ok" | "silent" | "drop"}``; ``login {refuse: "…"}`` refuses sign-ins with this text, ``""`` ends it;
``rcpt {answers}`` and ``data {answers}`` plan answers, see ``Misbehaviour``; ``disconnect`` cuts every connection;
``clear`` forgets mail, what was sent and misbehaviour.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
from collections.abc import Callable
from datetime import datetime

from scripts.emulators.http1 import Answer, Request, as_json, listen
from scripts.emulators.imap import LINE_LIMIT_BYTES, ImapConnection
from scripts.emulators.mailboxes import Folder, Mailbox, Misbehaviour, Post, Sent
from scripts.emulators.smtp import SmtpConnection

LONGEST_WAIT_S = 30.0
# A message of 36 MiB in base64.
ORDER_LIMIT_BYTES = 48 * 1024 * 1024

Row = dict[str, object]


class MailEmulator:
    """The three listeners over one post office; use as an async context manager."""

    def __init__(self, accounts: dict[str, str]) -> None:
        self.post = Post(accounts)
        self.ports: dict[str, int] = {}
        self._stack = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, *, imap_port: int = 0, smtp_port: int = 0, control_port: int = 0) -> None:
        """Listen on loopback; port 0 lets the system choose. ``ports`` says what it chose."""
        for name, port, make in (("imap", imap_port, ImapConnection), ("smtp", smtp_port, SmtpConnection)):
            server = await asyncio.start_server(self._accepts(make), "127.0.0.1", port, limit=LINE_LIMIT_BYTES)
            self._stack.callback(server.close)
            self.ports[name] = int(server.sockets[0].getsockname()[1])
        listener = await self._stack.enter_async_context(listen(self._control, control_port, ORDER_LIMIT_BYTES))
        self.ports["control"] = listener.port

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        await self._stack.aclose()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> MailEmulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _accepts(
        self, make: type[ImapConnection] | type[SmtpConnection]
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(make(self.post, reader, writer), writer))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accept

    async def _serve(self, connection: ImapConnection | SmtpConnection, writer: asyncio.StreamWriter) -> None:
        self.post.writers.add(writer)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await connection.run()
        finally:
            self.post.writers.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _control(self, request: Request) -> Answer:
        try:
            if request.method == "GET":
                query = dict(request.query)
                if "sent_after" in query:
                    return as_json(200, await self._sent_after(int(query["sent_after"]), float(query.get("wait_s", 0))))
                return as_json(200, self._state())
            order = json.loads(request.body)
            return as_json(200, self._steer(order.pop("op"), order))
        except (ValueError, KeyError, TypeError, AttributeError) as reason:
            return as_json(400, {"error": f"{type(reason).__name__}: {reason}"})

    async def _sent_after(self, number: int, wait_s: float) -> Row:
        if len(self.post.sent) <= number and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.post.something_sent.wait(), min(wait_s, LONGEST_WAIT_S))
        return {"sent": [_sent_row(one, with_raw=True) for one in self.post.sent if one.number > number]}

    def _state(self) -> Row:
        return {
            "accounts": {
                one.address: {name: _folder_row(folder) for name, folder in one.folders.items()}
                for one in self.post.mailboxes.values()
            },
            "sent": [_sent_row(one, with_raw=False) for one in self.post.sent],
            "logins": self.post.logins,
        }

    def _steer(self, op: str, order: Row) -> Row:
        wrong = self.post.wrong
        match op:
            case "deliver":
                when = datetime.fromisoformat(str(order["received_at"])) if order.get("received_at") else None
                raw = base64.b64decode(str(order["raw"]), validate=True)
                return {"uid": self._folder(order, "to").add(raw, when)}
            case "account":
                self.post.add_account(str(order["address"]), str(order["password"]))
            case "uidvalidity":
                self._folder(order, "address").renumber()
            case "idle":
                wrong.idle = str(order["mode"])
            case "login":
                wrong.refuse_login = str(order["refuse"])
            case "rcpt":
                wrong.rcpt = [str(one) for one in order["answers"]]  # type: ignore[attr-defined]  # JSON
            case "data":
                wrong.data = [str(one) for one in order["answers"]]  # type: ignore[attr-defined]  # JSON
            case "disconnect":
                for writer in list(self.post.writers):
                    writer.transport.abort()
            case "clear":
                self._clear()
            case _:
                raise KeyError(op)
        return {}

    def _folder(self, order: Row, field: str) -> Folder:
        mailbox: Mailbox = self.post.mailboxes[str(order[field]).lower()]
        folder = mailbox.folder(str(order.get("folder", "INBOX")))
        if folder is None:
            raise KeyError("folder")
        return folder

    def _clear(self) -> None:
        self.post.sent.clear()
        self.post.wrong = Misbehaviour()
        self.post.logins = 0
        for mailbox in self.post.mailboxes.values():
            for folder in mailbox.folders.values():
                folder.mails.clear()
                folder.tell()


def _sent_row(one: Sent, *, with_raw: bool) -> Row:
    row: Row = {"number": one.number, "from": one.sender, "to": one.recipients, "login": one.login}
    return row | ({"raw": base64.b64encode(one.raw).decode()} if with_raw else {"size": len(one.raw)})


def _folder_row(folder: Folder) -> Row:
    messages = [{"uid": one.uid, "flags": sorted(one.flags), "size": len(one.raw)} for one in folder.mails]
    return {"uidvalidity": folder.uidvalidity, "uidnext": folder.uidnext, "messages": messages}


async def _run(arguments: argparse.Namespace) -> None:
    accounts = dict(one.rsplit(":", 1) for one in arguments.account)
    emulator = MailEmulator(accounts)
    await emulator.start(
        imap_port=arguments.imap_port, smtp_port=arguments.smtp_port, control_port=arguments.control_port
    )
    print(json.dumps(emulator.ports), flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await emulator.close()


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = os.environ.get("EMULATED_ACCOUNTS", "").split()
    parser.add_argument("--account", action="append", default=known, help="address:password; or in the environment")
    parser.add_argument("--imap-port", type=int, default=0)
    parser.add_argument("--smtp-port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
