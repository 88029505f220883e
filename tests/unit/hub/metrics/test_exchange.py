"""Pages of several processes become one, without mixing them up."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families
from redis.exceptions import ConnectionError as RedisConnectionError

from hub import clock
from hub.metrics.exchange import KEY, STALE_AFTER_S, MetricsExchange, Page, _encoder


class FakeRedis:
    """A hash, and an outage."""

    def __init__(self) -> None:
        self.hash: dict[bytes, bytes] = {}
        self.is_away = False

    async def hset(self, key, field, value):
        self._answer()
        self.hash[field.encode()] = value

    async def expire(self, key, seconds):
        assert key == KEY

    async def hdel(self, key, field):
        self._answer()
        self.hash.pop(field.encode(), None)

    async def hgetall(self, key):
        self._answer()
        return dict(self.hash)

    def _answer(self):
        if self.is_away:
            raise RedisConnectionError("gone")


def process(redis, kind: str, worker: str, amount: int) -> MetricsExchange:
    registry = CollectorRegistry(auto_describe=True)
    Counter("items", "Things.", ("how",), registry=registry).labels("fast").inc(amount)
    return MetricsExchange(redis, registry, kind, worker)


async def shown(exchange: MetricsExchange) -> dict[tuple[str, str], float]:
    text = (await exchange.exposition()).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    return {(one.labels["process"], one.labels["worker"]): one.value for one in families["items"].samples}


async def test_page_holds_all_processes_and_the_asked_one_as_of_now():
    """Others as they left it, itself live; workers of one kind are told apart."""
    redis = FakeRedis()
    one, two, work = (
        process(redis, "serve", "a/0", 1),
        process(redis, "serve", "a/1", 2),
        process(redis, "work", "a/0", 4),
    )
    await two._leave()
    await work._leave()
    assert await shown(one) == {("serve", "a/0"): 1, ("serve", "a/1"): 2, ("work", "a/0"): 4}
    await work._withdraw()
    assert await shown(one) == {("serve", "a/0"): 1, ("serve", "a/1"): 2}


async def test_silent_processes_and_strange_entries_are_not_shown():
    """What was left too long ago, and what is not a page of this version."""
    redis = FakeRedis()
    one = process(redis, "serve", "a/0", 1)
    old_ms = clock.now_ms() - round(STALE_AFTER_S * 1000) - 1
    redis.hash[b"work/old"] = _encoder.encode(Page("work", "old", old_ms, []))
    redis.hash[b"work/strange"] = b"\xff\x00"
    assert await shown(one) == {("serve", "a/0"): 1}


async def test_page_without_redis_shows_the_process_that_was_asked():
    """While the wire is away there is still something to read."""
    redis = FakeRedis()
    one, two = process(redis, "serve", "a/0", 1), process(redis, "serve", "a/1", 2)
    await two._leave()
    redis.is_away = True
    await one._leave()
    assert await shown(one) == {("serve", "a/0"): 1}
    assert await shown(process(None, "serve", "alone", 3)) == {("serve", "alone"): 3}


async def test_values_that_are_no_floats_travel_too():
    """A switch given as True is 1 on another process's page, which shows all of its counts."""

    class Switch:
        def collect(self):
            yield GaugeMetricFamily("switch", "On or off.", value=True)

    redis, registry = FakeRedis(), CollectorRegistry()
    registry.register(Switch())
    await MetricsExchange(redis, registry, "work", "a/0")._leave()
    page = (await process(redis, "serve", "a/0", 1).exposition()).decode()
    assert 'switch{process="work",worker="a/0"} 1.0' in page
