"""
The broker's contract: hints of committed events and fleeting signals, from any process to those that want them.

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
# Events of these types (prefixes) reach every listener, whatever workspaces it wants: each process that takes webhooks
# keeps the accounts of all of them.
TOLD_TO_ALL = ("channel_account_", "demo_removed")
# A workspace nobody wants any more is heard of for this long: whoever reloads a page finds the subscription standing.
LINGER_S = 30.0


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

    async def start(self, listener: Listener | None = None, *, hears_all: bool = False) -> None:
        """
        Begin to publish, and to listen where there is a listener; returns even when the wire is down.

        Args:
            listener: Told of the workspaces it wants, and of ``TOLD_TO_ALL``.
            hears_all: Told of every workspace instead.
        """
        ...

    async def want(self, workspace_id: int) -> None:
        """
        Hear of a workspace: what is published after this returned is not missed.

        Counted: each call is taken back by one ``release``. Returns soon even when the wire is down; ``on_gap`` follows
        once it is back.
        """
        ...

    def release(self, workspace_id: int) -> None:
        """Take one ``want`` back; hints go on for ``LINGER_S``."""
        ...

    async def stop(self) -> None:
        """Send what is queued, if that takes no longer than a second, and end."""
        ...

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """Hint committed events to whoever wants them, and to this process's listener; never blocks, never raises."""
        ...

    def publish_signal(self, workspace_id: int, data: bytes) -> None:
        """Pass a signal to whoever wants it, and to this process's listener; never blocks, never raises."""
        ...


class TypingSignal(msgspec.Struct, frozen=True, tag_field="t", tag="typing"):
    """Somebody types; ``member_id`` None is the contact."""

    conversation_id: UUID
    inbox_id: UUID
    member_id: UUID | None
    on: bool
    kind: MessageKind


class PresenceSignal(msgspec.Struct, frozen=True, tag_field="t", tag="present"):
    """
    What a worker left in the store is another: look again.

    Attributes:
        holder: The worker, which knows already.
        members: Whether it is about who is online.
        conversation_ids: Conversations that came on or went from a screen.
    """

    holder: str
    members: bool
    conversation_ids: tuple[UUID, ...]


class RightsSignal(msgspec.Struct, frozen=True, tag_field="t", tag="rights"):
    """Somebody's rights or session changed: read the grants of this workspace again, now."""


class RevocationSignal(msgspec.Struct, frozen=True, tag_field="t", tag="revocation"):
    """Somebody's session ended: ask which, now."""


class VisitorSignal(msgspec.Struct, frozen=True, tag_field="t", tag="visitor"):
    """A visitor began a conversation: their other tabs hear it too."""

    subject_id: UUID
    conversation_id: UUID


class NoticeSignal(msgspec.Struct, frozen=True, tag_field="t", tag="notice"):
    """A member was told something, or marked what they were told (``notice_id`` None)."""

    member_id: UUID
    notice_id: UUID | None = None


Signal = TypingSignal | PresenceSignal | RightsSignal | RevocationSignal | VisitorSignal | NoticeSignal


class Signalled(msgspec.Struct, frozen=True):
    """A signal to be passed on once its transaction has committed."""

    workspace_id: int
    signal: Signal


def publish_signals(broker: Broker, committed: Sequence[msgspec.Struct]) -> None:
    """Pass on the signals among what a transaction handed on."""
    for one in committed:
        if isinstance(one, Signalled):
            broker.publish_signal(one.workspace_id, msgspec.json.encode(one.signal))
