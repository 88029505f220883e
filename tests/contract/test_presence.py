"""One body over both stores of presence; and socket tickets, which live beside them."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from hub.errors import NotSignedIn, Unavailable
from hub.realtime.presence import ONLINE_TTL_S, Here, MemoryPresence, Present, merge, pack
from hub.realtime.presence_redis import RedisPresence
from hub.realtime.tickets import LIFETIME_S, SocketTickets, TicketHolder
from tests.realtime_fakes import FakeClock

ANN, BOB = UUID(int=1), UUID(int=2)
CHAT = uuid4()


class MemoryStore:
    def __init__(self):
        self.clock = FakeClock()
        self.presence = MemoryPresence(self.clock)

    async def pass_time(self, seconds):
        self.clock.advance(seconds)

    async def close(self):
        pass


class RedisStore:
    """Redis goes by its own clock: waiting is done by moving every score back."""

    def __init__(self, url):
        self.client = Redis.from_url(url)
        self.presence = RedisPresence(self.client)

    async def pass_time(self, seconds):
        for key in await self.client.keys("presence:*"):
            for holder, value in (await self.client.hgetall(key)).items():
                until_ms, _, entry = value.partition(b" ")
                await self.client.hset(key, holder, b"%d %b" % (int(until_ms) - seconds * 1_000, entry))

    async def close(self):
        await self.client.aclose()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def redis_url(request):
    """Not async: the services start outside a running loop."""
    return None if request.param == "memory" else request.getfixturevalue("redis_ephemeral")


@pytest.fixture
async def store(redis_url):
    made = MemoryStore() if redis_url is None else RedisStore(redis_url)
    yield made
    await made.close()


async def everybody(store, workspace_id=1):
    """Who is there, as somebody who only asks sees it."""
    return await store.presence.online(workspace_id)


async def test_an_entry_is_believed_for_sixty_seconds(store):
    """Everybody is returned, sorted, a member on two workers once; a killed worker's members are gone a minute later."""
    assert (await store.presence.keep("p", {1: Here((BOB, ANN))}))[1].member_ids == (ANN, BOB)
    assert (await store.presence.keep("q", {1: Here((ANN,))}))[1].member_ids == (ANN, BOB)
    await store.pass_time(ONLINE_TTL_S - 5)
    assert (await store.presence.keep("q", {1: Here((ANN,))}))[1].member_ids == (ANN, BOB)
    await store.pass_time(6)
    assert await everybody(store) == (ANN,)
    assert (await store.presence.keep("r", {1: Here()}))[1].member_ids == (ANN,)
    await store.pass_time(ONLINE_TTL_S)
    assert await everybody(store) == ()


async def test_an_entry_replaces_the_one_before_it(store):
    """Who is not named again is gone at once, unless another worker names them; an empty entry takes all away."""
    await store.presence.keep("p", {1: Here((ANN, BOB))})
    await store.presence.keep("q", {1: Here((BOB,))})
    assert (await store.presence.keep("p", {1: Here((ANN,))}))[1].member_ids == (ANN, BOB)
    assert (await store.presence.keep("q", {1: Here()}))[1].member_ids == (ANN,)
    assert (await store.presence.keep("p", {1: Here()}))[1] == Present(b"", {})


async def test_a_worker_may_leave_its_entry_for_less_long(store):
    """What a worker leaves behind when it ends outlasts a reload and no more; other entries stay."""
    await store.presence.keep("q", {1: Here((BOB,))})
    await store.presence.keep("p", {1: Here((ANN,))}, 5.0)
    await store.pass_time(4)
    assert await everybody(store) == (ANN, BOB)
    await store.pass_time(2)
    assert await everybody(store) == (BOB,)


async def test_all_workspaces_go_in_one_call_and_stay_apart(store):
    """What is said of one workspace is not seen in another."""
    here = {number: Here((UUID(int=number),), ((CHAT, UUID(int=number)),)) for number in range(1, 700)}
    answer = await store.presence.keep("p", here)
    assert answer == {number: Present(UUID(int=number).bytes, {CHAT: (UUID(int=number),)}) for number in range(1, 700)}
    assert await everybody(store, 1_000) == ()


async def test_viewers_of_all_workers_come_together(store):
    """By conversation, sorted, two tabs are one viewer; they expire with their worker's entry."""
    other = uuid4()
    await store.presence.keep("p", {1: Here((ANN,), ((CHAT, ANN), (other, ANN)))})
    seen = await store.presence.keep("q", {1: Here((ANN, BOB), ((CHAT, BOB), (CHAT, ANN)))})
    assert seen[1].viewers == {CHAT: (ANN, BOB), other: (ANN,)}
    await store.pass_time(ONLINE_TTL_S + 1)
    assert (await store.presence.keep("q", {1: Here((BOB,), ((CHAT, BOB),))}))[1].viewers == {CHAT: (BOB,)}


async def test_asking_keeps_nobody(store):
    """Somebody who only asks neither adds nor prolongs anything."""
    await store.presence.keep("p", {1: Here((ANN,))})
    await store.pass_time(ONLINE_TTL_S - 1)
    assert await everybody(store) == (ANN,)
    await store.pass_time(2)
    assert await everybody(store) == ()


@given(
    st.lists(st.uuids(), unique=True, max_size=20),
    st.lists(st.tuples(st.uuids(), st.uuids()), unique=True, max_size=20),
)
def test_an_entry_survives_its_packing(member_ids, views):
    """Whatever bytes ids have: spaces and digits among them."""
    present = merge([pack(Here(tuple(member_ids), tuple(views))), b""])
    assert present.member_ids == tuple(sorted(member_ids))
    assert {(chat, one) for chat, some in present.viewers.items() for one in some} == set(views)


@pytest.mark.redis
async def test_redis_presence_reads_an_answer_that_says_the_same_once(redis_ephemeral):
    """The same object again; what one worker changes is seen by the next that asks, and what it takes back as well."""
    client = Redis.from_url(redis_ephemeral)
    try:
        await client.flushdb()
        presence = RedisPresence(client)
        first = (await presence.keep("p", {1: Here((ANN,))}))[1]
        assert (await presence.keep("p", {1: Here((ANN,))}))[1] is first
        await presence.keep("q", {1: Here((BOB,))})
        assert (await presence.keep("p", {1: Here((ANN,))}))[1].member_ids == (ANN, BOB)
        await presence.keep("p", {1: Here()})
        assert presence._known == {}
        assert (await presence.keep("q", {1: Here((BOB,))}))[1].member_ids == (BOB,)
    finally:
        await client.aclose()


@pytest.mark.redis
async def test_redis_presence_goes_on_after_redis_forgot_its_script(redis_ephemeral):
    """A restarted Redis knows no scripts."""
    client = Redis.from_url(redis_ephemeral)
    try:
        presence = RedisPresence(client)
        await client.script_flush()
        assert (await presence.keep("p", {1: Here((ANN,))}))[1].member_ids == (ANN,)
        await client.script_flush()
        assert await presence.online(1) == (ANN,)
        assert 0 < await client.pttl("presence:{1}") <= 61_000
    finally:
        await client.aclose()


@pytest.mark.redis
async def test_redis_presence_is_unknown_when_redis_is_away():
    """None, not an empty list and not an error."""
    client = Redis.from_url("redis://127.0.0.1:1/0")
    try:
        away = RedisPresence(client)
        assert await away.keep("p", {1: Here((ANN,))}) is None
        assert await away.online(1) is None
    finally:
        await client.aclose()


@pytest.mark.redis
async def test_a_socket_ticket_opens_once_within_thirty_seconds(redis_ephemeral):
    """Of many who race for one ticket one gets in; only its hash is stored, with its lifetime."""
    client = Redis.from_url(redis_ephemeral)
    tickets = SocketTickets(client)
    holder = TicketHolder(7, uuid4(), uuid4(), uuid4())
    try:
        ticket = await tickets.issue(holder)
        (key,) = await client.keys("*")
        assert ticket.encode() not in key
        assert LIFETIME_S - 2 <= await client.ttl(key) <= LIFETIME_S
        answers = await asyncio.gather(*(tickets.redeem(ticket) for _ in range(10)), return_exceptions=True)
        assert [one for one in answers if not isinstance(one, NotSignedIn)] == [holder]
        for wrong in ("", "x", "\ud800", "a" * 100_000):
            with pytest.raises(NotSignedIn):
                await tickets.redeem(wrong)
    finally:
        await client.aclose()


@pytest.mark.redis
async def test_tickets_are_unavailable_without_redis():
    """The caller is told to come back, not that the ticket is bad."""
    client = Redis.from_url("redis://127.0.0.1:1/0")
    try:
        with pytest.raises(Unavailable):
            await SocketTickets(client).issue(TicketHolder(7, ANN, ANN, ANN))
        with pytest.raises(Unavailable):
            await SocketTickets(client).redeem("x")
    finally:
        await client.aclose()
