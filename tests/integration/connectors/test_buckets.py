"""Rate buckets: one body of tests over memory and Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from connectors.base import Charge, Limit
from connectors.buckets import Buckets, MemoryBuckets, RedisBuckets

SLOW = (Limit(rate=1, per_s=1000, burst=2),)
FAST = (Limit(rate=20, per_s=1, burst=2),)


def charge(key: str, limits: tuple[Limit, ...], cost: float = 1.0) -> Charge:
    return Charge(key=key, limits=limits, cost=cost)


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def address(request) -> str:
    return "" if request.param == "memory" else request.getfixturevalue("redis_ephemeral")


@pytest.fixture
async def buckets(address) -> AsyncIterator[Buckets]:
    if not address:
        yield MemoryBuckets()
        return
    client = redis.asyncio.Redis.from_url(address)
    yield RedisBuckets(client)
    await client.aclose()


async def test_take_gives_the_burst_then_says_how_long_to_wait(buckets):
    """A full bucket gives its burst at once; then the wait is what one token takes to come."""
    charges = (charge("a", SLOW),)
    assert [await buckets.take(charges), await buckets.take(charges)] == [0.0, 0.0]
    assert 900 < await buckets.take(charges) <= 1000


async def test_take_is_all_or_nothing(buckets):
    """When one of two keys is empty the other keeps its tokens."""
    await buckets.take((charge("empty", SLOW, 2),))
    both = (charge("full", SLOW), charge("empty", SLOW))
    assert await buckets.take(both) > 0
    assert await buckets.take((charge("full", SLOW, 2),)) == 0.0


async def test_take_refills_with_time(buckets):
    """After the announced wait the charge goes through."""
    charges = (charge("a", FAST, 2),)
    assert await buckets.take(charges) == 0.0
    wait_s = await buckets.take(charges)
    assert 0 < wait_s <= 0.1
    await asyncio.sleep(wait_s)
    assert await buckets.take(charges) == 0.0


async def test_take_waits_for_the_slowest_of_several_windows(buckets):
    """A key with a short and a long window is held by the long one."""
    windows = (Limit(rate=100, per_s=1, burst=5), Limit(rate=1, per_s=100, burst=1))
    assert await buckets.take((charge("a", windows),)) == 0.0
    assert 90 < await buckets.take((charge("a", windows),)) <= 100


async def test_take_of_more_than_the_burst_leaves_a_debt(buckets):
    """A charge above the burst passes from a full bucket and is paid off afterwards, so the rate holds."""
    assert await buckets.take((charge("a", SLOW, 10),)) == 0.0
    assert 8900 < await buckets.take((charge("a", SLOW),)) <= 9000


async def test_take_charges_a_key_named_twice_twice(buckets):
    """Two charges on one key in one send both count."""
    twice = (charge("a", SLOW), charge("a", SLOW))
    assert await buckets.take(twice) == 0.0
    assert await buckets.take((charge("a", SLOW),)) > 0


async def test_penalise_blocks_a_full_bucket(buckets):
    """A vendor's "wait" holds although tokens are there, and a shorter one does not lift it."""
    await buckets.penalise("a", 100)
    await buckets.penalise("a", 1)
    assert 90 < await buckets.take((charge("a", SLOW),)) <= 100
    assert await buckets.take((charge("b", SLOW),)) == 0.0


async def test_penalise_ends(buckets):
    """A penalty is over after its time."""
    await buckets.penalise("a", 0.02)
    await asyncio.sleep(0.03)
    assert await buckets.take((charge("a", SLOW),)) == 0.0


async def test_take_of_nothing_is_free(buckets):
    """A channel without limits never waits."""
    assert await buckets.take(()) == 0.0


async def test_takers_at_once_share_the_burst(buckets):
    """Fifty at once get exactly the burst."""
    waits = await asyncio.gather(*(buckets.take((charge("a", (Limit(1, 1000, 7),)),)) for _ in range(50)))
    assert waits.count(0.0) == 7


@pytest.mark.redis
async def test_redis_buckets_are_shared_between_processes(redis_ephemeral):
    """What one client took, another misses."""
    one, two = (redis.asyncio.Redis.from_url(redis_ephemeral) for _ in range(2))
    charges = (charge("a", SLOW, 2),)
    assert await RedisBuckets(one).take(charges) == 0.0
    assert await RedisBuckets(two).take(charges) > 0
    await one.aclose()
    await two.aclose()


@pytest.mark.redis
async def test_redis_buckets_forget_idle_keys(redis_ephemeral):
    """A key expires once its bucket must be full again."""
    client = redis.asyncio.Redis.from_url(redis_ephemeral)
    await RedisBuckets(client).take((charge("a", (Limit(rate=1, per_s=1, burst=30),), 20),))
    (key,) = await client.keys("bucket:*")
    assert 20 <= await client.ttl(key) <= 22
    await client.aclose()


async def test_redis_buckets_go_on_without_redis():
    """While Redis is away a process counts for itself, and says how often."""
    client = redis.asyncio.Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=1)
    buckets = RedisBuckets(client)
    charges = (charge("a", SLOW, 2),)
    started = time.monotonic()
    assert await buckets.take(charges) == 0.0
    assert await buckets.take(charges) > 0
    assert buckets.fallbacks == 2
    assert time.monotonic() - started < 5
    await client.aclose()


async def test_peek_says_how_full_and_takes_nothing(buckets):
    """What is left, of how much, and for how long the vendor wants nothing; asking changes nothing."""
    spent, fresh = charge("spent", SLOW), charge("fresh", SLOW)
    await buckets.take((spent,))
    await buckets.penalise("spent", 50)
    for _ in range(2):
        one, two = await buckets.peek((spent, fresh))
        assert (round(one.left[0], 1), one.burst) == (1.0, (2,))
        assert 49 < one.blocked_s <= 50
        assert (two.left, two.blocked_s) == ((2.0,), 0.0)
    assert await buckets.peek(()) == []
