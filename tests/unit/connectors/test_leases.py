"""Fair shares of the partitions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.leases import Lease, plan

PARTITIONS = 16


def leased(holder: str, partitions, *, is_live: bool = True):
    return {one: Lease(holder, is_live) for one in partitions}


def test_plan_gives_a_lone_worker_everything():
    """One worker leases all partitions."""
    assert plan("a", ["a"], {}, PARTITIONS).take != []
    assert sorted(plan("a", ["a"], {}, PARTITIONS).take) == list(range(16))


def test_plan_gives_up_what_is_beyond_the_share():
    """When a second worker comes, the first gives up half and takes nothing new."""
    wanted = plan("a", ["a", "b"], leased("a", range(16)), PARTITIONS)

    assert wanted.take == list(range(8))
    assert wanted.give_up == list(range(8, 16))


def test_plan_never_takes_a_live_lease():
    """A live lease of somebody else is left alone, even by a worker that has nothing."""
    assert plan("b", ["a", "b"], leased("a", range(16)), PARTITIONS).take == []


def test_plan_takes_over_from_the_dead():
    """Leases that ran out are free, up to the fair share."""
    leases = {**leased("a", range(8)), **leased("dead", range(8, 16), is_live=False)}

    assert sorted(plan("a", ["a"], leases, PARTITIONS).take) == list(range(16))
    assert sorted(plan("b", ["a", "b"], leases, PARTITIONS).take) == list(range(8, 16))


def test_plan_takes_its_own_leases_up_again():
    """A restarted worker takes its own live leases at once."""
    assert plan("a", ["a", "b"], leased("a", range(4, 12)), PARTITIONS).take == list(range(4, 12))


@given(st.lists(st.text("abcdefgh", min_size=1, max_size=4), min_size=1, max_size=20, unique=True), st.data())
def test_plan_reaches_a_fair_share_from_any_state(workers, data):
    """From any allotment, one round of giving up and one of taking leaves every partition held and shares even."""
    holders = data.draw(st.lists(st.sampled_from([*workers, "gone"]), min_size=16, max_size=16))
    leases = {one: Lease(holder, holder != "gone") for one, holder in enumerate(holders)}

    for worker in workers:
        for one in plan(worker, workers, leases, PARTITIONS).give_up:
            del leases[one]
    for worker in workers:
        leases.update(leased(worker, plan(worker, workers, leases, PARTITIONS).take))

    counts = [sum(lease.holder == worker for lease in leases.values()) for worker in workers]
    assert sum(counts) == 16
    assert max(counts) - min(counts) <= 1
