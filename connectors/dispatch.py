"""
The process loop from the outbox to the vendors: finds what is due and lets ``attempt`` carry it out.

Woken by a hint after COMMIT, and each second in any case. Accounts are bulkheads: each has a few places, so that a
slow vendor holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from uuid import UUID

import msgspec

from connectors.accounts import account_of
from connectors.attempt import Attempts, OpenAccount
from connectors.base import Account, Connector
from connectors.outbox import DeliveryStore
from connectors.registry import ConnectorRegistry
from connectors.renewal import Renewals
from hub import clock, log
from hub.channels.routes import ChannelRoutes
from hub.config import Settings
from hub.errors import Unavailable
from hub.inbox.deliveries import Due

POLL_S = 1.0
LOOK_LIMIT = 200
PLACES_PER_ACCOUNT = 8
PLACES = 400
REST_S = 2.0
STOP_GRACE_S = 20.0


FileReader = Callable[[str], AsyncIterator[bytes]]


def open_with(
    routes: ChannelRoutes,
    registry: ConnectorRegistry,
    settings: Settings,
    read_files: Callable[[int], FileReader] | None = None,
    renewals: Renewals | None = None,
) -> OpenAccount:
    """
    Make the opener of accounts over the process's routes.

    Args:
        routes: Knows the accounts and opens their secrets.
        registry: Knows the channels.
        settings: Our public address, and where vendors are.
        read_files: Makes what gives connectors the files of a workspace; None where nothing is sent.
        renewals: Keeps tokens fresh; None where no channel has any.

    Returns:
        What ``Attempts`` needs.
    """

    async def open_account(channel_account_id: UUID, *, fresh: bool = False) -> tuple[Account, Connector]:
        if fresh:
            await routes.refresh()
        route = await routes.find(channel_account_id)
        account = account_of(route, routes.open(route).credentials, settings)
        connector = registry.get(route.channel)
        if renewals is not None:
            account = await renewals.fresh(route, account, connector, refused=fresh)
        if read_files is not None:
            account = msgspec.structs.replace(account, read_file=read_files(route.workspace_id))
        return account, connector

    return open_account


class Dispatcher:
    """
    Sends what is queued, of all workspaces; any number of processes may run one.

    Args:
        store: Where deliveries are found.
        attempts: Carries out one.
        now: The wall clock; tests move it.
    """

    def __init__(self, store: DeliveryStore, attempts: Attempts, now: Callable[[], datetime] = clock.now) -> None:
        self._store = store
        self.attempts = attempts
        self._now = now
        self._hint = asyncio.Event()
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._places: Counter[UUID] = Counter()
        self._threads: set[tuple[UUID, str]] = set()
        self._resting_until_s: dict[UUID, float] = {}
        self._log = log.get_logger("dispatch")

    @property
    def in_flight(self) -> int:
        """How many deliveries are being carried out."""
        return len(self._running)

    def wake(self) -> None:
        """Look at the outbox now; called from the loop's own thread after a COMMIT that queued something."""
        self._hint.set()

    async def run(self, stop: asyncio.Event) -> None:
        """
        Dispatch until told to stop.

        Args:
            stop: When set, nothing new is claimed; calls under way get twenty seconds. What is cut off stays
                ``sending`` and becomes "unknown" when its lease ends.
        """
        while not stop.is_set():
            self._hint.clear()
            try:
                await self._look()
            except Exception as error:  # loop: the outbox is looked at again in a second
                self.attempts.counters.errors += 1
                # That a store is away has been said by whoever lost it.
                if not isinstance(error, Unavailable):
                    self._log.warning("looking at the outbox failed", error=type(error).__name__)
            await self._pause(stop)
        await self._finish()

    async def _look(self) -> None:
        """Start what is due and has a place."""
        free = PLACES - len(self._running)
        if free <= 0:
            return
        for wanted in await self._store.due(self._now(), min(free, LOOK_LIMIT), self._busy()):
            if self._may_start(wanted):
                self._start(wanted)

    def _busy(self) -> list[UUID]:
        now_s = clock.monotonic_s()
        self._resting_until_s = {one: until_s for one, until_s in self._resting_until_s.items() if until_s > now_s}
        full = [one for one, count in self._places.items() if count >= PLACES_PER_ACCOUNT]
        return [*full, *self._resting_until_s, *self.attempts.breaker.waiting()]

    def _may_start(self, wanted: Due) -> bool:
        account = wanted.channel_account_id
        return (
            wanted.id not in self._running
            and (account, wanted.thread_key) not in self._threads
            and self._places[account] < PLACES_PER_ACCOUNT
            and self.attempts.breaker.may_call(account, wanted.channel)
        )

    def _start(self, wanted: Due) -> None:
        self._places[wanted.channel_account_id] += 1
        self._threads.add((wanted.channel_account_id, wanted.thread_key))
        self.attempts.breaker.began(wanted.channel_account_id, wanted.channel)
        self._running[wanted.id] = asyncio.create_task(self._carry_out(wanted))

    async def _carry_out(self, wanted: Due) -> None:
        account = wanted.channel_account_id
        try:
            if await self.attempts.deliver(wanted):
                # The next one of the thread, or of an account that was full, may be due now.
                self._hint.set()
        except Exception as error:  # loop: one delivery's trouble stays its account's
            self.attempts.counters.errors += 1
            self._resting_until_s[account] = clock.monotonic_s() + REST_S
            self._log.warning(
                "delivery not carried out",
                workspace_id=wanted.workspace_id,
                delivery_id=str(wanted.id),
                channel=wanted.channel,
                error=type(error).__name__,
            )
        finally:
            del self._running[wanted.id]
            self.attempts.breaker.ended(account, wanted.channel)
            self._threads.discard((account, wanted.thread_key))
            self._places[account] -= 1
            if not self._places[account]:
                del self._places[account]

    async def _pause(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(self._hint.wait()), asyncio.ensure_future(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=POLL_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _finish(self) -> None:
        tasks = list(self._running.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=STOP_GRACE_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
