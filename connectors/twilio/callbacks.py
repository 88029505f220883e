"""
What Twilio's calls about messages have in common: cut into items, fields, files, receipts. Pure.

No channel: SMS and WhatsApp read their own messages with it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.twilio.errors import describe_code
from connectors.twilio.form import read_form
from connectors.twilio.numbers import canonical_number
from hub.envelope import AttachmentRef, DeliveryStatus, Identity, InboundItem, ItemKind, Receipt, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

# A field Twilio never sends: our message id, moved from the address of a status callback into the item.
_OUR_ID = "hub.mid"
_SID = re.compile(r"[A-Za-z0-9]{2,64}")
_STATUS = re.compile(r"[a-z_]{1,32}")
_CHANNEL = re.compile(r"[a-z_]+:")
_ADDRESS_LIMIT_CHARS = 320
_MEDIA_LIMIT = 10
_INBOUND_STATUSES = frozenset({"", "receiving", "received"})

# Anything from "queued" on says that Twilio has the message: for us that is "sent", as is the answer to our request.
_RECEIPTS = {
    "accepted": DeliveryStatus.SENT,
    "scheduled": DeliveryStatus.SENT,
    "queued": DeliveryStatus.SENT,
    "sending": DeliveryStatus.SENT,
    "sent": DeliveryStatus.SENT,
    "partially_delivered": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
    "failed": DeliveryStatus.FAILED,
    "undelivered": DeliveryStatus.FAILED,
    "canceled": DeliveryStatus.FAILED,
}


def split(request: WebhookRequest) -> list[RawItem]:
    """
    Make the one item of a call.

    Args:
        request: A verified call.

    Returns:
        One item: key is the message's SID, with its status for a status callback, or the body's hash for other calls.

    Raises:
        MalformedPayload: The call has no body.
    """
    if not request.body:
        raise MalformedPayload("a call without a body")
    fields = _fields(request.body) if not _is_json(request.body) else {}
    sid, status = read_sid(fields), _message_status(fields)
    body = request.body
    if not sid:
        return [RawItem(key=f"sha256:{hashlib.sha256(body).hexdigest()}", body=body)]
    if status in _INBOUND_STATUSES:
        return [RawItem(key=sid, body=body)]
    if our_id := _our_id(dict(parse_qsl(urlsplit(request.url).query)).get("mid", "")):
        body = body + f"&{_OUR_ID}={our_id}".encode()
    if not _STATUS.fullmatch(status):
        status = hashlib.sha256(status.encode("utf-8", "replace")).hexdigest()
    return [RawItem(key=f"{sid}:{status}", body=body)]


def read_fields(body: bytes) -> Mapping[str, str]:
    """
    Read the fields of one item about a message.

    Args:
        body: As ``split`` made it.

    Returns:
        Storable text by field; bytes of another charset than UTF-8 become U+FFFD.

    Raises:
        MalformedPayload: Not what Twilio sends.
        UnsupportedPayload: Something Twilio sends about something else than a message.
    """
    if _is_json(body):
        raise _json_error(body)
    fields = _fields(body)
    if not read_sid(fields):
        if fields.get("AccountSid"):
            raise UnsupportedPayload("a call about something else than a message")
        raise MalformedPayload("no MessageSid", field="MessageSid")
    return fields


def is_inbound(fields: Mapping[str, str]) -> bool:
    """Say whether an item is a message that came in; any other is the state of one that went out."""
    return _message_status(fields) in _INBOUND_STATUSES


def read_receipt(fields: Mapping[str, str], recipient: Identity, context: ParseContext) -> InboundItem:
    """
    Read how far a message of ours came.

    Args:
        fields: Of a status callback.
        recipient: Whom it went to.
        context: When it came, and its key. Twilio sends no time of its own.

    Raises:
        UnsupportedPayload: A status we do not know.
    """
    ours = _RECEIPTS.get(_message_status(fields))
    if ours is None:
        raise UnsupportedPayload("a message status we do not know")
    code = fields.get("ErrorCode", "")
    number = int(code) if code.isascii() and code.isdigit() and len(code) <= 6 else 0
    return InboundItem(
        kind=ItemKind.RECEIPT,
        key=context.key,
        occurred_at=read_moment(context),
        thread_key=recipient.value,
        sender=recipient,
        target_external_id=read_sid(fields),
        correlation_id=_our_id(fields.get(_OUR_ID, "")),
        receipt=Receipt(status=ours, error=describe_code(number) if ours is DeliveryStatus.FAILED else None),
    )


def read_media(fields: Mapping[str, str]) -> tuple[AttachmentRef, ...]:
    """
    Name the files of a message.

    Raises:
        MalformedPayload: A file without an address, or a count that is none.
    """
    count = fields.get("NumMedia") or "0"
    if not (count.isascii() and count.isdigit() and len(count) <= 3):
        raise MalformedPayload("NumMedia is not a number", field="NumMedia")
    refs = []
    for index in range(min(int(count), _MEDIA_LIMIT)):
        url = fields.get(f"MediaUrl{index}", "")
        if not url.startswith(("https://", "http://")):
            raise MalformedPayload("a media file without an address", field=f"MediaUrl{index}")
        mime = fields.get(f"MediaContentType{index}") or None
        refs.append(AttachmentRef(ref=url, kind=_media_kind(mime or ""), mime=mime))
    return tuple(refs)


def read_number(fields: Mapping[str, str], name: str, prefix: str = "") -> Identity:
    """
    Read who wrote, or whom we wrote to.

    Args:
        fields: Of one item.
        name: ``From`` or ``To``.
        prefix: What stands before the channel's addresses, e.g. ``whatsapp:``.

    Raises:
        MalformedPayload: No number.
        UnsupportedPayload: An address of another channel.
    """
    raw = fields.get(name, "")
    found = _CHANNEL.match(raw)
    if (found.group() if found else "") != prefix and raw:
        raise UnsupportedPayload("a message of another Twilio channel")
    value = canonical_number(raw.removeprefix(prefix))
    if not value or len(value) > _ADDRESS_LIMIT_CHARS:
        raise MalformedPayload(f"no usable {name}", field=name)
    return Identity(scheme="phone", value=value)


def read_sid(fields: Mapping[str, str]) -> str:
    """Return the SID of the message an item is about; empty where there is none."""
    sid = fields.get("MessageSid") or fields.get("SmsSid") or fields.get("SmsMessageSid") or ""
    return sid if _SID.fullmatch(sid) else ""


def read_moment(context: ParseContext) -> datetime:
    """Return when an item came, which is all that is known of when it happened."""
    if context.received_at.tzinfo is None:
        raise MalformedPayload("a time without a zone", field="received_at")
    return context.received_at


def read_status(status: str) -> DeliveryStatus | None:
    """Say what Twilio's word for a message's state is for us; None for a word we do not know."""
    return _RECEIPTS.get(status)


def _media_kind(mime: str) -> str:
    family = mime.partition("/")[0].lower()
    return family if family in ("image", "audio", "video") else "file"


def _message_status(fields: Mapping[str, str]) -> str:
    return (fields.get("MessageStatus") or fields.get("SmsStatus") or "").lower()


def _our_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _fields(body: bytes) -> dict[str, str]:
    """Decode as UTF-8, which is what Twilio sends; bytes of another charset become U+FFFD, never an error."""
    return {
        clean_text(name.decode("utf-8", "replace")): clean_text(value.decode("utf-8", "replace"))
        for name, value in read_form(body)
    }


def _is_json(body: bytes) -> bool:
    return body.lstrip()[:1] in (b"{", b"[")


def _json_error(body: bytes) -> MalformedPayload | UnsupportedPayload:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return MalformedPayload("not JSON, though it begins so")
    return UnsupportedPayload("a JSON call; messages come as forms")
