"""A running `hub tail`, for tests of what it shows."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time

from tests.processes import ROOT


class Tail:
    """A running `hub tail`, its lines collected."""

    def __init__(self, environ: dict[str, str], *arguments: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            (sys.executable, "-m", "hub.cli", "tail", *arguments),
            cwd=ROOT,
            env={**os.environ, **environ, "TZ": "UTC"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    async def wait_for(self, is_there, within_s: float = 20) -> None:
        deadline = time.monotonic() + within_s
        while not is_there(self.lines):
            assert time.monotonic() < deadline, self.lines
            assert self.process.poll() is None or is_there(self.lines), self.process.stderr.read()
            await asyncio.sleep(0.05)

    def stop(self) -> str:
        """Ctrl-C; returns what went to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.wait(15)
        self._thread.join(5)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        told = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return told


def seqs(lines: list[str]) -> list[int]:
    """Return the numbers of the events shown by --json."""
    return [json.loads(line)["seq"] for line in lines if '"seq"' in line]
