"""`hub serve` and `hub work` as real processes over a benchmark's own services."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from scripts.benchmarks.sockets.gauges import listeners, tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts.benchmarks.services import Services

ROOT = Path(__file__).parents[2]
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 30.0


class HubProcesses:
    """
    The hub's processes on one port.

    Attributes:
        port: Where ``hub serve`` listens on 127.0.0.1.
        environ: What our commands run with; also what seals credentials.
    """

    def __init__(self, services: Services, folder: Path) -> None:
        self.port = free_port()
        self.environ = os.environ | {
            "DATABASE_URL": services.database_url,
            "DATABASE_OWNER_URL": services.owner_url,
            "REDIS_URL": services.redis_url,
            "REDIS_EPHEMERAL_URL": services.redis_ephemeral_url,
            "HUB_SECRET_KEY": "benchmark-" + "k" * 40,
            "HUB_HOST": "127.0.0.1",
            "HUB_PORT": str(self.port),
            "HUB_DATA_DIR": str(folder),
        }
        self.environ.pop("HUB_PUBLIC_URL", None)
        self._folder = folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by command."""
        return {name: process.pid for name, process in self._running.items()}

    def start_serve(self, workers: int = 1) -> None:
        """
        Start the edge and wait until it says it is ready.

        Args:
            workers: Processes on the one port, each with a listening socket of its own; ready when all of them listen.
        """
        self._start("serve", *(["--workers", str(workers)] if workers > 1 else []))
        deadline = time.monotonic() + READY_WITHIN_S
        while not _is_ready(self.port) or listeners(self.port) < workers:
            if time.monotonic() > deadline or self._running["serve"].poll() is not None:
                raise RuntimeError(f"hub serve did not come up:\n{self._log('serve')}")
            time.sleep(0.05)

    def start_work(self) -> None:
        """Start intake, dispatch and jobs."""
        self._start("work")

    def stop(self, *names: str) -> None:
        """Let processes drain and end; all of them when none is named."""
        for name in names or list(self._running):
            process = self._running.pop(name)
            process.terminate()
            try:
                process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill(self, name: str) -> None:
        """Kill -9 a command and every process below it, at once."""
        process = self._running.pop(name)
        for pid in tree(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def _start(self, name: str, *options: str) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "hub.cli", name, *options], cwd=ROOT, env=self.environ, stdout=log, stderr=log
            )

    def _log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()[-4000:]


@contextlib.contextmanager
def hub_processes(services: Services) -> Iterator[HubProcesses]:
    """Give the hub a folder and a port; whatever was started is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        hub = HubProcesses(services, Path(folder))
        try:
            yield hub
        finally:
            hub.stop()


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
