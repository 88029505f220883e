"""
`sockets storm`: every serve process is killed with SIGKILL while events flow, the command is started again at once, and
all clients come back as docs/protocol.md asks: with their newest resume ticket and cursor, spread and backing off.

Rings are empty then: what was missed comes from Postgres. Lost is judged by each socket's own chain of seqs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.sockets.bed import SocketBed, socket_bed
from scripts.benchmarks.sockets.hold import HoldOptions, connect_all, frames_a_message
from scripts.benchmarks.sockets.ledger import judge_at_rest
from scripts.benchmarks.sockets.loaders import LoadPlan, Report, loaders, percentile_of, reasons_of
from scripts.benchmarks.sockets.writer import Order

if TYPE_CHECKING:
    from collections.abc import Iterator


class StormOptions(HoldOptions, frozen=True, kw_only=True):
    """
    What to kill; the rest is as in ``HoldOptions``.

    Attributes:
        seconds: Of events: they begin ``before_s`` before the kill and go on while clients come back.
        first_retry_s: A client's first try comes after a random time up to this.
        within_s: How long to wait for the last one.
    """

    frames_per_s: float = 5_000.0
    seconds: float = 70.0
    before_s: float = 12.0
    first_retry_s: float = 20.0
    within_s: float = 240.0


def storm(options: StormOptions) -> Iterator[Result]:
    """Measure; each run on a bed of its own."""
    runs = []
    for _ in range(options.runs):
        with socket_bed() as bed:
            runs.append(storm_on(bed, options))
    yield Result(
        bench="sockets-storm",
        case="kill_9_of_all_serve_processes",
        options={
            "sockets": options.sockets,
            "workspaces": options.crowd().workspaces,
            "workers": options.workers,
            "loaders": options.loaders,
            "frames_per_s": options.frames_per_s,
            "seconds": options.seconds,
            "first_retry_s": options.first_retry_s,
        },
        median=summarise(runs),
        runs=runs,
        lost=int(sum(run["lost"] + run["behind"] for run in runs)),
        duplicated=int(sum(run["duplicated"] for run in runs)),
    )


def storm_on(bed: SocketBed, options: StormOptions) -> Figures:
    """Kill and count on a fresh bed."""
    crowd = bed.seed(options.crowd())
    bed.serve(options.workers, rest_s=options.settle_s)
    starting_cpu_s = bed.serve_cpu_s()
    plan = LoadPlan(
        port=bed.hub.port,
        hellos=crowd.hellos,
        clients=options.sockets,
        processes=options.loaders,
        per_s=options.connects_per_s,
        ping_s=options.ping_s,
        keeps_tickets=True,
        first_retry_s=options.first_retry_s,
    )
    order = Order(per_s=options.frames_per_s / frames_a_message(crowd), seconds=options.seconds)
    with bed.writer(crowd) as writer, loaders(plan) as group:
        held = connect_all(bed, group, options)
        live_at_first = group.table()
        writer.begin(order)
        steady_s = bed.serve_cpu_s()
        time.sleep(options.before_s)
        steady_s = (bed.serve_cpu_s() - steady_s) / options.before_s
        group.reset()
        stores_s = bed.stores_cpu_s()
        bed.hub.kill("serve")
        killed_s = time.monotonic()
        bed.hub.start_serve(options.workers)
        ready_s = time.monotonic() - killed_s
        wanted = int(held["sockets"])
        report = group.wait_until(lambda one: one.live >= wanted and one.caught_up >= wanted, options.within_s)
        elapsed_s = time.monotonic() - killed_s
        cpu_s, stores_s = bed.serve_cpu_s() - starting_cpu_s, bed.stores_cpu_s() - stores_s
        written = writer.finish()
        verdict = judge_at_rest(bed.dues(crowd), group, live_at_first)
        holdings = bed.holdings()
    bed.hub.stop("serve")
    return {
        "sockets": wanted,
        "failed": options.sockets - wanted,
        "resumed": report.caught_up,
        "still_away": wanted - report.live,
        "ready_again_s": ready_s,
        "to_50_s": percentile_of(report.catch_up_ms, 0.5) / 1000,
        "to_99_s": percentile_of(report.catch_up_ms, 0.99) / 1000,
        "to_100_s": percentile_of(report.catch_up_ms, 1.0) / 1000,
        # Of the new processes, their start taken off; net: also what the sockets that were back cost before the kill.
        "cpu_ms_per_socket": cpu_s * 1000 / max(1, wanted),
        "net_cpu_ms_per_socket": (cpu_s - steady_s * _live_s(report, elapsed_s)) * 1000 / max(1, wanted),
        "stores_cpu_ms_per_socket": stores_s * 1000 / max(1, wanted),
        "events_committed": written.messages,
        "frames_expected": verdict.expected,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
        "behind": verdict.behind,
        "gapped": verdict.gapped,
        "rss_mb": holdings.rss_kb / 1024,
        "hellos": report.hellos,
        "snapshots": report.snapshots,
        "signed_in_again": report.signed_in_again,
        **reasons_of(report),
    }


def _live_s(report: Report, elapsed_s: float) -> float:
    """Return for how long a socket was back, on average over all of them."""
    back_s = [(elapsed_s - int(edge) / 1000) * times for edge, times in report.catch_up_ms.items()]
    return max(0.0, sum(back_s) / max(1, report.caught_up))
