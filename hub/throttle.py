"""
Counts attempts in the ephemeral Redis, so that every process sees the same number.

For what must not be guessed (passwords, links) it fails closed: while Redis is away each process counts by itself for
a minute, after that ``take`` refuses. For what is only a nuisance (``strict=False``: live chat) each process goes on
counting by itself. What a flushed Redis loses is a window's count, no more.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
from redis.exceptions import RedisError

from hub import clock
from hub.errors import TooManyRequests, Unavailable
from hub.log import Dependency, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

# How long a process trusts its own count: long enough for a restart of Redis, too short to be worth causing one.
ALONE_S: Final = 60.0
_MOST_LOCAL_KEYS: Final = 100_000


class Allowance(msgspec.Struct, frozen=True):
    """
    How often something may be tried.

    Attributes:
        key: What is counted and for whom, e.g. ``sign_in:address:…``; its first two words are a label of /metrics.
        times: Attempts in one window, 1 or more.
        window_s: Seconds from the first attempt to a new count.
    """

    key: str
    times: int
    window_s: int


class Throttle:
    """
    Counters of attempts; one per process.

    Attributes:
        refused: Attempts refused, by what was tried; read by /metrics.
        counting: Whether Redis counts for us; read by /metrics.
    """

    def __init__(self, redis: Redis | None, *, monotonic_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._redis = redis
        self._monotonic_s = monotonic_s
        # When Redis first failed to answer; None while it answers.
        self._alone_since: float | None = None
        # key -> (attempts, end of its window), used only while Redis is away.
        self._local: dict[str, tuple[int, float]] = {}
        self.refused: Counter[str] = Counter()
        self.counting = Dependency("throttle_redis", get_logger("hub.throttle"))

    async def take(self, allowances: Sequence[Allowance], *, strict: bool = True) -> None:
        """
        Count one attempt against each allowance, before it is made.

        Args:
            allowances: All must have room.
            strict: Whether to refuse when Redis has been away for too long, instead of counting in this process only.

        Raises:
            TooManyRequests: One is used up; ``retry_after_s`` is the rest of its window.
            Unavailable: Redis has been away for longer than ``ALONE_S``, and this is strict.
        """
        for allowance, (count, rest_s) in zip(allowances, await self._count(allowances, strict=strict), strict=True):
            if count > allowance.times:
                self.refused[_kind(allowance)] += 1
                raise TooManyRequests(max(1.0, rest_s), "Too many attempts. Wait a little and try again.")

    async def forget(self, allowances: Sequence[Allowance]) -> None:
        """Start these counts anew, after an attempt that succeeded; best effort."""
        for allowance in allowances:
            self._local.pop(allowance.key, None)
        if self._redis is None or not allowances:
            return
        try:
            await self._redis.delete(*(_redis_key(allowance) for allowance in allowances))
        except (RedisError, OSError, TimeoutError):
            return

    async def _count(self, allowances: Sequence[Allowance], *, strict: bool) -> list[tuple[int, float]]:
        if self._redis is not None:
            try:
                counts = await self._count_in(self._redis, allowances)
            except (RedisError, OSError, TimeoutError) as error:
                self.counting.lost(error=type(error).__name__)
            else:
                self.counting.found()
                self._alone_since = None
                self._local.clear()
                return counts
        return self._count_alone(allowances, strict=strict)

    async def _count_in(self, redis: Redis, allowances: Sequence[Allowance]) -> list[tuple[int, float]]:
        # Not one transaction: the keys may lie on different nodes, and each count stands by itself.
        pipeline = redis.pipeline(transaction=False)
        for allowance in allowances:
            # SET NX EX makes the window with the count: a key without an end cannot come to be.
            pipeline.set(_redis_key(allowance), 0, nx=True, ex=allowance.window_s)
            pipeline.incr(_redis_key(allowance))
            pipeline.ttl(_redis_key(allowance))
        answers = await pipeline.execute()
        return [(int(count), float(ttl)) for count, ttl in zip(answers[1::3], answers[2::3], strict=True)]

    def _count_alone(self, allowances: Sequence[Allowance], *, strict: bool) -> list[tuple[int, float]]:
        now_s = self._monotonic_s()
        if self._alone_since is None:
            self._alone_since = now_s
        is_full = len(self._local) >= _MOST_LOCAL_KEYS
        if strict and (is_full or now_s - self._alone_since > ALONE_S):
            raise Unavailable("Attempts cannot be counted just now, so none are taken. Try again soon.")
        if is_full:
            self._local = {key: one for key, one in self._local.items() if one[1] > now_s}
            if len(self._local) >= _MOST_LOCAL_KEYS:
                return [(0, 0.0)] * len(allowances)
        return [self._count_one(allowance, now_s) for allowance in allowances]

    def _count_one(self, allowance: Allowance, now_s: float) -> tuple[int, float]:
        count, ends_s = self._local.get(allowance.key, (0, now_s + allowance.window_s))
        if ends_s <= now_s:
            count, ends_s = 0, now_s + allowance.window_s
        self._local[allowance.key] = (count + 1, ends_s)
        return count + 1, ends_s - now_s


def _kind(allowance: Allowance) -> str:
    """Return what is tried, without who tries: the first two words of the key."""
    return ":".join(allowance.key.split(":")[:2])


def _redis_key(allowance: Allowance) -> str:
    return f"throttle:{allowance.key}"
