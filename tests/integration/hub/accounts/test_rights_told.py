"""A change of rights is told of in its own transaction, or it does not happen."""

from __future__ import annotations

import re
from pathlib import Path

import asyncpg
import pytest

from hub import clock
from hub.accounts import store
from hub.events import store as events
from hub.events.model import NewEvent
from hub.migrations import versions
from hub.realtime.feed import RIGHTS_EVENTS

pytestmark = pytest.mark.postgres


def event(workspace_id: int, type_: str) -> NewEvent:
    return NewEvent(workspace_id=workspace_id, type=type_, data=b'{"type":"x"}', occurred_at=clock.now())


async def moved(database, workspace_id: int, *types: str, bumps_last: bool = False) -> None:
    async with database.transaction([workspace_id]) as conn:
        heads = await events.lock(conn, [workspace_id])
        if not bumps_last:
            await store.bump_rights(conn, workspace_id)
        await events.append(conn, heads, [event(workspace_id, one) for one in types])
        if bumps_last:
            await store.bump_rights(conn, workspace_id)


async def rights(database, workspace_id: int) -> int:
    async with database.transaction([workspace_id]) as conn:
        return await conn.fetchval("SELECT rights_version FROM workspace WHERE id = $1", workspace_id)


@pytest.mark.parametrize("types", [(), ("message_added", "contact_changed")])
async def test_silent_change_of_rights_is_not_committed(database, workspace, types):
    """Neither without any event nor with events that say nothing of rights."""
    before = await rights(database, workspace.id)
    with pytest.raises(asyncpg.IntegrityConstraintViolationError, match="without an event"):
        await moved(database, workspace.id, *types)
    assert await rights(database, workspace.id) == before


async def test_event_before_the_change_does_not_count(database, workspace):
    """``rights_seq`` names the event that comes next: cursors of before it are void, and that seq must be there."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await moved(database, workspace.id, "member_changed", bumps_last=True)


async def test_every_event_of_rights_will_do(database, workspace):
    """Each type that sockets look at rights again for, and no other: the trigger's list is the feed's."""
    before = await rights(database, workspace.id)
    for type_ in sorted(RIGHTS_EVENTS):
        await moved(database, workspace.id, "message_added", type_)
    assert await rights(database, workspace.id) == before + len(RIGHTS_EVENTS)
    sql = (Path(versions.__file__).parent / "m0020_edges.sql").read_text("utf-8")
    listed = re.search(r"e\.type IN \((.*?)\)\)", sql, re.DOTALL)
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed[1])) == RIGHTS_EVENTS
