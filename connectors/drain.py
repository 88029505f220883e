"""
Empties the intake spool: moves items to their streams, oldest first, once the durable Redis is back.

Runs in the worker that leases the partition. A crash between appending and deleting appends twice: dedupe keys absorb
that. ``connectors/spool.py`` fills it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec

from connectors.spool import PROBE_EVERY_S, QUERIES, SpoolDatabase, Streams
from hub import clock
from hub.envelope import StreamItem
from hub.errors import Unavailable
from hub.jobs import Job
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asyncpg import Record

DRAIN_EVERY_S: Final = 0.5
DRAIN_ITEMS: Final = 200

_decoder = msgspec.msgpack.Decoder(StreamItem)
_log = get_logger("connectors.drain")


class SpoolDrain:
    """
    Moves spooled items to their streams, oldest first.

    Args:
        database: Holds them.
        streams: Where they go.
        held: Partitions this process leases: one process at a time empties a partition's spool.
        monotonic_s: The clock of the pauses while Redis is away.

    Attributes:
        drained: Items moved by this process; read by /metrics.
    """

    def __init__(
        self,
        database: SpoolDatabase,
        streams: Streams,
        held: Callable[[], set[int]],
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._database = database
        self._streams = streams
        self._held = held
        self._monotonic_s = monotonic_s
        self._not_before_s = 0.0
        self.drained = 0

    def job(self) -> Job:
        """Return the job that does it."""
        return Job("drain_spool", DRAIN_EVERY_S, self.run)

    async def run(self) -> int:
        """
        Empty the spool of every partition held, as far as Redis takes it.

        Returns:
            How many items were moved.

        Raises:
            Unavailable: Postgres is away; Redis being away is what the spool is for, and no error.
        """
        if self._monotonic_s() < self._not_before_s:
            return 0
        before = self.drained
        try:
            for partition in sorted(self._held()):
                while await self._move_some(partition):
                    if partition not in self._held():
                        break
        except _StreamsAway:
            self._not_before_s = self._monotonic_s() + PROBE_EVERY_S
        moved = self.drained - before
        if moved:
            _log.info("spool_drained", items=moved)
        return moved

    async def _move_some(self, partition: int) -> int:
        """Append the oldest items, then delete those appended; returns how many."""
        places = await self._database.ask(QUERIES["spooled_items"], partition, DRAIN_ITEMS)
        if not places:
            return 0
        try:
            await self._streams.probe()
        except Unavailable as error:
            raise _StreamsAway(error.message) from error
        keys = [row["workspace_id"] for row in places], [row["id"] for row in places]
        workspace_ids = sorted(set(keys[0]))
        async with self._database.transaction(workspace_ids) as conn:
            rows = await conn.fetch(QUERIES["read_spooled"], *keys)
        moved, refusal = await self._append_all(rows)
        if moved:
            async with self._database.transaction(workspace_ids) as conn:
                await conn.execute(
                    QUERIES["delete_spooled"], [row["workspace_id"] for row in moved], [row["id"] for row in moved]
                )
            self.drained += len(moved)
        if refusal is not None:
            raise _StreamsAway(refusal.message) from refusal
        return len(moved)

    async def _append_all(self, rows: Sequence[Record]) -> tuple[Sequence[Record], Unavailable | None]:
        """
        Append items in one turn of the loop, so that they travel in this order.

        Returns:
            Those up to the first that was refused, and why it was. What comes after it goes again, in order: whatever
            of it was taken is absorbed.
        """
        answers = await asyncio.gather(
            *(self._streams.append(_decoder.decode(row["item"])) for row in rows), return_exceptions=True
        )
        for number, answer in enumerate(answers):
            if isinstance(answer, Unavailable):
                return rows[:number], answer
            if isinstance(answer, BaseException):
                raise answer
        return rows, None


class _StreamsAway(Unavailable):
    """Redis does not take the items yet."""
