"""
Messages as Twilio's list shows them, written like the calls they once were, and what is different about them. Pure.

A list knows what a call does not: when it was, what we sent, and how far that came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from connectors.base import ParseContext, RawItem
from connectors.twilio.callbacks import read_media, read_moment, read_receipt, read_sid, read_status
from hub.envelope import DeliveryStatus, Direction, Identity, InboundItem, ItemKind
from hub.errors import MalformedPayload

# Fields Twilio never sends.
_AT = "hub.at"
_SENT = "hub.sent"
# What a message's own row says already.
_PLAIN = frozenset({None, DeliveryStatus.SENT})


class Media(msgspec.Struct, frozen=True):
    """A file of a message, by its address."""

    url: str
    content_type: str


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message of the list.

    Attributes:
        at: When it was sent, ours and theirs alike.
        status: Twilio's word.
        error_code: Of one that failed; 0 for none.
    """

    sid: str
    at: datetime
    is_ours: bool
    sender: str
    recipient: str
    text: str
    status: str
    error_code: int = 0
    service_sid: str = ""
    media_count: int = 0
    media: tuple[Media, ...] = ()


def write_item(listed: Listed) -> RawItem:
    """Write a listed message as an item; its key is that of the call it came with."""
    fields = {
        "MessageSid": listed.sid,
        "From": listed.sender,
        "To": listed.recipient,
        "Body": listed.text,
        "NumMedia": str(len(listed.media)),
        "MessageStatus": listed.status if listed.is_ours else "received",
        "ErrorCode": str(listed.error_code or ""),
        _AT: listed.at.isoformat(),
        _SENT: "1" if listed.is_ours else "",
    }
    for number, one in enumerate(listed.media):
        fields |= {f"MediaUrl{number}": one.url, f"MediaContentType{number}": one.content_type}
    return RawItem(key=listed.sid, body=urlencode(fields).encode())


def is_sent(fields: Mapping[str, str]) -> bool:
    """Say whether an item is a message of ours from the list."""
    return bool(fields.get(_SENT))


def moment_of(fields: Mapping[str, str], context: ParseContext) -> datetime:
    """
    Return when a message was: the list says it, a call does not.

    Raises:
        MalformedPayload: A time that is none.
    """
    text = fields.get(_AT, "")
    if not text:
        return read_moment(context)
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedPayload("a time that is none", field=_AT) from error
    if at.tzinfo is None:
        raise MalformedPayload("a time without a zone", field=_AT)
    return at


def read_sent(fields: Mapping[str, str], recipient: Identity, context: ParseContext) -> list[InboundItem]:
    """
    Read a message of ours, and how far it came where that is more than "sent".

    Raises:
        MalformedPayload: Not as ``write_item`` wrote it.
        UnsupportedPayload: A status we do not know.
    """
    at = moment_of(fields, context)
    sid = read_sid(fields)
    message = InboundItem(
        kind=ItemKind.MESSAGE,
        key=context.key,
        occurred_at=at,
        thread_key=recipient.value,
        direction=Direction.OUTBOUND,
        sender=recipient,
        external_id=sid,
        text=fields.get("Body", ""),
        attachments=read_media(fields),
    )
    status = fields.get("MessageStatus", "").lower()
    if read_status(status) in _PLAIN:
        return [message]
    receipt = read_receipt(fields, recipient, context)
    # The same key as the status callback that may have told it.
    return [message, msgspec.structs.replace(receipt, key=f"{sid}:{status}", occurred_at=at)]


def oldest_first(found: Sequence[Listed]) -> list[Listed]:
    """Order messages as they were said; Twilio's times are whole seconds."""
    return sorted(found, key=lambda one: (one.at, one.is_ours, one.sid))
