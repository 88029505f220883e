"""Reads and writes of how workspaces keep their texts, one function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec

from hub.channels.sealing import WrappedKey
from hub.db import load_queries
from hub.errors import NotFound
from hub.texts.model import FIRST_KEY_ID, RETIRED_KEPT, SEARCH, Phase, Sealing, Work, state_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from uuid import UUID

    from hub.db import Database, TenantConn
    from hub.sealed import KeyName

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

COUNTED_ROWS: Final = 500_000


class Kept(msgspec.Struct, frozen=True):
    """How a workspace keeps its texts, and with which keys."""

    sealing: Sealing
    key_id: int | None
    is_busy: bool


async def read_keys(conn: TenantConn, names: Iterable[KeyName]) -> list[WrappedKey]:
    """Return those of some keys of texts that there are."""
    every = list(names)
    rows = await conn.fetch(QUERIES["keys"], [one[0] for one in every], [one[1] for one in every])
    return [WrappedKey(row["workspace_id"], row["id"], row["key_version"], row["wrapped"]) for row in rows]


async def get_kept(conn: TenantConn, workspace_id: int) -> Kept:
    """Return how a workspace keeps its texts; ``NotFound`` where there is no such workspace."""
    row = await conn.fetchrow(QUERIES["sealing"], workspace_id)
    if row is None:
        raise NotFound("workspace")
    is_sealed, is_busy = row["text_key_id"] is not None, row["phase"] not in (None, Phase.DONE)
    sealing = Sealing(
        state=state_of(is_sealed=is_sealed, is_done=not is_busy),
        # A row may come while the others are gone through.
        done=min(row["done"] or 0, row["total"] or 0),
        total=row["total"] or 0,
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        key_made_at=row["key_made_at"],
        search=SEARCH if is_sealed else "",
    )
    return Kept(sealing, row["text_key_id"], is_busy)


async def next_key_id(conn: TenantConn, workspace_id: int) -> int:
    """Return the id of a workspace's next key of texts."""
    newest = await conn.fetchval(QUERIES["newest_key_id"], workspace_id)
    return FIRST_KEY_ID if newest is None else cast("int", newest) + 1


async def add_key(conn: TenantConn, key: WrappedKey, at: datetime) -> None:
    """Add a key of texts."""
    await conn.execute(QUERIES["add_key"], key.workspace_id, key.id, key.key_version, key.wrapped, at)


async def use_key(conn: TenantConn, workspace_id: int, key_id: int | None, former_id: int | None) -> None:
    """Say what texts are sealed with from now on."""
    await conn.execute(QUERIES["use_key"], workspace_id, key_id, former_id)


async def begin(conn: TenantConn, workspace_id: int, until_seq: int, requested_by: UUID, at: datetime) -> None:
    """Ask for what is stored to be brought to what is wanted."""
    total = await conn.fetchval(QUERIES["count_rows"], workspace_id, COUNTED_ROWS)
    await conn.execute(QUERIES["begin"], workspace_id, until_seq, total, requested_by, at)


async def due(database: Database, at: datetime, limit: int) -> list[int]:
    """Return workspaces that wait for the job."""
    rows = await database.ask(QUERIES["due"], at, at - RETIRED_KEPT, limit)
    return [row["workspace_id"] for row in rows]


async def claim(conn: TenantConn, workspace_id: int, at: datetime, until: datetime) -> Work | None:
    """Take a workspace's work; None where somebody else has it, or there is none."""
    row = await conn.fetchrow(QUERIES["claim"], workspace_id, at, until)
    return None if row is None else Work(row["workspace_id"], Phase(row["phase"]), row["place"], row["until_seq"])


async def advance(conn: TenantConn, before: Work, after: Work, done: int, until: datetime) -> bool:
    """Move a workspace's work on; False where somebody else did."""
    row = await conn.fetchrow(
        QUERIES["advance"],
        *(before.workspace_id, before.phase, before.place),
        *(after.phase, after.place, done, until),
    )
    return row is not None


async def finish(conn: TenantConn, workspace_id: int, key_id: int | None, at: datetime) -> None:
    """End the work: the keys from before are thrown away in seven days."""
    await conn.execute(QUERIES["finish"], workspace_id, at)
    await conn.execute(QUERIES["use_key"], workspace_id, key_id, None)
    await conn.execute(QUERIES["retire_keys"], workspace_id, key_id, at)


async def drop_keys(conn: TenantConn, workspace_id: int, at: datetime) -> int:
    """Throw away keys that were retired long enough ago; returns how many."""
    return cast("int", await conn.fetchval(QUERIES["drop_keys"], workspace_id, at - RETIRED_KEPT))
