"""Counting attempts while Redis is away."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from hub.errors import TooManyRequests, Unavailable
from hub.throttle import ALONE_S, Allowance, Throttle

THREE = Allowance("test:one", times=3, window_s=30)


class DeadRedis:
    """A Redis that never answers."""

    def pipeline(self, *, transaction: bool) -> DeadRedis:
        return self

    def set(self, *args: object, **kwargs: object) -> None: ...

    def incr(self, *args: object) -> None: ...

    def ttl(self, *args: object) -> None: ...

    async def execute(self) -> None:
        raise RedisConnectionError("gone")

    async def delete(self, *keys: str) -> None:
        raise RedisConnectionError("gone")


class Clock:
    """Seconds that move when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["dead", "absent"])
def throttle(request, clock) -> Throttle:
    return Throttle(DeadRedis() if request.param == "dead" else None, monotonic_s=clock)


async def test_process_counts_alone_at_first(throttle, clock):
    """A short outage neither opens the door nor closes it: the process counts by itself."""
    for _ in range(3):
        await throttle.take([THREE])
    with pytest.raises(TooManyRequests) as caught:
        await throttle.take([THREE])
    assert caught.value.retry_after_s == pytest.approx(30)


async def test_local_window_ends(throttle, clock):
    """After its window an allowance is whole again."""
    for _ in range(3):
        await throttle.take([THREE])
    clock.now_s += 31
    await throttle.take([THREE])


async def test_long_outage_fails_closed(throttle, clock):
    """After a minute without Redis nothing is allowed: nobody may buy endless guesses by killing it."""
    await throttle.take([THREE])
    clock.now_s += ALONE_S + 1
    with pytest.raises(Unavailable):
        await throttle.take([Allowance("test:other", times=3, window_s=30)])


async def test_forgetting_while_away_does_not_fail(throttle):
    """A good sign-in is not undone by a Redis that cannot be told."""
    for _ in range(3):
        await throttle.take([THREE])
    await throttle.forget([THREE])
    await throttle.take([THREE])


async def test_every_allowance_must_have_room(throttle):
    """One used-up allowance refuses, whatever the others have."""
    wide = Allowance("test:wide", times=100, window_s=30)
    for _ in range(3):
        await throttle.take([wide, THREE])
    with pytest.raises(TooManyRequests):
        await throttle.take([wide, THREE])


async def test_refusals_are_counted_by_what_was_tried_and_not_by_whom():
    """The label names the allowance's first two words; the address stays out of it."""
    throttle = Throttle(None)
    one = Allowance("sign_in:address:2001:db8::/64", times=1, window_s=30)
    await throttle.take([one])
    for _ in range(2):
        with pytest.raises(TooManyRequests):
            await throttle.take([one])
    assert throttle.refused == {"sign_in:address": 2}
