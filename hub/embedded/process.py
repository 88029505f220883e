"""One operating-system process of ours: started behind isolate.py or found running, watched, and stopped.

Not a supervisor: it restarts nothing. Polled, not awaited through asyncio's child watcher, so that a handle outlives
the event loop that made it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ISOLATE = Path(__file__).with_name("isolate.py")
POLL_S = 0.02
LOG_LIMIT_BYTES = 10 * 1024 * 1024
LOGS_KEPT = 3
KILL_WAIT_S = 10.0


class Launch(msgspec.Struct, frozen=True):
    """
    How to start one process.

    Attributes:
        command: Absolute path and arguments.
        log_path: File that receives both outputs, appended; None leaves them where ours go.
        death_signal: Sent by the kernel when our main thread ends (Linux); 0 lets the process live on.
        isolation: Further options of isolate.py, e.g. ``("--user-namespace",)``.
        environ: Its whole environment; our own when None.
        held_fds: Descriptors it inherits and so keeps open, such as a lock.
    """

    command: tuple[str, ...]
    log_path: Path | None = None
    death_signal: int = signal.SIGTERM
    isolation: tuple[str, ...] = ()
    environ: dict[str, str] | None = None
    held_fds: tuple[int, ...] = ()


class ServerProcess:
    """A running process, either our child or one a former hub left behind."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self._child = child

    @property
    def is_adopted(self) -> bool:
        """Whether a former hub started it, so that its exit code cannot be known."""
        return self._child is None

    @property
    def exit_code(self) -> int | None:
        """The code once it ended, negative for a signal; always None for an adopted process."""
        return None if self._child is None else self._child.poll()

    def is_running(self) -> bool:
        """Whether it still runs; collects a child that has ended."""
        return is_alive(self.pid) if self._child is None else self._child.poll() is None

    async def wait(self, timeout_s: float | None = None, poll_s: float = POLL_S) -> bool:
        """Wait until it ended, looking every ``poll_s``; False when it still ran after ``timeout_s``."""
        deadline_s = None if timeout_s is None else monotonic_s() + timeout_s
        while self.is_running():
            if deadline_s is not None and monotonic_s() >= deadline_s:
                return False
            await asyncio.sleep(poll_s)
        return True

    async def stop(self, signals: Sequence[int], timeout_s: float) -> bool:
        """
        Ask it to end, harder each time, and at last kill it.

        Args:
            signals: Sent in turn, each followed by a wait of ``timeout_s``.
            timeout_s: Seconds after each signal.

        Returns:
            Whether one of ``signals`` was enough; False when it had to be killed.
        """
        for number in signals:
            self.send(number)
            if await self.wait(timeout_s):
                return True
        self.send(signal.SIGKILL)
        await self.wait(KILL_WAIT_S)
        return False

    def send(self, number: int) -> None:
        """Send one signal; nothing happens when it is gone."""
        if self.is_running():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def start_process(launch: Launch) -> ServerProcess:
    """
    Start a process; call it on the main thread, whose end is what the death signal watches.

    Args:
        launch: What to start and how.

    Returns:
        A handle; the process may still fail in its first moments.
    """
    options = ("--parent", str(os.getpid()), "--death-signal", str(launch.death_signal), *launch.isolation)
    command = (sys.executable, "-I", "-S", str(ISOLATE), *options, "--", *launch.command)
    descriptor = None if launch.log_path is None else _open_log(launch.log_path)
    try:
        child = subprocess.Popen(  # noqa: S603  # built from our own parts, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=launch.environ,
            pass_fds=launch.held_fds,
            start_new_session=True,
        )
    finally:
        if descriptor is not None:
            os.close(descriptor)
    return ServerProcess(child.pid, child)


def _open_log(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def is_alive(pid: int) -> bool:
    """Whether a process of that id runs; one that ended and waits to be collected does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return not Path("/proc/self").exists()
    return state not in {"Z", "X"}


def rotate_log(path: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Move a log above ``limit_bytes`` to ``.1``, the older ones on; three are kept."""
    if not path.exists() or path.stat().st_size <= limit_bytes:
        return
    for number in range(LOGS_KEPT, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        newer = path.with_name(f"{path.name}.{number - 1}") if number > 1 else path
        if newer.exists():
            newer.replace(older)


def last_lines(path: Path, count: int = 20) -> str:
    """Return the last lines of a log, empty when there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 200 * count))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])


def process_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return our environment with ``extra`` laid over it."""
    return {**os.environ, **extra}
