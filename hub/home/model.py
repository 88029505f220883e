"""What needs a member's attention, as counts and the few rows that need it most. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """
    Whose eyes it is read with.

    Attributes:
        visible_inboxes: None means all of them.
        manages_channels, manages_members: What is counted for those alone who can do something about it.
    """

    workspace_id: int
    member_id: UUID
    visible_inboxes: frozenset[UUID] | None
    manages_channels: bool
    manages_members: bool


class OpenCounts(msgspec.Struct, frozen=True):
    """
    Of the open conversations.

    Attributes:
        waiting: The contact wrote last.
        is_partial: There are more open ones than were looked at: every number is "at least".
    """

    waiting: int
    mine_waiting: int
    unassigned: int
    is_partial: bool


class WaitingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation whose contact waits for an answer since ``since``; without a name it is their address."""

    conversation_id: UUID
    contact_id: UUID
    contact_name: str
    subject: str
    channel: str
    preview: str
    assignee_id: UUID | None
    since: datetime


class FailedRow(msgspec.Struct, frozen=True, kw_only=True):
    """An open conversation to which what was sent last did not go out; ``error`` in the vendor's or our words."""

    conversation_id: UUID
    contact_id: UUID
    contact_name: str
    subject: str
    error: str
    at: datetime


class ChannelRow(msgspec.Struct, frozen=True, kw_only=True):
    """A channel account that brings nothing; ``status``: ``needs_sign_in`` or ``paused``."""

    id: UUID
    name: str
    channel: str
    status: str


class Beginnings(msgspec.Struct, frozen=True):
    """What a new workspace has done already."""

    channel_connected: bool
    colleague_invited: bool
    contact_answered: bool
