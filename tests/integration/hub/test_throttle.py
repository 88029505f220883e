"""Counting attempts in a real Valkey."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from hub.errors import TooManyRequests
from hub.throttle import Allowance, Throttle

pytestmark = pytest.mark.redis

FIVE = Allowance("test:five", times=5, window_s=60)


@pytest.fixture
async def redis(redis_ephemeral):
    client = Redis.from_url(redis_ephemeral)
    yield client
    await client.aclose()


async def test_processes_share_one_count(redis):
    """Two processes trying at once get five attempts together, not five each."""
    here, there = Throttle(redis), Throttle(redis)
    results = await asyncio.gather(
        *(throttle.take([FIVE]) for throttle in (here, there) for _ in range(10)), return_exceptions=True
    )
    assert results.count(None) == 5
    assert sum(isinstance(one, TooManyRequests) for one in results) == 15


async def test_every_count_has_an_end(redis):
    """No key stays for ever, and further attempts do not push its end out."""
    throttle = Throttle(redis)
    await throttle.take([FIVE])
    assert 0 < await redis.ttl("throttle:test:five") <= 60
    await redis.expire("throttle:test:five", 7)
    await throttle.take([FIVE])
    assert 0 < await redis.ttl("throttle:test:five") <= 7


async def test_refusal_says_how_long(redis):
    """The wait is the rest of the window."""
    throttle = Throttle(redis)
    for _ in range(5):
        await throttle.take([FIVE])
    with pytest.raises(TooManyRequests) as caught:
        await throttle.take([FIVE])
    assert 55 < caught.value.retry_after_s <= 60


async def test_forgotten_count_starts_anew(redis):
    """After a success all five are there again, for that key alone."""
    throttle, other = Throttle(redis), Allowance("test:other", times=1, window_s=60)
    for _ in range(5):
        await throttle.take([FIVE])
    await throttle.take([other])
    await throttle.forget([FIVE])
    await throttle.take([FIVE])
    with pytest.raises(TooManyRequests):
        await throttle.take([other])
