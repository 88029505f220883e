"""
Connections that have just been accepted: one that begins with an upgrade request goes into the hub's lane at once.

Without a transport, an HTTP object or a second descriptor. Everybody else, and whoever would be refused, is passed on
to uvicorn with not a byte read; ``ws.py`` answers there. Called by ``listener.py``; see docs/decisions/0017.
"""

from __future__ import annotations

import socket
from itertools import takewhile
from typing import TYPE_CHECKING, Final, NamedTuple

from api.ws import DetachedSockets
from api.ws_head import read_head
from api.ws_upgrade import PATH, Gate
from hub.log import get_logger
from hub.realtime.bare_socket import SEND_BUFFER_BYTES
from hub.realtime.lane import READ_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.ws_head import UpgradeHead
    from api.ws_upgrade import SocketEdge
    from hub.realtime.hub import RealtimeHub

# Who says nothing for so long is uvicorn's, which has a time limit of its own for a request's head.
QUIET_S: Final = 1.0

_PATH: Final = PATH.encode()
_log = get_logger("sockets")


class Arrival(NamedTuple):
    """
    A connection nobody has read from yet.

    Attributes:
        accepted: Its socket, non-blocking.
        peer: The address it came from.
        pass_on: Gives the socket to uvicorn.
    """

    accepted: socket.socket
    peer: str
    pass_on: Callable[[socket.socket], None]


class Arrivals:
    """Looks at what connections begin with. Everything happens in the loop's thread."""

    def __init__(self, hub: RealtimeHub, edge: SocketEdge) -> None:
        self._hub = hub
        self._gate = Gate(hub, edge)
        self._detaches = edge.detaches
        self._detached = DetachedSockets(hub)
        self._connections: set[object] = set()
        # Who has said nothing yet, by descriptor, and until when that is ours; in the order of the deadlines.
        self._quiet: dict[int, tuple[float, Arrival]] = {}
        self._is_watching = False

    def __len__(self) -> int:
        """How many have said nothing yet."""
        return len(self._quiet)

    def join(self, connections: set[object]) -> None:
        """Name the connections of the server: its end waits for ours."""
        self._connections = connections

    def greet(self, arrival: Arrival) -> None:
        """Take a connection: into the lane, to uvicorn, or to wait a second for its first bytes."""
        lane = self._hub.lane
        if not self._detaches or not lane.is_open:
            arrival.pass_on(arrival.accepted)
            return
        if self._look(arrival):
            return
        fd = arrival.accepted.fileno()
        try:
            lane.expect(fd, self._on_bytes)
        except OSError:
            arrival.accepted.close()
            return
        until_s = self._hub.now_s() + QUIET_S
        self._quiet[fd] = (until_s, arrival)
        if not self._is_watching:
            self._is_watching = True
            self._hub.wheel.schedule(self, until_s)

    def check(self, now_s: float) -> float | None:
        """Pass on who says nothing; the hub's wheel calls this."""
        for fd, (_, arrival) in list(takewhile(lambda one: one[1][0] <= now_s, self._quiet.items())):
            self._pass_on(fd, arrival)
        next_one = next(iter(self._quiet.values()), None)
        self._is_watching = next_one is not None
        return None if next_one is None else next_one[0]

    def end(self) -> None:
        """Wait for nobody any more: uvicorn ends those who have said nothing."""
        for fd, (_, arrival) in list(self._quiet.items()):
            self._pass_on(fd, arrival)

    def _on_bytes(self, fd: int) -> None:
        """A descriptor that was quiet can be read, or has failed."""
        if self._look(self._quiet[fd][1]):
            del self._quiet[fd]

    def _look(self, arrival: Arrival) -> bool:
        """See what a connection begins with; returns whether it is dealt with: not before it says something."""
        try:
            data = arrival.accepted.recv(READ_BYTES, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._drop(arrival)
            return True
        try:
            self._decide(arrival, data)
        except Exception:  # loop: those that come with it are served
            _log.exception("arrival_failed")
            self._drop(arrival)
        return True

    def _decide(self, arrival: Arrival, data: bytes) -> None:
        head = read_head(_PATH, data)
        answer = None if head is None else self._gate.accept(head)
        if head is None or answer is None:
            self._hub.lane.let_go(arrival.accepted.fileno())
            arrival.pass_on(arrival.accepted)
        else:
            self._take_in(arrival, head, answer, len(data))

    def _take_in(self, arrival: Arrival, head: UpgradeHead, answer: bytes, seen_bytes: int) -> None:
        accepted, lane = arrival.accepted, self._hub.lane
        fd = accepted.fileno()
        try:
            rest = accepted.recv(seen_bytes)[head.size_bytes :]
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._detached.join(self._connections)
            lane.adopt(fd, self._gate.handshake_of(head, arrival.peer), rest, answer=answer, is_bounded=True)
        except OSError as error:
            _log.info("arrival_lost", error=type(error).__name__)
            self._drop(arrival)
            return
        accepted.detach()

    def _drop(self, arrival: Arrival) -> None:
        if arrival.accepted.fileno() >= 0:
            self._hub.lane.let_go(arrival.accepted.fileno())
            arrival.accepted.close()

    def _pass_on(self, fd: int, arrival: Arrival) -> None:
        del self._quiet[fd]
        self._hub.lane.let_go(fd)
        arrival.pass_on(arrival.accepted)
