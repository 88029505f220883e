"""Gives orders to the process that writes visitors' messages (``writer_process.py``), and what both say."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.sockets.crowd import Voice

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
# Messages whose COMMIT is noted; later ones are not.
COMMITS = 4 * 1024 * 1024


class WriterPlan(msgspec.Struct, frozen=True):
    """
    Where to write, as whom, and how long the texts are.

    Attributes:
        commits: A file that is filled with the moment of each message's COMMIT, by its number; none where empty.
    """

    database_url: str
    redis_ephemeral_url: str
    voices: list[Voice]
    text_chars: int = 120
    commits: str = ""


class Order(msgspec.Struct, frozen=True):
    """
    One command.

    Attributes:
        per_s: Messages a second, by voices in a shuffled order; 0 means one message in each workspace at once.
        seconds: For how long; what is due by then is written.
    """

    per_s: float = 0.0
    seconds: float = 0.0


class WriterReport(msgspec.Struct):
    """
    What became of an order.

    Attributes:
        messages: Committed.
        transactions: Commits they took.
        commit_ms: From the moment a message was due until its COMMIT was answered: p50 and p99.
        cpu_s: Of this process.
    """

    messages: int = 0
    transactions: int = 0
    commit_ms: tuple[float, float] = (0.0, 0.0)
    cpu_s: float = 0.0
    seconds: float = 0.0


class Writer:
    """The other end: gives orders to a writer's process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def prepare(self, plan: WriterPlan) -> None:
        """Hand over the plan and wait until it has its connections."""
        self._say(plan)
        self._hear()

    def begin(self, order: Order) -> None:
        """Let it write; returns at once."""
        self._say(order)

    def finish(self) -> WriterReport:
        """Wait until the order is carried out."""
        return msgspec.json.decode(self._hear(), type=WriterReport)

    def run(self, order: Order) -> WriterReport:
        """Carry out an order."""
        self.begin(order)
        return self.finish()

    def _say(self, said: msgspec.Struct) -> None:
        if self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(said) + b"\n")
            self._process.stdin.flush()

    def _hear(self) -> bytes:
        line = self._process.stdout.readline() if self._process.stdout is not None else b""
        if not line:
            raise RuntimeError("the writer ended early; what it said is above")
        return line


@contextlib.contextmanager
def writing(plan: WriterPlan) -> Iterator[Writer]:
    """Run a writer's process for the length of a block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.benchmarks.sockets.writer_process"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        writer = Writer(process)
        writer.prepare(plan)
        yield writer
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
