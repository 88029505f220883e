"""Intake over a real Postgres and a real durable stream: stored once, in order, acknowledged after COMMIT."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest

from connectors import dead_letters, intake
from connectors.leases import Leases
from hub.clock import monotonic_s
from hub.errors import Unavailable
from hub.inbox import actions
from hub.streams import PARTITIONS, partition_of
from tests import factories
from tests.integration.connectors.conftest import Worker, is_drained, make_raw, stored_texts

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@asynccontextmanager
async def running(worker: Worker):
    """Run a worker's intake while the block runs."""
    deps = worker.deps()
    task = asyncio.create_task(intake.run(deps))
    try:
        yield deps
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def drain(worker: Worker, workspace) -> None:
    async with running(worker):
        await wait_drained(worker.streams, workspace)


async def wait_drained(streams, workspace, timeout_s: float = 20.0) -> None:
    deadline_s = monotonic_s() + timeout_s
    while not await is_drained(streams, workspace):
        assert monotonic_s() < deadline_s, "the stream was not drained in time"
        await asyncio.sleep(0.01)


async def append_all(streams, items) -> None:
    await asyncio.gather(*(streams.append(one) for one in items))


async def read_dead_letters(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        return await dead_letters.list_dead_letters(conn, [workspace.id])


async def test_run_stores_what_was_appended(worker, workspace, database, streams):
    """Items become messages in the order of the stream."""
    await append_all(streams, [make_raw(workspace, number) for number in range(300)])

    await drain(worker, workspace)

    assert await stored_texts(database, workspace) == [f"message {number}" for number in range(300)]


async def test_run_stores_repeated_items_once(worker, workspace, database, streams):
    """A vendor's retry, in the same batch or a later one, is acknowledged and stored once."""
    async with running(worker) as deps:
        for _ in range(3):
            await append_all(streams, [make_raw(workspace, 1), make_raw(workspace, 1)])
            await wait_drained(streams, workspace)

    assert await stored_texts(database, workspace) == ["message 1"]
    assert deps.ports.metrics.outcomes == {"stored": 1, "duplicate": 5}


async def test_run_stores_many_workspaces_apart(worker, workspace, database, streams, routes):
    """Workspaces of one partition share transactions and nothing else."""
    others = [await factories.make_workspace(database, name=f"Tenant {number}") for number in range(20)]
    for one in others:
        routes.add(one)
    everybody = [workspace, *others]
    await append_all(streams, [make_raw(one, number) for number in range(5) for one in everybody])

    async with running(worker):
        for one in everybody:
            await wait_drained(streams, one)

    for one in everybody:
        assert await stored_texts(database, one) == [f"message {number}" for number in range(5)]


async def test_run_stores_what_the_last_holder_left_first(worker, workspace, database, streams):
    """Entries read and never acknowledged by a dead worker come before newer ones, without waiting for a claim."""
    await streams.create_groups()
    await append_all(streams, [make_raw(workspace, number) for number in range(3)])
    await streams.read_new(partition_of(workspace.id), 10, 0)
    await append_all(streams, [make_raw(workspace, number) for number in range(3, 6)])

    await drain(worker, workspace)

    assert await stored_texts(database, workspace) == [f"message {number}" for number in range(6)]


async def test_run_replays_after_a_crash_between_commit_and_acknowledgement(worker, workspace, database, streams):
    """COMMIT, then death before XACK: the successor replays the batch, which changes nothing, and acknowledges it."""
    await streams.create_groups()
    await append_all(streams, [make_raw(workspace, number) for number in range(3)])
    await streams.read_new(partition_of(workspace.id), 10, 0)
    batch = [
        factories.received(workspace, factories.make_item(key=f"SM{number}", text=f"message {number}"))
        for number in range(3)
    ]
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, batch)

    await drain(worker, workspace)

    assert await stored_texts(database, workspace) == [f"message {number}" for number in range(3)]


async def test_run_buries_a_poisonous_entry_among_neighbours(worker, workspace, database, streams):
    """One entry that Postgres refuses becomes a dead letter after five deliveries; all its neighbours are stored."""

    async def receive(conn, batch):
        if any(one.item.text == "poison" for one in batch):
            await conn.fetchval("SELECT $1::text", "\x00")
        return await actions.receive(conn, batch)

    worker.receive = receive
    items = [make_raw(workspace, number) for number in range(20)]
    items[13] = make_raw(workspace, 13, b"poison")
    await append_all(streams, items)

    async with running(worker) as deps:
        await wait_drained(streams, workspace)

    assert await stored_texts(database, workspace) == [f"message {number}" for number in range(20) if number != 13]
    (letter,) = await read_dead_letters(database, workspace)
    assert (letter.key, letter.error) == ("SM13", "CharacterNotInRepertoireError")
    assert deps.ports.metrics.failures == 5


async def test_run_replays_a_dead_letter_after_a_fix(worker, workspace, database, streams):
    """A buried item goes through once its parser is mended, with the bytes the vendor sent."""
    await append_all(streams, [make_raw(workspace, 1, b"malformed")])
    await drain(worker, workspace)
    (letter,) = await read_dead_letters(database, workspace)

    worker.deps = lambda made=worker.deps: _with_mended_parser(made())
    await dead_letters.replay(database, streams.append, workspace.id, letter.id)
    await drain(worker, workspace)

    assert await stored_texts(database, workspace) == ["mended"]
    assert await read_dead_letters(database, workspace) == []


def _with_mended_parser(deps):
    deps.ports.connectors.parse = lambda body, context: [factories.make_item(key=context.key, text="mended")]
    return deps


async def test_run_waits_for_postgres(worker, workspace, database, streams):
    """While Postgres is away nothing is acknowledged; when it is back everything is stored, once."""
    outage = [Unavailable("The database is not answering.")] * 4

    async def receive(conn, batch):
        if outage:
            assert not await is_drained(streams, workspace)
            raise outage.pop()
        return await actions.receive(conn, batch)

    worker.receive = receive
    await append_all(streams, [make_raw(workspace, number) for number in range(10)])

    await drain(worker, workspace)

    assert outage == []
    assert await stored_texts(database, workspace) == [f"message {number}" for number in range(10)]
    assert await read_dead_letters(database, workspace) == []


async def test_run_does_not_let_a_locked_workspace_hold_up_another(
    worker, workspace, database, database_urls, streams, routes
):
    """A workspace whose row somebody keeps locked waits alone; its neighbour in the partition is stored meanwhile."""
    neighbours = [await factories.make_workspace(database, name=f"Tenant {number}") for number in range(PARTITIONS)]
    neighbour = next(one for one in neighbours if partition_of(one.id) == partition_of(workspace.id))
    routes.add(neighbour)
    await append_all(streams, [make_raw(workspace, 1), make_raw(neighbour, 2)])

    # On a connection without our timeouts: a busy machine must not end the lock (it idled out after 3 s).
    owner = await asyncpg.connect(database_urls.owner_url)
    try:
        await owner.execute("SET row_security = off")
        async with owner.transaction():
            assert await owner.fetch("SELECT id FROM workspace WHERE id = $1 FOR UPDATE", workspace.id)
            async with running(worker):
                async with asyncio.timeout(30):
                    while await stored_texts(database, neighbour) != ["message 2"]:
                        await asyncio.sleep(0.05)
                assert await stored_texts(database, workspace) == []
    finally:
        await owner.close()

    await drain(worker, workspace)
    assert await stored_texts(database, workspace) == ["message 1"]


async def test_run_finishes_and_leaves_when_cancelled(worker, workspace, database, streams):
    """Stopped in the middle of a batch, it commits, acknowledges and frees its partitions at once."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def receive(conn, batch):
        begun.set()
        await go_on.wait()
        return await actions.receive(conn, batch)

    worker.receive = receive
    await streams.create_groups()
    await append_all(streams, [make_raw(workspace, number) for number in range(5)])
    task = asyncio.create_task(intake.run(worker.deps()))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0.05)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await is_drained(streams, workspace)
    assert len(await stored_texts(database, workspace)) == 5
    heir = Leases(database, "test/1", PARTITIONS)
    await heir.renew()
    assert len(heir.held()) == PARTITIONS


async def test_two_workers_share_and_lose_nothing(worker, workspace, database, streams, routes):
    """While a second worker joins and the first one goes, every item is stored once and in order."""
    second = Worker(database, streams, routes, holder="test/1")
    sent = 0

    async def send(count: int) -> None:
        nonlocal sent
        for _ in range(count):
            await streams.append(make_raw(workspace, sent))
            sent += 1

    async with running(second) as joined:
        async with running(worker):
            await send(100)
            async with asyncio.timeout(10):
                while len(joined.leases.held()) != 8:
                    await send(5)
                    await asyncio.sleep(0.01)
            await send(100)
        await send(100)
        await wait_drained(streams, workspace)

    assert await stored_texts(database, workspace) == [f"message {number}" for number in range(sent)]
