"""
Uploads of members and visitors: begun, taken in parts, checked when they are whole. Knows no routes.

A part goes straight into the object store; what a process holds of it is bounded, however slow or large it is.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from starlette.requests import ClientDisconnect

from api.call import required
from hub import clock
from hub.attachments import actions, store
from hub.attachments.model import CHUNK_BYTES, Attachment
from hub.attachments.store import Settled
from hub.errors import Conflict, HubError, InvalidInput, NotFound, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from api.call import Resources
    from hub.attachments.actions import Upload
    from hub.attachments.keeping import Keeper
    from hub.attachments.model import AttachmentRow
    from hub.db import Database

# Smaller parts would only make a long list of them; the last one may be any size.
PART_LEAST_BYTES: Final = 64 * 1024
# A body that trickles in holds a connection: half a minute of silence, or less than this on the whole, ends it.
SILENCE_S: Final = 30.0
SLOWEST_BYTES_PER_S: Final = 16 * 1024
PATIENCE_S: Final = 60.0
# Each holds two parts of 5 MiB at most: 32 of them 320 MiB.
UPLOADS_AT_ONCE: Final = 32
CHECK_LEASE: Final = timedelta(minutes=5)


class UploadState(msgspec.Struct, frozen=True):
    """Where an upload goes on: ``offset`` bytes are stored, a part has at most ``chunk_bytes``."""

    offset: int
    chunk_bytes: int = CHUNK_BYTES


class UploadView(msgspec.Struct, frozen=True):
    attachment: Attachment
    upload: UploadState


class OffsetConflict(Conflict):
    """The part does not begin where the upload ends."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"This upload goes on at byte {offset}.")
        self.offset = offset


class Uploads:
    """Takes files; one per process."""

    def __init__(self, database: Database, keeper: Keeper, limit_bytes: int) -> None:
        self._database = database
        self._keeper = keeper
        self._limit_bytes = limit_bytes
        self._running = 0

    @classmethod
    def of(cls, resources: Resources) -> Uploads:
        """Return the uploads of a process; ``Unavailable`` where it has no file store."""
        return required(resources.uploads, "file store")

    async def begin(self, workspace_id: int, wanted: Upload, limit_bytes: int = 0) -> AttachmentRow:
        """Make the row of a file; raises as ``actions.begin_upload``."""
        async with self._database.transaction([workspace_id]) as conn:
            return await actions.begin_upload(conn, workspace_id, wanted, self._limit(limit_bytes))

    async def take_whole(
        self, workspace_id: int, wanted: Upload, request: Request, limit_bytes: int = 0
    ) -> AttachmentRow:
        """
        Take a small file in one call.

        Raises:
            TooLarge: More than one part, or than is taken here.
            InvalidInput: It is empty, or did not arrive in time.
        """
        limit_bytes = min(CHUNK_BYTES, self._limit(limit_bytes))
        _refuse_long(request, limit_bytes)
        length = request.headers.get("content-length", "")
        announced = int(length[:18]) if length.isascii() and length.isdigit() else 0
        row = await self.begin(workspace_id, msgspec.structs.replace(wanted, announced_bytes=announced), limit_bytes)
        try:
            row = _not_empty(await self._take_part(row, request, limit_bytes))
        except BaseException:
            await self._forget(row)
            raise
        return await self.finish(row)

    async def append(self, row: AttachmentRow, offset: int, request: Request) -> AttachmentRow:
        """
        Take the next part of a file; the last one has it checked.

        Args:
            row: Not sent; it may be settled, then nothing is taken.
            offset: Where the caller thinks it goes on.
            request: The part's bytes.

        Raises:
            OffsetConflict: It goes on elsewhere.
            TooLarge: The part, or the file with it, is larger than announced.
            InvalidInput: The part is too small, or did not arrive in time.
        """
        if row.state != "pending" or offset != row.upload_offset:
            raise OffsetConflict(row.upload_offset)
        rest = row.size_bytes - row.upload_offset
        limit_bytes = min(CHUNK_BYTES, rest)
        if rest:
            _refuse_long(request, limit_bytes)
            row = await self._take_part(row, request, limit_bytes)
        return row if row.upload_offset < row.size_bytes else await self.finish(row)

    async def finish(self, row: AttachmentRow) -> AttachmentRow:
        """Check a file that is whole; returns it settled, or as it is where somebody else checks it now."""
        now = clock.now()
        async with self._database.transaction([row.workspace_id]) as conn:
            claimed = await store.claim(conn, row.workspace_id, row.id, now, now + CHECK_LEASE)
            if claimed is None:
                return await store.get(conn, row.workspace_id, row.id)
        try:
            settled = await self._keeper.check(claimed, claimed.parts())
        except NotFound:
            lost = "A part of the file has been lost. Upload it again."
            settled = Settled(state="failed", kind=row.kind, mime=row.mime, size_bytes=row.size_bytes, error=lost)
        async with self._database.transaction([row.workspace_id]) as conn:
            after = await actions.settle(conn, claimed, settled)
        if after is None:
            raise NotFound("attachment")
        return after

    async def find(self, workspace_id: int, attachment_id: UUID, author_id: UUID) -> AttachmentRow:
        """Return an author's upload that was not sent; ``NotFound`` for any other."""
        async with self._database.transaction([workspace_id]) as conn:
            row = await store.get(conn, workspace_id, attachment_id)
        if row.author_id != author_id or row.message_id is not None:
            raise NotFound("attachment")
        return row

    async def remove(self, workspace_id: int, attachment_id: UUID, author_id: UUID) -> None:
        """Forget an author's upload that was not sent."""
        async with self._database.transaction([workspace_id]) as conn:
            await actions.remove_unsent(conn, workspace_id, attachment_id, author_id=author_id)

    def _limit(self, limit_bytes: int) -> int:
        return min(limit_bytes, self._limit_bytes) if limit_bytes else self._limit_bytes

    async def _take_part(self, row: AttachmentRow, request: Request, limit_bytes: int) -> AttachmentRow:
        if self._running >= UPLOADS_AT_ONCE:
            raise Unavailable("Too many files are being uploaded. Try again in a moment.", retry_after_s=2.0)
        self._running += 1
        try:
            part = await self._keeper.store(row.workspace_id, _paced(request, limit_bytes), limit_bytes)
        finally:
            self._running -= 1
        if part.size_bytes == 0:
            return row
        is_last = row.size_bytes in (0, row.upload_offset + part.size_bytes)
        if part.size_bytes < PART_LEAST_BYTES and not is_last:
            raise InvalidInput("body", f"A part has at least {PART_LEAST_BYTES:,} bytes, except the last.")
        try:
            async with self._database.transaction([row.workspace_id]) as conn:
                return await actions.add_part(conn, row, part)
        except Conflict:
            fresh = await self.find(row.workspace_id, row.id, row.author_id or row.id)
            raise OffsetConflict(fresh.upload_offset) from None

    async def _forget(self, row: AttachmentRow) -> None:
        """Best effort: what stays is swept a day later."""
        try:
            async with self._database.transaction([row.workspace_id]) as conn:
                await actions.remove_unsent(conn, row.workspace_id, row.id, author_id=row.author_id)
        except HubError:
            return


def upload_view(row: AttachmentRow) -> UploadView:
    """Return an upload as its author sees it."""
    return UploadView(row.view(), UploadState(row.upload_offset))


def read_offset(request: Request) -> int:
    """Read the ``Upload-Offset`` header; ``InvalidInput`` where it is missing or no number."""
    text = request.headers.get("upload-offset", "")
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise InvalidInput("Upload-Offset", "Send the header Upload-Offset: the byte this part begins at.")
    return int(text)


def _not_empty(row: AttachmentRow) -> AttachmentRow:
    if row.upload_offset == 0:
        raise InvalidInput("body", "An empty file cannot be sent.")
    return row


def _refuse_long(request: Request, limit_bytes: int) -> None:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit_bytes:
        raise TooLarge(limit_bytes)


async def _paced(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    """Pass a body on while it comes fast enough."""
    ends_at_s = clock.monotonic_s() + PATIENCE_S + limit_bytes / SLOWEST_BYTES_PER_S
    chunks = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(min(SILENCE_S, ends_at_s - clock.monotonic_s())):
                chunk = await anext(chunks)
        except TimeoutError:
            raise InvalidInput("body", "The body did not arrive in time.") from None
        except ClientDisconnect:
            raise InvalidInput("body", "The connection broke off.") from None
        except StopAsyncIteration:
            return
        yield chunk
