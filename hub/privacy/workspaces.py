"""Ends workspaces that were deleted 30 days ago: every row, every blob, every entry of a stream. Run by a job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import asyncpg
import msgspec

from hub import clock
from hub.accounts.people import DELETION_GRACE
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, SYSTEM
from hub.envelope import StreamItem
from hub.events import store as events
from hub.privacy.store import QUERIES
from hub.streams.model import partition_of

if TYPE_CHECKING:
    from hub.blobs import Blobs
    from hub.db import Database
    from hub.privacy.erasing import Streams

CHUNK_ROWS: Final = 1_000
_TABLE: Final = re.compile(r"[a-z_]+")
_item = msgspec.msgpack.Decoder(StreamItem)


async def end_workspaces(database: Database, streams: Streams, blobs: Blobs, limit: int) -> int:
    """
    End workspaces whose owner can no longer take them back; returns how many.

    Raises:
        Unavailable: A store does not answer; the next run goes on.
    """
    rows = await database.ask(QUERIES["lapsed_workspaces"], clock.now() - DELETION_GRACE, limit)
    for row in rows:
        await end_workspace(database, streams, blobs, row["id"])
    return len(rows)


async def end_workspace(database: Database, streams: Streams, blobs: Blobs, workspace_id: int) -> None:
    """
    Remove everything of a workspace; its own row goes last, so that a run that is broken off is done again.

    Raises:
        Unavailable: A store does not answer.
        asyncpg.InsufficientPrivilegeError: It was not deleted, or not for 30 days.
    """

    def is_its(payload: bytes) -> bool:
        try:
            return _item.decode(payload).workspace_id == workspace_id
        except msgspec.MsgspecError:
            return False

    # The logs first: their function looks whether the workspace has ended, so nothing else goes before that is sure.
    await _end_logs(database, workspace_id)
    await streams.remove(partition_of(workspace_id), is_its)
    await _delete_rows(database, workspace_id)
    for key in await blobs.keys(workspace_id):
        await blobs.delete(key)
    async with database.transaction([workspace_id]) as conn:
        await events.lock(conn, [workspace_id])
        await conn.execute(QUERIES["end_logs"], workspace_id, CHUNK_ROWS)
        await conn.execute("DELETE FROM blob_trash WHERE workspace_id = $1", workspace_id)
        await conn.execute(QUERIES["delete_workspace"], workspace_id)
        # Deleted attachments of the last chunk name their blobs there once more.
        await conn.execute("DELETE FROM blob_trash WHERE workspace_id = $1", workspace_id)
        await audit.record(conn, audit.made_by(SYSTEM, INSTALLATION, "workspace.erased", ("workspace", workspace_id)))


async def _end_logs(database: Database, workspace_id: int) -> None:
    while True:
        async with database.transaction([workspace_id]) as conn:
            if not await conn.fetchval(QUERIES["end_logs"], workspace_id, CHUNK_ROWS):
                return


async def _delete_rows(database: Database, workspace_id: int) -> None:
    """Empty every table that knows workspaces, in as many rounds as their references to each other need."""
    async with database.transaction([workspace_id]) as conn:
        tables = [row["name"] for row in await conn.fetch(QUERIES["tenant_tables"])]
    waiting = [name for name in tables if _TABLE.fullmatch(name)]
    while waiting:
        left = [name for name in waiting if not await _delete_table(database, workspace_id, name)]
        if len(left) == len(waiting):
            # What the application may not delete refers to these: they go with the workspace's own row.
            return
        waiting = left


async def _delete_table(database: Database, workspace_id: int, table: str) -> bool:
    """Empty one table of a workspace; False where other rows still refer to it."""
    delete = (
        f"DELETE FROM {table} WHERE workspace_id = $1 AND ctid IN"  # noqa: S608  # nosec B608  # a name of the catalog, checked
        f" (SELECT ctid FROM {table} WHERE workspace_id = $1 LIMIT {CHUNK_ROWS})"  # nosec B608
    )
    while True:
        try:
            async with database.transaction([workspace_id]) as conn:
                tag = await conn.execute(delete, workspace_id)
        except asyncpg.ForeignKeyViolationError:
            return False
        if tag == "DELETE 0":
            return True
