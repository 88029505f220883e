"""
The intake process: leases partitions and stores what webhooks and pollers put on their streams.

``run`` stands beside dispatch and jobs in ``work``. Any number of workers may run; each partition has one at a time,
and every item is stored once even if it had two.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from connectors.backoff import Backoff
from connectors.batches import FINISH_S
from connectors.entries import Acknowledging
from connectors.leases import RENEW_EVERY_S
from connectors.partition import Pace, PartitionLoop, Reading
from hub.errors import HubError, Unavailable
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connectors.entries import BatchPorts


# Leases run 10 s whether or not Postgres hears that we leave: stopping must not wait for it longer than this.
LEAVE_S = 1.5
# How long a renewal may wait for loops of partitions that are given up; what has not ended is looked at again.
GIVE_UP_S = 1.5

_log = get_logger("connectors.intake")


class IntakeStreams(Reading, Acknowledging, Protocol):
    """What is needed of ``hub.streams.IngressStreams``."""

    async def create_groups(self) -> int: ...


class PartitionLeases(Protocol):
    """What is needed of ``connectors.leases.Leases``."""

    def holds(self, partition: int) -> bool: ...
    def held(self) -> set[int]: ...
    async def renew(self) -> list[int]: ...
    async def release(self, partitions: Iterable[int]) -> None: ...
    async def leave(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDeps:
    """Everything the loop needs; ``ports.streams`` and ``streams`` are one object."""

    streams: IntakeStreams
    leases: PartitionLeases
    ports: BatchPorts
    pace: Pace = field(default_factory=Pace)
    renew_every_s: float = RENEW_EVERY_S


async def run(deps: IntakeDeps) -> None:
    """
    Store items until cancelled; then finish the batches in hand, acknowledge them and release the leases (≤ 10 s).

    Args:
        deps: The rest of the system.
    """
    await _create_groups(deps.streams)
    loops = _Loops(deps)
    try:
        while True:
            wait_s = await _renew(deps, loops)
            await asyncio.sleep(wait_s)
    finally:
        await loops.end()
        await _leave(deps.leases)


async def _create_groups(streams: IntakeStreams) -> None:
    backoff = Backoff()
    while True:
        try:
            created = await streams.create_groups()
        except Unavailable as error:
            if backoff.is_fresh:
                _log.warning("intake_waits_for_streams", reason=error.message)
            await asyncio.sleep(backoff.next_s())
            continue
        if created:
            # Normal on the first start ever; later it means that the streams came back empty.
            _log.warning("ingress_groups_created", groups=created)
        return


async def _renew(deps: IntakeDeps, loops: _Loops) -> float:
    """Renew, start and stop loops; returns when to do it next, in seconds."""
    try:
        given_up = await deps.leases.renew()
        loops.start(deps.leases.held().difference(given_up))
        if given_up:
            await deps.leases.release(await loops.stop(given_up))
    except HubError as error:
        if not isinstance(error, Unavailable):
            _log.warning("intake_leases_not_renewed", reason=error.code)
        return min(1.0, deps.renew_every_s)
    return deps.renew_every_s


async def _leave(leases: PartitionLeases) -> None:
    try:
        async with asyncio.timeout(LEAVE_S):
            await leases.leave()
    except (TimeoutError, HubError):
        _log.warning("intake_leases_left_to_expire")


class _Loops:
    """The running loops, by partition."""

    def __init__(self, deps: IntakeDeps) -> None:
        self._deps = deps
        self._loops: dict[int, tuple[PartitionLoop, asyncio.Task[None]]] = {}

    def start(self, partitions: Iterable[int]) -> None:
        """Start a loop for each partition that has none, or whose loop ended with its lease."""
        for partition in sorted(partitions):
            running = self._loops.get(partition)
            if running is not None and not running[1].done():
                continue
            loop = PartitionLoop(
                partition,
                self._deps.streams,
                self._deps.ports,
                lambda one=partition: self._deps.leases.holds(one),  # type: ignore[misc]  # bound early on purpose
                self._deps.pace,
            )
            self._loops[partition] = (loop, asyncio.create_task(loop.run(), name=f"intake-{partition}"))

    async def stop(self, partitions: Iterable[int]) -> list[int]:
        """Ask loops to end; returns the partitions that nothing reads any more."""
        wanted = list(partitions)
        running = {one: self._loops[one] for one in wanted if one in self._loops}
        for loop, _ in running.values():
            loop.stop()
        if running:
            await asyncio.wait([task for _, task in running.values()], timeout=GIVE_UP_S)
        ended = [one for one in wanted if one not in running or running[one][1].done()]
        for one in ended:
            self._loops.pop(one, None)
        return ended

    async def end(self) -> None:
        """Cancel every loop; each finishes the transaction it is in."""
        for loop, task in self._loops.values():
            # Said as well as cancelled: a cancellation that meets a reply just then can get lost inside a driver.
            loop.stop()
            task.cancel()
        tasks = [task for _, task in self._loops.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=FINISH_S + 0.5)
