"""Inboxes and the channel accounts that feed them, as members see them. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class AccountStatus(StrEnum):
    CONNECTED = "connected"
    PAUSED = "paused"
    NEEDS_SIGN_IN = "needs_sign_in"
    REMOVED = "removed"


class Inbox(msgspec.Struct, frozen=True):
    """
    What members see and have access to.

    Attributes:
        restricted: Only its listed members (and owners and admins) see it.
        reopen_days: A message within so many days of closing reopens the conversation; later starts a new one.
        version: ``seq`` of the event that last changed this row.
    """

    id: UUID
    name: str
    restricted: bool
    reopen_days: int
    version: int


class ChannelAccount(msgspec.Struct, frozen=True):
    """
    One connected instance of a channel, without its secrets.

    Attributes:
        settings: Public settings, e.g. ``{"phone_number": "+15550001"}``; values are text.
        status_reason: In words, when it is not connected.
        version: ``seq`` of the event that last changed this row.
    """

    id: UUID
    inbox_id: UUID
    channel: str
    name: str
    status: AccountStatus
    status_reason: str
    settings: dict[str, str]
    created_at: datetime
    version: int


class InboxChanged(msgspec.Struct, frozen=True, tag_field="type", tag="inbox_changed"):
    inbox: Inbox


class ChannelAccountConnected(msgspec.Struct, frozen=True, tag_field="type", tag="channel_account_connected"):
    channel_account: ChannelAccount
    inbox: Inbox


class ChannelAccountChanged(msgspec.Struct, frozen=True, tag_field="type", tag="channel_account_changed"):
    channel_account: ChannelAccount
