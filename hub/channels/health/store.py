"""One function per query of how accounts do. Decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.channels.health.model import Facts, Trouble
from hub.db import load_queries
from hub.errors import NotFound

if TYPE_CHECKING:
    from uuid import UUID

    from hub.channels.health.model import AccountNote
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def facts(conn: TenantConn, workspace_id: int, account_id: UUID) -> Facts:
    """Return what is known of an account; ``NotFound`` where there is none."""
    row = await conn.fetchrow(QUERIES["facts"], workspace_id, account_id)
    if row is None:
        raise NotFound("channel account")
    return msgspec.convert(dict(row), Facts)


async def troubles(conn: TenantConn, workspace_id: int, account_id: UUID) -> tuple[Trouble, ...]:
    """Return what went wrong, newest first, twenty at most."""
    rows = await conn.fetch(QUERIES["troubles"], workspace_id, account_id)
    return tuple(msgspec.convert(dict(row), Trouble) for row in rows)


async def touch(conn: TenantConn, note: AccountNote) -> None:
    """Note when something last came in and went out."""
    await conn.execute(QUERIES["touch"], note.workspace_id, note.account_id, note.item_at, note.sent_at)


async def keep_trouble(conn: TenantConn, note: AccountNote, one: Trouble) -> None:
    """Count a trouble."""
    place = note.workspace_id, note.account_id
    counted = one.doing, one.code, one.message, one.times, one.first_at, one.last_at
    await conn.execute(QUERIES["keep_trouble"], *place, *counted)


async def trim_troubles(conn: TenantConn, note: AccountNote) -> None:
    """Keep the twenty newest."""
    await conn.execute(QUERIES["trim_troubles"], note.workspace_id, note.account_id)
