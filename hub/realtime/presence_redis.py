"""Presence in the ephemeral Redis: sorted sets scored by when an entry expires, by Redis' own clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

from redis.exceptions import RedisError

from hub.realtime.presence import LEAVE_GRACE_S, ONLINE_TTL_S, VIEWING_TTL_S, Viewers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

# KEYS[1] the set; ARGV[1] seconds to live, 0 to remove; ARGV[2…] entries. Returns [changed, entry…]. A removal of
# something absent and a mere prolongation change nothing. Scores are Redis' milliseconds.
_TOUCH = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ttl = tonumber(ARGV[1]) * 1000
local changed = redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 2, #ARGV do
  if ttl > 0 then
    changed = changed + redis.call('ZADD', KEYS[1], now + ttl, ARGV[i])
  else
    changed = changed + redis.call('ZREM', KEYS[1], ARGV[i])
  end
end
if ttl > 0 then redis.call('PEXPIRE', KEYS[1], ttl + 1000) end
local answer = redis.call('ZRANGE', KEYS[1], 0, -1)
table.insert(answer, 1, changed)
return answer
"""
# Shortens an entry that is there: KEYS[1] the set; ARGV[1] seconds left; ARGV[2] the entry.
_SHORTEN = """
local t = redis.call('TIME')
local until_ms = t[1] * 1000 + math.floor(t[2] / 1000) + tonumber(ARGV[1]) * 1000
return redis.call('ZADD', KEYS[1], 'XX', 'LT', until_ms, ARGV[2])
"""


class RedisPresence:
    """See ``Presence``; every method answers None instead of raising when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def online(self, workspace_id: int, holder: str, member_ids: Sequence[UUID]) -> tuple[UUID, ...] | None:
        """See ``Presence``."""
        entries = [f"{one}/{holder}" for one in member_ids]
        viewers = await self._touch(_online_key(workspace_id), ONLINE_TTL_S, entries)
        return None if viewers is None else viewers.member_ids

    async def leave(self, workspace_id: int, holder: str, member_id: UUID) -> None:
        """See ``Presence``."""
        try:
            await self._redis.eval(_SHORTEN, 1, _online_key(workspace_id), str(LEAVE_GRACE_S), f"{member_id}/{holder}")
        except (RedisError, OSError):
            return  # the entry expires by itself

    async def view(self, workspace_id: int, conversation_id: UUID, holder: str, member_id: UUID) -> Viewers | None:
        """See ``Presence``."""
        key = _viewing_key(workspace_id, conversation_id)
        return await self._touch(key, VIEWING_TTL_S, [f"{member_id}/{holder}"])

    async def unview(self, workspace_id: int, conversation_id: UUID, holder: str, member_id: UUID) -> Viewers | None:
        """See ``Presence``."""
        return await self._touch(_viewing_key(workspace_id, conversation_id), 0, [f"{member_id}/{holder}"])

    async def _touch(self, key: str, ttl_s: int, entries: Sequence[str]) -> Viewers | None:
        try:
            answer = cast("list[int | bytes | str]", await self._redis.eval(_TOUCH, 1, key, str(ttl_s), *entries))
        except (RedisError, OSError):
            return None
        names = [one.decode() if isinstance(one, bytes) else str(one) for one in answer[1:]]
        members = {UUID(name.partition("/")[0]) for name in names}
        return Viewers(tuple(sorted(members)), is_changed=bool(int(answer[0])))


def _online_key(workspace_id: int) -> str:
    return f"online:{{{workspace_id}}}"


def _viewing_key(workspace_id: int, conversation_id: UUID) -> str:
    return f"viewing:{{{workspace_id}}}:{conversation_id}"
