"""
Token buckets over several keys, all or nothing: a send takes every key it needs, or none and learns how long to wait.

One implementation in memory, one in the ephemeral Redis by Redis' own clock, so that all processes share the limits.
Called by dispatch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, cast

import msgspec
import redis.asyncio
from redis.exceptions import RedisError

from connectors.base import Charge, Limit
from hub import clock

# A key nobody uses is forgotten once its bucket is full again; penalties are at most a day.
PENALTY_LIMIT_S = 86_400.0
_LONGEST_MEMORY_S = 2 * 86_400


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """
    One key's buckets now.

    Attributes:
        left: Tokens in each of the key's limits, in their order; below zero after a large message.
        burst: The most each holds.
        blocked_s: Seconds for which the vendor wants nothing of this key, 0.0 when it takes what there is.
    """

    key: str
    left: tuple[float, ...]
    burst: tuple[int, ...]
    blocked_s: float = 0.0


class Buckets(Protocol):
    """What dispatch needs of rate limits."""

    async def take(self, charges: Sequence[Charge]) -> float:
        """
        Take all charges, or none.

        Args:
            charges: Each with its key and limits. One above a bucket's burst waits for a full bucket and leaves it in
                debt, so that large messages are slow, not impossible.

        Returns:
            0.0 when taken; else the seconds (> 0) after which it is worth asking again.
        """
        ...

    async def peek(self, charges: Sequence[Charge]) -> list[Level]:
        """Say how full each charge's buckets are, without taking anything; in the order of the charges."""
        ...

    async def penalise(self, key: str, wait_s: float) -> None:
        """
        Let nobody take from a key for a while, because the vendor said so.

        Args:
            key: A charge's key.
            wait_s: 0-86,400; never shortens an earlier penalty.
        """
        ...


class MemoryBuckets:
    """
    Buckets of one process.

    Args:
        now_s: A clock that never steps back.
    """

    def __init__(self, now_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._now_s = now_s
        self._levels: dict[tuple[str, int], tuple[float, float]] = {}
        self._blocked_until: dict[str, float] = {}

    async def take(self, charges: Sequence[Charge]) -> float:
        """Take all charges, or none; see ``Buckets``."""
        now = self._now_s()
        wait = 0.0
        levels: dict[tuple[str, int], tuple[float, float]] = {}
        for charge in charges:
            wait = max(wait, self._blocked_until.get(charge.key, now) - now)
            for index, limit in enumerate(charge.limits):
                place = (charge.key, index)
                # A key named twice is charged twice.
                level, since = levels.get(place) or self._levels.get(place, (float(limit.burst), now))
                level = min(float(limit.burst), level + (now - since) * limit.rate / limit.per_s)
                lacking = min(charge.cost, float(limit.burst)) - level
                if lacking > 1e-9:
                    wait = max(wait, lacking * limit.per_s / limit.rate)
                levels[place] = (level - charge.cost, now)
        if wait > 0:
            return wait
        self._levels.update(levels)
        return 0.0

    async def peek(self, charges: Sequence[Charge]) -> list[Level]:
        """Say how full buckets are; see ``Buckets``."""
        now = self._now_s()
        return [
            Level(
                key=charge.key,
                left=tuple(self._left(charge.key, index, limit, now) for index, limit in enumerate(charge.limits)),
                burst=tuple(limit.burst for limit in charge.limits),
                blocked_s=max(0.0, self._blocked_until.get(charge.key, now) - now),
            )
            for charge in charges
        ]

    def _left(self, key: str, index: int, limit: Limit, now: float) -> float:
        level, since = self._levels.get((key, index), (float(limit.burst), now))
        return min(float(limit.burst), level + (now - since) * limit.rate / limit.per_s)

    async def penalise(self, key: str, wait_s: float) -> None:
        """Let nobody take from a key for a while; see ``Buckets``."""
        until = self._now_s() + min(wait_s, PENALTY_LIMIT_S)
        self._blocked_until[key] = max(self._blocked_until.get(key, until), until)


# KEYS: one hash a charge. ARGV[1]: JSON list of {cost, limits: [[rate per second, burst], …]}, in the order of KEYS.
# Times are microseconds as text without exponent: Lua's own number format would lose digits.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local charges = cjson.decode(ARGV[1])
local wait, levels = 0, {}
for i, charge in ipairs(charges) do
  local key = KEYS[i]
  local blocked = tonumber(redis.call('HGET', key, 'b') or '0')
  wait = math.max(wait, (blocked - now) / 1000000)
  for j, limit in ipairs(charge.limits) do
    local rate, burst = limit[1], limit[2]
    local place = key .. '/' .. j
    local known = levels[place]
    if not known then
      local stored = redis.call('HMGET', key, 'l' .. j, 's' .. j)
      known = {level = tonumber(stored[1] or burst), since = tonumber(stored[2] or now)}
    end
    local level = math.min(burst, known.level + math.max(now - (known.since or now), 0) / 1000000 * rate)
    local lacking = math.min(charge.cost, burst) - level
    if lacking > 0.000000001 then wait = math.max(wait, lacking / rate) end
    local full_s = (burst - level + charge.cost) / rate
    levels[place] = {key = key, j = j, level = level - charge.cost, full_s = full_s}
  end
end
if wait > 0 then return string.format('%.6f', math.max(wait, 0.000001)) end
for _, one in pairs(levels) do
  redis.call('HSET', one.key, 'l' .. one.j, string.format('%.9f', one.level), 's' .. one.j, string.format('%.0f', now))
  local keep = math.min(math.ceil(one.full_s) + 1, tonumber(ARGV[2]))
  if redis.call('TTL', one.key) < keep then redis.call('EXPIRE', one.key, keep) end
end
return '0'
"""

# KEYS and ARGV[1] as in _TAKE; writes nothing. Answers a JSON list of [blocked seconds, level, …], one a key.
_PEEK = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local answer = {}
for i, charge in ipairs(cjson.decode(ARGV[1])) do
  local key = KEYS[i]
  local one = {math.max(0, (tonumber(redis.call('HGET', key, 'b') or '0') - now) / 1000000)}
  for j, limit in ipairs(charge.limits) do
    local stored = redis.call('HMGET', key, 'l' .. j, 's' .. j)
    local level, since = tonumber(stored[1] or limit[2]), tonumber(stored[2] or now)
    one[j + 1] = math.min(limit[2], level + math.max(now - since, 0) / 1000000 * limit[1])
  end
  answer[i] = one
end
return cjson.encode(answer)
"""

_PENALISE = """
local t = redis.call('TIME')
local wait = tonumber(ARGV[1])
local until_us = t[1] * 1000000 + t[2] + wait * 1000000
if until_us > tonumber(redis.call('HGET', KEYS[1], 'b') or '0') then
  redis.call('HSET', KEYS[1], 'b', string.format('%.0f', until_us))
end
local keep = math.ceil(wait) + 1
if redis.call('TTL', KEYS[1]) < keep then redis.call('EXPIRE', KEYS[1], keep) end
return '0'
"""


class RedisBuckets:
    """
    Buckets all processes share.

    Args:
        client: The ephemeral Redis. While it is away each process counts for itself: sends go on, and a vendor that
            finds them too many says so.
    """

    def __init__(self, client: redis.asyncio.Redis) -> None:
        self._take = client.register_script(_TAKE)
        self._peek = client.register_script(_PEEK)
        self._penalise = client.register_script(_PENALISE)
        self._local = MemoryBuckets()
        # How often Redis was away; for /metrics.
        self.fallbacks = 0

    async def take(self, charges: Sequence[Charge]) -> float:
        """Take all charges, or none; see ``Buckets``."""
        if not charges:
            return 0.0
        keys = [_key(charge.key) for charge in charges]
        arguments: list[bytes | int] = [_encode(charges), _LONGEST_MEMORY_S]
        try:
            answer = await cast("Awaitable[bytes | str]", self._take(keys=keys, args=arguments))
        except (RedisError, OSError):
            self.fallbacks += 1
            return await self._local.take(charges)
        return float(answer)

    async def peek(self, charges: Sequence[Charge]) -> list[Level]:
        """Say how full buckets are; see ``Buckets``. While Redis is away, as this process knows them."""
        if not charges:
            return []
        try:
            keys = [_key(charge.key) for charge in charges]
            answer = await cast("Awaitable[bytes | str]", self._peek(keys=keys, args=[_encode(charges)]))
        except (RedisError, OSError):
            self.fallbacks += 1
            return await self._local.peek(charges)
        return [
            Level(
                key=charge.key,
                left=tuple(row[1:]),
                burst=tuple(limit.burst for limit in charge.limits),
                blocked_s=row[0],
            )
            for charge, row in zip(charges, msgspec.json.decode(answer, type=list[list[float]]), strict=True)
        ]

    async def penalise(self, key: str, wait_s: float) -> None:
        """Let nobody take from a key for a while; see ``Buckets``."""
        await self._local.penalise(key, wait_s)
        try:
            arguments = [min(wait_s, PENALTY_LIMIT_S)]
            await cast("Awaitable[bytes | str]", self._penalise(keys=[_key(key)], args=arguments))
        except (RedisError, OSError):
            self.fallbacks += 1


def _encode(charges: Sequence[Charge]) -> bytes:
    return msgspec.json.encode(
        [
            {"cost": charge.cost, "limits": [(limit.rate / limit.per_s, limit.burst) for limit in charge.limits]}
            for charge in charges
        ]
    )


def _key(key: str) -> str:
    # One hash tag: a script may only touch keys of one slot, and a send's keys belong to different owners.
    return f"bucket:{{buckets}}:{key}"
