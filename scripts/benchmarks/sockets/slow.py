"""
`sockets slow`: some read a byte a second and some stop reading and answering altogether, among many that behave.

Both halves of a run carry the same traffic to the same number of sockets; only how the odd ones read differs. They sit
in workspaces of their own whose messages are long, so that what they do not read adds up.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.sockets.bed import SocketBed, socket_bed
from scripts.benchmarks.sockets.crowd import Crowd, CrowdPlan
from scripts.benchmarks.sockets.hold import HoldOptions, connect_all, frames_a_message
from scripts.benchmarks.sockets.ledger import judge_at_rest
from scripts.benchmarks.sockets.loaders import Loaders, LoadPlan, loaders, percentile_of
from scripts.benchmarks.sockets.writer import Order, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from scripts.benchmarks.sockets.gauges import Holdings

SEATS_A_WORKSPACE = 100
# Processes leave their counts for each other this often, with a margin.
METRICS_S = 6.0
TOO_SLOW, IDLE = "4002", "4001"


class SlowOptions(HoldOptions, frozen=True, kw_only=True):
    """
    Who misbehaves among ``sockets`` good ones; the rest is as in ``HoldOptions``.

    Attributes:
        slow: Sockets that read a byte a second; they go on sending pings.
        half_open: Sockets that neither read nor answer.
        odd_frames_per_s: Frames a second for both kinds together.
        text_chars: Length of the messages they are sent.
        receive_bytes: SO_RCVBUF of both kinds.
        seconds: Of frames, in each half.
    """

    sockets: int = 10_000
    slow: int = 1_000
    half_open: int = 1_000
    loaders: int = 3
    workers: int = 2
    frames_per_s: float = 5_000.0
    odd_frames_per_s: float = 4_000.0
    text_chars: int = 16_000
    receive_bytes: int = 4096
    seconds: float = 70.0

    @property
    def odd(self) -> int:
        """Sockets that misbehave in the second half."""
        return self.slow + self.half_open


def slow(options: SlowOptions) -> Iterator[Result]:
    """Measure; each run on a bed of its own."""
    runs = []
    for _ in range(options.runs):
        with socket_bed() as bed:
            runs.append(slow_on(bed, options))
    yield Result(
        bench="sockets-slow",
        case="readers_of_a_byte_a_second_and_half_open",
        options={
            "good": options.sockets,
            "slow": options.slow,
            "half_open": options.half_open,
            "workers": options.workers,
            "frames_per_s": options.frames_per_s,
            "odd_frames_per_s": options.odd_frames_per_s,
            "text_chars": options.text_chars,
            "receive_bytes": options.receive_bytes,
            "seconds": options.seconds,
        },
        median=summarise(runs),
        runs=runs,
        lost=int(sum(run["lost"] for run in runs)),
        duplicated=int(sum(run["duplicated"] for run in runs)),
    )


def slow_on(bed: SocketBed, options: SlowOptions) -> Figures:
    """Measure the good ones without and with the odd ones, on a fresh bed."""
    good = bed.seed(options.crowd())
    odd = bed.seed(CrowdPlan(options.odd, -(-options.odd // SEATS_A_WORKSPACE), member_tenths=10, audiences=1))
    bed.serve(options.workers, rest_s=options.settle_s)
    plan = _plan(bed, options, good.hellos, options.sockets, processes=options.loaders)
    plan = msgspec.structs.replace(plan, commits=good.commits)
    with (
        bed.writer(good) as writer,
        bed.writer(odd, text_chars=options.text_chars) as odd_writer,
        loaders(plan) as group,
    ):
        held = connect_all(bed, group, options)
        live_at_first = group.table()
        halves = _Halves(bed, options, group)
        orders = [
            (writer, Order(per_s=options.frames_per_s / frames_a_message(good), seconds=options.seconds)),
            (odd_writer, Order(per_s=options.odd_frames_per_s / frames_a_message(odd), seconds=options.seconds)),
        ]
        for one, order in orders:
            one.run(msgspec.structs.replace(order, seconds=options.warm_up_s))
        without = halves.with_readers(orders, _from_now(odd))
        with_them = halves.with_odd_ones(orders, _from_now(odd))
        time.sleep(METRICS_S if options.workers > 1 else 0)
        closes = bed.counted("hub_socket_closes_total", "code")
        dues = bed.dues(good)
        verdict = judge_at_rest(dues, group, live_at_first)
    bed.hub.stop("serve")
    return {
        "sockets": held["sockets"],
        "failed": held["failed"],
        "p50_without_ms": without["p50_ms"],
        "p50_with_ms": with_them["p50_ms"],
        "p99_without_ms": without["p99_ms"],
        "p99_with_ms": with_them["p99_ms"],
        "p99_ratio": with_them["p99_ms"] / max(without["p99_ms"], 0.001),
        "p99_after_commit_without_ms": without["p99_after_commit_ms"],
        "p99_after_commit_with_ms": with_them["p99_after_commit_ms"],
        "p99_after_commit_ratio": with_them["p99_after_commit_ms"] / max(without["p99_after_commit_ms"], 0.001),
        **{name: value for name, value in with_them.items() if not name.startswith("p")},
        "others_share_without": without["others_share"],
        "rss_most_without_mb": without["rss_most_mb"],
        "closed_too_slow": closes.get(TOO_SLOW, 0),
        "closed_idle": closes.get(IDLE, 0),
        "frames_expected": verdict.expected,
        "lost": verdict.lost,
        "duplicated": verdict.duplicated,
    }


class _Halves:
    """The two halves of a run over the same good sockets."""

    def __init__(self, bed: SocketBed, options: SlowOptions, group: Loaders) -> None:
        self._bed = bed
        self._options = options
        self._group = group

    def with_readers(self, orders: list[tuple[Writer, Order]], hellos: Path) -> Figures:
        """Let the odd ones read like everybody."""
        with loaders(_plan(self._bed, self._options, hellos, self._options.odd)) as readers:
            self._open(readers, self._options.odd)
            return self._measure(orders, [readers])

    def with_odd_ones(self, orders: list[tuple[Writer, Order]], hellos: Path) -> Figures:
        """Let them misbehave."""
        options, bytes_ = self._options, self._options.receive_bytes
        slow_plan = _plan(self._bed, options, hellos, options.slow, mode="slow", receive_bytes=bytes_)
        deaf_plan = _plan(
            self._bed, options, hellos, options.half_open, first=options.slow, mode="half", receive_bytes=bytes_
        )
        with loaders(slow_plan) as slow_ones, loaders(deaf_plan) as deaf_ones:
            self._open(slow_ones, options.slow)
            self._open(deaf_ones, options.half_open)
            return self._measure(orders, [slow_ones, deaf_ones])

    def _open(self, group: Loaders, count: int) -> None:
        group.connect()
        report = group.wait_until(lambda one: one.live >= count, 60 + 4 * count / self._options.connects_per_s)
        if report.live < count:
            raise RuntimeError(f"only {report.live} of {count} sockets came in: {report.reasons}")

    def _measure(self, orders: list[tuple[Writer, Order]], odd: Sequence[Loaders]) -> Figures:
        before = self._bed.holdings()
        self._group.reset()
        with _Watch(self._bed) as watch, self._bed.shared([self._group, *odd]) as share:
            for writer, order in orders:
                writer.begin(order)
            share.writers_s = sum(writer.finish().cpu_s for writer, _ in orders)
        report = self._group.report()
        grown_kb = max(one.rss_kb for one in watch.seen) - before.rss_kb
        grown_tcp_kb = max(one.tcp_kb for one in watch.seen) - before.tcp_kb
        return {
            "p50_ms": percentile_of(report.latency_us, 0.5) / 1000,
            "p99_ms": percentile_of(report.latency_us, 0.99) / 1000,
            "p99_after_commit_ms": percentile_of(report.after_commit_us, 0.99) / 1000,
            "others_share": share.others,
            "rss_before_mb": before.rss_kb / 1024,
            "rss_most_mb": max(one.rss_kb for one in watch.seen) / 1024,
            "tcp_before_mb": before.tcp_kb / 1024,
            "tcp_most_mb": max(one.tcp_kb for one in watch.seen) / 1024,
            "kb_per_odd_socket": (grown_kb + grown_tcp_kb) / max(1, self._options.odd),
        }


class _Watch:
    """Looks at what the serve processes hold, each second of a block."""

    def __init__(self, bed: SocketBed) -> None:
        self._bed = bed
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: list[Holdings] = []

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.seen.append(self._bed.holdings())
            if self._is_over.wait(1.0):
                return


def _plan(  # the few that differ
    bed: SocketBed,
    options: SlowOptions,
    hellos: Path,
    clients: int,
    *,
    processes: int = 1,
    first: int = 0,
    mode: str = "good",
    receive_bytes: int = 0,
) -> LoadPlan:
    return LoadPlan(
        port=bed.hub.port,
        hellos=hellos,
        clients=clients,
        first_line=first,
        processes=processes,
        mode=mode,
        per_s=options.connects_per_s,
        ping_s=options.ping_s,
        comes_back=mode == "good",
        receive_bytes=receive_bytes,
    )


def _from_now(crowd: Crowd) -> Path:
    """Write the hellos again with a void cursor: whoever says them starts from where the workspace stands then."""
    path = crowd.hellos.with_suffix(".void")
    lines = crowd.hellos.read_text().splitlines()
    path.write_text(
        "".join(f'{line.partition(chr(34) + "cursor")[0]}"cursor":{{"epoch":0,"seq":0}}}}\n' for line in lines)
    )
    return path
