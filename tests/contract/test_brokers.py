"""One body over both brokers: what ``hub/realtime/broker.py`` promises."""

from __future__ import annotations

import asyncio
import shutil
import socket
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

    def broker(self, **options):
        return MemoryBroker(self.bus, **options)

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

    def broker(self, **options):
        return RedisBroker(self.url, **options)

    async def mend(self):
        self.process = await asyncio.create_subprocess_exec(
            str(find_valkey().path), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir",
            str(self.folder), stdout=asyncio.subprocess.DEVNULL)  # fmt: skip
        await wait_until(self.listens)

    def listens(self):
        """The file is there before anybody listens behind it."""
        with socket.socket(socket.AF_UNIX) as caller:
            return caller.connect_ex(str(self.socket)) == 0

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
    """Two processes with listeners that want the workspaces 1 to 17, and one that only publishes."""
    started = [(wire.broker(), Recorder()), (wire.broker(), Recorder()), (wire.broker(), None)]
    for broker, listener in started:
        await broker.start(listener)
        if listener is not None:
            for workspace_id in range(1, SHARDS + 2):
                await broker.want(workspace_id)
    yield started
    for broker, _ in started:
        await broker.stop()


def event(seq, workspace_id=1, type_="note_added", **fields):
    data = f'{{"type":"{type_}","n":{seq}}}'.encode()
    return LoggedEvent(workspace_id=workspace_id, seq=seq, type=type_, data=data, **fields)


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


async def test_only_what_is_wanted_is_heard(wire):
    """Neither another workspace of the same shard nor another shard reaches a listener; accounts of all reach everybody."""
    broker, heard = wire.broker(), Recorder()
    everything, publisher = Recorder(), wire.broker()
    tail = wire.broker()
    await broker.start(heard)
    await tail.start(everything, hears_all=True)
    await publisher.start()
    await broker.want(3)
    try:
        told = [event(1, 3), event(1, 3 + SHARDS), event(1, 4), event(2, 3)]
        publisher.publish(told)
        publisher.publish_signal(3 + SHARDS, b"no")
        publisher.publish_signal(3, b"yes")
        account = event(1, 9, type_="channel_account_changed")
        publisher.publish([account])
        await wait_until(lambda: len(everything.events) == 5 and account in heard.events and heard.signals)
        assert [one for one in heard.events if one != account] == [told[0], told[3]]
        assert heard.signals == [(3, b"yes")]
    finally:
        for one in (broker, tail, publisher):
            await one.stop()


async def test_interest_is_counted_and_outlives_its_last_release(wire):
    """Two feeds want, one releases: still heard. Both release: heard for a while, then no more, and again when wanted."""
    broker, heard, publisher = wire.broker(linger_s=0.1), Recorder(), wire.broker()
    await broker.start(heard)
    await publisher.start()
    try:
        await broker.want(7)
        await broker.want(7)
        broker.release(7)
        await asyncio.sleep(0.3)
        publisher.publish([event(1, 7)])
        await wait_until(lambda: len(heard.events) == 1)
        broker.release(7)
        publisher.publish([event(2, 7)])
        await wait_until(lambda: len(heard.events) == 2)
        await asyncio.sleep(0.3)
        publisher.publish([event(3, 7)])
        await asyncio.sleep(0.2)  # nothing to wait for: it must not come
        await broker.want(7)
        publisher.publish([event(4, 7)])
        await wait_until(lambda: len(heard.events) >= 3)
        assert [one.seq for one in heard.events] == [1, 2, 4]
    finally:
        await broker.stop()
        await publisher.stop()


async def test_what_was_wanted_during_an_outage_is_heard_after_it(wire):
    """Wanting does not wait for a wire that is down; the gap that ends the outage covers the new workspace too."""
    broker, heard, publisher = wire.broker(), Recorder(), wire.broker()
    await broker.start(heard)
    await publisher.start()
    try:
        await wire.cut()
        async with asyncio.timeout(5):
            await broker.want(5)
        before = heard.gaps
        await wire.mend()
        await wait_until(lambda: heard.gaps > before)
        publisher.publish([event(1, 5)])
        await wait_until(lambda: [one.seq for one in heard.events] == [1])
    finally:
        await broker.stop()
        await publisher.stop()


@pytest.mark.redis
async def test_a_shard_is_subscribed_once_while_somebody_wants_it():
    """Redis sends nothing but the channel for all before the first interest, and nothing more after the last."""
    from redis.asyncio import Redis

    wire = ValkeyWire()
    await wire.mend()
    broker = wire.broker(linger_s=0.0)
    await broker.start(Recorder())
    client = Redis.from_url(wire.url, protocol=2)

    async def subscribed():
        channels = await client.pubsub_channels("hub:*")
        return {channel.decode(): count for channel, count in await client.pubsub_numsub(*channels)}

    try:
        assert await subscribed() == {"hub:all": 1}
        await asyncio.gather(*(broker.want(number) for number in (1, 2, 1 + SHARDS, 1)))
        assert await subscribed() == {"hub:all": 1, "hub:{1}": 1, "hub:{2}": 1}
        assert broker.shards == 2
        for number in (1, 2, 1):
            broker.release(number)
        async with asyncio.timeout(5):
            while len(await subscribed()) != 2:  # Redis tells nobody
                await asyncio.sleep(0.01)
        assert await subscribed() == {"hub:all": 1, "hub:{1}": 1}
    finally:
        await client.aclose()
        await broker.stop()
        await wire.close()


@pytest.mark.redis
async def test_events_of_workspaces_nobody_wants_are_not_decoded():
    """One that cannot be decoded does no harm where it is not wanted: it is not looked into."""
    wire = ValkeyWire()
    await wire.mend()
    broker, heard, publisher = wire.broker(), Recorder(), wire.broker()
    await broker.start(heard)
    await publisher.start()
    await broker.want(1)
    try:
        publisher.publish([event("not a number", 1 + SHARDS)])
        await wait_until(lambda: broker.ignored == 1)
        publisher.publish([event(1, 1), event(1, 1 + SHARDS)])
        await wait_until(lambda: heard.events == [event(1, 1)])
        assert (broker.ignored, heard.gaps) == (1, 0)
        publisher.publish([event("not a number", 1)])
        await wait_until(lambda: heard.gaps == 1)
    finally:
        await broker.stop()
        await publisher.stop()
        await wire.close()


@pytest.mark.redis
async def test_a_shard_left_and_wanted_again_at_once_is_heard():
    """However the end of one subscription and the beginning of the next meet."""
    wire = ValkeyWire()
    await wire.mend()
    broker, heard, publisher = wire.broker(linger_s=0.0), Recorder(), wire.broker()
    await broker.start(heard)
    await publisher.start()
    try:
        for seq in range(1, 21):
            async with asyncio.timeout(5):
                await asyncio.gather(broker.want(1), broker.want(1 + SHARDS))
                broker.release(1 + SHARDS)
                for _ in range(seq % 4):
                    await asyncio.sleep(0)
            publisher.publish([event(seq)])
            await wait_until(lambda: heard.events and heard.events[-1].seq == seq)  # noqa: B023
            broker.release(1)
            for _ in range(seq % 5):
                await asyncio.sleep(0)
        assert [one.seq for one in heard.events] == list(range(1, 21))
    finally:
        await broker.stop()
        await publisher.stop()
        await wire.close()


@pytest.mark.redis
async def test_stopping_in_the_middle_of_a_subscription_leaves_nothing_behind():
    """A wire that is down answers nobody: stop comes back all the same."""
    wire = ValkeyWire()
    await wire.mend()
    broker = wire.broker()
    await broker.start(Recorder())
    wanting = asyncio.ensure_future(broker.want(3))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await broker.stop()
        await asyncio.wait([wanting])
    await wire.close()
