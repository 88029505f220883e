"""The outbox loop: order, places, waking, stopping; over an outbox in memory and real time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from connectors.attempt import Attempts
from connectors.base import Account, Connector
from connectors.buckets import MemoryBuckets
from connectors.dispatch import PLACES_PER_ACCOUNT, Dispatcher
from hub import clock
from hub.errors import Unavailable
from tests.fake_outbox import FakeOutbox, ScriptedVendor, make_account
from tests.waiting import wait_until

SLOW, QUICK = UUID(int=10), UUID(int=11)


class Bench:
    """Any number of dispatchers over one outbox and one vendor."""

    def __init__(self) -> None:
        self.outbox = FakeOutbox(clock.now)
        self.vendor = ScriptedVendor()
        self.broken: set[UUID] = set()

    async def open(self, channel_account_id: UUID, *, fresh: bool = False) -> tuple[Account, Connector]:
        if channel_account_id in self.broken:
            raise Unavailable("away")
        return make_account(channel_account_id), self.vendor.connector()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Dispatcher]:
        attempts = Attempts(self.outbox, MemoryBuckets(), self.open)
        dispatcher = Dispatcher(self.outbox, attempts)
        stop = asyncio.Event()
        task = asyncio.create_task(dispatcher.run(stop))
        try:
            yield dispatcher
        finally:
            for gate in self.vendor.gates.values():
                gate.set()
            stop.set()
            await asyncio.wait_for(task, 5)

    def all_sent(self) -> bool:
        return all(state == "sent" for state in self.outbox.states())


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_messages_of_a_thread_go_out_in_order_one_at_a_time(bench):
    """Twenty of one thread: in order, never two at once, and without a poll between them."""
    for number in range(20):
        bench.outbox.add(str(number))
    started = time.monotonic()
    async with bench.running():
        await wait_until(bench.all_sent)
    assert bench.vendor.sent == [str(number) for number in range(20)]
    assert max(bench.vendor.most_running.values()) == 1
    assert time.monotonic() - started < 5


async def test_slow_account_holds_up_nobody_else(bench):
    """With 300 messages hanging at one vendor another account's go out; the slow one has its few places only."""
    bench.vendor.gates[str(SLOW)] = asyncio.Event()
    for number in range(300):
        bench.outbox.add(f"slow {number}", account=SLOW, thread=str(number))
    for number in range(50):
        bench.outbox.add(f"quick {number}", account=QUICK, thread=str(number))
    async with bench.running() as dispatcher:
        await wait_until(lambda: sum(text.startswith("quick") for text in bench.vendor.sent) == 50)
        assert bench.vendor.running[str(SLOW)] == PLACES_PER_ACCOUNT
        assert dispatcher.in_flight >= PLACES_PER_ACCOUNT
    assert bench.vendor.most_running[str(SLOW)] == PLACES_PER_ACCOUNT


async def test_interactive_goes_before_bulk(bench):
    """Replies queued after a broadcast go out before it."""
    for number in range(30):
        bench.outbox.add(f"bulk {number}", thread=str(number), priority="bulk")
    for number in range(8):
        bench.outbox.add(f"reply {number}", thread=f"r{number}")
    async with bench.running():
        await wait_until(bench.all_sent)
    assert all(text.startswith("reply") for text in bench.vendor.sent[:8])


async def test_wake_is_faster_than_the_poll(bench):
    """A hint sends at once."""
    async with bench.running() as dispatcher:
        await asyncio.sleep(0.05)
        bench.outbox.add("Hi")
        started = time.monotonic()
        dispatcher.wake()
        await wait_until(bench.all_sent)
        assert time.monotonic() - started < 0.5


async def test_poll_finds_what_no_hint_told(bench):
    """A lost hint costs a second, not the message."""
    async with bench.running():
        await asyncio.sleep(0.05)
        bench.outbox.add("Hi")
        await wait_until(bench.all_sent, timeout_s=3)


async def test_two_dispatchers_send_everything_once(bench):
    """Processes side by side never send one message twice."""
    for number in range(100):
        bench.outbox.add(str(number), thread=str(number % 40))
    async with bench.running(), bench.running(), bench.running():
        await wait_until(bench.all_sent)
    assert sorted(bench.vendor.sent, key=int) == [str(number) for number in range(100)]


async def test_stop_lets_calls_end_and_starts_nothing_new(bench):
    """What is under way is recorded; what waits stays queued."""
    gate = bench.vendor.gates[str(QUICK)] = asyncio.Event()
    first = bench.outbox.add("first", account=QUICK)
    dispatcher = Dispatcher(bench.outbox, Attempts(bench.outbox, MemoryBuckets(), bench.open))
    stop = asyncio.Event()
    task = asyncio.create_task(dispatcher.run(stop))
    await wait_until(lambda: bench.vendor.sent == ["first"])
    stop.set()
    second = bench.outbox.add("second", account=QUICK, thread="u")
    dispatcher.wake()
    await asyncio.sleep(0.05)
    assert not task.done()
    gate.set()
    await asyncio.wait_for(task, 5)
    assert (first.state, second.state, dispatcher.in_flight) == ("sent", "queued", 0)


async def test_dispatch_goes_on_when_the_database_was_away(bench):
    """A failed look is repeated."""
    bench.outbox.away_looks = 2
    bench.outbox.add("Hi")
    async with bench.running():
        await wait_until(bench.all_sent)


async def test_account_that_cannot_be_opened_rests_alone(bench):
    """Its messages stay queued, nothing spins, and the others go out."""
    bench.broken.add(SLOW)
    kept = bench.outbox.add("kept", account=SLOW)
    async with bench.running() as dispatcher:
        for number in range(5):
            bench.outbox.add(str(number), account=QUICK, thread=str(number))
            dispatcher.wake()
            await asyncio.sleep(0.05)
        await wait_until(lambda: bench.outbox.states().count("sent") == 5)
        assert dispatcher.attempts.counters.errors == 1
    assert kept.state == "queued"
