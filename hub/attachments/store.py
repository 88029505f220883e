"""Reads and writes of files' rows, one function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub.attachments.model import AttachmentRow
from hub.db import load_queries
from hub.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.attachments.model import State
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

_encode = msgspec.json.Encoder().encode
_row = msgspec.json.Decoder(AttachmentRow)


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What a pending file turned out to be."""

    state: State
    kind: str
    mime: str
    size_bytes: int = 0
    width: int | None = None
    height: int | None = None
    sha256: bytes | None = None
    blob_key: str | None = None
    thumbnail_key: str | None = None
    preview_key: str | None = None
    error: str | None = None


async def insert(conn: TenantConn, rows: Sequence[AttachmentRow]) -> None:
    """Add files; the messages they name must be there."""
    await conn.execute(QUERIES["insert"], _encode(rows).decode())


async def get(conn: TenantConn, workspace_id: int, attachment_id: UUID) -> AttachmentRow:
    """Return one file; ``NotFound`` where there is none in this workspace."""
    row = await conn.fetchrow(QUERIES["get"], workspace_id, attachment_id)
    if row is None:
        raise NotFound("attachment")
    return _row.decode(row["data"])


async def get_many(
    conn: TenantConn, workspace_id: int, attachment_ids: Sequence[UUID], author_id: UUID
) -> list[AttachmentRow]:
    """Return the files among these that an author uploaded, in the order asked for."""
    rows = await conn.fetch(QUERIES["get_many"], workspace_id, list(attachment_ids), author_id)
    found = {one.id: one for one in (_row.decode(row["data"]) for row in rows)}
    return [found[one] for one in attachment_ids if one in found]


async def of_message(conn: TenantConn, workspace_id: int, message_id: UUID) -> list[AttachmentRow]:
    """Return the files of a message, oldest first."""
    rows = await conn.fetch(QUERIES["of_message"], workspace_id, message_id)
    return [_row.decode(row["data"]) for row in rows]


async def count_unsent(conn: TenantConn, workspace_id: int, author_id: UUID) -> int:
    """Return how many uploads an author has that were not sent."""
    row = await conn.fetchrow(QUERIES["count_unsent"], workspace_id, author_id)
    return int(row["amount"]) if row else 0


async def add_part(conn: TenantConn, before: AttachmentRow, after: AttachmentRow) -> bool:
    """Store how far an upload is; False where another part came first."""
    row = await conn.fetchrow(
        QUERIES["add_part"], before.workspace_id, before.id, before.upload_offset, after.ref, after.upload_offset
    )
    return row is not None


async def claim(
    conn: TenantConn, workspace_id: int, attachment_id: UUID, now: datetime, lease_until: datetime
) -> AttachmentRow | None:
    """Take a pending file under a lease; None where somebody has it or it is settled."""
    row = await conn.fetchrow(QUERIES["claim"], workspace_id, attachment_id, now, lease_until)
    return _row.decode(row["data"]) if row else None


async def settle(conn: TenantConn, workspace_id: int, attachment_id: UUID, what: Settled) -> AttachmentRow | None:
    """Say what became of a pending file; None where it is gone or was settled before."""
    row = await conn.fetchrow(
        QUERIES["settle"],
        workspace_id,
        attachment_id,
        what.state,
        what.kind,
        what.mime,
        what.size_bytes,
        what.width,
        what.height,
        what.sha256,
        what.blob_key,
        what.thumbnail_key,
        what.preview_key,
        what.error,
    )
    return _row.decode(row["data"]) if row else None


async def put_off(conn: TenantConn, workspace_id: int, attachment_id: UUID, due_at: datetime) -> None:
    """Give a claimed file back until ``due_at``."""
    await conn.execute(QUERIES["put_off"], workspace_id, attachment_id, due_at)


async def reserve(conn: TenantConn, workspace_id: int, keys: Sequence[str], until: datetime) -> None:
    """Note blobs that are swept at ``until`` unless they are kept before."""
    await conn.execute(QUERIES["reserve"], workspace_id, list(keys), until)


async def keep(conn: TenantConn, workspace_id: int, keys: Sequence[str]) -> None:
    """Take blobs off the list of those to be swept."""
    await conn.execute(QUERIES["keep"], workspace_id, list(keys))


async def read_raw_item(conn: TenantConn, workspace_id: int, raw_item_id: UUID) -> bytes | None:
    """Return the bytes of a raw item, None where it is gone."""
    row = await conn.fetchrow(QUERIES["read_raw_item"], workspace_id, raw_item_id)
    return bytes(row["body"]) if row else None


async def due(conn: TenantConn, now: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, file) to fetch now, longest due first; needs a connection across workspaces."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["due"], now, limit)]


async def unsent(conn: TenantConn, made_before: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, file) of uploads nobody sent, oldest first; across workspaces."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["unsent"], made_before, limit)]


async def trashed(conn: TenantConn, now: datetime, limit: int) -> list[tuple[int, str]]:
    """Return (workspace, key) of blobs to remove; across workspaces."""
    return [(row["workspace_id"], row["blob_key"]) for row in await conn.fetch(QUERIES["trashed"], now, limit)]
