"""The loop of one partition: what it reads first, when it lingers, how it ends."""

from __future__ import annotations

import asyncio

import pytest

from connectors import batches
from connectors.partition import Pace, PartitionLoop
from hub.errors import Unavailable
from tests.unit.connectors.fakes import Intake, PostgresRefusal, make_entry
from tests.waiting import wait_until

FAST = Pace(block_s=0.0, retry_pending_s=0.0, claim_every_s=1000.0, hold_s=0.0)


class Rig:
    """A loop whose lease ends after a number of questions, so that ``run`` returns by itself."""

    def __init__(self, pace: Pace = FAST, turns: int = 3) -> None:
        self.intake = Intake()
        self.streams = self.intake.streams
        self.until = lambda: True
        self.turns = turns
        self.loop = PartitionLoop(3, self.streams, self.intake.ports, self.holds, pace)

    def holds(self) -> bool:
        self.turns -= 1
        return self.turns >= 0


async def test_run_reads_own_pending_first():
    """What the last holder left is stored before anything new, in its old order."""
    rig = Rig(turns=5)
    rig.streams.pending = {"1-0": make_entry(1), "2-0": make_entry(2)}
    rig.streams.new = [make_entry(3)]

    await rig.loop.run()

    assert rig.intake.committed() == ["k1", "k2", "k3"]
    assert [read[0] for read in rig.streams.reads][:2] == ["pending", "pending"]


async def test_run_reads_nothing_without_the_lease():
    """Without its lease the loop touches nothing."""
    rig = Rig(turns=0)
    rig.streams.new = [make_entry(1)]

    await rig.loop.run()

    assert rig.streams.reads == []


async def test_run_pages_through_long_backlogs():
    """A long list of pending entries is worked page by page, each entry once."""
    rig = Rig(Pace(batch=2, block_s=0.0), turns=8)
    rig.streams.pending = {f"{number}-0": make_entry(number) for number in range(1, 6)}

    await rig.loop.run()

    assert rig.intake.receive.batches == [["k1", "k2"], ["k3", "k4"], ["k5"]]


async def test_run_buries_a_poisonous_entry_after_five_deliveries():
    """A bad entry is tried five times, then becomes a dead letter; new messages pass it meanwhile."""
    rig = Rig(turns=30)
    rig.intake.receive.poison["k1"] = PostgresRefusal("22021")
    rig.streams.new = [make_entry(1), make_entry(2)]

    await rig.loop.run()

    assert rig.intake.committed() == ["k2", "dead:k1"]
    assert [keys for keys in rig.intake.receive.batches if "k1" in keys] == [["k1", "k2"], *[["k1"]] * 5]


async def test_run_reads_pending_again_after_a_failed_acknowledgement():
    """COMMIT without XACK: the batch goes through once more and is acknowledged then."""
    rig = Rig(turns=10)
    rig.streams.new = [make_entry(1)]
    rig.streams.ack_errors = [Unavailable("gone")]

    await rig.loop.run()

    assert rig.intake.committed() == ["k1", "k1"]
    assert rig.intake.acked() == ["1-0"]


async def test_run_reads_pending_first_after_a_lost_reply():
    """A reply that was lost left entries pending: they come before newer ones, so threads keep their order."""
    rig = Rig(turns=12)
    rig.streams.read_errors = [Unavailable("reset")]
    rig.streams.pending = {}

    task = asyncio.create_task(rig.loop.run())
    await wait_until(lambda: len(rig.streams.reads) >= 2)
    rig.streams.pending = {"1-0": make_entry(1)}
    rig.streams.new = [make_entry(2)]
    await task

    assert rig.intake.committed() == ["k1", "k2"]


async def test_run_claims_from_silent_consumers():
    """Entries somebody took and never acknowledged are found, whoever that was."""
    rig = Rig(Pace(block_s=0.0, claim_every_s=0.0), turns=4)
    rig.streams.stale = [make_entry(1, deliveries=2)]

    await rig.loop.run()

    assert ("claim", 30_000, 200) in rig.streams.reads
    assert rig.intake.committed() == ["k1"]


async def test_run_does_not_linger_over_a_lone_message():
    """A message that comes alone is stored at once."""
    rig = Rig(turns=4)
    rig.streams.new = [make_entry(1)]

    await rig.loop.run()

    assert rig.intake.naps == []


async def test_run_lingers_while_traffic_is_dense():
    """After a batch of several the next one waits 5 ms for company, and takes only what is missing."""
    rig = Rig(turns=4)
    rig.streams.new = [make_entry(1), make_entry(2)]
    fed = iter([[make_entry(3)]])

    async def nap(seconds):
        rig.intake.naps.append(seconds)
        rig.streams.new = [make_entry(4)]

    object.__setattr__(rig.intake.ports, "sleep", nap)
    read_new = rig.streams.read_new

    async def feed(partition, limit, block_ms):
        if rig.intake.committed() and limit == 200:
            rig.streams.new = next(fed, [])
        return await read_new(partition, limit, block_ms)

    rig.streams.read_new = feed
    await rig.loop.run()

    assert rig.intake.naps == [0.005]
    assert ["k3", "k4"] in rig.intake.receive.batches
    assert ("new", 199, 0) in rig.streams.reads


async def test_run_gathers_more_while_it_waits_for_its_turn():
    """With every turn taken a batch is not stored; what comes meanwhile joins it, and the turn is given back."""
    rig = Rig(turns=4)
    turns = rig.intake.ports.turns
    taken = 0
    while not turns.locked():
        await turns.acquire()
        taken += 1
    rig.streams.new = [make_entry(1)]
    task = asyncio.create_task(rig.loop.run())
    await wait_until(lambda: bool(rig.streams.pending))
    assert rig.intake.committed() == []

    rig.streams.new = [make_entry(2)]
    for _ in range(taken):
        turns.release()
    await task

    assert rig.intake.receive.batches == [["k1", "k2"]]
    assert not turns.locked()


async def test_run_stands_still_after_too_many_dead_letters(monkeypatch):
    """At the limit the loop stops with an alarm, and goes on when the pause is over."""
    monkeypatch.setattr(batches, "DEAD_LETTER_LIMIT", 1)
    rig = Rig(Pace(block_s=0.0, hold_s=60.0), turns=100)
    rig.streams.new = [make_entry(1, b"malformed"), make_entry(2, b"malformed")]

    task = asyncio.create_task(rig.loop.run())
    await wait_until(lambda: bool(rig.intake.ports.metrics.stopped))

    assert rig.intake.ports.metrics.stopped == {3}
    assert list(rig.streams.pending) == ["2-0"]
    rig.loop.stop()
    await task
    assert rig.intake.ports.metrics.stopped == set()


async def test_run_survives_a_bug():
    """An unexpected error is logged and waited out; the loop does not die of it."""
    rig = Rig(turns=10)
    rig.streams.read_errors = [ValueError("a bug")]
    rig.streams.new = [make_entry(1)]

    await rig.loop.run()

    assert rig.intake.committed() == ["k1"]


async def test_stop_ends_a_waiting_loop():
    """Told to stop while Redis is away, the loop ends at once instead of after its wait."""
    rig = Rig(turns=1000)
    rig.streams.read_errors = [Unavailable("gone") for _ in range(100)]
    task = asyncio.create_task(rig.loop.run())
    await wait_until(lambda: rig.intake.ports.metrics.unavailable > 0)

    rig.loop.stop()

    async with asyncio.timeout(1):
        await task


@pytest.mark.parametrize("pace", [Pace()])
def test_pace_matches_the_design(pace):
    """Batches of 200 at most, 5 ms of linger, 30 s before a claim: DESIGN.md section 5."""
    assert (pace.batch, pace.linger_s, pace.claim_idle_s) == (200, 0.005, 30.0)
