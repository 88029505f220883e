"""What is asked of a request that wants to become a socket, and what the hub learns from it. No IO; ``ws.py`` calls."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import cookie_parser
from websockets.datastructures import MultipleValuesError
from websockets.server import ServerProtocol
from websockets.utils import accept_key

from api.auth import entered_name
from hub import clock
from hub.realtime.opening import come_back_in_s
from hub.realtime.ports import Handshake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from websockets.http11 import Request, Response

    from api.ws_head import UpgradeHead
    from hub.realtime.hub import RealtimeHub

PATH: Final = "/ws"
VERSION: Final = "13"
# File descriptors have a hard limit of 20,000 on many machines; some stay for HTTP and the stores.
MAX_SOCKETS: Final = 19_000
USER_AGENT_CHARS: Final = 300
_ACCEPTING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Date: %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
# Lower case, as the HTTP parser passes them on: what ``websockets`` and this module look at. The others cost time only.
READ_HEADERS: Final = frozenset(
    {
        b"connection", b"upgrade", b"sec-websocket-key", b"sec-websocket-version", b"sec-websocket-protocol",
        b"sec-websocket-extensions", b"origin", b"cookie", b"user-agent", b"x-forwarded-for", b"content-length",
        b"transfer-encoding",
    }
)  # fmt: skip


class SocketEdge(msgspec.Struct, frozen=True):
    """
    Who may open a socket here.

    Attributes:
        origins: Exact values of ``Origin``, e.g. ``https://hub.example``; asked at each handshake.
        cookie_name: The session cookie's name.
        max_sockets: Most sockets of this process; others are told to come back.
        address_of: Says whom a connection serves, from the peer's address and X-Forwarded-For.
        detaches: Whether sockets leave their transports where that is possible.
    """

    origins: Callable[[], frozenset[str]]
    cookie_name: str
    max_sockets: int = MAX_SOCKETS
    address_of: Callable[[str, str], str] = lambda peer, _forwarded: peer
    detaches: bool = True


class Gate:
    """Decides upgrade requests of one process; opening handshakes are ``websockets``' business."""

    def __init__(self, hub: RealtimeHub, edge: SocketEdge) -> None:
        self._hub = hub
        self._edge = edge
        # Answers without keeping anything of a request: one does for all.
        self._protocol = ServerProtocol(extensions=None)
        # The second it is of, and the head of all answers in it.
        self._accepting = (0, b"")

    def accept(self, head: UpgradeHead) -> bytes | None:
        """
        Return the 101 for a request that was read here.

        Returns:
            None where it may not become a socket: the ordinary path says, and counts, why.
        """
        if head.origin is not None and head.origin not in self._edge.origins():
            return None
        if self._hub.is_draining or len(self._hub.connections.all) >= self._edge.max_sockets:
            return None
        if self._hub.admission.refuses_handshakes():
            return None
        now_s = int(clock.now().timestamp())
        if now_s != self._accepting[0]:
            self._accepting = (now_s, _ACCEPTING % formatdate(now_s, usegmt=True).encode())
        return b"%b%b\r\n\r\n" % (self._accepting[1], accept_key(head.key).encode())

    def answer(self, request: Request) -> Response:
        """Return 101 for a request that may become a socket, else a refusal in words."""
        response = self._refuse(request)
        if response is None:
            response = self._protocol.accept(request)
            # The library keeps it for clients that ask; with its traceback it would keep the request.
            self._protocol.handshake_exc = None
        return response

    def refuse(self, status: HTTPStatus, words: str) -> Response:
        """Write a refusal for good."""
        return self._protocol.reject(status, words)

    def put_off(self, slot_s: float) -> Response:
        """Write a refusal for now, with the client's own time to come back."""
        response = self._protocol.reject(HTTPStatus.SERVICE_UNAVAILABLE, "Come back in a moment.\n")
        response.headers["Retry-After"] = str(1 + int(slot_s))
        return response

    def handshake(self, request: Request, peer: str) -> Handshake:
        """Return what the hub needs to know of an accepted request; ``peer`` is the address it came from."""
        headers = request.headers
        agents = headers.get_all("User-Agent")
        return self._handshake(
            headers.get("Origin"),
            headers.get_all("Cookie"),
            agents[0] if agents else "",
            self._edge.address_of(peer, ",".join(headers.get_all("X-Forwarded-For"))),
        )

    def handshake_of(self, head: UpgradeHead, peer: str) -> Handshake:
        """Return the same of a request that was read here."""
        address = self._edge.address_of(peer, head.forwarded)
        return self._handshake(head.origin, head.cookies, head.user_agent, address)

    def _handshake(self, origin: str | None, cookies: Iterable[str], user_agent: str, address: str) -> Handshake:
        return Handshake(
            # A client that sends no Origin is no browser; a cookie it brings proves nothing about who made it connect.
            cookie_token=None if origin is None else _cookie(cookies, self._edge.cookie_name),
            origin=origin,
            address=address,
            user_agent=user_agent[:USER_AGENT_CHARS],
        )

    def _refuse(self, request: Request) -> Response | None:
        """Check what the library does not: path, Origin, and whether there is room."""
        refused = self._hub.handshakes_refused
        if request.path.partition("?")[0] != PATH:
            refused["path"] += 1
            return self.refuse(HTTPStatus.NOT_FOUND, "Sockets open at /ws.\n")
        if "Transfer-Encoding" in request.headers or not set(request.headers.get_all("Content-Length")) <= {"0"}:
            return self.refuse(HTTPStatus.BAD_REQUEST, "A socket's request has no body.\n")
        if request.headers.get_all("Sec-WebSocket-Version") != [VERSION]:
            return self._refuse_version()
        try:
            origin = request.headers.get("Origin")
        except MultipleValuesError:
            refused["origin"] += 1
            return self.refuse(HTTPStatus.FORBIDDEN, "More than one Origin.\n")
        if origin is not None and origin not in self._edge.origins():
            refused["origin"] += 1
            return self.refuse(HTTPStatus.FORBIDDEN, "This Origin may not open a socket here.\n")
        if self._hub.is_draining or len(self._hub.connections.all) >= self._edge.max_sockets:
            refused["draining" if self._hub.is_draining else "full"] += 1
            return self.put_off(come_back_in_s())
        slot_s = self._hub.admission.handshake_slot_s()
        if slot_s is not None:
            refused["busy"] += 1
            return self.put_off(slot_s)
        return None

    def _refuse_version(self) -> Response:
        """RFC 6455 section 4.4: the answer names the version that is spoken here; the library's does not."""
        response = self.refuse(HTTPStatus.UPGRADE_REQUIRED, f"Sockets speak WebSocket version {VERSION} here.\n")
        response.headers["Upgrade"] = "websocket"
        response.headers["Sec-WebSocket-Version"] = VERSION
        return response


def _cookie(headers: Iterable[str], name: str) -> str | None:
    """An operator's stay in a workspace goes before their own session, as for calls."""
    found = [cookie_parser(header) for header in headers]
    for wanted in (entered_name(name), name):
        for cookies in found:
            if cookies.get(wanted):
                return cookies[wanted]
    return None
