"""Passes each applied event on to the audiences and visitors of its workspace, and keeps who listens to what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from hub import clock
from hub.log import get_logger
from hub.realtime.audience import Audience, audience_key
from hub.realtime.protocol import GapReason, encode, encode_event
from hub.realtime.roster import Roster
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from hub.events.model import LoggedEvent
    from hub.realtime.audience import VisitorStream
    from hub.realtime.connections import Connection, Counters
    from hub.realtime.feed import Feed
    from hub.realtime.ports import Ports

# Clients ignore types they do not know; the event keeps its place in the sequence.
_UNSHOWABLE = b'{"type":"unshowable"}'

# Frames of one event queued before other workspaces have their turn: half a millisecond.
SLICE = 10_000

_log = get_logger("realtime")


class Unfinished:
    """
    An event on its way to its listeners.

    Attributes:
        event: The newest one its feed has applied; the next one waits for the end of this one.
        parts: For each audience that sees it the frame, and those it is not queued for yet.
        is_begun: Some turns have passed since the listeners were noted.
    """

    __slots__ = ("event", "is_begun", "parts")

    def __init__(self, event: LoggedEvent) -> None:
        self.event = event
        self.parts: list[tuple[bytes, list[Connection]]] = []
        self.is_begun = False

    def add(self, frame: bytes, listeners: list[Connection]) -> None:
        """Note what some listeners are to be told."""
        self.parts.append((frame, listeners))

    def take(self, limit: int) -> tuple[bytes, list[Connection]]:
        """Take the next listeners, at most ``limit``, and what they are told."""
        frame, listeners = self.parts[-1]
        if len(listeners) <= limit:
            self.parts.pop()
            return frame, listeners
        some = listeners[-limit:]
        del listeners[-limit:]
        return frame, some


class Fanout:
    """
    Delivery, and who is here.

    Attributes:
        by_workspace: Connections with a grant, by workspace and by subject.
    """

    def __init__(self, ports: Ports, counters: Counters, on_applied: Callable[[LoggedEvent], None]) -> None:
        self._ports = ports
        self._counters = counters
        self._on_applied = on_applied
        self.by_workspace = Roster()

    def bind(self, connection: Connection) -> None:
        """Index a connection that now has a grant."""
        grant = connection.grant
        if grant is not None:
            self.by_workspace.add(connection, grant)

    def unbind(self, connection: Connection) -> None:
        """Forget a connection altogether."""
        self.leave(connection)
        grant = connection.grant
        if grant is not None:
            self.by_workspace.remove(connection, grant)

    def join(self, connection: Connection, audience: Audience) -> None:
        """Make a member's connection live: it has everything up to the audience's head."""
        audience.connections[connection] = None
        audience.idle_since_s = None
        connection.audience = audience
        connection.phase = Phase.LIVE

    def join_stream(self, connection: Connection, stream: VisitorStream) -> None:
        """Make a visitor's connection live."""
        stream.add(connection)
        connection.stream = stream
        connection.phase = Phase.LIVE

    def leave(self, connection: Connection) -> None:
        """Stop passing events on to a connection; its grant stays."""
        if connection.audience is not None:
            connection.audience.connections.pop(connection, None)
            connection.audience = None
        if connection.stream is not None:
            connection.stream.drop(connection)
            connection.stream = None

    def lose(self, connections: Iterable[Connection], reason: GapReason, head: int) -> None:
        """Tell connections, once each, that events will not reach them until they say hello again."""
        for connection in list(connections):
            self.leave(connection)
            gap = connection.lose(reason, head)
            if gap is not None:
                self._counters.gaps[reason] += 1
                connection.write(encode(gap))

    def deliver(self, feed: Feed, event: LoggedEvent) -> int:
        """
        Pass the feed's next event on, to so many that it is ``feed.unfinished`` afterwards: then ``go_on``.

        Returns:
            How many frames were queued.
        """
        unfinished = Unfinished(event)
        for audience in feed.audiences.values():
            frame = audience.advance(event, self)
            if frame is not None and audience.connections:
                unfinished.add(frame, list(audience.connections))
        written = 0
        if event.conversation_seq is not None and event.conversation_id is not None:
            stream = feed.stream(event.conversation_id)
            if stream is not None:
                written = self._deliver_to_visitors(stream, event, event.conversation_seq)
        if unfinished.parts:
            feed.unfinished = unfinished
            written += self.go_on(feed)
        elif written:
            self._note_queued(event)
        self._on_applied(event)
        return written

    def go_on(self, feed: Feed) -> int:
        """Pass the feed's unfinished event on to more of its listeners; returns how many frames were queued."""
        unfinished = feed.unfinished
        if unfinished is None:
            return 0
        written = 0
        while unfinished.parts and written < SLICE:
            frame, some = unfinished.take(SLICE - written)
            if unfinished.is_begun:
                # Who has left since then is told otherwise, who has come has it already: it was in the log.
                seq = unfinished.event.seq
                some = [one for one in some if one.audience is not None and one.position < seq]
            written += len(some)
            if some:
                for connection in some[0].owner.write_to_all(some, frame, feed.workspace_id):
                    self.leave(connection)
        unfinished.is_begun = True
        if not unfinished.parts:
            feed.unfinished = None
            self._note_queued(unfinished.event)
        return written

    def _note_queued(self, event: LoggedEvent) -> None:
        if event.appended_at_ms:
            self._counters.unwritten.append((event, clock.now_ms()))

    def removal(self, event: LoggedEvent) -> bytes:
        """Return what those who lose a conversation are told; never raises."""
        return self._shown(self._ports.removal, event)

    def arrival(self, event: LoggedEvent) -> bytes:
        """Return what those who gain a conversation are told; never raises."""
        return self._shown(self._ports.arrival, event)

    def visitor_frame(self, event: LoggedEvent, seq: int) -> bytes:
        """Encode an event for visitors, whose ``prev`` is always ``seq - 1``; never raises."""
        return encode_event(seq, seq - 1, self._shown(self._ports.visitor_view, event))

    def _shown(self, view: Callable[[LoggedEvent], bytes | None], event: LoggedEvent) -> bytes:
        try:
            shown = view(event)
        except Exception:  # loop: a bug above must neither stop the workspace nor break the chain of prev
            _log.exception("event_unshowable", workspace_id=event.workspace_id, seq=event.seq)
            shown = None
        return _UNSHOWABLE if shown is None else shown

    def move(self, connection: Connection, feed: Feed) -> None:
        """Put a live member under the key of their new grant; only when they see the same inboxes as before."""
        old, grant = connection.audience, connection.grant
        if old is None or grant is None:
            return
        key = audience_key(grant)
        audience = feed.audiences.get(key)
        if audience is None:
            audience = feed.audiences[key] = Audience(key, old.head)
        old.connections.pop(connection, None)
        self.join(connection, audience)

    def _deliver_to_visitors(self, stream: VisitorStream, event: LoggedEvent, seq: int) -> int:
        stream.head = max(stream.head, seq)
        behind = [connection for connection in stream.connections if connection.position < seq]
        if not behind:
            return 0
        frame = self.visitor_frame(event, seq)
        for connection in behind:
            if connection.position + 1 < seq:
                self.lose([connection], "lost", seq)
            elif connection.write(frame):
                connection.position = seq
            else:
                self.leave(connection)
        return len(behind)
