"""
Activities of the Bot Framework as Teams sends them, as far as we read them. Pure.

Source: learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference and
learn.microsoft.com/microsoftteams/platform/bots, as noted in the reference, read 2026-11-23.
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Person(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    name: str | None = None
    aad_object_id: str | None = None


class Tenant(msgspec.Struct, frozen=True):
    id: str = ""


class ChannelData(msgspec.Struct, frozen=True, rename="camel"):
    tenant: Tenant | None = None
    event_type: str | None = None


class Conversation(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    conversation_type: str | None = None
    tenant_id: str | None = None


class Download(msgspec.Struct, frozen=True, rename="camel"):
    """The content of a file's attachment: an address that is good for minutes and needs no keys."""

    download_url: str = ""


class Entity(msgspec.Struct, frozen=True):
    """What a part of the text means; a mention is ``text`` as it stands there, and whom it names."""

    type: str = ""
    text: str | None = None
    mentioned: Person | None = None


class Attachment(msgspec.Struct, frozen=True, rename="camel"):
    content_type: str
    content: msgspec.Raw = msgspec.Raw(b"null")
    content_url: str | None = None
    name: str | None = None


class Reaction(msgspec.Struct, frozen=True):
    type: str


class Head(msgspec.Struct, frozen=True, rename="camel"):
    """What every activity has, whatever it is: who calls, for which conversation."""

    service_url: str
    channel_id: str
    type: str = ""
    id: str = ""
    conversation: Conversation | None = None
    channel_data: ChannelData | None = None


class Activity(msgspec.Struct, frozen=True, rename="camel"):
    """An activity of a kind we read."""

    type: str
    id: str
    service_url: str
    conversation: Conversation
    sender: Person = msgspec.field(name="from")
    recipient: Person | None = None
    entities: tuple[Entity, ...] = ()
    timestamp: datetime | None = None
    text: str | None = None
    text_format: str | None = None
    attachments: tuple[Attachment, ...] = ()
    reply_to_id: str | None = None
    reactions_added: tuple[Reaction, ...] = ()
    reactions_removed: tuple[Reaction, ...] = ()
