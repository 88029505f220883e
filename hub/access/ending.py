"""What a process ended, until Redis knows it: generations to delete. Called after COMMIT and by the cache."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from hub import clock
from hub.access.entry import LIFETIME_S
from hub.accounts.model import AccessChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis.asyncio import Redis

    from hub.db import Notice

_RETRY_S: Final = 0.5
# What an answer waits for Redis to know, so that the next call to another process finds it changed.
_SETTLE_S: Final = 0.05
# Then every entry from before has ended by itself, also one that was being written.
DOUBTED_S: Final = LIFETIME_S + 15.0


def generation_of(scope: str, of: object) -> str:
    """Name the key of a generation, e.g. of ``workspace`` 7."""
    return f"access:gen:{scope}:{of}"


class Endings:
    """
    Generations this process must delete.

    Attributes:
        failures: Deletions that Redis did not answer; read by /metrics.
    """

    def __init__(self, redis: Redis, *, monotonic_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._redis = redis
        self._monotonic_s = monotonic_s
        # key -> until when it is doubted
        self._waiting: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._settled.set()
        self.failures = 0

    def doubts(self, generations: Iterable[str]) -> bool:
        """Say whether one of these ended here and Redis may not know it."""
        return bool(self._waiting) and any(one in self._waiting for one in generations)

    def note(self, notices: Sequence[Notice]) -> None:
        """Take up what a transaction changed; neither blocks nor raises."""
        for one in notices:
            if isinstance(one, AccessChanged):
                self._waiting[generation_of(one.scope, one.id)] = self._monotonic_s() + DOUBTED_S
        if self._waiting and (self._task is None or self._task.done()):
            self._settled.clear()
            self._task = asyncio.get_running_loop().create_task(self._delete())

    async def settle(self, within_s: float = _SETTLE_S) -> None:
        """Wait a moment until Redis knows, or did not answer the first time."""
        if self._settled.is_set():
            return
        try:
            async with asyncio.timeout(within_s):
                await self._settled.wait()
        except TimeoutError:
            return

    async def close(self) -> None:
        """Stop trying; what is left ends with the entries' lifetime."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _delete(self) -> None:
        while self._waiting:
            ended = dict(self._waiting)
            try:
                # DEL is answered even where Redis is full.
                await self._redis.delete(*ended)
            except (RedisError, OSError, TimeoutError):
                self.failures += 1
                # Answers do not wait for an outage; this process knows, the others by the entries' lifetime.
                self._settled.set()
                now_s = self._monotonic_s()
                self._waiting = {key: until for key, until in self._waiting.items() if until > now_s}
                await asyncio.sleep(_RETRY_S)
            else:
                # One that ended again meanwhile has another time, and is deleted again.
                for key, until in ended.items():
                    if self._waiting.get(key) == until:
                        del self._waiting[key]
        self._settled.set()
