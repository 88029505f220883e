"""One body over both brokers: what ``hub/realtime/broker.py`` promises."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from uuid import uuid4

import pytest

from hub.embedded.binaries import find_valkey
from hub.events.model import LoggedEvent
from hub.realtime.broker import SHARDS
from hub.realtime.broker_memory import MemoryBroker, MemoryBus
from hub.realtime.broker_redis import QUEUE_LIMIT, RedisBroker
from tests.waiting import wait_until


class Recorder:
    """A listener that records."""

    def __init__(self):
        self.events, self.signals, self.gaps = [], [], 0

    def on_events(self, events):
        self.events.extend(events)

    def on_signal(self, workspace_id, data):
        self.signals.append((workspace_id, data))

    def on_gap(self):
        self.gaps += 1


class MemoryWire:
    def __init__(self):
        self.bus = MemoryBus()

    def broker(self):
        return MemoryBroker(self.bus)

    async def cut(self):
        self.bus.cut()

    async def mend(self):
        self.bus.mend()

    async def close(self):
        pass


class ValkeyWire:
    """A Valkey of this test's own, killed and started again."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="hub-broker-"))
        self.socket = self.folder / "v.sock"
        self.url = f"unix://{self.socket}"
        self.process = None

    def broker(self):
        return RedisBroker(self.url)

    async def mend(self):
        self.process = await asyncio.create_subprocess_exec(
            str(find_valkey().path), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir",
            str(self.folder), stdout=asyncio.subprocess.DEVNULL)  # fmt: skip
        await wait_until(self.socket.exists)

    async def cut(self):
        self.process.kill()
        await self.process.wait()
        self.socket.unlink(missing_ok=True)

    async def close(self):
        if self.process is not None and self.process.returncode is None:
            await self.cut()
        shutil.rmtree(self.folder, ignore_errors=True)


@pytest.fixture(params=["memory", pytest.param("valkey", marks=pytest.mark.redis)])
async def wire(request):
    made = MemoryWire() if request.param == "memory" else ValkeyWire()
    if request.param == "valkey":
        await made.mend()
    yield made
    await made.close()


@pytest.fixture
async def two(wire):
    """Two processes with listeners, and one that only publishes."""
    started = [(wire.broker(), Recorder()), (wire.broker(), Recorder()), (wire.broker(), None)]
    for broker, listener in started:
        await broker.start(listener)
    yield started
    for broker, _ in started:
        await broker.stop()


def event(seq, workspace_id=1, **fields):
    data = f'{{"type":"note_added","n":{seq}}}'.encode()
    return LoggedEvent(workspace_id=workspace_id, seq=seq, type="note_added", data=data, **fields)


async def test_events_reach_every_listener_unchanged(two):
    """Every field survives the wire, in every shard, and the publisher's own process hears it once too."""
    (broker, mine), (_, other), _ = two
    events = [
        event(number, number, inbox_id=uuid4(), former_inbox_id=uuid4(), conversation_id=uuid4(), conversation_seq=3)
        for number in range(1, SHARDS + 2)
    ]
    broker.publish(events)
    await wait_until(lambda: len(other.events) == len(events) == len(mine.events))
    key = lambda one: one.workspace_id  # noqa: E731
    assert sorted(other.events, key=key) == events
    assert mine.events == events


async def test_a_process_without_sockets_publishes_only(two):
    """What `work` commits reaches the processes with sockets, in the order of one workspace."""
    (_, mine), (_, other), (worker, _) = two
    for seq in range(1, 501):
        worker.publish([event(seq)])
    await wait_until(lambda: len(mine.events) == len(other.events) == 500)
    assert [one.seq for one in mine.events] == list(range(1, 501))


async def test_signals_reach_every_listener(two):
    """Typing and the like travel as bytes."""
    (broker, mine), (_, other), _ = two
    broker.publish_signal(5, b'{"t":"x"}')
    await wait_until(lambda: mine.signals == other.signals == [(5, b'{"t":"x"}')])


async def test_an_outage_is_owned_up_to_and_over_when_the_wire_is_back(wire, two):
    """What was published meanwhile is lost to others, not to the own process; then on_gap; then all is as before."""
    (broker, mine), (_, other), _ = two
    await wire.cut()
    broker.publish([event(1)])
    await wait_until(lambda: [one.seq for one in mine.events] == [1])
    before = other.gaps
    await wire.mend()
    await wait_until(lambda: other.gaps > before and mine.gaps > 0)
    broker.publish([event(2)])
    broker.publish_signal(1, b"x")
    await wait_until(lambda: 2 in [one.seq for one in other.events] and other.signals)


async def test_a_second_outage_is_owned_up_to_as_well(wire, two):
    """Reconnecting works more than once."""
    _, (_, other), (worker, _) = two
    for round_ in range(1, 3):
        before = other.gaps
        await wire.cut()
        await wire.mend()
        await wait_until(lambda: other.gaps > before)  # noqa: B023
        worker.publish([event(round_)])
        await wait_until(lambda: round_ in [one.seq for one in other.events])  # noqa: B023


@pytest.mark.redis
async def test_redis_broker_starts_and_publishes_without_redis():
    """No Redis: start and publish return at once, the own process hears itself, the queue is bounded."""
    wire = ValkeyWire()
    broker, mine = wire.broker(), Recorder()
    try:
        async with asyncio.timeout(5):
            await broker.start(mine)
        broker.publish([event(seq) for seq in range(1, QUEUE_LIMIT + 101)])
        await wait_until(lambda: len(mine.events) == QUEUE_LIMIT + 100)
        assert broker.dropped >= 100
        await wire.mend()
        await wait_until(lambda: mine.gaps > 0)
    finally:
        await broker.stop()
        await wire.close()


@pytest.mark.redis
async def test_redis_broker_takes_one_subscription_a_shard():
    """Each process subscribes to sixteen channels once."""
    from redis.asyncio import Redis

    wire = ValkeyWire()
    await wire.mend()
    broker = wire.broker()
    await broker.start(Recorder())
    client = Redis.from_url(wire.url, protocol=2)
    try:
        channels = await client.pubsub_channels("hub:*")
        counts = await client.pubsub_numsub(*channels)
        assert len(channels) == SHARDS
        assert {count for _, count in counts} == {1}
    finally:
        await client.aclose()
        await broker.stop()
        await wire.close()
