"""One function per query of exports, erasures, retention and consents that others than their job ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

import msgspec

from hub.db import load_queries
from hub.errors import NotFound
from hub.privacy.model import Consent, Erasure, ErasureWork, Export, Extent, RetentionPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from asyncpg import Record

    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
_Row = TypeVar("_Row", bound=msgspec.Struct)


class Family(msgspec.Struct, frozen=True):
    """A contact with those merged into them, every address of theirs, and since when the oldest is here."""

    contact_ids: tuple[UUID, ...]
    addresses: tuple[str, ...]
    since: datetime


async def family(conn: TenantConn, workspace_id: int, contact_id: UUID) -> Family:
    """Return who a contact is; ``NotFound`` where there is none in this workspace."""
    rows = await conn.fetch(QUERIES["family"], workspace_id, contact_id)
    if not rows:
        raise NotFound("contact")
    ids = tuple(row["id"] for row in rows)
    found = await conn.fetch(QUERIES["addresses"], workspace_id, list(ids))
    return Family(ids, tuple(sorted(row["value"] for row in found)), min(row["created_at"] for row in rows))


async def extent(conn: TenantConn, workspace_id: int, contact_ids: Sequence[UUID]) -> Extent:
    """Return how much an erasure of some contacts would take."""
    return _one(Extent, await conn.fetchrow(QUERIES["extent"], workspace_id, list(contact_ids)), "contact")


async def old_extent(
    conn: TenantConn, workspace_id: int, policy: RetentionPolicy, older_than: datetime
) -> tuple[Extent, datetime | None]:
    """Return how much a policy does not keep, and when the oldest of it began."""
    row = await conn.fetchrow(
        QUERIES["old_extent"], workspace_id, policy.inbox_id, policy.channel_account_id, older_than, policy.closed_only
    )
    if row is None:
        return Extent(0, 0, 0), None
    return Extent(row["conversations"], row["messages"], row["files"]), row["since"]


async def add_erasure(conn: TenantConn, work: ErasureWork, at: datetime) -> None:
    """Queue an erasure."""
    await conn.execute(
        QUERIES["add_erasure"],
        *(work.workspace_id, work.id, work.kind, list(work.contact_ids), work.policy_id, work.older_than),
        *(list(work.addresses), work.since, work.requested_by, at),
    )


async def unfinished_erasure(conn: TenantConn, workspace_id: int, contact_ids: Sequence[UUID]) -> UUID | None:
    """Return the erasure of a person that is not done yet."""
    row = await conn.fetchrow(QUERIES["unfinished_erasure"], workspace_id, list(contact_ids))
    return row["id"] if row else None


async def get_erasure(conn: TenantConn, workspace_id: int, erasure_id: UUID) -> Erasure:
    """Return one erasure; ``NotFound`` where there is none."""
    return _one(Erasure, await conn.fetchrow(QUERIES["get_erasure"], workspace_id, erasure_id), "erasure")


async def list_erasures(conn: TenantConn, workspace_id: int, before: UUID | None, limit: int) -> list[Erasure]:
    """Return a page of erasures, newest first."""
    return [_made(Erasure, row) for row in await conn.fetch(QUERIES["list_erasures"], workspace_id, before, limit)]


async def claim_erasure(
    conn: TenantConn, workspace_id: int, erasure_id: UUID, now: datetime, until: datetime
) -> ErasureWork | None:
    """Take an erasure under a lease; None where somebody else has it or it is done."""
    row = await conn.fetchrow(QUERIES["claim_erasure"], workspace_id, erasure_id, now, until)
    return _made(ErasureWork, row) if row else None


async def get_export(conn: TenantConn, workspace_id: int, export_id: UUID) -> Export:
    """Return one export; ``NotFound`` where there is none."""
    return _one(Export, await conn.fetchrow(QUERIES["get_export"], workspace_id, export_id), "export")


async def list_exports(
    conn: TenantConn, workspace_id: int, contact_id: UUID, before: UUID | None, limit: int
) -> list[Export]:
    """Return a page of a person's exports, newest first."""
    rows = await conn.fetch(QUERIES["list_exports"], workspace_id, contact_id, before, limit)
    return [_made(Export, row) for row in rows]


async def get_policy(conn: TenantConn, workspace_id: int, policy_id: UUID) -> RetentionPolicy:
    """Return one policy; ``NotFound`` where there is none."""
    return _one(
        RetentionPolicy, await conn.fetchrow(QUERIES["get_policy"], workspace_id, policy_id), "retention policy"
    )


async def list_policies(conn: TenantConn, workspace_id: int, before: UUID | None, limit: int) -> list[RetentionPolicy]:
    """Return a page of policies, newest first."""
    rows = await conn.fetch(QUERIES["list_policies"], workspace_id, before, limit)
    return [_made(RetentionPolicy, row) for row in rows]


async def list_consents(
    conn: TenantConn, workspace_id: int, contact_id: UUID, before: UUID | None, limit: int
) -> list[Consent]:
    """Return a page of a person's consents, newest first."""
    rows = await conn.fetch(QUERIES["list_consents"], workspace_id, contact_id, before, limit)
    return [_made(Consent, row) for row in rows]


async def due_erasures(database: Database, moment: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of erasures nobody works on, across workspaces."""
    return _places(await database.ask(QUERIES["due_erasures"], moment, limit))


async def due_exports(database: Database, moment: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of exports nobody works on, across workspaces."""
    return _places(await database.ask(QUERIES["due_exports"], moment, limit))


async def due_policies(database: Database, moment: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of policies that are to be looked at, across workspaces."""
    return _places(await database.ask(QUERIES["due_policies"], moment, limit))


async def old_exports(conn: TenantConn, moment: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of exports that were kept for long enough, across workspaces."""
    return _places(await conn.fetch(QUERIES["old_exports"], moment, limit))


async def delete_exports(conn: TenantConn, workspace_id: int, export_ids: Sequence[UUID]) -> None:
    """Forget exports, and with their rows the keys that open them."""
    await conn.execute(QUERIES["delete_exports"], workspace_id, list(export_ids))


def _places(rows: Sequence[Record]) -> list[tuple[int, UUID]]:
    return [(row["workspace_id"], row["id"]) for row in rows]


def _one(kind: type[_Row], row: Record | None, noun: str) -> _Row:
    if row is None:
        raise NotFound(noun)
    return _made(kind, row)


def _made(kind: type[_Row], row: Record) -> _Row:
    return msgspec.convert({name: row[name] for name in kind.__struct_fields__}, kind)
