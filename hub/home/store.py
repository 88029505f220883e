"""One function per query of the home page; each looks at a bounded part of a workspace, however much it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from hub.db import load_queries
from hub.home.model import Beginnings, ChannelRow, FailedRow, OpenCounts, WaitingRow

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from hub.db import TenantConn
    from hub.home.model import Sight

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
# Conversations looked at: beyond it a team needs no exact number, and the page must not become slow.
LOOKED_AT: Final = 2_000
ROWS: Final = 5
MOST_CHANNELS: Final = 20
MOST_COUNTED: Final = 1_000


async def open_counts(conn: TenantConn, sight: Sight) -> OpenCounts:
    """Count what is open, of the conversations that were silent longest."""
    row = await conn.fetchrow(QUERIES["open_counts"], sight.workspace_id, _inboxes(sight), sight.member_id, LOOKED_AT)
    assert row is not None
    return OpenCounts(row["waiting"], row["mine_waiting"], row["unassigned"], row["is_partial"])


async def longest_waiting(conn: TenantConn, sight: Sight) -> list[WaitingRow]:
    """Return the conversations that wait longest, longest first."""
    rows = await conn.fetch(QUERIES["longest_waiting"], sight.workspace_id, _inboxes(sight), LOOKED_AT, ROWS)
    return [WaitingRow(**{name: row[name] for name in WaitingRow.__struct_fields__}) for row in rows]


async def failed_sends(conn: TenantConn, sight: Sight) -> tuple[list[FailedRow], int]:
    """Return the newest failures, and how many there are among the conversations looked at."""
    rows = await conn.fetch(QUERIES["failed_sends"], sight.workspace_id, _inboxes(sight), LOOKED_AT, ROWS)
    found = [FailedRow(**{name: row[name] for name in FailedRow.__struct_fields__}) for row in rows]
    return found, rows[0]["amount"] if rows else 0


async def count_snoozed_due(conn: TenantConn, sight: Sight, before: datetime) -> int:
    """Count the member's own snoozed conversations that come back before a time."""
    arguments = sight.workspace_id, _inboxes(sight), sight.member_id, before
    return cast("int", await conn.fetchval(QUERIES["snoozed_due"], *arguments))


async def idle_channels(conn: TenantConn, sight: Sight) -> list[ChannelRow]:
    """Return the channel accounts that must be connected again, then the paused ones."""
    rows = await conn.fetch(QUERIES["idle_channels"], sight.workspace_id, _inboxes(sight), MOST_CHANNELS)
    return [ChannelRow(**{name: row[name] for name in ChannelRow.__struct_fields__}) for row in rows]


async def count_unreadable(conn: TenantConn, workspace_id: int) -> int:
    """Count raw items that could not be stored, up to ``MOST_COUNTED``."""
    return cast("int", await conn.fetchval(QUERIES["unreadable"], workspace_id, MOST_COUNTED))


async def count_invited(conn: TenantConn, workspace_id: int, now: datetime) -> int:
    """Count invitations that are still open."""
    return cast("int", await conn.fetchval(QUERIES["invited"], workspace_id, now))


async def beginnings(conn: TenantConn, workspace_id: int) -> Beginnings:
    """Return what a new workspace has done; an answer is looked for in part of it only."""
    row = await conn.fetchrow(QUERIES["beginnings"], workspace_id, LOOKED_AT)
    assert row is not None
    return Beginnings(row["channel_connected"], row["colleague_invited"], row["contact_answered"])


def _inboxes(sight: Sight) -> list[UUID] | None:
    return None if sight.visible_inboxes is None else list(sight.visible_inboxes)
