"""One function per query of the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

from hub.audit.model import Chain, Filters, Head, LoggedEntry, Unsealed
from hub.db import load_queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from hub.audit.model import Entry
    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
# An entry's id is made a moment before its time is read.
_ID_MARGIN: Final = timedelta(seconds=1)
_NO_FILTERS: Final = Filters()


async def add_entry(conn: TenantConn, entry_id: UUID, at: datetime, entry: Entry) -> None:
    """Write an entry."""
    await conn.execute(
        QUERIES["add_entry"],
        entry.workspace_id,
        entry_id,
        at,
        entry.action,
        entry.actor_kind.value,
        entry.actor_id,
        entry.target_kind,
        entry.target_id,
        entry.address,
        entry.details.decode(),
    )


async def chains(database: Database) -> list[Chain]:
    """Return every chain of the installation."""
    return [
        Chain(row["workspace_id"], row["position_"], row["signed"]) for row in await database.ask(QUERIES["chains"])
    ]


async def unsealed_chains(database: Database, limit: int) -> list[int]:
    """Return workspaces with entries that wait for their place, at most ``limit``."""
    return [row["workspace_id"] for row in await database.ask(QUERIES["unsealed_chains"], limit)]


async def try_lock_chain(conn: TenantConn, workspace_id: int) -> bool:
    """Become the only one that lengthens a chain until the transaction ends, or return False at once."""
    return bool(await conn.fetchval(QUERIES["try_lock_chain"], workspace_id))


async def chain_end(conn: TenantConn, workspace_id: int) -> tuple[int, bytes] | None:
    """Return the newest place of a chain and its hash."""
    row = await conn.fetchrow(QUERIES["chain_end"], workspace_id)
    return (row["position"], row["hash"]) if row else None


async def tail(conn: TenantConn, workspace_id: int) -> Head | None:
    """Return the end of a chain as it was noted beside it, without a signature."""
    row = await conn.fetchrow(QUERIES["tail"], workspace_id)
    return _head(row) if row else None


async def unsealed(conn: TenantConn, workspace_id: int, limit: int) -> list[LoggedEntry]:
    """Return entries that wait for their place, oldest first."""
    return [_entry(row) for row in await conn.fetch(QUERIES["unsealed"], workspace_id, limit)]


async def seal(conn: TenantConn, workspace_id: int, first: int, ids: Sequence[UUID], hashes: Sequence[bytes]) -> int:
    """Give entries their places from ``first`` on; returns how many got one."""
    return cast("int", await conn.fetchval(QUERIES["seal"], workspace_id, first, list(ids), list(hashes)))


async def links(conn: TenantConn, workspace_id: int, first: int, limit: int) -> list[LoggedEntry]:
    """Return sealed entries from a place on, in the order of the chain."""
    return [_entry(row) for row in await conn.fetch(QUERIES["links"], workspace_id, first, limit)]


async def count_unsealed(conn: TenantConn, workspace_id: int) -> Unsealed:
    """Return how many entries wait for their place."""
    row = cast("Record", await conn.fetchrow(QUERIES["count_unsealed"], workspace_id))
    return Unsealed(row["entries"], row["since"])


async def add_head(conn: TenantConn, head: Head) -> None:
    """Keep a signed head."""
    await conn.execute(
        QUERIES["add_head"],
        head.workspace_id,
        head.position,
        head.hash,
        head.signed_at,
        head.public_key,
        head.signature,
    )


async def heads(conn: TenantConn, workspace_id: int, first: int, limit: int) -> list[Head]:
    """Return signed heads of a chain from a place on, in order."""
    rows = await conn.fetch(QUERIES["heads"], workspace_id, first, limit)
    return [_head(row) for row in rows]


async def page(
    conn: TenantConn, workspace_id: int, filters: Filters = _NO_FILTERS, before: UUID | None = None, limit: int = 50
) -> list[LoggedEntry]:
    """Return entries that fit, newest first, older than ``before``."""
    rows = await conn.fetch(
        QUERIES["page"],
        workspace_id,
        before,
        filters.actor_id,
        filters.action,
        filters.target_kind,
        filters.target_id,
        filters.address,
        filters.since,
        filters.until,
        _id_at(filters.since, -_ID_MARGIN),
        _id_at(filters.until, _ID_MARGIN),
        limit,
    )
    return [_entry(row) for row in rows]


async def member_names(conn: TenantConn, workspace_id: int, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return names of members, by their own ids and by their logins'."""
    rows = await conn.fetch(QUERIES["member_names"], workspace_id, list(ids))
    wanted = set(ids)
    return {row[key]: row["name"] for row in rows for key in ("id", "login_id") if row[key] in wanted}


def _head(row: Record) -> Head:
    return Head(**{name: row[name] for name in Head.__struct_fields__})


def _entry(row: Record) -> LoggedEntry:
    return LoggedEntry(**{name: row[name] for name in LoggedEntry.__struct_fields__})


def _id_at(at: datetime | None, margin: timedelta) -> UUID | None:
    """The lowest id of a moment: ids begin with their milliseconds since 1970 (RFC 9562 section 5.7)."""
    if at is None:
        return None
    ms = round((at - datetime.fromtimestamp(0, UTC) + margin).total_seconds() * 1000)
    return UUID(int=max(0, min(ms, 2**48 - 1)) << 80)
