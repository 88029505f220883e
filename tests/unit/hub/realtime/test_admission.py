"""How fast hellos are let in, and what those are told who are not."""

import asyncio
import itertools

from hub.realtime.admission import IN_FLIGHT, Admission
from tests.realtime_fakes import FakeClock, Rig, of_type, settle, until


class Door:
    """An admission whose decisions are recorded; connections are numbers."""

    def __init__(self, rate_per_s=100.0):
        self.clock = FakeClock()
        self.admitted, self.refused, self.busy = [], [], 0
        self.admission = Admission(
            lambda connection, _: self.admitted.append(connection),
            lambda connection, slot_s: self.refused.append((connection, slot_s)),
            lambda: self.busy,
            rate_per_s=rate_per_s,
            monotonic_s=self.clock,
        )

    def knock(self, amount, start=0):
        for number in range(start, start + amount):
            self.admission.enter(number, None)


async def test_a_burst_comes_in_and_the_rest_at_the_rate():
    """A quarter of a second's hellos at once, then so many a second, in the order they came."""
    door = Door()
    door.knock(100)
    assert door.admitted == list(range(25))
    door.clock.advance(0.5)
    for _ in range(100):
        door.admission.tick()
    assert len(door.admitted) == 50  # the bucket holds no more than a burst
    door.clock.advance(0.1)
    door.admission.tick()
    assert door.admitted == list(range(60))
    door.admission.stop()


async def test_everybody_sent_away_has_a_slot_of_their_own():
    """Behind the two seconds of hellos that wait, each is told a time a hundredth after the one before."""
    door = Door()
    door.knock(425)
    assert len(door.refused) == 200
    slots = [slot_s for _, slot_s in door.refused]
    assert abs(slots[0] - 2.01) < 1e-6
    assert all(abs(later - earlier - 0.01) < 1e-6 for earlier, later in itertools.pairwise(slots))
    door.admission.stop()


async def test_those_who_come_back_in_their_slots_are_let_in():
    """A storm of ten times what fits ends: nobody is sent away a second time."""
    door = Door()
    door.knock(1_000)
    back = sorted((slot_s, number) for number, slot_s in door.refused)
    door.refused.clear()
    began_s = door.clock.now_s
    while len(door.admitted) < 1_000:
        door.clock.advance(0.01)
        door.admission.tick()
        while back and back[0][0] <= door.clock.now_s - began_s:
            door.knock(1, start=back.pop(0)[1])
        assert door.clock.now_s - began_s < 15
    assert door.refused == []
    assert sorted(door.admitted) == list(range(1_000))
    door.admission.stop()


async def test_handshakes_are_refused_only_behind_a_long_queue():
    """While a socket would be answered, or sent away for seconds only, it is opened."""
    door = Door()
    door.knock(300)
    assert door.admission.handshake_slot_s() is None
    door.knock(1_000, start=300)
    slot_s = door.admission.handshake_slot_s()
    assert slot_s is not None
    assert slot_s > 5
    assert door.admission.handshake_slot_s() > slot_s
    door.admission.stop()


async def test_no_more_are_let_in_than_a_slow_store_can_answer():
    """Whoever comes beyond that waits in front of the door instead of behind it."""
    door = Door()
    door.busy = IN_FLIGHT
    door.knock(3)
    assert door.admitted == []
    door.busy = 0
    door.admission.tick()
    assert door.admitted == [0, 1, 2]
    door.admission.stop()


async def test_a_hub_says_bye_with_the_slot_and_lets_the_waiting_in():
    """4000 with the client's own time; who waits is welcomed by the timer; who left is forgotten."""
    async with Rig() as rig:
        rig.ports.member()
        admission = rig.hub.admission
        admission._tokens, admission._burst, admission._rate_per_s, admission._queue_limit = 0.0, 1.0, 50.0, 2
        sockets = [rig.connect() for _ in range(5)]
        for connection, _ in sockets:
            rig.hello(connection, ticket="t", cursor=0)
        await settle()
        byes = [of_type(sink, "bye") for _, sink in sockets[2:]]
        assert [bye[0]["code"] for bye in byes] == [4000] * 3
        assert len({bye[0]["retry_after_s"] for bye in byes}) == 3
        rig.hub.on_close(sockets[1][0])
        assert len(admission) == 1
        await until(lambda: of_type(sockets[0][1], "welcome"))
        await asyncio.sleep(0.05)
        assert sockets[1][1].frames == []
