"""The ingress streams on real servers: durability, order, takeover, trim, a full and an emptied server."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from hub.envelope import StreamItem
from hub.errors import Unavailable
from hub.streams import PARTITIONS, Entry, partition_of, stream_key
from tests.integration.hub.streams.conftest import make_stream_item

pytestmark = pytest.mark.redis


def keys(entries: list[Entry]) -> list[str]:
    return [msgspec.msgpack.decode(one.payload, type=StreamItem).key for one in entries if one.payload]


def ids(entries: list[Entry]) -> list[str]:
    return [one.id for one in entries]


async def append_many(streams, count: int, **fields) -> None:
    for number in range(count):
        await streams.append(make_stream_item(number, **fields))


async def test_append_reaches_its_partition_whole(server):
    """An item comes out of its workspace's partition as it went in, odd bytes and all."""
    streams = server.open()
    await streams.create_groups()
    item = make_stream_item(body=b"\x00\xff\r\n$5\r\n" * 100, workspace_id=35)

    await streams.append(item)

    (entry,) = await streams.read_new(partition_of(35), 10, 0)
    assert msgspec.msgpack.decode(entry.payload, type=StreamItem) == item
    assert entry.deliveries == 1


async def test_append_coalesces_one_turn_of_the_loop(server):
    """Two hundred callers of one turn cost the server one write, and keep their order."""
    streams = server.open()
    await streams.create_groups()

    await asyncio.gather(*(streams.append(make_stream_item(number)) for number in range(200)))

    assert streams.metrics.append_batches == 1
    assert streams.metrics.appended == 200
    assert keys(await streams.read_new(3, 500, 0)) == [f"k{number}" for number in range(200)]


async def test_append_survives_a_killed_server(server):
    """What was acknowledged is there after kill -9 and a restart; what was not is told so, never silently dropped."""
    streams = server.open()
    await streams.create_groups()
    acknowledged: list[str] = []
    refused: list[str] = []

    async def write(number: int) -> None:
        try:
            await streams.append(make_stream_item(number))
        except Unavailable:
            refused.append(f"k{number}")
        else:
            acknowledged.append(f"k{number}")

    async def write_all() -> None:
        for start in range(0, 4000, 20):
            await asyncio.gather(*(write(number) for number in range(start, start + 20)))

    writing = asyncio.create_task(write_all())
    while len(acknowledged) < 500:
        await asyncio.sleep(0)
    await server.kill()
    await writing
    await server.start()

    kept = set(keys(await server.open().read_new(3, 10_000, 0)))
    assert len(acknowledged) >= 500
    assert refused
    assert set(acknowledged) - kept == set()


async def test_append_works_again_after_a_restart(server):
    """Connections that died with the server are replaced: the first item after the restart goes through."""
    streams = server.open()
    await streams.append(make_stream_item(1))
    await server.kill()
    with pytest.raises(Unavailable):
        await streams.append(make_stream_item(2))
    await server.start()

    await streams.append(make_stream_item(3))

    assert streams.metrics.appended == 2
    assert streams.metrics.append_refused == 1


async def test_append_over_a_dead_connection_is_tried_once_more(server):
    """A restart between two items is not seen by the second caller."""
    streams = server.open()
    await streams.append(make_stream_item(1))
    await server.kill()
    await server.start()

    await streams.append(make_stream_item(2))

    assert streams.metrics.append_refused == 0


async def test_append_is_refused_by_a_closed_stream(server):
    """After close nobody waits for a reply that cannot come."""
    streams = server.open()
    await streams.close()

    with pytest.raises(Unavailable):
        await streams.append(make_stream_item())


async def test_append_refused_by_a_replica_is_unavailable(server):
    """A server that became read-only (a failover) takes nothing, and says so."""
    streams = server.open()
    async with Redis.from_url(server.url) as admin:
        await admin.execute_command("REPLICAOF", "127.0.0.1", "1")

        with pytest.raises(Unavailable):
            await streams.append(make_stream_item())

        await admin.execute_command("REPLICAOF", "NO", "ONE")
    await streams.append(make_stream_item())


async def test_append_ends_waiting_callers_of_a_cancelled_one(server):
    """A caller that is cancelled (its vendor hung up) takes nobody else's reply with it."""
    streams = server.open()
    waiting = [asyncio.create_task(streams.append(make_stream_item(number))) for number in range(10)]
    await asyncio.sleep(0)
    waiting[4].cancel()

    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(one) for one in answers] == [type(None)] * 4 + [asyncio.CancelledError] + [type(None)] * 5


async def test_read_own_pending_finds_what_the_last_holder_left(server):
    """A new leaseholder gets the old one's unacknowledged entries at once, in order, with their counts."""
    first = server.open()
    await first.create_groups()
    await append_many(first, 5)
    taken = await first.read_new(3, 3, 0)
    await first.ack(3, [taken[0].id])

    second = server.open()
    pending = await second.read_own_pending(3, "0", 10)

    assert ids(pending) == ids(taken[1:])
    assert [one.deliveries for one in pending] == [2, 2]
    assert ids(await second.read_own_pending(3, pending[0].id, 10)) == [pending[1].id]
    assert keys(await second.read_new(3, 10, 0)) == ["k3", "k4"]


async def test_read_new_wakes_at_the_first_entry(server):
    """A blocked read returns as soon as there is something, longer than redis-py's own timeout allows for nothing."""
    streams = server.open()
    await streams.create_groups()
    reading = asyncio.create_task(streams.read_new(3, 10, 2_000))
    await asyncio.sleep(0.05)

    await streams.append(make_stream_item(7))

    async with asyncio.timeout(1):
        assert keys(await reading) == ["k7"]


async def test_read_new_returns_nothing_after_its_block(server):
    """An idle stream gives an empty list, not an error."""
    streams = server.open()
    await streams.create_groups()

    assert await streams.read_new(3, 10, 20) == []


async def test_claim_stale_takes_entries_of_a_silent_consumer(server):
    """Whoever holds an entry too long loses it, whatever name it read under; fresh ones are left alone."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 2)
    async with Redis.from_url(server.url, protocol=2) as other:
        await other.xreadgroup("intake", "somebody-else", {stream_key(3): ">"}, count=2)

    assert (await streams.claim_stale(3, 30_000, 10)).entries == []
    claimed = await streams.claim_stale(3, 0, 10)

    assert keys(claimed.entries) == ["k0", "k1"]
    assert [one.deliveries for one in claimed.entries] == [2, 2]
    assert claimed.lost_ids == []
    assert streams.metrics.entries_lost == 0


async def test_lost_content_raises_the_alarm(server):
    """Entries trimmed away while pending are lost data: counted, never passed over in silence."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 3)
    taken = await streams.read_new(3, 3, 0)
    async with Redis.from_url(server.url) as vandal:
        await vandal.xtrim(stream_key(3), maxlen=1, approximate=False)

    pending = await streams.read_own_pending(3, "0", 10)

    assert [one.payload is None for one in pending] == [True, True, False]
    assert streams.metrics.entries_lost == 2
    claimed = await streams.claim_stale(3, 0, 10)
    assert claimed.lost_ids == ids(taken[:2])
    assert streams.metrics.entries_lost == 4


async def test_trim_never_drops_pending(server):
    """Trim goes up to the oldest entry nobody has acknowledged, whatever was acknowledged above it."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 10)
    taken = await streams.read_new(3, 8, 0)
    await streams.ack(3, [one.id for one in taken if one.id != taken[2].id])

    assert await streams.trim(3) == 2

    assert keys(await streams.read_own_pending(3, "0", 10)) == ["k2"]
    assert keys(await streams.read_new(3, 10, 0)) == ["k8", "k9"]


async def test_trim_goes_to_the_last_delivered_when_nothing_is_pending(server):
    """With everything stored only the newest entry stays, and what comes next is not touched."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 10)
    taken = await streams.read_new(3, 6, 0)
    await streams.ack(3, ids(taken))

    assert await streams.trim(3) == 5
    assert await streams.trim(3) == 0
    assert keys(await streams.read_new(3, 10, 0)) == ["k6", "k7", "k8", "k9"]


async def test_trim_waits_for_every_group(server):
    """A second reader of the stream keeps what it has not read."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 4)
    async with Redis.from_url(server.url) as other:
        await other.xgroup_create(stream_key(3), "archive", id="0")
    await streams.ack(3, ids(await streams.read_new(3, 4, 0)))

    assert await streams.trim(3) == 0
    assert await streams.trim(4) == 0


async def test_a_full_server_refuses_items_and_still_drains(server):
    """At maxmemory nothing is taken in, everything can be read, stored, acknowledged, claimed and trimmed; then there
    is room again."""
    await server.kill()
    await server.start(maxmemory_bytes=8 * 1024 * 1024)
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 300)
    taken = await streams.read_new(3, 50, 0)

    async def fill() -> None:
        for number in range(2000):
            await streams.append(make_stream_item(number, body=b"x" * 32_768))

    with pytest.raises(Unavailable):
        await fill()
    appended = streams.metrics.appended

    assert ids(await streams.read_own_pending(3, "0", 50)) == ids(taken)
    assert await streams.ack(3, ids(taken)) == 50
    read = 50
    while entries := await streams.read_new(3, 200, 10):
        read += len(entries)
        assert ids((await streams.claim_stale(3, 0, 1)).entries) == ids(entries[:1])
        await streams.ack(3, ids(entries))
    assert read == appended
    assert await streams.trim(3) == appended - 1
    await streams.append(make_stream_item(1))


async def test_a_missing_group_raises_the_alarm_and_starts_over(server):
    """A server that comes back empty is noticed at the next read: alarm, a new group from the first entry on."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 3)
    await server.kill()
    server.lose_everything()
    await server.start()
    await streams.append(make_stream_item(9))

    with pytest.raises(Unavailable):
        await streams.read_new(3, 10, 0)

    assert streams.metrics.groups_missing == 1
    assert keys(await streams.read_new(3, 10, 0)) == ["k9"]


async def test_create_groups_is_done_once(server):
    """The first start ever makes sixteen groups, every other finds them."""
    streams = server.open()

    assert await streams.create_groups() == PARTITIONS
    assert await streams.create_groups() == 0


async def test_set_aside_keeps_the_bytes(server):
    """An unreadable entry leaves the stream and keeps its bytes."""
    streams = server.open()
    await streams.create_groups()
    async with Redis.from_url(server.url) as stranger:
        await stranger.xadd(stream_key(3), {"item": b"\xc1junk"})
        (entry,) = await streams.read_new(3, 10, 0)

        await streams.set_aside(3, entry)

        ((_, fields),) = await stranger.xrange(f"{stream_key(3)}:unreadable")
    assert fields == {b"item": b"\xc1junk"}
    assert await streams.read_own_pending(3, "0", 10) == []


async def test_backlog_counts_what_waits(server):
    """Length, unread and unacknowledged entries of a partition are measured."""
    streams = server.open()
    await streams.create_groups()
    await append_many(streams, 5)
    await streams.read_new(3, 2, 0)

    backlog = await streams.backlog(3)

    assert (backlog.length, backlog.undelivered, backlog.pending) == (5, 3, 2)
    assert streams.metrics.backlog[3] == backlog


async def test_everything_is_unavailable_while_the_server_is_down(server):
    """A server that is away is one error in our own words, for every call."""
    streams = server.open()
    await server.kill()

    for call in (
        streams.append(make_stream_item()),
        streams.read_new(3, 10, 10),
        streams.read_own_pending(3, "0", 10),
        streams.ack(3, ["1-0"]),
        streams.claim_stale(3, 0, 10),
        streams.trim(3),
        streams.backlog(3),
        streams.create_groups(),
    ):
        with pytest.raises(Unavailable):
            await call
