"""
The loop of an account that is read: follows hints, iterates ``poll``, stores what they yield, says once when it fails.

All of it runs under one lease; history is read beside it (``connectors/history.py``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast
from uuid import UUID

import asyncpg
import msgspec

from connectors import cursors, upkeep
from connectors.account_notes import AccountNotes
from connectors.base import Account, Connector, PolledBatch, RawItem
from connectors.history import HistoryReader
from connectors.polled_routing import Named, nobody, recipients
from hub import clock, tracing
from hub.channels.actions import mark_needs_sign_in
from hub.envelope import StreamItem
from hub.errors import (
    ConnectorError,
    ConnectorErrorInfo,
    EnteredKeyRefused,
    ErrorClass,
    HubError,
    NotFound,
    Unavailable,
)
from hub.log import get_logger
from hub.oauth_settings import APP_NAMES

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from hub.channels.model import Route
    from hub.db import TenantConn

FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
REPEAT_S = 60.0
# A loop that ran this long was up: its next failure is a new one.
UP_AFTER_S = 30.0
RELEASE_S = 1.0
# Errors that no waiting mends; a member has to look.
_STOPPING = frozenset({ErrorClass.AUTH, ErrorClass.ACCOUNT})

_log = get_logger("connectors.polling")


class LeaseLost(HubError):
    """Somebody else reads the account by now."""

    code = "lease_lost"

    def __init__(self) -> None:
        super().__init__("Another worker reads this account.")


class PollingDatabase(Protocol):
    """What is needed of ``hub.db.Database``."""

    def across(self) -> AbstractAsyncContextManager[TenantConn]: ...
    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...


class Connectors(Protocol):
    """What is needed of ``connectors.registry.ConnectorRegistry``."""

    def get(self, channel: str) -> Connector: ...


class OpenAccount(Protocol):
    """See ``connectors.attempt.OpenAccount``."""

    def __call__(self, channel_account_id: UUID, *, fresh: bool = False) -> Awaitable[tuple[Account, Connector]]: ...


@dataclass(slots=True)
class PollingMetrics:
    """
    Since the process began, for /metrics.

    Attributes:
        signed_out: Accounts whose keys were refused.
        down: Accounts that cannot be read now.
    """

    batches: int = 0
    items: int = 0
    failures: int = 0
    signed_out: int = 0
    down: set[UUID] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingPorts:
    """
    What reading polled accounts needs.

    Attributes:
        append: Takes an item for good, however large (``IngressWriter.append``).
        open_account: Opens credentials; ``fresh`` past any cache.
        pause_s: First and longest pause after a failure.
        repeat_s: Pause after an iterator that ended: it had read all there was.
        named: Knows the accounts that are one account at the vendor (``ChannelRoutes.named``).
        tracer: Begins the traces of what is read.
        notes: What accounts' pages show.
    """

    database: PollingDatabase
    append: Callable[[StreamItem], Awaitable[None]]
    registry: Connectors
    open_account: OpenAccount
    metrics: PollingMetrics = field(default_factory=PollingMetrics)
    notes: AccountNotes = field(default_factory=AccountNotes)
    named: Named = nobody
    tracer: tracing.Tracer = tracing.NO_TRACER
    pause_s: tuple[float, float] = (FIRST_PAUSE_S, LONGEST_PAUSE_S)
    repeat_s: float = REPEAT_S


class PolledAccount:
    """
    A running loop.

    Args:
        ports: The rest of the system.
        route: The account as it was when the loop began.
        poll: The lease.
        cursor: Where to go on.
    """

    def __init__(self, ports: PollingPorts, route: Route, poll: cursors.Poll, cursor: str | None) -> None:
        self._ports = ports
        self._route = route
        self._poll = poll
        self._cursor = cursor
        self._account: Account | None = None
        self._failures = 0
        self._woken = asyncio.Event()
        self._history: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._run(), name=f"poll-{route.id}")

    @property
    def ended(self) -> bool:
        """Whether the loop ended by itself: the lease has gone, all is read, or a member must look."""
        return self._task.done()

    def is_of(self, route: Route, credentials: Mapping[str, str]) -> bool:
        """Say whether an account is still as it was when the loop began."""
        if self._account is not None:
            # The connector was shown the installation's app as well, which is not of the account.
            own = {name: value for name, value in self._account.credentials.items() if name not in APP_NAMES}
            if own != {name: value for name, value in credentials.items() if name not in APP_NAMES}:
                return False
        return route.settings == self._route.settings

    def wake(self) -> None:
        """Look at once: a hint waits for the account."""
        self._woken.set()

    async def close(self, *, is_over: bool = False) -> None:
        """End the loop, its connection, and the lease; ``is_over``: the account is not read any more at all."""
        tasks = [self._task] if self._history is None else [self._task, self._history]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._ports.metrics.down.discard(self._poll.account_id)
        with suppress(HubError, TimeoutError):
            async with asyncio.timeout(RELEASE_S), self._transaction() as conn:
                await cursors.release(conn, self._poll, is_over=is_over)

    async def _run(self) -> None:
        while True:
            started_s = clock.monotonic_s()
            try:
                if await self._read():
                    await self._rest()
                elif not await self._outlast_history():
                    return
            except LeaseLost:
                return
            except Exception as error:  # loop: one account's trouble is its own; classified, kept and waited out
                if clock.monotonic_s() - started_s > UP_AFTER_S:
                    self._failures = 0
                if await self._settle(error):
                    return
                await asyncio.sleep(self._pause_s())

    async def _read(self) -> bool:
        """Follow what hints wait, then read on; False where there is nothing but hints to read."""
        account, connector = await self._ports.open_account(self._poll.account_id)
        self._account = account
        self._start_history(connector)
        self._woken.clear()
        if connector.expand is not None:
            await self._follow_hints(account, connector.expand)
        if connector.poll is None or not connector.polls(account.settings):
            return False
        batches = cast("AsyncGenerator[PolledBatch, None]", connector.poll(account, self._cursor))
        async with aclosing(batches):
            while (batch := await self._next(batches)) is not None:
                await self._store(batch)
                self._note_up()
        return True

    async def _follow_hints(
        self, account: Account, expand: Callable[[Account, RawItem, str | None], AsyncIterator[PolledBatch]]
    ) -> None:
        """One expand for all hints that wait: the newest says what they all said. They go once all is stored."""
        while True:
            async with self._transaction() as conn:
                hints = await upkeep.list_hints(conn, self._poll)
            if not hints:
                return
            batches = cast("AsyncGenerator[PolledBatch, None]", expand(account, hints[-1], self._cursor))
            async with aclosing(batches):
                async for batch in batches:
                    await self._store(batch)
            async with self._transaction() as conn:
                await upkeep.drop_hints(conn, self._poll, [one.key for one in hints])
            self._note_up()

    async def _next(self, batches: AsyncGenerator[PolledBatch, None]) -> PolledBatch | None:
        """Wait for a batch; None at the end, or when a hint came meanwhile: the cursor is kept, so nothing is lost."""
        step = asyncio.ensure_future(anext(batches, None))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((step, woken), return_when=asyncio.FIRST_COMPLETED)
            return step.result() if step.done() else None
        finally:
            woken.cancel()
            if not step.done():
                step.cancel()
                await asyncio.gather(step, return_exceptions=True)

    async def _rest(self) -> None:
        """Pause after an iterator that had read all there was, unless a hint comes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._ports.repeat_s):
                await self._woken.wait()

    # ── history ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_history(self, connector: Connector) -> None:
        if connector.backfill is None or self._history is not None:
            return
        reader = HistoryReader(
            self._ports.database,
            self._poll,
            self._ports.open_account,
            self._append_history,
            pause_s=self._ports.pause_s,
        )
        self._history = asyncio.create_task(reader.run(), name=f"history-{self._poll.account_id}")

    async def _append_history(self, raw: RawItem) -> None:
        await self._append(raw, clock.now_ms(), is_historical=True)

    async def _outlast_history(self) -> bool:
        """Where there is nothing to poll: wait for the next hint while history is read; False once it is."""
        if self._history is None or self._history.done():
            return False
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait((woken, self._history), return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
        return self._woken.is_set()

    # ── storing ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _store(self, batch: PolledBatch) -> None:
        """Items first, all of them on disk, then the cursor behind them."""
        received_at_ms = clock.now_ms()
        for raw in batch.items:
            await self._append(raw, received_at_ms)
        async with self._transaction() as conn:
            is_ours = await cursors.save(conn, self._poll, batch.cursor, batch.progress, has_items=bool(batch.items))
        if not is_ours:
            raise LeaseLost
        self._cursor = batch.cursor
        self._ports.metrics.batches += 1
        self._ports.metrics.items += len(batch.items)

    async def _append(self, raw: RawItem, received_at_ms: int, *, is_historical: bool = False) -> None:
        """Put one item on its account's stream; each begins a trace, as each call of a webhook does."""
        connector = self._ports.registry.get(self._route.channel)
        for route in recipients(self._route, connector, raw, self._ports.named):
            with self._ports.tracer.span("poll", kind="consumer", attributes={"hub.channel": self._route.channel}):
                await self._ports.append(
                    StreamItem(
                        workspace_id=route.workspace_id,
                        channel_account_id=str(route.id),
                        channel=route.channel,
                        key=raw.key,
                        body=raw.body,
                        received_at_ms=received_at_ms,
                        trace=tracing.current(),
                        historical=is_historical,
                    )
                )

    # ── failures ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, error: Exception) -> bool:
        """Keep why the account cannot be read; True when only a member can mend it."""
        if isinstance(error, NotFound):
            return True
        info = self._describe(error)
        self._ports.metrics.failures += 1
        if not isinstance(error, Unavailable):
            place = self._poll.workspace_id, self._poll.account_id
            self._ports.notes.went_wrong(place, "read", info.code, info.message)
        if info.klass in _STOPPING:
            if not isinstance(error, EnteredKeyRefused):
                info = await self._after_refusal(info)
            if info.klass in _STOPPING and await self._sign_out(info):
                return True
        # That a store of ours is away has been said by whoever lost it; it is not the account's trouble.
        # Nor is one connection that broke after it had held: servers cut them, and the next attempt follows at once.
        if not isinstance(error, Unavailable) and self._failures:
            self._note_down(info)
        with suppress(HubError, asyncpg.PostgresError):
            async with self._transaction() as conn:
                await cursors.save_error(conn, self._poll, info.message)
        return False

    def _describe(self, error: Exception) -> ConnectorErrorInfo:
        if isinstance(error, ConnectorError):
            return error.info
        if isinstance(error, HubError):
            return ConnectorErrorInfo(ErrorClass.RETRYABLE, error.code, error.message)
        return self._ports.registry.get(self._route.channel).classify(error)

    async def _sign_out(self, info: ConnectorErrorInfo) -> bool:
        try:
            async with self._transaction() as conn:
                await cursors.save_error(conn, self._poll, info.message)
            async with self._transaction() as conn:
                await mark_needs_sign_in(conn, self._poll.workspace_id, self._poll.account_id, info.message)
        except HubError:
            return False
        self._ports.metrics.signed_out += 1
        _log.warning("polled_account_signed_out", **self._facts(), reason=info.code)
        return True

    async def _after_refusal(self, info: ConnectorErrorInfo) -> ConnectorErrorInfo:
        """Say what refused keys come to: nothing to stop for where a member or a renewal has just mended them."""
        try:
            fresh, _ = await self._ports.open_account(self._poll.account_id, fresh=True)
        except ConnectorError as error:
            return error.info
        except HubError:
            return info
        is_newer = self._account is not None and fresh.credentials != self._account.credentials
        return msgspec.structs.replace(info, klass=ErrorClass.RETRYABLE) if is_newer else info

    def _pause_s(self) -> float:
        first_s, longest_s = self._ports.pause_s
        limit_s = min(longest_s, first_s * 2.0 ** min(self._failures, 20))
        self._failures += 1
        return limit_s * random.uniform(0.5, 1.0)  # noqa: S311  no secret

    def _note_down(self, info: ConnectorErrorInfo) -> None:
        if self._poll.account_id not in self._ports.metrics.down:
            self._ports.metrics.down.add(self._poll.account_id)
            _log.warning("polled_account_down", **self._facts(), reason=info.code)

    def _note_up(self) -> None:
        if self._poll.account_id in self._ports.metrics.down:
            self._ports.metrics.down.discard(self._poll.account_id)
            _log.warning("polled_account_up", **self._facts())

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _transaction(self) -> AbstractAsyncContextManager[TenantConn]:
        return self._ports.database.transaction([self._poll.workspace_id])

    def _facts(self) -> dict[str, object]:
        return {
            "workspace_id": self._poll.workspace_id,
            "channel_account_id": str(self._poll.account_id),
            "channel": self._route.channel,
        }
