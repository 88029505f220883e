"""Bounds on a request's head, over a real socket."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from api.http_protocol import BoundedHttp
from api.listener import OpenListeners, WorkerListener
from api.serve import listen
from api.server import DrainingServer
from hub.descriptors import Room, raise_limit

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n"


class ImpatientHttp(BoundedHttp):
    """Waits for a head for a fraction of a second."""

    head_timeout_s = 0.3


@pytest.fixture
async def port():
    """A server with an application that says hello."""
    listener = listen("127.0.0.1", 0, shared=False)
    number = listener.getsockname()[1]
    config = uvicorn.Config(
        PlainTextResponse("hello"), http=ImpatientHttp, ws="none", lifespan="off", log_config=None, loop="none"
    )
    started = asyncio.Event()
    taking = WorkerListener(listener, Room(raise_limit()), OpenListeners(), listen=lambda: listener)
    server = DrainingServer(config, taking, on_started=started.set)
    running = asyncio.create_task(server.serve(sockets=[]))
    await started.wait()
    yield number
    server.drain()
    await running


async def exchange(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Send pieces with pauses between them, and return everything answered until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(5):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_ordinary_request_is_answered(port):
    """A head that comes at once, or in two pieces, is fine."""
    closing = b"connection: close\r\n\r\n"
    assert (await exchange(port, REQUEST + closing)).endswith(b"hello")
    assert (await exchange(port, REQUEST, closing, pause_s=0.05)).endswith(b"hello")


@pytest.mark.parametrize("pieces", [(), (b"GET",), (REQUEST,), (REQUEST, b"a: b\r\n", b"c: d\r\n")])
async def test_head_that_trickles_is_ended(port, pieces):
    """Nobody holds a connection by saying nothing, or a byte now and then."""
    answer = await exchange(port, *pieces, pause_s=0.12)
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_second_head_that_trickles_is_ended(port):
    """A good first request buys no patience for the next."""
    answer = await exchange(port, REQUEST + b"\r\n", REQUEST, pause_s=0.05)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer


async def test_slow_answer_is_not_cut(port):
    """The time is for the head only: a kept-alive connection that rests is not refused."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        writer.write(REQUEST + b"\r\n")
        assert b"hello" in await reader.readuntil(b"hello")
        await asyncio.sleep(0.5)
    writer.close()


async def test_endless_head_is_refused(port):
    """Headers beyond the limit are refused while they come in, not kept."""
    lines = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(8))
    answer = await exchange(port, REQUEST, *([lines] * 8), pause_s=0.01)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert b"200" not in answer


@pytest.mark.parametrize("before", [b"", REQUEST + b"\r\n"], ids=["first", "second"])
async def test_large_head_is_refused_though_it_comes_at_once(port, before):
    """One packet may hold a whole head that is too large: it is refused like one that comes in pieces."""
    head = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(40))
    answer = await exchange(port, *([before] if before else []), REQUEST + head + b"\r\n", pause_s=0.05)
    assert answer.count(b"HTTP/1.1 431 ") == 1
    assert answer.count(b"HTTP/1.1 200 ") == (1 if before else 0)


# What one server takes for the end of a message and another for the middle of it.
AMBIGUOUS = {
    "length and chunks": b"content-length: 4\r\ntransfer-encoding: chunked\r\n",
    "two lengths": b"content-length: 4\r\ncontent-length: 40\r\n",
    "chunks not last": b"transfer-encoding: chunked, identity\r\n",
    "unknown coding": b"transfer-encoding: xchunked\r\n",
    "space before the colon": b"transfer-encoding : chunked\r\n",
    "length with a sign": b"content-length: +4\r\n",
    "folded header": b"x: y\r\n transfer-encoding: chunked\r\n",
}


@pytest.mark.parametrize("fields", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
async def test_message_without_one_clear_end_is_refused(port, fields):
    """Two ways to read its end would smuggle a second request past a proxy: neither is answered, and the end is there."""
    smuggled = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n"
    answer = await exchange(port, b"POST / HTTP/1.1\r\nhost: x\r\n" + fields + b"\r\n" + smuggled)
    assert answer.count(b"HTTP/1.1 200 ") == 0
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


async def test_large_body_behind_a_small_head_is_no_large_head(port):
    """What counts is the head, however much comes along with it."""
    body = b"x" * 40_000
    answer = await exchange(port, REQUEST + b"connection: close\r\ncontent-length: 40000\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_taken_port_is_said_so():
    """The operator reads which address is taken."""
    from hub.errors import ConfigurationError

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}") as caught:
            listen("127.0.0.1", port, shared=False)
    assert caught.value.field == "HUB_PORT"


def test_host_that_is_not_ours_is_said_so():
    """So is an address of another machine, or of none."""
    from hub.errors import ConfigurationError

    for host in ("203.0.113.1", "no such host"):
        with pytest.raises(ConfigurationError):
            listen(host, 0, shared=False)


def test_workers_share_a_port():
    """With several workers each has its own socket on the one port."""
    first = listen("127.0.0.1", 0, shared=True)
    second = listen("127.0.0.1", first.getsockname()[1], shared=True)
    assert first.getsockname() == second.getsockname()
    first.close()
    second.close()
