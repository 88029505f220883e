"""Joins the lookups of one moment into one call: a reconnect storm asks the database in hundreds, not one by one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")

SLICE = 500


class Coalescer(Generic[Key, Value]):
    """``get`` one key at a time; ``read`` is called with up to 500 keys."""

    def __init__(
        self,
        read: Callable[[Sequence[Key]], Awaitable[Mapping[Key, Value]]],
        *,
        pause_s: float = 0.0,
        weigh: Callable[[Key], int] = lambda _key: 1,
        most: int = SLICE,
    ) -> None:
        """
        Ask by ``read``.

        Args:
            read: Answers many keys; what it leaves out is answered with None.
            pause_s: Least time between two questions; a first one is asked in the same loop turn.
            weigh: How much of a call a key takes up.
            most: What the keys of one call may weigh together; one key may weigh more.
        """
        self._read = read
        self._pause_s = pause_s
        self._weigh = weigh
        self._most = most
        self._asks_at_s = 0.0
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
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._asks_at_s - loop.time()))
        self._asks_at_s = loop.time() + self._pause_s
        waiting, self._waiting = self._waiting, {}
        for some in self._slices(list(waiting)):
            try:
                values = await self._read(some)
            except BaseException as error:  # edge: handed to everybody who waits, cancellation included
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

    def _slices(self, keys: list[Key]) -> Iterator[list[Key]]:
        some: list[Key] = []
        weight = 0
        for key in keys:
            added = self._weigh(key)
            if some and (weight + added > self._most or len(some) >= SLICE):
                yield some
                some, weight = [], 0
            some.append(key)
            weight += added
        if some:
            yield some


def _as_exception(error: BaseException) -> BaseException:
    return error if isinstance(error, Exception) else asyncio.CancelledError()
