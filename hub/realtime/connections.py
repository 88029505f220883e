"""
Connections: what each socket is owed, and the one place that writes to sockets.

``write`` is synchronous and only queues; what one loop turn owes a socket leaves as one transport write. A socket that
does not read loses its queue and gets one ``gap``. No task, timer or await per socket.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Protocol

from hub import clock
from hub.log import get_logger
from hub.metrics import Distribution
from hub.realtime.protocol import Bye, CloseCode, Gap, HubFrame, TypingShown, encode
from hub.realtime.session import Phase, Session
from hub.tracing import NO_TRACER

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from uuid import UUID

    from hub.events.model import LoggedEvent
    from hub.realtime.audience import Audience, VisitorStream
    from hub.realtime.ports import Grant, Handshake
    from hub.realtime.protocol import Cursor, Read, Send, Typing, Viewing
    from hub.realtime.wheel import Wheel
    from hub.tracing import Attributes, Tracer

    Work = Send | Read | Typing | Viewing

BUFFER_FRAMES = 256
BUFFER_BYTES = 1024 * 1024
HELLO_WITHIN_S = 5.0
SILENT_S = 60.0
UNWRITABLE_S = 15.0
# Sockets written to in one loop turn: about 12 ms at 6 microseconds each.
FLUSH_PER_TURN = 2_000

_SLOW = encode(Gap("slow"))
_log = get_logger("realtime")


class Sink(Protocol):
    """What is under connections: one for each socket, or one for all of a kind; ``api/ws.py`` has one, tests record."""

    def write(self, connection: Connection, data: bytes) -> None:
        """Hand over whole WebSocket frames; may raise, which costs only this connection."""
        ...

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """Send a close frame and end the socket; must not raise."""
        ...


class Counters:
    """What /metrics reads; plain numbers, never reset."""

    __slots__ = (
        "bytes_out",
        "closes",
        "connections",
        "events_applied",
        "fanout_seconds",
        "frames_in",
        "frames_out",
        "gaps",
        "heals",
        "holes",
        "refused",
        "resumes",
        "unwritten",
    )

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter()  # by kind: opening, member, visitor
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_out = 0
        self.gaps: Counter[str] = Counter()  # by reason
        self.closes: Counter[int] = Counter()  # by code; 0 where the client went
        self.resumes: Counter[str] = Counter()  # recovered, snapshot
        self.refused: Counter[str] = Counter()  # by error code
        self.heals = 0
        self.holes = 0
        self.events_applied = 0
        # From an event's number to its last frame in the sockets' buffers, where this process has any for it.
        self.fanout_seconds = Distribution()
        # Events with frames queued in this turn, and when they were; noted once the flush has written them.
        self.unwritten: list[tuple[LoggedEvent, int]] = []


class Connection:
    """One socket and its session. Only ``Connections`` and the rooms of ``hub/realtime`` touch its fields."""

    __slots__ = (
        "__weakref__",
        "audience",
        "check_at_s",
        "closed",
        "drained",
        "fd",
        "grant",
        "handshake",
        "heard_at_s",
        "id",
        "inbox",
        "kind",
        "opened_at_s",
        "opener",
        "owner",
        "position",
        "queue",
        "queued_bytes",
        "resume_cursor",
        "session",
        "sink",
        "stream",
        "ticket_at_s",
        "typing",
        "unwritable_since_s",
        "viewing",
        "worker",
    )

    def __init__(self, owner: Connections, sink: Sink, handshake: Handshake, connection_id: str, now_s: float) -> None:
        self.owner = owner
        self.sink = sink
        # The descriptor, where the sink serves many sockets; -1 where the sink is the socket.
        self.fd = -1
        self.handshake: Handshake = handshake
        self.id = connection_id
        self.session = Session(now_s)
        self.kind = "opening"
        self.grant: Grant | None = None
        self.audience: Audience | None = None
        self.stream: VisitorStream | None = None
        # Newest seq (visitors: conversation_seq) that was queued for this socket.
        self.position = 0
        self.queue: list[bytes] = []
        self.queued_bytes = 0
        self.closed = False
        self.opened_at_s = now_s
        self.heard_at_s = now_s
        # The wheel entry that counts; others of this connection are stale.
        self.check_at_s = now_s + HELLO_WITHIN_S
        self.unwritable_since_s: float | None = None
        self.ticket_at_s = now_s
        self.drained: asyncio.Future[None] | None = None
        self.opener: asyncio.Task[None] | None = None
        self.worker: asyncio.Task[None] | None = None
        self.inbox: deque[Work] | None = None
        self.resume_cursor: Cursor | None = None
        self.typing: tuple[TypingShown, float] | None = None
        self.viewing: UUID | None = None

    def write(self, frame: bytes) -> bool:
        """
        Queue one WebSocket frame.

        Returns:
            False when the frame will not be sent: the connection is closed, or reads too slowly (it was told so).
        """
        queue = self.queue
        if not queue:
            if self.closed:
                return False
            self.owner.dirty.append(self)
        queue.append(frame)
        self.queued_bytes += len(frame)
        if len(queue) >= BUFFER_FRAMES or self.queued_bytes >= BUFFER_BYTES:
            return self.owner.relieve(self)
        return True

    def send(self, frame: HubFrame) -> bool:
        """Encode and queue one frame of ours."""
        return self.write(encode(frame))

    def check(self, now_s: float) -> float | None:
        """Close a connection that is late, silent or unwritable; returns the next moment one of these can be due."""
        if self.closed or now_s < self.check_at_s:
            return None
        again_s = self._close_if_due(now_s)
        if again_s is not None:
            self.check_at_s = again_s
        return again_s

    def _close_if_due(self, now_s: float) -> float | None:
        if self.session.phase is Phase.HELLO:
            if now_s - self.opened_at_s >= HELLO_WITHIN_S:
                self.owner.close(self, CloseCode.HELLO_LATE, "hello did not come in time")
                return None
            return self.opened_at_s + HELLO_WITHIN_S
        if now_s - self.heard_at_s >= SILENT_S:
            self.owner.close(self, CloseCode.IDLE, "idle")
            return None
        if self.unwritable_since_s is not None:
            if now_s - self.unwritable_since_s >= UNWRITABLE_S:
                self.owner.close(self, CloseCode.TOO_SLOW, "too slow")
                return None
            return min(self.unwritable_since_s + UNWRITABLE_S, self.heard_at_s + SILENT_S)
        return self.heard_at_s + SILENT_S


class Connections:
    """Every connection of this process, and the flush at the end of each loop turn."""

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        wheel: Wheel,
        counters: Counters,
        on_lost: Callable[[Connection], None],
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._call_soon = call_soon
        self._wheel = wheel
        self._on_lost = on_lost
        self._tracer = tracer
        self._flushing = False
        self.counters = counters
        self.all: dict[Connection, None] = {}
        self.dirty: _Dirty = _Dirty(self._schedule)

    def add(self, connection: Connection) -> None:
        """Take a new connection in; it has five seconds for its hello."""
        self.all[connection] = None
        self.counters.connections[connection.kind] += 1
        self._wheel.schedule(connection, connection.check_at_s)

    def rename(self, connection: Connection, kind: str) -> None:
        """Count a connection as another kind."""
        self.counters.connections[connection.kind] -= 1
        self.counters.connections[kind] += 1
        connection.kind = kind

    def pause(self, connection: Connection, now_s: float) -> None:
        """Note that the socket's buffer is full: what comes now waits in the bounded queue."""
        if connection.unwritable_since_s is None:
            connection.unwritable_since_s = now_s
            if now_s + UNWRITABLE_S < connection.check_at_s:
                connection.check_at_s = now_s + UNWRITABLE_S
                self._wheel.schedule(connection, connection.check_at_s)

    def resume(self, connection: Connection) -> None:
        """Note that the socket takes bytes again."""
        connection.unwritable_since_s = None
        if connection.closed:
            return
        if connection.queue:
            self.dirty.append(connection)
        else:
            # The write that filled the socket was the queue's last: no other will tell a catch-up to go on.
            _release(connection)

    def close(self, connection: Connection, code: int, reason: str, *, retry_after_s: float | None = None) -> None:
        """Say bye, send what still fits, and close the socket."""
        if connection.closed:
            return
        if connection.unwritable_since_s is None:
            connection.queue.append(encode(Bye(int(code), reason, retry_after_s)))
            if not self._write_out(connection):
                return
        self.counters.closes[int(code)] += 1
        self.forget(connection)
        connection.sink.close(connection, int(code), reason)

    def forget(self, connection: Connection) -> None:
        """Drop a connection whose socket is gone or going; safe to call twice."""
        if connection.closed:
            return
        connection.closed = True
        connection.session.phase = Phase.CLOSED
        connection.queue.clear()
        connection.queued_bytes = 0
        self.all.pop(connection, None)
        self.counters.connections[connection.kind] -= 1
        _release(connection)
        self._on_lost(connection)

    def relieve(self, connection: Connection) -> bool:
        """A queue is full: write it out where the socket takes bytes, else drop it and say so once."""
        if connection.unwritable_since_s is None:
            return self._write_out(connection)
        # The gap frame itself may be among what is dropped now: it is not counted twice.
        is_told = bool(connection.queue) and connection.queue[0] is _SLOW
        connection.queue.clear()
        connection.queue.append(_SLOW)
        connection.queued_bytes = len(_SLOW)
        if not is_told:
            self.counters.gaps["slow"] += 1
            connection.session.lose("slow", connection.position)
        return False

    def flush(self) -> None:
        """Write what this turn owes to at most ``FLUSH_PER_TURN`` sockets; the rest follows in the next turn."""
        self._flushing = False
        for connection in self.dirty.take(FLUSH_PER_TURN):
            if connection.queue and connection.unwritable_since_s is None:
                self._write_out(connection)
        if self.dirty:
            self._schedule()
        elif self.counters.unwritten:
            self._note_written()

    def _note_written(self) -> None:
        """Everything queued so far is in the sockets' buffers."""
        written, self.counters.unwritten = self.counters.unwritten, []
        now_ms = clock.now_ms()
        for event, queued_at_ms in written:
            self.counters.fanout_seconds.observe((now_ms - event.appended_at_ms) / 1000)
            if event.trace:
                attributes: Attributes = {"hub.workspace_id": event.workspace_id, "hub.event": event.type}
                began_ns = queued_at_ms * 1_000_000
                self._tracer.record("socket.write", parent=event.trace, began_ns=began_ns, attributes=attributes)

    def _schedule(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._call_soon(self.flush)

    def _write_out(self, connection: Connection) -> bool:
        """Write the queue to the socket; returns whether the connection is still there."""
        queue = connection.queue
        data = queue[0] if len(queue) == 1 else b"".join(queue)
        self.counters.frames_out += len(queue)
        self.counters.bytes_out += len(data)
        queue.clear()
        connection.queued_bytes = 0
        try:
            connection.sink.write(connection, data)
        except Exception as error:  # loop: whatever a dead transport raises costs this socket, never its neighbours
            _log.info("write_failed", connection=connection.id, error=type(error).__name__)
            self.counters.closes[0] += 1
            self.forget(connection)
            connection.sink.close(connection, int(CloseCode.INTERNAL), "")
            return False
        if connection.drained is not None and connection.unwritable_since_s is None:
            _release(connection)
        return True


class _Dirty:
    """Connections with something queued, oldest first; wakes the flush when the first one comes."""

    __slots__ = ("_connections", "_wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._connections: list[Connection] = []
        self._wake = wake

    def __bool__(self) -> bool:
        return bool(self._connections)

    def append(self, connection: Connection) -> None:
        if not self._connections:
            self._wake()
        self._connections.append(connection)

    def take(self, limit: int) -> list[Connection]:
        taken = self._connections[:limit]
        self._connections = self._connections[limit:]
        return taken


def _release(connection: Connection) -> None:
    """Wake a catch-up that waits for the socket."""
    waiter, connection.drained = connection.drained, None
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
