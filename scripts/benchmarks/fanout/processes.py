"""The fan-out benchmark's programs: compiled, started, kept on one core, ended. Linux only."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from hub.embedded.binaries import find_valkey
from scripts.benchmarks.hub_processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SOURCES = Path(__file__).parents[1]
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 10.0


class NotInstalledError(Exception):
    """A program that this machine does not have; the text says which and why."""


def compiled(name: str, folder: Path) -> Path:
    """
    Compile one of our C programs.

    Args:
        name: Of the file beside the benchmarks, without ``.c``.
        folder: Where the program goes; one that is there is taken.

    Raises:
        NotInstalledError: There is no C compiler.
    """
    program = folder / name
    if program.exists():
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NotInstalledError("no C compiler")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", program, SOURCES / f"{name}.c"], check=True)
    return program


def cores() -> tuple[int, int]:
    """Return the server's core and everybody else's; the same where there is only one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[min(1, len(allowed) - 1)]


def tree(pid: int) -> list[int]:
    """Return a process and everything below it."""
    below = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                below += tree(int(child))
    return below


def run_time_s(pids: Sequence[int]) -> float:
    """Return what the living threads of processes have used so far."""
    used_ns = 0
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                used_ns += int(path.read_text().split()[0])
    return used_ns / 1e9


def pin(pids: Sequence[int], core: int) -> None:
    """Keep every thread of processes on one core; what they start later stays there too."""
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(path.name), {core})


@contextlib.contextmanager
def started(
    command: Sequence[str | Path], port: int, log: Path, environ: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Start a program that says ``ready`` or just listens, wait until it does, and give its process id."""
    with log.open("ab") as file:
        process = subprocess.Popen([str(one) for one in command], env=environ, stdout=file, stderr=file)
    try:
        wait_for_port(process, port, log)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until somebody listens; raises ``RuntimeError`` with the end of the log when the program ends instead."""
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"did not start: {log.read_text()[-400:]}")
        time.sleep(0.02)


@contextlib.contextmanager
def started_redis(folder: Path, server: str) -> Iterator[int]:
    """Start the Redis that one server is fed through, on everybody else's core; gives its port."""
    port = free_port()
    command = [find_valkey().path, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    # The default drops subscribers that fall behind: a peer that does would be cut off, not measured.
    command += ["--client-output-buffer-limit", "pubsub 0 0 0", "--dir", str(folder)]
    with started(command, port, folder / f"{server}.redis.log") as pid:
        pin([pid], cores()[1])
        yield port


def say(text: str) -> None:
    """Tell a person how far it is; results go to stdout."""
    print(text, file=sys.stderr, flush=True)
