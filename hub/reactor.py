"""
Lets rooms react to events: each has its own place in every workspace's log, moved in the transaction of what it did.

A reaction therefore happens once. Hints say where something is new; a look across all workspaces now and then is the
net below them. Knows no room: reactions are handed in by ``connectors/telling.py``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from hub.errors import Unavailable
from hub.events import store as events
from hub.events.model import LogRange
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager

    from hub.db import TenantConn
    from hub.events.model import Happening, LoggedEvent

LOOK_EVERY_S: Final = 10.0
BATCH: Final = 100
MOST_BEHIND: Final = 1_000
# An event no reaction can deal with is passed over after so many tries.
TRIES: Final = 3

_log = get_logger("hub.reactor")


class Transactions(Protocol):
    """What is needed of ``hub.db.Database``."""

    def transaction(self, workspace_ids: Sequence[int]) -> AbstractAsyncContextManager[TenantConn]: ...
    def across(self) -> AbstractAsyncContextManager[TenantConn]: ...


@dataclass(frozen=True, slots=True)
class Reaction:
    """
    What one room does with events.

    Attributes:
        room: Names its place in the logs; never changed.
        types: Types of events it wants to see; others are only counted past.
        react: Deals with events of one workspace, oldest first, in the given transaction; never commits.
    """

    room: str
    types: frozenset[str]
    react: Callable[[TenantConn, int, Sequence[Happening]], Awaitable[None]]


@dataclass(slots=True)
class ReactorMetrics:
    """Events dealt with and passed over, by room; read by /metrics."""

    reacted: dict[str, int] = field(default_factory=dict)
    passed_over: dict[str, int] = field(default_factory=dict)


class Reactor:
    """One per worker process; any number of them may run."""

    def __init__(self, database: Transactions, reactions: Sequence[Reaction]) -> None:
        self._database = database
        self._reactions = reactions
        self._wanted: set[int] = set()
        self._wake = asyncio.Event()
        self._failures: dict[tuple[str, int, int], int] = {}
        self.metrics = ReactorMetrics()

    def note(self, committed: Iterable[LoggedEvent]) -> None:
        """Take a hint that events were appended; neither blocks nor raises."""
        new = {one.workspace_id for one in committed if any(one.type in each.types for each in self._reactions)}
        if new:
            self._wanted |= new
            self._wake.set()

    async def run(self) -> None:
        """React until cancelled."""
        while True:
            try:
                await self.catch_up()
            except Unavailable:
                await asyncio.sleep(1.0)
            except Exception:  # loop: the next look tries again
                _log.exception("reactor_failed")
                await asyncio.sleep(1.0)
            # From here on only what is hinted, until it is time for the next look at everything.
            await self._follow_hints(asyncio.get_running_loop().time() + LOOK_EVERY_S)

    async def catch_up(self) -> None:
        """Read every log to its end, for every room."""
        for reaction in self._reactions:
            async with self._database.across() as conn:
                behind = await events.rooms_behind(conn, reaction.room, MOST_BEHIND)
            for workspace_id in behind:
                await self._read_to_end(reaction, workspace_id)

    async def _follow_hints(self, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        while (left_s := until_s - loop.time()) > 0:
            try:
                await asyncio.wait_for(self._wake.wait(), left_s)
            except TimeoutError:
                return
            self._wake.clear()
            wanted, self._wanted = self._wanted, set()
            try:
                for workspace_id in wanted:
                    for reaction in self._reactions:
                        await self._read_to_end(reaction, workspace_id)
            except Unavailable:
                return

    async def _read_to_end(self, reaction: Reaction, workspace_id: int) -> None:
        limit = BATCH
        while True:
            try:
                read = await self._read_some(reaction, workspace_id, limit)
            except Unavailable:
                raise
            except Exception as error:  # loop: one bad event must not keep a workspace's others from being seen
                if limit > 1:
                    limit = 1
                    continue
                _log.error("reaction_failed", room=reaction.room, workspace_id=workspace_id, error=type(error).__name__)
                return
            if read < limit:
                return

    async def _read_some(self, reaction: Reaction, workspace_id: int, limit: int) -> int:
        async with self._database.transaction([workspace_id]) as conn:
            place = await events.lock_place(conn, workspace_id, reaction.room)
            if place is None:
                return 0
            happened = await events.happenings_after(conn, LogRange(workspace_id, place, limit), reaction.types)
            if not happened:
                return 0
            wanted = [one for one in happened if one.type in reaction.types]
            if wanted and not self._is_hopeless(reaction, workspace_id, happened):
                await reaction.react(conn, workspace_id, wanted)
            await events.move_place(conn, workspace_id, reaction.room, happened[-1].seq)
        counted = self.metrics.reacted
        counted[reaction.room] = counted.get(reaction.room, 0) + len(wanted)
        self._failures.pop((reaction.room, workspace_id, happened[0].seq), None)
        return len(happened)

    def _is_hopeless(self, reaction: Reaction, workspace_id: int, happened: Sequence[Happening]) -> bool:
        """Count the tries of an event that is looked at by itself; True once there were enough."""
        if len(happened) != 1:
            return False
        key = (reaction.room, workspace_id, happened[0].seq)
        self._failures[key] = self._failures.get(key, 0) + 1
        if self._failures[key] <= TRIES:
            return False
        _log.error("event_passed_over", room=reaction.room, workspace_id=workspace_id, seq=happened[0].seq)
        self.metrics.passed_over[reaction.room] = self.metrics.passed_over.get(reaction.room, 0) + 1
        return True
