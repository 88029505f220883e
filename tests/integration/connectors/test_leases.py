"""Leases of partitions on a real Postgres: one holder each, takeover, restart, fair shares."""

from __future__ import annotations

import asyncio

import pytest

from connectors.leases import Leases
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres

EVERYTHING = set(range(16))


def make_leases(database, holder: str, **options) -> Leases:
    return Leases(database, holder, 16, **options)


async def settle(*workers: Leases) -> None:
    """Renew in turn, giving up at once, until shares stop moving."""
    for _ in range(3):
        for worker in workers:
            await worker.release(await worker.renew())


async def test_renew_leases_everything_to_a_lone_worker(database):
    """The only worker holds all partitions."""
    worker = make_leases(database, "a-0")

    assert await worker.renew() == []
    assert worker.held() == EVERYTHING


async def test_renew_never_leases_a_partition_twice(database):
    """Workers that start at the same moment share the partitions without overlap."""
    workers = [make_leases(database, f"a-{slot}") for slot in range(5)]

    await asyncio.gather(*(worker.renew() for worker in workers))
    await settle(*workers)

    held = [worker.held() for worker in workers]
    assert set().union(*held) == EVERYTHING
    assert sorted(len(one) for one in held) == [3, 3, 3, 3, 4]


async def test_given_up_partitions_stay_leased_until_released(database):
    """A partition moves only after its loop has ended: nobody takes it before."""
    first, second = make_leases(database, "a-0"), make_leases(database, "a-1")
    await first.renew()
    await second.renew()

    given_up = await first.renew()
    assert set(given_up) == set(range(8, 16))
    await second.renew()
    assert second.held() == set()
    assert first.held() == EVERYTHING

    await first.release(given_up)
    await second.renew()
    assert second.held() == set(given_up)
    assert first.held() == EVERYTHING - set(given_up)


async def test_renew_takes_over_from_a_dead_worker(database):
    """A worker that stops renewing loses its partitions when its leases run out, not before."""
    dead, heir = make_leases(database, "a-0", ttl_s=0.5), make_leases(database, "a-1")
    await dead.renew()
    await heir.renew()
    assert heir.held() == set()

    await wait_until(lambda: dead.held() == set())
    while heir.held() != EVERYTHING:
        await heir.renew()

    assert dead.held() == set()


async def test_renew_takes_own_leases_up_again_after_a_restart(database):
    """A killed worker that comes back under its name does not wait for its old leases to run out."""
    killed = make_leases(database, "a-0", ttl_s=60.0)
    await killed.renew()

    restarted = make_leases(database, "a-0", ttl_s=60.0)
    await restarted.renew()

    assert restarted.held() == EVERYTHING


async def test_renew_steps_down_from_a_taken_name(database):
    """Two processes under one name: the older one stops by itself, and stays out."""
    older, newer = make_leases(database, "a-0"), make_leases(database, "a-0")
    await older.renew()
    await newer.renew()

    assert await older.renew() == []
    assert older.held() == set()
    await newer.renew()
    assert newer.held() == EVERYTHING


async def test_leave_frees_everything_at_once(database):
    """A worker that stops in order leaves its partitions to the others without any wait."""
    first, second = make_leases(database, "a-0"), make_leases(database, "a-1")
    await settle(first, second)

    await first.leave()
    await second.renew()

    assert first.held() == set()
    assert second.held() == EVERYTHING


async def test_leave_of_an_older_process_keeps_the_newer_ones_leases(database):
    """The old process of a name, stopping late, takes nothing from the new one."""
    older, newer = make_leases(database, "a-0"), make_leases(database, "a-0")
    await older.renew()
    await newer.renew()

    await older.leave()

    other = make_leases(database, "a-1")
    await other.renew()
    assert other.held() == set()


async def test_holds_ends_before_postgres_gives_the_partition_away(database):
    """This side counts from before the request and stops early, so there is never a moment with two holders."""
    now_s = 100.0
    worker = make_leases(database, "a-0", ttl_s=10.0, monotonic_s=lambda: now_s)
    await worker.renew()

    now_s = 108.9
    assert worker.holds(3)
    now_s = 109.0
    assert not worker.holds(3)
