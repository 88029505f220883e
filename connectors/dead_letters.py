"""
Raw items that could not be stored, kept with the vendor's bytes: listed, replayed after a fix, or dropped.

They count as neither lost nor delivered. Stored by ``connectors/intake.py``; read by operators.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

import msgspec

from connectors.raw_items import reference_of
from hub import clock
from hub.db import load_queries
from hub.envelope import StreamItem, clean_text
from hub.errors import Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
ERROR_LIMIT_CHARS = 500

State = Literal["new", "replayed", "dropped"]


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """
    One kept item, without its bytes.

    Attributes:
        key: The dedupe key ``split`` gave it.
        error: Why it could not be stored, in words for an operator.
        received_at: When the vendor's call came in.
    """

    workspace_id: int
    id: UUID
    channel_account_id: UUID
    channel: str
    key: str
    size_bytes: int
    error: str
    received_at: datetime
    created_at: datetime
    state: State


class Place(msgspec.Struct, frozen=True):
    """The stream entry an item came from: with the workspace, what makes a dead letter one and the same."""

    stream: str
    entry_id: str


class Transactions(Protocol):
    """What is needed of ``hub.db.Database``."""

    def transaction(self, workspace_ids: list[int]) -> AbstractAsyncContextManager[TenantConn]: ...


async def store(conn: TenantConn, item: StreamItem, place: Place, error: str) -> None:
    """
    Keep an item that cannot be stored.

    Args:
        conn: A transaction of the item's workspace.
        item: As it stood in the stream; the bytes of one that travelled by reference are copied.
        place: Where it stood; storing the same entry again changes nothing.
        error: Why, any length; cut to 500 characters.
    """
    await conn.execute(
        QUERIES["insert_dead_letter"],
        item.workspace_id,
        clock.new_id(),
        UUID(item.channel_account_id),
        item.channel,
        clean_text(item.key),
        item.body,
        clean_text(error)[:ERROR_LIMIT_CHARS],
        place.stream,
        place.entry_id,
        datetime.fromtimestamp(item.received_at_ms / 1000, UTC),
        clock.now(),
        reference_of(item),
    )


async def list_dead_letters(
    conn: TenantConn, workspace_id: int, state: State = "new", before: UUID | None = None, limit: int = 50
) -> list[DeadLetter]:
    """Return a workspace's dead letters, newest first, older than ``before``."""
    rows = await conn.fetch(QUERIES["list_dead_letters"], workspace_id, state, before, limit)
    return [msgspec.convert(dict(row), DeadLetter) for row in rows]


async def replay(
    database: Transactions,
    append: Callable[[StreamItem], Awaitable[None]],
    workspace_id: int,
    dead_letter_id: UUID,
) -> None:
    """
    Put an item back on its stream and mark it as replayed.

    It is on the stream before it is marked: a crash between the two replays it twice, which its dedupe key absorbs. An
    item that fails again becomes a new dead letter.

    Raises:
        NotFound: The workspace has no such dead letter.
        Conflict: It was replayed or dropped before.
        Unavailable: The stream or the database is away; nothing is lost, try again.
    """
    async with database.transaction([workspace_id]) as conn:
        row = await conn.fetchrow(QUERIES["get_dead_letter"], workspace_id, dead_letter_id)
    if row is None:
        raise NotFound("dead letter")
    if row["state"] != "new":
        raise Conflict(f"This dead letter was {row['state']} before.")
    await append(
        StreamItem(
            workspace_id=workspace_id,
            channel_account_id=str(row["channel_account_id"]),
            channel=row["channel"],
            key=row["key"],
            body=row["body"],
            received_at_ms=round(row["received_at"].timestamp() * 1000),
        )
    )
    async with database.transaction([workspace_id]) as conn:
        await conn.fetchrow(QUERIES["set_dead_letter_state"], workspace_id, dead_letter_id, "replayed")


async def drop(conn: TenantConn, workspace_id: int, dead_letter_id: UUID) -> None:
    """
    Mark an item as not wanted; its bytes stay for the record.

    Raises:
        NotFound: The workspace has no such dead letter, or it was replayed or dropped before.
    """
    if await conn.fetchrow(QUERIES["set_dead_letter_state"], workspace_id, dead_letter_id, "dropped") is None:
        raise NotFound("dead letter")
