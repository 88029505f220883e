"""
The socket layer: uvicorn protocol classes that open `/ws` and pass text frames to the real-time hub and back.

Not an ASGI endpoint: no task, queue or per-message await a socket. Once its handshake is answered a socket leaves its
transport for the hub's lane; where that cannot be (TLS ends here, no epoll or kqueue) ``HubSocket`` serves it.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import Headers
from websockets.http11 import Request

from api.http_protocol import BoundedHttp
from api.ws_upgrade import READ_HEADERS, Gate, SocketEdge
from hub.log import get_logger
from hub.realtime.lane import READ_BYTES
from hub.realtime.opening import come_back_in_s
from hub.realtime.wire import close_frame

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from hub.realtime.connections import Connection
    from hub.realtime.hub import RealtimeHub
    from hub.realtime.wire import Wire

__all__ = ["HubSocket", "SocketEdge", "SocketHttp", "make_ws_protocol"]

# A peer that does not end the connection after our close frame, or a refusal, is cut off after this.
PATIENCE_S: Final = 10.0
# Sockets sent away in one loop turn when uvicorn stops.
_AWAY_PER_TURN: Final = 200
_SWITCHING: Final = 101
# RFC 9110 section 5.5: around a header's value, and no part of it.
_WHITE_SPACE: Final = b" \t"

_log = get_logger("sockets")


class _Upgrading(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, handing over what arrived behind an upgrade request instead of dropping it."""

    def data_received(self, data: bytes) -> None:
        """Take bytes of the peer; a first frame may come in one packet with the request."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportAttributeAccessIssue]  # None once handed over
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._hand_over(data[upgrade.args[0] :])
            else:
                self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")

    def _hand_over(self, rest: bytes) -> None:
        """Give the transport to a socket; uvicorn's way writes the request anew for it to be parsed a second time."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and not cycle.response_complete:
            # Its answer comes first and ends the connection; anything written here would be taken for that answer.
            cycle.keep_alive = False
            self.flow.pause_reading()
            return
        headers = Headers()
        for name, value in self.headers:
            if name in READ_HEADERS:
                headers[name.decode("latin-1")] = value.strip(_WHITE_SPACE).decode("latin-1")
        version = self.scope["http_version"]
        request = Request(self.url.decode("latin-1"), headers, self.scope["method"], f"HTTP/{version}")
        transport = self.transport
        made = self.ws_protocol_class(config=self.config, server_state=self.server_state, app_state=self.app_state)  # type: ignore[call-arg,misc]  # uvicorn's convention
        self._let_go()
        transport.set_protocol(made)
        made.connection_made(transport)
        cast("HubSocket", made).open(request, rest)

    def _get_upgrade(self) -> bytes | None:
        """Name what the connection is to become; uvicorn's way misses white space behind values and a second header."""
        options = [one for name, value in self.headers if name == b"connection" for one in value.split(b",")]
        if not any(one.strip(_WHITE_SPACE).lower() == b"upgrade" for one in options):
            return None
        return next((value.strip(_WHITE_SPACE).lower() for name, value in self.headers if name == b"upgrade"), None)

    def _let_go(self) -> None:
        """Drop what refers back to this object: after a storm of upgrades nothing waits for the garbage collector."""
        self.connections.discard(self)
        # The parser holds our methods, the cycle of an earlier request our flow control.
        self.parser = None  # type: ignore[assignment]  # as uvicorn does when a connection is lost
        self.cycle = None  # type: ignore[assignment]
        self.transport = None  # type: ignore[assignment]
        self.flow = None  # type: ignore[assignment]


class SocketHttp(BoundedHttp, _Upgrading):
    """The HTTP protocol to pass as ``http=``: bounded heads, and no byte lost at the upgrade."""


def make_ws_protocol(hub: RealtimeHub, edge: SocketEdge) -> type[asyncio.Protocol]:
    """
    Make the class for ``uvicorn.Config(ws=…)``; pass ``http=SocketHttp`` along with it.

    Args:
        hub: Started before the server and drained before it stops.
        edge: Who may open a socket.
    """

    class Bound(HubSocket):
        _hub = hub
        _gate = Gate(hub, edge)
        _detaches = edge.detaches
        _detached = DetachedSockets(hub)

    return Bound


class DetachedSockets:
    """Stands for the lane among uvicorn's connections: its shutdown tells this, and waits until it is gone."""

    def __init__(self, hub: RealtimeHub) -> None:
        self._hub = hub
        self._leaving: asyncio.Task[None] | None = None

    def join(self, connections: set[object]) -> None:
        """Be among the connections of the server that brought a detached socket."""
        connections.add(self)
        self._connections = connections

    def shutdown(self) -> None:
        """Uvicorn stops: send every detached socket away."""
        if self._leaving is None:
            self._leaving = asyncio.get_running_loop().create_task(self._leave())

    async def _leave(self) -> None:
        lane = self._hub.lane
        everybody = [one for one in self._hub.connections.all if one.sink is lane]
        for start in range(0, len(everybody), _AWAY_PER_TURN):
            for connection in everybody[start : start + _AWAY_PER_TURN]:
                self._hub.send_away(connection)
            await asyncio.sleep(0)
        await lane.wait_until_empty()
        self._connections.discard(self)


class HubSocket(asyncio.Protocol):
    """One socket from its upgrade request on: detached, or else to its end as a ``Sink`` for its connection."""

    _hub: RealtimeHub
    _gate: Gate
    _detaches: bool
    _detached: DetachedSockets

    def __init__(
        self,
        config: Config,  # noqa: ARG002  # uvicorn's signature
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._sockets = cast("set[object]", server_state.connections)
        self._wire: Wire | None = None
        self._connection: Connection | None = None
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._is_paused = False
        self._gives_up_at_s: float | None = None

    # What uvicorn and the event loop call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over from the HTTP protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._sockets.add(self)

    def open(self, request: Request, rest: bytes) -> None:
        """Answer the upgrade request; ``rest`` is what came behind it."""
        response = self._gate.answer(request)
        if response.status_code != _SWITCHING:
            self._refuse(response.serialize())
            return
        if self._detach(request, response.serialize(), rest):
            return
        self._transport.write(response.serialize())
        self._wire = self._hub.lane.new_wire()
        self._connection = self._hub.attach(self, self._gate.handshake(request, self._peer()))
        if self._is_paused:
            self._hub.on_pause(self._connection)
        if rest:
            self.data_received(rest)

    def data_received(self, data: bytes) -> None:
        """Take bytes of frames; what is tiny costs much, so others have their turn after each 4 KiB."""
        self._receive(data[:READ_BYTES])
        if len(data) > READ_BYTES and self._wire is not None and not self._transport.is_closing():
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._go_on, data[READ_BYTES:])

    def _go_on(self, rest: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()
            self.data_received(rest)

    def _receive(self, data: bytes) -> None:
        """Read frames; those of a peer that is refused or closed are dropped."""
        wire, connection = self._wire, self._connection
        if wire is None or connection is None:
            return
        texts = wire.receive(data)
        answers = wire.answers()
        self._hub.on_heard(connection)
        # A peer that pings without reading gets no pongs: they would pile up without a bound.
        if answers and wire.close_code is None and not self._is_paused:
            self._transport.write(answers)
        for text in texts:
            if connection.closed:
                return
            self._hub.on_frame(connection, text)
        if wire.close_code is not None and not connection.closed:
            self._hub.on_close(connection, wire.close_code)
            self._end(answers)

    def eof_received(self) -> bool:
        """The peer will send no more; lets the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the socket."""
        self._sockets.discard(self)
        self._gives_up_at_s = None
        self._wire = None
        if self._connection is not None:
            self._hub.on_close(self._connection)
            self._connection = None

    def pause_writing(self) -> None:
        """The transport's buffer is full: from now on frames wait in the connection's bounded queue."""
        self._is_paused = True
        if self._connection is not None:
            self._hub.on_pause(self._connection)

    def resume_writing(self) -> None:
        """The transport's buffer has emptied."""
        self._is_paused = False
        if self._connection is not None:
            self._hub.on_resume(self._connection)

    def shutdown(self) -> None:
        """Uvicorn stops: send the client away."""
        if self._connection is not None and not self._connection.closed:
            self._hub.send_away(self._connection)

    # What the hub calls (``Sink``).

    def write(self, connection: Connection, data: bytes) -> None:  # noqa: ARG002  # one sink a socket
        """Hand whole frames to the transport; raises where it is closed."""
        if self._transport.is_closing():
            raise ConnectionError("The socket is closed.")
        self._transport.write(data)

    def close(self, connection: Connection, code: int, reason: str) -> None:  # noqa: ARG002
        """Send the close frame; a peer that does not answer it is cut off."""
        if self._wire is not None:
            self._end(close_frame(code, reason))

    def check(self, now_s: float) -> float | None:
        """Cut off a peer that does not end the connection; the hub's wheel calls this."""
        if self._gives_up_at_s is not None and now_s >= self._gives_up_at_s:
            self._transport.abort()
        return None

    # The rest is ours.

    def _detach(self, request: Request, answer: bytes, rest: bytes) -> bool:
        """Move the socket from its transport to the lane; returns whether it is dealt with."""
        lane, transport = self._hub.lane, self._transport
        sock = transport.get_extra_info("socket")
        if not self._detaches or not lane.is_open or sock is None:
            return False
        if transport.get_extra_info("sslcontext") is not None or transport.get_write_buffer_size():
            return False
        handshake = self._gate.handshake(request, self._peer())
        # Before anything else may read: the transport's bytes would be lost with it.
        transport.pause_reading()
        try:
            fd = os.dup(sock.fileno())
        except OSError as error:
            _log.warning("socket_refused", error=os.strerror(error.errno or 0))
            self._refuse(self._gate.put_off(come_back_in_s()).serialize())
            return True
        transport.abort()
        self._sockets.discard(self)
        self._detached.join(self._sockets)
        try:
            lane.adopt(fd, handshake, rest, answer=answer)
        except OSError as error:
            _log.info("detach_failed", error=type(error).__name__)
            os.close(fd)
        return True

    def _refuse(self, answer: bytes) -> None:
        self._transport.write(answer)
        self._end_sending()

    def _end(self, last: bytes) -> None:
        self._wire = None
        if not self._transport.is_closing():
            self._transport.write(last)
            self._end_sending()

    def _end_sending(self) -> None:
        """
        End our side only and read on until the peer ends its own.

        Closing at once with unread bytes would reset the connection, and the peer would never see the close frame.
        """
        if not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        if self._gives_up_at_s is None:
            self._gives_up_at_s = self._hub.now_s() + PATIENCE_S
            self._hub.wheel.schedule(self, self._gives_up_at_s)

    def _peer(self) -> str:
        peer = cast("object", self._transport.get_extra_info("peername"))
        return str(peer[0]) if isinstance(peer, tuple) else ""
