"""
Audiences: the connections allowed the same events, and what each of them sees of one event. No IO.

``prev`` is the seq before an event that the same audience may see: a function of the log and the audience, never of
what a process happened to send. An event is encoded once an audience.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol
from uuid import UUID

from hub.realtime.few import each_of, with_one, without_one
from hub.realtime.protocol import encode_event

if TYPE_CHECKING:
    from hub.events.model import LoggedEvent
    from hub.realtime.connections import Connection
    from hub.realtime.few import Few
    from hub.realtime.ports import Grant


class MoveViews(Protocol):
    """How a conversation's move between inboxes looks to those who see only one of them."""

    def removal(self, event: LoggedEvent) -> bytes:
        """Return the JSON object for those who lose it."""
        ...

    def arrival(self, event: LoggedEvent) -> bytes:
        """Return the JSON object for those who gain it."""
        ...


class AudienceKey(NamedTuple):
    """Who sees the same: a workspace, its visible inboxes (None: all), and the version of the rights that said so."""

    workspace_id: int
    inboxes: frozenset[UUID] | None
    rights_version: int


class Audience:
    """
    The live connections of one key.

    Attributes:
        head: Newest seq at or before the feed's that they may see.
        connections: Live ones, each of which has every visible event up to ``head``.
        idle_since_s: Since when it is empty; None while it is not.
    """

    __slots__ = ("connections", "head", "idle_since_s", "inboxes", "key")

    def __init__(self, key: AudienceKey, head: int) -> None:
        self.key = key
        self.inboxes = key.inboxes
        self.head = head
        self.connections: dict[Connection, None] = {}
        self.idle_since_s: float | None = None

    def advance(self, event: LoggedEvent, moves: MoveViews) -> bytes | None:
        """Take the feed's next event: move ``head`` and return the frame for every connection, if it is visible."""
        payload = payload_for(self.inboxes, event, moves)
        if payload is None:
            return None
        frame = encode_event(event.seq, self.head, payload)
        self.head = event.seq
        return frame


class VisitorStream:
    """
    The connections of one conversation's visitor, numbered by ``conversation_seq``.

    Attributes:
        key: The conversation's id as a number, half the size of a UUID object; ``Feed`` keeps streams by it.
        head: Newest ``conversation_seq`` seen in the feed or read from the log.
        opening: Connections reading up to ``head``: the stream must not be forgotten under them.
    """

    __slots__ = ("_few", "head", "key", "opening")

    def __init__(self, key: int) -> None:
        self.key = key
        self.head = 0
        self.opening = 0
        self._few: Few = None

    @property
    def conversation_id(self) -> UUID:
        """The conversation."""
        return UUID(int=self.key)

    @property
    def connections(self) -> list[Connection]:
        """Live connections, in a list of the caller's own."""
        return each_of(self._few)

    @property
    def is_unused(self) -> bool:
        """Whether nobody hears it, nor is about to."""
        return self._few is None and not self.opening

    def add(self, connection: Connection) -> None:
        """Let a connection hear it."""
        self._few = with_one(self._few, connection)

    def drop(self, connection: Connection) -> None:
        """Let a connection hear it no more."""
        self._few = without_one(self._few, connection)


def audience_key(grant: Grant) -> AudienceKey:
    """Name the audience of a member's grant."""
    return AudienceKey(grant.workspace_id, grant.visible_inboxes, grant.rights_version)


def is_visible(inboxes: frozenset[UUID] | None, event: LoggedEvent) -> bool:
    """Say whether members with these inboxes are told of an event, be it as a removal."""
    return (
        inboxes is None
        or event.inbox_id is None
        or event.inbox_id in inboxes
        or (event.former_inbox_id is not None and event.former_inbox_id in inboxes)
    )


def payload_for(inboxes: frozenset[UUID] | None, event: LoggedEvent, moves: MoveViews) -> bytes | None:
    """
    Choose what members with these inboxes are told of an event.

    Args:
        inboxes: What they may see; None means every inbox.
        event: Any event of the workspace.
        moves: Makes the JSON for those who lose or gain a conversation.

    Returns:
        The event's own JSON, a removal or an arrival where it left or entered their inboxes, or None.
    """
    if inboxes is None or event.inbox_id is None:
        return event.data
    if event.former_inbox_id is None:
        return event.data if event.inbox_id in inboxes else None
    if event.inbox_id in inboxes:
        return event.data if event.former_inbox_id in inboxes else moves.arrival(event)
    return moves.removal(event) if event.former_inbox_id in inboxes else None
