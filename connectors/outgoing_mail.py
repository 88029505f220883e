"""What every mailbox does before a mail is written: looks it over, reads its files, says when it was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from connectors.base import Account, Call
from connectors.mime.model import MailFile
from connectors.mime.writer import check_address
from hub import clock
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

TEXT_LIMIT_CHARS: Final = 200_000
# What the large providers take is 25 MB with the third that base64 adds; a server's own limit is asked when sending.
FILES_LIMIT_BYTES: Final = 25 * 1024 * 1024
SEND: Final = "mail.send"


def check_mail(message: OutboundMessage, most_recipients: int) -> Call:
    """
    Look a mail over and make its one call.

    Args:
        message: To one address or several, with files or without.
        most_recipients: Of To, Cc and Bcc together.

    Returns:
        The call; the mail itself is written when it is sent, because its files are read then.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long one, ``RECIPIENT`` for what is not an address.
    """
    if not message.text.strip() and not message.attachments:
        raise _refused(ErrorClass.CONTENT, "empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; a mail holds {TEXT_LIMIT_CHARS:,}."
        raise _refused(ErrorClass.CONTENT, "too_long", words)
    if sum(one.size_bytes for one in message.attachments) > FILES_LIMIT_BYTES:
        raise _refused(ErrorClass.CONTENT, "too_large", "The files are larger than 25 MB together.")
    recipients = (message.to, *message.also_to, *message.cc, *message.bcc)
    if len(recipients) > most_recipients:
        raise _refused(ErrorClass.CONTENT, "recipients", f"A mail goes to {most_recipients} people at most.")
    for one in recipients:
        try:
            check_address(one.value)
        except ConnectorError:
            words = "One of the recipients is not a mail address."
            raise _refused(ErrorClass.RECIPIENT, "address", words) from None
    files = " ".join(one.id for one in message.attachments)
    return Call(operation=SEND, fields={"subject": message.subject, "text": message.text, "files": files})


async def read_files(account: Account, message: OutboundMessage) -> list[MailFile]:
    """
    Read the files of a mail.

    Raises:
        ConnectorError: ``PERMANENT`` where there is no way to them, ``CONTENT`` where they are too large together.
    """
    files: list[MailFile] = []
    left = FILES_LIMIT_BYTES + 1024 * 1024
    for one in message.attachments:
        if account.read_file is None:
            raise _refused(ErrorClass.PERMANENT, "files", "The files of this message cannot be read.")
        content = bytearray()
        async for piece in account.read_file(one.id):
            content += piece
            if len(content) > left:
                raise _refused(ErrorClass.CONTENT, "too_large", "The files are larger than 25 MB together.")
        left -= len(content)
        files.append(MailFile(filename=one.filename, mime=one.mime, content=bytes(content), inline_cid=one.inline_cid))
    return files


def written_at(message: OutboundMessage) -> datetime:
    """Return when a message was written, the same at every try: our ids begin with their time."""
    found = UUID(message.message_id)
    if found.version == 7:
        return datetime.fromtimestamp((found.int >> 80) / 1000, UTC)
    return message.attempted_at or clock.now()


def _refused(klass: ErrorClass, code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(klass, code, words))
