"""
Renews what an account has at its vendor (watches, subscriptions): at connect, and then whenever the connector said.

A job of ``hub work``; any number of processes may run it, for each renewal is claimed. What comes back is merged into
the account under the workspace's lock.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from connectors import upkeep
from hub import clock
from hub.channels.actions import mark_needs_sign_in, mark_paused, merge_kept
from hub.channels.model import AccountStatus
from hub.errors import ErrorClass, HubError, NotFound
from hub.jobs import DUE_LIMIT, Job
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from connectors.base import Connector, Maintained
    from connectors.polled_account import Connectors, OpenAccount, PollingDatabase
    from hub.channels.model import Route
    from hub.channels.sealing import Sealer
    from hub.errors import ConnectorErrorInfo

LOOK_EVERY_S: Final = 2.0
AT_ONCE: Final = 8
CALL_TIMEOUT_S: Final = 60.0
# Longer than the call and everything after it: then whoever had it is dead, and it is due again.
CLAIMED_FOR: Final = timedelta(seconds=180)
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
# However near the moment is that a connector names: a mistake there must not become a call a second.
SHORTEST_REST: Final = timedelta(seconds=30)

_log = get_logger("connectors.maintaining")


class Known(Protocol):
    """What is needed of ``hub.channels.routes.ChannelRoutes`` here."""

    def known(self) -> Sequence[Route]: ...


class Maintaining:
    """
    The renewals of one process.

    Args:
        database: Holds when they are due.
        routes: Knows the accounts.
        registry: Knows the channels.
        open_account: Opens an account for the length of a call.
        sealer: Seals credentials that came anew.
        now: The wall clock.
    """

    def __init__(
        self,
        database: PollingDatabase,
        routes: Known,
        registry: Connectors,
        open_account: OpenAccount,
        sealer: Sealer,
        *,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._database = database
        self._routes = routes
        self._registry = registry
        self._open_account = open_account
        self._sealer = sealer
        self._now = now
        self._listed: set[UUID] = set()

    def job(self) -> Job:
        """Return the job that does what is due."""
        return Job("maintain", LOOK_EVERY_S, self.run_due)

    async def run_due(self) -> int:
        """Renew what is due; returns how many accounts were looked after."""
        await self._list_new()
        async with self._database.across() as conn:
            due = await upkeep.due_upkeep(conn, self._now(), DUE_LIMIT)
        places = asyncio.Semaphore(AT_ONCE)

        async def renew(account: tuple[int, UUID]) -> bool:
            async with places:
                return await self._renew(account)

        return sum(await asyncio.gather(*(renew(one) for one in due)))

    async def _list_new(self) -> None:
        """Put accounts on the list that this process has not seen yet."""
        wanted = [one for one in self._routes.known() if one.id not in self._listed and self._is_maintained(one)]
        for route in wanted:
            async with self._database.transaction([route.workspace_id]) as conn:
                await upkeep.want_maintenance(conn, route.workspace_id, route.id)
            self._listed.add(route.id)

    def _is_maintained(self, route: Route) -> bool:
        if route.status is not AccountStatus.CONNECTED:
            return False
        try:
            return self._registry.get(route.channel).maintain is not None
        except HubError:
            return False

    async def _renew(self, account: tuple[int, UUID]) -> bool:
        now = self._now()
        async with self._database.transaction([account[0]]) as conn:
            failures = await upkeep.claim_maintenance(conn, account, now, now + CLAIMED_FOR)
        if failures is None:
            return False
        try:
            opened, connector = await self._open_account(account[1])
        except NotFound:
            return False  # removed since, or not known here yet: another process, or the claim's end, sees to it
        if connector.maintain is None:
            return False
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                maintained = await connector.maintain(opened, now)
        except Exception as error:  # loop: one account's trouble is its own; classified, kept and waited out
            await self._note_failure(account, connector, connector.classify(error), failures)
        else:
            await self._keep(account, maintained, failures)
        return True

    async def _keep(self, account: tuple[int, UUID], maintained: Maintained, failures: int) -> None:
        due_at = max(maintained.next_at, self._now() + SHORTEST_REST)
        async with self._database.transaction([account[0]]) as conn:
            if maintained.settings or maintained.credentials:
                await merge_kept(conn, self._sealer, account, maintained.settings, maintained.credentials)
            await upkeep.save_maintenance(conn, account, due_at)
        if failures:
            _log.warning("channel_maintained_again", workspace_id=account[0], channel_account_id=str(account[1]))

    async def _note_failure(
        self, account: tuple[int, UUID], connector: Connector, info: ConnectorErrorInfo, failures: int
    ) -> None:
        """Say why, once in the log; come again after a growing pause, or when a member has mended the account."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures, 10))
        pause = max(pause, timedelta(seconds=info.retry_after_s or 0.0))
        stops = info.klass in (ErrorClass.AUTH, ErrorClass.ACCOUNT)
        async with self._database.transaction([account[0]]) as conn:
            if stops:
                mark = mark_paused if info.klass is ErrorClass.ACCOUNT else mark_needs_sign_in
                await mark(conn, *account, info.message)
            # One that is stopped is not listed as due: when it is in use again, it is looked after at once.
            await upkeep.save_maintenance(conn, account, self._now() + (timedelta() if stops else pause), info.message)
        if not failures:
            _log.warning(
                "channel_not_maintained",
                workspace_id=account[0],
                channel_account_id=str(account[1]),
                channel=connector.manifest.id,
                reason=info.code,
            )
