"""A small HTTP/1.1 server on asyncio that can also misbehave: take a request and never answer, or reset the line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl, urlsplit

import h11

BODY_LIMIT_BYTES = 16 << 20


class Cut(Enum):
    """Ways not to answer."""

    HOLD = "hold"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names in lower case."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Answer | Cut]]


def as_json(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Make an answer of a JSON value."""
    return Answer(status, json.dumps(value).encode(), headers=headers or {})


class Listener:
    """A running server; ``close`` also ends the connections it has."""

    def __init__(self, handler: Handler, body_limit_bytes: int = BODY_LIMIT_BYTES) -> None:
        self._handler = handler
        self._body_limit_bytes = body_limit_bytes
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on loopback; port 0 lets the system choose."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(ConnectionError, h11.RemoteProtocolError):
                await _converse(self._handler, reader, writer, self._body_limit_bytes)
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def listen(handler: Handler, port: int = 0, body_limit_bytes: int = BODY_LIMIT_BYTES) -> AsyncIterator[Listener]:
    """Serve ``handler`` while the block runs."""
    listener = Listener(handler, body_limit_bytes)
    await listener.start(port)
    try:
        yield listener
    finally:
        await listener.close()


async def _converse(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body_limit_bytes: int
) -> None:
    connection = h11.Connection(h11.SERVER)
    while True:
        request = await _read(connection, reader, body_limit_bytes)
        if request is None:
            return
        answer = await handler(request)
        if answer is Cut.HOLD:
            # Until the client gives up and closes.
            await reader.read()
            return
        if isinstance(answer, Cut):
            _reset(writer)
            return
        writer.write(_encode(connection, answer))
        await writer.drain()
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return
        connection.start_next_cycle()


async def _read(connection: h11.Connection, reader: asyncio.StreamReader, body_limit_bytes: int) -> Request | None:
    head: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > body_limit_bytes:
                return None
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            parts = urlsplit(head.target.decode("ascii"))
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
            query = parse_qsl(parts.query, keep_blank_values=True)
            return Request(head.method.decode("ascii"), parts.path, query, headers, bytes(body))
        else:
            return None


def _encode(connection: h11.Connection, answer: Answer) -> bytes:
    headers = [
        ("Content-Type", answer.content_type),
        ("Content-Length", str(len(answer.body))),
        *answer.headers.items(),
    ]
    head = connection.send(h11.Response(status_code=answer.status, headers=headers)) or b""
    data = connection.send(h11.Data(data=answer.body)) or b""
    return head + data + (connection.send(h11.EndOfMessage()) or b"")


def _reset(writer: asyncio.StreamWriter) -> None:
    # Linger 0 makes the close a RST instead of a FIN.
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
