"""
Payloads of Meta's messaging webhooks (pages and Instagram accounts), as far as we read them. Pure.

Source: developers.facebook.com/docs/messenger-platform/reference/webhook-events and docs/instagram-platform/webhooks,
as noted in the reference, read 2026-11-23. Fields we do not name are ignored.
"""

from __future__ import annotations

import msgspec


class Person(msgspec.Struct, frozen=True):
    """``name`` is in what history is written as; webhook calls have ids alone."""

    id: str
    name: str | None = None


class Coordinates(msgspec.Struct, frozen=True):
    lat: float
    long: float


class Payload(msgspec.Struct, frozen=True):
    """Of an attachment; which of them are there depends on its type."""

    url: str | None = None
    title: str | None = None
    coordinates: Coordinates | None = None


class Attachment(msgspec.Struct, frozen=True):
    type: str
    payload: Payload | None = None
    url: str | None = None
    title: str | None = None


class Story(msgspec.Struct, frozen=True):
    url: str | None = None
    id: str | None = None


class ReplyTo(msgspec.Struct, frozen=True):
    mid: str | None = None
    story: Story | None = None


class Message(msgspec.Struct, frozen=True):
    mid: str
    text: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_to: ReplyTo | None = None
    is_echo: bool = False
    is_deleted: bool = False
    is_unsupported: bool = False
    metadata: str | None = None


class Edit(msgspec.Struct, frozen=True):
    mid: str
    text: str = ""
    num_edit: int = 0


class Reaction(msgspec.Struct, frozen=True):
    mid: str
    action: str
    emoji: str | None = None
    reaction: str | None = None


class Delivery(msgspec.Struct, frozen=True):
    watermark: int
    mids: tuple[str, ...] = ()


class Read(msgspec.Struct, frozen=True):
    """A page's reads have a watermark, Instagram's name a message."""

    watermark: int | None = None
    mid: str | None = None


class Postback(msgspec.Struct, frozen=True):
    title: str = ""
    mid: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One of ``entry[].messaging``: who, when, and one of the parts."""

    sender: Person | None = None
    recipient: Person | None = None
    timestamp: int = 0
    message: Message | None = None
    message_edit: Edit | None = None
    reaction: Reaction | None = None
    delivery: Delivery | None = None
    read: Read | None = None
    postback: Postback | None = None


class Entry(msgspec.Struct, frozen=True):
    id: str
    messaging: tuple[msgspec.Raw, ...] = ()
    standby: tuple[msgspec.Raw, ...] = ()


class Call(msgspec.Struct, frozen=True):
    object: str
    entry: tuple[Entry, ...]
