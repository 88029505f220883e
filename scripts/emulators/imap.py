"""IMAP4rev1 for the mail emulator: one object a connection, enough for real clients (RFC 3501, 2177, 4315, 6851)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable
from email import policy
from email.parser import BytesParser

from scripts.emulators.imap_words import (
    Bad,
    Token,
    envelope,
    fetch_items,
    in_set,
    internal_date,
    literal_at_end,
    matches,
    quoted,
    read_internal_date,
    read_section,
    read_tokens,
    structure,
    text_of,
)
from scripts.emulators.mailboxes import Folder, Mail, Mailbox, Post

CAPABILITIES = b"IMAP4rev1 IDLE MOVE UIDPLUS SPECIAL-USE NAMESPACE ID UNSELECT LITERAL+ AUTH=PLAIN"
SPECIAL = {"Sent": "\\Sent", "Drafts": "\\Drafts", "Trash": "\\Trash", "Junk": "\\Junk"}
LITERAL_LIMIT_BYTES = 40 * 1024 * 1024
IDLE_CUT_AFTER_S = 0.2
LINE_LIMIT_BYTES = 1 << 20


class No(Exception):
    """A command that is refused; its text follows ``NO``."""


class ImapConnection:
    """One client, from the greeting to its logout."""

    def __init__(self, post: Post, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._post, self._reader, self._writer = post, reader, writer
        self._mailbox: Mailbox | None = None
        self._folder: Folder | None = None
        self._readonly = False
        # How many messages the client was told of, and which, to say what came and went.
        self._told: list[int] = []
        self._open = True

    async def run(self) -> None:
        """Serve until the client leaves."""
        self._send(b"* OK [CAPABILITY %b] emulated mail is ready" % CAPABILITIES)
        while self._open:
            await self._writer.drain()
            parts = await self._read_command()
            if parts is None:
                return
            tag, _, rest = parts[0].partition(b" ")
            await self._answer(tag, [rest, *parts[1:]])
        await self._writer.drain()

    async def _read_command(self) -> list[bytes] | None:
        """Read a line and the literals it announces; None at the end."""
        parts: list[bytes] = []
        while True:
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                return None
            parts.append(line.rstrip(b"\r\n"))
            literal = literal_at_end(parts[-1])
            if literal is None:
                return parts
            size, must_ask = literal
            if size > LITERAL_LIMIT_BYTES:
                return None
            if must_ask:
                self._send(b"+ go on")
                await self._writer.drain()
            parts.append(await self._reader.readexactly(size))

    async def _answer(self, tag: bytes, parts: list[bytes]) -> None:
        try:
            tokens = read_tokens(parts)
            name = text_of(tokens.pop(0)).upper() if tokens else ""
            by_uid = name == "UID"
            if by_uid:
                name = text_of(tokens.pop(0)).upper()
            done = await self._dispatch(name, tokens, by_uid)
            if name not in ("FETCH", "STORE", "SEARCH") or by_uid:
                self._tell_changes()
            self._send(b"%b OK %b" % (tag, done or b"done"))
        except No as reason:
            self._send(b"%b NO %b" % (tag, str(reason).encode()))
        except (Bad, ValueError, IndexError) as reason:
            self._send(b"%b BAD %b" % (tag, str(reason).encode() or b"not understood"))

    async def _dispatch(self, name: str, tokens: list[Token], by_uid: bool) -> bytes | None:  # noqa: FBT001
        if name in ("FETCH", "STORE", "SEARCH", "COPY", "MOVE", "EXPUNGE") and self._folder is None:
            raise Bad("no folder is selected")
        match name:
            case "FETCH":
                return self._fetch(tokens, by_uid=by_uid)
            case "STORE":
                return self._store(tokens, by_uid=by_uid)
            case "SEARCH":
                return self._search(tokens, by_uid=by_uid)
            case "COPY" | "MOVE":
                return self._copy(tokens, by_uid=by_uid, moves=name == "MOVE")
            case "IDLE":
                return await self._idle()
        plain: dict[str, Callable[[list[Token]], Awaitable[bytes | None] | bytes | None]] = {
            "CAPABILITY": self._capability,
            "LOGIN": self._login,
            "AUTHENTICATE": self._authenticate,
            "LOGOUT": self._logout,
            "ID": lambda _: self._send(b"* ID NIL"),
            "NAMESPACE": lambda _: self._send(b'* NAMESPACE (("" "/")) NIL NIL'),
            "NOOP": lambda _: None,
            "CHECK": lambda _: None,
            "SUBSCRIBE": lambda _: None,
            "LIST": self._list,
            "LSUB": self._list,
            "CREATE": self._create,
            "STATUS": self._status,
            "SELECT": lambda tokens: self._select(tokens, readonly=False),
            "EXAMINE": lambda tokens: self._select(tokens, readonly=True),
            "UNSELECT": self._unselect,
            "CLOSE": self._close,
            "EXPUNGE": self._expunge,
            "APPEND": self._append,
        }
        if name not in plain:
            raise Bad("unknown command")
        done = plain[name](tokens)
        return done if isinstance(done, bytes | None) else await done

    # ── sign-in ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _capability(self, _tokens: list[Token]) -> None:
        self._send(b"* CAPABILITY " + CAPABILITIES)

    def _login(self, tokens: list[Token]) -> None:
        self._sign_in(text_of(tokens[0]), text_of(tokens[1]))

    async def _authenticate(self, tokens: list[Token]) -> None:
        if text_of(tokens[0]).upper() != "PLAIN":
            raise No("[CANNOT] only PLAIN")
        encoded = text_of(tokens[1]).encode() if len(tokens) > 1 else b""
        if not encoded:
            self._send(b"+ ")
            await self._writer.drain()
            encoded = await self._reader.readline()
        _, user, password = base64.b64decode(encoded).split(b"\0")
        self._sign_in(user.decode(), password.decode())

    def _sign_in(self, user: str, password: str) -> None:
        self._mailbox = self._post.sign_in(user, password)
        if self._mailbox is None:
            raise No(self._post.wrong.refuse_login or "[AUTHENTICATIONFAILED] Authentication failed.")

    def _logout(self, _tokens: list[Token]) -> None:
        self._open = False
        self._send(b"* BYE see you")

    # ── folders ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _signed_in(self) -> Mailbox:
        if self._mailbox is None:
            raise Bad("sign in first")
        return self._mailbox

    def _find(self, token: Token) -> Folder:
        folder = self._signed_in().folder(text_of(token))
        if folder is None:
            raise No("[NONEXISTENT] no such folder")
        return folder

    def _list(self, tokens: list[Token]) -> None:
        pattern = text_of(tokens[1]) if len(tokens) > 1 and not isinstance(tokens[1], list) else "*"
        for folder in self._signed_in().folders.values():
            if pattern in ("*", "%") or pattern.upper() == folder.name.upper():
                flags = f"\\HasNoChildren {SPECIAL.get(folder.name, '')}".strip()
                self._send(b'* LIST (%b) "/" %b' % (flags.encode(), quoted(folder.name)))

    def _create(self, tokens: list[Token]) -> None:
        self._signed_in().create(text_of(tokens[0]))

    def _status(self, tokens: list[Token]) -> None:
        folder = self._find(tokens[0])
        values = {
            "MESSAGES": len(folder.mails),
            "RECENT": 0,
            "UIDNEXT": folder.uidnext,
            "UIDVALIDITY": folder.uidvalidity,
            "UNSEEN": sum("\\Seen" not in mail.flags for mail in folder.mails),
        }
        wanted = [text_of(one).upper() for one in tokens[1]]
        pairs = " ".join(f"{name} {values[name]}" for name in wanted if name in values)
        self._send(b"* STATUS %b (%b)" % (quoted(folder.name), pairs.encode()))

    def _select(self, tokens: list[Token], *, readonly: bool) -> bytes:
        self._folder = None
        folder = self._find(tokens[0])
        self._folder, self._readonly = folder, readonly
        self._told = [mail.uid for mail in folder.mails]
        self._send(b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)")
        self._send(b"* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft \\*)] kept")
        self._send(b"* %d EXISTS" % len(folder.mails))
        self._send(b"* 0 RECENT")
        self._send(b"* OK [UIDVALIDITY %d] numbered" % folder.uidvalidity)
        self._send(b"* OK [UIDNEXT %d] next" % folder.uidnext)
        return b"[READ-ONLY] examined" if readonly else b"[READ-WRITE] selected"

    def _unselect(self, _tokens: list[Token]) -> None:
        self._folder = None

    def _close(self, tokens: list[Token]) -> None:
        if self._folder is not None and not self._readonly:
            self._told = []
            self._folder.mails = [mail for mail in self._folder.mails if "\\Deleted" not in mail.flags]
        self._unselect(tokens)

    def _append(self, tokens: list[Token]) -> bytes:
        folder = self._find(tokens[0])
        flags = {text_of(one) for token in tokens[1:-1] if isinstance(token, list) for one in token}
        dates = [text_of(token) for token in tokens[1:-1] if not isinstance(token, list)]
        raw = tokens[-1]
        if isinstance(raw, list):
            raise Bad("a message was expected")
        uid = folder.add(raw, read_internal_date(dates[0]) if dates else None, flags)
        return b"[APPENDUID %d %d] appended" % (folder.uidvalidity, uid)

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────

    def _selected(self) -> Folder:
        if self._folder is None:
            raise Bad("no folder is selected")
        return self._folder

    def _chosen(self, numbers: str, *, by_uid: bool) -> list[tuple[int, Mail]]:
        rows = list(enumerate(self._selected().mails, start=1))
        if not rows:
            return []
        highest = rows[-1][1].uid if by_uid else rows[-1][0]
        return [(number, mail) for number, mail in rows if in_set(numbers, mail.uid if by_uid else number, highest)]

    def _search(self, tokens: list[Token], *, by_uid: bool) -> None:
        folder = self._selected()
        if tokens and tokens[0] == b"CHARSET":
            tokens = tokens[2:]
        highest = (len(folder.mails), folder.mails[-1].uid if folder.mails else 0)
        found = [
            mail.uid if by_uid else number
            for number, mail in enumerate(folder.mails, start=1)
            if matches(tokens, mail, number, highest)
        ]
        self._send(b" ".join([b"* SEARCH", *(b"%d" % one for one in found)]))

    def _fetch(self, tokens: list[Token], *, by_uid: bool) -> None:
        self._tell_changes()
        items = fetch_items(tokens[1])
        if by_uid and b"UID" not in items:
            items.insert(0, b"UID")
        for number, mail in self._chosen(text_of(tokens[0]), by_uid=by_uid):
            self._send(b"* %d FETCH (%b)" % (number, b" ".join(self._item(item, mail) for item in items)))

    def _item(self, item: bytes, mail: Mail) -> bytes:
        match item:
            case b"UID":
                return b"UID %d" % mail.uid
            case b"FLAGS":
                return b"FLAGS (%b)" % " ".join(sorted(mail.flags)).encode()
            case b"RFC822.SIZE":
                return b"RFC822.SIZE %d" % len(mail.raw)
            case b"INTERNALDATE":
                return b"INTERNALDATE " + internal_date(mail.received_at)
            case b"BODYSTRUCTURE":
                return b"BODYSTRUCTURE " + structure(BytesParser(policy=policy.compat32).parsebytes(mail.raw))
            case b"ENVELOPE":
                return b"ENVELOPE " + envelope(mail.raw)
        section = read_section(item, mail.raw)
        if section is None:
            raise Bad(f"unknown item {item.decode('latin-1')}")
        if not section.peek and not self._readonly:
            mail.flags.add("\\Seen")
        return b"%b {%d}\r\n%b" % (section.label, len(section.data), section.data)

    def _store(self, tokens: list[Token], *, by_uid: bool) -> None:
        if self._readonly:
            raise No("the folder is open for reading only")
        action = text_of(tokens[1]).upper()
        given = tokens[2] if isinstance(tokens[2], list) else tokens[2:]
        flags = {text_of(one) for one in given}
        for number, mail in self._chosen(text_of(tokens[0]), by_uid=by_uid):
            if action.startswith("+"):
                mail.flags |= flags
            elif action.startswith("-"):
                mail.flags -= flags
            else:
                mail.flags = set(flags)
            if not action.endswith(".SILENT"):
                uid = b"UID %d " % mail.uid if by_uid else b""
                self._send(b"* %d FETCH (%b%b)" % (number, uid, self._item(b"FLAGS", mail)))

    def _copy(self, tokens: list[Token], *, by_uid: bool, moves: bool) -> bytes:
        source, target = self._selected(), self._find(tokens[1])
        chosen = [mail for _, mail in self._chosen(text_of(tokens[0]), by_uid=by_uid)]
        new = [target.add(mail.raw, mail.received_at, mail.flags) for mail in chosen]
        if moves:
            source.mails = [mail for mail in source.mails if mail not in chosen]
            source.tell()
        old = ",".join(str(mail.uid) for mail in chosen)
        uids = f"[COPYUID {target.uidvalidity} {old} {','.join(map(str, new))}] " if chosen else ""
        return f"{uids}copied".encode()

    def _expunge(self, tokens: list[Token]) -> None:
        folder = self._selected()
        numbers = text_of(tokens[0]) if tokens else "1:*"
        highest = folder.mails[-1].uid if folder.mails else 0
        folder.mails = [
            mail
            for mail in folder.mails
            if "\\Deleted" not in mail.flags or not in_set(numbers, mail.uid, max(highest, 1))
        ]
        folder.tell()

    # ── IDLE and what changed ───────────────────────────────────────────────────────────────────────────────────

    async def _idle(self) -> bytes:
        folder = self._selected()
        self._send(b"+ idling")
        done = asyncio.ensure_future(self._reader.readline())
        try:
            while True:
                changed = asyncio.ensure_future(folder.changed.wait())
                await self._writer.drain()
                limit_s = IDLE_CUT_AFTER_S if self._post.wrong.idle == "drop" else None
                await asyncio.wait({done, changed}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if done.done():
                    return b"idle is over"
                if self._post.wrong.idle == "drop":
                    self._writer.transport.abort()
                    raise ConnectionResetError
                if self._post.wrong.idle == "ok":
                    self._tell_changes()
        finally:
            done.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await done

    def _tell_changes(self) -> None:
        """Send untagged EXPUNGE and EXISTS for what happened since the client was last told."""
        if self._folder is None:
            return
        now = [mail.uid for mail in self._folder.mails]
        held = set(now)
        for number in range(len(self._told), 0, -1):
            if self._told[number - 1] not in held:
                del self._told[number - 1]
                self._send(b"* %d EXPUNGE" % number)
        if len(now) != len(self._told):
            self._send(b"* %d EXISTS" % len(now))
        self._told = now

    def _send(self, line: bytes) -> None:
        self._writer.write(line + b"\r\n")
