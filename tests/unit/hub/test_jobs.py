"""Jobs: ticks, due snoozes, trims."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from uuid import UUID, uuid4

from hub.errors import NotFound, Unavailable
from hub.jobs import DUE_LIMIT, Job, JobMetrics, due_snoozes_job, run, trim_job


class RecordingDatabase:
    def __init__(self) -> None:
        self.opened: list[list[int]] = []

    @asynccontextmanager
    async def transaction(self, workspace_ids):
        self.opened.append(list(workspace_ids))
        yield "conn"

    @asynccontextmanager
    async def across(self):
        yield "across"


async def run_ticks(job: Job, ticks: int) -> tuple[JobMetrics, list[float]]:
    """Run a job until it has waited ``ticks`` times."""
    metrics, waits = JobMetrics(), []
    enough = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) >= ticks:
            enough.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(run([job], metrics, sleep=sleep, spread=lambda low, high: high))
    await enough.wait()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return metrics, waits


async def test_run_waits_about_its_tick():
    """A job runs, waits its tick spread by a tenth, and runs again."""

    async def nothing() -> int:
        return 3

    metrics, waits = await run_ticks(Job("sweep", 10.0, nothing), 2)

    assert metrics.runs == {"sweep": 2}
    assert metrics.done == {"sweep": 6}
    assert waits == [11.0, 11.0]


async def test_run_goes_on_at_once_while_there_is_more():
    """A full page of due rows means there may be more: no waiting in between."""
    amounts = iter([DUE_LIMIT, 4])

    async def page() -> int:
        return next(amounts)

    _, waits = await run_ticks(Job("due", 1.0, page), 2)

    assert waits == [0.0, 1.1]


async def test_run_survives_failures():
    """An unreachable store and a bug cost one run each."""
    faults = iter([Unavailable("away"), ZeroDivisionError()])

    async def failing() -> int:
        if (fault := next(faults, None)) is not None:
            raise fault
        return 1

    metrics, _ = await run_ticks(Job("due", 1.0, failing), 3)

    assert metrics.failed == {"due": 2}
    assert metrics.done == {"due": 1}


async def test_due_snoozes_wakes_each_in_its_own_workspace():
    """Every due conversation is opened in a transaction of its workspace; one that fails keeps none asleep."""
    database = RecordingDatabase()
    gone, broken, fine = uuid4(), uuid4(), uuid4()
    woken: list[tuple[int, UUID]] = []

    async def due(conn, before, limit):
        assert (conn, limit) == ("across", DUE_LIMIT)
        return [(1, gone), (2, broken), (3, fine)]

    async def wake(conn, workspace_id, conversation_id):
        if conversation_id == gone:
            raise NotFound("conversation")
        if conversation_id == broken:
            raise ZeroDivisionError
        woken.append((workspace_id, conversation_id))
        return True

    did = await due_snoozes_job(database, due, wake).run()

    assert did == 1
    assert woken == [(3, fine)]
    assert database.opened == [[1], [2], [3]]


async def test_trim_covers_the_held_partitions():
    """A process trims and measures the partitions it leases, no others."""
    calls: list[tuple[str, int]] = []

    class Streams:
        async def trim(self, partition):
            calls.append(("trim", partition))
            return 0

        async def backlog(self, partition):
            calls.append(("backlog", partition))

    await trim_job(Streams(), lambda: {5, 2}).run()

    assert calls == [("trim", 2), ("backlog", 2), ("trim", 5), ("backlog", 5)]
