"""Every change of a file's row: uploaded in parts, checked, sent, forgotten. Actions never commit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from hub import clock
from hub.attachments import store
from hub.attachments.kinds import UNKNOWN, clean_mime, declared_kind
from hub.attachments.model import COUNT_LIMIT, AttachmentRow, Part, clean_filename
from hub.attachments.store import QUERIES, Settled
from hub.errors import Conflict, InvalidInput, NotFound, TooLarge, TooManyRequests
from hub.limits import actions as limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.attachments.model import Attachment
    from hub.db import TenantConn

# What one author may have lying about; a day later it is swept.
UNSENT_LIMIT: Final = 100
# Longer than an upload may take and an unsent file lives; what was stored and never named is swept afterwards.
RESERVED: Final = timedelta(hours=26)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """
    What somebody wants to upload.

    Attributes:
        author_id: A member, or a visitor's subject.
        channel_account_id: The live chat of a visitor, None for members.
        size_bytes: Of the whole file, 1 or more; None where it is not known before.
        announced_bytes: Of a file that comes in one call, as its header says; 0 where it says nothing.
    """

    author_id: UUID
    filename: str
    mime: str = ""
    size_bytes: int | None = None
    channel_account_id: UUID | None = None
    announced_bytes: int = 0


async def begin_upload(conn: TenantConn, workspace_id: int, wanted: Upload, limit_bytes: int) -> AttachmentRow:
    """
    Make the row of a file that is about to come.

    Raises:
        InvalidInput: It would be empty.
        TooLarge: It is larger than is taken.
        TooManyRequests: Its author has too many uploads that were not sent.
        LimitReached: The workspace has no room for a member's file.
    """
    if wanted.size_bytes is not None and wanted.size_bytes < 1:
        raise InvalidInput("size_bytes", "An empty file cannot be sent.")
    if (wanted.size_bytes or 0) > limit_bytes:
        raise TooLarge(limit_bytes)
    if await store.count_unsent(conn, workspace_id, wanted.author_id) >= UNSENT_LIMIT:
        raise TooManyRequests(60.0, "You have too many files that were not sent. Send or remove some.")
    if wanted.channel_account_id is None:
        # What customers send is never refused for a limit.
        await limits.require_storage_room(conn, workspace_id, wanted.size_bytes or wanted.announced_bytes or 1)
    mime = clean_mime(wanted.mime)
    row = AttachmentRow(
        workspace_id=workspace_id,
        id=clock.new_id(),
        channel_account_id=wanted.channel_account_id,
        author_id=wanted.author_id,
        kind=declared_kind(mime),
        filename=clean_filename(wanted.filename, mime),
        mime=mime or UNKNOWN,
        size_bytes=wanted.size_bytes or 0,
        created_at=clock.now(),
    )
    await store.insert(conn, [row])
    return row


async def reserve(conn: TenantConn, workspace_id: int, keys: Sequence[str]) -> None:
    """Note blobs before they are stored: should this process die, the sweep removes them."""
    await store.reserve(conn, workspace_id, keys, clock.now() + RESERVED)


async def add_part(conn: TenantConn, row: AttachmentRow, part: Part) -> AttachmentRow:
    """
    Add a stored part to an upload; its blob stays on the list of those to be swept until the upload is settled.

    Raises:
        Conflict: Another part came first; the caller asks where to go on.
    """
    parts = (*row.parts(), part)
    after = msgspec.structs.replace(
        row, ref=msgspec.json.encode(parts).decode(), upload_offset=row.upload_offset + part.size_bytes
    )
    if not await store.add_part(conn, row, after):
        raise Conflict("Another part of this file came first.")
    return after


async def settle(conn: TenantConn, row: AttachmentRow, what: Settled) -> AttachmentRow | None:
    """
    Say what became of a pending file: its blobs are kept, the parts it was made of are swept.

    Returns:
        The row afterwards; None where it was removed or settled meanwhile, and its new blobs are swept.
    """
    kept = [key for key in (what.blob_key, what.thumbnail_key, what.preview_key) if key is not None]
    settled = await store.settle(conn, row.workspace_id, row.id, what)
    if settled is None:
        return None
    if kept:
        await store.keep(conn, row.workspace_id, kept)
    if left := [part.key for part in row.parts() if part.key not in kept]:
        await store.reserve(conn, row.workspace_id, left, clock.now())
    return settled


async def put_off(conn: TenantConn, row: AttachmentRow, due_at: datetime) -> None:
    """Try a file that could not be fetched again later."""
    await store.put_off(conn, row.workspace_id, row.id, due_at)


async def read_uploads(
    conn: TenantConn, workspace_id: int, attachment_ids: Sequence[UUID], author_id: UUID
) -> tuple[Attachment, ...]:
    """
    Return what somebody wants to send.

    Raises:
        InvalidInput: ``attachments``: too many, one twice, one that is not theirs, or one that is not ready.
    """
    if len(attachment_ids) > COUNT_LIMIT:
        raise InvalidInput("attachments", f"A message takes at most {COUNT_LIMIT} files.")
    rows = await store.get_many(conn, workspace_id, attachment_ids, author_id)
    if len(rows) != len(attachment_ids) or len(set(attachment_ids)) != len(attachment_ids):
        raise InvalidInput("attachments", "One of these files is not there any more. Add it again.")
    for row in rows:
        if row.state != "ready":
            why = row.error or "it has not been uploaded whole."
            raise InvalidInput("attachments", f"{row.filename} cannot be sent: {why}")
    return tuple(row.view() for row in rows)


async def send_uploads(
    conn: TenantConn,
    attachment_ids: Sequence[UUID],
    author_id: UUID,
    *,
    message: tuple[int, UUID],
    place: tuple[UUID, UUID],
) -> None:
    """
    Make uploads the files of a message that was just written.

    Args:
        conn: A transaction that holds the workspace's lock.
        attachment_ids: As ``read_uploads`` returned them.
        author_id: Who uploaded them.
        message: Workspace and message.
        place: Conversation and channel account.

    Raises:
        InvalidInput: ``attachments``: one was sent with another message.
    """
    workspace_id, message_id = message
    rows = await conn.fetch(QUERIES["send"], workspace_id, list(attachment_ids), author_id, message_id, *place)
    if len(rows) != len(attachment_ids):
        raise InvalidInput("attachments", "One of these files was sent already. Add it again.")


async def remove_unsent(conn: TenantConn, workspace_id: int, attachment_id: UUID, *, author_id: UUID | None) -> None:
    """
    Forget a file that was not sent; its bytes are swept.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        attachment_id: Which.
        author_id: Who asks; None for the sweep of what everybody forgot.

    Raises:
        NotFound: There is none, it is somebody else's, or it was sent.
    """
    row = await conn.fetchrow(QUERIES["delete_unsent"], workspace_id, attachment_id, author_id)
    if row is None:
        raise NotFound("attachment")
    if row["author_id"] is not None and row["ref"]:
        keys = [part.key for part in msgspec.json.decode(row["ref"], type=tuple[Part, ...])]
        await store.reserve(conn, workspace_id, keys, clock.now())
