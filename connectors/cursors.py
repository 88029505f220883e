"""Cursors of polled accounts: who reads which, how far, and how it goes. Called by polling and the settings."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from connectors.base import Progress
from hub.db import load_queries

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
ERROR_LIMIT_CHARS = 300


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """
    How reading a channel account goes; all None where nothing is read (webhooks come by themselves).

    Attributes:
        last_item_at: When the last item came through this account.
        progress: While history is read.
        lag_s: Seconds since the vendor was last asked or listened to.
        error: Why it cannot be read, or looked after, at the moment, in words.
        unreachable_since: Since when what we send cannot reach the vendor; None while it can.
    """

    last_item_at: datetime | None = None
    progress: Progress | None = None
    lag_s: float | None = None
    error: str | None = None
    unreachable_since: datetime | None = None


class Poll(msgspec.Struct, frozen=True):
    """One account's reading, as its holder names it."""

    workspace_id: int
    account_id: UUID
    holder: str


async def count_workers(conn: TenantConn) -> int:
    """Return how many workers share the work now."""
    count = await conn.fetchval(QUERIES["count_live_workers"])
    return count if isinstance(count, int) else 0


async def take(
    conn: TenantConn, holder: str, wanted: Sequence[tuple[int, UUID]], ttl_s: float
) -> dict[UUID, str | None]:
    """
    Lease accounts, or renew their leases.

    Args:
        conn: A transaction of all their workspaces.
        holder: The worker's name.
        wanted: Workspace and account, connected ones.
        ttl_s: How long the lease runs.

    Returns:
        The cursor of each account that is the holder's now.
    """
    rows = await conn.fetch(
        QUERIES["take_polls"], holder, [workspace for workspace, _ in wanted], [account for _, account in wanted], ttl_s
    )
    return {row["channel_account_id"]: row["cursor"] for row in rows}


async def release(conn: TenantConn, poll: Poll, *, is_over: bool = False) -> None:
    """End a lease, so that another worker can go on at once; ``is_over``: forget how reading it went, too."""
    await conn.execute(QUERIES["release_poll"], poll.workspace_id, poll.account_id, poll.holder, is_over)


async def save(conn: TenantConn, poll: Poll, cursor: str, progress: Progress | None, *, has_items: bool) -> bool:
    """Keep how far an account was read; False when somebody else reads it by now, and nothing was kept."""
    text = None if progress is None else msgspec.json.encode(progress).decode()
    row = await conn.fetchrow(
        QUERIES["save_poll"], poll.workspace_id, poll.account_id, poll.holder, cursor, text, has_items
    )
    return row is not None


async def save_error(conn: TenantConn, poll: Poll, error: str) -> None:
    """Keep why an account cannot be read at the moment."""
    words = error[:ERROR_LIMIT_CHARS]
    await conn.execute(QUERIES["save_poll_error"], poll.workspace_id, poll.account_id, poll.holder, words)


async def list_health(
    conn: TenantConn, workspace_id: int, account_ids: Collection[UUID] | None = None
) -> dict[UUID, Health]:
    """Return how reading goes, by account; accounts that are not polled are missing."""
    rows = await conn.fetch(
        QUERIES["list_poll_health"], workspace_id, None if account_ids is None else list(account_ids)
    )
    return {
        row["channel_account_id"]: Health(
            last_item_at=row["last_item_at"],
            progress=msgspec.json.decode(row["progress"], type=Progress) if row["progress"] else None,
            lag_s=row["lag_s"],
            error=row["error"],
            unreachable_since=row["unreachable_since"],
        )
        for row in rows
    }
