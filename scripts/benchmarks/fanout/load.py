"""One fanload, connected to one server: it keeps its sockets and runs a load whenever it is asked to."""

from __future__ import annotations

import contextlib
import select
import subprocess
import time
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.fanout.processes import compiled, cores, pin, run_time_s, tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scripts.benchmarks.fanout.messages import Message
    from scripts.benchmarks.fanout.servers import Running, Server, Stage

CONNECT_WITHIN_S = 60
DRAIN_S = 12.0
REST_WITHIN_S = 20.0


class Load(msgspec.Struct, frozen=True):
    """
    One way of publishing.

    Attributes:
        name: ``w1``, ``w16``, ``20000`` (frames a second).
        kind: ``W`` a window of messages, ``Q`` messages a second.
    """

    name: str
    kind: str
    amount: float
    seconds: float


class Connected(msgspec.Struct, frozen=True):
    """How the sockets were opened."""

    ready: int
    failed: int
    connect_s: float
    connect_cpu_s: float
    rss_start_kb: int
    rss_ready_kb: int
    error: str


class Measured(msgspec.Struct, frozen=True):
    """
    One load.

    Attributes:
        missing: Frames that sockets lack, each socket counted by itself.
        extra: Frames that sockets have too many.
        late: Frames of earlier loads.
        frames_per_read: Above 1 where several frames came in one read: the server joined them, or we were slow.
        closed: Sockets that the server closed.
        lost_writes: Messages that were not taken.
    """

    published: int
    expected: int
    received: int
    missing: int
    extra: int
    late: int
    other: int
    pings: int
    frames_per_s: float
    frames_per_read: float
    p50_ms: float
    p99_ms: float
    server_cpu_s: float
    generator_cpu_s: float
    rss_kb: int
    closed: int
    lost_writes: int
    error: str


class Sockets(msgspec.Struct, frozen=True):
    """How many, over how many topics."""

    count: int
    topics: int


class FailedError(Exception):
    """The server did not take part as it should; the text says how."""


class Generator:
    """
    A fanload whose sockets are open.

    Attributes:
        connected: How that went.
    """

    def __init__(self, process: subprocess.Popen[bytes], pids: list[int]) -> None:
        self._process = process
        self._pids = pids
        self.connected = msgspec.json.decode(self._hear(CONNECT_WITHIN_S + DRAIN_S), type=Connected)
        if self.connected.failed:
            raise FailedError(f"{self.connected.failed} sockets were not opened: {self.connected.error}")

    def run(self, load: Load) -> Measured:
        """
        Run one load.

        Raises:
            FailedError: The generator ended, or watched the wrong processes.
        """
        if self._process.stdin is None:
            raise FailedError("the generator takes no orders")
        try:
            self._process.stdin.write(f"{load.kind}{load.amount}:{load.seconds}\n".encode())
            self._process.stdin.flush()
        except OSError as error:
            raise FailedError("the generator ended early") from error
        measured = msgspec.json.decode(self._hear(load.seconds + DRAIN_S), type=Measured)
        if measured.received and measured.server_cpu_s <= 0:
            raise FailedError("its processes used no processor time: they are not the ones that were watched")
        if measured.missing:
            self._let_rest()
        return measured

    def _hear(self, within_s: float) -> bytes:
        output = self._process.stdout
        if output is None or not select.select([output], [], [], within_s)[0]:
            raise FailedError(f"nothing came back within {within_s:.0f} s")
        line = output.readline()
        if not line:
            raise FailedError("the generator ended early; what it said is above")
        return line

    def _let_rest(self) -> None:
        """Wait until a server that fell behind is through: what it still does would fall into the others' turns."""
        deadline = time.monotonic() + REST_WITHIN_S
        used_s = run_time_s(self._pids)
        while time.monotonic() < deadline:
            time.sleep(0.5)
            before_s, used_s = used_s, run_time_s(self._pids)
            if used_s - before_s < 0.05:
                return


@contextlib.contextmanager
def connected(
    stage: Stage, server: Server, running: Running, messages: list[Message], sockets: Sockets
) -> Iterator[Generator]:
    """
    Open the sockets; they are closed afterwards.

    Raises:
        FailedError: Not every socket could be opened.
        NotInstalledError: There is no C compiler.
    """
    server_core, other_core = cores()
    pids = tree(running.pid)
    pin(pids, server_core)
    process = subprocess.Popen(
        _command(stage, server, running, messages, sockets, pids), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    pin([process.pid], other_core)
    with process:
        try:
            yield Generator(process, pids)
        finally:
            process.kill()


def _command(  # one option each
    stage: Stage, server: Server, running: Running, messages: list[Message], sockets: Sockets, pids: list[int]
) -> list[str]:
    client = server.client
    lines = b"".join(one.line() for one in messages)
    command = [str(compiled("fanload", stage.folder)), "-p", str(running.port), "-u", client.path, "-k", client.key]
    command += ["-n", str(sockets.count), "-G", str(sockets.topics), "-P", ",".join(str(pid) for pid in pids)]
    command += ["-t", str(CONNECT_WITHIN_S), "-c", str(client.handshakes)]
    command += ["-B", f"http:{running.port}" if client.is_fed_by_http else f"redis:{stage.redis_port}"]
    command += ["-I", str(_write(stage.folder / f"{server.name}.messages", lines))]
    if running.hellos:
        command += ["-M", str(_write(stage.folder / f"{server.name}.hellos", "\n".join(running.hellos).encode()))]
    if client.heartbeat:
        command += ["-H", client.heartbeat]
    if client.ready_text:
        command += ["-E", client.ready_text]
    return [*command, "-e"] if client.is_engine_io else command


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
