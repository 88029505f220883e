"""Tries a mailbox in both directions before it is saved, and names the input that is wrong."""

from __future__ import annotations

import asyncio
from functools import partial

from imapclient.exceptions import IMAPClientError

from connectors.base import Account, Checked
from connectors.blocking import in_thread
from connectors.imap_smtp import smtp
from connectors.imap_smtp.errors import error
from connectors.imap_smtp.mailbox import Mailbox, Server, read_mailbox
from connectors.imap_smtp.session import INBOX, signed_in
from hub.errors import ConnectorError, ErrorClass, InvalidInput

CHECK_S = 28.0
# Which input an error without a member's password in it is about.
_INPUTS = {
    "host_unknown": "host",
    "host_refused": "host",
    "certificate": "host",
    "no_connection": "port",
    "tls": "security",
    "not_private": "security",
    "not_offered": "security",
}


async def check(account: Account) -> Checked:
    """
    Sign in to both servers, open the inbox, and see whether the address may send. Nothing is sent.

    Args:
        account: As entered.

    Returns:
        Warnings about what will work less well.

    Raises:
        InvalidInput: ``field`` is the input that is wrong.
        ConnectorError: ``AUTH`` for refused keys; ``RETRYABLE`` when a server cannot be asked now.
    """
    mailbox = read_mailbox(account)
    try:
        async with asyncio.timeout(CHECK_S):
            reading, sending = await asyncio.gather(
                in_thread(partial(_try_reading, mailbox)), _try_sending(mailbox), return_exceptions=True
            )
    except TimeoutError:
        raise error(ErrorClass.RETRYABLE, "slow", "The mail servers are too slow at the moment.") from None
    # Reading first: one wrong password fails both, and is then told of once.
    if isinstance(reading, BaseException):
        raise _named(reading, mailbox.imap)
    if isinstance(sending, BaseException):
        raise _named(sending, mailbox.smtp)
    return Checked(warnings=reading)


def _try_reading(mailbox: Mailbox) -> tuple[str, ...]:
    warnings: list[str] = []
    try:
        with signed_in(mailbox) as session:
            session.select_folder(INBOX, readonly=True)
            if not session.has_capability("IDLE"):
                warnings.append("The server does not announce new mail: it is looked for once a minute.")
            if session.sent_folder() is None:
                warnings.append("There is no folder for sent mail: what is sent from other programs is not seen here.")
            for folder in mailbox.folders:
                if not session.folder_exists(folder):
                    raise InvalidInput("settings.folders", f"There is no folder {folder} in the mailbox.")
    except (IMAPClientError, OSError) as problem:
        words = "The IMAP server broke off. Is this its IMAP port?"
        raise error(ErrorClass.RETRYABLE, "no_connection", words) from problem
    return tuple(warnings)


async def _try_sending(mailbox: Mailbox) -> None:
    own_name = mailbox.address.rpartition("@")[2]
    async with smtp.signed_in(mailbox.smtp, own_name) as client:
        await smtp.may_send(client, mailbox.address)


def _named(problem: BaseException, server: Server) -> BaseException:
    """A refusal that one input explains is that input's; passing ones and keys are left to the caller."""
    if not isinstance(problem, ConnectorError):
        return problem
    info = problem.info
    if name := _INPUTS.get(info.code):
        return InvalidInput(f"settings.{server.field}_{name}", info.message)
    if info.klass is ErrorClass.PERMISSION:
        return InvalidInput("settings.address", info.message)
    return problem
