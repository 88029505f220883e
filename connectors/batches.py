"""
Stores a batch of stream entries: parse, one transaction, COMMIT, then XACK; finds the guilty one among neighbours.

Never reads the stream and never waits for work: ``connectors/intake.py`` does, once a partition.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import msgspec

from connectors import dead_letters, raw_items, upkeep
from connectors.backoff import Backoff
from connectors.base import RawItem
from connectors.batch_spans import BatchSpans
from connectors.entries import BatchPorts, Failed, Hinted, Parsed, Skipped, read_entry
from connectors.failures import FOREIGN_KEY_VIOLATION, describe, is_systemic, must_wait, split
from connectors.raw_items import reference_of
from hub import clock
from hub.errors import HubError, MalformedPayload, Unavailable
from hub.inbox.batch import OutcomeKind
from hub.log import get_logger
from hub.streams import Entry, stream_key

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence

    from hub.envelope import StreamItem
    from hub.streams import Entry

Result = TypeVar("Result")

# What one transaction takes (measured elsewhere: beyond this, locks are held longer for nothing).
MAX_ITEMS = 200
# And at most about so many bytes, unless one entry alone has more: 200 long mails are parsed and sent one part after
# the other, and what is stored is released.
MAX_BYTES = 8 * 1024 * 1024
MAX_DELIVERIES = 5
# A worker that is told to stop has this long to finish the transaction it is in.
FINISH_S = 8.0
# More dead letters of one partition than this a minute is a broken parser or an attack: stop and call somebody.
DEAD_LETTER_LIMIT = 100
DEAD_LETTER_WINDOW_S = 60.0

# What became of items that made no row a file could belong to.
_TOOK_NO_FILES = frozenset({OutcomeKind.DUPLICATE, OutcomeKind.UNCHANGED, OutcomeKind.UNMATCHED, OutcomeKind.IGNORED})

_log = get_logger("connectors.intake")


class TooManyDeadLetters(HubError):
    """The partition stands still until its limit allows more; everything stays pending."""

    code = "too_many_dead_letters"


class BatchStore:
    """
    Stores the entries of one partition.

    Args:
        partition: Which.
        ports: The rest of the system.
        may_go_on: Asked before each attempt; False once the lease has gone or the worker stops.
    """

    def __init__(self, partition: int, ports: BatchPorts, may_go_on: Callable[[], bool]) -> None:
        self._partition = partition
        self._ports = ports
        self._metrics = ports.metrics
        self._may_go_on = may_go_on
        self._buried_at: deque[float] = deque()
        # Workspaces that somebody keeps locked: their entries stay pending, in order, until the next retry.
        self._put_off: set[int] = set()

    def retry_put_off(self) -> None:
        """Try workspaces again that were put off; call it before the pending entries are stored, oldest first."""
        self._put_off.clear()

    async def store(self, entries: Sequence[Entry], *, is_cautious: bool = False) -> int:
        """
        Store entries and acknowledge them; one that cannot be stored does not hold its neighbours up.

        Args:
            entries: Any number, oldest first, with their delivery counts.
            is_cautious: True for what a former holder left: one of them may be what killed it.

        Returns:
            How many were left pending, to be read again in a while.

        Raises:
            Unavailable: The lease ended while waiting for Postgres, or Redis is away; the rest stays pending.
            TooManyDeadLetters: The limit is reached; the rest stays pending.
        """
        # A suspect is read and stored after its neighbours, alone: parsing may be what kills us.
        suspects = [one for one in entries if is_cautious and one.deliveries > MAX_DELIVERIES]
        ordinary = [one for one in entries if not is_cautious or one.deliveries <= MAX_DELIVERIES]
        failed: list[Failed] = []
        skipped: list[Skipped] = []
        hinted: list[Hinted] = []
        left = 0
        for some in [ordinary, *([one] for one in suspects)]:
            async with aclosing(self._groups(some, failed, skipped, hinted)) as groups:
                async for group in groups:
                    left += await self._store_groups(deque([group]), failed)
        await self._skip(skipped)
        await self._note_hints(hinted)
        return left + await self._settle(failed)

    async def _groups(
        self, entries: Sequence[Entry], failed: list[Failed], skipped: list[Skipped], hinted: list[Hinted]
    ) -> AsyncGenerator[list[Parsed]]:
        """
        Read entries and give them in groups of one transaction's size; an entry is never spread over two.

        Args:
            entries: Oldest first.
            failed: Takes what has an error of its own.
            skipped: Takes what needs only its acknowledgement.
            hinted: Takes what is only to be noted.
        """
        group: list[Parsed] = []
        items, size_bytes = 0, 0
        for entry in entries:
            match await read_entry(self._ports, self._partition, entry, self._load):
                case Failed() as one:
                    failed.append(one)
                case Skipped() as one:
                    skipped.append(one)
                case Hinted() as one:
                    hinted.append(one)
                case Parsed() as one:
                    if group and (items + len(one.received) > MAX_ITEMS or size_bytes + one.size_bytes > MAX_BYTES):
                        yield group
                        group, items, size_bytes = [], 0, 0
                    group.append(one)
                    items += len(one.received)
                    size_bytes += one.size_bytes
        if group:
            yield group

    async def _load(self, item: StreamItem) -> bytes | None:
        """Read the body of an item that travelled by reference, waiting for the database as a batch does."""
        raw_item_id = reference_of(item)
        if raw_item_id is None:
            return item.body
        backoff = Backoff()
        while True:
            try:
                async with self._ports.database.transaction([item.workspace_id]) as conn:
                    return await raw_items.read(conn, item.workspace_id, raw_item_id)
            except Exception as error:  # loop: classified; only the system's errors are waited out
                if not is_systemic(error):
                    raise
                await self._wait(backoff, error)

    async def _skip(self, skipped: Sequence[Skipped]) -> None:
        await self._ports.streams.ack(self._partition, [one.entry.id for one in skipped])
        await self._forget([one.item for one in skipped if one.item is not None])

    async def _note_hints(self, hinted: Sequence[Hinted]) -> None:
        """Note hints for those who read their accounts, COMMIT, then acknowledge: nobody waits for a vendor here."""
        backoff = Backoff()
        while hinted:
            try:
                async with self._ports.database.transaction(sorted({one.item.workspace_id for one in hinted})) as conn:
                    for one in hinted:
                        raw = RawItem(key=one.item.key, body=one.body, hint=True)
                        await upkeep.keep_hint(conn, one.item.workspace_id, UUID(one.item.channel_account_id), raw)
            except Exception as error:  # loop: only the system's errors are waited out
                if not is_systemic(error):
                    raise
                await self._wait(backoff, error)
            else:
                await self._skip([Skipped(one.entry, one.item) for one in hinted])
                self._ports.hinted()
                return

    async def _store_groups(self, groups: deque[list[Parsed]], failed: list[Failed]) -> int:
        """
        Store each group in one transaction; where that fails because of the data, in halves, down to the guilty entry.

        Args:
            groups: Emptied.
            failed: Takes what has an error of its own.

        Returns:
            How many entries of locked workspaces were left pending.
        """
        left = 0
        backoff = Backoff()
        while groups:
            whole = groups.popleft()
            group = [one for one in whole if one.item.workspace_id not in self._put_off]
            left += len(whole) - len(group)
            if not group:
                continue
            try:
                await self._finish(self._commit_and_ack(group))
                backoff.reset()
            except Exception as error:  # loop: classified, waited out or cut up; never dropped
                if must_wait(error):
                    groups.appendleft(group)
                    await self._wait(backoff, error)
                elif smaller := split(group, error):
                    groups.extendleft(reversed(smaller))
                elif is_systemic(error):
                    groups.appendleft(group)
                    self._put_off_workspaces(group, error)
                else:
                    failed += [Failed(one.entry, one.item, error, isinstance(error, MalformedPayload)) for one in group]
        return left

    def _put_off_workspaces(self, group: list[Parsed], error: Exception) -> None:
        """Leave a locked workspace's entries alone, the later ones too: they must not overtake the first."""
        workspace_ids = sorted({one.item.workspace_id for one in group})
        self._put_off.update(workspace_ids)
        self._metrics.put_off += len(workspace_ids)
        sqlstate = getattr(error.__cause__, "sqlstate", "")
        _log.warning("intake_put_off", partition=self._partition, workspace_ids=workspace_ids, sqlstate=sqlstate)

    async def _commit_and_ack(self, group: list[Parsed]) -> None:
        items = [received for one in group for received in one.received]
        workspace_ids = sorted({one.workspace_id for one in items})
        storing = BatchSpans(self._ports.tracer, group)
        with storing:
            async with self._ports.database.transaction(workspace_ids) as conn:
                outcomes = await self._ports.receive(conn, items)
                needed = {
                    received.raw_item_id
                    for received, outcome in zip(items, outcomes, strict=True)
                    if outcome.kind not in _TOOK_NO_FILES
                }
                for one in group:
                    if one.raw_item_id is not None and one.raw_item_id in needed and not one.item.reference:
                        await raw_items.keep(conn, one.item, one.raw_item_id)
                storing.mark(conn, items, outcomes)
        # Only now: an acknowledgement before COMMIT loses the batch when we die in between.
        await self._ports.streams.ack(self._partition, [one.entry.id for one in group])
        await self._forget([one.item for one in group if one.raw_item_id is None or one.raw_item_id not in needed])
        self._metrics.batches += 1
        self._metrics.outcomes.update(outcome.kind.value for outcome in outcomes)
        lag_s = max(0.0, clock.now().timestamp() - group[0].item.received_at_ms / 1000)
        self._metrics.lag_s[self._partition] = lag_s
        self._metrics.seconds.observe(lag_s)

    async def _forget(self, items: Sequence[StreamItem]) -> None:
        """Delete bodies nobody needs, after the acknowledgement: an entry that comes again must find its own."""
        gone = [(item.workspace_id, one) for item in items if (one := reference_of(item)) is not None]
        if not gone:
            return
        try:
            async with self._ports.database.transaction(sorted({workspace_id for workspace_id, _ in gone})) as conn:
                await raw_items.forget(conn, gone)
        except Unavailable as error:
            # The sweep takes them one day; the batch is stored, and that is what counts.
            _log.warning("intake_raw_items_left", partition=self._partition, items=len(gone), reason=error.message)

    async def _settle(self, failed: list[Failed]) -> int:
        """Bury what failed for good; leave the rest pending and return how many that are."""
        waiting = [one for one in failed if not one.is_final and one.entry.deliveries < MAX_DELIVERIES]
        self._metrics.failures += len(failed)
        if waiting:
            _log.warning(
                "intake_entries_failed",
                partition=self._partition,
                entries=len(waiting),
                first=waiting[0].entry.id,
                errors=sorted({type(one.error).__name__ for one in waiting}),
            )
        for one in failed:
            if one not in waiting:
                self._count_burial()
                await self._finish(self._bury(one))
        return len(waiting)

    async def _bury(self, failed: Failed) -> None:
        """Store the raw item as a dead letter, COMMIT, then acknowledge it."""
        entry, item, error = failed.entry, failed.item, failed.error
        try:
            async with self._ports.database.transaction([item.workspace_id]) as conn:
                place = dead_letters.Place(stream_key(self._partition), entry.id)
                await dead_letters.store(conn, item, place, describe(error))
        except Exception as problem:  # loop: the entry stays pending, or goes where its bytes are kept
            if is_systemic(problem):
                raise (
                    problem if isinstance(problem, Unavailable) else Unavailable("Dead letters cannot be kept.")
                ) from problem
            if getattr(problem, "sqlstate", "") != FOREIGN_KEY_VIOLATION:
                _log.error("intake_dead_letter_refused", partition=self._partition, entry=entry.id)
                await self._ports.streams.set_aside(self._partition, await self._with_body(entry, item))
                return
            # The workspace was deleted, and everything of it had to go: so has this.
            self._metrics.orphaned += 1
        else:
            self._metrics.dead_letters += 1
            _log.error(
                "intake_dead_letter",
                partition=self._partition,
                entry=entry.id,
                channel=item.channel,
                channel_account_id=item.channel_account_id,
                error=type(error).__name__,
            )
        await self._ports.streams.ack(self._partition, [entry.id])
        await self._forget([item])

    async def _with_body(self, entry: Entry, item: StreamItem) -> Entry:
        """Return the entry with its bytes in it: what is set aside must not depend on a row that is swept one day."""
        if not item.reference or (body := await self._load(item)) is None:
            return entry
        whole = msgspec.structs.replace(item, body=body, reference="")
        return Entry(entry.id, msgspec.msgpack.encode(whole), entry.deliveries)

    def _count_burial(self) -> None:
        now_s = clock.monotonic_s()
        while self._buried_at and self._buried_at[0] <= now_s - DEAD_LETTER_WINDOW_S:
            self._buried_at.popleft()
        if len(self._buried_at) >= DEAD_LETTER_LIMIT:
            raise TooManyDeadLetters(
                f"Partition {self._partition} has made {DEAD_LETTER_LIMIT} dead letters in a minute."
            )
        self._buried_at.append(now_s)

    async def _wait(self, backoff: Backoff, error: Exception) -> None:
        """The batch stays in our hands: reading it again would raise its delivery counts for somebody else's fault."""
        self._metrics.unavailable += 1
        if not isinstance(error, Unavailable):
            _log.error("intake_statement_refused", partition=self._partition, error=type(error).__name__)
        elif backoff.is_fresh:
            # Once a partition; which store is away has been said by whoever lost it.
            _log.debug("intake_waits", partition=self._partition, reason=error.message)
        await self._ports.sleep(backoff.next_s())
        if not self._may_go_on():
            raise Unavailable("The lease ended.") from error

    async def _finish(self, work: Coroutine[None, None, Result]) -> Result:
        """Run to the end even when we are told to stop, so that a COMMIT is followed by its XACK."""
        task = asyncio.ensure_future(work)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=FINISH_S)
            if not task.done():
                task.cancel()
            elif not task.cancelled():
                task.exception()
            raise
