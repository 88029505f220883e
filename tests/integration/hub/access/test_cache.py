"""The cache over a real Valkey: random changes, flushes and outages, races, forgeries; one body with and without it."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from hub.access.cache import AccessCache
from hub.access.entry import LIFETIME_S, Asked, Found
from hub.access.line import Line
from hub.accounts.model import AccessChanged, Actor, Role, SignedIn
from hub.errors import Forbidden, NotSignedIn

pytestmark = pytest.mark.redis

KEY = b"k" * 32


class Truth:
    """Stands for Postgres: who has a session, and which version of rights a workspace has."""

    def __init__(self, logins: int = 3, workspaces: int = 2) -> None:
        self.logins = [UUID(int=one + 1) for one in range(logins)]
        self.workspaces = list(range(1, workspaces + 1))
        self.tokens = {f"token-{number}": login for number, login in enumerate(self.logins * 2)}
        self.rights = dict.fromkeys(self.workspaces, 1)
        self.members = {(workspace, login) for workspace in self.workspaces for login in self.logins}
        self.asked = 0

    async def load(self, asked: Asked) -> Found:
        self.asked += 1
        return self.answer(asked)

    def answer(self, asked: Asked) -> Found:
        login = self.tokens.get(asked.secret)
        if login is None:
            raise NotSignedIn
        session = SignedIn(UUID(int=77), login, "a@example.com", "A", datetime(2099, 1, 1, tzinfo=UTC))
        if not asked.workspace_id:
            return Found(session)
        if (asked.workspace_id, login) not in self.members:
            raise Forbidden("not here")
        rights = self.rights[asked.workspace_id]
        return Found(session, Actor(asked.workspace_id, login, login, Role.AGENT, frozenset(), rights))

    def change(self, dice: random.Random) -> AccessChanged:
        """Change something as an action would, and say what COMMIT hands on."""
        workspace, login = dice.choice(self.workspaces), dice.choice(self.logins)
        match dice.randrange(3):
            case 0:
                self.rights[workspace] += 1
                return AccessChanged("workspace", workspace)
            case 1:
                self.members ^= {(workspace, login)}
                self.rights[workspace] += 1
                return AccessChanged("workspace", workspace)
            case _:
                owned = [token for token, whose in self.tokens.items() if whose == login]
                if owned and dice.random() < 0.5:
                    del self.tokens[dice.choice(owned)]
                else:
                    self.tokens[f"token-{dice.randrange(8)}-{login.int}"] = login
                return AccessChanged("login", login)


class Switch:
    """A Redis that can be cut off."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.is_cut = False
        self.hangs = False

    def pipeline(self, *, transaction: bool) -> object:
        if self.is_cut:
            raise RedisConnectionError("cut")
        return Hanging() if self.hangs else self._redis.pipeline(transaction=transaction)

    async def delete(self, *keys: str) -> int:
        if self.is_cut or self.hangs:
            raise RedisConnectionError("cut")
        return int(await self._redis.delete(*keys))


class Hanging:
    def execute_command(self, *_: object) -> None: ...

    async def execute(self, *, raise_on_error: bool) -> list[object]:
        await asyncio.sleep(3600)
        return []


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def redis(redis_ephemeral):
    client = Redis.from_url(redis_ephemeral)
    yield client
    await client.aclose()


def process(redis: object, clock: Clock | None = None, patience_s: float = 10.0) -> AccessCache:
    """The cache of one more process over the same Redis."""
    return AccessCache(redis, KEY, line=Line(redis, patience_s=patience_s, monotonic_s=clock or Clock()))


async def outcome(cache: AccessCache | None, truth: Truth, asked: Asked) -> Found | str:
    """Answer as the edge would, errors by their name; without a cache it is the truth itself."""
    try:
        if cache is None:
            return await truth.load(asked)
        return await cache.find(asked, lambda: truth.load(asked))
    except (NotSignedIn, Forbidden) as error:
        return type(error).__name__


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("seed", range(8))
async def test_answers_are_those_of_postgres(redis, seed, cached):
    """Two processes, random changes, flushes and outages: whoever asks after a change was told gets the truth."""
    dice, truth, clock = random.Random(seed), Truth(), Clock()
    switch = Switch(redis)
    caches = [process(switch, clock), process(switch, clock)] if cached else [None, None]
    for _ in range(300):
        clock.now_s += 5.0
        match dice.randrange(30):
            case 0 | 1:
                changed = truth.change(dice)
                if cached and caches[0] and caches[1]:
                    # An outage keeps the other process from hearing: that is the 60 seconds' own test.
                    switch.is_cut = False
                    writer = dice.choice(caches)
                    assert writer is not None
                    writer.on_commit([changed])
                    await writer.endings.settle(10.0)
            case 2:
                await redis.flushdb()
            case 3:
                switch.is_cut = not switch.is_cut
            case 4:
                for key in await redis.keys("access:*"):
                    if dice.random() < 0.3:
                        await redis.set(key, dice.randbytes(40), ex=30)
            case _:
                token = dice.choice([*truth.tokens, "token-of-nobody"])
                asked = Asked(token, dice.choice([0, *truth.workspaces]))
                assert await outcome(dice.choice(caches), truth, asked) == await outcome(None, truth, asked)
    if cached and caches[0] and caches[1]:
        assert caches[0].outcomes["hit"] + caches[1].outcomes["hit"] > 0


async def test_second_ask_after_learning_is_a_hit(redis):
    """Postgres is asked to learn whose the token is, once more to remember it, and no more."""
    truth, cache = Truth(), process(redis)
    asked = Asked("token-0", 1)
    for _ in range(10):
        await outcome(cache, truth, asked)
    assert truth.asked == 2
    assert cache.outcomes == {"miss": 2, "hit": 8}


async def test_another_process_hits_at_once(redis):
    """What one process remembered serves the next one's first call."""
    truth, here, there = Truth(), process(redis), process(redis)
    asked = Asked("token-0", 1)
    for _ in range(2):
        await outcome(here, truth, asked)
    assert await outcome(there, truth, asked) == truth.answer(asked)
    assert there.outcomes == {"hit": 1}


@pytest.mark.parametrize("asked", [Asked("token-0", 1), Asked("token-0"), Asked("token-0", 1, UUID(int=5))])
async def test_answer_read_before_an_ending_is_never_remembered(redis, asked):
    """Postgres read, then a change commits and is told, then the old answer is written: nobody ever gets it."""
    truth, slow, writer = Truth(), process(redis), process(redis)
    await outcome(slow, truth, asked)
    scope = "key" if asked.key_id else "login"
    changed = AccessChanged(scope, asked.key_id or truth.logins[0])
    writer.on_commit([changed])
    await writer.endings.settle(10.0)

    async def read_then_wait() -> Found:
        old = truth.answer(asked)
        del truth.tokens["token-0"]
        writer.on_commit([changed])
        await writer.endings.settle(10.0)
        return old

    await slow.find(asked, read_then_wait)
    for cache in (slow, writer, process(redis)):
        assert await outcome(cache, truth, asked) == "NotSignedIn"


async def test_ending_counts_at_once_where_it_was_made(redis):
    """Redis is cut off when a session ends: this process refuses it with the very next call, answering at once."""
    truth, switch = Truth(), Switch(redis)
    cache, asked = process(switch), Asked("token-0", 1)
    for _ in range(3):
        await outcome(cache, truth, asked)
    switch.is_cut = True
    del truth.tokens["token-0"]
    cache.on_commit([AccessChanged("login", truth.logins[0])])
    switch.is_cut = False
    assert await outcome(cache, truth, asked) == "NotSignedIn"
    assert cache.outcomes["doubted"] == 1
    await cache.endings.close()


async def test_lost_ending_is_over_within_a_minute(redis):
    """A process that died before it could tell: entries end by themselves, in Redis and by what they say."""
    truth, cache = Truth(), process(redis)
    asked = Asked("token-0", 1)
    for _ in range(2):
        await outcome(cache, truth, asked)
    names = [key async for key in redis.scan_iter("access:1:*")]
    assert len(names) == 1
    assert 0 < await redis.ttl(names[0]) <= LIFETIME_S < 60


async def test_slow_redis_costs_one_wait(redis):
    """While Redis hangs one call in a second waits 50 ms, the others ask Postgres at once, and it comes back."""
    truth, switch, clock = Truth(), Switch(redis), Clock()
    cache, asked = process(switch, clock, 0.05), Asked("token-0", 1)
    switch.hangs = True
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(50):
        assert await outcome(cache, truth, asked) == truth.answer(asked)
    assert loop.time() - began_s < 1.5
    assert cache.line.redis.failures == 1
    assert cache.outcomes == {"away": 50}
    switch.hangs = False
    clock.now_s += 2.0
    await outcome(cache, truth, asked)
    assert sum(cache.outcomes.values()) == 51


async def test_calls_of_one_turn_go_together(redis):
    """Fifty calls at once are two turns to Redis, not a hundred."""
    truth, cache = Truth(), process(redis)
    asked = Asked("token-0", 1)
    for _ in range(2):
        await outcome(cache, truth, asked)
    before = (await redis.info("stats"))["total_net_input_bytes"]
    answers = await asyncio.gather(*(outcome(cache, truth, asked) for _ in range(50)))
    assert answers == [truth.answer(asked)] * 50
    assert truth.asked == 2
    assert (await redis.info("stats"))["total_net_input_bytes"] > before


async def test_cancelled_call_leaves_the_others(redis):
    """Somebody who hangs up does not take away the answers of those who asked with them."""
    truth, cache = Truth(), process(redis)
    asked = Asked("token-0", 1)
    for _ in range(2):
        await outcome(cache, truth, asked)
    tasks = [asyncio.create_task(outcome(cache, truth, asked)) for _ in range(5)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    assert (await asyncio.gather(*tasks, return_exceptions=True))[1:] == [truth.answer(asked)] * 4


async def test_ended_session_ends_in_the_entry(redis):
    """An entry is not answered past the session's own end."""
    truth, cache = Truth(), process(redis)
    asked = Asked("token-0", 0)
    soon = datetime.now(UTC) + timedelta(milliseconds=50)

    async def load() -> Found:
        found = await truth.load(asked)
        return Found(SignedIn(found.signed_in.session_id, truth.logins[0], "", "", soon))

    for _ in range(2):
        await cache.find(asked, load)
    while datetime.now(UTC) < soon:
        await asyncio.sleep(0.01)
    before = truth.asked
    await cache.find(asked, load)
    assert truth.asked == before + 1
