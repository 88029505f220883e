"""The demo as the hub knows it: what is told when it goes, and the history it begins with. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from hub.contacts.model import ContactsRemoved
from hub.envelope import CallState
from hub.inbox.model import ConversationStatus


class DemoRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="demo_removed"):
    """The last of the demo went: its channel accounts, which nothing refers to any more."""

    channel_account_ids: tuple[UUID, ...]


DemoEvent = ContactsRemoved | DemoRemoved


class Leaving(msgspec.Struct, frozen=True):
    """A conversation about to be removed; ``contact_ids`` are those who took part in it."""

    id: UUID
    inbox_id: UUID
    status: ConversationStatus
    contact_ids: tuple[UUID, ...]


class PastMessage(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message of the history a demo begins with, as the kit describes it.

    Attributes:
        channel: Which demo account it came in by.
        direction: ``outbound`` for what the team answered.
        scheme: With ``address``: who the customer is.
        name: The customer's.
        thread: Names the conversation; the address where the channel has one conversation a person.
        at: When, UTC.
        key: Unique in the whole history.
        closes: Whether the conversation is closed after it.
        is_read: Whether the owner has read it.
        call: It was a telephone call.
    """

    channel: str
    direction: Literal["inbound", "outbound"]
    scheme: str
    address: str
    name: str
    thread: str
    text: str
    at: datetime
    key: str
    subject: str = ""
    closes: bool = False
    is_read: bool = False
    call: CallState | None = None
