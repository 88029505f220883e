"""A signed-in IMAP connection whose every wait ends. Blocking: lives in the thread of ``poll`` or of one call."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, cast

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError
from imapclient.imap4 import IMAP4WithTimeout

from connectors import hosts
from connectors.imap_smtp.errors import describe_login, error
from connectors.imap_smtp.tls import describe_tls, make_private
from hub.errors import ConnectorError, ErrorClass

if TYPE_CHECKING:
    from connectors.imap_smtp.mailbox import Mailbox, Server

CONNECT_S = 12.0
# Between two bytes, not for a whole mail.
READ_S = 40.0
# A server names the length of what it sends, and we would read as much: more than this is no mail.
LITERAL_LIMIT_BYTES = 96 * 1024 * 1024

INBOX = "INBOX"
# Source: RFC 6154, section 2 (March 2011).
SENT = b"\\Sent"
ALL = b"\\All"


class _Imap4(IMAP4WithTimeout):
    """``imaplib``'s protocol over a socket of ours, with a limit to what it reads into memory."""

    def __init__(self, host: str, port: int, open_socket: Callable[[], socket]) -> None:
        self._open_socket = open_socket
        super().__init__(host, port, None)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:  # noqa: ARG002  imaplib's
        self.host, self.port = host, port
        self.sock = self._open_socket()
        self.file = self.sock.makefile("rb")

    def read(self, size: int) -> bytes:
        if size > LITERAL_LIMIT_BYTES:
            raise self.abort("the server announced more than a mail can be")
        return cast("bytes", self.file.read(size))


class Session(IMAPClient):
    """
    A connection to one IMAP server.

    Args:
        server: Which, with how to sign in.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._raw_socket: socket | None = None
        is_tls = server.security == "tls"
        timeout = cast("float", SocketTimeout(CONNECT_S, READ_S))
        super().__init__(server.host, server.port, ssl=is_tls, timeout=timeout)
        self.normalise_times = False
        # IMAPClient has imaplib describe every line to its logger.
        self._imap.debug = 0

    def _create_IMAP4(self) -> IMAP4WithTimeout:
        return _Imap4(self._server.host, self._server.port, self._open_socket)

    def _open_socket(self) -> socket:
        server = self._server
        plain = hosts.connect(server.host, server.port, server.reach, CONNECT_S)
        if server.security == "none" and not hosts.may_reach(str(plain.getpeername()[0]), "loopback"):
            plain.close()
            words = "Without TLS only servers on this computer are used: the password would travel in the open."
            raise error(ErrorClass.PERMANENT, "not_private", words)
        self._raw_socket = plain if server.security != "tls" else make_private(plain, server.host)
        return self._raw_socket

    def cut(self) -> None:
        """End whatever waits for the server, from any thread."""
        raw = self._raw_socket
        if raw is not None:
            with suppress(OSError):
                raw.shutdown(SHUT_RDWR)

    def sign_in(self) -> None:
        """
        Start TLS where asked for, and sign in.

        Raises:
            ConnectorError: The server refuses; in words.
        """
        server = self._server
        if server.security == "starttls":
            self.starttls(ssl.create_default_context())
            self._raw_socket = self._imap.sock
        try:
            if (server.username + server.password).isascii():
                self.login(server.username, server.password)
            else:
                self.plain_login(server.username, server.password)
        except LoginError as refused:
            raise ConnectorError(describe_login(str(refused))) from None

    def find_uids(self, *criteria: object) -> list[int]:
        """Search the selected folder; returns UIDs."""
        # Its parameter is declared as text and documented as a list.
        return list(self.search(cast("str", list(criteria))))

    def sent_folder(self) -> str | None:
        """Return the folder for sent mail, by the server's mark or else by its usual names."""
        found = self.find_special_folder(SENT)
        return str(found) if found else None


@contextmanager
def signed_in(mailbox: Mailbox, note_session: Callable[[Session], None] = lambda _: None) -> Iterator[Session]:
    """
    Open a signed-in session and close it whatever happens.

    Args:
        mailbox: Whose.
        note_session: Gets the session before it waits for the server, so that another thread can cut it.

    Raises:
        ConnectorError: No connection, no TLS, or no sign-in; in words.
        IMAPClientError: The server did something else.
    """
    try:
        session = Session(mailbox.imap)
    except ssl.SSLError as problem:
        raise ConnectorError(describe_tls(problem)) from problem
    note_session(session)
    try:
        try:
            session.sign_in()
        except ssl.SSLError as problem:
            raise ConnectorError(describe_tls(problem)) from problem
        yield session
    finally:
        _close(session)


def _close(session: Session) -> None:
    """Say goodbye if the server listens, and close in any case."""
    try:
        session.socket().settimeout(2.0)
        session.logout()
    except (IMAPClientError, OSError, ValueError):
        with suppress(IMAPClientError, OSError, ValueError):
            session.shutdown()
