"""
The loop of one leased partition: what was left pending first, then what is new, batch after batch.

Runs only while the lease holds. Started and ended by ``connectors/intake.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from connectors.backoff import Backoff
from connectors.batches import BatchStore, TooManyDeadLetters
from hub import clock
from hub.errors import Unavailable
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.entries import BatchPorts
    from hub.streams import Claimed, Entry

_log = get_logger("connectors.intake")


class Reading(Protocol):
    """What is needed of ``hub.streams.IngressStreams`` here."""

    async def read_new(self, partition: int, limit: int, block_ms: int) -> list[Entry]: ...
    async def read_own_pending(self, partition: int, after: str, limit: int) -> list[Entry]: ...
    async def claim_stale(self, partition: int, min_idle_ms: int, limit: int) -> Claimed: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """
    How fast a partition is worked.

    Attributes:
        batch: Most entries in one transaction, 1-200.
        linger_s: How long a batch may wait for more while traffic is dense; a lone message never waits.
        block_s: Longest wait for a first entry; also how late a loop notices that it must end.
        retry_pending_s: When entries that failed are tried again at first; then later and later, up to 5 s.
        claim_every_s: How often entries of silent consumers are looked for.
        claim_idle_s: How long a consumer must have been silent: ten times a slow batch.
        hold_s: How long a partition stands still after too many dead letters.
    """

    batch: int = 200
    linger_s: float = 0.005
    block_s: float = 1.0
    retry_pending_s: float = 1.0
    claim_every_s: float = 10.0
    claim_idle_s: float = 30.0
    hold_s: float = 60.0


class PartitionLoop:
    """
    Stores one partition.

    Args:
        partition: Which.
        streams: To read from.
        ports: To store with.
        holds: Whether the lease is ours, asked before every batch.
    """

    def __init__(
        self, partition: int, streams: Reading, ports: BatchPorts, holds: Callable[[], bool], pace: Pace
    ) -> None:
        self._partition = partition
        self._streams = streams
        self._ports = ports
        self._holds = holds
        self._pace = pace
        self._store = BatchStore(partition, ports, self._may_go_on)
        self._stopping = asyncio.Event()
        self._backoff = Backoff()
        # A lease is taken with what its last holder left pending; so is the stream after every failure.
        self._pending_due_s: float | None = 0.0
        self._is_fresh = True
        self._pending_backoff = Backoff(first_s=pace.retry_pending_s)
        self._claim_due_s = clock.monotonic_s() + pace.claim_every_s
        self._is_dense = False

    def stop(self) -> None:
        """Let the loop end after the batch it is in."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until the lease ends, ``stop`` is called or the task is cancelled (the batch is finished then, too)."""
        while self._may_go_on():
            try:
                await self._turn()
                self._backoff.reset()
            except TooManyDeadLetters as error:
                await self._hold(error)
            except Unavailable as error:
                await self._recover(error)
            except Exception:  # loop: the entry that caused it stays pending
                _log.exception("intake_turn_failed", partition=self._partition)
                await self._recover(None)

    async def _turn(self) -> None:
        now_s = clock.monotonic_s()
        if self._pending_due_s is not None and now_s >= self._pending_due_s:
            await self._work_pending()
        elif now_s >= self._claim_due_s:
            await self._work_stale()
        entries = await self._read()
        if not entries:
            self._is_dense = False
            return
        had_to_wait = self._ports.turns.locked()
        async with self._ports.turns:
            if self._is_dense or had_to_wait:
                entries = await self._top_up(entries)
            self._is_dense = len(entries) > 1
            await self._work(entries)

    async def _work_pending(self) -> None:
        self._pending_due_s = None
        self._store.retry_put_off()
        is_cautious, self._is_fresh = self._is_fresh, False
        left = 0
        after = "0"
        while self._may_go_on() and (
            entries := await self._streams.read_own_pending(self._partition, after, self._pace.batch)
        ):
            left += await self._store.store(entries, is_cautious=is_cautious)
            after = entries[-1].id
        if left:
            self._pending_due_s = clock.monotonic_s() + self._pending_backoff.next_s()
        else:
            self._pending_backoff.reset()

    async def _work_stale(self) -> None:
        self._claim_due_s = clock.monotonic_s() + self._pace.claim_every_s
        claimed = await self._streams.claim_stale(
            self._partition, round(self._pace.claim_idle_s * 1000), self._pace.batch
        )
        if claimed.entries:
            await self._work(claimed.entries)

    async def _read(self) -> list[Entry]:
        block_s = self._pace.block_s
        if self._pending_due_s is not None:
            block_s = min(block_s, max(0.0, self._pending_due_s - clock.monotonic_s()))
        entries = await self._streams.read_new(self._partition, self._pace.batch, round(block_s * 1000))
        if self._is_dense and 0 < len(entries) < self._pace.batch and self._pace.linger_s:
            await self._ports.sleep(self._pace.linger_s)
        return entries

    async def _top_up(self, entries: list[Entry]) -> list[Entry]:
        """Add what came while the batch lingered and waited for its turn."""
        missing = self._pace.batch - len(entries)
        return [*entries, *await self._streams.read_new(self._partition, missing, 0)] if missing else entries

    async def _work(self, entries: Sequence[Entry]) -> None:
        if await self._store.store(entries) and self._pending_due_s is None:
            self._pending_due_s = clock.monotonic_s() + self._pending_backoff.next_s()

    async def _recover(self, error: Unavailable | None) -> None:
        """What the failed call was given may be pending: it comes first."""
        self._ports.metrics.unavailable += 1
        if error is not None and self._backoff.is_fresh:
            _log.debug("intake_interrupted", partition=self._partition, reason=error.message)
        self._pending_due_s = 0.0
        await self._pause(self._backoff.next_s())

    async def _hold(self, error: TooManyDeadLetters) -> None:
        self._ports.metrics.stopped.add(self._partition)
        _log.error("intake_stopped", partition=self._partition, reason=error.message, for_s=self._pace.hold_s)
        try:
            await self._pause(self._pace.hold_s)
        finally:
            self._ports.metrics.stopped.discard(self._partition)
        self._pending_due_s = 0.0

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _may_go_on(self) -> bool:
        return self._holds() and not self._stopping.is_set()
