"""A polled account's loop: iterates its connector, stores what it yields, and says once when it fails and recovers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast
from uuid import UUID

import asyncpg

from connectors import cursors
from connectors.base import Account, Connector, PolledBatch, RawItem
from hub import clock, tracing
from hub.channels.actions import mark_needs_sign_in
from hub.envelope import StreamItem
from hub.errors import ConnectorErrorInfo, ErrorClass, HubError, NotFound, Unavailable
from hub.log import get_logger

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
        tracer: Begins the traces of what is read.
    """

    database: PollingDatabase
    append: Callable[[StreamItem], Awaitable[None]]
    registry: Connectors
    open_account: OpenAccount
    metrics: PollingMetrics = field(default_factory=PollingMetrics)
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
        self._task = asyncio.create_task(self._run(), name=f"poll-{route.id}")

    @property
    def ended(self) -> bool:
        """Whether the loop ended by itself: the lease has gone, or a member must look."""
        return self._task.done()

    def is_of(self, route: Route, credentials: Mapping[str, str]) -> bool:
        """Say whether an account is still as it was when the loop began."""
        if self._account is not None and credentials != self._account.credentials:
            return False
        return route.settings == self._route.settings

    async def close(self) -> None:
        """End the loop, its connection, and the lease."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._ports.metrics.down.discard(self._poll.account_id)
        with suppress(HubError, TimeoutError):
            async with asyncio.timeout(RELEASE_S), self._transaction() as conn:
                await cursors.release(conn, self._poll)

    async def _run(self) -> None:
        while True:
            started_s = clock.monotonic_s()
            try:
                await self._read()
                await asyncio.sleep(self._ports.repeat_s)
            except LeaseLost:
                return
            except Exception as error:  # loop: one account's trouble is its own; classified, kept and waited out
                if clock.monotonic_s() - started_s > UP_AFTER_S:
                    self._failures = 0
                if await self._settle(error):
                    return
                await asyncio.sleep(self._pause_s())

    async def _read(self) -> None:
        account, connector = await self._ports.open_account(self._poll.account_id)
        self._account = account
        if connector.poll is None:
            raise LeaseLost
        batches = cast("AsyncGenerator[PolledBatch, None]", connector.poll(account, self._cursor))
        async with aclosing(batches):
            async for batch in batches:
                await self._store(batch)
                self._note_up()

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

    async def _append(self, raw: RawItem, received_at_ms: int) -> None:
        """Put one item on its stream; each begins a trace, as each call of a webhook does."""
        with self._ports.tracer.span("poll", kind="consumer", attributes={"hub.channel": self._route.channel}):
            await self._ports.append(
                StreamItem(
                    workspace_id=self._poll.workspace_id,
                    channel_account_id=str(self._poll.account_id),
                    channel=self._route.channel,
                    key=raw.key,
                    body=raw.body,
                    received_at_ms=received_at_ms,
                    trace=tracing.current(),
                )
            )

    # ── failures ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _settle(self, error: Exception) -> bool:
        """Keep why the account cannot be read; True when only a member can mend it."""
        if isinstance(error, NotFound):
            return True
        info = self._describe(error)
        self._ports.metrics.failures += 1
        if info.klass in _STOPPING and not await self._has_newer_keys() and await self._sign_out(info):
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
        if isinstance(error, HubError) and not hasattr(error, "info"):
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

    async def _has_newer_keys(self) -> bool:
        """Say whether the refused keys were only our cache's: a member may just have mended them."""
        try:
            fresh, _ = await self._ports.open_account(self._poll.account_id, fresh=True)
        except HubError:
            return False
        return self._account is not None and fresh.credentials != self._account.credentials

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
