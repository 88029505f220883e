"""Compares what was acknowledged with what is in the database. The only judge of ``lost`` and ``duplicated``."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import asyncpg
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts.benchmarks.services import Services

POLL_S = 0.02
GIVE_UP_S = 60.0


class Verdict(msgspec.Struct, frozen=True):
    """Acknowledged ids without a row, and ids with more than one."""

    lost: int
    duplicated: int


async def committed(owner: asyncpg.Connection[asyncpg.Record]) -> int:
    """Count the events committed so far, from the workspaces' counters: cheap enough to ask often."""
    return int(await owner.fetchval("SELECT coalesce(sum(event_seq), 0)::bigint FROM workspace"))


async def wait_until_committed(
    owner: asyncpg.Connection[asyncpg.Record], count: int, *, give_up_s: float = GIVE_UP_S
) -> float:
    """
    Wait until so many events are committed.

    Returns:
        The moment it was seen, on the monotonic clock; of the last change when they never were.
    """
    seen = await committed(owner)
    moved_at = time.monotonic()
    while seen < count and time.monotonic() - moved_at < give_up_s:
        await asyncio.sleep(POLL_S)
        now = await committed(owner)
        if now != seen:
            seen, moved_at = now, time.monotonic()
    return moved_at


async def audit(services: Services, run: str, acknowledged: Iterable[str]) -> Verdict:
    """
    Count the rows of a run.

    Args:
        services: Where the database is.
        run: The eight characters its ids begin with.
        acknowledged: Ids the edge answered 200 for, or that Redis has on disk.
    """
    owner = await asyncpg.connect(services.owner_url)
    try:
        rows = await owner.fetch("SELECT external_id FROM message WHERE external_id LIKE $1", f"SM{run}%")
        logged = await owner.fetch(
            "SELECT dedupe_key FROM event WHERE type = 'message_received' AND dedupe_key LIKE $1", f"%:SM{run}%"
        )
    finally:
        await owner.close()
    stored = Counter(str(row[0]) for row in rows)
    events = Counter(str(row[0]).rpartition(":")[2] for row in logged)
    lost = sum(1 for sid in acknowledged if not stored[sid] or not events[sid])
    return Verdict(lost, stored.total() - len(stored) + events.total() - len(events))
