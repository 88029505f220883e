"""
`sockets churn`: sockets come and go at a set rate; what grows with it is a leak.

Each client connects, says hello, waits for its welcome and leaves, every other one without a goodbye. Memory,
descriptors and presence are read at rest before and after, and while it goes on.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec
from redis import Redis

from hub.realtime.presence import merge
from scripts.benchmarks.results import Figures, Result, summarise
from scripts.benchmarks.sockets.bed import SocketBed, socket_bed
from scripts.benchmarks.sockets.crowd import CrowdPlan
from scripts.benchmarks.sockets.gauges import Holdings
from scripts.benchmarks.sockets.loaders import Loaders, LoadPlan, Report, loaders, reasons_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


# What every process has done once by then is no leak.
WARM_SHARE = 0.1
SAMPLES = 40
# An entry of presence outlives its socket by seconds, one whose process died by a minute.
PRESENCE_GONE_S = 75.0


class ChurnOptions(msgspec.Struct, frozen=True, kw_only=True):
    """
    How fast and for how long.

    Attributes:
        per_s: Connects a second, and as many closes.
        clients: People who take turns; a person comes again after ``clients / per_s`` seconds at the earliest.
        settle_s: Rest before memory is read for the first time.
    """

    runs: int = 1
    per_s: float = 1000.0
    seconds: float = 600.0
    clients: int = 5_000
    workspaces: int = 0
    workers: int = 2
    loaders: int = 2
    settle_s: float = 5.0


def churn(options: ChurnOptions) -> Iterator[Result]:
    """Measure; each run on a bed of its own."""
    runs = []
    for _ in range(options.runs):
        with socket_bed() as bed:
            runs.append(churn_on(bed, options))
    yield Result(
        bench="sockets-churn",
        case="connects_and_closes",
        options={
            "per_s": options.per_s,
            "seconds": options.seconds,
            "clients": options.clients,
            "workers": options.workers,
            "loaders": options.loaders,
        },
        median=summarise(runs),
        runs=runs,
        # Presence that stays, and sockets that nobody closes, are what a leak leaves behind.
        lost=int(sum(run["presence_left"] + run["sockets_left"] for run in runs)),
    )


def churn_on(bed: SocketBed, options: ChurnOptions) -> Figures:
    """Let clients come and go on a fresh bed."""
    crowd = bed.seed(CrowdPlan(options.clients, options.workspaces or -(-options.clients // 100)))
    bed.serve(options.workers, rest_s=options.settle_s)
    plan = LoadPlan(
        port=bed.hub.port,
        hellos=crowd.hellos,
        clients=options.clients,
        processes=options.loaders,
        mode="churn",
        per_s=options.per_s,
        ping_s=0,
    )
    with Redis.from_url(bed.services.redis_ephemeral_url) as redis, loaders(plan) as group:
        at_rest = bed.holdings()
        group.connect()
        time.sleep(options.seconds * WARM_SHARE)
        began = _Moment.of(bed, redis)
        group.reset()
        samples = _sample(bed, options.seconds * (1 - WARM_SHARE))
        ended, report = _Moment.of(bed, redis), group.report()
        group.stop_connecting()
        _wait_for_rest(bed, group, redis)
        after = _Moment.of(bed, redis)
    left = sum(bed.counted("hub_connections", "kind").values())
    bed.hub.stop("serve")
    went_on_s = ended.at_s - began.at_s
    return {
        "connects": report.opened,
        "connects_per_s": report.opened / went_on_s,
        "closes": report.closed,
        "failed": _failed(report),
        "cpu_ms_per_connect": (ended.cpu_s - began.cpu_s) * 1000 / max(1, report.opened),
        "rss_begin_mb": began.held.rss_kb / 1024,
        "rss_end_mb": ended.held.rss_kb / 1024,
        "rss_slope_kb_per_min": slope(samples) * 60,
        "rss_rest_before_mb": at_rest.rss_kb / 1024,
        "rss_rest_after_mb": after.held.rss_kb / 1024,
        "descriptors_begin": began.held.descriptors,
        "descriptors_end": ended.held.descriptors,
        "descriptors_rest_before": at_rest.descriptors,
        "descriptors_rest_after": after.held.descriptors,
        "presence_begin": began.presence,
        "presence_end": ended.presence,
        "presence_left": after.presence,
        "sockets_left": left,
        "tcp_end_mb": ended.held.tcp_kb / 1024,
        **reasons_of(report),
    }


class _Moment(msgspec.Struct, frozen=True):
    """What is held at one moment; ``presence`` counts the entries that have not expired."""

    at_s: float
    cpu_s: float
    held: Holdings
    presence: int

    @classmethod
    def of(cls, bed: SocketBed, redis: Redis) -> _Moment:
        return cls(time.monotonic(), bed.serve_cpu_s(), bed.holdings(), presence_entries(redis))


def presence_entries(redis: Redis) -> int:
    """Count who is online and who looks at what, by Redis' own clock."""
    seconds, microseconds = redis.time()
    now_ms = seconds * 1000 + microseconds // 1000
    count = 0
    for key in redis.scan_iter("presence:*", count=1000):
        for value in redis.hvals(key):
            ends_at_ms, _, entry = value.partition(b" ")
            if int(ends_at_ms) > now_ms:
                here = merge([entry])
                count += len(here.member_ids) + sum(len(one) for one in here.viewers.values())
    return count


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return by how much y grows with each x, by least squares; 0 for fewer than two samples."""
    if len(samples) < 2:
        return 0.0
    middle_x = sum(x for x, _ in samples) / len(samples)
    middle_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - middle_x) ** 2 for x, _ in samples)
    return sum((x - middle_x) * (y - middle_y) for x, y in samples) / spread if spread else 0.0


def _sample(bed: SocketBed, seconds: float) -> list[tuple[float, float]]:
    """Read the resident memory now and then; returns (seconds, kilobytes)."""
    samples = []
    started_s = time.monotonic()
    for number in range(SAMPLES):
        time.sleep(max(0.0, started_s + seconds * (number + 1) / SAMPLES - time.monotonic()))
        samples.append((time.monotonic() - started_s, float(bed.holdings().rss_kb)))
    return samples


def _failed(report: Report) -> int:
    return sum(times for why, times in report.reasons.items() if why not in ("left", "no place free"))


def _wait_for_rest(bed: SocketBed, group: Loaders, redis: Redis) -> None:
    """Wait until nobody is connected and nobody is shown as online, as long as an entry may live."""
    group.wait_until(lambda one: one.live == 0, 30)
    ends_at_s = time.monotonic() + PRESENCE_GONE_S
    while presence_entries(redis) and time.monotonic() < ends_at_s:
        time.sleep(0.5)
    while sum(bed.counted("hub_connections", "kind").values()) and time.monotonic() < ends_at_s:
        time.sleep(1.0)
