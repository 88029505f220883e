"""
The listening socket of one serve worker: closed while the worker is near its limit of descriptors, opened again later.

Workers share a port by SO_REUSEPORT: while one does not listen the kernel gives its connections to the others. The last
one that listens goes on, so that HTTP is answered; its sockets are refused by ``ws.py``. See docs/decisions/0019.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from functools import partial
from typing import TYPE_CHECKING, Final

from api.ws import SocketHttp
from api.ws_arrivals import Arrival
from hub import clock
from hub.descriptors import open_now
from hub.log import get_logger
from hub.realtime.opening import come_back_in_s

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.ws_arrivals import Arrivals
    from hub.descriptors import Room

LOOK_EVERY_S: Final = 1.0
# A worker that is full and alone asks no more often than this whether it still is.
ASK_EVERY_S: Final = 0.25
# Connections taken in one turn of the loop: about 3 ms.
ACCEPTED_PER_TURN: Final = 64
# When the system has no descriptor or memory for another connection.
REST_S: Final = 1.0

_log = get_logger("hub.serve")


class OpenListeners:
    """
    Which workers of a port listen, seen by all of them: a lock each on a byte of one file, which ends with its process.

    Args:
        fd: The file, inherited from the supervisor; -1 where there is one worker only.
        index: This worker.
        count: How many there are.

    Source:
        fcntl(2), Linux and POSIX.1-2017: record locks are the process's own and released by its end, however it ends.
    """

    def __init__(self, fd: int = -1, index: int = 0, count: int = 1) -> None:
        self._fd = fd
        self._index = index
        self._count = count

    def enter(self) -> None:
        """Count this worker as listening."""
        if self._fd >= 0:
            self._lock(self._index)

    def leave(self) -> bool:
        """Count this worker no more, unless it is the last one; returns whether it may stop listening."""
        if self._fd < 0 or not self._lock(self._count):
            return False
        try:
            if not self.has_others():
                return False
            self._unlock(self._index)
            return True
        finally:
            self._unlock(self._count)

    def has_others(self) -> bool:
        """Say whether another worker listens."""
        if self._fd < 0:
            return False
        for index in range(self._count):
            if index != self._index:
                if not self._lock(index):
                    return True
                self._unlock(index)
        return False

    def _lock(self, byte: int) -> bool:
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte, os.SEEK_SET)
        except BlockingIOError:
            return False
        return True

    def _unlock(self, byte: int) -> None:
        fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, byte, os.SEEK_SET)


class WorkerListener:
    """
    Takes connections for one worker, as long as it has room.

    Attributes:
        room: How many descriptors there are.
        is_open: Whether connections reach this worker.
        closes: How often it stopped listening because it was full.
        refused: Connections sent away unread.
    """

    def __init__(
        self,
        opened: socket.socket,
        room: Room,
        others: OpenListeners,
        *,
        listen: Callable[[], socket.socket],
        count_open: Callable[[], int] = open_now,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._socket = opened
        self._others = others
        self._listen = listen
        self._count_open = count_open
        self._monotonic_s = monotonic_s
        self._asked_at_s = 0.0
        self._backlog = 0
        self._server: asyncio.Server | None = None
        self._make: Callable[[], asyncio.Protocol] | None = None
        self._arrivals: Arrivals | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self.room = room
        self.is_open = False
        self.closes = 0
        self.refused = 0

    async def start(self, make: Callable[[], asyncio.Protocol], arrivals: Arrivals | None = None) -> None:
        """
        Begin to take connections.

        Args:
            make: Makes the protocol of each.
            arrivals: Sees each of them before; None where there is nothing to see.
        """
        self._make = make
        self._arrivals = arrivals
        self._others.enter()
        self._backlog = self.room.backlog(self._count_open())
        loop = asyncio.get_running_loop()
        if arrivals is None:
            self._server = await loop.create_server(make, sock=self._socket, backlog=self._backlog)
        else:
            self._socket.settimeout(0)
            self._socket.listen(self._backlog)
            loop.add_reader(self._socket, self._accept)
        self.is_open = True

    def admit(self, fd: int) -> bool:
        """
        Take note of a new connection; returns False where it must be sent away unread.

        Args:
            fd: Its descriptor. The system gives the lowest free number: all below it are in use.
        """
        count = fd + 1
        if self.is_open:
            if self.room.backlog(count) < self._backlog:
                self._set_backlog(count)
            if count >= self.room.most_sockets and self._monotonic_s() - self._asked_at_s >= ASK_EVERY_S:
                self._asked_at_s = self._monotonic_s()
                asyncio.get_running_loop().call_soon(self._close_if_others_listen)
        if count > self.room.refuses_at:
            self.refused += 1
            return False
        return True

    async def watch(self) -> None:
        """Look every second whether there is room again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                await self.look()
            except OSError as error:
                _log.warning("listener_not_opened", error=str(error))

    async def look(self) -> None:
        """Listen again where there is room, or where nobody else does; stop where there is none."""
        count = self._count_open()
        if self.is_open:
            self._set_backlog(count)
            if count >= self.room.most_sockets:
                self._close_if_others_listen()
        elif self._make is not None and (count <= self.room.reopens_at or not self._others.has_others()):
            self._socket = self._listen()
            await self.start(self._make, self._arrivals)
            _log.info("listener_opened", open_descriptors=count)

    def end(self) -> None:
        """Take no more connections, for good; those that wait are taken."""
        make, self._make = self._make, None
        if self.is_open and make is not None:
            self._close(make, self._duplicate())
        if self._arrivals is not None and make is not None:
            self._arrivals.end()

    def _accept(self) -> None:
        """Take what waits, a turn's worth; the loop calls again while there is more."""
        for _ in range(ACCEPTED_PER_TURN):
            try:
                accepted, address = self._socket.accept()
            except (InterruptedError, ConnectionError):
                continue  # gone while it waited
            except BlockingIOError:
                return
            except OSError as error:
                self._rest(error)
                return
            accepted.settimeout(0)
            if self._arrivals is None or self._make is None or not self.admit(accepted.fileno()):
                _send_away(accepted)
            else:
                self._arrivals.greet(Arrival(accepted, str(address[0]), partial(self._serve, self._make)))

    def _rest(self, error: OSError) -> None:
        """Take nothing for a second: there is no descriptor, and asking again at once would find none either."""
        _log.warning("accept_failed", error=os.strerror(error.errno or 0))
        loop, listening = asyncio.get_running_loop(), self._socket
        loop.remove_reader(listening)
        loop.call_later(REST_S, self._rest_over, listening)

    def _rest_over(self, listening: socket.socket) -> None:
        if self.is_open and self._socket is listening:
            asyncio.get_running_loop().add_reader(listening, self._accept)

    def _set_backlog(self, count: int) -> None:
        backlog = self.room.backlog(count)
        if backlog != self._backlog:
            self._backlog = backlog
            self._socket.listen(backlog)

    def _close_if_others_listen(self) -> None:
        if not self.is_open or self._make is None:
            return
        waiting = self._duplicate()
        if waiting is None:
            return
        if not self._others.leave():
            waiting.close()
            return
        self.closes += 1
        self._close(self._make, waiting)
        _log.info("listener_closed", limit=self.room.limit)

    def _duplicate(self) -> socket.socket | None:
        try:
            return self._socket.dup()
        except OSError:
            return None

    def _close(self, make: Callable[[], asyncio.Protocol], waiting: socket.socket | None) -> None:
        """Stop listening. What waits to be accepted would be reset with the last descriptor: it is accepted before."""
        self.is_open = False
        if self._server is not None:
            self._server.close()
            self._server = None
        elif self._arrivals is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        if waiting is None:
            return
        with contextlib.closing(waiting):
            while True:
                try:
                    accepted, _ = waiting.accept()
                except (InterruptedError, ConnectionError):
                    continue  # gone while it waited
                except OSError:
                    return  # nobody waits any more, or there is no descriptor left
                accepted.settimeout(0)
                if accepted.fileno() < self.room.refuses_at:
                    self._serve(make, accepted)
                else:
                    self.refused += 1
                    _send_away(accepted)

    def _serve(self, make: Callable[[], asyncio.Protocol], accepted: socket.socket) -> None:
        task = asyncio.get_running_loop().create_task(_connect(make, accepted))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _connect(make: Callable[[], asyncio.Protocol], accepted: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(make, accepted)
    except OSError:
        accepted.close()


def _send_away(accepted: socket.socket) -> None:
    """Answer without a transport; what was sent is read first, or the close would reset the answer."""
    with contextlib.closing(accepted), contextlib.suppress(OSError):
        with contextlib.suppress(BlockingIOError):
            accepted.recv(65_536)
        accepted.send(full_answer())


def full_answer() -> bytes:
    """Make the answer to whoever reaches a worker that has no descriptor left to listen to them."""
    text = b"The hub is full. Come back in a moment.\n"
    return (
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: %d\r\ncontent-type: text/plain\r\n"
        b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (1 + int(come_back_in_s()), len(text), text)
    )


def make_http_protocol(listener: WorkerListener) -> type[SocketHttp]:
    """Make the class for ``uvicorn.Config(http=…)``, which counts each connection before it is listened to."""

    class Bound(_CountedHttp):
        _listener = listener

    return Bound


class _CountedHttp(SocketHttp):
    _listener: WorkerListener

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if not self._listener.admit(transport.get_extra_info("socket").fileno()):
            self._refuse(full_answer())
