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
    An event on its way to more listeners than one turn is for.

    Attributes:
        event: The newest one its feed has applied; the next one waits for the end of this one.
        parts: For each audience that sees it the frame, and those it is not queued for yet.
    """

    __slots__ = ("event", "parts")

    def __init__(self, event: LoggedEvent) -> None:
        self.event = event
        self.parts: list[tuple[bytes, list[Connection]]] = []

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
        written = 0
        seq = event.conversation_seq
        if seq is not None and event.conversation_id is not None:
            stream = feed.stream(event.conversation_id)
            if stream is not None:
                written = self._deliver_to_visitors(stream, event, seq)
        rest: Unfinished | None = None
        for audience in feed.audiences.values():
            frame = audience.advance(event, self)
            if frame is None or not audience.connections:
                continue
            # A copy: whoever turns out to be dead leaves the audience meanwhile.
            listeners = list(audience.connections)
            if written + len(listeners) <= SLICE:
                written += self._write(frame, listeners, feed.workspace_id)
            else:
                rest = rest or Unfinished(event)
                rest.parts.append((frame, listeners))
        feed.unfinished = rest
        if rest is None and written:
            self._note_queued(event)
        self._on_applied(event)
        return written

    def go_on(self, feed: Feed) -> int:
        """Pass the feed's unfinished event on to more of its listeners; returns how many frames were queued."""
        unfinished = feed.unfinished
        if unfinished is None:
            return 0
        written = 0
        seq = unfinished.event.seq
        while unfinished.parts and written < SLICE:
            frame, some = unfinished.take(SLICE - written)
            # Who has left since then was told otherwise; who has come since has it already, out of the log.
            some = [one for one in some if one.audience is not None and one.position < seq]
            written += self._write(frame, some, feed.workspace_id)
        if not unfinished.parts:
            feed.unfinished = None
            self._note_queued(unfinished.event)
        return written

    def _write(self, frame: bytes, listeners: list[Connection], workspace_id: int) -> int:
        if listeners:
            for connection in listeners[0].owner.write_to_all(listeners, frame, workspace_id):
                self.leave(connection)
        return len(listeners)

    def _note_queued(self, event: LoggedEvent) -> None:
        if event.appended_at_ms:
            self._counters.unwritten.append((event, clock.now_ms() if event.trace else 0))

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
