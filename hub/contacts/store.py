"""Reads and writes of contacts and their identities, one function a query."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from hub.contacts.model import Contact, ContactIdentity, LifecycleStage
from hub.db import load_queries
from hub.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def list_contacts(
    conn: TenantConn,
    workspace_id: int,
    *,
    search: str | None = None,
    before: UUID | None = None,
    limit: int = 50,
) -> list[Contact]:
    """
    Return a page of contacts, newest first.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        search: Part of a name or address, any case.
        before: Id of the last contact of the page before.
        limit: 1-200.
    """
    pattern = f"%{_escape_like(search)}%" if search else None
    rows = await conn.fetch(QUERIES["list_contacts"], workspace_id, pattern, before, limit)
    return await _with_identities(conn, workspace_id, rows)


async def contacts_by_id(conn: TenantConn, workspace_id: int, contact_ids: Iterable[UUID]) -> list[Contact]:
    """Return the named contacts, those that exist."""
    rows = await conn.fetch(QUERIES["contacts_by_id"], workspace_id, list(set(contact_ids)))
    return await _with_identities(conn, workspace_id, rows)


async def get_contact(conn: TenantConn, workspace_id: int, contact_id: UUID) -> Contact:
    """Return one contact; ``NotFound`` where there is none in this workspace."""
    found = await contacts_by_id(conn, workspace_id, [contact_id])
    if not found:
        raise NotFound("contact")
    return found[0]


async def write_contact(conn: TenantConn, workspace_id: int, contact: Contact) -> None:
    """Write name, stage and version of a contact."""
    await conn.execute(
        QUERIES["write_contact"], workspace_id, contact.id, contact.name, contact.lifecycle_stage, contact.version
    )


async def note_named(conn: TenantConn, workspace_id: int, contact_id: UUID) -> None:
    """Note that a member named a contact: no vendor does any more."""
    await conn.execute(QUERIES["note_named"], workspace_id, contact_id)


async def add_identity(
    conn: TenantConn, workspace_id: int, contact_id: UUID, identity: ContactIdentity, added_at: datetime
) -> bool:
    """Give a contact one more identity; False where somebody in the workspace has it already."""
    row = await conn.fetchrow(
        QUERIES["add_identity"],
        workspace_id,
        identity.scheme,
        identity.scope,
        identity.value,
        contact_id,
        identity.verified,
        added_at,
    )
    return row is not None


async def find_identity(conn: TenantConn, workspace_id: int, scheme: str, scope: str, value: str) -> UUID | None:
    """Return whose an identity is, if anybody's."""
    row = await conn.fetchrow(QUERIES["find_identity"], workspace_id, scheme, scope, value)
    return row["contact_id"] if row else None


async def set_pictures(conn: TenantConn, workspace_id: int, contact_id: UUID, by: tuple[UUID, datetime] | None) -> None:
    """Keep who said, and when, that pictures of a contact's mails are shown; None asks again."""
    if by is None:
        await conn.execute(QUERIES["hide_pictures"], workspace_id, contact_id)
    else:
        await conn.execute(QUERIES["show_pictures"], workspace_id, contact_id, *by)


async def shows_pictures(conn: TenantConn, workspace_id: int, contact_id: UUID) -> bool:
    """Say whether pictures of a contact's mails are shown without being asked."""
    return bool(await conn.fetchval(QUERIES["shows_pictures"], workspace_id, contact_id))


async def _with_identities(conn: TenantConn, workspace_id: int, rows: Sequence[Record]) -> list[Contact]:
    if not rows:
        return []
    identities: dict[UUID, list[ContactIdentity]] = defaultdict(list)
    for row in await conn.fetch(QUERIES["identities_of"], workspace_id, [one["id"] for one in rows]):
        one = ContactIdentity(row["scheme"], row["value"], row["scope"], row["verified"])
        identities[row["contact_id"]].append(one)
    return [
        Contact(
            id=row["id"],
            name=row["name"],
            lifecycle_stage=LifecycleStage(row["lifecycle_stage"]),
            identities=tuple(identities[row["id"]]),
            created_at=row["created_at"],
            version=row["version"],
            avatar=row["avatar"],
        )
        for row in rows
    ]


def _escape_like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
