"""
How many calls a minute a key, a member and a workspace make: a moving window, counted for all processes together.

One round trip a call, and all or nothing: a call that one window refuses counts against none, so that a key which
hammers on does not use up its workspace. While Redis is away each process counts by itself (fails open: whoever calls
is signed in, and the counts protect others' share, not a secret). Webhooks and live chat are not counted here.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec
from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from hub import clock
from hub.keys import store
from hub.keys.model import CallLimits
from hub.limits.actions import defaults
from hub.log import Dependency, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis.asyncio import Redis

    from hub.accounts.model import Actor
    from hub.db import Database

WINDOW_S: Final = 60
# A change of a workspace's limits reaches every process within this.
LIMITS_KEPT_S: Final = 5.0
_MOST_WORKSPACES: Final = 10_000

# The lists are as those of ``limits`` (newest first, one time a call). Its own script takes one window at a time, and
# reads what is left in a second call.
_TAKE: Final = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local window = tonumber(ARGV[1])
local answer = {}
local refused = false
for i, key in ipairs(KEYS) do
    local most = tonumber(ARGV[i + 1])
    local low, high, used, oldest = 0, most - 1, 0, now
    while low <= high do
        local middle = math.floor((low + high) / 2)
        local at = tonumber(redis.call('LINDEX', key, middle) or '0')
        if at > now - window then
            used, oldest, low = middle + 1, at, middle + 1
        else
            high = middle - 1
        end
    end
    refused = refused or used >= most
    answer[2 * i] = used
    answer[2 * i + 1] = math.ceil((oldest + window - now) * 1000)
end
if not refused then
    local stamp = string.format('%.6f', now)
    for i, key in ipairs(KEYS) do
        redis.call('LPUSH', key, stamp)
        redis.call('LTRIM', key, 0, tonumber(ARGV[i + 1]) - 1)
        redis.call('EXPIRE', key, window + 1)
    end
end
answer[1] = refused and 1 or 0
return answer
"""

_log = get_logger("hub.keys")


class Window(msgspec.Struct, frozen=True):
    """One count: who is counted, e.g. ``key:<id>``, and how many calls a minute they have."""

    who: str
    most: int


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one call.

    Attributes:
        limit: Of the window with the least left: calls in a minute.
        remaining: Calls left in it after this one.
        reset_s: Seconds until it has room for one more than now.
        refused: Whether the call is one too many.
    """

    limit: int
    remaining: int
    reset_s: int
    refused: bool


class CallRates:
    """
    Counts calls; one per process.

    Attributes:
        counting: Whether Redis counts for us; says once that it went away and once that it is back.
        counts: Calls by what the limits said; read by /metrics.
    """

    def __init__(
        self, redis: Redis | None, database: Database, *, monotonic_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self._take = None if redis is None else redis.register_script(_TAKE)
        self._database = database
        self._monotonic_s = monotonic_s
        self._limits: dict[int, tuple[float, CallLimits]] = {}
        self._alone: MovingWindowRateLimiter | None = None
        self.counting = Dependency("call_rates_redis", _log)
        self.counts: Counter[str] = Counter()

    async def take(self, actor: Actor) -> Verdict:
        """Count a call of a member or key against their own window and the workspace's."""
        limits = await self._limits_of(actor.workspace_id)
        tag = f"{{{actor.workspace_id}}}"
        own = (
            Window(f"{tag}:member:{actor.member_id}", limits.member_calls_per_minute)
            if actor.key_id is None
            else Window(f"{tag}:key:{actor.key_id}", limits.key_calls_per_minute)
        )
        windows = [own, Window(f"{tag}:workspace", limits.workspace_calls_per_minute)]
        if actor.key_id is not None and actor.kind == "member":
            # A member with many tokens is still one member.
            windows.insert(1, Window(f"{tag}:member:{actor.member_id}", limits.member_calls_per_minute))
        verdict = await self.take_windows(windows)
        self.counts["refused" if verdict.refused else "taken"] += 1
        return verdict

    async def take_windows(self, windows: Sequence[Window]) -> Verdict:
        """
        Count one call against several windows, or against none where one of them is full.

        Args:
            windows: One or more; their keys share a hash tag where Redis is a cluster.
        """
        if self._take is not None:
            try:
                answer = await self._take(
                    keys=[f"calls:{one.who}" for one in windows], args=[WINDOW_S, *(one.most for one in windows)]
                )
            except (RedisError, OSError, TimeoutError) as error:
                self.counting.lost(error=type(error).__name__)
            else:
                self.counting.found()
                self._alone = None
                return _verdict(windows, answer[1::2], [ms / 1000 for ms in answer[2::2]], refused=bool(answer[0]))
        return await self._take_alone(windows)

    async def _take_alone(self, windows: Sequence[Window]) -> Verdict:
        if self._alone is None:
            self._alone = MovingWindowRateLimiter(MemoryStorage())
        items = [(RateLimitItemPerMinute(one.most), one.who) for one in windows]
        passes = [await self._alone.test(item, who) for item, who in items]
        stats = [await self._alone.get_window_stats(item, who) for item, who in items]
        if all(passes):
            for item, who in items:
                await self._alone.hit(item, who)
        used = [one.most - two.remaining for one, two in zip(windows, stats, strict=True)]
        now_s = clock.now().timestamp()
        return _verdict(windows, used, [one.reset_time - now_s for one in stats], refused=not all(passes))

    async def _limits_of(self, workspace_id: int) -> CallLimits:
        now_s = self._monotonic_s()
        known = self._limits.get(workspace_id)
        if known is not None and now_s - known[0] < LIMITS_KEPT_S:
            return known[1]
        async with self._database.snapshot([workspace_id]) as conn:
            limits = await store.call_limits(conn, workspace_id, _default_limits())
        if len(self._limits) >= _MOST_WORKSPACES:
            self._limits.clear()
        self._limits[workspace_id] = now_s, limits
        return limits


def _default_limits() -> CallLimits:
    chosen = defaults().workspace_calls_per_minute
    return CallLimits() if chosen is None else CallLimits(workspace_calls_per_minute=chosen)


def _verdict(windows: Sequence[Window], used: Sequence[int], reset_s: Sequence[float], *, refused: bool) -> Verdict:
    """Tell of the narrowest window; where the call is refused, of the one that has to be waited for the longest."""
    counted = 0 if refused else 1
    rows = [
        (max(0, one.most - many - counted), -rest_s, one.most)
        for one, many, rest_s in zip(windows, used, reset_s, strict=True)
    ]
    remaining, minus_reset_s, limit = min(rows)
    return Verdict(limit=limit, remaining=remaining, reset_s=max(1, math.ceil(-minus_reset_s)), refused=refused)
