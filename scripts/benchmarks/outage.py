"""`outage`: signed HTTP calls while the durable Redis hangs, until they are committed in the spool, and back to normal.

Beside it the same calls with Redis there, in the same run, as what to compare with. No worker runs while calls are
taken, so that both sides have the same processor to themselves.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from scripts.benchmarks.audit import audit, committed, wait_until_committed
from scripts.benchmarks.bed import Bed, made_bed
from scripts.benchmarks.forged import message_sid
from scripts.benchmarks.generator_process import prepared
from scripts.benchmarks.ingest import MOST_PER_S
from scripts.benchmarks.load import Plan, Report
from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.services import run_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

# Long enough for the first callers to wait for the hung Redis and for everybody after them not to.
TRIP_S = 1.0
DRAINED_WITHIN_S = 120.0


class OutageOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to measure.

    Attributes:
        workspaces: One case for each count.
        seconds: How long calls are begun, on each side.
        connections: Calls under way at once.
        senders: Different people who write.
    """

    runs: int = 5
    seconds: float = 10.0
    connections: int = 64
    senders: int = 2_000
    workspaces: tuple[int, ...] = (1, 100)


class Taken(msgspec.Struct, frozen=True):
    """One stretch of calls: the ids that were acknowledged, and the generator's report."""

    run: str
    sids: list[str]
    report: Report

    @property
    def per_s(self) -> float:
        """Acknowledged calls a second."""
        return len(self.sids) / (self.report.ended_at_s - self.report.started_at_s)


def outage(options: OutageOptions) -> Iterator[Result]:
    """Measure both sides, for each count of workspaces."""
    for workspaces in options.workspaces:
        with made_bed(workspaces) as bed:
            yield _http_to_spool(bed, options)


def _http_to_spool(bed: Bed, options: OutageOptions) -> Result:
    bed.hub.start_serve()
    run_alone(_one_run(bed, msgspec.structs.replace(options, seconds=min(2.0, options.seconds))))
    results = [run_alone(_one_run(bed, options)) for _ in range(options.runs)]
    bed.hub.stop()
    runs = [figures for figures, _, _ in results]
    return Result(
        bench="outage",
        case="http_to_spool",
        options={
            "workspaces": len(bed.targets),
            "connections": options.connections,
            "seconds": options.seconds,
            "senders": options.senders,
        },
        median=summarise(runs),
        runs=runs,
        lost=sum(lost for _, lost, _ in results),
        duplicated=sum(duplicated for _, _, duplicated in results),
    )


async def _one_run(bed: Bed, options: OutageOptions) -> tuple[Figures, int, int]:
    owner = await asyncpg.connect(bed.services.owner_url)
    try:
        direct = await _take(bed, options, options.seconds)
        await _drain(bed, owner, len(direct.sids))
        redis = bed.services.pids["valkey-streams"]
        os.kill(redis, signal.SIGSTOP)
        try:
            tripped = await _take(bed, options, TRIP_S)
            spooled = await _take(bed, options, options.seconds)
        finally:
            os.kill(redis, signal.SIGCONT)
        waiting = await _spool_depth(owner)
        drained_s = await _drain(bed, owner, len(tripped.sids) + len(spooled.sids))
    finally:
        await owner.close()
    verdicts = [await audit(bed.services, one.run, one.sids) for one in (direct, tripped, spooled)]
    figures = {
        "messages": float(len(spooled.sids)),
        "refused": float(len(spooled.report.refused)),
        "messages_per_s": spooled.per_s,
        "answer_p50_ms": spooled.report.answer_p50_ms,
        "answer_p99_ms": spooled.report.answer_p99_ms,
        "first_answers_p99_ms": tripped.report.answer_p99_ms,
        "redis_up_per_s": direct.per_s,
        "redis_up_p50_ms": direct.report.answer_p50_ms,
        "redis_up_p99_ms": direct.report.answer_p99_ms,
        "ratio_to_redis_up": spooled.per_s / direct.per_s,
        "spooled": float(waiting),
        "drained_per_s": waiting / drained_s,
    }
    return figures, sum(one.lost for one in verdicts), sum(one.duplicated for one in verdicts)


async def _take(bed: Bed, options: OutageOptions, seconds: float) -> Taken:
    forge = bed.forge(options.senders)
    plan = Plan(forge=forge, connections=options.connections, seconds=seconds, most=int(seconds * MOST_PER_S))
    async with prepared(plan) as generator:
        report = await generator.run()
    refused = set(report.refused)
    sids = [message_sid(forge.run, one) for one in range(report.begun) if one not in refused]
    return Taken(forge.run, sids, report)


async def _drain(bed: Bed, owner: asyncpg.Connection[asyncpg.Record], count: int) -> float:
    """Let a worker store what was taken, spool and stream; returns the seconds from its first COMMIT to its last."""
    at_first = await committed(owner)
    bed.hub.start_work()
    try:
        first = await wait_until_committed(owner, at_first + 1, give_up_s=DRAINED_WITHIN_S)
        last = await wait_until_committed(owner, at_first + count, give_up_s=DRAINED_WITHIN_S)
        gives_up_at = time.monotonic() + DRAINED_WITHIN_S
        while await _spool_depth(owner) and time.monotonic() < gives_up_at:  # noqa: ASYNC110  another process empties it
            await asyncio.sleep(0.05)
    finally:
        bed.hub.stop("work")
    return max(1e-9, last - first)


async def _spool_depth(owner: asyncpg.Connection[asyncpg.Record]) -> int:
    return int(await owner.fetchval("SELECT count(*) FROM intake_spool"))
