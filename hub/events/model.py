"""One row of the log, before and after it has a number. Knows nothing of what the events mean."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    An event about to be appended.

    Attributes:
        workspace_id: Tenant.
        type: Past tense, e.g. ``message_received``.
        data: The event's JSON object as it goes to sockets, ``type`` included.
        occurred_at: When it happened, UTC.
        inbox_id: Who may see it: members of this inbox; None means every member.
        former_inbox_id: The inbox a conversation was moved out of; its members get a removal.
        conversation_id: The conversation it belongs to, if any.
        conversation_seq: Number among the events its visitor may see, gapless from 1; None when the visitor may not.
        contact_id: The contact on whose timeline it stands, if any.
        actor_id: The member or contact who did it, if any.
        dedupe_key: Unique in the workspace; a second append of the same key is an error.
    """

    workspace_id: int
    type: str
    data: bytes
    occurred_at: datetime
    inbox_id: UUID | None = None
    former_inbox_id: UUID | None = None
    conversation_id: UUID | None = None
    conversation_seq: int | None = None
    contact_id: UUID | None = None
    actor_id: UUID | None = None
    dedupe_key: str | None = None


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    An event of the log as sockets need it; the fields are those of ``NewEvent`` plus its ``seq``.

    Attributes:
        appended_at_ms: Our clock when it got its number, milliseconds since 1970; 0 when it was read from the log.
        trace: The W3C traceparent of what appended it; empty when that is not traced, or when it was read.
    """

    workspace_id: int
    seq: int
    type: str
    data: bytes
    inbox_id: UUID | None = None
    former_inbox_id: UUID | None = None
    conversation_id: UUID | None = None
    conversation_seq: int | None = None
    appended_at_ms: int = 0
    trace: str = ""


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """
    An event as a room reacts to it.

    Attributes:
        appended_at: Our clock; vendors' clocks are theirs.
        data: Empty for types the room did not ask for.
    """

    seq: int
    type: str
    data: bytes
    appended_at: datetime
    inbox_id: UUID | None = None
    conversation_id: UUID | None = None
    actor_id: UUID | None = None


class WorkspaceHead(NamedTuple):
    """How far a workspace's log goes, and which version of its rights holds there."""

    head: int
    rights_version: int


class LogRange(NamedTuple):
    """Up to ``limit`` events of a workspace after the seq ``after``."""

    workspace_id: int
    after: int
    limit: int


class ConversationRange(NamedTuple):
    """Up to ``limit`` events a conversation's visitor may see after the ``conversation_seq`` ``after``."""

    workspace_id: int
    conversation_id: UUID
    after: int
    limit: int


class VisibleHead(NamedTuple):
    """Asks for the newest seq at or before ``at`` that members of these inboxes may see."""

    workspace_id: int
    at: int
    inboxes: frozenset[UUID]


class PassingEvent(msgspec.Struct, frozen=True, kw_only=True):
    """
    What whoever runs the installation may see of an event.

    Attributes:
        appended_at: When it got its number.
        actor_id: The member or contact who did it, if any.
        channel: Of its conversation, if it has one.
        author_kind: Who wrote the message it is about: ``contact``, ``member``, ``ai``, ``system``.
        status: Of the message or the conversation afterwards, where the event says so.
    """

    workspace_id: int
    seq: int
    type: str
    appended_at: datetime
    conversation_id: UUID | None = None
    actor_id: UUID | None = None
    channel: str | None = None
    author_kind: str | None = None
    status: str | None = None
