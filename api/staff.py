"""Who could take a call now: asked while a caller waits for an answer, so it is quick or it says nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import asyncpg

from connectors.base import LiveCall, Staff
from hub import clock
from hub.accounts import policy
from hub.accounts import store as accounts
from hub.accounts.model import Permission
from hub.errors import HubError
from hub.inbox import store as inbox
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from hub.channels.model import Route
    from hub.db import Database, TenantConn
    from hub.realtime.presence import Presence

# A vendor gives up on us after fifteen seconds, and a caller long before.
ALLOWANCE_S: Final = 2.0
# Nobody talks longer; a call whose end nobody told us of keeps nobody from the next one for ever.
_LIVE_FOR: Final = timedelta(hours=4)

_log = get_logger("api.staff")


def staff_of(
    database: Database, presence: Presence | None, allowance_s: float = ALLOWANCE_S
) -> Callable[[Route], Awaitable[Staff]]:
    """
    Make what says who could take a call of a channel account.

    Args:
        database: Knows calls and rights.
        presence: Knows who has the hub open; None where nobody can tell.
        allowance_s: How long it may take.

    Returns:
        A function that never fails: what it cannot find out in time it leaves out, and everybody counts as free.
    """

    async def ask(route: Route) -> Staff:
        try:
            async with asyncio.timeout(allowance_s):
                return await _ask(database, presence, route)
        except (TimeoutError, HubError, asyncpg.PostgresError, OSError) as error:
            _log.warning("staff_not_known", workspace_id=route.workspace_id, error=type(error).__name__)
            return Staff()

    return ask


async def _ask(database: Database, presence: Presence | None, route: Route) -> Staff:
    online = None if presence is None else await presence.online(route.workspace_id)
    async with database.snapshot([route.workspace_id]) as conn:
        calls = await inbox.live_calls(conn, route.workspace_id, route.id, clock.now() - _LIVE_FOR)
        here = None if online is None else await _emails(conn, route, online)
    live = tuple(LiveCall(external_id=one[0], outcome=one[1], member=one[2]) for one in calls)
    return Staff(here=here, calls=live)


async def _emails(conn: TenantConn, route: Route, online: tuple[UUID, ...]) -> frozenset[str]:
    """Return the addresses of who is online and may answer in the account's inbox."""
    members = await accounts.find_logins(conn, route.workspace_id, online)
    actors = await accounts.load_actors(conn, [(route.workspace_id, login_id) for login_id, _ in members])
    return frozenset(
        email.lower()
        for login_id, email in members
        if (actor := actors.get((route.workspace_id, login_id))) is not None
        and policy.may(actor, Permission.INBOX_REPLY, route.inbox_id)
    )
