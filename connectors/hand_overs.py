"""The job that hands over open conversations of members who left. Run by ``hub work``; ends where a crash left it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.accounts import people_store
from hub.errors import HubError, Unavailable
from hub.inbox.hand_over import CHUNK, hand_over_some
from hub.jobs import DUE_LIMIT, TICK_S, Job
from hub.log import get_logger

if TYPE_CHECKING:
    from hub.jobs import Transactions

_log = get_logger("connectors.hand_overs")


def hand_over_job(database: Transactions) -> Job:
    """Make the job: each chunk is a transaction, so that messages get their turn in between."""

    async def hand_over_due() -> int:
        async with database.across() as conn:
            due = await people_store.due_hand_overs(conn, DUE_LIMIT)
        moved = 0
        for workspace_id, member_id in due:
            given = CHUNK
            while given == CHUNK:
                try:
                    async with database.transaction([workspace_id]) as conn:
                        given = await hand_over_some(conn, workspace_id, member_id)
                except Unavailable:
                    raise
                except HubError as error:
                    # One that cannot be handed over must not keep the others waiting.
                    _log.error("hand_over_failed", member_id=str(member_id), code=error.code)
                    break
                moved += given
        return moved

    return Job("hand_overs", TICK_S, hand_over_due)
