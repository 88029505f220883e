"""One function per query of the operator's room. Decides nothing; called by its actions and by the edge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec

from hub.accounts.model import AccessChanged
from hub.db import load_queries
from hub.errors import NotFound
from hub.installation.model import EnteredRow, UsageDay, WorkspaceRow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.db import TenantConn
    from hub.installation.model import Counted

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


class Owner(msgspec.Struct, frozen=True):
    """An owner who is told of something."""

    id: UUID
    login_id: UUID
    email: str
    name: str


async def list_workspaces(conn: TenantConn, part: str | None, before: int | None, limit: int) -> list[WorkspaceRow]:
    """Return a page of the installation's workspaces, newest first; ``part`` is a pattern of LIKE."""
    rows = await conn.fetch(QUERIES["list_workspaces"], part, before, limit)
    return [msgspec.convert(dict(row), WorkspaceRow) for row in rows]


async def get_workspace(conn: TenantConn, workspace_id: int) -> WorkspaceRow:
    """Return one workspace of the installation; ``NotFound`` where there is none by that id."""
    row = await conn.fetchrow(QUERIES["get_workspace"], workspace_id)
    if row is None:
        raise NotFound("workspace")
    return msgspec.convert(dict(row), WorkspaceRow)


async def suspend(conn: TenantConn, workspace_id: int, at: datetime, why: str) -> bool:
    """Close a workspace to its members; False where it was."""
    return await conn.execute(QUERIES["suspend"], workspace_id, at, why) == "UPDATE 1"


async def resume(conn: TenantConn, workspace_id: int) -> bool:
    """Open a suspended workspace; False where it was not suspended."""
    return await conn.execute(QUERIES["resume"], workspace_id) == "UPDATE 1"


async def lets_operators_in(conn: TenantConn, workspace_id: int) -> bool:
    """Say whether a workspace's owners let an operator enter."""
    return bool(await conn.fetchval(QUERIES["lets_operators_in"], workspace_id))


async def let_operators_in(conn: TenantConn, workspace_id: int, *, on: bool) -> bool:
    """Let operators enter from now on, or not; returns whether that changed."""
    return await conn.execute(QUERIES["let_operators_in"], workspace_id, on) == "UPDATE 1"


async def flags(conn: TenantConn, workspace_ids: Sequence[int]) -> dict[tuple[int, str], bool]:
    """Return what was set, by workspace (0: the installation) and name."""
    rows = await conn.fetch(QUERIES["flags"], list(workspace_ids))
    return {(row["workspace_id"], row["name"]): row["is_on"] for row in rows}


async def put_flag(conn: TenantConn, workspace_id: int, name: str, *, is_on: bool) -> None:
    """Set a flag."""
    await conn.execute(QUERIES["put_flag"], workspace_id, name, is_on)


async def drop_flag(conn: TenantConn, workspace_id: int, name: str) -> None:
    """Take a flag's setting back."""
    await conn.execute(QUERIES["drop_flag"], workspace_id, name)


async def usage_days(conn: TenantConn, workspace_id: int) -> tuple[UsageDay, ...]:
    """Return what a workspace used in each of the last thirty days, oldest first."""
    rows = await conn.fetch(QUERIES["usage_days"], workspace_id)
    return tuple(msgspec.convert(dict(row), UsageDay) for row in rows)


async def note(conn: TenantConn, process: str, counted: Sequence[Counted]) -> None:
    """Write what one process counted; the transaction named these workspaces."""
    ids = [one.workspace_id for one in counted]
    await conn.execute(QUERIES["note_sockets"], ids, process, [one.sockets for one in counted])
    await conn.execute(QUERIES["note_usage"], ids, [one.day for one in counted], [one.api_calls for one in counted])
    await conn.execute(QUERIES["forget_processes"], ids)


async def add_entered(conn: TenantConn, workspace_id: int, row: EnteredRow) -> None:
    """Make a session an operator's in this workspace."""
    await conn.execute(
        QUERIES["add_entered"],
        workspace_id,
        row.session_id,
        row.operator_id,
        row.member_id,
        row.reason,
        row.began_at,
        row.expires_at,
    )


async def list_entered(conn: TenantConn, workspace_id: int, limit: int = 50) -> list[EnteredRow]:
    """Return the newest stays of operators in a workspace."""
    rows = await conn.fetch(QUERIES["list_entered"], workspace_id, limit)
    return [msgspec.convert(dict(row), EnteredRow) for row in rows]


async def end_entered(conn: TenantConn, workspace_id: int, session_id: UUID, at: datetime) -> bool:
    """End an operator's stay and its session; False where it had ended, or never was."""
    ended = await conn.execute(QUERIES["end_entered"], workspace_id, session_id, at) == "UPDATE 1"
    await conn.fetchval(QUERIES["revoke_entered"], workspace_id, session_id)
    login_id = await conn.fetchval(QUERIES["login_of_stay"], workspace_id, session_id)
    if login_id is not None:
        conn.notices.append(AccessChanged("login", cast("UUID", login_id)))
    return ended


async def owners(conn: TenantConn, workspace_id: int) -> list[Owner]:
    """Return a workspace's active owners, the oldest first."""
    return [msgspec.convert(dict(row), Owner) for row in await conn.fetch(QUERIES["owners"], workspace_id)]


async def login_of_member(conn: TenantConn, workspace_id: int, member_id: UUID) -> UUID:
    """Return an active member's login; ``NotFound`` where there is none by that id."""
    found = await conn.fetchval(QUERIES["login_of_member"], workspace_id, member_id)
    if found is None:
        raise NotFound("member")
    return cast("UUID", found)
