"""The servers of the fan-out benchmark besides the hub: what each needs, how it is started, how it is published to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from scripts.benchmarks.fanout.messages import Message, body, body_json, http_post, recorded, redis_publish
from scripts.benchmarks.fanout.processes import NotInstalledError, compiled, started, tree
from scripts.benchmarks.hub_processes import free_port
from scripts.benchmarks.peers.install import NCHAN_MODULE, channels_python, find_nginx, node_modules
from scripts.benchmarks.services import run_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

PEERS = Path(__file__).parents[1] / "peers"


class Stage(msgspec.Struct, frozen=True):
    """
    What every server is given.

    Attributes:
        folder: For files of this run.
        peers_folder: Where the installed ones are.
        message_bytes: Size of a message's JSON.
    """

    folder: Path
    peers_folder: Path
    redis_port: int
    message_bytes: int


class Running(msgspec.Struct, frozen=True):
    """
    A server that takes sockets.

    Attributes:
        pid: The top of its process tree.
        hellos: What each socket says first, used in turns; empty for nothing.
    """

    port: int
    pid: int
    hellos: tuple[str, ...] = ()


class Client(msgspec.Struct, frozen=True):
    """
    How fanload speaks to a server.

    Attributes:
        path: The address, up to the topic's number.
        key: What stands before the time in a data frame.
        ready_text: What a socket receives when it is ready; empty: the handshake is enough.
        is_engine_io: Speaks Engine.IO and Socket.IO over the socket.
        handshakes: Under way at once.
        heartbeat: What a client says every 20 s; empty for nothing.
        is_fed_by_http: Messages are posted to the server itself instead of going through Redis.
    """

    path: str = "/ws?room="
    key: str = '"t":'
    ready_text: str = ""
    is_engine_io: bool = False
    is_fed_by_http: bool = False
    handshakes: int = 512
    heartbeat: str = ""


class Server(Protocol):
    """One of those that are compared."""

    name: str
    client: Client
    enters: str

    def check(self, stage: Stage) -> None:
        """Raise ``NotInstalledError`` where it cannot run here."""
        ...

    def messages(self, stage: Stage, topics: int) -> list[Message]:
        """Return one message a topic, as it is published."""
        ...

    def running(self, stage: Stage, topics: int) -> AbstractContextManager[Running]:
        """Start it afresh; it has ended afterwards."""
        ...


class PlainServer:
    """A program called with its port and Redis', fed with bare JSON on the channel ``room:N``."""

    client = Client()
    enters = "Redis channel of the topic"

    def __init__(self, name: str, command: Callable[[Stage], list[str | Path]]) -> None:
        self.name = name
        self._command = command

    def check(self, stage: Stage) -> None:
        """See ``Server``."""
        self._command(stage)

    def messages(self, stage: Stage, topics: int) -> list[Message]:
        """See ``Server``."""
        payload = body_json(stage.message_bytes)
        return [Message(redis_publish(b"room:%d" % topic, payload)) for topic in range(topics)]

    @contextlib.contextmanager
    def running(self, stage: Stage, topics: int) -> Iterator[Running]:  # noqa: ARG002
        """See ``Server``."""
        program, *rest = self._command(stage)
        port = free_port()
        command = [program, *(_filled(one, port, stage.redis_port) for one in rest)]
        environ = os.environ | {"NODE_PATH": str(node_modules(stage.peers_folder)), "NODE_ENV": "production"}
        with started(command, port, stage.folder / f"{self.name}.log", environ) as pid:
            yield Running(port, pid)


class RecordedServer(PlainServer):
    """One whose processes speak an inner format over Redis: its own emitter says the messages once, we repeat them."""

    def __init__(
        self,
        name: str,
        command: Callable[[Stage], list[str | Path]],
        emitter: Callable[[Stage], list[str | Path]],
        client: Client,
        *,
        takes_objects: bool,
    ) -> None:
        super().__init__(name, command)
        self.client = client
        self.enters = "its own inter-process format on Redis"
        self._emitter = emitter
        self._takes_objects = takes_objects

    def messages(self, stage: Stage, topics: int) -> list[Message]:
        """See ``Server``."""
        size = stage.message_bytes
        one: object = body(size, time_as_text=True) if self._takes_objects else body_json(size).decode()
        program, *rest = self._emitter(stage)
        command = [str(part) for part in (program, *(_filled(part, 0, stage.redis_port) for part in rest))]
        environ = os.environ | {"NODE_PATH": str(node_modules(stage.peers_folder))}
        return run_alone(recorded(stage.redis_port, topics, lambda: _emit(command, environ, [one] * topics)))


class Nchan:
    """nginx with the nchan module, one worker; messages are posted to it, one a connection at a time."""

    name = "nchan"
    client = Client(is_fed_by_http=True)
    enters = "HTTP POST to the server"

    def check(self, stage: Stage) -> None:  # noqa: ARG002
        """See ``Server``."""
        if not find_nginx():
            raise NotInstalledError("no nginx")
        if not NCHAN_MODULE.exists():
            raise NotInstalledError("nginx has no nchan module (Debian: libnginx-mod-nchan)")

    def messages(self, stage: Stage, topics: int) -> list[Message]:
        """See ``Server``."""
        payload = body_json(stage.message_bytes)
        return [Message(http_post(f"/pub?room={topic}", payload)) for topic in range(topics)]

    @contextlib.contextmanager
    def running(self, stage: Stage, topics: int) -> Iterator[Running]:  # noqa: ARG002
        """See ``Server``."""
        port = free_port()
        text = (PEERS / "nginx.conf").read_text()
        for name, value in (("@MODULE@", NCHAN_MODULE), ("@FOLDER@", stage.folder), ("@PORT@", port)):
            text = text.replace(name, str(value))
        path = stage.folder / "nginx.conf"
        path.write_text(text)
        command = [find_nginx() or "nginx", "-p", stage.folder, "-c", path]
        with started(command, port, stage.folder / "nchan.log") as pid:
            # The master listens before it has its worker.
            for _ in range(500):
                if len(tree(pid)) > 1:
                    break
                time.sleep(0.02)
            yield Running(port, pid)


def peers() -> list[Server]:
    """Return all but the hub, the floors first."""
    socket_io = Client(path="/socket.io/?EIO=4&transport=websocket&room=", key='"t":"', is_engine_io=True)
    return [
        PlainServer("floor", lambda stage: [compiled("floor", stage.folder), "PORT", "REDIS"]),
        PlainServer("floor_joining", lambda stage: [compiled("floor", stage.folder), "PORT", "REDIS", "join"]),
        Nchan(),
        PlainServer("ws", lambda stage: _node(stage, "ws_server.js", "PORT", "REDIS")),
        RecordedServer(
            "socketio",
            lambda stage: _node(stage, "socketio_server.js", "PORT", "REDIS"),
            lambda stage: _node(stage, "socketio_emit.js", "REDIS"),
            socket_io,
            takes_objects=True,
        ),
        PlainServer("starlette", lambda _: [sys.executable, PEERS / "starlette_app.py", "PORT", "REDIS"]),
        RecordedServer(
            "channels",
            lambda stage: _channels(stage, "PORT", "REDIS"),
            lambda stage: _channels(stage, "emit", "REDIS"),
            Client(),
            takes_objects=False,
        ),
    ]


def _node(stage: Stage, script: str, *arguments: str) -> list[str | Path]:
    node = shutil.which("node")
    if node is None:
        raise NotInstalledError("no Node.js")
    if not (node_modules(stage.peers_folder) / "socket.io").exists():
        raise NotInstalledError(f"no Node packages in {stage.peers_folder.name}; --install gets them")
    return [node, PEERS / script, *arguments]


def _channels(stage: Stage, *arguments: str) -> list[str | Path]:
    python = channels_python(stage.peers_folder)
    if not python.exists():
        raise NotInstalledError(f"no Django Channels in {stage.peers_folder.name}; --install gets it")
    return [python, PEERS / "channels_app.py", *arguments]


def _filled(part: str | Path, port: int, redis_port: int) -> str | Path:
    return {"PORT": str(port), "REDIS": str(redis_port)}.get(str(part), part)


async def _emit(command: list[str], environ: dict[str, str], bodies: list[object]) -> None:
    process = await asyncio.create_subprocess_exec(*command, env=environ, stdin=asyncio.subprocess.PIPE)
    await process.communicate(msgspec.json.encode(bodies))
    if process.returncode:
        raise RuntimeError(f"{Path(command[1]).name} failed; what it said is above")
