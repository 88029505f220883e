"""
The webhook routes of one process: every channel account, kept in memory.

Webhooks and live chat are routed and verified from here while Postgres is down. Secrets stay sealed until one is asked
for, and are never part of a ``repr`` or a log line.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.channels import store
from hub.channels.model import OpenAccount, Route, SealedRoute
from hub.errors import HubError, NotFound, Unavailable
from hub.events.model import LoggedEvent
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from hub.channels.sealing import Sealer, WrappedKey
    from hub.db import Database, Notice

REFRESH_EVERY_S = 50.0
USABLE_FOR_S = 3600.0
# Unknown ids come from anybody: however many ask, the database is asked at most this often.
MISS_EVERY_S = 1.0
RETRY_EVERY_S = 2.0
CHANGE_EVERY_S = 0.2
# How the types of events begin after which there are other accounts.
_TELLING = ("channel_account_", "demo_removed")

_log = get_logger("hub.channels.routes")


class ChannelRoutes:
    """Every channel account that is not removed; ``run`` keeps it fresh."""

    def __init__(
        self, database: Database, sealer: Sealer, *, monotonic_s: Callable[[], float] = clock.monotonic_s
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._monotonic_s = monotonic_s
        self._routes: dict[UUID, SealedRoute] = {}
        self._keys: dict[int, dict[int, WrappedKey]] = {}
        self._opened: dict[UUID, OpenAccount] = {}
        # By channel and the vendor's own id: several where workspaces share an account there.
        self._by_reference: dict[tuple[str, str], list[UUID]] = {}
        self._refreshed_at: float | None = None
        self._asked_at: float | None = None
        self._has_failed = False
        self._lock = asyncio.Lock()
        self._next_look: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    def __repr__(self) -> str:
        return f"ChannelRoutes({len(self._routes)} accounts)"

    async def run(self) -> None:
        """Refresh every ``REFRESH_EVERY_S`` and whenever ``notice`` saw a change, until cancelled."""
        wait_s = REFRESH_EVERY_S if self._refreshed_at is not None else 0.0
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self._leave_a_pause()
            wait_s = REFRESH_EVERY_S if await self._try_refresh() else RETRY_EVERY_S

    def notice(self, notices: Iterable[Notice]) -> None:
        """Take note of committed events, from this process or another: a changed account is read again at once."""
        if any(isinstance(one, LoggedEvent) and one.type.startswith(_TELLING) for one in notices):
            self._wanted.set()

    async def refresh(self) -> None:
        """
        Read every route again.

        Raises:
            Unavailable: Postgres does not answer; what is known stays usable.
        """
        async with self._lock:
            # Set before the first wait: of many who miss at once, one asks.
            self._asked_at = self._monotonic_s()
            async with self._database.across() as conn:
                routes = await store.load_routes(conn)
                keys = await store.load_keys(conn)
            self._replace(routes, keys)
            self._refreshed_at = self._monotonic_s()
            self._has_failed = False

    async def find(self, account_id: UUID) -> Route:
        """
        Find a channel account.

        Args:
            account_id: As it stands in a webhook's or a widget's address; may be anything.

        Returns:
            Its route, paused accounts and those that need a sign-in included: the caller looks at ``status``.

        Raises:
            NotFound: No account by that id.
            Unavailable: Postgres does not answer, and nothing has been read for an hour (or ever), or the id is none we
                know: it may have been connected just before, and its vendor must not be told that it is not ours.
        """
        known = self._routes.get(account_id)
        if known is None or not self.is_usable():
            await self._look_again()
            known = self._routes.get(account_id)
        if known is None:
            if self._has_failed:
                raise Unavailable("The channel accounts cannot be read right now.", retry_after_s=RETRY_EVERY_S)
            raise NotFound("channel account")
        return known.route

    def peek(self, account_id: UUID) -> Route | None:
        """Return the route of an account from memory; None where only ``find`` can tell."""
        known = self._routes.get(account_id)
        return known.route if known is not None and self.is_usable() else None

    def named(self, channel: str, external_ref: str) -> list[Route]:
        """Return the accounts of a channel that are one account at the vendor, from memory; of every workspace."""
        found = self._by_reference.get((channel, external_ref), ()) if external_ref else ()
        return [self._routes[one].route for one in found]

    def known(self) -> list[Route]:
        """Return every account known, of every workspace; nothing before the first refresh."""
        return [one.route for one in self._routes.values()]

    def open(self, route: Route) -> OpenAccount:
        """
        Open an account's credentials, once until they change.

        Raises:
            NotFound: The account was removed.
            ConfigurationError: The installation's key does not open them.
        """
        opened = self._opened.get(route.id)
        if opened is None:
            sealed = self._routes.get(route.id)
            if sealed is None or sealed.credentials_sealed is None:
                raise NotFound("channel account")
            place = store.credentials_place(sealed.route.workspace_id, sealed.route.id)
            keys = self._keys.get(sealed.route.workspace_id, {})
            opened = OpenAccount(store.unseal(self._sealer, keys, place, sealed.credentials_sealed))
            self._opened[route.id] = opened
        return opened

    def learn(self, account_id: UUID, credentials: Mapping[str, str], token_expires_at: datetime | None) -> None:
        """Use at once credentials this process has just renewed, or found renewed; the next refresh reads them too."""
        known = self._routes.get(account_id)
        if known is None:
            return
        route = msgspec.structs.replace(known.route, token_expires_at=token_expires_at)
        self._routes[account_id] = msgspec.structs.replace(known, route=route)
        self._opened[account_id] = OpenAccount(dict(credentials))

    def is_usable(self) -> bool:
        """Whether what is known is young enough to route by."""
        return self._refreshed_at is not None and self._monotonic_s() - self._refreshed_at <= USABLE_FOR_S

    async def _look_again(self) -> None:
        """
        Refresh after a miss. Only a question that begins after the miss can answer it: one under way, or just answered,
        may have missed what was connected a moment ago. Whoever comes before the next one begins waits for that one.
        """
        if self._next_look is None:
            self._next_look = asyncio.create_task(self._look_when_due(), name="routes-look")
        # A caller that hangs up must not take the answer from the others.
        await asyncio.shield(self._next_look)
        if not self.is_usable():
            raise Unavailable("The channel accounts cannot be read right now.", retry_after_s=RETRY_EVERY_S)

    async def _look_when_due(self) -> None:
        if self._asked_at is not None:
            await asyncio.sleep(max(0.0, self._asked_at + MISS_EVERY_S - self._monotonic_s()))
        self._next_look = None
        await self._try_refresh()

    async def _leave_a_pause(self) -> None:
        """Let a burst of changes become a few refreshes instead of one each."""
        if self._asked_at is not None:
            await asyncio.sleep(max(0.0, self._asked_at + CHANGE_EVERY_S - self._monotonic_s()))

    async def _try_refresh(self) -> bool:
        try:
            await self.refresh()
        except HubError as error:
            _log.debug("channel_routes_not_refreshed", code=error.code)
            self._has_failed = True
            return False
        return True

    def _replace(self, routes: Sequence[SealedRoute], keys: Sequence[WrappedKey]) -> None:
        fresh = {one.route.id: one for one in routes}
        by_workspace: dict[int, dict[int, WrappedKey]] = {}
        for key in keys:
            by_workspace.setdefault(key.workspace_id, {})[key.id] = key
        # An opened secret outlives a refresh only while its sealed bytes are the same.
        self._opened = {
            account_id: opened
            for account_id, opened in self._opened.items()
            if account_id in fresh
            and fresh[account_id].credentials_sealed == self._routes[account_id].credentials_sealed
        }
        by_reference: dict[tuple[str, str], list[UUID]] = {}
        for one in routes:
            if one.route.external_ref:
                by_reference.setdefault((one.route.channel, one.route.external_ref), []).append(one.route.id)
        self._routes, self._keys, self._by_reference = fresh, by_workspace, by_reference
