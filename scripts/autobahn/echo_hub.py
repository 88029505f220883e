"""
The hub's own socket layer under an application that only echoes: what Autobahn|Testsuite's fuzzing client speaks to.

Not the hub: there is no hello, no rate and no JSON here. Handshake, framing, closing and writing are the product's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, cast

import uvicorn

from api.ws import SocketEdge, SocketHttp, make_ws_protocol
from hub.realtime.broker_memory import MemoryBroker, MemoryBus
from hub.realtime.hub import RealtimeHub
from hub.realtime.lane import Lane
from hub.realtime.ports import Handshake, Ports
from hub.realtime.presence import MemoryPresence
from hub.realtime.protocol import text_frame
from hub.realtime.wire import Binary, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hub.realtime.connections import Connection, Sink

# The largest message of the suite is 16 MiB.
FRAME_LIMIT_BYTES = 32 * 1024 * 1024
PATHS = ("lane", "ordinary")
_BINARY_FINAL = 0x82


class _NoPorts:
    """Nobody is authorised, nothing is read or written."""

    def epoch(self) -> int:
        return 1

    def __getattr__(self, name: str) -> Callable[..., object]:
        def ask(*_arguments: object) -> object:
            raise AssertionError(f"An echo never asks for {name}.")

        return ask


class EchoHub(RealtimeHub):
    """Its lane alone is started: no timer, no store; every connection counts as welcomed and may say what it likes."""

    def __init__(self) -> None:
        super().__init__(
            cast("Ports", _NoPorts()), MemoryBroker(MemoryBus()), MemoryPresence(lambda: 0.0), secret_key=b"e" * 32
        )
        self.lane = Lane(self, new_wire=lambda: Wire(FRAME_LIMIT_BYTES, takes_binary=True))
        # What a socket is still owed while it takes no bytes; the hub's own queue is bounded, an echo must be whole.
        self._owed: dict[Connection, list[bytes]] = {}

    def attach(self, sink: Sink, handshake: Handshake) -> Connection:
        connection = super().attach(sink, handshake)
        self._owed[connection] = []
        return connection

    def on_frame(self, connection: Connection, text: bytes) -> None:
        frame = text_frame(text)
        if isinstance(text, Binary):
            frame = bytes([_BINARY_FINAL]) + frame[1:]
        if connection.unwritable_since_s is not None or self._owed[connection]:
            self._owed[connection].append(frame)
        else:
            connection.write(frame)

    def on_resume(self, connection: Connection) -> None:
        super().on_resume(connection)
        owed = self._owed.get(connection, [])
        while owed and connection.unwritable_since_s is None and connection.write(owed[0]):
            del owed[0]

    def on_close(self, connection: Connection, code: int = 0) -> None:
        super().on_close(connection, code)
        self._owed.pop(connection, None)


@contextlib.asynccontextmanager
async def echoing(path: str) -> AsyncIterator[int]:
    """
    Serve echoes on a free port of loopback.

    Args:
        path: One of ``PATHS``: which of the two socket paths.

    Yields:
        The port.
    """
    assert path in PATHS, path
    hub = EchoHub()
    hub.lane.start()
    listener = socket.create_server(("127.0.0.1", 0))
    edge = SocketEdge(frozenset, "none", detaches=path == "lane")
    config = uvicorn.Config(
        _nothing, ws=make_ws_protocol(hub, edge), http=SocketHttp, lifespan="off", log_config=None,
        timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]  # signals are the caller's
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await running
        hub.lane.stop()


async def _nothing(scope: object, receive: object, send: object) -> None:  # noqa: ARG001
    raise AssertionError("Nothing but sockets is asked for here.")
