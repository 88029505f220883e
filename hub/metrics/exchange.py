"""
Brings the counts of all processes to one page: each leaves its own in the ephemeral Redis, whoever is asked reads all.

Nothing depends on it: while that Redis is away the page shows the process that was asked, and says so. See
docs/decisions/0014-metrics-of-all-processes-on-one-page.md.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, cast

import msgspec
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry
from redis.exceptions import RedisError

from hub import clock
from hub.log import Dependency, get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from redis.asyncio import Redis

KEY: Final = "metrics"
LEAVE_EVERY_S: Final = 5.0
# A process that left nothing for this long is down or hangs: it is not shown any more.
STALE_AFTER_S: Final = 20.0
READ_WITHIN_S: Final = 1.0

_log = get_logger("hub.metrics")


class Sample(msgspec.Struct, frozen=True, array_like=True):
    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, frozen=True, array_like=True):
    name: str
    kind: str
    text: str
    samples: list[Sample]


class Page(msgspec.Struct, frozen=True, array_like=True):
    """
    What one process counted.

    Attributes:
        process: What it is: ``serve``, ``work``.
        worker: Which one, the same after a restart: machine, port or slot.
        at_ms: When it was read, milliseconds since 1970.
    """

    process: str
    worker: str
    at_ms: int
    families: list[Family]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Page)


class MetricsExchange:
    """
    Leaves this process's page where the others find it.

    Args:
        redis: The ephemeral one; None keeps everything here.
        registry: What this process counts.
        process: As in ``Page``.
        worker: As in ``Page``.
    """

    def __init__(self, redis: Redis | None, registry: CollectorRegistry, process: str, worker: str) -> None:
        self._redis = redis
        self._registry = registry
        self._process = process
        self._worker = worker
        self._wire = Dependency("metrics_exchange", _log)

    async def run(self) -> None:
        """Leave the page every few seconds until cancelled; then take it away."""
        try:
            while True:
                await self._leave()
                await asyncio.sleep(LEAVE_EVERY_S)
        finally:
            await self._withdraw()

    async def exposition(self, stored: Iterable[Metric] = ()) -> bytes:
        """
        Return every live process's counts in Prometheus' text format, each sample with its process and worker.

        Args:
            stored: Families that belong to no process; they get no such labels.
        """
        mine = self._page()
        pages = {(one.process, one.worker): one for one in await self._others()}
        pages[mine.process, mine.worker] = mine
        registry = CollectorRegistry(auto_describe=True)
        registry.register(_Collected([*merge(pages.values()), *stored]))
        return generate_latest(registry)

    def _page(self) -> Page:
        return Page(self._process, self._worker, clock.now_ms(), [_family(one) for one in self._registry.collect()])

    async def _leave(self) -> None:
        if self._redis is None:
            return
        field, page = f"{self._process}/{self._worker}", _encoder.encode(self._page())
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                await self._redis.hset(KEY, field, page)
                await self._redis.expire(KEY, round(STALE_AFTER_S * 3))
        except (RedisError, OSError, TimeoutError) as error:
            self._wire.lost(error=type(error).__name__)
        else:
            self._wire.found()

    async def _withdraw(self) -> None:
        if self._redis is None:
            return
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                await self._redis.hdel(KEY, f"{self._process}/{self._worker}")
        except (RedisError, OSError, TimeoutError):
            return

    async def _others(self) -> list[Page]:
        if self._redis is None:
            return []
        try:
            async with asyncio.timeout(READ_WITHIN_S):
                return await live_pages(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._wire.lost(error=type(error).__name__)
            return []


async def live_pages(redis: Redis) -> list[Page]:
    """Read what live processes left; ``redis`` answers in bytes and raises what it raises."""
    left = await cast("Awaitable[dict[bytes, bytes]]", redis.hgetall(KEY))
    return [page for raw in left.values() if (page := _decode(raw)) is not None]


def merge(pages: Iterable[Page]) -> list[Metric]:
    """Put pages together: one family a name, and on each sample whose it is."""
    families: dict[str, Metric] = {}
    ages = GaugeMetricFamily(
        "hub_process_page_age_seconds", "How old the shown counts of a process are.", labels=["process", "worker"]
    )
    for page in pages:
        ages.add_metric([page.process, page.worker], max(0.0, (clock.now_ms() - page.at_ms) / 1000))
        whose = {"process": page.process, "worker": page.worker}
        for family in page.families:
            merged = families.setdefault(family.name, Metric(family.name, family.text, family.kind))
            for sample in family.samples:
                merged.add_sample(sample.name, {**sample.labels, **whose}, sample.value)
    return [ages, *families.values()]


def gauge(name: str, text: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    """Make a family of current values by one label."""
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values:
        family.add_metric([key], value)
    return family


def counter(name: str, text: str, labels: Iterable[str], values: Iterable[tuple[Iterable[str], float]]) -> Metric:
    """Make a family of ever-growing values by some labels."""
    family = CounterMetricFamily(name, text, labels=list(labels))
    for key, value in values:
        family.add_metric(list(key), value)
    return family


class _Collected(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _family(metric: Metric) -> Family:
    # A True or an int among the values would be refused by whoever reads the page.
    samples = [Sample(one.name, dict(one.labels), float(one.value)) for one in metric.samples]
    # "_created" stamps say when a counter was made: a series each, and nobody reads them.
    kept = [one for one in samples if not one.name.endswith("_created")]
    return Family(metric.name, metric.type, metric.documentation, kept)


def _decode(raw: bytes) -> Page | None:
    """Read a page of another process; None for an old one, or one of another version."""
    try:
        page = _decoder.decode(raw)
    except msgspec.MsgspecError:
        return None
    return page if clock.now_ms() - page.at_ms < STALE_AFTER_S * 1000 else None
