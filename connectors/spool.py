"""
The intake spool: items wait in Postgres while the durable Redis is away, and go on their streams once it is back.

Filled for the processes that take items (``connectors/ingress.py``), emptied by ``connectors/drain.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from hub import clock
from hub.db import load_queries
from hub.errors import NotFound, Unavailable
from hub.log import get_logger
from hub.streams import partition_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from asyncpg import Record

    from hub.db import TenantConn
    from hub.envelope import StreamItem

QUERIES: Final = load_queries(Path(__file__).with_name("queries.sql"))
# One transaction takes at most this much.
BATCH_ITEMS: Final = 512
BATCH_BYTES: Final = 4 * 1024 * 1024
# Beyond this Postgres is hanging as well: callers are told so at once, instead of filling our memory.
WAITING_BYTES: Final = 64 * 1024 * 1024
# How often Redis is asked whether it is back.
PROBE_EVERY_S: Final = 1.0
_FOREIGN_KEY_VIOLATION: Final = "23503"

_encoder = msgspec.msgpack.Encoder()
_log = get_logger("connectors.spool")


class SpoolDatabase(Protocol):
    """What is needed of ``hub.db.Database``."""

    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...
    async def ask(self, sql: str, *arguments: object) -> list[Record]: ...


class Streams(Protocol):
    """What is needed of ``hub.streams.IngressStreams``."""

    async def append(self, item: StreamItem) -> None: ...
    async def probe(self) -> None: ...


@dataclass(frozen=True, slots=True)
class _Waiting:
    workspace_id: int
    payload: bytes
    done: asyncio.Future[None]


class SpoolWriter:
    """
    Writes items to the spool; whatever is asked for while a transaction runs shares the next one, and its fsync.

    Args:
        database: Keeps them.
    """

    def __init__(self, database: SpoolDatabase) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self._last_id: UUID | None = None

    async def write(self, item: StreamItem) -> None:
        """
        Spool an item; returns once it is committed.

        Raises:
            NotFound: Its workspace has gone.
            Unavailable: Postgres is away; nothing was kept, as far as we know.
        """
        payload = _encoder.encode(item)
        if self._waiting_bytes + len(payload) > WAITING_BYTES:
            raise Unavailable("Messages cannot be taken right now.")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item.workspace_id, payload, done))
        self._waiting_bytes += len(payload)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all(), name="spool-write")
        await done

    async def close(self) -> None:
        """Wait for the items on their way."""
        if self._writer is not None:
            await self._writer

    async def _write_all(self) -> None:
        batch: list[_Waiting] = []
        try:
            while self._waiting:
                batch = self._take_batch()
                await self._write_batch(batch)
        finally:
            self._writer = None
            # Only after cancellation or a bug is anybody left unanswered: nobody may wait for ever.
            _settle([*batch, *self._waiting], Unavailable("The spool is closing."))
            self._waiting, self._waiting_bytes = [], 0

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

    async def _write_batch(self, batch: list[_Waiting]) -> None:
        """Write a batch in one transaction; where a workspace has gone, each item in one of its own."""
        try:
            await self._insert(batch)
        except Unavailable as error:
            _settle(batch, error)
        except Exception as error:  # loop: whoever waits is told
            if getattr(error, "sqlstate", "") != _FOREIGN_KEY_VIOLATION:
                _log.error("spool_refused", items=len(batch), error=type(error).__name__)
                _settle(batch, Unavailable("Messages cannot be taken right now."))
            elif len(batch) == 1:
                _settle(batch, NotFound("channel account"))
            else:
                for one in batch:
                    await self._write_batch([one])
        else:
            for one in batch:
                if not one.done.done():
                    one.done.set_result(None)

    async def _insert(self, batch: Sequence[_Waiting]) -> None:
        ids = await self._next_ids(len(batch))
        async with self._database.transaction(sorted({one.workspace_id for one in batch})) as conn:
            await conn.execute(
                QUERIES["insert_spooled"],
                [one.workspace_id for one in batch],
                ids,
                [partition_of(one.workspace_id) for one in batch],
                [one.payload for one in batch],
                clock.now(),
            )

    async def _next_ids(self, count: int) -> list[UUID]:
        """Make ids that sort after those of the batch before: the spool is emptied in the order of its ids."""
        while True:
            ids = sorted(clock.new_ids(count))
            if self._last_id is None or self._last_id < ids[0]:
                self._last_id = ids[-1]
                return ids
            # The same millisecond, or a clock that was set back.
            await asyncio.sleep(0.001)


def _settle(waiting: Sequence[_Waiting], error: Exception) -> None:
    for one in waiting:
        if not one.done.done():
            one.done.set_exception(error)
