"""
The lane: sockets without transports. One ``Sink`` for all of them, one reader of the event loop, one set of readiness.

A socket at rest is a descriptor and its ``Connection``; only one that is half-read, half-written or closing owns more.
``api/ws.py`` brings sockets whose handshake is answered; what their frames mean is ``hub.py``'s.
"""

from __future__ import annotations

import asyncio
import os
from itertools import takewhile
from typing import TYPE_CHECKING, Final, TypeVarTuple

from hub import clock
from hub.log import get_logger
from hub.realtime.bare_socket import bound_send_buffer, end_sending
from hub.realtime.protocol import CloseCode
from hub.realtime.readiness import open_readiness
from hub.realtime.wire import Wire, close_frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hub.realtime.connections import Connection
    from hub.realtime.hub import RealtimeHub
    from hub.realtime.ports import Handshake
    from hub.realtime.readiness import Readiness, Ready

# Between two turns the loop serves HTTP and timers: so many sockets, or so much time, whichever is over first.
READY_PER_TURN: Final = 256
TURN_S: Final = 0.01
# One read a socket and turn. Tiny frames cost 5 microseconds each to read: this is 3 ms of them.
READ_BYTES: Final = 4 * 1024
# What may wait here behind a full socket. More than one write of ``Connections``, which then queues for itself.
TAIL_BYTES: Final = 2 * 1024 * 1024
# A peer that does not end the connection after our close frame is cut off after this.
PATIENCE_S: Final = 10.0

_Arguments = TypeVarTuple("_Arguments")
_log = get_logger("realtime")


class Lane:
    """
    See the module. Everything happens in the loop's thread.

    A descriptor's number is given out again as soon as it is closed, so it leaves every table before that; what is
    reported about it afterwards finds a socket with nothing to read, or none.
    """

    def __init__(
        self,
        hub: RealtimeHub,
        *,
        open_set: Callable[[], Readiness | None] = open_readiness,
        new_wire: Callable[[], Wire] = Wire,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._hub = hub
        self._open_set = open_set
        # Reads a socket's bytes, here and on the ordinary path.
        self.new_wire = new_wire
        # Measures a turn; deadlines are set by the hub's clock.
        self._monotonic_s = monotonic_s
        self._set: Readiness | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # By descriptor.
        self._connections: list[Connection | None] = []
        self._wires: dict[int, Wire] = {}
        self._tails: dict[int, memoryview] = {}
        # Until when; the dictionary's order is that of the deadlines.
        self._closing: dict[int, float] = {}
        self._is_watching_close = False
        self._held = 0
        self._emptied: asyncio.Future[None] | None = None
        self._wire_at_rest = new_wire()
        self._unserved: list[Ready] = []
        # In the set, but still their owners'.
        self._expected: dict[int, Callable[[int], None]] = {}

    def start(self) -> None:
        """Open the set and have the running loop watch it; without one the platform can give, stay shut."""
        self._set = self._open_set()
        if self._set is not None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._set.fileno(), self._turn)

    def stop(self) -> None:
        """Close every descriptor at once; the hub has said its good-byes before."""
        if self._set is None or self._loop is None:
            return
        self._loop.remove_reader(self._set.fileno())
        for fd in [*self._closing, *(fd for fd, one in enumerate(self._connections) if one is not None)]:
            self._lose(fd)
        self._expected.clear()
        self._set.close()
        self._set = None

    @property
    def is_open(self) -> bool:
        """Whether sockets can be adopted: between start and stop, on platforms with epoll or kqueue."""
        return self._set is not None

    @property
    def held(self) -> int:
        """How many descriptors the lane holds, those that are closing included."""
        return self._held

    async def wait_until_empty(self) -> None:
        """Return once no descriptor is left."""
        if self._held:
            if self._emptied is None:
                self._emptied = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._emptied)

    def expect(self, fd: int, on_bytes: Callable[[int], None]) -> None:
        """
        Watch a descriptor that stays its owner's, until it is adopted or let go.

        Args:
            fd: Connected, non-blocking; no event loop watches it.
            on_bytes: Called with it whenever it can be read, at times when it cannot; must not raise.

        Raises:
            OSError: It cannot be watched.
        """
        if self._set is None:
            raise OSError("The lane is shut.")
        self._set.add(fd)
        self._expected[fd] = on_bytes

    def let_go(self, fd: int) -> None:
        """Watch an expected descriptor no longer; one that is not expected is fine."""
        if self._expected.pop(fd, None) is not None and self._set is not None:
            self._set.remove(fd)

    def adopt(
        self, fd: int, handshake: Handshake, rest: bytes, *, answer: bytes = b"", is_bounded: bool = False
    ) -> Connection:
        """
        Take a socket over; from now on its descriptor is the lane's to close.

        Args:
            fd: Connected, non-blocking; no event loop watches it. It may have been expected.
            handshake: What came with the request.
            rest: Bytes that came behind the request.
            answer: The request's answer, where it was not sent yet.
            is_bounded: Whether its send buffer was set to ``SEND_BUFFER_BYTES`` already.

        Returns:
            The connection; already closed where ``rest`` was its end.

        Raises:
            OSError: It cannot be watched, or is dead; it is still the caller's.
        """
        if self._set is None:
            raise OSError("The lane is shut.")
        if not is_bounded:
            bound_send_buffer(fd)
        if self._expected.pop(fd, None) is None:
            self._set.add(fd)
        try:
            if answer and os.write(fd, answer) < len(answer):
                raise OSError("A fresh socket does not take the answer to its handshake.")  # noqa: TRY301  # one cleanup
        except OSError:
            self._set.remove(fd)
            raise
        if fd >= len(self._connections):
            self._connections.extend([None] * (fd + 1 - len(self._connections)))
        connection = self._hub.attach(self, handshake)
        connection.fd = fd
        self._connections[fd] = connection
        self._held += 1
        if rest:
            self._guard(fd, self._receive, fd, connection, rest)
        return connection

    # What the hub calls (``Sink``).

    def write(self, connection: Connection, data: bytes) -> None:
        """Write now what the socket takes and keep the rest; raises OSError where the socket is dead."""
        if self._tails and connection.fd in self._tails:
            self._append(connection.fd, data)
            return
        try:
            sent = os.write(connection.fd, data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self._keep(connection.fd, memoryview(data)[sent:])
            self._hub.on_pause(connection)

    def write_all(self, connections: Sequence[Connection], data: bytes) -> list[tuple[Connection, Exception]]:
        """See ``SharedSink``; as ``write`` does, one of its calls for each socket saved."""
        write, tails, size_bytes = os.write, self._tails, len(data)
        dead: list[tuple[Connection, Exception]] = []
        for connection in connections:
            try:
                if tails and connection.fd in tails:
                    self._append(connection.fd, data)
                    continue
                try:
                    sent = write(connection.fd, data)
                except BlockingIOError:
                    sent = 0
                if sent < size_bytes:
                    self._keep(connection.fd, memoryview(data)[sent:])
                    self._hub.on_pause(connection)
            except Exception as error:  # loop: it costs this socket, never its neighbours
                dead.append((connection, error))
        return dead

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """Send a close frame behind what is queued, end our side, and read on until the peer ends its own."""
        if connection.fd >= 0:
            self._end(connection, close_frame(code, reason))

    def check(self, now_s: float) -> float | None:
        """Cut off peers that do not end the connection; the hub's wheel calls this."""
        for fd, _ in list(takewhile(lambda one: one[1] <= now_s, self._closing.items())):
            self._lose(fd)
        again_s = next(iter(self._closing.values()), None)
        self._is_watching_close = again_s is not None
        return again_s

    # What the loop calls.

    def _turn(self) -> None:
        """Serve sockets that are ready, within the bounds of one turn; the loop calls again while any are left."""
        if self._set is None:
            return
        ready = self._unserved or self._set.take(READY_PER_TURN)
        self._unserved = []
        until_s = self._monotonic_s() + TURN_S
        for at, one in enumerate(ready, start=1):
            self._guard(one[0], self._serve, one)
            if self._monotonic_s() >= until_s:
                # Asking the set again would name the same sockets first.
                self._unserved = ready[at:]
                return

    def _guard(self, fd: int, step: Callable[[*_Arguments], None], *arguments: *_Arguments) -> None:
        """Take one step for one socket; whatever it raises costs this socket only."""
        try:
            step(*arguments)
        except OSError:
            self._lose(fd)
        except Exception:  # loop: its neighbours are served on
            _log.exception("socket_failed")
            connection = self._connections[fd] if fd < len(self._connections) else None
            if connection is None or connection.closed:
                self._lose(fd)
            else:
                self._hub.connections.close(connection, CloseCode.INTERNAL, "internal")

    def _serve(self, ready: Ready) -> None:
        fd, is_readable, is_writable = ready
        if fd in self._expected:
            self._expected[fd](fd)
            return
        if is_writable and fd in self._tails:
            self._flush(fd)
        if not is_readable or fd >= len(self._connections):
            return
        connection = self._connections[fd]
        if connection is None and fd not in self._closing:
            return
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._lose(fd)
        elif connection is not None:
            self._receive(fd, connection, data)

    # Reading.

    def _receive(self, fd: int, connection: Connection, data: bytes) -> None:
        wire = self._wires.pop(fd, None) or self._wire_at_rest
        texts = wire.receive(data)
        answers = wire.answers()
        if not wire.is_at_rest():
            if wire is self._wire_at_rest:
                self._wire_at_rest = self.new_wire()
            if wire.close_code is None:
                self._wires[fd] = wire
        self._hub.on_heard(connection)
        # A peer that pings without reading gets no pongs: they would pile up.
        if answers and wire.close_code is None and fd not in self._tails:
            self.write(connection, answers)
        for text in texts:
            if connection.closed:
                return
            self._hub.on_frame(connection, text)
        if wire.close_code is not None and not connection.closed:
            self._hub.on_close(connection, wire.close_code)
            self._end(connection, answers)

    # Writing.

    def _keep(self, fd: int, tail: memoryview) -> None:
        self._tails[fd] = tail
        if self._set is not None:
            self._set.want_write(fd, on=True)

    def _append(self, fd: int, data: bytes) -> None:
        tail = self._tails[fd]
        if len(tail) + len(data) > TAIL_BYTES:
            raise OSError("The socket reads too slowly.")
        self._tails[fd] = memoryview(bytes(tail) + data)

    def _flush(self, fd: int) -> None:
        tail = self._tails[fd]
        try:
            sent = os.write(fd, tail)
        except BlockingIOError:
            return
        if sent < len(tail):
            self._tails[fd] = tail[sent:]
            return
        del self._tails[fd]
        if self._set is not None:
            self._set.want_write(fd, on=False)
        connection = self._connections[fd]
        if connection is not None:
            self._hub.on_resume(connection)
        else:
            end_sending(fd)

    # Ending.

    def _end(self, connection: Connection, last: bytes) -> None:
        """Say the last bytes and let the connection go; its descriptor stays until the peer ends its own side."""
        fd, connection.fd = connection.fd, -1
        self._connections[fd] = None
        self._wires.pop(fd, None)
        self._closing[fd] = self._hub.now_s() + PATIENCE_S
        if not self._is_watching_close:
            self._is_watching_close = True
            self._hub.wheel.schedule(self, self._closing[fd])
        try:
            self._say_last(fd, last)
        except OSError:
            self._lose(fd)

    def _say_last(self, fd: int, last: bytes) -> None:
        if fd in self._tails:
            self._append(fd, last)
            return
        try:
            sent = os.write(fd, last)
        except BlockingIOError:
            sent = 0
        if sent < len(last):
            self._keep(fd, memoryview(last)[sent:])
        else:
            end_sending(fd)

    def _lose(self, fd: int) -> None:
        """Give a descriptor back; the hub hears of it where it still counted on it."""
        connection = self._connections[fd] if fd < len(self._connections) else None
        if connection is None and fd not in self._closing:
            return
        self._connections[fd] = None
        self._closing.pop(fd, None)
        self._tails.pop(fd, None)
        self._wires.pop(fd, None)
        self._held -= 1
        if self._set is not None:
            self._set.remove(fd)
        os.close(fd)
        if connection is not None:
            connection.fd = -1
            self._hub.on_close(connection)
        if not self._held and self._emptied is not None:
            self._emptied.set_result(None)
            self._emptied = None
