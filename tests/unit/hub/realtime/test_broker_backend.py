"""How the backend passes messages on: at once, in order, turn by turn where there are many. No Redis."""

import asyncio

import pytest

from hub.realtime.broker_backend import GAP_CHANNEL, RECEIVED_LIMIT, RedisBackend


class Taker:
    """Takes at most so many messages a turn, and notes them turn by turn."""

    def __init__(self, limit):
        self.limit, self.turns = limit, []

    def __call__(self, messages):
        self.turns.append(list(messages[: self.limit]))
        return len(self.turns[-1])

    @property
    def taken(self):
        return [one for turn in self.turns for one in turn]


@pytest.fixture
async def backend():
    """A backend that was never connected, and who takes its messages: ten a turn."""
    taker = Taker(10)
    made = RedisBackend("redis://127.0.0.1:1/0", taker)
    yield made, taker
    await made.disconnect()


def messages(*numbers):
    return [("hub:{1}", b"%d" % number) for number in numbers]


async def test_a_message_is_handed_over_in_the_call_that_brings_it(backend):
    """No task, no queue, no turn of the loop in between; nothing is left behind."""
    made, taker = backend
    made._take(messages(1, 2))
    assert taker.turns == [messages(1, 2)]
    await asyncio.sleep(0)
    assert len(taker.turns) == 1


async def test_a_huge_packet_gives_way_to_the_loop_and_keeps_its_order(backend):
    """A turn takes its share, others come between, and what arrives meanwhile waits behind what waits already."""
    made, taker = backend
    others = []

    async def other():
        while len(taker.taken) < 1_003:
            others.append(len(taker.taken))
            await asyncio.sleep(0)

    made._take(messages(*range(1_000)))
    assert taker.taken == messages(*range(10))
    made._take(messages(1_000, 1_001))
    assert len(taker.turns) == 1
    made._take([(GAP_CHANNEL, b"")])
    async with asyncio.timeout(5):
        await other()
    assert taker.taken == [*messages(*range(1_002)), (GAP_CHANNEL, b"")]
    assert len(others) >= 100


async def test_too_much_is_dropped_and_owned_up_to(backend):
    """More than the limit is lost, and a gap says so once half of what waited was taken; then all is as before."""
    made, taker = backend
    taker.limit = 100
    made._take(messages(*range(RECEIVED_LIMIT + 500)))
    assert len(made._received) == RECEIVED_LIMIT
    made._take(messages(-1))
    taker.limit = RECEIVED_LIMIT
    async with asyncio.timeout(5):
        while made._received or made._has_lost:
            await asyncio.sleep(0)
    assert taker.taken == [*messages(*range(RECEIVED_LIMIT + 100)), (GAP_CHANNEL, b"")]
    made._take(messages(7))
    assert taker.taken[-1:] == messages(7)


async def test_a_gap_that_finds_no_room_is_not_forgotten(backend):
    """A reconnect while the queue is full is owned up to later."""
    made, taker = backend
    taker.limit = 1
    made._take(messages(*range(RECEIVED_LIMIT + 1)))
    made._take([(GAP_CHANNEL, b"")])
    taker.limit = RECEIVED_LIMIT
    async with asyncio.timeout(5):
        while made._received:
            await asyncio.sleep(0)
    assert taker.taken.count((GAP_CHANNEL, b"")) == 1


async def test_broadcaster_is_told_nothing_itself(backend):
    """Its own task waits for ever: what it took would come twice."""
    made, _ = backend
    made._take(messages(1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await made.next_published()
