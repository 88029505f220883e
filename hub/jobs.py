"""
Background work of a process: rows whose time has come, and housekeeping, each on its own jittered tick.

Knows no room: what a job does is handed in by ``connectors/intake.py`` or ``hub/cli.py``. Safe in any number of
processes, because every job is: a row is claimed or checked under its lock, a trim is idempotent.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from hub import clock
from hub.errors import HubError, NotFound, Unavailable
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta
    from uuid import UUID

    from hub.db import TenantConn

TICK_S = 1.0
TRIM_EVERY_S = 10.0
EXPIRE_EVERY_S = 60.0
# So many due rows are handled in one run; more are left to the next, which then follows at once.
DUE_LIMIT = 200

_log = get_logger("hub.jobs")


class Transactions(Protocol):
    """What is needed of ``hub.db.Database``."""

    def transaction(self, workspace_ids: Sequence[int]) -> AbstractAsyncContextManager[TenantConn]: ...
    def across(self) -> AbstractAsyncContextManager[TenantConn]: ...


class Trimming(Protocol):
    """What is needed of ``hub.streams.IngressStreams``."""

    async def trim(self, partition: int) -> int: ...
    async def backlog(self, partition: int) -> object: ...


@dataclass(frozen=True, slots=True)
class Job:
    """
    One kind of work.

    Attributes:
        name: For logs and counters.
        every_s: Time between two runs, spread by a tenth either way.
        run: Does what is due; returns how many things it did. ``DUE_LIMIT`` or more: there may be others, run again.
    """

    name: str
    every_s: float
    run: Callable[[], Awaitable[int]]


@dataclass(slots=True)
class JobMetrics:
    """Runs, things done, failed runs and the time of the last good one (since 1970) by job; read by /metrics."""

    runs: dict[str, int] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    succeeded_at_s: dict[str, float] = field(default_factory=dict)


async def run(
    jobs: Sequence[Job],
    metrics: JobMetrics,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    spread: Callable[[float, float], float] = random.uniform,
) -> None:
    """
    Run every job on its tick until cancelled.

    Args:
        jobs: What to do.
        metrics: Counts what was done.
        sleep: Waits; a test passes its own.
        spread: Draws a waiting time between two bounds, so that processes started together drift apart.
    """

    async def tick(job: Job) -> None:
        while True:
            did = await _run_once(job, metrics)
            await sleep(0.0 if did >= DUE_LIMIT else spread(job.every_s * 0.9, job.every_s * 1.1))

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(tick(job), name=f"job-{job.name}")


def due_snoozes_job(
    database: Transactions,
    due: Callable[[TenantConn, datetime, int], Awaitable[list[tuple[int, UUID]]]],
    wake: Callable[[TenantConn, int, UUID], Awaitable[bool]],
) -> Job:
    """
    Make the job that opens snoozed conversations when their time has come.

    Args:
        database: Holds them.
        due: Finds (workspace, conversation), oldest first, with a connection across workspaces.
        wake: Opens one, checking again under its lock; returns whether it did.
    """

    async def wake_due() -> int:
        async with database.across() as conn:
            rows = await due(conn, clock.now(), DUE_LIMIT)
        woken = 0
        for workspace_id, conversation_id in rows:
            try:
                async with database.transaction([workspace_id]) as conn:
                    woken += await wake(conn, workspace_id, conversation_id)
            except NotFound:
                continue
            except Unavailable:
                raise
            except Exception as error:  # loop: one bad row must not keep the others asleep
                _log.error("snooze_not_ended", conversation_id=str(conversation_id), error=type(error).__name__)
        return woken

    return Job("due_snoozes", TICK_S, wake_due)


def expiry_job(
    name: str,
    database: Transactions,
    old: Callable[[TenantConn, datetime, int], Awaitable[list[tuple[int, UUID]]]],
    drop: Callable[[TenantConn, int, Sequence[UUID]], Awaitable[None]],
    keep: timedelta,
) -> Job:
    """
    Make a job that drops rows which have waited long enough.

    Args:
        name: For logs and counters.
        database: Holds them.
        old: Finds (workspace, id) of rows made before a moment, oldest first, with a connection across workspaces.
        drop: Drops rows of one workspace.
        keep: How long they are kept.
    """

    async def drop_old() -> int:
        async with database.across() as conn:
            rows = await old(conn, clock.now() - keep, DUE_LIMIT)
        by_workspace: dict[int, list[UUID]] = {}
        for workspace_id, row_id in rows:
            by_workspace.setdefault(workspace_id, []).append(row_id)
        for workspace_id, ids in by_workspace.items():
            async with database.transaction([workspace_id]) as conn:
                await drop(conn, workspace_id, ids)
        return len(rows)

    return Job(name, EXPIRE_EVERY_S, drop_old)


def trim_job(streams: Trimming, held: Callable[[], set[int]]) -> Job:
    """
    Make the job that trims the streams of the partitions this process holds, and measures how far behind they are.

    Args:
        streams: The ingress streams.
        held: Partitions this process leases now.
    """

    async def trim_held() -> int:
        for partition in sorted(held()):
            await streams.trim(partition)
            await streams.backlog(partition)
        return 0

    return Job("trim_streams", TRIM_EVERY_S, trim_held)


async def _run_once(job: Job, metrics: JobMetrics) -> int:
    metrics.runs[job.name] = metrics.runs.get(job.name, 0) + 1
    try:
        did = await job.run()
    except HubError as error:
        metrics.failed[job.name] = metrics.failed.get(job.name, 0) + 1
        # Which store is away has been said once by whoever lost it; here it would be said every second.
        if not isinstance(error, Unavailable):
            _log.warning("job_put_off", job=job.name, reason=error.code)
        return 0
    except Exception:  # loop: the next tick tries again
        metrics.failed[job.name] = metrics.failed.get(job.name, 0) + 1
        _log.exception("job_failed", job=job.name)
        return 0
    metrics.done[job.name] = metrics.done.get(job.name, 0) + did
    metrics.succeeded_at_s[job.name] = clock.now().timestamp()
    return did
