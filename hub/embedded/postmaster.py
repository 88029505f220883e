"""What a data folder says about the Postgres that runs on it: postmaster.pid read, judged, and cleared when stale."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec

from hub.embedded.process import is_alive


class Postmaster(msgspec.Struct, frozen=True):
    """
    The server named by postmaster.pid.

    Attributes:
        pid: Its process.
        socket_dir: Folder of its socket.
        is_ready: Whether it accepts connections.

    Source:
        PostgreSQL miscadmin.h, "LOCK_FILE_LINE_*" (versions 10 to 18): pid, data folder, start, port, socket folder,
        listen address, shared memory, status.
    """

    pid: int
    socket_dir: str
    is_ready: bool


def read_postmaster(data_dir: Path) -> Postmaster | None:
    """Return the server postmaster.pid names, None when there is no such file or it is still being written."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 5 or not lines[0].strip().isdigit():
        return None
    status = lines[7].strip() if len(lines) > 7 else ""
    return Postmaster(pid=int(lines[0]), socket_dir=lines[4], is_ready=status == "ready")


def runs_on(postmaster: Postmaster, data_dir: Path) -> bool:
    """Whether that process is alive and indeed a Postgres of this folder, not a stranger with a reused id."""
    if not is_alive(postmaster.pid):
        return False
    if Path("/proc/self/cwd").exists():
        try:
            return Path(f"/proc/{postmaster.pid}/cwd").resolve(strict=True) == data_dir.resolve()
        except OSError:
            return False
    shown = subprocess.run(  # noqa: S603  # a fixed program and a number
        ("/bin/ps", "-o", "command=", "-p", str(postmaster.pid)), capture_output=True, text=True, check=False
    )
    return "postgres" in shown.stdout and os.fspath(data_dir) in shown.stdout


def clear_stale(data_dir: Path) -> None:
    """
    Remove a postmaster.pid whose number a stranger now has.

    Postgres itself clears the file when no such process exists; only a reused number would stop it for ever. Never
    called while the process may be a Postgres of this folder.
    """
    postmaster = read_postmaster(data_dir)
    if postmaster is not None and is_alive(postmaster.pid) and not runs_on(postmaster, data_dir):
        (data_dir / "postmaster.pid").unlink()
