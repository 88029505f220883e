"""
Payloads of the X Activity API about direct messages, as far as we read them. Pure.

Source: docs.x.com/x-api/activity, as the reference notes it, read 2026-11-23. How an attachment looks there is from
memory. Fields we do not name are ignored.
"""

from __future__ import annotations

import msgspec


class Media(msgspec.Struct, frozen=True):
    media_url_https: str = ""
    type: str = ""


class Attachment(msgspec.Struct, frozen=True):
    type: str = ""
    media: Media | None = None


class Link(msgspec.Struct, frozen=True):
    url: str = ""
    expanded_url: str = ""


class Entities(msgspec.Struct, frozen=True):
    urls: tuple[Link, ...] = ()


class MessageData(msgspec.Struct, frozen=True):
    text: str = ""
    entities: Entities = Entities()
    attachment: Attachment | None = None


class Target(msgspec.Struct, frozen=True):
    recipient_id: str


class MessageCreate(msgspec.Struct, frozen=True):
    target: Target
    sender_id: str
    message_data: MessageData


class Event(msgspec.Struct, frozen=True):
    """One direct message; ``created_timestamp`` counts milliseconds."""

    id: str
    created_timestamp: str
    message_create: MessageCreate
    type: str = "message_create"


class UserData(msgspec.Struct, frozen=True):
    id: str = ""
    username: str = ""
    name: str = ""


class User(msgspec.Struct, frozen=True):
    data: UserData = UserData()


class Encrypted(msgspec.Struct, frozen=True):
    """A message that only the people in it can read."""

    id: str
    sender_id: str


class Payload(msgspec.Struct, frozen=True):
    direct_message_events: tuple[msgspec.Raw, ...] = ()
    users: dict[str, User] = {}


class Filter(msgspec.Struct, frozen=True):
    user_id: str = ""


class Data(msgspec.Struct, frozen=True):
    event_type: str
    filter: Filter = Filter()
    event_uuid: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class Call(msgspec.Struct, frozen=True):
    data: Data
