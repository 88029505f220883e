"""
Reads accounts: polled ones always, others while hints wait or history is unread.

One loop an account, held by one worker at a time, items first and the cursor after.

A crash between the two reads again, and the dedupe key absorbs it. Called by ``connectors/work.py``; one account's
loop is ``connectors/polled_account.py``.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from connectors import cursors, history, upkeep
from connectors.polled_account import PolledAccount, PollingMetrics, PollingPorts
from hub import clock
from hub.channels.model import AccountStatus
from hub.errors import HubError, Unavailable
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from hub.channels.model import OpenAccount, Route

TTL_S = 20.0
RENEW_EVERY_S = 5.0
# Accounts are known in memory: looking costs nothing, and a new one is read this soon.
LOOK_EVERY_S = 1.0
# We stop this much before Postgres would give the account away.
MARGIN_S = 2.0
# A thread and a connection each; more accounts want more workers.
MOST_ACCOUNTS = 500
TAKE_AT_ONCE = 200
CLOSE_S = 3.5

_log = get_logger("connectors.polling")


class KnownRoutes(Protocol):
    """What is needed of ``hub.channels.routes.ChannelRoutes`` here."""

    def known(self) -> Sequence[Route]: ...
    def open(self, route: Route) -> OpenAccount: ...


class Polling:
    """
    The polled accounts of one worker.

    Args:
        ports: The rest of the system.
        routes: Knows the accounts and their keys.
        holder: The worker's name, the same after a restart; no two live processes share one.
        ttl_s: How long a lease runs without renewal.
        look_every_s: How often new, changed and removed accounts are looked for.
    """

    def __init__(
        self,
        ports: PollingPorts,
        routes: KnownRoutes,
        holder: str,
        *,
        ttl_s: float = TTL_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._ports = ports
        self._routes = routes
        self._holder = holder
        self._ttl_s = ttl_s
        self._look_every_s = look_every_s
        self._renew_at_s = 0.0
        self._held_until_s = 0.0
        self._running: dict[UUID, PolledAccount] = {}
        # What was there at the last renewal; anything else is new and is not kept waiting for the next one.
        self._offered: set[UUID] = set()
        # Accounts with hints (True) or history to read, as last looked at; those whose wish for history is noted.
        self._to_read: dict[UUID, bool] = {}
        self._noted: set[UUID] = set()
        self._hinted = asyncio.Event()

    @property
    def held(self) -> set[UUID]:
        """The accounts this worker reads."""
        return set(self._running)

    @property
    def metrics(self) -> PollingMetrics:
        """What its loops counted."""
        return self._ports.metrics

    async def run(self) -> None:
        """Read until cancelled; then close every connection and release the leases, within five seconds."""
        try:
            while True:
                self._hinted.clear()
                await self._look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._look_every_s):
                        await self._hinted.wait()
        finally:
            await self._close(list(self._running), CLOSE_S)

    def hint(self) -> None:
        """Look now: a hint was noted in this process. Others look each second."""
        self._hinted.set()

    async def _look(self) -> None:
        """Close what is no longer to be read, renew what is, and take what nobody reads."""
        await self._look_for_hints()
        wanted = {one.id: one for one in self._routes.known() if self._is_polled(one)}
        stale = [
            one
            for one, running in self._running.items()
            if one not in wanted or running.ended or not self._is_same(running, wanted[one])
        ]
        over = {one for one in stale if self._is_over(one)}
        await self._close(over, CLOSE_S, is_over=True)
        await self._close([one for one in stale if one not in over], CLOSE_S)
        self._offered &= set(wanted).difference(stale)
        now_s = clock.monotonic_s()
        if now_s > self._held_until_s and self._running:
            # Not renewed in time: somebody else may have them.
            await self._close(list(self._running), CLOSE_S)
        if now_s >= self._renew_at_s or not self._offered.issuperset(wanted):
            await self._renew(wanted)
        for account_id, has_hints in self._to_read.items():
            if has_hints and account_id in self._running:
                self._running[account_id].wake()

    async def _look_for_hints(self) -> None:
        """Ask which accounts have something waiting; what was known stays while the store is away."""
        try:
            await self._note_history()
            async with self._ports.database.across() as conn:
                self._to_read = await upkeep.accounts_to_read(conn, MOST_ACCOUNTS)
        except HubError as error:
            if not isinstance(error, Unavailable):
                _log.warning("hints_not_looked_at", reason=error.code)

    async def _note_history(self) -> None:
        """Note for each account whose member asked for its history that it is to be read, once in its life."""
        for route in self._routes.known():
            if route.id in self._noted or not history.is_wanted(route.settings) or not self._has(route, "backfill"):
                continue
            async with self._ports.database.transaction([route.workspace_id]) as conn:
                await upkeep.want_history(conn, route.workspace_id, route.id)
            self._noted.add(route.id)

    async def _renew(self, wanted: dict[UUID, Route]) -> None:
        started_s = clock.monotonic_s()
        try:
            share = await self._share(len(wanted))
            await self._close(list(self._running)[share:], CLOSE_S)
            free = [one for one in wanted if one not in self._running][: max(0, share - len(self._running))]
            got = await self._take([wanted[one] for one in (*self._running, *free)])
        except HubError as error:
            # That a store is away has been said by whoever lost it.
            if not isinstance(error, Unavailable):
                _log.warning("polling_leases_not_renewed", reason=error.code)
            return
        self._offered = set(wanted)
        self._renew_at_s = started_s + min(RENEW_EVERY_S, self._ttl_s / 4)
        self._held_until_s = started_s + self._ttl_s - min(MARGIN_S, self._ttl_s / 4)
        await self._close([one for one in self._running if one not in got], CLOSE_S)
        for account_id, cursor in got.items():
            if account_id not in self._running:
                route = wanted[account_id]
                poll = cursors.Poll(route.workspace_id, account_id, self._holder)
                self._running[account_id] = PolledAccount(self._ports, route, poll, cursor)

    async def _share(self, accounts: int) -> int:
        """Each worker reads as many; the last of them may read fewer."""
        async with self._ports.database.across() as conn:
            workers = max(1, await cursors.count_workers(conn))
        return min(MOST_ACCOUNTS, -(-accounts // workers))

    async def _take(self, routes: Sequence[Route]) -> dict[UUID, str | None]:
        got: dict[UUID, str | None] = {}
        for start in range(0, len(routes), TAKE_AT_ONCE):
            some = routes[start : start + TAKE_AT_ONCE]
            async with self._ports.database.transaction(sorted({one.workspace_id for one in some})) as conn:
                pairs = [(one.workspace_id, one.id) for one in some]
                got |= await cursors.take(conn, self._holder, pairs, self._ttl_s)
        return got

    async def _close(self, account_ids: Iterable[UUID], within_s: float, *, is_over: bool = False) -> None:
        """End accounts' loops, then give up their leases; what hangs is left to its thread and its lease."""
        closing = [self._running.pop(one) for one in account_ids]
        if not closing:
            return
        tasks = [asyncio.create_task(one.close(is_over=is_over), name="poll-close") for one in closing]
        _, late = await asyncio.wait(tasks, timeout=within_s)
        for task in late:
            task.cancel()

    def _is_same(self, running: PolledAccount, route: Route) -> bool:
        try:
            return running.is_of(route, self._routes.open(route).credentials)
        except HubError:
            return False

    def _is_polled(self, route: Route) -> bool:
        if self._has(route, "poll") and self._ports.registry.get(route.channel).polls(route.settings):
            return True
        return route.id in self._to_read and self._has(route, "expand", "backfill")

    def _is_over(self, account_id: UUID) -> bool:
        """Say whether an account that was read is not any more, by its settings: how that went is nobody's trouble."""
        route = next((one for one in self._routes.known() if one.id == account_id), None)
        return (
            route is not None
            and self._has(route, "poll")
            and not self._ports.registry.get(route.channel).polls(route.settings)
        )

    def _has(self, route: Route, *functions: str) -> bool:
        """Say whether an account is in use and its channel has one of these functions."""
        if route.status is not AccountStatus.CONNECTED:
            return False
        try:
            connector = self._ports.registry.get(route.channel)
        except HubError:
            return False
        return any(getattr(connector, name) is not None for name in functions)
