"""Where items go: the stream, or the spool while Redis is away; who waits for whom, and in which order."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import msgspec
import pytest

from connectors.ingress import HOLD_S, IngressWriter
from connectors.raw_items import INLINE_LIMIT_BYTES
from connectors.spool import SpoolWriter
from hub.envelope import StreamItem
from hub.errors import NotFound, Unavailable
from tests.unit.connectors.fakes import ACCOUNT_ID, PostgresRefusal

DOWN = Unavailable("down")


class FakeStreams:
    def __init__(self) -> None:
        self.items: list[str] = []
        self.is_up = True
        self.calls = 0

    async def append(self, item):
        self.calls += 1
        if not self.is_up:
            raise DOWN
        self.items.append(item.key or item.reference)

    async def probe(self):
        if not self.is_up:
            raise DOWN


class FakeDatabase:
    """The spool's table: (workspace, key) of committed rows; rows of a large item's body."""

    def __init__(self) -> None:
        self.spool: list[tuple[int, str]] = []
        self.commits: list[int] = []
        self.bodies: list[bytes] = []
        self.is_up = True
        self.gone: set[int] = set()
        self.can_commit = asyncio.Event()
        self.can_commit.set()
        self.looks = 0
        self.depth = 0
        self.traces: list[str] = []

    @asynccontextmanager
    async def transaction(self, workspace_ids):
        if not self.is_up:
            raise DOWN
        self.written = []
        yield self
        await self.can_commit.wait()
        self.spool += self.written
        self.commits.append(len(self.written))

    async def execute(self, sql, *arguments):
        if "INTO raw_item" in sql:
            self.bodies.append(arguments[4])
            return
        workspace_ids, ids, _, payloads, _ = arguments
        assert ids == sorted(ids)
        if self.gone.intersection(workspace_ids):
            raise PostgresRefusal("23503")
        items = [msgspec.msgpack.decode(one, type=StreamItem) for one in payloads]
        self.written = [(item.workspace_id, item.key) for item in items]
        self.traces += [item.trace for item in items]

    async def ask(self, sql):
        self.looks += 1
        if not self.is_up:
            raise DOWN
        depth = self.depth or len(self.spool)
        return [{"workspace_id": one, "depth": depth} for one in {workspace_id for workspace_id, _ in self.spool}]


class Rig:
    def __init__(self) -> None:
        self.streams = FakeStreams()
        self.database = FakeDatabase()
        self.now_s = 0.0
        self.naps = 0
        self.writer = IngressWriter(self.streams, self.database, sleep=self.nap, monotonic_s=lambda: self.now_s)

    async def nap(self, seconds: float) -> None:
        self.now_s += seconds
        self.naps += 1
        await asyncio.sleep(0)

    async def settle(self, condition) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0)


@pytest.fixture
async def rig():
    made = Rig()
    yield made
    await made.writer.close()


def make_item(key: str, workspace_id: int = 1, body: bytes = b"hello") -> StreamItem:
    return StreamItem(
        workspace_id=workspace_id,
        channel_account_id=str(ACCOUNT_ID),
        channel="sms",
        key=key,
        body=body,
        received_at_ms=1_760_000_000_000,
    )


async def test_append_leaves_postgres_alone_while_redis_is_there(rig):
    """The ordinary path is the stream and nothing else."""
    rig.database.is_up = False

    await rig.writer.append(make_item("a"))

    assert rig.streams.items == ["a"]


async def test_append_spools_while_redis_is_away(rig):
    """An item is taken after its COMMIT, and only the first one waits for Redis."""
    rig.streams.is_up = False

    for key in "abc":
        await rig.writer.append(make_item(key))

    assert rig.database.spool == [(1, "a"), (1, "b"), (1, "c")]
    assert rig.streams.calls == 1
    assert (rig.writer.metrics.spooled, rig.writer.metrics.outages, rig.writer.metrics.is_spooling) == (3, 1, True)


async def test_append_keeps_the_trace_on_every_way(rig):
    """An item that is spooled, its body put into Postgres on top, goes on in the trace it came with."""
    rig.streams.is_up = False

    await rig.writer.append(msgspec.structs.replace(make_item("a"), trace="t-1"))
    large = make_item("b", body=b"x" * (INLINE_LIMIT_BYTES + 1))
    await rig.writer.append(msgspec.structs.replace(large, trace="t-2"))

    assert rig.database.traces == ["t-1", "t-2"]


async def test_append_returns_after_commit(rig):
    """Before COMMIT nobody is told that the item was taken."""
    rig.streams.is_up = False
    rig.database.can_commit.clear()

    task = asyncio.create_task(rig.writer.append(make_item("a")))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    rig.database.can_commit.set()
    await task


async def test_append_is_refused_when_both_are_away(rig):
    """With neither store there is no yes: the vendor must come back."""
    rig.streams.is_up = rig.database.is_up = False

    with pytest.raises(Unavailable):
        await rig.writer.append(make_item("a"))

    assert rig.writer.metrics.refused == 1


async def test_append_shares_transactions(rig):
    """Those who come while a transaction runs share the next one, and its fsync."""
    rig.streams.is_up = False
    await rig.writer.append(make_item("first"))
    rig.database.can_commit.clear()
    tasks = [asyncio.create_task(rig.writer.append(make_item(f"k{number}"))) for number in range(50)]
    for _ in range(5):
        await asyncio.sleep(0)
    rig.database.can_commit.set()
    await asyncio.gather(*tasks)

    assert len(rig.database.commits) <= 3
    assert rig.database.spool == [(1, "first"), *((1, f"k{number}") for number in range(50))]


async def test_append_follows_what_is_still_spooled(rig):
    """Redis is back: a workspace with items in the spool is spooled on, another goes direct, until the spool is empty."""
    rig.streams.is_up = False
    await rig.writer.append(make_item("a", 1))
    rig.streams.is_up = True
    rig.database.depth = 10_000
    await rig.settle(lambda: rig.database.looks >= 2)

    await rig.writer.append(make_item("b", 1))
    await rig.writer.append(make_item("c", 2))
    assert rig.database.spool == [(1, "a"), (1, "b")]
    assert rig.streams.items == ["c"]

    rig.database.spool.clear()
    await rig.settle(lambda: not rig.writer.metrics.is_spooling)
    await rig.writer.append(make_item("d", 1))
    assert rig.streams.items == ["c", "d"]


async def test_append_waits_for_the_last_of_the_spool(rig):
    """Traffic that never pauses gets out of the spool: with little left in it, calls wait for it and go direct."""
    rig.streams.is_up = False
    await rig.writer.append(make_item("a"))
    rig.streams.is_up = True
    await rig.settle(lambda: rig.database.looks >= 2)

    task = asyncio.create_task(rig.writer.append(make_item("b")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not task.done()
    rig.streams.items.append(rig.database.spool.pop()[1])
    await task

    assert rig.streams.items == ["a", "b"]
    assert rig.database.spool == []


async def test_append_does_not_follow_for_ever(rig):
    """A spool that does not drain holds new items back for the time we say, not longer."""
    rig.streams.is_up = False
    await rig.writer.append(make_item("a"))
    rig.streams.is_up = True

    await rig.settle(lambda: not rig.writer.metrics.is_spooling)

    assert HOLD_S <= rig.now_s <= HOLD_S + 3
    await rig.writer.append(make_item("b"))
    assert rig.streams.items == ["b"]


async def test_append_goes_to_redis_when_postgres_leaves_in_turn(rig):
    """Redis is back and Postgres has gone: order is given up, items are not."""
    rig.streams.is_up = False
    await rig.writer.append(make_item("a"))
    rig.streams.is_up = True
    await rig.settle(lambda: rig.database.looks >= 1)
    rig.database.is_up = False

    await rig.writer.append(make_item("b"))

    assert rig.streams.items == ["b"]


async def test_append_notes_a_second_outage(rig):
    """Redis that goes again while the spool drains is an outage like the first."""
    rig.streams.is_up = False
    await rig.writer.append(make_item("a", 1))
    rig.streams.is_up = True
    await rig.settle(lambda: rig.database.looks >= 2)
    rig.streams.is_up = False

    await rig.writer.append(make_item("b", 2))
    await rig.writer.append(make_item("c", 3))

    assert [key for _, key in rig.database.spool] == ["a", "b", "c"]
    assert rig.writer.metrics.outages == 2
    rig.streams.is_up = True
    rig.database.spool.clear()
    await rig.settle(lambda: not rig.writer.metrics.is_spooling)


async def test_append_puts_large_bodies_into_postgres(rig):
    """What is too large for a stream goes on it as a reference, and into the spool as one."""
    body = b"x" * (INLINE_LIMIT_BYTES + 1)

    await rig.writer.append(make_item("a", body=body))
    rig.streams.is_up = False
    await rig.writer.append(make_item("b", body=body))

    assert rig.database.bodies == [body, body]
    assert (rig.streams.items, rig.database.spool) == (["a"], [(1, "b")])


async def test_spool_tells_a_gone_workspace_from_its_neighbours(rig):
    """An item of a workspace that was deleted meanwhile keeps nobody else's out."""
    rig.database.gone = {2}
    spool = SpoolWriter(rig.database)

    answers = await asyncio.gather(
        *(spool.write(make_item(f"k{number}", number)) for number in (1, 2, 3)), return_exceptions=True
    )

    assert [type(one) for one in answers] == [type(None), NotFound, type(None)]
    assert rig.database.spool == [(1, "k1"), (3, "k3")]
