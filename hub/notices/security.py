"""Tells people in the app what happened to their own account, in each of their workspaces. A mail goes beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.accounts import store as accounts
from hub.errors import Unavailable
from hub.log import get_logger
from hub.notices import actions
from hub.notices.model import Kind, Telling

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import Database, TenantConn
    from hub.notices.model import News

_log = get_logger("hub.notices")


async def tell_login(database: Database, login_id: UUID, news: News) -> None:
    """
    Tell a person of their account, after the change was committed: it is of no workspace, notices are.

    Args:
        database: The installation's. Where it goes away in this moment the notice is lost; the mail is not.
        login_id: Whose account.
        news: What happened.
    """
    try:
        async with database.across() as conn:
            joined = await accounts.memberships(conn, login_id)
        for one in joined:
            async with database.transaction([one.workspace_id]) as conn:
                await tell_member(conn, one.workspace_id, one.member_id, news)
    except Unavailable:
        _log.warning("security_notice_lost", news=news.value, login_id=str(login_id))


async def tell_member(
    conn: TenantConn, workspace_id: int, member_id: UUID, news: News, *, and_those_in_charge: bool = False
) -> None:
    """Tell a member, though they did it, in a transaction of the workspace; what is unread is counted together."""
    telling = Telling(
        kind=Kind.SECURITY,
        subject=news.value,
        at=clock.now(),
        member_ids=frozenset({member_id}),
        to_those_in_charge=and_those_in_charge,
        detail=news.value,
    )
    await actions.tell(conn, workspace_id, [telling])
