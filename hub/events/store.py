"""The per-workspace sequence and the event log: lock, append, read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from hub import clock, tracing
from hub.db import load_queries
from hub.errors import NotFound
from hub.events.model import (
    ConversationRange,
    Happening,
    LoggedEvent,
    LogRange,
    NewEvent,
    PassingEvent,
    VisibleHead,
    WorkspaceHead,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

_Range = TypeVar("_Range", LogRange, ConversationRange)


async def lock(conn: TenantConn, workspace_ids: Sequence[int]) -> dict[int, int]:
    """
    Lock the counters of some workspaces, in id order; every writing action calls this before anything else.

    Args:
        conn: A fresh transaction.
        workspace_ids: Tenants, repeats allowed.

    Returns:
        The newest seq of each workspace that exists.

    Raises:
        Unavailable: Somebody held a lock for longer than the lock timeout.
    """
    rows = await conn.fetch(QUERIES["lock_workspaces"], sorted(set(workspace_ids)))
    newest = {row["workspace_id"]: row["text_key_id"] for row in rows if row["text_key_id"] is not None}
    former = {row["workspace_id"]: row["former_text_key_id"] for row in rows if row["former_text_key_id"] is not None}
    if newest or former:
        await conn.prepare_sealing(newest, former)
    return {row["workspace_id"]: row["event_seq"] for row in rows}


async def lock_one(conn: TenantConn, workspace_id: int) -> int:
    """Lock one workspace and return its newest seq; ``NotFound`` where there is no such workspace."""
    heads = await lock(conn, [workspace_id])
    if workspace_id not in heads:
        raise NotFound("workspace")
    return heads[workspace_id]


async def append(conn: TenantConn, heads: dict[int, int], events: Sequence[NewEvent]) -> list[LoggedEvent]:
    """
    Give events the next numbers of their workspaces and write them.

    Args:
        conn: The transaction that holds the locks.
        heads: What ``lock`` returned; moved on to the newest numbers given out.
        events: In the order they happened.

    Returns:
        The events with their numbers; they also become notices for after COMMIT.
    """
    if not events:
        return []
    logged = [_number(heads, event) for event in events]
    rows = list(zip(logged, events, strict=True))
    touched = sorted({event.workspace_id for event in logged})
    await conn.execute(
        QUERIES["append_events"],
        [new.workspace_id for _, new in rows],
        [old.seq for old, _ in rows],
        [new.type for _, new in rows],
        [new.inbox_id for _, new in rows],
        [new.former_inbox_id for _, new in rows],
        [new.conversation_id for _, new in rows],
        [new.conversation_seq for _, new in rows],
        [new.contact_id for _, new in rows],
        [new.actor_id for _, new in rows],
        [new.dedupe_key for _, new in rows],
        [conn.sealed_json(new.workspace_id, old.seq, new.data).decode() for old, new in rows],
        [new.occurred_at for _, new in rows],
        touched,
        [heads[one] for one in touched],
    )
    conn.notices.extend(logged)
    return logged


async def events_after(conn: TenantConn, workspace_id: int, seq: int, limit: int) -> list[LoggedEvent]:
    """Return up to ``limit`` events after ``seq``, oldest first, whoever may see them."""
    rows = await conn.fetch(QUERIES["events_after"], workspace_id, seq, limit)
    return [_logged(row) for row in rows]


async def event_row(conn: TenantConn, workspace_id: int, seq: int, kind: str) -> bytes | None:
    """Return the row an event carries under a name, e.g. ``contact``, as JSON; None where it carries none."""
    row = await conn.fetchrow(QUERIES["event_row"], workspace_id, seq, kind)
    return None if row is None or row["data"] is None else row["data"].encode()


async def passing_events(conn: TenantConn, workspace_id: int, seq: int, limit: int) -> list[PassingEvent]:
    """Return up to ``limit`` events after ``seq``, oldest first, without their contents."""
    rows = await conn.fetch(QUERIES["passing_events"], workspace_id, seq, limit)
    return [PassingEvent(**row) for row in rows]


async def first_since(conn: TenantConn, workspace_id: int, since: datetime) -> int | None:
    """Return the first seq of a workspace not older than ``since``, None where there is none."""
    row = await conn.fetchrow(QUERIES["first_since"], workspace_id, since)
    return None if row is None or row["seq"] is None else int(row["seq"])


async def event_ranges(conn: TenantConn, wanted: Sequence[LogRange]) -> dict[LogRange, list[LoggedEvent]]:
    """Return the events of several ranges, each oldest first, whoever may see them."""
    columns = [one.workspace_id for one in wanted], [one.after for one in wanted], [one.limit for one in wanted]
    return _by_range(wanted, await conn.fetch(QUERIES["event_ranges"], *columns))


async def conversation_ranges(
    conn: TenantConn, wanted: Sequence[ConversationRange]
) -> dict[ConversationRange, list[LoggedEvent]]:
    """Return the events visitors may see of several conversations, each oldest first."""
    rows = await conn.fetch(
        QUERIES["conversation_ranges"],
        [one.workspace_id for one in wanted],
        [one.conversation_id for one in wanted],
        [one.after for one in wanted],
        [one.limit for one in wanted],
    )
    return _by_range(wanted, rows)


async def visible_head(conn: TenantConn, workspace_id: int, seq: int, inbox_ids: Sequence[UUID] | None) -> int:
    """Return the newest seq at or before ``seq`` that members of these inboxes (None: all inboxes) may see."""
    row = await conn.fetchrow(QUERIES["visible_head"], workspace_id, seq, inbox_ids)
    return int(row["seq"]) if row else 0


async def visible_heads(conn: TenantConn, wanted: Sequence[VisibleHead]) -> dict[VisibleHead, int]:
    """Answer what ``visible_head`` does for several audiences, of any workspaces of this transaction."""
    columns = (
        [one.workspace_id for one in wanted],
        [one.at for one in wanted],
        ["{" + ",".join(map(str, one.inboxes)) + "}" for one in wanted],
    )
    rows = await conn.fetch(QUERIES["visible_heads"], *columns)
    return dict.fromkeys(wanted, 0) | {wanted[row["number"] - 1]: row["seq"] for row in rows}


async def workspace_head(conn: TenantConn, workspace_id: int) -> int:
    """Return the newest seq of a workspace."""
    row = await conn.fetchrow(QUERIES["workspace_head"], workspace_id)
    if row is None:
        raise NotFound("workspace")
    return int(row["event_seq"])


async def recent_heads(conn: TenantConn, since: datetime) -> dict[int, int]:
    """Return the newest seq of every workspace with events since ``since``."""
    return {row["workspace_id"]: row["head"] for row in await conn.fetch(QUERIES["recent_heads"], since)}


async def heads(database: Database, workspace_ids: Sequence[int]) -> dict[int, WorkspaceHead]:
    """Return the newest seq and the rights of the named workspaces, by one statement of its own."""
    rows = await database.ask(QUERIES["heads"], list(workspace_ids))
    return {row["workspace_id"]: WorkspaceHead(row["head"], row["rights_version"]) for row in rows}


async def lock_place(conn: TenantConn, workspace_id: int, room: str) -> int | None:
    """Return the seq up to which a room has read a log, locked; None while another process reads for it."""
    await conn.execute(QUERIES["begin_reading"], workspace_id, room)
    row = await conn.fetchrow(QUERIES["lock_place"], workspace_id, room)
    return None if row is None else int(row["seq"])


async def move_place(conn: TenantConn, workspace_id: int, room: str, seq: int) -> None:
    """Say that a room has dealt with everything up to a seq."""
    await conn.execute(QUERIES["move_place"], workspace_id, room, seq)


async def happenings_after(conn: TenantConn, place: LogRange, types: Collection[str]) -> list[Happening]:
    """Return up to ``place.limit`` events after ``place.after``, oldest first, with the data of these types."""
    rows = await conn.fetch(QUERIES["happenings_after"], place.workspace_id, place.after, place.limit, sorted(types))
    return [Happening(**{**dict(row), "data": row["data"].encode()}) for row in rows]


async def rooms_behind(conn: TenantConn, room: str, limit: int) -> list[int]:
    """Return workspaces whose log a room has not read to its end."""
    return [row["workspace_id"] for row in await conn.fetch(QUERIES["rooms_behind"], room, limit)]


def _number(heads: dict[int, int], event: NewEvent) -> LoggedEvent:
    heads[event.workspace_id] += 1
    return LoggedEvent(
        workspace_id=event.workspace_id,
        seq=heads[event.workspace_id],
        type=event.type,
        data=event.data,
        inbox_id=event.inbox_id,
        former_inbox_id=event.former_inbox_id,
        conversation_id=event.conversation_id,
        conversation_seq=event.conversation_seq,
        appended_at_ms=clock.now_ms(),
        trace=tracing.current(),
    )


def _logged(row: Record) -> LoggedEvent:
    return LoggedEvent(
        workspace_id=row["workspace_id"],
        seq=row["seq"],
        type=row["type"],
        data=row["data"].encode(),
        inbox_id=row["inbox_id"],
        former_inbox_id=row["former_inbox_id"],
        conversation_id=row["conversation_id"],
        conversation_seq=row["conversation_seq"],
    )


def _by_range(wanted: Sequence[_Range], rows: Sequence[Record]) -> dict[_Range, list[LoggedEvent]]:
    found: dict[_Range, list[LoggedEvent]] = {one: [] for one in wanted}
    for row in rows:
        found[wanted[row["number"] - 1]].append(_logged(row))
    return found
