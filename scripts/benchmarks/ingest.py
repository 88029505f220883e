"""`ingest`: signed HTTP calls until they are committed, and a filled stream until it is; nothing may be lost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
import msgspec
from redis.asyncio import Redis

from hub.envelope import StreamItem
from hub.streams.model import FIELD, partition_of, stream_key
from scripts.benchmarks.audit import Verdict, audit, committed, wait_until_committed
from scripts.benchmarks.bed import Bed, made_bed
from scripts.benchmarks.cpu import Meter
from scripts.benchmarks.floors import measure_floors
from scripts.benchmarks.forged import Forge, make_body, message_sid
from scripts.benchmarks.generator_process import prepared
from scripts.benchmarks.load import Plan
from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.services import run_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

# Signed before the clock starts: more than one process here can take.
MOST_PER_S = 9_000
PRELOAD_CHUNK = 500


class IngestOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to measure.

    Attributes:
        workspaces: One case for each count.
        seconds: How long calls are begun; the time until the last COMMIT is counted, too.
        connections: Calls under way at once.
        senders: Different people who write.
        stream_items: How many items fill the stream.
    """

    runs: int = 5
    seconds: float = 10.0
    connections: int = 64
    senders: int = 2_000
    stream_items: int = 30_000
    workspaces: tuple[int, ...] = (1, 1_000)


def ingest(options: IngestOptions) -> Iterator[Result]:
    """Measure both ways in, for each count of workspaces."""
    for workspaces in options.workspaces:
        with made_bed(workspaces) as bed:
            yield _http_to_commit(bed, options)
            yield _stream_to_commit(bed, options)


def _http_to_commit(bed: Bed, options: IngestOptions) -> Result:
    bed.hub.start_serve()
    bed.hub.start_work()
    said: Figures = {
        "workspaces": len(bed.targets),
        "connections": options.connections,
        "seconds": options.seconds,
        "senders": options.senders,
    }
    # A first short run that is not counted: routes read, statements prepared, pages of the tables made.
    warm_up = msgspec.structs.replace(options, seconds=min(2.0, options.seconds))
    verdicts = [run_alone(_one_http_run(bed, warm_up))[1]]
    runs = []
    for _ in range(options.runs):
        figures, verdict = run_alone(_one_http_run(bed, options))
        runs.append(figures | _ratios(figures, run_alone(_floors(bed, options.connections))))
        verdicts.append(verdict)
    bed.hub.stop()
    return _result("http_to_commit", said, runs, verdicts)


async def _one_http_run(bed: Bed, options: IngestOptions) -> tuple[Figures, Verdict]:
    forge = bed.forge(options.senders)
    plan = Plan(
        forge=forge,
        connections=options.connections,
        seconds=options.seconds,
        most=int(options.seconds * MOST_PER_S),
    )
    owner = await asyncpg.connect(bed.services.owner_url)
    try:
        async with prepared(plan) as generator:
            at_first = await committed(owner)
            meter = Meter(bed.pids())
            report = await generator.run()
        answered = report.begun - len(report.refused)
        last_commit = await wait_until_committed(owner, at_first + answered)
        used = meter.read(answered, report.cpu_s)
    finally:
        await owner.close()
    refused = set(report.refused)
    verdict = await audit(
        bed.services, forge.run, [message_sid(forge.run, one) for one in range(report.begun) if one not in refused]
    )
    elapsed = last_commit - report.started_at_s
    figures = {
        "messages": answered,
        "refused": len(refused),
        "messages_per_s": answered / elapsed,
        "answers_per_s": answered / (report.ended_at_s - report.started_at_s),
        "answer_p50_ms": report.answer_p50_ms,
        "answer_p99_ms": report.answer_p99_ms,
        "behind_at_end_s": last_commit - report.ended_at_s,
        **used,
    }
    return figures, verdict


def _stream_to_commit(bed: Bed, options: IngestOptions) -> Result:
    said: Figures = {
        "workspaces": len(bed.targets),
        "stream_items": options.stream_items,
        "senders": options.senders,
    }
    runs, verdicts = [], []
    for _ in range(options.runs):
        figures, verdict = run_alone(_one_stream_run(bed, options))
        runs.append(figures | _ratios(figures, run_alone(_floors(bed, options.connections))))
        verdicts.append(verdict)
    return _result("stream_to_commit", said, runs, verdicts)


async def _one_stream_run(bed: Bed, options: IngestOptions) -> tuple[Figures, Verdict]:
    """Fill the stream while nobody reads it, then start a worker; the clock runs from its first COMMIT."""
    forge = bed.forge(options.senders)
    await _fill_stream(bed, forge, options.stream_items)
    owner = await asyncpg.connect(bed.services.owner_url)
    try:
        at_first = await committed(owner)
        bed.hub.start_work()
        first_commit = await wait_until_committed(owner, at_first + 1)
        early = await committed(owner) - at_first
        meter = Meter(bed.pids())
        last_commit = await wait_until_committed(owner, at_first + options.stream_items)
        used = meter.read(options.stream_items - early)
    finally:
        await owner.close()
        bed.hub.stop("work")
    counted = options.stream_items - early
    figures = {
        "messages": options.stream_items,
        "messages_per_s": counted / max(1e-9, last_commit - first_commit),
        **used,
    }
    sids = [message_sid(forge.run, one) for one in range(options.stream_items)]
    return figures, await audit(bed.services, forge.run, sids)


async def _fill_stream(bed: Bed, forge: Forge, count: int) -> None:
    async with Redis.from_url(bed.services.redis_url, protocol=2) as redis:
        for first in range(0, count, PRELOAD_CHUNK):
            pipeline = redis.pipeline(transaction=False)
            for number in range(first, min(first + PRELOAD_CHUNK, count)):
                key = stream_key(partition_of(forge.target_of(number).workspace_id))
                pipeline.execute_command("XADD", key, "*", FIELD, _stream_payload(forge, number))
            await pipeline.execute()


def _stream_payload(forge: Forge, number: int) -> bytes:
    target = forge.target_of(number)
    item = StreamItem(
        workspace_id=target.workspace_id,
        channel_account_id=target.account_id,
        channel="twilio_sms",
        key=message_sid(forge.run, number),
        body=make_body(forge, number)[0],
        received_at_ms=int(time.time() * 1000),
    )
    return msgspec.msgpack.encode(item)


async def _floors(bed: Bed, concurrency: int) -> Figures:
    return await measure_floors(bed.services, _stream_payload(bed.forge(1), 0), concurrency)


def _ratios(figures: Figures, floors: Figures) -> Figures:
    """Say how far from each floor a run is: 1.0 would be as fast as the bare write alone."""
    ratios = {
        name.replace("floor_", "ratio_to_").removesuffix("_per_s"): figures["messages_per_s"] / floor
        for name, floor in floors.items()
    }
    return floors | ratios


def _result(case: str, said: Figures, runs: list[Figures], verdicts: list[Verdict]) -> Result:
    return Result(
        bench="ingest",
        case=case,
        options=dict(said),
        median=summarise(runs),
        runs=runs,
        lost=sum(one.lost for one in verdicts),
        duplicated=sum(one.duplicated for one in verdicts),
    )
