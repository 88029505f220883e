"""
Stores a batch of stream entries: parse, one transaction, COMMIT, then XACK; finds the guilty one among neighbours.

Never reads the stream and never waits for work: ``connectors/intake.py`` does, once a partition.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, TypeVar

from connectors import dead_letters
from connectors.backoff import Backoff
from connectors.batch_spans import BatchSpans
from connectors.entries import BatchPorts, Failed, Parsed, read_entry
from hub import clock
from hub.errors import HubError, MalformedPayload, Unavailable
from hub.log import get_logger
from hub.streams import stream_key

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from hub.streams import Entry

Result = TypeVar("Result")

# What one transaction takes (measured elsewhere: beyond this, locks are held longer for nothing).
MAX_ITEMS = 200
MAX_DELIVERIES = 5
# A worker that is told to stop has this long to finish the transaction it is in.
FINISH_S = 8.0
# More dead letters of one partition than this a minute is a broken parser or an attack: stop and call somebody.
DEAD_LETTER_LIMIT = 100
DEAD_LETTER_WINDOW_S = 60.0

# SQLSTATE classes in which the data is to blame; every other database error is the system's and is waited out.
_DATA_ERROR_CLASSES = frozenset({"21", "22", "23", "P0"})
# A lock, or a statement, that took too long.
_LOCK_NOT_AVAILABLE = "55P03"
_QUERY_CANCELED = "57014"
_FOREIGN_KEY_VIOLATION = "23503"

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
        parsed: list[Parsed] = []
        failed: list[Failed] = []
        done: list[str] = []
        for entry in entries:
            match await read_entry(self._ports, self._partition, entry):
                case Parsed() as one:
                    parsed.append(one)
                case Failed() as one:
                    failed.append(one)
                case None:
                    done.append(entry.id)
        suspects = [[one] for one in parsed if is_cautious and one.entry.deliveries > MAX_DELIVERIES]
        ordinary = [one for one in parsed if not is_cautious or one.entry.deliveries <= MAX_DELIVERIES]
        left = await self._store_groups(deque([*_pack(ordinary), *suspects]), failed)
        await self._ports.streams.ack(self._partition, done)
        return left + await self._settle(failed)

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
                if _must_wait(error):
                    groups.appendleft(group)
                    await self._wait(backoff, error)
                elif smaller := _split(group, error):
                    groups.extendleft(reversed(smaller))
                elif _is_systemic(error):
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
                storing.mark(conn, items, outcomes)
        # Only now: an acknowledgement before COMMIT loses the batch when we die in between.
        await self._ports.streams.ack(self._partition, [one.entry.id for one in group])
        self._metrics.batches += 1
        self._metrics.outcomes.update(outcome.kind.value for outcome in outcomes)
        lag_s = max(0.0, clock.now().timestamp() - group[0].item.received_at_ms / 1000)
        self._metrics.lag_s[self._partition] = lag_s
        self._metrics.seconds.observe(lag_s)

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
                await dead_letters.store(conn, item, place, _describe(error))
        except Exception as problem:  # loop: the entry stays pending, or goes where its bytes are kept
            if _is_systemic(problem):
                raise (
                    problem if isinstance(problem, Unavailable) else Unavailable("Dead letters cannot be kept.")
                ) from problem
            if getattr(problem, "sqlstate", "") != _FOREIGN_KEY_VIOLATION:
                _log.error("intake_dead_letter_refused", partition=self._partition, entry=entry.id)
                await self._ports.streams.set_aside(self._partition, entry)
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


def _pack(parsed: list[Parsed]) -> list[list[Parsed]]:
    """Make groups of at most ``MAX_ITEMS`` items; an entry is never spread over two."""
    groups: list[list[Parsed]] = []
    items = MAX_ITEMS
    for one in parsed:
        items += len(one.received)
        if items > MAX_ITEMS:
            groups.append([])
            items = len(one.received)
        groups[-1].append(one)
    return groups


def _split(group: list[Parsed], error: Exception) -> list[list[Parsed]]:
    """
    Cut a failed group into smaller ones to try; nothing when it cannot be cut any more.

    A group that waited too long for a lock is cut by workspace: one that is locked must not hold up the others.
    """
    if _sqlstate(error) == _LOCK_NOT_AVAILABLE:
        by_workspace: dict[int, list[Parsed]] = {}
        for one in group:
            by_workspace.setdefault(one.item.workspace_id, []).append(one)
        return list(by_workspace.values()) if len(by_workspace) > 1 else []
    middle = len(group) // 2
    return [group[:middle], group[middle:]] if middle else []


def _must_wait(error: Exception) -> bool:
    """Whether the same group must be tried again as it is: the database is away, or broken for everybody."""
    return _is_systemic(error) and _sqlstate(error) not in (_LOCK_NOT_AVAILABLE, _QUERY_CANCELED)


def _is_systemic(error: BaseException) -> bool:
    """Whether the system is to blame, not the data: an error of ours to wait, or one of Postgres outside the data's."""
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return sqlstate[:2] not in _DATA_ERROR_CLASSES
    return isinstance(error, (Unavailable, OSError, MemoryError))


def _sqlstate(error: BaseException) -> object:
    """Return the SQLSTATE of what an Unavailable was made from, None where there is none."""
    return getattr(error.__cause__, "sqlstate", None) if isinstance(error, Unavailable) else None


def _describe(error: BaseException) -> str:
    """Name the error for an operator; only our own texts are known to hold nothing private."""
    return f"{error.code}: {error.message}" if isinstance(error, HubError) else type(error).__name__
