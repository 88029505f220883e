"""What becomes of a connection between accept and its first bytes, over a real listener."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from api.listener import OpenListeners, WorkerListener
from api.serve import listen
from api.ws_arrivals import QUIET_S, Arrivals
from api.ws_upgrade import SocketEdge
from hub.descriptors import Room
from tests.realtime_fakes import Rig
from tests.waiting import wait_until

REQUEST = (
    b"GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Uvicorn(asyncio.Protocol):
    """Stands for uvicorn: notes what it is given."""

    def __init__(self, made):
        self.data = b""
        made.append(self)

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data


class Door:
    """A listener with arrivals, a hub over fakes behind it."""

    def __init__(self, rig, **edge):
        self.rig, self.made = rig, []
        self.arrivals = Arrivals(rig.hub, SocketEdge(lambda: frozenset(), "hub_session", **edge))
        first = listen("127.0.0.1", 0, shared=False)
        self.port = first.getsockname()[1]
        self.listener = WorkerListener(first, Room(20_000), OpenListeners(), listen=lambda: first)

    async def connect(self, data=b""):
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        return reader, writer

    async def pass_time(self, seconds):
        self.rig.clock.advance(seconds)
        self.rig.hub.wheel.turn(self.rig.clock())
        await asyncio.sleep(0)


@pytest.fixture
async def door(request):
    async with Rig() as rig:
        made = Door(rig, **getattr(request, "param", {}))
        await made.listener.start(lambda: Uvicorn(made.made), made.arrivals)
        yield made
        made.listener.end()
        await asyncio.sleep(0)
        for one in made.made:
            one.transport.abort()
        await asyncio.sleep(0)


async def test_an_upgrade_goes_into_the_lane_without_a_transport(door):
    """Answered there, with a bounded send buffer; uvicorn never hears of it."""
    reader, writer = await door.connect(REQUEST)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert (door.rig.hub.lane.held, door.made, len(door.arrivals)) == (1, [], 0)
    fd = next(iter(door.rig.hub.connections.all)).fd
    with socket.socket(fileno=fd) as held:
        assert held.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * 64 * 1024
        assert held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not held.get_inheritable()
        held.detach()
    writer.close()
    await wait_until(lambda: door.rig.hub.lane.held == 0)


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n", REQUEST[:40], b"\x16\x03\x01", b"G"])
async def test_anything_else_reaches_uvicorn_whole(door, data):
    """From the first byte on, however little there is; what comes later follows."""
    _, writer = await door.connect(data)
    await wait_until(lambda: door.made and door.made[0].data == data)
    writer.write(b"more")
    await wait_until(lambda: door.made[0].data == data + b"more")
    assert (door.rig.hub.lane.held, len(door.arrivals)) == (0, 0)
    writer.close()


async def test_who_speaks_late_is_taken_all_the_same(door):
    """The first bytes wake us, within the time that is ours."""
    reader, writer = await door.connect()
    await wait_until(lambda: len(door.arrivals) == 1)
    writer.write(REQUEST)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert (len(door.arrivals), door.made) == (0, [])
    writer.close()


async def test_who_says_nothing_is_passed_on_and_served_there(door):
    """Uvicorn has a time limit for a request's head, and says so."""
    _, writer = await door.connect()
    await wait_until(lambda: len(door.arrivals) == 1)
    await door.pass_time(QUIET_S + 2)
    await wait_until(lambda: len(door.made) == 1)
    assert len(door.arrivals) == 0
    writer.write(REQUEST)
    await wait_until(lambda: door.made[0].data == REQUEST)
    writer.close()


async def test_who_leaves_without_a_word_is_forgotten(door):
    """By an end or a reset."""
    for linger in (None, b"\x01\x00\x00\x00\x00\x00\x00\x00"):
        _, writer = await door.connect()
        await wait_until(lambda: len(door.arrivals) == 1)
        if linger is not None:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        await wait_until(lambda: len(door.arrivals) == 0)
    assert door.made == []


async def test_the_end_passes_on_who_waits(door):
    """Whoever is connected when the worker stops is uvicorn's to end."""
    _, writer = await door.connect()
    await wait_until(lambda: len(door.arrivals) == 1)
    door.listener.end()
    await wait_until(lambda: len(door.made) == 1)
    assert len(door.arrivals) == 0
    writer.close()


@pytest.mark.parametrize("door", [{"max_sockets": 0}, {"detaches": False}], indirect=True, ids=["full", "no lane"])
async def test_who_would_be_refused_is_refused_by_the_ordinary_path(door):
    """Which counts it, and has the words."""
    _, writer = await door.connect(REQUEST)
    await wait_until(lambda: door.made and door.made[0].data == REQUEST)
    writer.close()


class FailsOnce:
    """Says whom a connection serves, from the second time on."""

    def __init__(self):
        self.asked = 0

    def __call__(self, peer, _forwarded):
        self.asked += 1
        if self.asked == 1:
            raise LookupError(peer)
        return peer


@pytest.mark.parametrize("door", [{"address_of": FailsOnce()}], indirect=True, ids=["address"])
async def test_a_bug_costs_one_connection(door):
    """Those that come with it are served, and nobody is asked again and again."""
    first, one = await door.connect(REQUEST)
    with contextlib.suppress(ConnectionResetError):
        assert await first.read() == b""
    second, other = await door.connect(REQUEST)
    assert (await second.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    assert (door.rig.hub.lane.held, len(door.arrivals), door.made) == (1, 0, [])
    one.close()
    other.close()
