"""
The socket layer: uvicorn protocol classes that open `/ws` and pass text frames to the real-time hub and back.

Not an ASGI endpoint: no task, queue or per-message await a socket. Handshake and framing are the sans-IO layer of the
``websockets`` library; what the frames mean is ``hub/realtime``'s.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from websockets.datastructures import MultipleValuesError
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from api.http_protocol import BoundedHttp
from hub.realtime.opening import come_back_in_s
from hub.realtime.ports import Handshake
from hub.realtime.protocol import FRAME_LIMIT_BYTES, CloseCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from uvicorn.config import Config
    from uvicorn.server import ServerState
    from websockets.http11 import Response

    from hub.realtime.connections import Connection
    from hub.realtime.hub import RealtimeHub

PATH = "/ws"
# A peer that neither finishes the handshake nor the close is cut off after this.
PATIENCE_S = 10.0
# File descriptors have a hard limit of 20,000 on many machines; some stay for HTTP and the stores.
MAX_SOCKETS = 19_000
USER_AGENT_CHARS = 300


class SocketEdge(msgspec.Struct, frozen=True):
    """
    Who may open a socket here.

    Attributes:
        origins: Exact values of ``Origin``, e.g. ``https://hub.example``; asked at each handshake.
        cookie_name: The session cookie's name.
        max_sockets: Most sockets of this process; others are told to come back.
        address_of: Says whom a connection serves, from the peer's address and X-Forwarded-For.
    """

    origins: Callable[[], frozenset[str]]
    cookie_name: str
    max_sockets: int = MAX_SOCKETS
    address_of: Callable[[str, str], str] = lambda peer, _forwarded: peer


class _Upgrading(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, handing over what arrived behind an upgrade request instead of dropping it."""

    def data_received(self, data: bytes) -> None:
        """Take bytes of the peer; a first frame may come in one packet with the request."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)  # pyright: ignore[reportOptionalMemberAccess]  # uvicorn sets it in __init__
        except httptools.HttpParserUpgrade as upgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
                return
            self.handle_websocket_upgrade()
            rest = data[upgrade.args[0] :]
            if rest:
                cast("asyncio.Protocol", self.transport.get_protocol()).data_received(rest)
        except httptools.HttpParserError:
            self.logger.warning("Invalid HTTP request received.")
            self.send_400_response("Invalid HTTP request received.")


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
        _edge = edge

    return Bound


class HubSocket(asyncio.Protocol):
    """One socket, from the upgrade request to its end; a ``Sink`` for its connection."""

    _hub: RealtimeHub
    _edge: SocketEdge

    def __init__(
        self,
        config: Config,  # noqa: ARG002  # uvicorn's signature
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._sockets = cast("set[object]", server_state.connections)
        self._wire = ServerProtocol(extensions=None, max_size=FRAME_LIMIT_BYTES)
        self._connection: Connection | None = None
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parts: list[bytes] = []
        self._is_paused = False
        self._gives_up_at_s: float | None = None

    # What uvicorn and the event loop call.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport over from the HTTP protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._sockets.add(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes: first the upgrade request as uvicorn puts it together again, then frames."""
        self._wire.receive_data(data)
        for event in self._wire.events_received():
            if isinstance(event, Request):
                self._open(event)
            elif isinstance(event, Frame):
                self._receive(event)
        self._send_wire()

    def eof_received(self) -> bool:
        """The peer will send no more; lets the transport close."""
        with contextlib.suppress(EOFError):
            self._wire.receive_eof()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Forget the socket."""
        self._sockets.discard(self)
        self._gives_up_at_s = None
        self._parts.clear()
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
        """Uvicorn stops: send the client away, or drop a handshake that is not through."""
        if self._connection is not None and not self._connection.closed:
            self._hub.send_away(self._connection)
        elif self._wire.state is State.CONNECTING:
            self._transport.close()

    # What the hub calls (``Sink``).

    def write(self, connection: Connection, data: bytes) -> None:  # noqa: ARG002  # one sink a socket
        """Hand whole frames to the transport; raises where it is closed."""
        if self._transport.is_closing():
            raise ConnectionError("The socket is closed.")
        self._transport.write(data)

    def close(self, connection: Connection, code: int, reason: str) -> None:  # noqa: ARG002
        """Send the close frame; a peer that does not answer it is cut off."""
        if self._wire.state is State.OPEN:
            self._wire.send_close(code, reason[:120])
            self._send_wire()
        self._expect_end()

    def check(self, now_s: float) -> float | None:
        """Cut off a peer that does not end the connection; the hub's wheel calls this."""
        if self._gives_up_at_s is not None and now_s >= self._gives_up_at_s:
            self._transport.abort()
        return None

    # The rest is ours.

    def _open(self, request: Request) -> None:
        response = self._refuse(request) or self._wire.accept(request)
        self._wire.send_response(response)
        self._send_wire()
        if self._wire.state is not State.OPEN:
            self._expect_end()
            return
        self._connection = self._hub.attach(self, self._handshake(request))
        if self._is_paused:
            self._hub.on_pause(self._connection)

    def _refuse(self, request: Request) -> Response | None:
        """Check what the library does not: path, Origin, and whether there is room."""
        refused = self._hub.handshakes_refused
        if request.path.partition("?")[0] != PATH:
            refused["path"] += 1
            return self._wire.reject(HTTPStatus.NOT_FOUND, "Sockets open at /ws.\n")
        try:
            origin = request.headers.get("Origin")
        except MultipleValuesError:
            refused["origin"] += 1
            return self._wire.reject(HTTPStatus.FORBIDDEN, "More than one Origin.\n")
        if origin is not None and origin not in self._edge.origins():
            refused["origin"] += 1
            return self._wire.reject(HTTPStatus.FORBIDDEN, "This Origin may not open a socket here.\n")
        slot_s = self._hub.admission.handshake_slot_s()
        if self._hub.is_draining or len(self._hub.connections.all) >= self._edge.max_sockets:
            refused["draining" if self._hub.is_draining else "full"] += 1
            slot_s = come_back_in_s()
        elif slot_s is not None:
            refused["busy"] += 1
        if slot_s is not None:
            response = self._wire.reject(HTTPStatus.SERVICE_UNAVAILABLE, "Come back in a moment.\n")
            response.headers["Retry-After"] = str(1 + int(slot_s))
            return response
        return None

    def _handshake(self, request: Request) -> Handshake:
        origin = request.headers.get("Origin")
        peer = cast("object", self._transport.get_extra_info("peername"))
        agents = request.headers.get_all("User-Agent")
        return Handshake(
            # A client that sends no Origin is no browser; a cookie it brings proves nothing about who made it connect.
            cookie_token=None if origin is None else _cookie(request, self._edge.cookie_name),
            origin=origin,
            address=self._edge.address_of(
                str(peer[0]) if isinstance(peer, tuple) else "", ",".join(request.headers.get_all("X-Forwarded-For"))
            ),
            user_agent=agents[0][:USER_AGENT_CHARS] if agents else "",
        )

    def _receive(self, frame: Frame) -> None:
        connection = self._connection
        if connection is None or connection.closed:
            return
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            if frame.fin and not self._parts:
                self._receive_text(connection, bytes(frame.data))
                return
            self._parts.append(bytes(frame.data))
            if frame.fin:
                text = b"".join(self._parts)
                self._parts.clear()
                self._receive_text(connection, text)
        elif frame.opcode is Opcode.BINARY:
            self._hub.connections.close(connection, CloseCode.UNSUPPORTED_DATA, "text frames only")
        elif frame.opcode is Opcode.CLOSE:
            self._hub.on_close(connection)
        else:
            self._hub.on_heard(connection)

    def _receive_text(self, connection: Connection, text: bytes) -> None:
        try:
            text.decode()
        except UnicodeDecodeError:
            self._wire.fail(1007, "not UTF-8")
            self._hub.on_close(connection, 1007)
            return
        self._hub.on_frame(connection, text)

    def _send_wire(self) -> None:
        """Write what the library wants said: handshake, pongs, close frames; an empty part ends our side."""
        for data in self._wire.data_to_send():
            if self._transport.is_closing():
                return
            if data:
                # A peer that pings without reading gets no pongs: they would pile up without a bound.
                if not self._is_paused or self._wire.state is not State.OPEN:
                    self._transport.write(data)
            else:
                self._end_sending()

    def _end_sending(self) -> None:
        """
        End our side only and read on until the peer ends its own.

        Closing at once with unread bytes would reset the connection, and the peer would never see the close frame.
        """
        if self._connection is not None:
            said = self._wire.close_sent
            self._hub.on_close(self._connection, 0 if said is None else int(said.code))
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._expect_end()
        else:
            self._transport.close()

    def _expect_end(self) -> None:
        if self._gives_up_at_s is None and not self._transport.is_closing():
            self._gives_up_at_s = self._hub.now_s() + PATIENCE_S
            self._hub.wheel.schedule(self, self._gives_up_at_s)


def _cookie(request: Request, name: str) -> str | None:
    for header in request.headers.get_all("Cookie"):
        try:
            morsel = SimpleCookie(header).get(name)
        except CookieError:
            continue
        if morsel is not None and morsel.value:
            return morsel.value
    return None
