"""Real `hub serve` and `hub work` processes on the run's services, for tests of what operators see."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
SECRET_KEY = "0123456789abcdef0123456789abcdef"


class HubProcesses:
    """
    Some processes of one installation.

    Args:
        folder: Data folder and logs.
        environ: Addresses of the stores, and whatever else they are told.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "OTEL_"))},
            "HUB_DATA_DIR": str(folder),
            "HUB_SECRET_KEY": SECRET_KEY,
            **environ,
        }
        self.port = int(self.environ["HUB_PORT"])
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.running: list[subprocess.Popen[bytes]] = []
        folder.mkdir(mode=0o700, exist_ok=True)

    def start(self, *arguments: str, descriptor_limit: int | None = None) -> subprocess.Popen[bytes]:
        """Start one command; its output goes to ``<command>.log``."""
        limited = () if descriptor_limit is None else ("sh", "-c", f'ulimit -n {descriptor_limit}; exec "$@"', "sh")
        with self.log_path(arguments[0]).open("ab") as log:
            process = subprocess.Popen(
                (*limited, sys.executable, "-m", "hub.cli", *arguments),
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def wait_ready(self, within_s: float = 40) -> None:
        """Wait until serve answers ready."""
        deadline = time.monotonic() + within_s
        while True:
            try:
                if httpx.get(f"{self.base_url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < deadline, self.log("serve")
            time.sleep(0.1)

    def log_path(self, name: str) -> Path:
        """Return where a command's output goes."""
        return self.folder / f"{name}.log"

    def log(self, name: str) -> str:
        """Return a command's output so far."""
        return self.log_path(name).read_text() if self.log_path(name).exists() else ""

    def stop(self) -> None:
        """End all, asked first."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
