"""
A process that writes visitors' messages at a set rate through the product's own actions, COMMIT and hint included.

Takes a plan as its first line, then orders; answers each with a line. Ends when its standard input does. Messages
are batched as intake batches them: whatever is due, at most 200, a transaction each, the same workspace in one lane.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import random
import resource
import sys
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import uvloop

from hub import log
from hub.db import Database
from hub.errors import Unavailable
from hub.events.model import LoggedEvent
from hub.inbox import actions
from hub.inbox.batch import OutcomeKind
from hub.realtime.broker_redis import RedisBroker
from scripts.benchmarks.results import percentile
from scripts.benchmarks.sockets.crowd import message_of
from scripts.benchmarks.sockets.writer import COMMITS, Order, WriterPlan, WriterReport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts.benchmarks.sockets.crowd import Voice

LANES = 4
BATCH = 200
# What intake waits for company, too.
LINGER_S = 0.005
RETRY_S = 0.1
_WORDS = " Could you tell me where my order is? It should have been here on Tuesday."

# The numbers of the batch that the current task commits.
_committing: ContextVar[range] = ContextVar("committing", default=range(0))


async def _main() -> None:
    # To standard error: a warning among the reports ended a storm of 100,002.
    log.configure("writer")
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=256 * 1024 * 1024)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    plan = msgspec.json.decode(await lines.readline(), type=WriterPlan)
    broker = RedisBroker(plan.redis_ephemeral_url)
    await broker.start()
    commits = _open_commits(plan.commits)

    def on_commit(notices: Sequence[object]) -> None:
        now_ns = time.time_ns()
        for number in _committing.get() if commits is not None else ():
            if commits is not None and number < COMMITS:
                commits[number] = now_ns
        broker.publish([one for one in notices if isinstance(one, LoggedEvent)])

    database = await Database.open(plan.database_url, on_commit, max_size=LANES, keeps_plans=True)
    voices = list(plan.voices)
    random.Random(4).shuffle(voices)  # noqa: S311  # the same order in each run
    await _obey(lines, database, voices, plan.text_chars)
    await database.close()
    await broker.stop()


async def _obey(lines: asyncio.StreamReader, database: Database, voices: list[Voice], text_chars: int) -> None:
    _answer(WriterReport())
    numbers = _Numbers()
    while line := await lines.readline():
        order = msgspec.json.decode(line, type=Order)
        cpu_s, started_s = _cpu_s(), time.monotonic()
        chosen = voices if order.per_s else _one_each(voices)
        lanes = [[one for one in chosen if one.workspace_id % LANES == number] for number in range(LANES)]
        started_ns = time.time_ns()
        runs = [
            _Lane(database, lane, text_chars, started_ns, numbers).run(order, len(lane) / len(chosen))
            for lane in lanes
            if lane
        ]
        done = await asyncio.gather(*runs)
        waits_ms = [wait for lane in done for wait in lane.waits_ms]
        _answer(
            WriterReport(
                messages=len(waits_ms),
                transactions=sum(lane.transactions for lane in done),
                commit_ms=(percentile(waits_ms, 0.5), percentile(waits_ms, 0.99)),
                cpu_s=_cpu_s() - cpu_s,
                seconds=time.monotonic() - started_s,
            )
        )


class _Numbers:
    """Numbers the messages of all lanes and orders."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> range:
        """Return the next ``count`` numbers."""
        taken = range(self._next, self._next + count)
        self._next += count
        return taken


class _Lane:
    """Writes for some workspaces, one transaction after the other."""

    def __init__(
        self, database: Database, voices: Sequence[Voice], text_chars: int, started_ns: int, numbers: _Numbers
    ) -> None:
        self._numbers = numbers
        self._database = database
        self._voices = voices
        self._filling = (_WORDS * (text_chars // len(_WORDS) + 1))[:text_chars]
        self._started_ns = started_ns
        self.waits_ms: list[float] = []
        self.transactions = 0

    async def run(self, order: Order, share: float) -> _Lane:
        per_s = order.per_s * share
        total = int(per_s * order.seconds) if order.per_s else len(self._voices)
        gap_ns = 1e9 / per_s if order.per_s else 0.0
        written = 0
        while written < total:
            now_ns = time.time_ns()
            due = min(total, int((now_ns - self._started_ns) / gap_ns) + 1) if gap_ns else total
            count = min(due - written, BATCH)
            if count > 0:
                moments = [self._started_ns + int((written + one) * gap_ns) for one in range(count)]
                await self._write(written, moments)
                written += count
            if gap_ns:
                next_s = (self._started_ns + written * gap_ns - time.time_ns()) / 1e9
                await asyncio.sleep(max(next_s, LINGER_S if written >= due else 0.0))
        return self

    async def _write(self, first: int, moments: Sequence[int]) -> None:
        """Commit one batch; a batch that was in somebody's way is tried again under the same keys."""
        numbers = self._numbers.take(len(moments))
        batch = [
            message_of(self._voices[(first + place) % len(self._voices)], f"t={moment}/{number}{self._filling}")
            for place, (moment, number) in enumerate(zip(moments, numbers, strict=True))
        ]
        _committing.set(numbers)
        while True:
            try:
                async with self._database.transaction(sorted({one.workspace_id for one in batch})) as conn:
                    outcomes = await actions.receive(conn, batch)
                break
            except Unavailable:
                await asyncio.sleep(RETRY_S)
        if any(one.kind not in (OutcomeKind.STORED, OutcomeKind.DUPLICATE) for one in outcomes):
            raise RuntimeError("a visitor's message was not stored")
        now_ns = time.time_ns()
        self.transactions += 1
        self.waits_ms += [(now_ns - moment) / 1e6 for moment in moments]


def _open_commits(path: str) -> memoryview | None:
    """Share a file of 8 bytes a message with the load processes."""
    if not path:
        return None
    with Path(path).open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("Q")


def _one_each(voices: Sequence[Voice]) -> list[Voice]:
    """Choose a voice of each workspace that writes to the inbox everybody sees."""
    return list({one.workspace_id: one for one in voices if one.inbox == 0}.values())


def _answer(report: WriterReport) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
    sys.stdout.buffer.flush()


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_main())
