"""The lane over real socket pairs and a hub that records: order, bounds, reused numbers, and sockets that misbehave."""

import asyncio
import gc
import json
import os
import selectors
import socket
import struct
from pathlib import Path

import pytest
from websockets.frames import Close, Frame, Opcode

from hub.realtime import lane as lane_module
from hub.realtime.connections import Connection, Connections, Counters
from hub.realtime.lane import PATIENCE_S, READ_BYTES, TURN_S, Lane
from hub.realtime.ports import Handshake
from hub.realtime.protocol import CloseCode, text_frame
from hub.realtime.readiness import SelectorReadiness, open_readiness
from hub.realtime.session import Phase
from hub.realtime.wheel import Wheel
from tests.realtime_fakes import FakeClock
from tests.waiting import wait_until

FRAME = text_frame(b'{"type":"event"}')


def text(data, opcode=Opcode.TEXT):
    return Frame(opcode, data).serialize(mask=True)


class FakeHub:
    """What a lane asks of the hub; frames are recorded, and ``act`` may do something with each."""

    def __init__(self):
        self.clock = FakeClock()
        self.wheel = Wheel(self.clock())
        self.counters = Counters()
        self.connections = Connections(self._call_soon, self.wheel, self.counters, lambda connection: None)
        self.frames = []
        self.heard = []
        self.closed = []
        self.act = lambda connection, text: None

    def _call_soon(self, callback):
        asyncio.get_running_loop().call_soon(callback)

    def now_s(self):
        return self.clock()

    def attach(self, sink, handshake):
        connection = Connection(self.connections, sink, handshake, self.clock())
        connection.phase = Phase.LIVE
        self.connections.add(connection)
        return connection

    def on_frame(self, connection, data):
        self.frames.append((connection, data))
        self.act(connection, data)

    def on_heard(self, connection):
        self.heard.append(connection)

    def on_pause(self, connection):
        self.connections.pause(connection, self.clock())

    def on_resume(self, connection):
        self.connections.resume(connection)

    def on_close(self, connection, code=0):
        self.closed.append((connection, code))
        self.connections.forget(connection)

    def pass_time(self, seconds):
        self.clock.advance(seconds)
        self.wheel.turn(self.clock())


class Bench:
    """A started lane; sockets are opened as the HTTP side would."""

    def __init__(self, open_set):
        self.hub = FakeHub()
        self.lane = self.hub.connections.shared_sink = Lane(self.hub, open_set=open_set)
        self.peers = []

    def open(self, rest=b"", *, number=None, receive_bytes=0):
        """Adopt one end of a TCP connection, under a wanted number; returns its connection and the peer's end."""
        if number is not None:
            os.dup2(0, number)  # reserved: none of the sockets made here may have it
        with socket.create_server(("127.0.0.1", 0)) as listener:
            peer = socket.socket()
            if receive_bytes:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            peer.connect(listener.getsockname())
            ours, _ = listener.accept()
        ours.setblocking(False)
        peer.setblocking(False)
        self.peers.append(peer)
        fd = ours.detach()
        if number is not None:
            os.dup2(fd, number)
            os.close(fd)
            fd = number
        return self.lane.adopt(fd, Handshake(), rest), peer

    def is_at_rest(self):
        """No socket owns more than its number and its connection."""
        lane = self.lane
        return not (lane._wires or lane._tails or lane._closing)

    async def read(self, peer, size):
        """So many bytes of the hub's."""
        got = b""
        async with asyncio.timeout(5):
            while len(got) < size:
                more = await asyncio.get_running_loop().sock_recv(peer, size - len(got))
                if not more:
                    break
                got += more
        return got


SETS = {"epoll": open_readiness, "selectors": lambda: SelectorReadiness(selectors.EpollSelector())}


@pytest.fixture(params=SETS)
async def bench(request):
    made = Bench(SETS[request.param])
    made.lane.start()
    yield made
    made.lane.stop()
    for peer in made.peers:
        peer.close()


async def test_frames_come_in_and_go_out(bench):
    """Read by the loop's one reader, written at once; an idle socket owns nothing but its number."""
    connection, peer = bench.open()
    peer.send(text(b"1") + text(b"2"))
    await wait_until(lambda: [data for _, data in bench.hub.frames] == [b"1", b"2"])
    bench.lane.write(connection, FRAME)
    assert await bench.read(peer, len(FRAME)) == FRAME
    assert bench.lane.held == 1
    assert bench.is_at_rest()


async def test_bytes_behind_the_request_are_read_first(bench):
    """What the HTTP side read too far comes before what the kernel still has, though a frame is cut between them."""
    data = text(b"first") + text(b"second")
    connection, peer = bench.open(rest=data[:15])
    peer.send(data[15:])
    await wait_until(lambda: bench.hub.frames == [(connection, b"first"), (connection, b"second")])


async def test_half_read_frames_of_many_sockets_do_not_mix(bench):
    """Each sends one frame byte by byte, all interleaved."""
    sockets = [bench.open() for _ in range(10)]
    datas = [text(b"from %d" % number) for number in range(10)]
    for at in range(len(datas[0])):
        for (_, peer), data in zip(sockets, datas, strict=True):
            peer.send(data[at : at + 1])
        await asyncio.sleep(0)
    await wait_until(lambda: len(bench.hub.frames) == 10)
    expected = {(connection, b"from %d" % number) for number, (connection, _) in enumerate(sockets)}
    assert set(bench.hub.frames) == expected
    assert not bench.lane._wires


async def test_order_is_kept_through_full_buffers(bench):
    """Frames of odd sizes against a peer that reads in crumbs: short writes and EAGAIN, every byte in its place."""
    connection, peer = bench.open(receive_bytes=4096)
    frames = [
        text_frame(json.dumps({"n": number, "pad": "x" * (number * 7919 % 40_000)}).encode()) for number in range(100)
    ]
    wanted, got, pauses = b"".join(frames), bytearray(), 0

    async def read_in_crumbs():
        while len(got) < len(wanted):
            got.extend(await asyncio.get_running_loop().sock_recv(peer, 3_001))
            await asyncio.sleep(0)

    reading = asyncio.create_task(read_in_crumbs())
    for frame in frames:
        assert connection.write(frame)
        await asyncio.sleep(0)
        pauses += connection.unwritable_since_s is not None
        await wait_until(lambda: connection.queued_bytes < 500_000)
    await asyncio.wait_for(reading, 20)
    assert got == wanted
    assert pauses > 10
    await wait_until(lambda: connection.unwritable_since_s is None)
    assert not bench.lane._tails


async def test_a_slow_reader_is_told_once_and_closed_after_fifteen_seconds(bench):
    """One gap however much it misses; its memory here is bounded, the kernel's too; the close does not wait for it."""
    connection, _ = bench.open(receive_bytes=4096)
    for number in range(400):
        connection.write(text_frame(b"x" * 20_000 + b"%d" % number))
        await asyncio.sleep(0)
        assert connection.queued_bytes <= 2**20
    assert bench.hub.counters.gaps["slow"] == 1
    assert sum(len(tail) for tail in bench.lane._tails.values()) <= lane_module.TAIL_BYTES
    bench.hub.pass_time(14)
    assert not connection.closed
    bench.hub.pass_time(2)
    assert connection.closed
    assert bench.hub.counters.closes[CloseCode.TOO_SLOW] == 1
    assert bench.lane.held == 1
    bench.hub.pass_time(PATIENCE_S + 1)
    assert bench.lane.held == 0


async def test_a_peer_that_pings_without_reading_gets_no_pongs(bench):
    """They would pile up; it gets them again once it reads."""
    connection, peer = bench.open(receive_bytes=4096)
    while connection.unwritable_since_s is None:
        bench.lane.write(connection, FRAME * 1_000)
    waiting = sum(len(tail) for tail in bench.lane._tails.values())
    heard = len(bench.hub.heard)
    peer.send(text(b"p" * 100, Opcode.PING))
    await wait_until(lambda: len(bench.hub.heard) > heard)
    assert sum(len(tail) for tail in bench.lane._tails.values()) <= waiting


async def test_a_close_frame_goes_behind_what_is_queued(bench):
    """The peer reads everything, then the close frame, then the end; ours stays open until it ends its side."""
    connection, peer = bench.open(receive_bytes=4096)
    sent = 0
    while connection.unwritable_since_s is None:
        bench.lane.write(connection, FRAME * 1_000)
        sent += len(FRAME) * 1_000
    bench.hub.connections.close(connection, 4000, "later")
    last = b"\x88\x07" + (4000).to_bytes(2, "big") + b"later"
    got = await bench.read(peer, sent + len(last) + 1)
    assert got == FRAME * (sent // len(FRAME)) + last
    assert bench.lane.held == 1
    peer.send(text(Close(4000, "").serialize(), Opcode.CLOSE))
    peer.shutdown(socket.SHUT_WR)
    await wait_until(lambda: bench.lane.held == 0)


async def test_a_close_of_the_peers_is_answered_though_it_ended_its_side(bench):
    """Frames, close and the end of its side in one packet: all are read, the same code comes back."""
    connection, peer = bench.open()
    close = Close(4321, "done").serialize()
    peer.send(text(b"1") + text(close, Opcode.CLOSE))
    peer.shutdown(socket.SHUT_WR)
    assert await bench.read(peer, 100) == Frame(Opcode.CLOSE, close).serialize(mask=False)
    await wait_until(lambda: bench.lane.held == 0)
    assert bench.hub.frames == [(connection, b"1")]
    assert bench.hub.closed == [(connection, 0)]


async def test_a_peer_that_ends_without_a_word_is_forgotten(bench):
    """Its descriptor is closed, the hub is told once."""
    connection, peer = bench.open()
    fd = connection.fd
    peer.shutdown(socket.SHUT_WR)
    await wait_until(lambda: bench.hub.closed == [(connection, 0)])
    assert bench.lane.held == 0
    with pytest.raises(OSError):
        os.fstat(fd)


async def test_reset_sockets_among_many_cost_themselves_only(bench):
    """Every third peer resets; the others get their frame from the same turn."""
    sockets = [bench.open() for _ in range(30)]
    for _, peer in sockets[::3]:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
    for connection, _ in sockets:
        connection.write(FRAME)
    alive = [peer for number, (_, peer) in enumerate(sockets) if number % 3]
    for peer in alive:
        assert await bench.read(peer, len(FRAME)) == FRAME
    await wait_until(lambda: bench.lane.held == 20)
    assert set(bench.hub.connections.all) == {
        connection for number, (connection, _) in enumerate(sockets) if number % 3
    }


async def test_one_frame_for_many_reaches_all_but_the_dead_and_waits_for_the_slow(bench):
    """Written in one call: a full socket gets it behind what waits, a dead one costs only itself."""
    healthy, slow, dead, last = [bench.open(receive_bytes=4096) for _ in range(4)]
    bench.lane.write(slow[0], FRAME * 100_000)
    assert slow[0].unwritable_since_s is not None
    number, dead[0].fd = dead[0].fd, 10**6
    connections = [one[0] for one in (healthy, slow, dead, last)]
    failed = bench.lane.write_all(connections, FRAME)
    assert [(connection, type(error)) for connection, error in failed] == [(dead[0], OSError)]
    dead[0].fd = number
    for _, peer in (healthy, last):
        assert await bench.read(peer, len(FRAME)) == FRAME
    assert await bench.read(slow[1], 100_001 * len(FRAME)) == FRAME * 100_001
    assert healthy[0].unwritable_since_s is None


async def test_sockets_owed_different_things_get_each_their_own(bench):
    """What is shared is written together, what is not alone; counted like single writes."""
    sockets = [bench.open() for _ in range(6)]
    connections = [connection for connection, _ in sockets]
    own = text_frame(b'{"type":"ack"}')
    connections[2].write(own)
    bench.hub.connections.write_to_all(connections, FRAME, 0)
    connections[4].write(own)
    bench.hub.connections.flush()
    expected = [FRAME, FRAME, own + FRAME, FRAME, FRAME + own, FRAME]
    for (_, peer), wanted in zip(sockets, expected, strict=True):
        assert await bench.read(peer, len(wanted)) == wanted
    assert bench.hub.counters.frames_out == 8
    assert bench.hub.counters.bytes_out == sum(map(len, expected))


async def test_a_frame_that_fails_costs_its_own_socket(bench, caplog):
    """Whatever the hub raises: that socket is closed with 1011, its neighbours are served on."""
    bad, bad_peer = bench.open()
    good, good_peer = bench.open()

    def act(connection, data):
        if connection is bad:
            raise RuntimeError("planted")

    bench.hub.act = act
    bad_peer.send(text(b"x"))
    good_peer.send(text(b"y"))
    await wait_until(lambda: (good, b"y") in bench.hub.frames and bad.closed)
    assert (1011).to_bytes(2, "big") in await bench.read(bad_peer, 1_000)
    assert not good.closed


class Script:
    """A set that names what a test wants, as one batch."""

    def __init__(self):
        # Never readable: the loop does not turn the lane by itself.
        self.quiet = os.pipe()
        self.batches = []
        self.asked = 0

    def fileno(self):
        return self.quiet[0]

    def add(self, fd):
        pass

    def want_write(self, fd, on):
        pass

    def remove(self, fd):
        pass

    def close(self):
        for fd in self.quiet:
            os.close(fd)

    def take(self, limit):
        self.asked += 1
        return self.batches.pop(0) if self.batches else []


@pytest.fixture
async def script():
    readiness = Script()
    made = Bench(lambda: readiness)
    made.set = readiness
    made.lane.start()
    yield made
    made.lane.stop()
    for peer in made.peers:
        peer.close()


async def test_a_number_reused_within_a_batch_is_not_mistaken(script):
    """A frame of one socket ends another and opens a third, which gets the number the same batch still speaks of."""
    first, first_peer = script.open()
    second, second_peer = script.open()
    number, opened = second.fd, []

    def act(connection, data):
        if data == b"go":
            script.lane._lose(second.fd)
            opened.append(script.open(number=number))

    script.hub.act = act
    first_peer.send(text(b"go"))
    second_peer.send(text(b"lost"))
    await asyncio.sleep(0.01)
    script.set.batches.append([(first.fd, True, False), (number, True, True), (number, True, True)])
    script.lane._turn()
    ((third, third_peer),) = opened
    assert third.fd == number
    assert second.closed
    assert second.fd == -1
    assert not third.closed
    assert [data for _, data in script.hub.frames] == [b"go"]
    # The dead one cannot reach the new one's socket either.
    with pytest.raises(OSError):
        script.lane.write(second, FRAME)
    script.lane.write(third, FRAME)
    assert await script.read(third_peer, len(FRAME)) == FRAME


async def test_a_turn_ends_in_time_and_goes_on_where_it_ended(script):
    """By the clock: three sockets at 6 ms each fill a turn of 10 ms after two; the third is first in the next."""
    ticks = iter(range(1_000))
    script.lane._monotonic_s = lambda: next(ticks) * TURN_S * 0.6
    sockets = [script.open() for _ in range(3)]
    for number, (_, peer) in enumerate(sockets):
        peer.send(text(b"%d" % number))
    await asyncio.sleep(0.01)
    script.set.batches.append([(connection.fd, True, False) for connection, _ in sockets])
    script.lane._turn()
    assert [data for _, data in script.hub.frames] == [b"0", b"1"]
    asked = script.set.asked
    script.lane._turn()
    assert [data for _, data in script.hub.frames] == [b"0", b"1", b"2"]
    assert script.set.asked == asked


async def test_a_flooding_peer_has_its_share_of_a_turn_only(bench):
    """With megabytes of tiny frames waiting, one turn reads one piece of them, and the neighbour is served in it."""
    _, flood = bench.open()
    _, other_peer = bench.open()
    tiny = text(b"x") * 20_000
    sent = flood.send(tiny)
    other_peer.send(text(b"hello"))
    await wait_until(lambda: any(data == b"hello" for _, data in bench.hub.frames))
    before = [data for _, data in bench.hub.frames].index(b"hello")
    assert before <= 3 * READ_BYTES // len(text(b"x"))
    assert sent > 10 * READ_BYTES


def open_descriptors():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_sockets_that_come_and_go_leave_nothing(bench):
    """A thousand, closed by either side: no descriptor, no object, no entry."""
    for _ in range(20):
        connection, peer = bench.open()
        bench.lane._lose(connection.fd)
        peer.close()
    bench.peers.clear()
    bench.hub.closed.clear()
    gc.collect()
    descriptors = open_descriptors()
    objects = sum(isinstance(one, Connection) for one in gc.get_objects())
    for batch in range(20):
        sockets = [bench.open() for _ in range(50)]
        for connection, peer in sockets:
            peer.send(text(b"half a frame")[:5] if batch % 2 else text(b"whole"))
            if batch % 3:
                peer.close()
            else:
                bench.hub.connections.close(connection, 4000, "go")
                peer.close()
        bench.peers.clear()
        await wait_until(lambda: bench.lane.held == 0)
    bench.hub.closed.clear()
    bench.hub.frames.clear()
    bench.hub.heard.clear()
    bench.hub.pass_time(200)
    del sockets, connection, peer
    gc.collect()
    assert open_descriptors() == descriptors
    assert sum(isinstance(one, Connection) for one in gc.get_objects()) <= objects
    assert bench.is_at_rest()
    assert not any(bench.lane._connections)


async def test_stop_gives_every_descriptor_back(bench):
    """Live, closing and half-written ones."""
    live, _ = bench.open()
    closing, _ = bench.open()
    bench.hub.connections.close(closing, 4000, "go")
    full, _ = bench.open(receive_bytes=4096)
    while full.unwritable_since_s is None:
        bench.lane.write(full, FRAME * 1_000)
    assert bench.lane.held == 3
    waiting = asyncio.create_task(bench.lane.wait_until_empty())
    await asyncio.sleep(0)
    bench.lane.stop()
    await asyncio.wait_for(waiting, 5)
    assert (bench.lane.held, live.closed, full.closed) == (0, True, True)
    with pytest.raises(OSError):
        bench.lane.adopt(0, Handshake(), b"")


async def test_a_dead_socket_cannot_be_adopted():
    """The caller keeps what could not be taken; nothing is counted."""
    hub = FakeHub()
    lane = Lane(hub)
    lane.start()
    ours, peer = socket.socketpair()
    peer.close()
    with pytest.raises(OSError):
        lane.adopt(ours.fileno(), Handshake(), b"", answer=b"HTTP/1.1 101")
    assert (lane.held, len(hub.connections.all)) == (0, 0)
    ours.close()
    lane.stop()


async def test_without_a_set_the_lane_stays_shut():
    """The ordinary path serves then."""
    lane = Lane(FakeHub(), open_set=lambda: None)
    lane.start()
    assert not lane.is_open
    lane.stop()
