"""What a running hub writes down for the next command on its data folder: where it answers and what it started."""

from __future__ import annotations

import os
import signal
import subprocess
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec

from hub.embedded.process import ServerProcess, is_alive

HEALTH_TIMEOUT_S = 2.0
LEFTOVER_ALLOWANCE_S = 12.0
OUR_MODULE = "hub.cli"


class RunFile(msgspec.Struct, frozen=True):
    """
    One running `hub up`.

    Attributes:
        pid: Its process.
        host: Address it listens on.
        port: Its port.
        url: What a person opens.
        setup_url: What a person opens while there is no owner; holds the set-up token.
        database_url: Where the embedded database answers, without a password; empty when it is the operator's own.
        redis_ephemeral_url: Likewise for the ephemeral Redis.
        redis_url: Likewise for the durable Redis.
        children: Process ids of what it started, by name.
    """

    pid: int
    host: str
    port: int
    url: str
    setup_url: str
    database_url: str = ""
    redis_ephemeral_url: str = ""
    redis_url: str = ""
    children: dict[str, int] = {}


def write_run_file(path: Path, run: RunFile) -> None:
    """Replace the run file in one step, readable by us alone."""
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(run))
    partial.replace(path)


def read_run_file(path: Path) -> RunFile | None:
    """Return what the last hub wrote, None when there is nothing usable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=RunFile)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def answers(host: str, port: int, path: str) -> bool:
    """Whether a GET of ``path`` gets a 2xx within 2 s."""
    # A server that listens everywhere is asked on loopback.
    connection = HTTPConnection({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port, timeout=HEALTH_TIMEOUT_S)  # noqa: S104  # nosec B104
    try:
        connection.request("GET", path)
        return 200 <= connection.getresponse().status < 300
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def is_running(run: RunFile) -> bool:
    """Whether the hub that wrote the file lives and answers."""
    return is_alive(run.pid) and answers(run.host, run.port, "/healthz")


async def end_leftovers(run: RunFile) -> None:
    """End what a killed hub left running (where the kernel did not do it), so that no old version serves beside us."""
    for pid in run.children.values():
        if is_alive(pid) and OUR_MODULE in _command_line(pid):
            await ServerProcess(pid).stop((signal.SIGTERM,), LEFTOVER_ALLOWANCE_S)


def _command_line(pid: int) -> str:
    path = Path(f"/proc/{pid}/cmdline")
    if path.exists():
        return path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    shown = subprocess.run(  # noqa: S603  # a fixed program and a number
        ("/bin/ps", "-o", "command=", "-p", str(pid)), capture_output=True, text=True, check=False
    )
    return shown.stdout
