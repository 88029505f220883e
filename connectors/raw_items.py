"""
Raw items kept in Postgres: those too large for a stream, and those whose attachments are still to be cut out of them.

Large ones are kept before their stream entry exists (``connectors/ingress.py``, ``connectors/polling.py``) and read by
``connectors/entries.py``; what nobody needs any more is forgotten by ``connectors/batches.py`` and by a job.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import msgspec

from hub import clock
from hub.db import load_queries
from hub.envelope import clean_text
from hub.jobs import DUE_LIMIT, Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from asyncpg import Record

    from hub.db import TenantConn
    from hub.envelope import StreamItem

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

# What travels on the stream itself; Redis holds every entry in memory until it is stored.
INLINE_LIMIT_BYTES = 64 * 1024
SWEEP_EVERY_S = 600.0
# The largest item taken at all: what the large mail providers take.
ITEM_LIMIT_BYTES = 25 * 1024 * 1024


class Transactions(Protocol):
    """What is needed of ``hub.db.Database``."""

    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...


class Asking(Transactions, Protocol):
    """The same, and looking across workspaces."""

    async def ask(self, sql: str, *arguments: object) -> list[Record]: ...


async def keep_large(database: Transactions, item: StreamItem) -> StreamItem:
    """
    Take a large body off an item, so that it can be put on its stream.

    Args:
        database: Keeps the body, in a transaction of its own.
        item: Any; one of ``INLINE_LIMIT_BYTES`` or less comes back as it is.

    Returns:
        The item as it goes on the stream. Its body is committed when this returns.

    Raises:
        Unavailable: The database is away; nothing was kept, or (when COMMIT's answer was lost) a row that a job sweeps.
    """
    if len(item.body) <= INLINE_LIMIT_BYTES:
        return item
    raw_item_id = clock.new_id()
    async with database.transaction([item.workspace_id]) as conn:
        await keep(conn, item, raw_item_id)
    return msgspec.structs.replace(item, body=b"", reference=str(raw_item_id))


def reference_of(item: StreamItem) -> UUID | None:
    """
    Return the id of the row that holds an item's body, None where the item carries it.

    Raises:
        ValueError: The reference is not an id: the entry is none of ours.
    """
    return UUID(item.reference) if item.reference else None


async def keep(conn: TenantConn, item: StreamItem, raw_item_id: UUID) -> None:
    """Keep an item's body under an id of the caller's."""
    await conn.execute(
        QUERIES["insert_raw_item"],
        item.workspace_id,
        raw_item_id,
        UUID(item.channel_account_id),
        clean_text(item.key),
        item.body,
        clock.now(),
    )


async def read(conn: TenantConn, workspace_id: int, raw_item_id: UUID) -> bytes | None:
    """Return the bytes of a raw item; None when they have gone."""
    row = await conn.fetchrow(QUERIES["get_raw_item"], workspace_id, raw_item_id)
    return None if row is None else row["body"]


async def forget(conn: TenantConn, raw_items: Sequence[tuple[int, UUID]]) -> None:
    """Delete raw items (workspace, id), except those a file comes from; those that have gone are no error."""
    await conn.execute(
        QUERIES["delete_raw_items"], [workspace_id for workspace_id, _ in raw_items], [one for _, one in raw_items]
    )


def sweep_job(database: Asking, keep_days: int) -> Job:
    """
    Make the job that deletes raw items whose time is over, whatever they were kept for.

    Args:
        database: Holds them.
        keep_days: How long they are kept, so that a mended parser can read them again.
    """

    async def sweep() -> int:
        rows = await database.ask(QUERIES["old_raw_items"], clock.now() - timedelta(days=keep_days), DUE_LIMIT)
        if rows:
            workspace_ids = [row["workspace_id"] for row in rows]
            async with database.transaction(sorted(set(workspace_ids))) as conn:
                await conn.execute(QUERIES["sweep_raw_items"], workspace_ids, [row["id"] for row in rows])
        return len(rows)

    return Job("sweep_raw_items", SWEEP_EVERY_S, sweep)
