"""Large audiences: spread over turns, fair to other workspaces, and still everything once and in order."""

import asyncio
from itertools import pairwise

from msgspec import structs

from hub.realtime.audience import Audience, audience_key
from hub.realtime.connections import FLUSH_PER_TURN
from hub.realtime.fanout import SLICE
from hub.realtime.turns import SLICE as TURN_SLICE
from tests.realtime_fakes import FakeSink, Rig, events_of, settle, until

HUGE = 100_000


class Tally:
    """One sink for a crowd: which data each socket was given, as few objects as that takes."""

    def __init__(self):
        self.given = {}
        self.writes = 0

    def write(self, connection, data):
        self.writes += 1
        self.given[connection] = self.given.get(connection, b"") + data

    def close(self, connection, code, reason):
        pass


async def crowd(rig, size, workspace_id, sink=None):
    """Put members straight into their audience, as hello would."""
    sink = sink or Tally()
    grant = rig.ports.member(f"crowd{workspace_id}", workspace_id)
    rig.ports.logs.setdefault(workspace_id, [])
    feed = await rig.hub.feeds.open(workspace_id)
    key = audience_key(grant)
    audience = feed.audiences.setdefault(key, Audience(key, feed.last))
    connections = []
    for _ in range(size):
        connection = rig.hub.attach(sink, None)
        connection.grant = grant
        rig.hub.connections.rename(connection, "member")
        rig.hub.fanout.bind(connection)
        connection.position = feed.last
        rig.hub.fanout.join(connection, audience)
        connections.append(connection)
    return feed, sink, connections


async def test_an_audience_of_100_000_is_spread_over_turns_and_gets_everything_once_in_order():
    """No turn queues or writes more than its share; three events reach each of them in order."""
    async with Rig() as rig:
        feed, sink, _ = await crowd(rig, HUGE, 1)
        events = [rig.ports.append(1) for _ in range(3)]
        rig.hub.on_events(events)
        assert feed.unfinished is not None
        turns = most = 0
        async with asyncio.timeout(60):
            while feed.last < 3 or feed.unfinished is not None or rig.hub.connections.dirty:
                before = sink.writes
                await asyncio.sleep(0)
                turns, most = turns + 1, max(most, sink.writes - before)
        assert most <= FLUSH_PER_TURN
        assert turns >= HUGE / FLUSH_PER_TURN
        assert len(sink.given) == HUGE
        assert rig.hub.counters.frames_out == 3 * HUGE
        once = next(iter(sink.given.values()))
        assert all(data == once for data in sink.given.values())
        assert [once.index(b'"seq":%d' % seq) for seq in (1, 2, 3)] == sorted(
            once.index(b'"seq":%d' % seq) for seq in (1, 2, 3)
        )


async def test_thousands_of_events_for_few_listeners_are_spread_over_turns_too():
    """One packet may bring them: a turn delivers its share, all arrive once and in order."""
    async with Rig() as rig:
        feed, _, _ = await crowd(rig, 1, 1, sink := FakeSink())
        events = [rig.ports.append(1) for _ in range(3_000)]
        rig.hub.on_events(events)
        most = before = feed.last
        assert 0 < before < 1_000
        async with asyncio.timeout(20):
            while feed.last < 3_000:
                await asyncio.sleep(0)
                most, before = max(most, feed.last - before), feed.last
        assert most < 1_000
        await until(lambda: len(events_of(sink)) == 3_000)
        assert events_of(sink) == list(range(1, 3_001))


async def test_many_small_calls_share_the_bounds_of_one_turn():
    """Readers of many feeds end in one turn: together they deliver what a turn is for, the rest follows."""
    async with Rig() as rig:
        feed, _, _ = await crowd(rig, 50, 1)
        for event in [rig.ports.append(1) for _ in range(2_000)]:
            rig.hub.on_events([event])
        assert 0 < feed.last < 1_000
        await until(lambda: feed.last == 2_000, 20.0)


async def test_a_large_workspace_does_not_hold_a_small_one_up():
    """A socket of another workspace is written to within the turn that follows, whatever a crowd is still owed."""
    async with Rig() as rig:
        _, large, connections = await crowd(rig, 3 * SLICE, 1)
        _, small, _ = await crowd(rig, 5, 2)
        rig.hub.on_events([rig.ports.append(1)])
        await settle(3)
        assert 0 < large.writes < len(connections)
        before = large.writes
        rig.hub.on_events([rig.ports.append(2)])
        async with asyncio.timeout(5):
            while small.writes < 5:
                await asyncio.sleep(0)
        assert large.writes - before <= FLUSH_PER_TURN
        await until(lambda: large.writes == len(connections), 20.0)


async def test_workspaces_take_turns_at_being_written_to():
    """Sockets of one workspace that are owed something give way after a slice, however many they are."""
    async with Rig() as rig:
        order = []

        class Ordered(Tally):
            def write(self, connection, data):
                order.append(connection.workspace_id)

        for workspace_id in (1, 2):
            await crowd(rig, 3 * TURN_SLICE, workspace_id, Ordered())
        rig.hub.on_events([rig.ports.append(1), rig.ports.append(2)])
        await until(lambda: len(order) == 6 * TURN_SLICE)
        changes = sum(one != other for one, other in pairwise(order))
        assert changes == 5


async def test_who_leaves_or_comes_while_an_event_is_spread_gets_it_once_or_is_told():
    """Closed: nothing more. Lost: a gap only. Rights of the same inboxes: the event. Newly live: not again."""
    async with Rig() as rig:
        feed, sink, connections = await crowd(rig, 2 * SLICE, 1)
        event = rig.ports.append(1)
        feed.take(event)
        rig.hub.fanout.deliver(feed, event)
        rig.hub.fanout.go_on(feed)
        assert feed.unfinished is not None
        waiting = {one for _, listeners in feed.unfinished.parts for one in listeners}
        assert len(waiting) == SLICE
        closed, lost, moved, back = [one for one in connections if one in waiting][:4]
        rig.hub.on_close(closed)
        rig.hub.fanout.lose([lost], "lost", 1)
        grant = moved.grant
        moved.grant = structs.replace(grant, rights_version=2)
        rig.hub.fanout.move(moved, feed)
        rig.hub.fanout.leave(back)
        back.position = feed.last
        rig.hub.fanout.join(back, feed.audiences[audience_key(grant)])
        rig.hub.fanout.go_on(feed)
        assert feed.unfinished is None
        await until(lambda: not rig.hub.connections.dirty, 20.0)
        await settle()
        assert closed not in sink.given
        assert b"event" not in sink.given[lost]
        assert b'"reason":"lost"' in sink.given[lost]
        assert sink.given[moved].count(b'"seq":1,') == 1
        assert back not in sink.given
        others = [one for one in connections if one not in {closed, lost, back}]
        assert all(sink.given[one].count(b'"seq":1,') == 1 for one in others)


async def test_a_socket_that_dies_in_the_middle_of_its_audience_costs_only_itself():
    """Its neighbours get the event although the audience changes under the loop."""
    async with Rig() as rig:
        dead, alive = FakeSink(), FakeSink()
        dead.error = OSError("gone")
        for sink in (alive, dead, alive):
            await crowd(rig, 1, 1, sink)
        # More than a buffer holds: the dead one is written to, and forgotten, while the loop goes through the audience.
        rig.hub.on_events([rig.ports.append(1) for _ in range(300)])
        await until(lambda: len(events_of(alive)) == 600)
        assert len(rig.hub.connections.all) == 2
        assert dead.writes == []
