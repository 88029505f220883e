"""Starts a real dovecot and an SMTP sink that can misbehave, for tests; no fixture by itself."""

from __future__ import annotations

import asyncio
import getpass
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from imapclient import IMAPClient

PASSWORD = "correct-horse-4"
DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:{folder}/mail/%u
mailbox_idle_check_interval = 1 secs
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    special_use = \\Sent
    auto = create
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """A dovecot on loopback that lets every user in with ``PASSWORD``; Maildir in a folder of its own."""

    def __init__(self) -> None:
        assert DOVECOT is not None
        self.folder = Path(tempfile.mkdtemp(prefix="hub-dovecot-", dir="/tmp"))
        self.port = free_port()
        # Mail of uid 0 is refused, so a run as root lends it to nobody.
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwnam(getpass.getuser())
        self._uid, self._gid = user.pw_uid, user.pw_gid
        for name in ("run", "state", "mail"):
            (self.folder / name).mkdir()
        text = _CONFIG.format(
            folder=self.folder,
            user=user.pw_name,
            group=grp.getgrgid(user.pw_gid).gr_name,
            password=PASSWORD,
            uid=user.pw_uid,
            gid=user.pw_gid,
            port=self.port,
        )
        (self.folder / "dovecot.conf").write_text(text)
        self._own(self.folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Listen; returns once it answers."""
        assert DOVECOT is not None
        options: dict[str, Any] = {}
        if os.getuid() == 0:
            options = {"user": self._uid, "group": self._gid, "extra_groups": []}
        self._process = subprocess.Popen(
            [DOVECOT, "-F", "-c", str(self.folder / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **options,
        )
        deadline_s = time.monotonic() + 15
        while True:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                probe.settimeout(2)
                if probe.recv(4) == b"* OK":
                    return
            assert time.monotonic() < deadline_s, "dovecot did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop listening and end every connection; mail stays."""
        if self._process is not None:
            # All at once, as when the machine goes: told to stop, dovecot lets sessions live on for a while.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """Stop, and forget the mail."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, user: str) -> IMAPClient:
        """Return a signed-in IMAP client, as another mail program would have it."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False, timeout=20)
        client.login(user, PASSWORD)
        return client

    def append(self, user: str, mail: bytes, folder: str = "INBOX", at: datetime | None = None) -> None:
        """Put a mail into a folder over IMAP."""
        with self.client(user) as client:
            client.append(folder, mail, msg_time=at)

    def drop(self, user: str, mail: bytes, at: datetime) -> None:
        """Put a mail into the inbox behind the server's back, as if it had been delivered while nobody could ask."""
        new = self.folder / "mail" / user / "new"
        new.mkdir(parents=True, exist_ok=True)
        name = new / f"{int(at.timestamp())}.M{time.monotonic_ns()}.hub"
        name.write_bytes(mail)
        os.utime(name, (at.timestamp(), at.timestamp()))
        self._own(self.folder / "mail" / user)

    def renumber(self, user: str) -> None:
        """Give the inbox a new UIDVALIDITY; only while stopped."""
        place = self.folder / "mail" / user
        validity = int((place / "dovecot-uidlist").read_text().split()[1].removeprefix("V"))
        for name in place.glob("dovecot*"):
            name.unlink()
        # The new one will be the time in seconds, and must differ.
        while time.time() < validity + 1:
            time.sleep(0.05)

    def mails(self, user: str, folder: str = "INBOX") -> list[tuple[bytes, tuple[bytes, ...]]]:
        """Return the mails of a folder with their flags."""
        with self.client(user) as client:
            client.select_folder(folder, readonly=True)
            found = client.fetch(client.search(), [b"BODY.PEEK[]", b"FLAGS"]) if client.search() else {}
            return [(one[b"BODY[]"], one[b"FLAGS"]) for _, one in sorted(found.items())]

    def _own(self, place: Path) -> None:
        if os.getuid() == 0:
            for one in (place, *place.rglob("*")):
                os.chown(one, self._uid, self._gid)


@dataclass
class Taken:
    """A mail the sink took."""

    sender: str
    recipients: list[str]
    content: bytes


@dataclass
class SmtpSink:
    """
    An SMTP server that delivers nowhere.

    Attributes:
        taken: What it took, in order.
        refuse_recipients: Answers to RCPT by address, e.g. ``550 5.1.1 No such user``.
        answer_data: Answer to a mail's text instead of taking it; ``cut`` ends the connection after the text.
        takes_before_cut: Whether a cut mail was taken all the same.
        refuse_sender: Answer to MAIL FROM.
        refuse_login: Answer to AUTH.
    """

    taken: list[Taken] = field(default_factory=list)
    refuse_recipients: dict[str, str] = field(default_factory=dict)
    answer_data: str = ""
    takes_before_cut: bool = False
    refuse_sender: str = ""
    refuse_login: str = ""
    size_limit: int = 33_554_432
    on_taken: Callable[[Taken], None] | None = None

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self.port = free_port()
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            authenticator=self._authenticate,
            auth_require_tls=False,
            data_size_limit=self.size_limit,
            ready_timeout=10,
        )
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def wait_for(self, count: int, timeout_s: float = 20) -> list[Taken]:
        """Return what was taken once it is at least ``count`` mails."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.taken) >= count, timeout_s), f"{len(self.taken)} mails"
            return list(self.taken)

    def _authenticate(self, server: object, session: Any, envelope: object, mechanism: str, data: object) -> AuthResult:
        if self.refuse_login:
            return AuthResult(success=False, handled=False, message=self.refuse_login)
        good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
        return AuthResult(success=good, handled=False)

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if self.refuse_sender:
            return self.refuse_sender
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: list[str]) -> str:
        if address in self.refuse_recipients:
            return self.refuse_recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        taken = Taken(envelope.mail_from, list(envelope.rcpt_tos), envelope.content)
        if self.answer_data == "cut":
            if self.takes_before_cut:
                self._take(taken)
            server.transport.abort()
            return "250 OK"
        if self.answer_data == "silence":
            await asyncio.sleep(60)
        if self.answer_data:
            return self.answer_data
        self._take(taken)
        return "250 OK"

    def _take(self, taken: Taken) -> None:
        with self._changed:
            self.taken.append(taken)
            self._changed.notify_all()
        if self.on_taken is not None:
            self.on_taken(taken)


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_mail(
    *,
    sender: str = "Ada <ada@customer.example>",
    to: str = "support@shop.example",
    subject: str = "Where is my parcel?",
    text: str = "It should have come on Monday.",
    message_id: str = "",
    headers: dict[str, str] | None = None,
    files: tuple[tuple[str, str, bytes], ...] = (),
    at: datetime | None = None,
) -> bytes:
    """Write a mail as a customer's program would."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Message-ID"] = message_id or f"<{time.monotonic_ns()}@customer.example>"
    mail["Date"] = at or datetime.now().astimezone()
    for name, value in (headers or {}).items():
        mail[name] = value
    mail.set_content(text)
    for filename, mime, content in files:
        main, _, sub = mime.partition("/")
        mail.add_attachment(content, maintype=main, subtype=sub, filename=filename)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def mail_settings(
    dovecot: Dovecot | None, sink: SmtpSink | None, address: str = "support@shop.example", **more: str
) -> dict[str, str]:
    """Return the settings of the connect form for these services."""
    return {
        "address": address,
        "imap_host": "127.0.0.1",
        "imap_port": str(dovecot.port if dovecot else 1),
        "imap_security": "none",
        "smtp_host": "127.0.0.1",
        "smtp_port": str(sink.port if sink else 1),
        "smtp_security": "none",
    } | more
