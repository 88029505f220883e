"""Drain: evenly over its time, nobody at once, and no event lost on the way to another process."""

import asyncio

from hub.realtime.ports import Handshake
from tests.realtime_fakes import FakePorts, MemoryBus, Rig, events_of, of_type, until


async def connected(rig, amount):
    return [(await rig.open())[1] for _ in range(amount)]


async def test_a_drain_spreads_its_byes_over_the_time_it_has():
    """Halfway through about half are gone; each comes back within a few seconds, at its own moment."""
    async with Rig() as rig:
        rig.ports.member()
        sinks = await connected(rig, 60)
        draining = asyncio.create_task(rig.hub.drain(1.2))
        await asyncio.sleep(0.6)
        assert 15 <= len(rig.hub.connections.all) <= 45
        await draining
        byes = [of_type(sink, "bye")[0] for sink in sinks]
        assert all(bye["code"] == 4000 and 0 <= bye["retry_after_s"] <= 3 for bye in byes)
        assert len({bye["retry_after_s"] for bye in byes}) > 20
        assert not rig.hub.connections.all


async def test_a_second_word_hurries_a_drain():
    """The operator does not want to wait any longer."""
    async with Rig() as rig:
        rig.ports.member()
        await connected(rig, 10)
        draining = asyncio.create_task(rig.hub.drain(600))
        await asyncio.sleep(0.01)
        assert rig.hub.connections.all
        async with asyncio.timeout(2):
            await rig.hub.drain()
            await draining
        assert not rig.hub.connections.all


async def test_whoever_is_sent_away_resumes_at_another_process_without_loss():
    """Events go on; each client takes its ticket and cursor to the second hub and has seen all of them, once."""
    ports, bus = FakePorts(), MemoryBus()
    ports.member()
    async with Rig(ports, bus) as one, Rig(ports, bus) as other:
        sinks = await connected(one, 30)
        draining = asyncio.create_task(one.hub.drain(0.6))
        seen = {}
        while len(seen) < len(sinks):
            one.commit()
            await asyncio.sleep(0.01)
            for sink in sinks:
                if sink.closed_with is not None and sink not in seen:
                    connection, seen[sink] = other.connect(Handshake())
                    ticket = of_type(sink, "welcome")[0]["resume_ticket"]
                    other.hello(connection, resume_ticket=ticket, cursor=max(events_of(sink), default=0))
        await draining
        one.commit()
        everything = list(range(1, len(ports.logs[1]) + 1))
        for sink, resumed in seen.items():
            await until(lambda: events_of(sink) + events_of(resumed) == everything)  # noqa: B023
        assert all(of_type(resumed, "welcome")[0]["recovered"] for resumed in seen.values())
        assert sum(call[0] == "authorise" for call in ports.calls) == 30
