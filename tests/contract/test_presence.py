"""One body over both stores of presence; and socket tickets, which live beside them."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from hub.errors import NotSignedIn, Unavailable
from hub.realtime import presence as presence_rules
from hub.realtime import presence_redis
from hub.realtime.presence import MemoryPresence
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
        for key in await self.client.keys("*"):
            for entry, score in await self.client.zrange(key, 0, -1, withscores=True):
                await self.client.zadd(key, {entry: score - seconds * 1_000})

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


async def test_online_lasts_sixty_seconds_from_the_last_prolongation(store):
    """Everybody online is returned, sorted, a member with two processes once."""
    assert await store.presence.online(1, "p", [BOB, ANN]) == (ANN, BOB)
    assert await store.presence.online(1, "q", [ANN]) == (ANN, BOB)
    await store.pass_time(presence_rules.ONLINE_TTL_S - 5)
    assert await store.presence.online(1, "p", [BOB]) == (ANN, BOB)
    await store.pass_time(10)
    assert await store.presence.online(1, "p", []) == (BOB,)
    assert await store.presence.online(2, "p", []) == ()


async def test_leaving_counts_after_the_grace_unless_somebody_else_keeps_the_member(store):
    """A reload does not flicker; one process's leave does not take the other's member away."""
    await store.presence.online(1, "p", [ANN, BOB])
    await store.presence.online(1, "q", [BOB])
    await store.presence.leave(1, "p", ANN)
    await store.presence.leave(1, "p", BOB)
    assert await store.presence.online(1, "x", []) == (ANN, BOB)
    await store.pass_time(presence_rules.LEAVE_GRACE_S + 1)
    assert await store.presence.online(1, "x", []) == (BOB,)


async def test_leaving_does_not_bring_back_who_is_gone(store):
    """Leaving twice, or without having been there, changes nothing."""
    await store.presence.leave(1, "p", ANN)
    assert await store.presence.online(1, "p", []) == ()


async def test_viewers_say_what_changed(store):
    """Coming, going and running out are changes; repetition is not; two tabs are one viewer."""
    view, unview = store.presence.view, store.presence.unview
    first = await view(1, CHAT, "c1", ANN)
    assert (first.member_ids, first.is_changed) == ((ANN,), True)
    assert (await view(1, CHAT, "c1", ANN)).is_changed is False
    assert (await view(1, CHAT, "c2", ANN)).member_ids == (ANN,)
    both = await view(1, CHAT, "c3", BOB)
    assert (both.member_ids, both.is_changed) == ((ANN, BOB), True)
    assert (await unview(1, CHAT, "c1", ANN)).member_ids == (ANN, BOB)
    gone = await unview(1, CHAT, "c2", ANN)
    assert (gone.member_ids, gone.is_changed) == ((BOB,), True)
    assert (await unview(1, CHAT, "c2", ANN)).is_changed is False
    await store.pass_time(presence_rules.VIEWING_TTL_S + 1)
    late = await unview(1, CHAT, "c9", ANN)
    assert (late.member_ids, late.is_changed) == ((), True)


@pytest.mark.redis
async def test_redis_presence_is_unknown_when_redis_is_away():
    """None, not an empty list and not an error."""
    client = Redis.from_url("redis://127.0.0.1:1/0")
    try:
        away = presence_redis.RedisPresence(client)
        assert await away.online(1, "p", [ANN]) is None
        assert await away.view(1, CHAT, "c", ANN) is None
        assert await away.unview(1, CHAT, "c", ANN) is None
        await away.leave(1, "p", ANN)
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
