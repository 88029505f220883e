"""
Connections: every one of this process, and the one place that writes to sockets.

``write`` is synchronous and only queues; what one loop turn owes a socket leaves as one transport write. A socket that
does not read loses its queue and gets one ``gap``. No task, timer or await per socket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.log import get_logger
from hub.realtime.connection import BUFFER_BYTES, BUFFER_FRAMES, Connection, SharedSink, Sink
from hub.realtime.counters import Counters
from hub.realtime.owed import Owed
from hub.realtime.protocol import Bye, CloseCode, Gap, encode
from hub.realtime.session import Phase
from hub.realtime.turns import Turns
from hub.tracing import NO_TRACER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hub.realtime.connection import Work
    from hub.realtime.ports import Grant
    from hub.realtime.wheel import Wheel
    from hub.tracing import Attributes, Tracer

__all__ = ["BUFFER_BYTES", "BUFFER_FRAMES", "Connection", "Connections", "Counters", "SharedSink", "Sink", "Work"]

HELLO_WITHIN_S = 5.0
UNWRITABLE_S = 15.0
# Sockets written to in one loop turn: about 6 ms at 6 microseconds each.
FLUSH_PER_TURN = 1_000

# RFC 6455 section 5.5.2: a ping without a payload. Browsers answer it by themselves.
PING_FRAME = b"\x89\x00"
_SLOW = encode(Gap("slow"))
_log = get_logger("realtime")


class Connections:
    """
    Every connection of this process, and the flush at the end of each loop turn.

    Attributes:
        shared_sink: The one that most connections have, if there is one such.
    """

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
        self._is_woken = False
        self._is_held = False
        self._last_number = 0
        self._second = 0.0
        self._unwritable = _Unwritable(self, wheel)
        self.shared_sink: SharedSink | None = None
        self.counters = counters
        self.name = clock.new_token(16)
        self.shared_grants: dict[Grant, Grant] = {}
        self.all = _Everybody(wheel)
        self.dirty = Turns(self._schedule)

    def next_number(self) -> int:
        """Return a number that no other connection of this process has, or had."""
        self._last_number += 1
        return self._last_number

    def second(self, now_s: float) -> float:
        """Return the whole second of a moment; within it always the same object."""
        whole_s = now_s // 1.0
        if whole_s != self._second:
            self._second = whole_s
        return self._second

    def add(self, connection: Connection) -> None:
        """Take a new connection in; it has five seconds for its hello."""
        self.all.count += 1
        self.counters.connections[connection.kind] += 1
        self.look_again(connection, connection.heard_at_s + HELLO_WITHIN_S)

    def rename(self, connection: Connection, kind: str) -> None:
        """Count a connection that has just been given its grant as that kind; so far it was an opening one."""
        assert connection.kind == kind
        self.counters.connections["opening"] -= 1
        self.counters.connections[kind] += 1

    def look_again(self, connection: Connection, at_s: float) -> None:
        """Have a connection checked at a moment; it must not be on the wheel."""
        connection.slot = self._wheel.schedule(connection, at_s)

    def pause(self, connection: Connection, now_s: float) -> None:
        """Note that the socket's buffer is full: what comes now waits in the bounded queue."""
        if connection.unwritable_since_s is None and not connection.closed:
            connection.unwritable_since_s = now_s
            self._unwritable.add(connection, now_s)

    def resume(self, connection: Connection) -> None:
        """Note that the socket takes bytes again."""
        if connection.unwritable_since_s is not None:
            connection.unwritable_since_s = None
            self._unwritable.drop(connection)
        if connection.closed:
            return
        if connection.queue is not None:
            self.dirty.line(connection.workspace_id).append(connection)
        elif connection.rare is not None:
            # The write that filled the socket was the queue's last: no other will tell a catch-up to go on.
            _release(connection)

    def ping(self, connection: Connection) -> None:
        """Ask a silent client for a sign of life; one that takes no bytes is not asked."""
        if connection.unwritable_since_s is None and (connection.queue is None or self._write_out(connection)):
            self.counters.pings += 1
            try:
                connection.sink.write(connection, PING_FRAME)
            except Exception as error:  # loop: see ``flush``
                self._give_up(connection, error)

    def close(self, connection: Connection, code: int, reason: str, *, retry_after_s: float | None = None) -> None:
        """Say bye, send what still fits, and close the socket."""
        if connection.closed:
            return
        if connection.unwritable_since_s is None:
            connection.queue = Owed(connection.queue, encode(Bye(int(code), reason, retry_after_s)))
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
        connection.phase = Phase.CLOSED
        connection.queue = None
        self.all.count -= 1
        self._wheel.cancel(connection, connection.slot)
        self._unwritable.drop(connection)
        self.counters.connections[connection.kind] -= 1
        _release(connection)
        self._on_lost(connection)

    def relieve(self, connection: Connection) -> bool:
        """A queue is full: write it out where the socket takes bytes, else drop it and say so once."""
        if connection.unwritable_since_s is None:
            return self._write_out(connection)
        # The gap frame itself may be among what is dropped now: it is not counted twice.
        is_told = connection.queue is not None and connection.queue.begins_with(_SLOW)
        connection.queue = Owed(None, _SLOW)
        if not is_told:
            self.counters.gaps["slow"] += 1
            connection.lose("slow", connection.position)
        return False

    def write_to_all(self, connections: list[Connection], frame: bytes, workspace_id: int) -> list[Connection]:
        """
        Queue one frame for many connections of a workspace.

        Args:
            connections: A list of the caller's own: connections may be lost meanwhile.
            frame: One WebSocket frame.
            workspace_id: Theirs; each workspace waits in its own line for its turn.

        Returns:
            Those that will not be sent it (see ``Connection.write``).
        """
        refused: list[Connection] = []
        # Measured: a call of ``write`` for each costs 0.3 microseconds, this loop 0.04. Who is owed nothing gets
        # ``alone``; who was owed the same as the one before gets the same again.
        alone = Owed(None, frame)
        before: Owed | None = None
        after = alone
        append = self.dirty.line(workspace_id).append
        for connection in connections:
            queue = connection.queue
            if queue is None:
                if connection.closed:
                    refused.append(connection)
                    continue
                connection.queue = alone
                append(connection)
            elif queue is before:
                connection.queue = after
            elif queue.frames + 1 < BUFFER_FRAMES and queue.size_bytes + len(frame) < BUFFER_BYTES:
                before = queue
                connection.queue = after = Owed(queue, frame)
            elif not connection.write(frame):
                refused.append(connection)
        return refused

    def hold(self) -> None:
        """
        Begin to queue what is written at once by ``let_go``.

        A loop turn more costs each message 10 microseconds. Where a flush is due already nothing is held: what is
        queued now leaves with what waits for it.
        """
        self._is_held = not self._is_woken

    def let_go(self) -> None:
        """Write what was queued since ``hold``, as much as one turn is for."""
        if self._is_held:
            self._is_held = False
            if self._is_woken:
                self.flush()

    def flush(self) -> None:
        """Write what this turn owes to at most ``FLUSH_PER_TURN`` sockets; the rest follows in the next turn."""
        self._is_woken = False
        left = FLUSH_PER_TURN
        while self.dirty and left > 0:
            some = self.dirty.take(left)
            left -= len(some)
            self._write_out_all(some)
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
        if not self._is_woken:
            self._is_woken = True
            if not self._is_held:
                self._call_soon(self.flush)

    def _write_out(self, connection: Connection) -> bool:
        """Write the queue to the socket; returns whether the connection is still there."""
        self._write_out_all([connection])
        return not connection.closed

    def _write_out_all(self, connections: list[Connection]) -> None:
        # The hot loop: 0.1 microseconds a socket around the sink's own write. Who is owed the same as the one before
        # and has the same sink is written to with them; counters are added up once.
        shared = self.shared_sink
        owed: Owed | None = None
        together: list[Connection] = []
        for connection in connections:
            queue = connection.queue
            if queue is None or connection.unwritable_since_s is not None:
                continue
            is_shared = connection.sink is shared and connection.rare is None
            if owed is not None and (queue is not owed or not is_shared):
                self._write_together(together, owed)
                together, owed = [], None
            if is_shared:
                owed, connection.queue = queue, None
                together.append(connection)
            else:
                self._write_alone(connection, queue)
        if owed is not None:
            self._write_together(together, owed)

    def _write_together(self, connections: list[Connection], owed: Owed) -> None:
        assert self.shared_sink is not None
        data = owed.data if owed.data is not None else owed.join()
        self.counters.frames_out += owed.frames * len(connections)
        self.counters.bytes_out += owed.size_bytes * len(connections)
        for connection, error in self.shared_sink.write_all(connections, data):
            self._give_up(connection, error)

    def _write_alone(self, connection: Connection, owed: Owed) -> None:
        connection.queue = None
        data = owed.data if owed.data is not None else owed.join()
        self.counters.frames_out += owed.frames
        self.counters.bytes_out += owed.size_bytes
        try:
            connection.sink.write(connection, data)
        except Exception as error:  # loop: whatever a dead transport raises costs this socket, never its neighbours
            self._give_up(connection, error)
        if connection.rare is not None and connection.unwritable_since_s is None:
            _release(connection)

    def _give_up(self, connection: Connection, error: Exception) -> None:
        _log.info("write_failed", connection=connection.id, error=type(error).__name__)
        self.counters.closes[0] += 1
        self.forget(connection)
        connection.sink.close(connection, int(CloseCode.INTERNAL), "")


class _Everybody:
    """Every connection: each is on the wheel exactly once, so that a set of their own would be 50 bytes for nothing."""

    __slots__ = ("_wheel", "count")

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Connection]:
        return (one for one in self._wheel if isinstance(one, Connection))


class _Unwritable:
    """Connections whose sockets take no bytes, in the order that began; on the wheel while there are some."""

    __slots__ = ("_connections", "_is_entered", "_owner", "_wheel")

    def __init__(self, owner: Connections, wheel: Wheel) -> None:
        self._owner = owner
        self._wheel = wheel
        self._connections: dict[Connection, float] = {}
        self._is_entered = False

    def add(self, connection: Connection, now_s: float) -> None:
        self._connections[connection] = now_s
        if not self._is_entered:
            self._is_entered = True
            self._wheel.schedule(self, now_s + 1.0)

    def drop(self, connection: Connection) -> None:
        if self._connections:
            self._connections.pop(connection, None)

    def check(self, now_s: float) -> float | None:
        """Close those for whom it has lasted too long."""
        late: list[Connection] = []
        for connection, since_s in self._connections.items():
            if now_s - since_s < UNWRITABLE_S:
                break
            late.append(connection)
        for connection in late:
            self._owner.close(connection, CloseCode.TOO_SLOW, "too slow")
        self._is_entered = bool(self._connections)
        return now_s + 1.0 if self._connections else None


def _release(connection: Connection) -> None:
    """Wake a catch-up that waits for the socket."""
    waiter, connection.drained = connection.drained, None
    if waiter is not None and not waiter.done():
        waiter.set_result(None)
