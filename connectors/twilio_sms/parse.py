"""Cuts Twilio's calls into items and reads them. Pure: the bytes in, our structs out."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.twilio_sms.errors import describe_code
from connectors.twilio_sms.form import read_form
from connectors.twilio_sms.numbers import canonical_number
from hub.envelope import AttachmentRef, DeliveryStatus, Identity, InboundItem, ItemKind, Receipt, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

# A field Twilio never sends: our message id, moved from the address of a status callback into the item.
_OUR_ID = "hub.mid"
_SID = re.compile(r"[A-Za-z0-9]{2,64}")
_STATUS = re.compile(r"[a-z_]{1,32}")
_OTHER_CHANNEL = re.compile(r"[a-z_]+:")
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

# Source: twilio.com/docs/messaging/tutorials/advanced-opt-out (default keywords), read 2026-11-22.
_STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
_START_WORDS = frozenset({"start", "yes", "unstop"})


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
    sid, status = _sid(fields), _message_status(fields)
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


def parse(body: bytes, context: ParseContext) -> list[InboundItem]:
    """
    Read one item.

    Args:
        body: As ``split`` made it.
        context: When it came, and its key. Twilio sends no time of its own.

    Returns:
        One message or one receipt.

    Raises:
        MalformedPayload: Not what Twilio sends.
        UnsupportedPayload: Something Twilio sends that is not an SMS: a call, another channel, an unknown status.
    """
    if _is_json(body):
        raise _json_error(body)
    fields = _fields(body)
    if not _sid(fields):
        if fields.get("AccountSid"):
            raise UnsupportedPayload("a call about something else than a message")
        raise MalformedPayload("no MessageSid", field="MessageSid")
    status = _message_status(fields)
    if status in _INBOUND_STATUSES:
        return [_read_message(fields, context)]
    return [_read_receipt(fields, status, context)]


def read_status(status: str) -> DeliveryStatus | None:
    """Say what Twilio's word for a message's state is for us; None for a word we do not know."""
    return _RECEIPTS.get(status)


def _read_message(fields: Mapping[str, str], context: ParseContext) -> InboundItem:
    sender = _identity(fields, "From")
    attachments = _read_media(fields)
    text = fields.get("Body")
    if text is None and not attachments:
        raise MalformedPayload("no Body", field="Body")
    return InboundItem(
        kind=ItemKind.MESSAGE,
        key=context.key,
        occurred_at=_aware(context.received_at),
        thread_key=sender.value,
        sender=sender,
        external_id=_sid(fields),
        text=text or "",
        attachments=attachments,
        consent=_consent(fields.get("OptOutType", ""), text or ""),
    )


def _read_receipt(fields: Mapping[str, str], status: str, context: ParseContext) -> InboundItem:
    ours = _RECEIPTS.get(status)
    if ours is None:
        raise UnsupportedPayload("a message status we do not know")
    recipient = _identity(fields, "To")
    code = fields.get("ErrorCode", "")
    number = int(code) if code.isascii() and code.isdigit() and len(code) <= 6 else 0
    return InboundItem(
        kind=ItemKind.RECEIPT,
        key=context.key,
        occurred_at=_aware(context.received_at),
        thread_key=recipient.value,
        sender=recipient,
        target_external_id=_sid(fields),
        correlation_id=_our_id(fields.get(_OUR_ID, "")),
        receipt=Receipt(status=ours, error=describe_code(number) if ours is DeliveryStatus.FAILED else None),
    )


def _read_media(fields: Mapping[str, str]) -> tuple[AttachmentRef, ...]:
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


def _media_kind(mime: str) -> str:
    family = mime.partition("/")[0].lower()
    return family if family in ("image", "audio", "video") else "file"


def _consent(opt_out_type: str, text: str) -> str | None:
    """Twilio's own word where Advanced Opt-Out is on; otherwise the default keywords, when they are the whole text."""
    if opt_out_type:
        return {"STOP": "stop", "START": "start"}.get(opt_out_type.upper())
    word = text.strip().casefold()
    if word in _STOP_WORDS:
        return "stop"
    return "start" if word in _START_WORDS else None


def _identity(fields: Mapping[str, str], name: str) -> Identity:
    raw = fields.get(name, "")
    if _OTHER_CHANNEL.match(raw):
        raise UnsupportedPayload("a message of another Twilio channel")
    value = canonical_number(raw)
    if not value or len(value) > _ADDRESS_LIMIT_CHARS:
        raise MalformedPayload(f"no usable {name}", field=name)
    return Identity(scheme="phone", value=value)


def _sid(fields: Mapping[str, str]) -> str:
    sid = fields.get("MessageSid") or fields.get("SmsSid") or fields.get("SmsMessageSid") or ""
    return sid if _SID.fullmatch(sid) else ""


def _message_status(fields: Mapping[str, str]) -> str:
    return (fields.get("MessageStatus") or fields.get("SmsStatus") or "").lower()


def _our_id(text: str) -> str | None:
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise MalformedPayload("a time without a zone", field="received_at")
    return moment


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
