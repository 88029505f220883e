"""Hands the open conversations of a member who left over to others, some at a time. Called by a job of ``hub work``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from hub.accounts import people_store, policy
from hub.accounts import store as accounts
from hub.accounts.model import Permission
from hub.db import load_queries
from hub.events import store as events
from hub.inbox import actions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.accounts.people import HandOver
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("hand_over.sql"))

# Each is a few statements under the workspace's lock, and messages wait for that meanwhile.
CHUNK: Final = 50


async def hand_over_some(conn: TenantConn, workspace_id: int, member_id: UUID) -> int:
    """
    Give some of a member's open conversations to whom they were promised.

    Each goes to whoever of these has the fewest, among those who may answer in its inbox; to nobody where there is
    no such person, so that it is seen among the unassigned ones.

    Args:
        conn: A fresh transaction.
        workspace_id: Tenant.
        member_id: Who left.

    Returns:
        How many were given; fewer than ``CHUNK`` means that none is left and the hand-over is done.
    """
    await events.lock_one(conn, workspace_id)
    found = await people_store.get_hand_over(conn, workspace_id, member_id)
    if found is None:
        return 0
    to, asked_by = found
    rows = await conn.fetch(QUERIES["open_assigned"], workspace_id, member_id, CHUNK)
    receivers = await _receivers(conn, workspace_id, member_id, to)
    loads = await _loads(conn, workspace_id, receivers)
    for row in rows:
        assignee_id = _least_loaded(receivers, loads, row["inbox_id"])
        if assignee_id is not None:
            loads[assignee_id] += 1
        await actions.assign(conn, workspace_id, row["id"], assignee_id, actor_id=asked_by)
    if len(rows) < CHUNK:
        await people_store.drop_hand_over(conn, workspace_id, member_id)
    return len(rows)


async def _receivers(conn: TenantConn, workspace_id: int, member_id: UUID, to: HandOver) -> list[Actor]:
    if to.id is None:
        return []
    logins = await people_store.receivers(conn, workspace_id, to.id)
    wanted = [(workspace_id, login_id) for one, login_id in logins.items() if one != member_id]
    actors = await accounts.load_actors(conn, wanted)
    return sorted(actors.values(), key=lambda one: one.member_id)


async def _loads(conn: TenantConn, workspace_id: int, receivers: Sequence[Actor]) -> dict[UUID, int]:
    ids = [one.member_id for one in receivers]
    rows = await conn.fetch(QUERIES["open_counts"], workspace_id, ids)
    return dict.fromkeys(ids, 0) | {row["assignee_id"]: row["amount"] for row in rows}


def _least_loaded(receivers: Sequence[Actor], loads: dict[UUID, int], inbox_id: UUID) -> UUID | None:
    able = [one.member_id for one in receivers if policy.may(one, Permission.INBOX_REPLY, inbox_id)]
    return min(able, key=lambda one: loads[one], default=None)
