"""One function per query of limits and of what is counted against them. Decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from hub.db import load_queries
from hub.limit_settings import Limits
from hub.limits.model import OwnLimits

if TYPE_CHECKING:
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def get_limits(conn: TenantConn, workspace_id: int) -> OwnLimits:
    """Return a workspace's own limits."""
    row = await conn.fetchrow(QUERIES["get_limits"], workspace_id)
    if row is None:
        return OwnLimits(Limits(), 0)
    values = dict(row)
    version = values.pop("version")
    return OwnLimits(msgspec.convert(values, Limits), version)


async def put_limits(conn: TenantConn, workspace_id: int, limits: Limits, seen: int) -> int | None:
    """Replace a workspace's limits and return their version; None where somebody else changed them since ``seen``."""
    fields = (
        limits.members,
        limits.channel_accounts,
        limits.storage_bytes,
        limits.sockets,
        limits.messages_per_day,
        limits.workspace_calls_per_minute,
    )
    return cast("int | None", await conn.fetchval(QUERIES["put_limits"], workspace_id, *fields, seen))


async def count_members(conn: TenantConn, workspace_id: int) -> int:
    """Return how many active members a workspace has."""
    return cast("int", await conn.fetchval(QUERIES["count_members"], workspace_id))


async def count_invited(conn: TenantConn, workspace_id: int) -> int:
    """Return how many invitations are open."""
    return cast("int", await conn.fetchval(QUERIES["count_invited"], workspace_id))


async def count_channel_accounts(conn: TenantConn, workspace_id: int) -> int:
    """Return how many channel accounts a workspace has."""
    return cast("int", await conn.fetchval(QUERIES["count_channel_accounts"], workspace_id))


async def storage_bytes(conn: TenantConn, workspace_id: int) -> int:
    """Return the bytes of all its files."""
    return cast("int", await conn.fetchval(QUERIES["storage_bytes"], workspace_id))


async def sent_today(conn: TenantConn, workspace_id: int) -> int:
    """Return how many messages it sent today, by UTC."""
    return cast("int", await conn.fetchval(QUERIES["sent_today"], workspace_id))


async def sockets_now(conn: TenantConn, workspace_id: int) -> int:
    """Return how many sockets its members have open, as of a few seconds ago."""
    return cast("int", await conn.fetchval(QUERIES["sockets_now"], workspace_id))
