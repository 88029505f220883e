"""A reconnect storm over a real database: what it asks, and that it loses nothing whatever the rings hold."""

from __future__ import annotations

import pytest

from hub import clock
from hub.db import Database
from hub.events import store as events
from hub.events.model import NewEvent
from tests.crowds import EVENT, CountedDatabase, hub_over, make_crowd, say_hello
from tests.realtime_fakes import FakeSink, events_of, of_type
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres

WORKSPACES, MEMBERS, VISITORS = 50, 12, 28
# Each visitor's conversation; a workspace's log is three times as many as it has visitors.
EVENTS = 3


@pytest.fixture
async def counted(database_urls):
    opened = await CountedDatabase.open(database_urls.database_url, lambda _: None, max_size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def crowd(database: Database):
    return await make_crowd(database, workspaces=WORKSPACES, members=MEMBERS, visitors=VISITORS, events=EVENTS)


def come_back(hub, crowd, epoch, *, behind):
    """Everybody says hello with a cursor so many events behind; returns (sink, head) of members and of visitors."""
    members, visitors = [], []
    head = VISITORS * EVENTS
    for ticket in crowd.tickets(epoch):
        members.append((FakeSink(), head))
        say_hello(hub, members[-1][0], head - behind, epoch=epoch, resume_ticket=ticket)
    for _, token in crowd.visitors:
        visitors.append((FakeSink(), EVENTS))
        say_hello(hub, visitors[-1][0], EVENTS - min(behind, EVENTS), epoch=epoch, visitor_token=token)
    return members, visitors


def is_through(sockets, behind):
    """Whether each was recovered and sent exactly what it had missed."""
    return all(
        [one["recovered"] for one in of_type(sink, "welcome")] == [True]
        and events_of(sink) == list(range(head - min(behind, head) + 1, head + 1))
        for sink, head in sockets
    )


@pytest.mark.parametrize("ring_mib", [0, 32])
@pytest.mark.parametrize("behind", [0, 2])
async def test_two_thousand_come_back_for_tens_of_statements(counted, crowd, ring_mib, behind):
    """600 members by ticket and 1,400 visitors of 50 workspaces, to a process that just began."""
    async with hub_over(counted, ring_mib=ring_mib) as hub:
        await wait_until(hub.revocations.is_trusted)
        counted.asked = 0
        members, visitors = come_back(hub, crowd, counted.epoch, behind=behind)
        await wait_until(
            lambda: len(hub.connections.all) - hub.counters.connections["opening"] == 2_000 and hub.opening.busy() == 0,
            30,
        )
        await wait_until(lambda: is_through(members, behind) and is_through(visitors, behind), 30)
        assert counted.asked < 60


@pytest.mark.parametrize("ring_mib", [0, 32])
async def test_a_storm_while_events_flow_loses_nothing(counted, database, crowd, ring_mib):
    """Each workspace gets new events before, while and after everybody comes back; all of them arrive, in order, once."""
    async with hub_over(counted, ring_mib=ring_mib) as hub:

        async def commit(times, *, is_hinted):
            for _ in range(times):
                hints = await append_to_each(database, crowd.workspace_ids)
                if is_hinted:
                    hub.on_events(hints)

        await commit(2, is_hinted=False)
        members, visitors = come_back(hub, crowd, counted.epoch, behind=1)
        await commit(3, is_hinted=True)
        await commit(1, is_hinted=False)
        await hub.healing.tick()
        expected = list(range(VISITORS * EVENTS, VISITORS * EVENTS + 7))
        await wait_until(lambda: all(events_of(sink) == expected for sink, _ in members), 30)
        await wait_until(lambda: is_through(visitors, 1), 30)


async def append_to_each(database, workspace_ids):
    """Commit one event that every member sees in each workspace; returns them as their hints."""
    async with database.transaction(workspace_ids) as conn:
        heads = await events.lock(conn, workspace_ids)
        new = [
            NewEvent(workspace_id=one, type="contact_changed", data=EVENT.encode(), occurred_at=clock.now())
            for one in workspace_ids
        ]
        return await events.append(conn, heads, new)


async def test_a_visitor_of_a_chat_that_was_switched_off_is_refused(counted, database, crowd):
    """Known from the cache, without a question about the visitor."""
    claims, token = crowd.visitors[0]
    async with database.transaction([claims.workspace_id]) as conn:
        await conn.execute("UPDATE channel_account SET status = 'paused' WHERE id = $1", claims.channel_account_id)
    async with hub_over(counted) as hub:
        sink = FakeSink()
        say_hello(hub, sink, 0, epoch=counted.epoch, visitor_token=token)
        assert sink.closed_with[0] == 4501


async def test_a_sign_out_closes_open_sockets_and_voids_their_tickets(counted, database, crowd):
    """By the revocations that are asked for every few seconds; other sessions stay."""
    gone, stays = crowd.members[0], crowd.members[1]
    async with hub_over(counted) as hub:
        first, second = crowd.tickets(counted.epoch)[:2]
        sinks = []
        for ticket in (first, second):
            sinks.append(FakeSink())
            say_hello(hub, sinks[-1], VISITORS * EVENTS, epoch=counted.epoch, resume_ticket=ticket)
        await wait_until(lambda: all(of_type(sink, "welcome") for sink in sinks))
        async with database.across() as conn:
            await conn.fetchval("SELECT hub_revoke_session(sha256($1))", gone.session_id.bytes)
        await hub.revocations.refresh()
        assert sinks[0].closed_with[0] == 4501
        assert sinks[1].closed_with is None
        assert hub.connections.all
        again = FakeSink()
        say_hello(hub, again, VISITORS * EVENTS, epoch=counted.epoch, resume_ticket=first)
        assert again.closed_with[0] == 4501
        assert stays.session_id != gone.session_id


async def test_the_sweep_asks_once_for_hundreds(counted, crowd):
    """Every grant of 2,000 sockets again: a handful of statements, none a visitor."""
    async with hub_over(counted) as hub:
        come_back(hub, crowd, counted.epoch, behind=0)
        await wait_until(
            lambda: len(hub.connections.all) - hub.counters.connections["opening"] == 2_000 and hub.opening.busy() == 0,
            30,
        )
        counted.asked = 0
        await hub.rights.poll()
        assert counted.asked <= 12
        assert len(hub.connections.all) == 2_000
