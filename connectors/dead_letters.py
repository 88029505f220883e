"""
Raw items that could not be stored, kept with the vendor's bytes: listed, replayed after a fix, or dropped.

They count as neither lost nor delivered. Stored by ``connectors/batches.py``; read by ``api/dead_letters.py`` and by
operators (``connectors/dead_letter_commands.py``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

import msgspec

from connectors.raw_items import reference_of
from hub import clock
from hub.audit import actions as audit
from hub.audit.model import OPERATOR, Caller
from hub.db import load_queries
from hub.envelope import StreamItem, clean_text
from hub.errors import Conflict, NotFound
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
ERROR_LIMIT_CHARS = 500
# What is shown of a body.
HEAD_BYTES = 64 * 1024

State = Literal["new", "replayed", "dropped"]
Append = Callable[[StreamItem], Awaitable[None]]

_log = get_logger("connectors.dead_letters")


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


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters: in one state, of a channel (None: any), kept since a moment (None: ever)."""

    state: State = "new"
    channel: str | None = None
    since: datetime | None = None


ANY_NEW = Wanted()


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
    conn: TenantConn,
    workspace_ids: Sequence[int],
    wanted: Wanted = ANY_NEW,
    before: UUID | None = None,
    limit: int = 50,
) -> list[DeadLetter]:
    """Return dead letters of some workspaces, newest first, older than ``before``."""
    rows = await conn.fetch(
        QUERIES["list_dead_letters"], list(workspace_ids), wanted.state, before, limit, wanted.channel, wanted.since
    )
    return [msgspec.convert(dict(row), DeadLetter) for row in rows]


async def find(
    conn: TenantConn, workspace_ids: Sequence[int], dead_letter_id: UUID, head_bytes: int = HEAD_BYTES
) -> tuple[DeadLetter, bytes]:
    """
    Return one dead letter and the first bytes of its body, which are private.

    Raises:
        NotFound: None of the workspaces has it.
    """
    row = await conn.fetchrow(QUERIES["find_dead_letter"], list(workspace_ids), dead_letter_id, head_bytes)
    if row is None:
        raise NotFound("dead letter")
    return msgspec.convert({name: row[name] for name in DeadLetter.__struct_fields__}, DeadLetter), row["head"]


def read_body(head: bytes) -> tuple[str, bool]:
    """
    Make bytes readable.

    Args:
        head: The first bytes of a body, any length.

    Returns:
        The text, with U+FFFD for what is none, and whether it is more likely not a text at all.
    """
    # A cut may fall into a character: what is left of it is not a sign of anything.
    text = head.decode("utf-8", "replace")
    strange = sum(1 for one in text if one == "\ufffd" or (one < " " and one not in "\r\n\t"))
    return clean_text(text), strange > 1 + len(text) // 20


async def replay(
    database: Transactions, append: Append, workspace_id: int, dead_letter_id: UUID, caller: Caller = OPERATOR
) -> None:
    """
    Take an item in again and mark it as replayed.

    It is kept for good before it is marked: a crash between the two replays it twice, which its dedupe key absorbs. An
    item that fails again becomes a new dead letter.

    Args:
        database: Holds it.
        append: Takes items of any size (``connectors.ingress``).
        workspace_id: Its workspace.
        dead_letter_id: Which.
        caller: For the audit log.

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
        await _record(conn, workspace_id, dead_letter_id, "replayed", caller)
    _log.info("dead_letter_replayed", workspace_id=workspace_id, dead_letter_id=str(dead_letter_id))


async def replay_many(
    database: Transactions, append: Append, letters: Sequence[tuple[int, UUID]], caller: Caller = OPERATOR
) -> tuple[list[UUID], list[UUID]]:
    """
    Replay dead letters (workspace, id) one after the other: their bodies may be large.

    Returns:
        Those that were replayed, and those that were not: they have gone, or were replayed or dropped before.

    Raises:
        Unavailable: The stream or the database went away; those before are replayed.
    """
    replayed: list[UUID] = []
    skipped: list[UUID] = []
    for workspace_id, dead_letter_id in letters:
        try:
            await replay(database, append, workspace_id, dead_letter_id, caller)
        except (NotFound, Conflict):
            skipped.append(dead_letter_id)
        else:
            replayed.append(dead_letter_id)
    return replayed, skipped


async def drop(conn: TenantConn, workspace_id: int, dead_letter_id: UUID, caller: Caller = OPERATOR) -> None:
    """
    Mark an item as not wanted; its bytes stay for the record.

    Raises:
        NotFound: The workspace has no such dead letter, or it was replayed or dropped before.
    """
    if await conn.fetchrow(QUERIES["set_dead_letter_state"], workspace_id, dead_letter_id, "dropped") is None:
        raise NotFound("dead letter")
    await _record(conn, workspace_id, dead_letter_id, "dropped", caller)
    _log.info("dead_letter_dropped", workspace_id=workspace_id, dead_letter_id=str(dead_letter_id))


async def _record(conn: TenantConn, workspace_id: int, dead_letter_id: UUID, verb: str, caller: Caller) -> None:
    entry = audit.made_by(caller, workspace_id, f"dead_letter.{verb}", ("dead_letter", dead_letter_id))
    await audit.record(conn, entry)
