"""Sends a mail through its mailbox's SMTP server, and asks about one that nobody confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import aiosmtplib
import msgspec

from connectors.base import Account, Call
from connectors.blocking import in_thread
from connectors.imap_smtp import sent
from connectors.imap_smtp.errors import describe_smtp, error
from connectors.imap_smtp.mailbox import Mailbox, read_mailbox
from connectors.imap_smtp.smtp import envelope, signed_in
from connectors.mime.compose import compose_mail
from connectors.mime.model import ComposedMail, MailSettings
from connectors.outgoing_mail import read_files, written_at
from hub.envelope import OutboundMessage, SendResult
from hub.errors import ConnectorError, ErrorClass, InvalidInput

# Together below the queue's own limit (40 s), so that what is known here is not lost there.
PREPARE_S = 16.0
DATA_S = 21.0
COPY_S = 30.0


class Sender:
    """
    The sending side of all mailboxes of a process; holds only copies on their way.

    Attributes:
        copies_lost: Copies that did not reach the folder for sent mail; their mails were sent all the same.
    """

    def __init__(self, *, prepare_s: float = PREPARE_S, data_s: float = DATA_S) -> None:
        self._prepare_s = prepare_s
        self._data_s = data_s
        self._copies: set[asyncio.Task[None]] = set()
        self.copies_lost = 0

    async def send(self, account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:  # noqa: ARG002
        """
        Send one mail.

        Args:
            account: Whose mailbox sends.
            message: What; its Message-ID is the same at every try.
            calls: One, without content of its own.

        Returns:
            Its Message-ID, once the server took the whole mail.

        Raises:
            ConnectorError: ``AMBIGUOUS`` when the server went silent after the text left; anything else was not sent.
        """
        mailbox = read_mailbox(account)
        try:
            async with asyncio.timeout(self._prepare_s) as preparing:
                mail = await _compose(account, mailbox, message)
                async with signed_in(mailbox.smtp, _domain(mailbox)) as client:
                    await envelope(client, mail.sender, mail.recipients, len(mail.content))
                    preparing.reschedule(None)
                    await _deliver(client, mail, self._data_s)
        except TimeoutError:
            words = "The mail server is too slow at the moment."
            raise error(ErrorClass.RETRYABLE, "slow", words) from None
        if not mailbox.saves_sent:
            self._keep_copy(mailbox, mail)
        return SendResult((mail.message_id,))

    async def reconcile(self, account: Account, message: OutboundMessage) -> SendResult | None:
        """
        Look for a mail nobody confirmed in the folder for sent mail; only servers that keep it themselves can tell.

        Raises:
            ConnectorError: The mailbox cannot be asked.
        """
        mailbox = read_mailbox(account)
        mail = await _compose(account, mailbox, msgspec.structs.replace(message, attachments=()))
        found = await in_thread(partial(sent.is_there, mailbox, mail.message_id))
        return SendResult((mail.message_id,)) if found else None

    async def settle(self) -> None:
        """Wait for copies on their way; for tests."""
        await asyncio.gather(*self._copies)

    def _keep_copy(self, mailbox: Mailbox, mail: ComposedMail) -> None:
        """The mail is sent whatever becomes of its copy: nobody waits for it."""
        task = asyncio.create_task(self._copy(mailbox, mail), name="sent-copy")
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def _copy(self, mailbox: Mailbox, mail: ComposedMail) -> None:
        try:
            async with asyncio.timeout(COPY_S):
                await in_thread(partial(sent.keep_copy, mailbox, mail.content, datetime.now(UTC)))
        except (ConnectorError, TimeoutError):
            self.copies_lost += 1


async def _compose(account: Account, mailbox: Mailbox, message: OutboundMessage) -> ComposedMail:
    files = await read_files(account, message)
    settings = MailSettings(
        address=mailbox.address,
        name=mailbox.from_name,
        signing_key=account.signing_key,
        workspace_id=account.workspace_id,
        account_id=account.id,
        date=written_at(message),
        plus_addressing=mailbox.plus_addressing,
    )
    try:
        return await in_thread(partial(compose_mail, message, files, settings))
    except InvalidInput as refused:
        raise error(ErrorClass.CONTENT, "compose", refused.message) from refused


async def _deliver(client: aiosmtplib.SMTP, mail: ComposedMail, data_s: float) -> None:
    """From here on silence is no answer: the server may have taken the mail."""
    try:
        async with asyncio.timeout(data_s):
            await client.data(mail.content, timeout=data_s)
    except aiosmtplib.SMTPResponseException as refused:
        raise ConnectorError(describe_smtp(refused.code, refused.message, step="data")) from None
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as lost:
        words = "The mail server did not confirm the message; it may have been sent."
        raise error(ErrorClass.AMBIGUOUS, "not_confirmed", words) from lost


def _domain(mailbox: Mailbox) -> str:
    domain = mailbox.address.rpartition("@")[2].lower()
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return "localhost"
