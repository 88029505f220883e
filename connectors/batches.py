"""
Stores a batch of stream entries: parse, one transaction, COMMIT, then XACK; finds the guilty one among neighbours.

Never reads the stream and never waits for work: ``connectors/intake.py`` does, once a partition.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

import msgspec

from connectors import dead_letters
from connectors.backoff import Backoff
from connectors.base import ParseContext
from hub import clock
from hub.envelope import StreamItem
from hub.errors import HubError, MalformedPayload, NotFound, Unavailable, UnsupportedPayload
from hub.inbox.receive import Outcome, ReceivedItem
from hub.log import get_logger
from hub.streams import stream_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence
    from contextlib import AbstractAsyncContextManager

    from connectors.base import Connector
    from hub.channels.model import Route
    from hub.db import TenantConn
    from hub.streams import Entry

Result = TypeVar("Result")

MAX_DELIVERIES = 5
# An entry that was handed out this often and never failed stops whoever touches it, or never gets its lock.
MAX_UNFINISHED = 50
# A worker that is told to stop has this long to finish the transaction it is in.
FINISH_S = 8.0
# More dead letters of one partition than this a minute is a broken parser or an attack: stop and call somebody.
DEAD_LETTER_LIMIT = 100
DEAD_LETTER_WINDOW_S = 60.0

# SQLSTATE classes in which the data is to blame; every other database error is the system's and is waited out.
_DATA_ERROR_CLASSES = frozenset({"21", "22", "23", "P0"})
_CONTENDED = frozenset({"55P03", "57014", "40P01", "40001"})
_FOREIGN_KEY_VIOLATION = "23503"

_decoder = msgspec.msgpack.Decoder(StreamItem)
_log = get_logger("connectors.intake")


class Transactions(Protocol):
    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...


class Acknowledging(Protocol):
    """What is needed of ``hub.streams.IngressStreams`` here."""

    async def ack(self, partition: int, ids: Sequence[str]) -> int: ...
    async def set_aside(self, partition: int, entry: Entry) -> None: ...


class Connectors(Protocol):
    def get(self, channel: str) -> Connector: ...


class Routes(Protocol):
    async def find(self, account_id: UUID) -> Route: ...


@dataclass(slots=True)
class IntakeMetrics:
    """
    What intake did in this process; read by /metrics.

    Attributes:
        outcomes: Items by what ``receive`` made of them: ``stored``, ``duplicate``, …
        failures: Entries left pending after an error of their own.
        orphaned: Entries of workspaces that no longer exist, acknowledged.
        unreadable: Alarm: entries that are not StreamItems, set aside.
        unavailable: Times Postgres or Redis was waited for.
        stopped: Alarm: partitions at a standstill because of too many dead letters.
        lag_s: By partition, how long the last stored item had been waiting since the edge took it.
    """

    batches: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unsupported: int = 0
    failures: int = 0
    dead_letters: int = 0
    orphaned: int = 0
    unreadable: int = 0
    unavailable: int = 0
    stopped: set[int] = field(default_factory=set)
    lag_s: dict[int, float] = field(default_factory=dict)


class TooManyDeadLetters(HubError):
    """The partition stands still until its limit allows more; everything stays pending."""

    code = "too_many_dead_letters"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPorts:
    """What storing a batch needs; ``receive`` is ``hub.inbox.actions.receive``."""

    database: Transactions
    streams: Acknowledging
    connectors: Connectors
    routes: Routes
    receive: Callable[[TenantConn, Sequence[ReceivedItem]], Awaitable[list[Outcome]]]
    metrics: IntakeMetrics = field(default_factory=IntakeMetrics)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class _Parsed:
    entry: Entry
    item: StreamItem
    received: list[ReceivedItem]


@dataclass(frozen=True, slots=True)
class _Failed:
    """An entry with an error of its own; ``is_final`` when trying again cannot help."""

    entry: Entry
    item: StreamItem
    error: BaseException
    is_final: bool = False


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

    async def store(self, entries: Sequence[Entry]) -> int:
        """
        Store entries and acknowledge them; one that cannot be stored does not hold its neighbours up.

        Args:
            entries: Any number, oldest first, with their delivery counts.

        Returns:
            How many were left pending, to be read again in a while.

        Raises:
            Unavailable: The lease ended while waiting for Postgres, or Redis is away; the rest stays pending.
            TooManyDeadLetters: The limit is reached; the rest stays pending.
        """
        parsed: list[_Parsed] = []
        failed: list[_Failed] = []
        done: list[str] = []
        for entry in entries:
            match await self._parse(entry):
                case _Parsed() as one:
                    parsed.append(one)
                case _Failed() as one:
                    failed.append(one)
                case None:
                    done.append(entry.id)
        failed += await self._store_parsed(parsed)
        await self._ports.streams.ack(self._partition, done)
        return sum([await self._settle(one) for one in failed])

    async def _parse(self, entry: Entry) -> _Parsed | _Failed | None:
        """Read one entry; None when it needs nothing but its acknowledgement."""
        if entry.payload is None:
            return None
        try:
            item = _decoder.decode(entry.payload)
            account_id = UUID(item.channel_account_id)
        except (msgspec.DecodeError, ValueError):
            self._metrics.unreadable += 1
            _log.error("intake_entry_unreadable", partition=self._partition, entry=entry.id)
            await self._ports.streams.set_aside(self._partition, entry)
            return None
        try:
            route = await self._ports.routes.find(account_id)
            if (route.workspace_id, route.channel) != (item.workspace_id, item.channel):
                return _Failed(
                    entry, item, NotFound("channel account of this channel in this workspace"), is_final=True
                )
            received_at = datetime.fromtimestamp(item.received_at_ms / 1000, UTC)
            context = ParseContext(received_at=received_at, key=item.key, settings=route.settings)
            found = self._ports.connectors.get(item.channel).parse(item.body, context)
        except UnsupportedPayload:
            self._metrics.unsupported += 1
            return None
        except Unavailable:
            raise
        except Exception as error:
            return _Failed(entry, item, error, is_final=isinstance(error, MalformedPayload))
        received = [
            ReceivedItem(workspace_id=item.workspace_id, channel_account_id=account_id, channel=item.channel, item=one)
            for one in found
        ]
        return _Parsed(entry, item, received) if received else None

    async def _store_parsed(self, parsed: list[_Parsed]) -> list[_Failed]:
        """Store in one transaction; where that fails because of the data, in halves, down to the guilty entry."""
        failed: list[_Failed] = []
        suspects = [one for one in parsed if one.entry.deliveries > MAX_DELIVERIES]
        groups = deque(
            [[one for one in parsed if one.entry.deliveries <= MAX_DELIVERIES], *([one] for one in suspects)]
        )
        backoff = Backoff()
        while groups:
            group = groups.popleft()
            if not group:
                continue
            try:
                await self._finish(self._commit_and_ack(group))
                backoff.reset()
            except Exception as error:
                if _is_systemic(error) and not _is_contended(error):
                    groups.appendleft(group)
                    await self._wait(backoff, error)
                    continue
                smaller = _split(group, error)
                groups.extendleft(reversed(smaller))
                if not smaller:
                    failed += [
                        _Failed(one.entry, one.item, error, isinstance(error, MalformedPayload)) for one in group
                    ]
        return failed

    async def _commit_and_ack(self, group: list[_Parsed]) -> None:
        items = [received for one in group for received in one.received]
        workspace_ids = sorted({one.workspace_id for one in items})
        async with self._ports.database.transaction(workspace_ids) as conn:
            outcomes = await self._ports.receive(conn, items)
        # Only now: an acknowledgement before COMMIT loses the batch when we die in between.
        await self._ports.streams.ack(self._partition, [one.entry.id for one in group])
        self._metrics.batches += 1
        self._metrics.outcomes.update(outcome.kind.value for outcome in outcomes)
        self._metrics.lag_s[self._partition] = max(0.0, clock.now().timestamp() - group[0].item.received_at_ms / 1000)

    async def _settle(self, failed: _Failed) -> int:
        """Leave a failed entry pending (1), or bury it (0)."""
        self._metrics.failures += 1
        entry, error = failed.entry, failed.error
        tries = MAX_UNFINISHED if _is_systemic(error) else MAX_DELIVERIES
        if not failed.is_final and entry.deliveries < tries:
            if entry.deliveries == 1:
                _log.warning(
                    "intake_entry_failed", partition=self._partition, entry=entry.id, error=type(error).__name__
                )
            return 1
        self._count_burial()
        await self._finish(self._bury(failed))
        return 0

    async def _bury(self, failed: _Failed) -> None:
        """Store the raw item as a dead letter, COMMIT, then acknowledge it."""
        entry, item, error = failed.entry, failed.item, failed.error
        try:
            async with self._ports.database.transaction([item.workspace_id]) as conn:
                place = dead_letters.Place(stream_key(self._partition), entry.id)
                await dead_letters.store(conn, item, place, _describe(error))
        except Exception as problem:
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
        if backoff.is_fresh:
            _log.warning("intake_waits", partition=self._partition, error=type(error).__name__)
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


def _split(group: list[_Parsed], error: Exception) -> list[list[_Parsed]]:
    """
    Cut a failed group into smaller ones to try; nothing when it is at fault as it is.

    A group that waits too long for a lock is cut by workspace: one that is locked must not hold up the others.
    """
    if _is_contended(error):
        by_workspace: dict[int, list[_Parsed]] = {}
        for one in group:
            by_workspace.setdefault(one.item.workspace_id, []).append(one)
        return list(by_workspace.values()) if len(by_workspace) > 1 else []
    middle = len(group) // 2
    return [group[:middle], group[middle:]] if middle else []


def _is_systemic(error: BaseException) -> bool:
    """Whether the system is to blame, not the data: an error of ours to wait, or one of Postgres outside the data's."""
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        return sqlstate[:2] not in _DATA_ERROR_CLASSES
    return isinstance(error, (Unavailable, OSError, MemoryError))


def _is_contended(error: BaseException) -> bool:
    """Whether a lock or a statement took too long, by the SQLSTATE of what Unavailable was made from."""
    return isinstance(error, Unavailable) and getattr(error.__cause__, "sqlstate", None) in _CONTENDED


def _describe(error: BaseException) -> str:
    """Name the error for an operator; only our own texts are known to hold nothing private."""
    return f"{error.code}: {error.message}" if isinstance(error, HubError) else type(error).__name__
