"""Writes items to the streams: everything asked for in one turn of the loop travels in one pipelined write."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub.errors import Unavailable
from hub.log import Dependency, get_logger
from hub.streams.model import FIELD, StreamMetrics, partition_of, stream_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio import Redis

    from hub.envelope import StreamItem

# One write carries at most this much, so that one reply cannot be held up by a huge one.
BATCH_ITEMS = 512
BATCH_BYTES = 4 * 1024 * 1024
# Beyond this Redis is hanging: callers are told so at once, instead of filling our memory.
WAITING_BYTES = 64 * 1024 * 1024

_encoder = msgspec.msgpack.Encoder()
_log = get_logger("hub.streams")


class _Waiting:
    """An item on its way; plain slots, because the webhook path makes one a request."""

    __slots__ = ("done", "key", "payload")

    def __init__(self, key: str, payload: bytes, done: asyncio.Future[None]) -> None:
        self.key = key
        self.payload = payload
        self.done = done


class Appender:
    """
    One connection's worth of appends.

    While a write waits for its reply the next ones gather, so the number of callers sets the size of a batch and each
    batch costs Redis one fsync.

    Attributes:
        streams: Whether Redis took the last write.
    """

    def __init__(self, client: Redis, metrics: StreamMetrics) -> None:
        # Without automatic retries: the policy is in _write_batch.
        self._client = client
        self._metrics = metrics
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._is_closed = False
        self.streams = Dependency("ingress_streams", _log)

    async def append(self, item: StreamItem) -> None:
        """
        Add an item; returns once Redis has it on disk.

        Raises:
            Unavailable: Redis is away, full or refuses writes; the item may have been added all the same.
        """
        payload = _encoder.encode(item)
        if self._is_closed or self._waiting_bytes + len(payload) > WAITING_BYTES:
            self._metrics.append_refused += 1
            raise Unavailable("The message queue is not answering.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(stream_key(partition_of(item.workspace_id)), payload, done))
        self._waiting_bytes += len(payload)
        if self._writer is None:
            # A task starts in the next turn of the loop: everybody who asks in this one is in the first batch.
            self._writer = asyncio.create_task(self._write_all(), name="streams-append")
        await done

    async def close(self) -> None:
        """Refuse new items and wait for those on their way."""
        self._is_closed = True
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._waiting:
                batch = self._take_batch()
                replies = await self._replies(batch)
                self._answer(batch, replies)
                if isinstance(replies[0], (RedisConnectionError, RedisTimeoutError, OSError)):
                    self._refuse_waiting()
        finally:
            self._writer = None
            # Only after cancellation or a bug is anybody left unanswered: nobody may wait for ever.
            _settle([*batch, *self._waiting], Unavailable("The message queue is closing."))
            self._waiting, self._waiting_bytes = [], 0

    def _refuse_waiting(self) -> None:
        """Redis has gone: whoever waited behind that write is told at once, not after a timeout of its own."""
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._metrics.append_refused += len(waiting)
        _settle(waiting, Unavailable("The message queue does not answer."))

    def _take_batch(self) -> list[_Waiting]:
        size_bytes = 0
        count = 0
        for one in self._waiting[:BATCH_ITEMS]:
            if count and size_bytes + len(one.payload) > BATCH_BYTES:
                break
            size_bytes += len(one.payload)
            count += 1
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        self._waiting_bytes -= size_bytes
        return batch

    async def _replies(self, batch: list[_Waiting]) -> Sequence[object]:
        """
        Write once, and once more over a fresh connection when the old one turned out dead.

        The second write may add an item twice (the first reply was lost, not the write): its dedupe key absorbs that.
        A timeout is not tried again: the caller's vendor will, and a hanging Redis needs no more load.
        """
        try:
            try:
                return await self._send(batch)
            except RedisTimeoutError:
                raise
            except (RedisConnectionError, OSError):
                return await self._send(batch)
        except (RedisError, OSError) as error:
            return [error] * len(batch)

    async def _send(self, batch: list[_Waiting]) -> list[object]:
        pipeline = self._client.pipeline(transaction=False)
        for one in batch:
            pipeline.execute_command("XADD", one.key, "*", FIELD, one.payload)
        return await pipeline.execute(raise_on_error=False)

    def _answer(self, batch: list[_Waiting], replies: Sequence[object]) -> None:
        refused = 0
        reason: object = None
        for one, reply in zip(batch, replies, strict=True):
            if isinstance(reply, Exception):
                refused += 1
                reason = reply
                _settle([one], Unavailable("The message queue does not take messages at the moment."))
            elif not one.done.done():
                one.done.set_result(None)
        self._metrics.appended += len(batch) - refused
        self._metrics.append_batches += 1
        if refused:
            self._metrics.append_refused += refused
            self.streams.lost(error=type(reason).__name__)
        else:
            self.streams.found()


def _settle(waiting: list[_Waiting], error: Unavailable) -> None:
    for one in waiting:
        if not one.done.done():
            one.done.set_exception(error)
