"""Joins the lookups of one loop turn into one call: a reconnect storm asks the database in hundreds, not one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")

SLICE = 500


class Coalescer(Generic[Key, Value]):
    """``get`` one key at a time; ``read`` is called with up to 500 keys."""

    def __init__(self, read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]]) -> None:
        self._read = read
        self._waiting: dict[Key, asyncio.Future[Value | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: Key) -> Value | None:
        """Return the value of a key, None where ``read`` left it out; raises what ``read`` raised."""
        waiter = self._waiting.get(key)
        if waiter is None:
            waiter = self._waiting[key] = asyncio.get_running_loop().create_future()
            if len(self._waiting) == 1:
                task = asyncio.get_running_loop().create_task(self._answer())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(waiter)

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, {}
        keys = list(waiting)
        for start in range(0, len(keys), SLICE):
            some = keys[start : start + SLICE]
            try:
                values = await self._read(some)
            except BaseException as error:  # handed to everybody who waits, cancellation included
                for key in some:
                    if not waiting[key].done():
                        waiting[key].set_exception(_as_exception(error))
                        waiting[key].exception()  # taken note of: nobody may be left to ask
                if not isinstance(error, Exception):
                    raise
                continue
            for key in some:
                if not waiting[key].done():
                    waiting[key].set_result(values.get(key))


def _as_exception(error: BaseException) -> BaseException:
    return error if isinstance(error, Exception) else asyncio.CancelledError()
