"""
Who stores which partition: leases in Postgres, one holder each, shared out fairly between the workers that are alive.

Time is Postgres' ``clock_timestamp()``; here only a deadline on the monotonic clock, counted from before the request,
so this side always gives up first. Called by ``connectors/intake.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from hub import clock
from hub.db import load_queries
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))
TTL_S = 10.0
RENEW_EVERY_S = 3.0
# We stop this much before Postgres would give the partition away: longer than a batch takes.
MARGIN_S = 1.0

_log = get_logger("connectors.leases")


class CrossTenantDatabase(Protocol):
    """What is needed of ``hub.db.Database``."""

    def across(self) -> AbstractAsyncContextManager[TenantConn]: ...


class Lease(msgspec.Struct, frozen=True):
    """One row: who took the partition last, and whether the lease still runs."""

    holder: str
    is_live: bool


class Plan(msgspec.Struct, frozen=True):
    """What a worker does about its partitions: lease these (again), give those up."""

    take: list[int]
    give_up: list[int]


def plan(holder: str, workers: Sequence[str], leases: Mapping[int, Lease], partitions: int) -> Plan:
    """
    Work out a worker's fair share.

    Args:
        holder: The worker, one of ``workers``.
        workers: All that are alive; their sorted order decides who gets the remainder.
        leases: By partition; one that nobody ever leased is missing.
        partitions: How many there are.

    Returns:
        Its own partitions up to its share, then free ones; what it has beyond its share it gives up.
    """
    ordered = sorted(workers)
    rank = ordered.index(holder)
    base, remainder = divmod(partitions, len(ordered))
    share = base + (rank < remainder)
    mine = [one for one in range(partitions) if one in leases and leases[one].holder == holder]
    free = [one for one in range(partitions) if one not in leases or not leases[one].is_live]
    # Workers that start together look for free ones in different places.
    start = rank * partitions // len(ordered)
    free.sort(key=lambda one: (one - start) % partitions)
    others = [one for one in free if one not in mine]
    return Plan(take=mine[:share] + others[: max(0, share - len(mine))], give_up=mine[share:])


class Leases:
    """
    The leases of one worker.

    Args:
        database: Holds the leases.
        holder: The worker's name, the same after a restart, so that it takes its own partitions up again at once;
            no two processes may use one at a time (the older one steps down and says so).
        partitions: How many there are.
    """

    def __init__(
        self,
        database: CrossTenantDatabase,
        holder: str,
        partitions: int,
        *,
        ttl_s: float = TTL_S,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        self.holder = holder
        self._database = database
        self._partitions = partitions
        self._ttl_s = ttl_s
        self._monotonic_s = monotonic_s
        self._incarnation = clock.new_id()
        self._entered = False
        self._held_until: dict[int, float] = {}

    def holds(self, partition: int) -> bool:
        """Whether the partition is ours for certain, now."""
        return self._monotonic_s() < self._held_until.get(partition, 0.0)

    def held(self) -> set[int]:
        """Return the partitions that are ours for certain, now."""
        return {one for one in self._held_until if self.holds(one)}

    async def renew(self) -> list[int]:
        """
        Say that we live, renew our leases and take up to our share of the free ones; every 3 s.

        Returns:
            Partitions beyond our share: stop reading them, then ``release`` them. They stay leased until then.

        Raises:
            Unavailable: Postgres does not answer; what we hold runs on until its deadline.
        """
        started_s = self._monotonic_s()
        deadline_s = started_s + self._ttl_s - min(MARGIN_S, self._ttl_s / 4)
        async with self._database.across() as conn:
            if not await self._announce(conn):
                self._held_until.clear()
                return []
            workers = [row["holder"] for row in await conn.fetch(QUERIES["live_workers"])]
            rows = await conn.fetch(QUERIES["read_leases"])
            leases = {row["partition"]: Lease(row["holder"], row["is_live"]) for row in rows}
            wanted = plan(self.holder, workers, leases, self._partitions)
            # What is given up is renewed once more: it is ours until its loop has ended.
            leased = [*wanted.take, *(one for one in wanted.give_up if self.holds(one))]
            got = await conn.fetch(QUERIES["take_leases"], self.holder, sorted(leased), self._ttl_s)
        self._held_until = {row["partition"]: deadline_s for row in got}
        return wanted.give_up

    async def release(self, partitions: Iterable[int]) -> None:
        """Give partitions to whoever takes them next; call it once nothing reads them any more."""
        given = list(partitions)
        for one in given:
            self._held_until.pop(one, None)
        if given:
            async with self._database.across() as conn:
                await conn.execute(QUERIES["release_leases"], self.holder, given)

    async def leave(self) -> None:
        """Release everything and end our share, so that the others take over at once."""
        held, self._held_until = list(self._held_until), {}
        async with self._database.across() as conn:
            if await conn.fetchrow(QUERIES["announce_worker"], self.holder, self._incarnation, 0.0) is not None:
                await conn.execute(QUERIES["release_leases"], self.holder, held)
            await conn.execute(QUERIES["leave_worker"], self.holder, self._incarnation)

    async def _announce(self, conn: TenantConn) -> bool:
        if not self._entered:
            await conn.execute(QUERIES["forget_workers"])
            await conn.execute(QUERIES["enter_worker"], self.holder, self._incarnation, self._ttl_s)
            self._entered = True
            return True
        row = await conn.fetchrow(QUERIES["announce_worker"], self.holder, self._incarnation, self._ttl_s)
        if row is None:
            _log.error("intake_worker_name_taken", holder=self.holder)
        return row is not None
