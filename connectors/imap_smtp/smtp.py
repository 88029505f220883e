"""A signed-in SMTP connection, and what its refusals mean. Called by ``send`` and ``check``."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiosmtplib

from connectors import hosts
from connectors.blocking import in_thread
from connectors.imap_smtp.errors import describe_smtp, error
from connectors.imap_smtp.mailbox import Server
from connectors.imap_smtp.tls import describe_tls
from hub.errors import ConnectorError, ErrorClass

CONNECT_S = 10.0
ANSWER_S = 10.0


@asynccontextmanager
async def signed_in(server: Server, own_name: str) -> AsyncIterator[aiosmtplib.SMTP]:
    """
    Open a signed-in connection and close it whatever happens.

    Args:
        server: Which, with how to sign in.
        own_name: What we call ourselves in EHLO: the domain of the address that sends.

    Raises:
        ConnectorError: No connection, no TLS, or no sign-in; in words. Nothing was sent.
    """
    client = await _connect(server, own_name)
    try:
        with _in_words("auth"):
            await client.login(server.username, server.password)
        yield client
    finally:
        await _close(client)


async def envelope(client: aiosmtplib.SMTP, sender: str, recipients: tuple[str, ...], size_bytes: int) -> None:
    """
    Announce a mail: who sends, who gets it. If one recipient is refused, nobody gets it.

    Raises:
        ConnectorError: Refused, or the connection broke; nothing was sent.
    """
    limit = client.esmtp_extensions.get("size", "")
    if limit.isdigit() and 0 < int(limit) < size_bytes:
        words = f"With its files the mail has {size_bytes / 1e6:.0f} MB; this server takes {int(limit) / 1e6:.0f} MB."
        raise error(ErrorClass.CONTENT, "5.3.4", words)
    with _in_words("sender"):
        await client.mail(sender, options=[f"SIZE={size_bytes}"] if limit else [])
    for number, one in enumerate(recipients, 1):
        try:
            with _in_words("recipient"):
                await client.rcpt(one)
        except ConnectorError as refused:
            if len(recipients) == 1 or refused.info.klass is not ErrorClass.RECIPIENT:
                raise
            words = (
                f"The mail server refuses recipient {number} of {len(recipients)} ({refused.info.code}); nobody got it."
            )
            raise error(ErrorClass.RECIPIENT, refused.info.code, words) from refused


async def may_send(client: aiosmtplib.SMTP, sender: str) -> None:
    """See whether the server lets an address send; nothing is sent. Raises ConnectorError."""
    with _in_words("sender"):
        await client.mail(sender)
        await client.rset()


class _in_words:
    """Turn what aiosmtplib raises before a mail's text left into a ``ConnectorError``."""

    def __init__(self, step: str) -> None:
        self._step = step

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, raised: BaseException | None, trace: object) -> None:
        if raised is None or isinstance(raised, ConnectorError) or not isinstance(raised, Exception):
            return
        if isinstance(raised, aiosmtplib.SMTPResponseException):
            info = describe_smtp(raised.code, raised.message, step=self._step)
            raise ConnectorError(info) from None
        tls = raised if isinstance(raised, ssl.SSLError) else raised.__cause__
        if isinstance(tls, ssl.SSLError):
            raise ConnectorError(describe_tls(tls)) from raised
        if isinstance(raised, (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError, TimeoutError)):
            words = "The connection to the mail server broke before the message was sent."
            raise error(ErrorClass.RETRYABLE, "no_connection", words) from raised
        if isinstance(raised, (UnicodeError, ValueError)):
            words = "The server takes only addresses in plain letters."
            raise error(ErrorClass.RECIPIENT, "address", words) from None
        if isinstance(raised, aiosmtplib.SMTPException):
            words = "The mail server does not offer what is needed to send here: TLS or signing in. Is the port right?"
            raise error(ErrorClass.RETRYABLE, "not_offered", words) from raised


async def _connect(server: Server, own_name: str) -> aiosmtplib.SMTP:
    raw = await in_thread(lambda: hosts.connect(server.host, server.port, server.reach, CONNECT_S))
    if server.security == "none" and not hosts.may_reach(str(raw.getpeername()[0]), "loopback"):
        raw.close()
        words = "Without TLS only servers on this computer are used: the password would travel in the open."
        raise error(ErrorClass.PERMANENT, "not_private", words)
    raw.settimeout(0)
    client = aiosmtplib.SMTP(
        hostname=server.host,
        sock=raw,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        local_hostname=own_name,
        timeout=ANSWER_S,
    )
    try:
        with _in_words("connect"):
            await client.connect()
    except BaseException:
        client.close()
        raw.close()
        raise
    return client


async def _close(client: aiosmtplib.SMTP) -> None:
    """A server that does not answer QUIT has nothing to say about what was sent."""
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(2.0):
            await client.quit()
    client.close()
