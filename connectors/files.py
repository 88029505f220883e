"""What the worker's loops need of files: their bytes and addresses for sending, and the sweeps of what nobody needs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final
from uuid import UUID

from hub import clock
from hub.attachments import actions, store
from hub.attachments.links import VENDOR_S, FileLink, FileLinks
from hub.attachments.store import QUERIES
from hub.errors import NotFound, Unavailable
from hub.jobs import DUE_LIMIT, Job
from hub.log import get_logger

if TYPE_CHECKING:
    from hub.blobs import Blobs
    from hub.jobs import Transactions

UNSENT_FOR: Final = timedelta(hours=24)
SWEEP_EVERY_S: Final = 30.0

_log = get_logger("connectors.files")


def make_reader(database: Transactions, blobs: Blobs, workspace_id: int) -> Callable[[str], AsyncIterator[bytes]]:
    """Make what gives a connector the bytes of a workspace's files by their id; ``NotFound`` where there are none."""
    return partial(_read, database, blobs, workspace_id)


def make_address(links: FileLinks, base_url: str) -> Callable[[int, str], str]:
    """Make what gives a vendor the address of a file (workspace, id) for some hours."""

    def address(workspace_id: int, attachment_id: str) -> str:
        link = FileLink(workspace_id=workspace_id, attachment_id=UUID(attachment_id))
        token, _ = links.sign(link, clock.now().timestamp(), VENDOR_S)
        return f"{base_url}/files/{token}"

    return address


def file_jobs(database: Transactions, blobs: Blobs) -> list[Job]:
    """Make the jobs that forget uploads nobody sent within a day, and remove blobs nothing names."""
    return [
        Job("unsent_files", SWEEP_EVERY_S, partial(sweep_unsent, database)),
        Job("trashed_blobs", SWEEP_EVERY_S, partial(sweep_trash, database, blobs)),
    ]


async def sweep_unsent(database: Transactions) -> int:
    """Forget uploads older than a day; returns how many."""
    async with database.across() as conn:
        rows = await store.unsent(conn, clock.now() - UNSENT_FOR, DUE_LIMIT)
    forgotten = 0
    for workspace_id, attachment_id in rows:
        try:
            async with database.transaction([workspace_id]) as conn:
                await actions.remove_unsent(conn, workspace_id, attachment_id, author_id=None)
        except NotFound:
            # Sent or removed this very moment.
            continue
        forgotten += 1
    return forgotten


async def sweep_trash(database: Transactions, blobs: Blobs) -> int:
    """Remove blobs whose rows have gone, or never came; returns how many."""
    async with database.across() as conn:
        rows = await store.trashed(conn, clock.now(), DUE_LIMIT)
    removed = 0
    for workspace_id, key in rows:
        try:
            await blobs.delete(key)
        except Unavailable:
            _log.warning("blob_not_removed", workspace_id=workspace_id)
            break
        async with database.transaction([workspace_id]) as conn:
            await conn.execute(QUERIES["keep"], workspace_id, [key])
        removed += 1
    return removed


async def _read(database: Transactions, blobs: Blobs, workspace_id: int, attachment_id: str) -> AsyncIterator[bytes]:
    async with database.transaction([workspace_id]) as conn:
        row = await store.get(conn, workspace_id, UUID(attachment_id))
    if row.state != "ready" or row.blob_key is None:
        raise NotFound("file")
    async for chunk in blobs.read(row.blob_key):
        yield chunk
