"""The socket layer in a thread of its own, with a hub over fakes: tests speak to it with plain blocking sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import time
from pathlib import Path
from uuid import uuid4

import uvicorn
import uvloop

from api.listener import OpenListeners, WorkerListener
from api.server import DrainingServer
from api.ws import DetachedSockets, SocketEdge, SocketHttp, make_ws_protocol
from api.ws_arrivals import Arrivals
from hub.descriptors import Room
from tests.integration.conformance.peer import TEXT, Peer, frame, said
from tests.realtime_fakes import Rig
from tests.waiting import wait_until

# As they arrive into the lane, out of a transport into the lane, and on a transport.
PATHS = ("arrivals", "lane", "ordinary")
ORIGIN = "https://hub.example"
PATIENCE_S = 5.0


async def page(scope, receive, send):
    """The HTTP application beside the sockets: answers after the turn it is asked in, as real ones do."""
    await asyncio.sleep(0.01)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


class Hosted:
    """
    One server.

    Attributes:
        port: Where it listens on 127.0.0.1.
        rig: The hub and its fakes; touch them through ``call``.
    """

    def __init__(self, path, *, http=SocketHttp, loop_factory=uvloop.new_event_loop):
        self.path = path
        self._http, self._loop_factory = http, loop_factory
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"hosted-{path}")

    def __enter__(self):
        self._thread.start()
        assert self._is_ready.wait(PATIENCE_S)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(setattr, self._server, "should_exit", True)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def call(self, function, *arguments):
        """Call something in the server's thread and return what it returns."""

        async def run():
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(PATIENCE_S)

    def settle(self, turns=3):
        """Let the server read what has been sent, and act on it."""

        async def pause():
            for _ in range(turns):
                await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(pause(), self.loop).result(PATIENCE_S)

    def advance(self, seconds):
        """Move the hub's clock, and turn its wheel to where it is."""

        def move():
            self.rig.clock.advance(seconds)
            self.rig.hub.wheel.turn(self.rig.clock())

        self.call(move)

    def peer(self, **options):
        return Peer(self.port, **options)

    @property
    def connections(self):
        """How many sockets the hub counts."""
        return len(self.rig.hub.connections.all)

    @property
    def held(self):
        """How many connections the server holds in any state, HTTP ones included."""
        sockets = [one for one in self._server.server_state.connections if not isinstance(one, DetachedSockets)]
        return len(sockets) + self.rig.hub.lane.held + (len(self.arrivals) if self.arrivals is not None else 0)

    def is_idle(self):
        return self.connections == 0 and self.held == 0

    def _run(self):
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._serve())
        # Reference cycles of the loop hold descriptors; tests count those.
        gc.collect()

    async def _serve(self):
        self.loop = asyncio.get_running_loop()
        async with Rig() as self.rig:
            # Members would hear of each other's presence at any moment.
            self.rig.ports.visitor("t", conversation_id=uuid4())
            detaches = self.path != "ordinary"
            edge = SocketEdge(lambda: frozenset({ORIGIN}), "hub_session", max_sockets=200, detaches=detaches)
            self.arrivals = Arrivals(self.rig.hub, edge) if self.path == "arrivals" else None
            config = uvicorn.Config(
                page, ws=make_ws_protocol(self.rig.hub, edge), http=self._http, lifespan="off", log_config=None,
                timeout_graceful_shutdown=2,
            )  # fmt: skip
            taking = WorkerListener(self._listener, Room(20_000), OpenListeners(), listen=lambda: self._listener)
            self._server = DrainingServer(config, taking, on_started=lambda: None, arrivals=self.arrivals)
            running = asyncio.create_task(self._server.serve(sockets=[]))
            await wait_until(lambda: self._server.started)
            self._is_ready.set()
            await running


def eventually(condition, what, patience_s=PATIENCE_S):
    """Wait until something holds."""
    deadline_s = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.002)


def descriptors():
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def assert_serves(hosted):
    """A well-behaved client is welcomed, heard and let go."""
    with hosted.peer() as good:
        good.open()
        good.send(frame(TEXT, said("ping", cursor=0)))
        good.expect("head")


def ping_is_answered(peer):
    """Whether an open, welcomed client is still served."""
    peer.send(frame(TEXT, said("ping", cursor=0)))
    return peer.expect("head")["seq"] >= 0
