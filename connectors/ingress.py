"""
Where items come in: on the stream while Redis takes them, into Postgres when they are too large or Redis is away.

Called by ``api/webhooks.py`` and by pollers. Touches Postgres only for large items and during an outage.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from connectors.raw_items import INLINE_LIMIT_BYTES, keep_large
from connectors.spool import PROBE_EVERY_S, QUERIES, SpoolDatabase, SpoolWriter, Streams
from hub import clock
from hub.errors import Unavailable
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from hub.envelope import StreamItem

# Once Redis is back, a workspace's items go on being spooled until those before them have left the spool, for this long
# at most: after a long outage, being late would be worse than being out of order.
HOLD_S: Final = 30.0
LOOK_EVERY_S: Final = 0.25
# With so few items left nothing more is added: calls wait for the spool to be empty, so that traffic which never pauses
# gets out of it, in order. Beyond the time they go into the spool after all.
LAST_ITEMS: Final = 400
LAST_WAIT_S: Final = 2.0

_log = get_logger("connectors.ingress")


class _State(Enum):
    DIRECT = "direct"
    SPOOLING = "spooling"
    DRAINING = "draining"


@dataclass(slots=True)
class IngressMetrics:
    """
    What came in through this process; read by /metrics.

    Attributes:
        large: Items whose bodies went to Postgres.
        spooled: Items that went into the spool.
        refused: Items that neither Redis nor Postgres took.
        outages: Times Redis went away.
        is_spooling: Whether items go into the spool now.
    """

    large: int = 0
    spooled: int = 0
    refused: int = 0
    outages: int = 0
    is_spooling: bool = False


class IngressWriter:
    """
    Takes items for good: what ``append`` returned from is on disk in Redis or committed in Postgres.

    Args:
        streams: The durable Redis.
        database: For large items and the spool.
        sleep: Waits; a test passes its own.
        monotonic_s: The clock of the outage.
    """

    def __init__(
        self,
        streams: Streams,
        database: SpoolDatabase,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self._streams = streams
        self._database = database
        self._sleep = sleep
        self._monotonic_s = monotonic_s
        self._spool = SpoolWriter(database)
        self._state = _State.DIRECT
        self._recovery: asyncio.Task[None] | None = None
        # While draining: workspaces that had something in the spool when it was last looked at, and when this process
        # last spooled something of theirs.
        self._held: set[int] = set()
        self._spooled_at_s: dict[int, float] = {}
        self._is_nearly_empty = False
        self._looked = asyncio.Event()
        self.metrics = IngressMetrics()

    async def append(self, item: StreamItem) -> None:
        """
        Take an item; returns once it is kept for good.

        Args:
            item: With a body of any size up to ``ITEM_LIMIT_BYTES``.

        Raises:
            NotFound: Its workspace has gone.
            Unavailable: It could not be kept, as far as we know: its sender must come back.
        """
        if len(item.body) > INLINE_LIMIT_BYTES:
            item = await keep_large(self._database, item)
            self.metrics.large += 1
        await self._wait_for_last(item.workspace_id)
        if self._state is _State.DIRECT or (self._state is _State.DRAINING and not self._is_held(item.workspace_id)):
            try:
                await self._streams.append(item)
            except Unavailable:
                self._note_outage()
            else:
                return
        await self._write_spool(item)

    async def close(self) -> None:
        """Wait for the items on their way."""
        if self._recovery is not None:
            self._recovery.cancel()
            with suppress(asyncio.CancelledError):
                await self._recovery
        await self._spool.close()

    def _is_held(self, workspace_id: int) -> bool:
        return workspace_id in self._held or workspace_id in self._spooled_at_s

    async def _wait_for_last(self, workspace_id: int) -> None:
        """While the last items leave the spool, wait with those that must come after them."""
        if not self._is_leaving(workspace_id):
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WAIT_S):
                while self._is_leaving(workspace_id):
                    await self._looked.wait()

    def _is_leaving(self, workspace_id: int) -> bool:
        return self._state is _State.DRAINING and self._is_nearly_empty and self._is_held(workspace_id)

    async def _write_spool(self, item: StreamItem) -> None:
        self._spooled_at_s[item.workspace_id] = self._monotonic_s()
        try:
            await self._spool.write(item)
        except Unavailable:
            if self._state is not _State.SPOOLING:
                # Redis is back and Postgres has gone: order is given up, the item is not.
                await self._streams.append(item)
                return
            self.metrics.refused += 1
            raise
        self._spooled_at_s[item.workspace_id] = self._monotonic_s()
        self.metrics.spooled += 1

    def _note_outage(self) -> None:
        """From now on nobody waits for Redis: one task asks whether it is back."""
        if self._state is not _State.SPOOLING:
            self._state = _State.SPOOLING
            self.metrics.outages += 1
            self.metrics.is_spooling = True
        if self._recovery is None or self._recovery.done():
            self._recovery = asyncio.create_task(self._recover(), name="ingress-recover")

    async def _recover(self) -> None:
        spooled_before = self.metrics.spooled
        while self._state is not _State.DIRECT:
            await self._wait_for_streams()
            self._state = _State.DRAINING
            try:
                await self._wait_for_drain()
            except Exception:  # loop: whatever it was, items must not go into the spool for ever
                _log.exception("ingress_hold_failed")
            if self._state is _State.DRAINING:
                self._state = _State.DIRECT
            self._is_nearly_empty = False
            self._wake()
        self._held.clear()
        self._spooled_at_s.clear()
        self.metrics.is_spooling = False
        # That Redis went away and came back is said by the streams; here what became of the items meanwhile.
        _log.info("ingress_spooled", items=self.metrics.spooled - spooled_before)

    async def _wait_for_streams(self) -> None:
        while True:
            await self._sleep(PROBE_EVERY_S)
            try:
                await self._streams.probe()
            except Unavailable:
                continue
            return

    async def _wait_for_drain(self) -> None:
        """Hold workspaces back until the spool has nothing of theirs, at most ``HOLD_S``, or until Redis goes again."""
        until_s = self._monotonic_s() + HOLD_S
        while self._state is _State.DRAINING and self._monotonic_s() < until_s:
            looked_at_s = self._monotonic_s()
            try:
                rows = await self._database.ask(QUERIES["spooled_workspaces"])
            except Unavailable:
                # Nothing more can be spooled either.
                return
            self._held = {row["workspace_id"] for row in rows}
            self._is_nearly_empty = not rows or rows[0]["depth"] <= LAST_ITEMS
            # What was spooled while we looked may not have been seen.
            self._spooled_at_s = {one: at_s for one, at_s in self._spooled_at_s.items() if at_s >= looked_at_s}
            self._wake()
            if not self._held and not self._spooled_at_s:
                return
            await self._sleep(LOOK_EVERY_S)

    def _wake(self) -> None:
        """Let those who wait look again."""
        self._looked.set()
        self._looked = asyncio.Event()
