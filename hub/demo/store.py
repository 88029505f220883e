"""Reads and writes of the demo's removal: one function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub.db import load_queries
from hub.demo.model import Leaving
from hub.inbox.model import ConversationStatus

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def demo_workspaces(database: Database) -> list[int]:
    """Return the workspaces in which a demo is."""
    return [row["workspace_id"] for row in await database.ask(QUERIES["workspaces"])]


async def demo_accounts(conn: TenantConn, workspace_id: int) -> list[UUID]:
    """Return the ids of the demo's channel accounts, oldest first."""
    return [row["id"] for row in await conn.fetch(QUERIES["list_accounts"], workspace_id)]


async def some_conversations(
    conn: TenantConn, workspace_id: int, account_ids: Sequence[UUID], limit: int
) -> list[Leaving]:
    """Return up to ``limit`` conversations of channel accounts."""
    rows = await conn.fetch(QUERIES["some_conversations"], workspace_id, account_ids, limit)
    return [
        Leaving(row["id"], row["inbox_id"], ConversationStatus(row["status"]), tuple(row["contact_ids"]))
        for row in rows
    ]


async def delete_conversations(conn: TenantConn, workspace_id: int, conversation_ids: Sequence[UUID]) -> None:
    await conn.execute(QUERIES["delete_conversations"], workspace_id, conversation_ids)


async def delete_contacts(conn: TenantConn, workspace_id: int, contact_ids: Sequence[UUID]) -> list[UUID]:
    """Remove those of the contacts that take part in nothing any more, and return them."""
    return sorted(row["id"] for row in await conn.fetch(QUERIES["delete_contacts"], workspace_id, contact_ids))


async def delete_accounts(conn: TenantConn, workspace_id: int, account_ids: Sequence[UUID]) -> None:
    """Remove channel accounts and what came in by them and never became a message."""
    await conn.execute(QUERIES["delete_letters"], workspace_id, account_ids)
    await conn.execute(QUERIES["delete_raw_items"], workspace_id, account_ids)
    await conn.execute(QUERIES["delete_pending_references"], workspace_id, account_ids)
    await conn.execute(QUERIES["delete_uploads"], workspace_id)
    await conn.execute(QUERIES["delete_accounts"], workspace_id, account_ids)


async def demo_span(conn: TenantConn, workspace_id: int) -> tuple[int, int]:
    """Return the seq before the first event that may be the demo's, and the newest seq."""
    row = await conn.fetchrow(QUERIES["first_demo_event"], workspace_id)
    return (row["before"], row["newest"]) if row else (0, 0)


async def erase_events(conn: TenantConn, workspace_id: int, after: int, until: int) -> int:
    """Empty the demo's events between two seqs; returns how many."""
    row = await conn.fetchrow(QUERIES["erase_events"], workspace_id, after, until)
    return int(row["amount"]) if row else 0
