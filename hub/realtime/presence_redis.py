"""Presence in the ephemeral Redis: a hash a workspace, a field a worker, each with its end by Redis' own clock."""

from __future__ import annotations

from hashlib import sha1
from typing import TYPE_CHECKING, cast

from redis.exceptions import NoScriptError, RedisError

from hub.realtime.presence import ONLINE_TTL_S, merge, pack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from redis.asyncio import Redis

    from hub.realtime.presence import Here, Present

# KEYS[1] the hash; ARGV[1] the worker, empty to read only; ARGV[2] milliseconds to live; ARGV[3] its packed entry,
# empty to remove it. Returns every live worker's packed entry. A value is its end in milliseconds, a space, the entry.
_KEEP = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[1] ~= '' and ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
elseif ARGV[1] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now + tonumber(ARGV[2])) .. ARGV[3])
  redis.call('PEXPIRE', KEYS[1], 61000)
end
local answer = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local at = string.find(all[i + 1], ' ', 1, true)
  if tonumber(string.sub(all[i + 1], 1, at - 1)) > now then
    answer[#answer + 1] = string.sub(all[i + 1], at + 1)
  elseif ARGV[1] ~= '' then
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return answer
"""
_SHA = sha1(_KEEP.encode(), usedforsecurity=False).hexdigest()


class RedisPresence:
    """See ``Presence``; every method answers None instead of raising when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        # By workspace what was answered last, as a hash, and what it means: nearly always the next one says the same,
        # and reading it anew was a sixth of an idle worker's time.
        self._known: dict[int, tuple[int, Present]] = {}

    async def keep(
        self, holder: str, here: Mapping[int, Here], ttl_s: float = ONLINE_TTL_S
    ) -> Mapping[int, Present] | None:
        """See ``Presence``."""
        calls = [(workspace_id, holder, str(round(ttl_s * 1000)), pack(one)) for workspace_id, one in here.items()]
        answers = await self._ask(calls)
        if answers is None:
            return None
        return {
            workspace_id: self._read(workspace_id, entries, is_kept=bool(call[3]))
            for (workspace_id, entries), call in zip(zip(here, answers, strict=True), calls, strict=True)
        }

    async def online(self, workspace_id: int) -> tuple[UUID, ...] | None:
        """See ``Presence``."""
        answers = await self._ask([(workspace_id, "", "0", b"")])
        return None if answers is None else merge(answers[0]).member_ids

    def _read(self, workspace_id: int, entries: list[bytes], *, is_kept: bool) -> Present:
        """Read an answer; what it meant is forgotten once nobody of this workspace is here any more."""
        said = hash(tuple(entries))
        known = self._known.get(workspace_id)
        if known is None or known[0] != said:
            known = (said, merge(entries))
        if is_kept:
            self._known[workspace_id] = known
        else:
            self._known.pop(workspace_id, None)
        return known[1]

    async def _ask(self, calls: list[tuple[int, str, str, bytes]]) -> list[list[bytes]] | None:
        try:
            try:
                return await self._ask_once(calls)
            except NoScriptError:  # a Redis that was restarted
                await self._redis.script_load(_KEEP)
                return await self._ask_once(calls)
        except (RedisError, OSError):
            return None

    async def _ask_once(self, calls: list[tuple[int, str, str, bytes]]) -> list[list[bytes]]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for workspace_id, holder, ttl_ms, entry in calls:
                pipeline.evalsha(_SHA, 1, f"presence:{{{workspace_id}}}", holder, ttl_ms, entry)
            return cast("list[list[bytes]]", await pipeline.execute())
