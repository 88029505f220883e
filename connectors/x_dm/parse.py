"""Cuts X's calls into messages and reads them. Pure: the bytes in, our structs out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.payloads import read
from connectors.x_dm.shapes import Call, Encrypted, Event, MessageData, Payload, User
from hub.envelope import AttachmentRef, Direction, Identity, InboundItem, ItemKind, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

_NUMBER: Final = re.compile(r"[0-9]{1,25}")
_MILLISECONDS: Final = re.compile(r"[1-9][0-9]{0,14}")
_LATEST_MS: Final = 253_402_300_799_000
_MESSAGES: Final = ("dm.received", "dm.sent")
_ENCRYPTED: Final = "chat.received"
# …/dm/{message}/{media}/{name}: the same three are the address in the API.
_MEDIA: Final = re.compile(
    r"https://[a-z0-9.-]{1,60}/(?:[0-9.]{1,5}/ton/data/)?dm/([0-9]{1,25})/([0-9]{1,25})/([\w.-]{1,100})"
)
_KINDS: Final = {"photo": "image", "animated_gif": "video", "video": "video"}


class _Head(msgspec.Struct, frozen=True):
    id: str = ""


class _Item(msgspec.Struct, frozen=True):
    """A raw item: one message with the users named beside it; ``ours`` is whose activity it is."""

    ours: str
    event_type: str
    event: msgspec.Raw
    users: dict[str, User] = {}


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Cut a call into its messages.

    Args:
        request: A verified call.

    Returns:
        An item for each, addressed by the id of the user it is for; its key is X's id of the message. Events of other
        kinds are an item each, known by X's id of the event.

    Raises:
        MalformedPayload: Not a call of X's.
    """
    data = read(request.body, Call).data
    ours = clean_text(data.filter.user_id)[:25]
    found: dict[str, RawItem] = {}
    if data.event_type in _MESSAGES:
        payload = read(data.payload, Payload)
        for event in payload.direct_message_events:
            key = f"dm:{_id_of(event)}"
            body = msgspec.json.encode(_Item(ours, data.event_type, event, payload.users))
            found.setdefault(key, RawItem(key=key, body=body, account_ref=ours))
    if found:
        return list(found.values())
    name = _id_of(data.payload) if data.event_type == _ENCRYPTED else clean_text(data.event_uuid)[:100]
    key = f"{clean_text(data.event_type)[:60]}:{name or hashlib.sha256(request.body).hexdigest()}"
    return [RawItem(key=key, body=msgspec.json.encode(_Item(ours, data.event_type, data.payload)), account_ref=ours)]


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one item.

    Args:
        body: As ``split`` made it.
        context: When it came, and its key.

    Returns:
        A message of theirs, or an echo of ours.

    Raises:
        MalformedPayload: Not what X sends.
        UnsupportedPayload: An event we do not handle; README.md lists them.
    """
    item = read(body, _Item)
    if item.event_type == _ENCRYPTED:
        encrypted = read(item.event, Encrypted)
        who = _person(encrypted.sender_id, item.users)
        return [
            InboundItem(
                kind=ItemKind.MESSAGE,
                key=context.key,
                occurred_at=context.received_at,
                thread_key=who.value,
                sender=who,
                external_id=f"chat:{_id(encrypted.id)}",
                unreadable="Encrypted message: open it in X.",
            )
        ]
    if item.event_type not in _MESSAGES:
        raise UnsupportedPayload("an event that is no message")
    event = read(item.event, Event)
    if event.type != "message_create":
        raise UnsupportedPayload("an event that is no message")
    made = event.message_create
    is_echo = made.sender_id == item.ours
    who = _person(made.target.recipient_id if is_echo else made.sender_id, item.users)
    files = _files(made.message_data)
    text = _text(made.message_data)
    return [
        InboundItem(
            kind=ItemKind.MESSAGE,
            key=context.key,
            occurred_at=_moment(event.created_timestamp),
            thread_key=who.value,
            direction=Direction.OUTBOUND if is_echo else Direction.INBOUND,
            sender=who,
            external_id=_id(event.id),
            text=text,
            attachments=files,
            unreadable="" if text.strip() or files else "This message has nothing we can show: open it in X.",
        )
    ]


def _text(data: MessageData) -> str:
    """Return the text with X's short links written out."""
    text = data.text
    for link in data.entities.urls[:50]:
        if link.url and link.expanded_url.startswith(("https://", "http://")) and len(link.expanded_url) <= 2_000:
            text = text.replace(link.url, link.expanded_url)
    return clean_text(text)


def _files(data: MessageData) -> tuple[AttachmentRef, ...]:
    media = data.attachment.media if data.attachment is not None else None
    found = _MEDIA.fullmatch(media.media_url_https) if media is not None else None
    if media is None or found is None:
        return ()
    return (AttachmentRef(ref="/".join(found.groups()), kind=_KINDS.get(media.type, "image"), filename=found[3]),)


def _person(user_id: str, users: dict[str, User]) -> Identity:
    number = _id(user_id)
    data = users.get(number, User()).data
    name = clean_text(data.name or data.username).strip()[:200]
    return Identity("x", number, display_name=name or None)


def _id_of(event: msgspec.Raw) -> str:
    try:
        found = read(event, _Head).id
    except MalformedPayload:
        found = ""
    return found if _NUMBER.fullmatch(found) else hashlib.sha256(bytes(event)).hexdigest()


def _id(value: str) -> str:
    if not _NUMBER.fullmatch(value):
        raise MalformedPayload("no usable id", field="id")
    return value


def _moment(milliseconds: str) -> datetime:
    if not _MILLISECONDS.fullmatch(milliseconds) or int(milliseconds) > _LATEST_MS:
        raise MalformedPayload("a time that is none", field="created_timestamp")
    number = int(milliseconds)
    return datetime.fromtimestamp(number // 1000, UTC) + timedelta(milliseconds=number % 1000)
