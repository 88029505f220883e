"""
`sockets hold`: sockets held idle, then with frames at a set rate, then one message in every workspace at once.

Members and visitors say the real hello; messages enter through the actions and COMMIT. What each socket must receive
is read from the log afterwards and compared with what it counted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.sockets.bed import SocketBed, socket_bed
from scripts.benchmarks.sockets.crowd import AUDIENCES, CrowdPlan
from scripts.benchmarks.sockets.ledger import Verdict, judge
from scripts.benchmarks.sockets.loaders import Loaders, LoadPlan, Report, loaders, percentile_of, reasons_of
from scripts.benchmarks.sockets.writer import Order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.benchmarks.sockets.crowd import Crowd
    from scripts.benchmarks.sockets.loaders import Row
    from scripts.benchmarks.sockets.writer import Writer, WriterReport

ENTERS = "actions.receive and COMMIT, then the broker"


class HoldOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to hold.

    Attributes:
        sockets: How many; a worker holds 19,000 at most.
        workspaces: 0 means one for each 100 sockets.
        workers: Serve processes.
        loaders: Load processes.
        connects_per_s: New connections a second, of all load processes.
        settle_s: Rest before memory is read: once the workers have started, and once all sockets are open.
        frames_per_s: Frames at sockets, not messages.
        seconds: Of frames.
        warm_up_s: Of frames that are not counted: statements are prepared and pools are filled then.
        ping_s: The protocol's ping of each client; 0 never.
    """

    runs: int = 1
    sockets: int = 100_002
    workspaces: int = 0
    workers: int = 8
    loaders: int = 8
    connects_per_s: float = 1500.0
    settle_s: float = 20.0
    frames_per_s: float = 20_000.0
    seconds: float = 30.0
    warm_up_s: float = 2.0
    ping_s: float = 25.0

    def crowd(self) -> CrowdPlan:
        """Who sits where: 30 % members of three audiences, 70 % visitors."""
        return CrowdPlan(self.sockets, self.workspaces or -(-self.sockets // 100))


class HoldResult(Result, kw_only=True):
    """A line of ``hold``: the medians that the goals name, beside everything else in ``median``."""

    sockets: int
    failed: int
    bytes_per_socket: float
    connect_cpu_ms: float
    frames_expected: int
    frames_received: int
    p50_ms: float
    p99_ms: float
    server_cpu_s: float
    rss_mb: float


def hold(options: HoldOptions) -> Iterator[HoldResult]:
    """Measure; each run on a bed of its own."""
    runs = [_on_new_bed(options) for _ in range(options.runs)]
    yield _result("hold", options, [one for one, _ in runs], ENTERS)
    enters = f"{ENTERS}: a message in each workspace at once, all its members hear it"
    yield _result("one_to_all", options, [one for _, one in runs], enters)


def _on_new_bed(options: HoldOptions) -> tuple[Figures, Figures]:
    with socket_bed() as bed:
        return hold_on(bed, options)


def hold_on(bed: SocketBed, options: HoldOptions) -> tuple[Figures, Figures]:
    """Hold sockets on a fresh bed; returns the figures at a set rate, and those of one message in every workspace."""
    began_s = time.monotonic()
    crowd = bed.seed(options.crowd())
    seeding_s = time.monotonic() - began_s
    bed.serve(options.workers, rest_s=options.settle_s)
    plan = LoadPlan(
        port=bed.hub.port,
        hellos=crowd.hellos,
        clients=options.sockets,
        processes=options.loaders,
        per_s=options.connects_per_s,
        ping_s=options.ping_s,
        commits=crowd.commits,
    )
    with bed.writer(crowd) as writer, loaders(plan) as group:
        idle = connect_all(bed, group, options) | {"seeding_s": seeding_s}
        traffic = _Traffic(bed, crowd, group, writer)
        order = Order(per_s=options.frames_per_s / frames_a_message(crowd), seconds=options.seconds)
        traffic.measure(msgspec.structs.replace(order, seconds=options.warm_up_s))
        at_rate = traffic.measure(order)
        at_once = traffic.measure(Order())
    bed.hub.stop("serve")
    return idle | at_rate, idle | at_once


def connect_all(bed: SocketBed, group: Loaders, options: HoldOptions) -> Figures:
    """Open every socket, and measure what that costs and what they hold at rest."""
    before, cpu_s, stores_s = bed.holdings(), bed.serve_cpu_s(), bed.stores_cpu_s()
    began_s = time.monotonic()
    group.connect()
    within_s = 60 + 4 * options.sockets / options.connects_per_s
    group.wait_until(lambda one: one.live + one.failed >= options.sockets, within_s, progress_s=60)
    connect_s = time.monotonic() - began_s
    cpu_s, stores_s = bed.serve_cpu_s() - cpu_s, bed.stores_cpu_s() - stores_s
    idle_s = bed.serve_cpu_s()
    time.sleep(options.settle_s)
    idle_s = bed.serve_cpu_s() - idle_s
    report, after = group.report(), bed.holdings()
    live = max(1, report.live)
    return {
        "sockets": report.live,
        "failed": options.sockets - report.live,
        "bytes_per_socket": (after.pss_kb - before.pss_kb) * 1024 / live,
        "connect_cpu_ms": cpu_s * 1000 / live,
        "connect_stores_cpu_ms": stores_s * 1000 / live,
        "connect_s": connect_s,
        **reasons_of(report),
        # Of one processor: pings, heartbeats, rights and presence, without a single message.
        "idle_cpu_percent": idle_s * 100 / max(options.settle_s, 0.001),
        "rss_mb": after.rss_kb / 1024,
        "pss_mb": after.pss_kb / 1024,
        "pss_before_mb": before.pss_kb / 1024,
        "tcp_mb": after.tcp_kb / 1024,
    }


def frames_a_message(crowd: Crowd) -> float:
    """Return how many sockets hear a message on average: members who see its inbox, and the visitor's own seat."""
    members: dict[tuple[int, int], int] = {}
    for seat in crowd.seats:
        for inbox in AUDIENCES[seat.audience] if seat.audience is not None else ():
            members[seat.workspace_id, inbox] = members.get((seat.workspace_id, inbox), 0) + 1
    visitors = sum(1 for seat in crowd.seats if seat.audience is None)
    heard = visitors + sum(members.get((one.workspace_id, one.inbox), 0) for one in crowd.voices)
    return max(1.0, heard / len(crowd.voices))


class _Traffic:
    """Writes and counts, phase by phase, on sockets that are open."""

    def __init__(self, bed: SocketBed, crowd: Crowd, group: Loaders, writer: Writer) -> None:
        self._bed = bed
        self._crowd = crowd
        self._group = group
        self._writer = writer
        self._live_at_first = group.table()
        self._before = Verdict(0, 0, 0, 0, 0)

    def measure(self, order: Order) -> Figures:
        """Carry out an order and wait until everything arrived, or nothing does any more."""
        self._group.reset()
        cpu_s, stores_s, began_s = self._bed.serve_cpu_s(), self._bed.stores_cpu_s(), time.monotonic()
        loaders_s = self._group.report().cpu_s
        with self._bed.shared([self._group]) as share:
            written = self._writer.run(order)
            share.writers_s = written.cpu_s
        dues = self._bed.dues(self._crowd)
        verdict = judge(dues, self._live_at_first, before=self._live_at_first)
        expected = verdict.expected - self._before.expected
        report = self._group.wait_until(lambda one: one.events >= expected, 120, progress_s=10)
        cpu_s, stores_s = self._bed.serve_cpu_s() - cpu_s, self._bed.stores_cpu_s() - stores_s
        seconds = time.monotonic() - began_s
        verdict = judge(dues, self._table(), before=self._live_at_first)
        before, self._before = self._before, verdict
        return {
            "frames_expected": expected,
            "frames_received": report.events,
            "lost": verdict.lost - before.lost,
            "duplicated": verdict.duplicated - before.duplicated,
            "gapped": verdict.gapped - before.gapped,
            "behind": verdict.behind,
            **latency_of(report, written),
            "server_cpu_s": cpu_s,
            "server_cpu_us_per_frame": cpu_s * 1e6 / max(1, report.events),
            "stores_cpu_s": stores_s,
            "writer_cpu_s": written.cpu_s,
            "loaders_cpu_s": report.cpu_s - loaders_s,
            "others_share": share.others,
            "traffic_s": seconds,
            "frames_per_s": report.events / max(written.seconds, 0.001),
            "messages": written.messages,
            "rss_mb": self._bed.holdings().rss_kb / 1024,
            "closed": report.closed,
        }

    def _table(self) -> Sequence[Row]:
        return self._group.table()


def latency_of(report: Report, written: WriterReport) -> Figures:
    return {
        "p50_ms": percentile_of(report.latency_us, 0.5) / 1000,
        "p99_ms": percentile_of(report.latency_us, 0.99) / 1000,
        "p50_after_commit_ms": percentile_of(report.after_commit_us, 0.5) / 1000,
        "p99_after_commit_ms": percentile_of(report.after_commit_us, 0.99) / 1000,
        "commit_p50_ms": written.commit_ms[0],
        "commit_p99_ms": written.commit_ms[1],
    }


def _result(case: str, options: HoldOptions, runs: list[Figures], enters: str) -> HoldResult:
    median = summarise(runs)
    plan = options.crowd()
    return HoldResult(
        bench="sockets-hold",
        case=case,
        options={
            "sockets": options.sockets,
            "workspaces": plan.workspaces,
            "members": "30 %, in 3 audiences a workspace",
            "workers": options.workers,
            "loaders": options.loaders,
            "frames_per_s": options.frames_per_s if case == "hold" else 0,
            "seconds": options.seconds if case == "hold" else 0,
            "ping_s": options.ping_s,
            "enters": enters,
        },
        median=median,
        runs=runs,
        lost=int(sum(run["lost"] for run in runs)),
        duplicated=int(sum(run["duplicated"] for run in runs)),
        sockets=int(median["sockets"]),
        failed=int(median["failed"]),
        bytes_per_socket=median["bytes_per_socket"],
        connect_cpu_ms=median["connect_cpu_ms"],
        frames_expected=int(median["frames_expected"]),
        frames_received=int(median["frames_received"]),
        p50_ms=median["p50_ms"],
        p99_ms=median["p99_ms"],
        server_cpu_s=median["server_cpu_s"],
        rss_mb=median["rss_mb"],
    )
