"""The spool over a real Postgres and a durable Redis that is killed: what was taken arrives once and in order."""

from __future__ import annotations

import asyncio

import pytest

from connectors.drain import DRAIN_ITEMS, SpoolDrain
from connectors.ingress import IngressWriter
from connectors.spool import SpoolWriter
from hub.errors import Unavailable
from hub.streams import PARTITIONS, IngressStreams, partition_of
from tests import factories
from tests.integration.connectors.conftest import Worker, make_raw, stored_texts
from tests.integration.connectors.test_intake import running, wait_drained
from tests.integration.hub.streams.conftest import server  # noqa: F401  a server of the test's own

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

EVERY = set(range(PARTITIONS))


class BrokenStreams:
    """Takes so many items, then none; notes what it was given."""

    def __init__(self, room: int = 10**9) -> None:
        self.room = room
        self.taken = []
        self.is_up = True

    async def append(self, item):
        if self.room <= len(self.taken):
            raise Unavailable("full")
        self.taken.append(item)

    async def probe(self):
        if not self.is_up:
            raise Unavailable("down")


async def spooled(database) -> int:
    rows = await database.ask("SELECT hub_spool_count() AS amount")
    return rows[0]["amount"]


async def fill(database, workspace, count: int) -> None:
    spool = SpoolWriter(database)
    for start in range(0, count, 50):
        await asyncio.gather(*(spool.write(make_raw(workspace, number)) for number in range(start, start + 50)))


async def test_drain_moves_in_order_and_whole(database, workspace):
    """More than one page of items come out as they went in, oldest first, and the spool is empty."""
    count = DRAIN_ITEMS + 100
    await fill(database, workspace, count)
    streams = BrokenStreams()
    drain = SpoolDrain(database, streams, lambda: EVERY)

    assert await drain.run() == count

    assert streams.taken == [make_raw(workspace, number) for number in range(count)]
    assert await spooled(database) == 0
    assert drain.drained == count


async def test_drain_leaves_what_redis_refuses(database, workspace):
    """A Redis that fills up gets the first items; the rest stays, in order, until it takes them."""
    await fill(database, workspace, 50)
    streams = BrokenStreams(room=20)
    now_s = 0.0
    drain = SpoolDrain(database, streams, lambda: EVERY, lambda: now_s)

    assert await drain.run() == 20
    assert await spooled(database) == 30
    streams.room = 1000
    assert await drain.run() == 0, "asked again too early"
    now_s = 2.0
    assert await drain.run() == 30
    assert [one.key for one in streams.taken] == [f"SM{number}" for number in range(50)]


async def test_drain_waits_for_redis_without_reading(database, workspace):
    """While Redis is away nothing is read, moved or lost, and it is no error of the job."""
    await fill(database, workspace, 50)
    streams = BrokenStreams()
    streams.is_up = False

    assert await SpoolDrain(database, streams, lambda: EVERY).run() == 0

    assert await spooled(database) == 50


async def test_drain_keeps_to_its_partitions(database, workspace):
    """A worker empties the spool of the partitions it leases, so that two never move the same items."""
    await fill(database, workspace, 50)
    others = EVERY - {partition_of(workspace.id)}

    assert await SpoolDrain(database, BrokenStreams(), lambda: others).run() == 0
    assert await SpoolDrain(database, BrokenStreams(), lambda: {partition_of(workspace.id)}).run() == 50


async def test_spooled_workspaces_are_each_named_once(database, workspace):
    """The look at the spool names every workspace with items, however many it has."""
    others = [await factories.make_workspace(database, name=f"Tenant {number}") for number in range(3)]
    for one in (workspace, others[0], others[2]):
        await fill(database, one, 50)

    rows = await database.ask("SELECT workspace_id FROM hub_spooled_workspaces()")

    assert [row["workspace_id"] for row in rows] == sorted(one.id for one in (workspace, others[0], others[2]))


async def test_items_of_an_outage_arrive_once_and_in_order(database, workspace, routes, server):  # noqa: F811
    """Redis is killed and comes back; items taken before, during and after become messages in their order."""
    streams = server.open()
    writer = IngressWriter(streams, database)
    worker = Worker(database, streams, routes)
    async with running(worker) as deps:
        drain = SpoolDrain(database, streams, deps.leases.held)

        async def draining() -> None:
            while True:
                await drain.run()
                await asyncio.sleep(0.1)

        task = asyncio.create_task(draining())
        for number in range(100):
            await writer.append(make_raw(workspace, number))
        await server.kill()
        for number in range(100, 200):
            await writer.append(make_raw(workspace, number))
        assert await spooled(database) >= 100
        await server.start()
        number = 200
        while writer.metrics.is_spooling:
            await writer.append(make_raw(workspace, number))
            number += 1
            await asyncio.sleep(0.01)
        await writer.append(make_raw(workspace, number))
        await wait_drained(streams, workspace)
        async with asyncio.timeout(10):
            while len(await stored_texts(database, workspace)) < number + 1:
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await writer.close()

    assert await stored_texts(database, workspace) == [f"message {one}" for one in range(number + 1)]
    assert await spooled(database) == 0


async def test_a_hung_redis_is_waited_for_once(database, workspace, server):  # noqa: F811
    """A server that neither answers nor hangs up costs the first callers its timeout, and nobody after them."""
    import os
    import signal
    import time

    streams = IngressStreams(server.url)
    writer = IngressWriter(streams, database)
    await writer.append(make_raw(workspace, 0))
    pid = server._server.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        started_s = time.monotonic()
        await asyncio.gather(*(writer.append(make_raw(workspace, number)) for number in range(1, 20)))
        first_s = time.monotonic() - started_s
        await asyncio.gather(*(writer.append(make_raw(workspace, number)) for number in range(20, 40)))
        second_s = time.monotonic() - started_s - first_s
    finally:
        os.kill(pid, signal.SIGCONT)
    await writer.close()
    await streams.close()

    assert first_s < 5
    assert second_s < 1
    assert await spooled(database) == 39
