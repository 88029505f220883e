"""`latency`: from the moment a webhook is due until its frame is at a member's socket, at fixed rates; durable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.audit import Verdict, audit
from scripts.benchmarks.bed import Bed, made_bed
from scripts.benchmarks.cpu import Meter
from scripts.benchmarks.forged import message_sid
from scripts.benchmarks.generator_process import prepared
from scripts.benchmarks.load import Plan
from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.services import run_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

WARM_UP_S = 3.0


class LatencyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to measure.

    Attributes:
        rates: Calls a second, one case each.
        connections: Calls that can be under way at once; a call that finds none free waits, and its wait counts.
    """

    runs: int = 5
    seconds: float = 15.0
    rates: tuple[int, ...] = (100, 200, 500)
    connections: int = 64
    senders: int = 500


def latency(options: LatencyOptions) -> Iterator[Result]:
    """Measure each rate on one bed."""
    with made_bed(1) as bed:
        bed.hub.start_serve()
        bed.hub.start_work()
        run_alone(_one_run(bed, options, options.rates[0], WARM_UP_S))
        for rate in options.rates:
            yield _at_rate(bed, options, rate)


def _at_rate(bed: Bed, options: LatencyOptions, rate: int) -> Result:
    done = [run_alone(_one_run(bed, options, rate, options.seconds)) for _ in range(options.runs)]
    runs = [figures for figures, _ in done]
    return Result(
        bench="latency",
        case=f"webhook_to_frame_{rate}_per_s",
        options={"rate": rate, "seconds": options.seconds, "senders": options.senders},
        median=summarise(runs),
        runs=runs,
        lost=sum(verdict.lost for _, verdict in done) + int(sum(one["frames_missing"] for one in runs)),
        duplicated=sum(verdict.duplicated for _, verdict in done) + int(sum(one["frames_repeated"] for one in runs)),
    )


async def _one_run(bed: Bed, options: LatencyOptions, rate: int, seconds: float) -> tuple[Figures, Verdict]:
    forge = bed.forge(options.senders)
    plan = Plan(
        forge=forge,
        connections=options.connections,
        seconds=seconds,
        most=int(seconds * rate),
        rate=rate,
        ticket=bed.socket_ticket(),
    )
    async with prepared(plan) as generator:
        meter = Meter(bed.pids())
        report = await generator.run()
        used = meter.read(report.begun, report.cpu_s)
    refused = set(report.refused)
    acknowledged = [one for one in range(report.begun) if one not in refused]
    verdict = await audit(bed.services, forge.run, [message_sid(forge.run, one) for one in acknowledged])
    figures = {
        "messages": len(acknowledged),
        "frame_p50_ms": report.frame_p50_ms,
        "frame_p99_ms": report.frame_p99_ms,
        "answer_p50_ms": report.answer_p50_ms,
        "answer_p99_ms": report.answer_p99_ms,
        "frames_missing": len(acknowledged) - report.frames,
        "frames_repeated": report.repeated_frames,
        **used,
    }
    return figures, verdict
