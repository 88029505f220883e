"""Jobs of privacy: exports, erasures, retention, the end of deleted workspaces; made by ``connectors/work.py``."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from redis.exceptions import RedisError

from hub import clock
from hub.errors import NotFound, Unavailable
from hub.jobs import DUE_LIMIT, TICK_S, Job, expiry_job
from hub.log import get_logger
from hub.privacy import actions, store
from hub.privacy.erasing import Erasing
from hub.privacy.exporting import Exporting
from hub.privacy.model import names_one
from hub.privacy.workspaces import end_workspaces

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from redis.asyncio import Redis

    from hub.blobs import Blobs
    from hub.channels.sealing import Sealer
    from hub.db import Database
    from hub.streams import IngressStreams

SLOW_S: Final = 60.0
# Each may take minutes; the others get their turn in other processes, or next.
AT_ONCE: Final = 5

_log = get_logger("connectors.privacy")


class Forget:
    """Removes keys of the ephemeral Redis whose names hold one of the needles."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def __call__(self, needles: Sequence[bytes]) -> None:
        """Remove them; ``Unavailable`` while Redis is away."""
        try:
            async for key in self._redis.scan_iter(count=1_000):
                if names_one(key, needles):
                    await self._redis.delete(key)
        except (RedisError, OSError) as error:
            raise Unavailable("The cache is not answering.") from error


def privacy_jobs(
    database: Database, streams: IngressStreams, blobs: Blobs, sealer: Sealer, ephemeral: Redis
) -> list[Job]:
    """
    Make the jobs; each may run in any number of processes.

    Args:
        database: The installation's.
        streams: Where raw items may wait.
        blobs: Files and exports.
        sealer: Wraps the keys of exports.
        ephemeral: Redis without persistence: names of its keys may hold addresses.
    """
    erasing = Erasing(database, streams, blobs, Forget(ephemeral))
    exporting = Exporting(database, blobs, sealer)

    async def apply_retention() -> int:
        queued = 0
        for workspace_id, policy_id in await store.due_policies(database, clock.now(), DUE_LIMIT):
            try:
                async with database.transaction([workspace_id]) as conn:
                    queued += await actions.queue_retention(conn, workspace_id, policy_id)
            except NotFound:
                continue
        return queued

    async def end() -> int:
        return await end_workspaces(database, streams, blobs, AT_ONCE)

    return [
        Job("erasures", TICK_S, lambda: _run_due(database, store.due_erasures, erasing.run)),
        Job("exports", TICK_S, lambda: _run_due(database, store.due_exports, exporting.run)),
        Job("retention", SLOW_S, apply_retention),
        # Their moment is their own, seven days from when they were asked for.
        expiry_job("old_exports", database, store.old_exports, store.delete_exports, timedelta()),
        Job("ended_workspaces", SLOW_S, end),
    ]


async def _run_due(
    database: Database,
    due: Callable[[Database, datetime, int], Awaitable[list[tuple[int, UUID]]]],
    run: Callable[[int, UUID], Awaitable[bool]],
) -> int:
    done = 0
    for workspace_id, row_id in await due(database, clock.now(), AT_ONCE):
        try:
            done += await run(workspace_id, row_id)
        except NotFound:
            continue
        except Unavailable:
            raise
        except Exception as error:  # loop: one that cannot be done must not keep the others waiting
            _log.error("privacy_job_failed", id=str(row_id), error=type(error).__name__)
    return done
