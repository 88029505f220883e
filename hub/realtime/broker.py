"""
The broker's contract: hints of committed events and fleeting signals, from any process to every process with sockets.

A hint may be lost, doubled or late: the feed and healing answer for that. What a broker does promise is to say so
(``on_gap``) whenever it may have lost some. ``broker_memory.py`` and ``broker_redis.py`` are tested by one body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from hub.events.model import LoggedEvent
from hub.realtime.protocol import MessageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARDS = 16


class Listener(Protocol):
    """Called in the event loop, one call at a time; must neither block nor raise."""

    def on_events(self, events: Sequence[LoggedEvent]) -> None:
        """Take hints of events of any workspaces."""
        ...

    def on_signal(self, workspace_id: int, data: bytes) -> None:
        """Take a signal as ``publish_signal`` was given it."""
        ...

    def on_gap(self) -> None:
        """Note that hints may have been lost up to now (a reconnect, an overflow)."""
        ...


class Broker(Protocol):
    """One per process; processes without sockets only publish."""

    async def start(self, listener: Listener | None = None) -> None:
        """Begin to publish, and to listen where there is a listener; returns even when the wire is down."""
        ...

    async def stop(self) -> None:
        """Send what is queued, if that takes no longer than a second, and end."""
        ...

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Hint committed events to every listener, this process's included; never blocks, never raises."""
        ...

    def publish_signal(self, workspace_id: int, data: bytes) -> None:
        """Pass a signal to every listener, this process's included; never blocks, never raises."""
        ...


class TypingSignal(msgspec.Struct, frozen=True, tag_field="t", tag="typing"):
    """Somebody types; ``member_id`` None is the contact."""

    conversation_id: UUID
    inbox_id: UUID
    member_id: UUID | None
    on: bool
    kind: MessageKind


class ViewingSignal(msgspec.Struct, frozen=True, tag_field="t", tag="viewing"):
    conversation_id: UUID
    inbox_id: UUID
    member_ids: tuple[UUID, ...]


class PresenceSignal(msgspec.Struct, frozen=True, tag_field="t", tag="presence"):
    member_ids: tuple[UUID, ...]


class RightsSignal(msgspec.Struct, frozen=True, tag_field="t", tag="rights"):
    """Somebody's rights or session changed: read the grants of this workspace again, now."""


class RevocationSignal(msgspec.Struct, frozen=True, tag_field="t", tag="revocation"):
    """Somebody's session ended: ask which, now."""


class VisitorSignal(msgspec.Struct, frozen=True, tag_field="t", tag="visitor"):
    """A visitor began a conversation: their other tabs hear it too."""

    subject_id: UUID
    conversation_id: UUID


Signal = TypingSignal | ViewingSignal | PresenceSignal | RightsSignal | RevocationSignal | VisitorSignal
