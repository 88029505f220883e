"""Sends a mail, once, and asks about one nobody confirmed by its Message-ID, which is the same at every try."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.base import Account, Call
from connectors.blocking import in_thread
from connectors.gmail.api import ME, Gmail
from connectors.gmail.errors import failure, harmless
from connectors.gmail.mails import find
from connectors.mime.compose import compose_mail
from connectors.mime.model import ComposedMail, MailSettings
from connectors.mime.writer import header, mailbox
from connectors.outgoing_mail import read_files, written_at
from hub.envelope import OutboundMessage, SendResult
from hub.errors import ConnectorError, ErrorClass, InvalidInput

if TYPE_CHECKING:
    from googleapiclient.http import MediaInMemoryUpload

# Below the queue's own limit (40 s), so that what is known here is not lost there.
SEND_S: Final = 25.0
_MESSAGE_ID: Final = "Message-ID"


class _Sent(msgspec.Struct, frozen=True, rename="camel"):
    id: str


class _Header(msgspec.Struct, frozen=True):
    name: str
    value: str = ""


class _Payload(msgspec.Struct, frozen=True):
    headers: tuple[_Header, ...] = ()


class _Stored(msgspec.Struct, frozen=True):
    payload: _Payload = _Payload()


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:  # noqa: ARG001
    """
    Send one mail.

    Args:
        account: Whose mailbox sends.
        message: What; a second try looks first whether the first one got through.
        calls: One, without content of its own.

    Returns:
        The Message-ID that Gmail stored.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when Gmail went silent after the mail left; anything else was not sent.
    """
    gmail = Gmail(account)
    mail = await _compose(account, message)
    if message.attempt > 1 and (earlier := await find(gmail, mail.message_id)) is not None:
        return await _stored(gmail, earlier.id, mail.message_id)
    answered = message.quoted_external_id or message.reply_to_external_id
    parent = await find(gmail, answered) if answered else None
    place = {"threadId": parent.thread_id} if parent is not None and parent.thread_id else {}
    sent = await gmail.ask(
        lambda users: users.messages().send(userId=ME, body=place, media_body=_media(mail.content)),
        _Sent,
        timeout_s=SEND_S,
    )
    return await _stored(gmail, sent.id, mail.message_id)


async def reconcile(account: Account, message: OutboundMessage) -> SendResult | None:
    """
    Look for a mail nobody confirmed by its Message-ID; None where Gmail does not know it (yet).

    Raises:
        ConnectorError: The mailbox cannot be asked.
    """
    mail = await _compose(account, msgspec.structs.replace(message, attachments=()))
    found = await find(Gmail(account), mail.message_id)
    return SendResult((mail.message_id,)) if found is not None else None


async def _compose(account: Account, message: OutboundMessage) -> ComposedMail:
    files = await read_files(account, message)
    settings = MailSettings(
        address=account.settings.get("address", ""),
        name=account.settings.get("from_name", ""),
        signing_key=account.signing_key,
        workspace_id=account.workspace_id,
        account_id=account.id,
        date=written_at(message),
    )
    try:
        mail = await in_thread(partial(compose_mail, message, files, settings))
    except InvalidInput as refused:
        raise failure(ErrorClass.CONTENT, "compose", refused.message) from refused
    if not message.bcc:
        return mail
    # There is no envelope: Gmail reads whom a mail goes to from its headers, and takes this one out.
    hidden = header("Bcc", ", ".join(mailbox(one.display_name, one.value) for one in message.bcc)).encode("ascii")
    return msgspec.structs.replace(mail, content=hidden + mail.content)


def _media(content: bytes) -> MediaInMemoryUpload:
    """Make a part of its own of the mail: in JSON only some megabytes are taken."""
    from googleapiclient.http import MediaInMemoryUpload

    part: MediaInMemoryUpload = MediaInMemoryUpload(content, mimetype="message/rfc822", resumable=False)
    return part


async def _stored(gmail: Gmail, sent_id: str, own_id: str) -> SendResult:
    """Read back under which Message-ID Gmail keeps the mail: it may write its own."""
    try:
        with harmless():
            mail = await gmail.ask(
                lambda users: users.messages().get(
                    userId=ME, id=sent_id, format="metadata", metadataHeaders=[_MESSAGE_ID]
                ),
                _Stored,
            )
    except ConnectorError:
        # It is sent, whatever became of this look.
        return SendResult((own_id,))
    kept = next((one.value for one in mail.payload.headers if one.name.lower() == _MESSAGE_ID.lower()), "")
    return SendResult((kept.strip().strip("<>") or own_id,))
