"""Runs fanload against one server and reads its report."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.fanout.processes import compiled, cores, pin, tree

if TYPE_CHECKING:
    from pathlib import Path

    from scripts.benchmarks.fanout.messages import Message
    from scripts.benchmarks.fanout.servers import Client, Running, Stage

CONNECT_WITHIN_S = 60
DRAIN_S = 12.0


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


def run_loads(
    stage: Stage, client: Client, running: Running, messages: list[Message], sockets: Sockets, loads: list[Load]
) -> tuple[Connected, list[Measured]]:
    """
    Connect, then run each load on the same sockets.

    Raises:
        FailedError: Not every socket could be opened, or the generator ended early.
    """
    server_core, other_core = cores()
    pids = tree(running.pid)
    pin(pids, server_core)
    command = [str(compiled("fanload", stage.folder)), "-p", str(running.port), "-u", client.path, "-k", client.key]
    command += [
        "-n",
        str(sockets.count),
        "-G",
        str(sockets.topics),
        "-t",
        str(CONNECT_WITHIN_S),
        "-c",
        str(client.handshakes),
    ]
    command += ["-B", f"http:{running.port}" if client.is_fed_by_http else f"redis:{stage.redis_port}"]
    command += ["-I", str(_write(stage.folder / "messages", b"".join(one.line() for one in messages)))]
    command += ["-P", ",".join(str(pid) for pid in pids)]
    command += ["-A", ",".join(f"{one.kind}{one.amount}:{one.seconds}" for one in loads)]
    if running.hellos:
        command += ["-M", str(_write(stage.folder / "hellos", "\n".join(running.hellos).encode()))]
    if client.ready_text:
        command += ["-E", client.ready_text]
    if client.is_engine_io:
        command += ["-e"]
    within_s = CONNECT_WITHIN_S + sum(one.seconds + DRAIN_S for one in loads)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pin([process.pid], other_core)
    try:
        output, errors = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise FailedError(f"not finished after {within_s:.0f} s") from error
    return _read(output, errors, sockets, loads)


def _read(output: bytes, errors: bytes, sockets: Sockets, loads: list[Load]) -> tuple[Connected, list[Measured]]:
    lines = output.splitlines()
    if not lines:
        raise FailedError(errors.decode()[-300:])
    connected = msgspec.json.decode(lines[0], type=Connected)
    if connected.ready < sockets.count:
        raise FailedError(f"{connected.failed} of {sockets.count} sockets were not opened: {connected.error}")
    measured = [msgspec.json.decode(line, type=Measured) for line in lines[1:]]
    if len(measured) < len(loads):
        raise FailedError(f"the generator ended early: {errors.decode()[-300:]}")
    if any(one.received and one.server_cpu_s <= 0 for one in measured):
        raise FailedError("its processes used no processor time: they are not the ones that were watched")
    return connected, measured


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
