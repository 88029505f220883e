"""Mailboxes in memory: accounts, folders and messages of the mail emulator. Knows neither IMAP nor SMTP."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

# Mail is forgotten at the end of the process, so the next one numbers anew: a client must not go on from an old UID.
FIRST_UIDVALIDITY = int(time.time())
FOLDERS = ("INBOX", "Sent", "Drafts", "Trash", "Junk")


@dataclass(slots=True)
class Mail:
    """One message of a folder; ``raw`` has CRLF line ends."""

    uid: int
    raw: bytes
    received_at: datetime
    flags: set[str] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Folder:
    """
    One folder; a message's sequence number is its place in ``mails``, from 1.

    Attributes:
        changed: Set, and replaced by a fresh one, whenever the folder changes.
    """

    name: str
    uidvalidity: int
    uidnext: int = 1
    mails: list[Mail] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, raw: bytes, received_at: datetime | None = None, flags: set[str] | None = None) -> int:
        """Append a message and return its UID."""
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.mails.append(Mail(uid, with_crlf(raw), received_at or datetime.now(UTC), set(flags or ())))
        self.tell()
        return uid

    def renumber(self) -> None:
        """Give every message another UID and the folder another UIDVALIDITY, as after a restored server."""
        self.uidvalidity += 1
        self.uidnext = 1
        for mail in self.mails:
            # Other numbers than before, so that a client that keeps its cursor misses some and repeats others.
            mail.uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits for a change."""
        self.changed.set()
        self.changed = asyncio.Event()


@dataclass(slots=True)
class Mailbox:
    """One account."""

    address: str
    password: str
    folders: dict[str, Folder] = field(default_factory=dict)

    def folder(self, name: str) -> Folder | None:
        """Find a folder; INBOX in any case (RFC 3501 section 5.1)."""
        return self.folders.get("INBOX" if name.upper() == "INBOX" else name)

    def create(self, name: str) -> Folder:
        """Make a folder, or return the one of that name."""
        return self.folders.setdefault(name, Folder(name, FIRST_UIDVALIDITY + len(self.folders)))


@dataclass(slots=True)
class Sent:
    """One message taken over SMTP."""

    number: int
    sender: str
    recipients: list[str]
    raw: bytes
    login: str


@dataclass(slots=True)
class Misbehaviour:
    """
    What the servers do wrong on purpose.

    Attributes:
        idle: ``ok``, ``silent`` (says nothing of new mail) or ``drop`` (the line is cut a moment into IDLE).
        refuse_login: Answered to every sign-in; empty means the password is looked at.
        rcpt: Answers to the next RCPT commands, ``"550 5.1.1 No such user"``; then ``250`` again.
        data: What follows the next messages: an answer, ``"cut"`` (taken, no answer) or ``"lose"`` (not taken, none).
    """

    idle: str = "ok"
    refuse_login: str = ""
    rcpt: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)


class Post:
    """Every mailbox of the emulator, what was sent, and how it misbehaves."""

    def __init__(self, accounts: dict[str, str]) -> None:
        self.mailboxes: dict[str, Mailbox] = {}
        self.sent: list[Sent] = []
        self.wrong = Misbehaviour()
        self.logins = 0
        self.writers: set[asyncio.StreamWriter] = set()
        self.something_sent = asyncio.Event()
        for address, password in accounts.items():
            self.add_account(address, password)

    def add_account(self, address: str, password: str) -> Mailbox:
        """Make an account with the usual folders."""
        mailbox = self.mailboxes.setdefault(address.lower(), Mailbox(address.lower(), password))
        for name in FOLDERS:
            mailbox.create(name)
        return mailbox

    def sign_in(self, user: str, password: str) -> Mailbox | None:
        """Return the account these belong to, None where they belong to none or sign-ins are refused."""
        mailbox = self.mailboxes.get(user.lower())
        if self.wrong.refuse_login or mailbox is None or mailbox.password != password:
            return None
        self.logins += 1
        return mailbox

    def take(self, sender: str, recipients: list[str], raw: bytes, login: str) -> Sent:
        """Keep what was sent, and put it into the inboxes of recipients that have one here (``+tag`` is ignored)."""
        one = Sent(len(self.sent) + 1, sender, recipients, raw, login)
        self.sent.append(one)
        for mailbox in {id(found): found for found in map(self._inbox_of, recipients) if found}.values():
            mailbox.folders["INBOX"].add(raw)
        self.something_sent.set()
        self.something_sent = asyncio.Event()
        return one

    def _inbox_of(self, recipient: str) -> Mailbox | None:
        name, _, domain = recipient.lower().rpartition("@")
        return self.mailboxes.get(f"{name.partition('+')[0]}@{domain}")


def with_crlf(raw: bytes) -> bytes:
    """Return a message with the line ends of the wire."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
