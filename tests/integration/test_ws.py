"""
The socket layer over a real uvicorn on a loopback port, spoken to by the ``websockets`` client and by raw sockets.

Each claim is tried on the lane and on the ordinary path, on uvloop (which serves) and on asyncio.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gc
import itertools
import json
import socket
import ssl
import struct
import weakref
from ipaddress import IPv4Address
from pathlib import Path
from uuid import uuid4

import pytest
import uvicorn
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from api.listener import OpenListeners, WorkerListener
from api.server import DrainingServer
from api.ws import HubSocket, SocketEdge, SocketHttp, make_ws_protocol
from api.ws_arrivals import Arrivals
from hub.descriptors import Room
from hub.realtime.connections import Connection
from hub.realtime.wire import Wire
from tests.realtime_fakes import Rig, settle
from tests.waiting import wait_until

ORIGIN = "https://hub.example"
REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)


async def page(scope, receive, send):
    """The HTTP application beside the sockets."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def watched_http(made):
    """The HTTP protocol, each of whose objects is noted without being kept."""

    class Watched(SocketHttp):
        def connection_made(self, transport):
            made.add(self)
            # asyncio's own transport refers to itself; the garbage collector finds it.
            if isinstance(self.loop, uvloop.Loop) and transport.get_extra_info("sslcontext") is None:
                made.add(transport)
            super().connection_made(transport)

    return Watched


class Server:
    """uvicorn with a hub over fakes."""

    def __init__(self, rig, *, detaches, certificate=None, arrives=False):
        self.rig = rig
        self.lane = rig.hub.lane
        self.detaches = detaches and certificate is None
        self.tls = None if certificate is None else ssl.create_default_context(cafile=certificate)
        self.https = weakref.WeakSet()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        edge = SocketEdge(lambda: frozenset({ORIGIN}), "hub_session", max_sockets=50, detaches=detaches)
        config = uvicorn.Config(
            page, ws=make_ws_protocol(rig.hub, edge), http=watched_http(self.https), lifespan="off", log_config=None,
            timeout_graceful_shutdown=5, ssl_certfile=certificate,
        )  # fmt: skip
        if arrives:
            taking = WorkerListener(self.listener, Room(20_000), OpenListeners(), listen=lambda: self.listener)
            arrivals = Arrivals(rig.hub, edge)
            self.server, self.sockets = DrainingServer(config, taking, on_started=int, arrivals=arrivals), []
        else:
            self.server, self.sockets = uvicorn.Server(config), [self.listener]
            self.server.capture_signals = contextlib.nullcontext

    @property
    def url(self):
        return f"{'ws' if self.tls is None else 'wss'}://127.0.0.1:{self.port}/ws"

    def connect(self, url=None, **options):
        return connect(url or self.url, **({"compression": None, "ssl": self.tls} | options))

    async def raw(self):
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls)

    async def raw_socket(self):
        """A connection whose handshake is done, answer included."""
        reader, writer = await self.raw()
        writer.write(REQUEST.format(path="/ws", more="").encode())
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        return reader, writer

    @property
    def held(self):
        """Sockets that still cost a descriptor, whichever path they are on."""
        return self.lane.held + sum(isinstance(one, HubSocket) for one in self.server.server_state.connections)


@contextlib.asynccontextmanager
async def serving(*, detaches=True, certificate=None, arrives=False):
    async with Rig() as rig:
        made = Server(rig, detaches=detaches, certificate=certificate, arrives=arrives)
        running = asyncio.create_task(made.server.serve(sockets=made.sockets))
        await wait_until(lambda: made.server.started)
        try:
            yield made
        finally:
            made.server.should_exit = True
            await running


@pytest.fixture(params=["arrivals", "lane", "ordinary"])
async def server(request):
    async with serving(detaches=request.param != "ordinary", arrives=request.param == "arrivals") as made:
        yield made


async def say(ws, type_, **fields):
    await ws.send(json.dumps({"type": type_, **fields}))


async def hello(ws, cursor=0, **fields):
    await say(ws, "hello", protocol=1, cursor={"epoch": 1, "seq": cursor}, **({"ticket": "t"} | fields))


async def next_of(ws, type_):
    """The next frame of a type; others are passed over."""
    async with asyncio.timeout(5):
        while (frame := json.loads(await ws.recv()))["type"] != type_:
            pass
    return frame


async def close_code(ws):
    """Read to the end; the code of the hub's close frame."""
    try:
        async with asyncio.timeout(5):
            while True:
                await ws.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_a_client_receives_sends_and_resumes(server):
    """The example of docs/protocol.md over a real socket, then a reconnect with the resume ticket."""
    server.rig.ports.member()
    async with server.connect() as ws:
        await hello(ws)
        ticket = (await next_of(ws, "welcome"))["resume_ticket"]
        server.rig.commit()
        assert (await next_of(ws, "event"))["seq"] == 1
        await say(ws, "send", client_message_id=str(uuid4()), conversation_id=str(uuid4()), text="On its way.")
        assert (await next_of(ws, "ack"))["seq"] == 2
    server.rig.commit()
    async with server.connect() as ws:
        await hello(ws, cursor=1, resume_ticket=ticket, ticket=None)
        assert (await next_of(ws, "welcome"))["recovered"] is True
        assert [(await next_of(ws, "event"))["seq"] for _ in range(2)] == [2, 3]
    await wait_until(lambda: not server.rig.hub.connections.all)


async def test_hello_again_on_the_same_socket_resumes_in_place(server):
    """A second hello is answered with a second welcome and the events after its cursor."""
    server.rig.ports.member()
    for _ in range(3):
        server.rig.ports.append()
    async with server.connect() as ws:
        await hello(ws, cursor=3)
        await next_of(ws, "welcome")
        await say(ws, "hello", protocol=1, cursor={"epoch": 1, "seq": 1})
        await next_of(ws, "welcome")
        assert [(await next_of(ws, "event"))["seq"] for _ in range(2)] == [2, 3]


async def test_a_wrong_origin_is_refused_and_the_right_one_brings_its_cookie(server):
    """Exact match; without an Origin the cookie does not count."""
    server.rig.ports.member(ticket="sess")
    cookie = {"Cookie": "other=1; hub_session=sess"}
    for wrong in ("https://evil.example", "https://hub.example.evil", "null", "HTTPS://HUB.EXAMPLE"):
        with pytest.raises(InvalidStatus) as refused:
            async with server.connect(origin=wrong):
                pass
        assert refused.value.response.status_code == 403
    async with server.connect(origin=ORIGIN, additional_headers=cookie) as ws:
        await hello(ws, ticket=None, workspace_id=1)
        await next_of(ws, "welcome")
    async with server.connect(additional_headers=cookie) as ws:
        await hello(ws, ticket=None, workspace_id=1)
        assert await close_code(ws) == 4501


async def test_only_get_ws_of_version_13_opens_a_socket(server):
    """Other paths are 404, other versions 426; no extension is agreed to."""
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect(f"ws://127.0.0.1:{server.port}/elsewhere"):
            pass
    assert refused.value.response.status_code == 404
    async with connect(server.url, compression="deflate") as ws:
        assert ws.protocol.extensions == []
    reader, writer = await server.raw()
    writer.write(REQUEST.format(path="/ws", more="").replace("Version: 13", "Version: 8").encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 426")
    writer.close()


async def test_http_beside_the_sockets_still_answers(server):
    """The same port serves the application."""
    reader, writer = await server.raw()
    writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")
    assert (await reader.read()).endswith(b"ok")
    writer.close()


@pytest.mark.parametrize("pieces", [1, 3])
async def test_a_frame_that_comes_with_the_upgrade_request_is_kept(server, pieces):
    """hello in the same packet as the request, or in pieces around its end, is answered."""
    server.rig.ports.member()
    text = json.dumps({"type": "hello", "protocol": 1, "ticket": "t"}).encode()
    data = REQUEST.format(path="/ws", more="").encode() + Frame(Opcode.TEXT, text).serialize(mask=True)
    reader, writer = await server.raw()
    cuts = [0, len(data)] if pieces == 1 else [0, 20, len(data) - 30, len(data)]
    for start, end in itertools.pairwise(cuts):
        writer.write(data[start:end])
        await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        assert b'"welcome"' in await reader.readuntil(b'"welcome"')
    writer.close()


async def test_an_oversized_frame_is_closed_with_1009(server):
    """64 KiB pass, one byte more does not, fragmented or not; the client sees the code."""
    server.rig.ports.member()
    async with server.connect() as ws:
        await hello(ws)
        await next_of(ws, "welcome")
        await ws.send(json.dumps({"type": "dance", "pad": ""}).replace('""', '"' + "x" * (65_536 - 28) + '"'))
        assert (await next_of(ws, "error"))["field"] == "type"
        await ws.send("x" * 65_537)
        assert await close_code(ws) == 1009
    async with server.connect() as ws:
        with contextlib.suppress(ConnectionClosed):
            await ws.send(["x" * 40_000, "x" * 40_000, "x" * 500_000])
        assert await close_code(ws) == 1009
    await wait_until(lambda: server.rig.hub.counters.closes[1009] == 2)


async def test_bad_utf8_binary_and_unmasked_frames_are_closed_by_their_codes(server):
    """1007, 1003 and 1002 of RFC 6455; the hub forgets each connection."""
    for frame, code in (
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (Frame(Opcode.BINARY, b"x").serialize(mask=True), 1003),
        (Frame(Opcode.TEXT, b"x").serialize(mask=False), 1002),
    ):
        reader, writer = await server.raw_socket()
        writer.write(frame)
        async with asyncio.timeout(5):
            answer = await reader.read(4096)
            while code.to_bytes(2, "big") not in answer:
                more = await reader.read(4096)
                assert more, f"no close frame with {code}"
                answer += more
        writer.close()
    await wait_until(lambda: not server.rig.hub.connections.all)


async def test_a_fragmented_frame_is_read_as_one(server):
    """Fragments with a ping between them."""
    server.rig.ports.member()
    text = json.dumps({"type": "hello", "protocol": 1, "ticket": "t"}).encode()
    async with server.connect() as ws:
        for frame in (
            Frame(Opcode.TEXT, text[:10], fin=False), Frame(Opcode.PING, b"p"),
            Frame(Opcode.CONT, text[10:20], fin=False), Frame(Opcode.CONT, text[20:]),
        ):  # fmt: skip
            ws.transport.write(frame.serialize(mask=True))
        await next_of(ws, "welcome")


async def test_a_slow_reader_gets_one_gap_and_catches_up(server):
    """It stops reading amid megabytes; the hub's memory stays bounded; one gap, one hello, nothing lost."""
    server.rig.ports.member()
    async with server.connect(max_queue=1, close_timeout=0.5) as ws:
        await hello(ws)
        await next_of(ws, "welcome")
        ws.transport.pause_reading()
        connection = next(iter(server.rig.hub.connections.all))
        for _ in range(120):
            for _ in range(5):
                server.rig.commit(pad=20_000)
            await asyncio.sleep(0.001)
            assert connection.queued_bytes <= 2**20
        await wait_until(lambda: server.rig.hub.counters.gaps["slow"] == 1)
        ws.transport.resume_reading()
        cursor, gaps = 0, 0
        async with asyncio.timeout(20):
            while cursor < 600:
                frame = json.loads(await ws.recv())
                if frame["type"] == "event" and frame["prev"] <= cursor < frame["seq"]:
                    cursor = frame["seq"]
                elif frame["type"] == "gap":
                    gaps += 1
                    await say(ws, "hello", protocol=1, cursor={"epoch": 1, "seq": cursor})
        assert (cursor, gaps) == (600, 1)


async def test_silence_of_sixty_seconds_is_closed_with_4001(server):
    """By the injected clock: a ping of the protocol's or of WebSocket's puts it off."""
    server.rig.ports.member()
    async with server.connect(ping_interval=None) as ws:
        await hello(ws)
        await next_of(ws, "welcome")
        for _ in range(3):
            server.rig.clock.advance(50)
            await asyncio.wait_for(await ws.ping(), 5)
            server.rig.hub.wheel.turn(server.rig.clock())
        server.rig.clock.advance(61)
        server.rig.hub.wheel.turn(server.rig.clock())
        assert (await next_of(ws, "bye"))["code"] == 4001
        assert await close_code(ws) == 4001


async def test_a_peer_that_never_answers_the_close_is_cut_off(server):
    """Ten seconds after our close frame its descriptor is given back."""
    reader, writer = await server.raw_socket()
    server.rig.clock.advance(6)
    server.rig.hub.wheel.turn(server.rig.clock())
    assert b"hello did not come in time" in await reader.read(4096)
    assert server.held == 1
    server.rig.clock.advance(12)
    server.rig.hub.wheel.turn(server.rig.clock())
    await wait_until(lambda: not server.held)
    writer.close()


async def test_who_is_not_known_has_five_seconds_and_one_frame(server):
    """Anything but hello ends it at once; WebSocket pings do not put the five seconds off."""
    async with server.connect() as ws:
        await say(ws, "ping")
        assert await close_code(ws) == 4500
    async with server.connect(ping_interval=None) as ws:
        for _ in range(2):
            server.rig.clock.advance(2)
            await asyncio.wait_for(await ws.ping(), 5)
            server.rig.hub.wheel.turn(server.rig.clock())
        server.rig.clock.advance(2)
        server.rig.hub.wheel.turn(server.rig.clock())
        assert await close_code(ws) == 4503


async def test_a_full_or_draining_process_refuses_with_a_time_to_come_back(server):
    """503 with Retry-After, before anything is authorised."""
    server.rig.hub.is_draining = True
    with pytest.raises(InvalidStatus) as refused:
        async with server.connect():
            pass
    assert refused.value.response.status_code == 503
    assert int(refused.value.response.headers["Retry-After"]) >= 1


async def test_uvicorns_shutdown_says_bye_and_ends(server):
    """Each client gets bye 4000 and the close code; the server ends without being forced."""
    server.rig.ports.member()
    async with server.connect() as ws:
        await hello(ws)
        await next_of(ws, "welcome")
        server.server.should_exit = True
        bye = await next_of(ws, "bye")
        assert bye["code"] == 4000
        assert 0 <= bye["retry_after_s"] <= 20
        assert await close_code(ws) == 4000
    await wait_until(lambda: not server.server.server_state.connections)


@pytest.mark.parametrize("server", ["lane"], indirect=True)
async def test_a_detached_socket_leaves_nothing_of_http_behind(server):
    """Protocol, parser and transport are freed without the garbage collector; uvicorn still knows of the socket."""
    gc.collect()
    gc.disable()
    try:
        _, writer = await server.raw_socket()
        assert server.lane.held == 1
        await wait_until(lambda: not server.https)
    finally:
        gc.enable()
    assert not any(isinstance(one, HubSocket) for one in server.server.server_state.connections)
    assert len(server.server.server_state.connections) == 1
    writer.close()
    await wait_until(lambda: server.lane.held == 0)


async def test_many_messages_in_one_packet_are_all_read(server):
    """Thirty pings behind hello in one write, and one more in single bytes."""
    server.rig.ports.member()
    ping = Frame(Opcode.TEXT, b'{"type":"ping"}').serialize(mask=True)
    reader, writer = await server.raw_socket()
    text = json.dumps({"type": "hello", "protocol": 1, "ticket": "t"}).encode()
    writer.write(Frame(Opcode.TEXT, text).serialize(mask=True) + ping * 30)
    for at in range(len(ping)):
        writer.write(ping[at : at + 1])
        await writer.drain()
        await asyncio.sleep(0)
    answers = b""
    async with asyncio.timeout(5):
        while b'"welcome"' not in answers:
            answers += await reader.read(65_536)
    await wait_until(lambda: server.rig.hub.counters.frames_in == 32)
    writer.close()


async def test_a_reset_is_forgotten(server):
    """RST instead of an end: the connection and its descriptor are gone, others stay."""
    _, writer = await server.raw_socket()
    _, other = await server.raw_socket()
    await wait_until(lambda: server.held == 2)
    sock = writer.transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    await wait_until(lambda: server.held == 1)
    assert len(server.rig.hub.connections.all) == 1
    other.close()


async def test_an_upgrade_with_a_body_is_refused(server):
    """400: what would be frame and what body, nobody could tell."""
    reader, writer = await server.raw()
    writer.write((REQUEST.format(path="/ws", more="Content-Length: 3\r\n") + "abc").encode())
    async with asyncio.timeout(5):
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    writer.close()
    assert not server.rig.hub.connections.all


async def test_an_upgrade_before_an_answer_gets_none(server):
    """The earlier request's answer ends the connection: whatever came before it would be taken for it."""
    reader, writer = await server.raw()
    first = "POST / HTTP/1.1\r\nHost: hub\r\nContent-Length: 0\r\n\r\n"
    writer.write((first + REQUEST.format(path="/ws", more="")).encode())
    async with asyncio.timeout(5):
        answer = await reader.read()
    assert (answer[:12], answer[-2:], answer.count(b"HTTP/1.1")) == (b"HTTP/1.1 200", b"ok", 1)
    assert b"connection: close" in answer
    writer.close()
    assert not server.rig.hub.connections.all


async def test_more_sockets_than_the_limit_are_told_when_to_come_back(server):
    """503 with Retry-After and words; a socket that goes makes room."""
    writers = [(await server.raw_socket())[1] for _ in range(50)]
    reader, writer = await server.raw()
    writer.write(REQUEST.format(path="/ws", more="").encode())
    async with asyncio.timeout(5):
        answer = await reader.readuntil(b"Come back in a moment.")
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"Retry-After: " in answer
    for one in [*writers, writer]:
        one.close()
    await wait_until(lambda: not server.rig.hub.connections.all)
    _, last = await server.raw_socket()
    last.close()


async def test_revoked_sockets_are_closed_where_they_are(server):
    """A session that ended is found by the next look at rights, detached or not."""
    grant = server.rig.ports.member()
    async with server.connect() as ws:
        await hello(ws)
        await next_of(ws, "welcome")
        server.rig.ports.current[(grant.kind, grant.subject_id)] = None
        server.rig.hub.rights.want(grant.workspace_id)
        assert await close_code(ws) == 4501


async def test_a_thousand_sockets_opened_and_closed_leave_nothing(server):
    """Descriptors and objects are as before, whoever closed."""

    async def churn(count):
        for _ in range(count // 20):
            sockets = [await server.raw_socket() for _ in range(20)]
            for number, (_, writer) in enumerate(sockets):
                if number % 2:
                    writer.write(Frame(Opcode.CLOSE, b"").serialize(mask=True))
                writer.close()
            await wait_until(lambda: not server.held)

    def count_all():
        server.rig.clock.advance(61)
        server.rig.hub.wheel.turn(server.rig.clock())
        gc.collect()
        kinds = (Connection, HubSocket, SocketHttp, Wire)
        objects = gc.get_objects()
        return [
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
            *(sum(type(one) is kind or kind in type(one).__mro__ for one in objects) for kind in kinds),
        ]

    await churn(40)
    await settle()
    before = count_all()
    await churn(1_000)
    await settle()
    assert [now - was for now, was in zip(count_all(), before, strict=True)] == [0] * len(before)


ON_UVLOOP = [
    test_a_client_receives_sends_and_resumes,
    test_an_oversized_frame_is_closed_with_1009,
    test_bad_utf8_binary_and_unmasked_frames_are_closed_by_their_codes,
    test_a_slow_reader_gets_one_gap_and_catches_up,
    test_a_peer_that_never_answers_the_close_is_cut_off,
    test_uvicorns_shutdown_says_bye_and_ends,
    test_a_reset_is_forgotten,
    test_a_thousand_sockets_opened_and_closed_leave_nothing,
]


@pytest.mark.parametrize(
    ("claim", "detaches"),
    [
        *itertools.product(ON_UVLOOP, [True, False]),
        (test_a_detached_socket_leaves_nothing_of_http_behind, True),
    ],
)
def test_the_same_holds_on_uvloop(claim, detaches):
    """Production runs uvloop, whose transports differ in when they pause and how they fail."""

    async def run():
        async with serving(detaches=detaches) as server:
            await claim(server)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and its self-signed certificate for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "claim",
    [
        test_a_client_receives_sends_and_resumes,
        test_an_oversized_frame_is_closed_with_1009,
        test_a_peer_that_never_answers_the_close_is_cut_off,
        test_uvicorns_shutdown_says_bye_and_ends,
        test_many_messages_in_one_packet_are_all_read,
    ],
)
def test_the_same_holds_where_tls_ends_here(claim, make_loop, certificate):
    """An encrypted socket cannot leave its transport: the ordinary path serves it, though detaching is on."""

    async def run():
        async with serving(certificate=certificate) as server:
            await claim(server)
            assert server.lane.held == 0

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(run())
