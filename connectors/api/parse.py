"""Cuts the calls of a member's program into events and reads them; docs/api-channel.md is the description. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

import msgspec

from connectors.api.signature import ID
from connectors.base import ParseContext, RawItem, WebhookRequest
from hub.envelope import (
    AttachmentRef,
    DeliveryStatus,
    Direction,
    Identity,
    InboundItem,
    ItemKind,
    Receipt,
    clean_text,
)
from hub.errors import ConnectorErrorInfo, ErrorClass, MalformedPayload, UnsupportedPayload

MOST_EVENTS: Final = 100
MOST_FILES: Final = 20
_ID_CHARS: Final = 200
_TEXT_CHARS: Final = 100_000
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_EMAIL: Final = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_KINDS: Final = ("image", "audio", "video")


class Contact(msgspec.Struct, frozen=True):
    """Who wrote, or is written to: by the program's own id, with addresses it knows of them."""

    id: str
    name: str = ""
    email: str = ""
    phone: str = ""


class File(msgspec.Struct, frozen=True):
    url: str
    name: str = ""
    mime: str = ""
    size_bytes: int | None = None


class Message(msgspec.Struct, frozen=True):
    """``message.created`` and ``message.edited``; ``direction`` "outbound" for what was answered elsewhere."""

    id: str
    contact: Contact
    thread_id: str = ""
    direction: str = "inbound"
    text: str = ""
    html: str | None = None
    reply_to: str | None = None
    attachments: tuple[File, ...] = ()
    auto_submitted: bool = False


class About(msgspec.Struct, frozen=True):
    """Everything else: about a message, by the program's id of it, or by ours for what we sent."""

    contact: Contact
    id: str = ""
    message_id: str | None = None
    thread_id: str = ""
    emoji: str = ""
    removed: bool = False
    reason: str = ""


class Event(msgspec.Struct, frozen=True):
    type: str
    data: msgspec.Raw
    timestamp: datetime | None = None


_RECEIPTS: Final[Mapping[str, DeliveryStatus]] = {
    "message.delivered": DeliveryStatus.DELIVERED,
    "message.read": DeliveryStatus.READ,
    "message.failed": DeliveryStatus.FAILED,
}
Wanted = TypeVar("Wanted")


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Cut a call into its events.

    Args:
        request: A verified call; its body is one event, or a list of at most a hundred.

    Returns:
        An item for each; a message's key is its id, so that sent again under another webhook-id it is still the same.

    Raises:
        MalformedPayload: Neither an event nor a list.
    """
    webhook_id = request.headers.get(ID, "")[:_ID_CHARS]
    try:
        listed = request.body.lstrip()[:1] == b"["
        found = msgspec.json.decode(request.body, type=tuple[msgspec.Raw, ...] if listed else msgspec.Raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload("The call is neither an event nor a list of events in JSON.") from error
    events = found if isinstance(found, tuple) else (found,)
    if len(events) > MOST_EVENTS:
        raise MalformedPayload(f"The call holds more than {MOST_EVENTS} events.")
    keys: dict[str, RawItem] = {}
    for number, event in enumerate(events):
        key = _message_key(bytes(event)) or f"{webhook_id}/{number}"
        keys.setdefault(key, RawItem(key=key, body=bytes(event)))
    return tuple(keys.values())


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one event.

    Args:
        body: As ``split`` cut it.
        context: When it came, and its key.

    Raises:
        MalformedPayload: A field is missing, of another type, or too long; the text names it.
        UnsupportedPayload: A type we do not know.
    """
    event = _read(body, Event)
    at = event.timestamp or context.received_at
    # A time without a zone is taken as UTC, as the page says.
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    reader = _READERS.get(event.type)
    if reader is not None:
        return (reader(event.data, context.key, at),)
    if event.type in _RECEIPTS:
        return (_receipt(event, context.key, at),)
    raise UnsupportedPayload("An event of a type we do not know.")


def _message(data: msgspec.Raw, key: str, at: datetime) -> InboundItem:
    read = _read(bytes(data), Message)
    if not read.text.strip() and not read.attachments:
        raise MalformedPayload("data.text: a message needs a text or an attachment.")
    if read.direction not in ("inbound", "outbound"):
        raise MalformedPayload('data.direction: "inbound" or "outbound".')
    return InboundItem(
        kind=ItemKind.MESSAGE,
        key=key,
        occurred_at=at,
        thread_key=_id(read.thread_id, "thread_id"),
        direction=Direction(read.direction),
        sender=_contact(read.contact),
        external_id=_id(read.id, "id", needed=True),
        text=_text(read.text),
        html=None if read.html is None else _text(read.html),
        attachments=_files(read.attachments),
        reply_to_external_id=None if read.reply_to is None else _id(read.reply_to, "reply_to", needed=True),
        auto_submitted=read.auto_submitted,
    )


def _edited(data: msgspec.Raw, key: str, at: datetime) -> InboundItem:
    read = _read(bytes(data), Message)
    return InboundItem(
        kind=ItemKind.EDIT,
        key=key,
        occurred_at=at,
        thread_key=_id(read.thread_id, "thread_id"),
        sender=_contact(read.contact),
        target_external_id=_id(read.id, "id", needed=True),
        text=_text(read.text),
        html=None if read.html is None else _text(read.html),
    )


def _deleted(data: msgspec.Raw, key: str, at: datetime) -> InboundItem:
    return _about(_read(bytes(data), About), ItemKind.DELETE, key, at)


def _reaction(data: msgspec.Raw, key: str, at: datetime) -> InboundItem:
    read = _read(bytes(data), About)
    emoji = _id(read.emoji, "emoji")
    if not emoji and not read.removed:
        raise MalformedPayload("data.emoji: a reaction needs one, unless all are removed.")
    item = _about(read, ItemKind.REACTION, key, at)
    return msgspec.structs.replace(item, reaction=emoji, removed=read.removed)


def _receipt(event: Event, key: str, at: datetime) -> InboundItem:
    read, status = _read(bytes(event.data), About), _RECEIPTS[event.type]
    error = None
    if status is DeliveryStatus.FAILED:
        words = _text(read.reason)[:500] or "Your program says that the message failed."
        error = ConnectorErrorInfo(ErrorClass.PERMANENT, "reported", words)
    if not read.id and not read.message_id:
        raise MalformedPayload("data.message_id: a receipt names a message, by our id or by yours.")
    item = _about(read, ItemKind.RECEIPT, key, at)
    return msgspec.structs.replace(item, receipt=Receipt(status, error))


def _about(read: About, kind: ItemKind, key: str, at: datetime) -> InboundItem:
    target = _id(read.id, "id", needed=read.message_id is None)
    return InboundItem(
        kind=kind,
        key=key,
        occurred_at=at,
        thread_key=_id(read.thread_id, "thread_id"),
        sender=_contact(read.contact),
        target_external_id=target or None,
        correlation_id=None if read.message_id is None else _id(read.message_id, "message_id", needed=True),
    )


_READERS: Final[Mapping[str, Callable[[msgspec.Raw, str, datetime], InboundItem]]] = {
    "message.created": _message,
    "message.edited": _edited,
    "message.deleted": _deleted,
    "reaction.changed": _reaction,
}


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _message_key(event: bytes) -> str:
    """The key of a new message is its id; empty for everything else, and for what ``parse`` will refuse."""
    try:
        read = msgspec.json.decode(event, type=Event)
        if read.type != "message.created":
            return ""
        message = msgspec.json.decode(read.data, type=Message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    found = clean_text(message.id)
    return f"m:{found}" if 0 < len(found) <= _ID_CHARS else ""


def _read(body: bytes, kind: type[Wanted]) -> Wanted:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(f"The event cannot be read: {error}"[:300]) from error


def _id(value: str, name: str, *, needed: bool = False) -> str:
    value = clean_text(value)
    if (needed and not value.strip()) or len(value) > _ID_CHARS:
        raise MalformedPayload(f"data.{name}: 1 to {_ID_CHARS} characters are needed.")
    return value


def _text(value: str) -> str:
    if len(value) > _TEXT_CHARS:
        raise MalformedPayload(f"data.text: at most {_TEXT_CHARS} characters.")
    return clean_text(value)


def _contact(read: Contact) -> Identity:
    # What does not look like an address stays out: it would be another person's for ever.
    aliases = [Identity("email", read.email.lower())] if _EMAIL.fullmatch(read.email) else []
    aliases += [Identity("phone", read.phone)] if _E164.fullmatch(read.phone) else []
    name = clean_text(read.name).strip()[:200] or None
    return Identity("external", _id(read.id, "contact.id", needed=True), "api", name, tuple(aliases))


def _files(files: tuple[File, ...]) -> tuple[AttachmentRef, ...]:
    if len(files) > MOST_FILES:
        raise MalformedPayload(f"data.attachments: at most {MOST_FILES} files.")
    found = []
    for one in files:
        if not one.url.startswith(("https://", "http://")) or len(one.url) > 2000:
            raise MalformedPayload("data.attachments.url: an https address of at most 2000 characters.")
        kind = one.mime.partition("/")[0]
        name = clean_text(one.name).rpartition("/")[2][:200]
        size = one.size_bytes if one.size_bytes is not None and one.size_bytes >= 0 else None
        found.append(
            AttachmentRef(
                ref=clean_text(one.url),
                kind=kind if kind in _KINDS else "file",
                filename=name or None,
                mime=clean_text(one.mime)[:100] or None,
                size_bytes=size,
            )
        )
    return tuple(found)
