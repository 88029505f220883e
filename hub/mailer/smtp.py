"""The connection to the server that takes the hub's own mails, and what its answers mean for a mail."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import aiosmtplib

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage

    from hub.config import MailServer

CONNECT_S: Final = 10.0
ANSWER_S: Final = 10.0
DATA_S: Final = 40.0


class Fate(StrEnum):
    """What is known of a mail that was not taken."""

    # Not sent; a later try may go better, with this mail or with all of them.
    LATER = "later"
    SERVER_DOWN = "server_down"
    # The recipient's server will never take it.
    REFUSED = "refused"
    # The text left and no answer came: it may have been taken.
    UNKNOWN = "unknown"


class NotTaken(Exception):
    """A mail was not taken, or nobody knows; ``code`` is the server's or ours, and holds no address."""

    def __init__(self, fate: Fate, code: str) -> None:
        super().__init__(f"{fate}: {code}")
        self.fate = fate
        self.code = code


@asynccontextmanager
async def connected(server: MailServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[aiosmtplib.SMTP]:
    """
    Open a signed-in connection and close it whatever happens.

    Args:
        server: With how to sign in.
        tls: Whom to trust; the system's authorities when left out.

    Raises:
        NotTaken: No connection, no TLS or no sign-in; nothing was sent.
    """
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls == "tls",
        start_tls=server.tls == "starttls",
        tls_context=tls,
        timeout=CONNECT_S,
    )
    try:
        try:
            async with asyncio.timeout(CONNECT_S + ANSWER_S):
                await client.connect()
                if server.username:
                    await client.login(server.username, server.password, timeout=ANSWER_S)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise NotTaken(Fate.SERVER_DOWN, _code(error)) from error
        yield client
    finally:
        with suppress(aiosmtplib.SMTPException, OSError):
            async with asyncio.timeout(2.0):
                await client.quit()
        client.close()


async def send(client: aiosmtplib.SMTP, message: EmailMessage, sender: str, recipient: str) -> None:
    """
    Hand one mail over.

    Args:
        client: Connected.
        message: Made under ``email.policy.SMTP``.
        sender: Where bounces go.
        recipient: The one who gets it.

    Raises:
        NotTaken: See ``Fate``.

    Source:
        RFC 5321 sections 4.2.1 and 4.5.3.2 (October 2008): 4yz may be tried again, 5yz not as it is.
    """
    try:
        recipient = _ascii(recipient)
    except UnicodeError:
        raise NotTaken(Fate.REFUSED, "address") from None
    try:
        # A sender that is refused is our setting, not the recipient's fault.
        await client.mail(sender, timeout=ANSWER_S)
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotTaken(Fate.SERVER_DOWN, _code(error)) from error
    try:
        await client.rcpt(recipient, timeout=ANSWER_S)
    except aiosmtplib.SMTPResponseException as error:
        await _reset(client)
        raise NotTaken(_judge(error.code), str(error.code)) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotTaken(Fate.SERVER_DOWN, _code(error)) from error
    try:
        await client.data(message.as_bytes(), timeout=DATA_S)
    except aiosmtplib.SMTPResponseException as error:
        raise NotTaken(_judge(error.code), str(error.code)) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        raise NotTaken(Fate.UNKNOWN, "not_confirmed") from error


def _judge(code: int) -> Fate:
    if code == 421:
        return Fate.SERVER_DOWN
    return Fate.REFUSED if 500 <= code <= 599 else Fate.LATER


def _ascii(address: str) -> str:
    """Write the domain as DNS has it; a name that is not ASCII would need SMTPUTF8 all the way."""
    name, _, domain = address.rpartition("@")
    name.encode("ascii")
    return f"{name}@{domain.encode('idna').decode('ascii')}"


def _code(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return str(error.code)
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return "tls"
    return "no_connection"


async def _reset(client: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.rset(timeout=ANSWER_S)
