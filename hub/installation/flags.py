"""How a process reads feature flags: from memory for up to ten seconds, then from the database; no Redis is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub import clock
from hub.audit.model import INSTALLATION
from hub.installation import store
from hub.installation.model import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.db import Database
    from hub.installation.model import Flag, FlagState

# A change reaches every process within this.
FLAGS_KEPT_S: Final = 10.0
_MOST_WORKSPACES: Final = 10_000


class Flags:
    """The flags as this process last read them; one per process."""

    def __init__(self, database: Database, *, monotonic_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._database = database
        self._monotonic_s = monotonic_s
        self._known: dict[int, tuple[float, tuple[FlagState, ...]]] = {}

    async def states(self, workspace_id: int = INSTALLATION) -> tuple[FlagState, ...]:
        """Say how every flag stands in a workspace, or for the installation; ``Unavailable`` without a database."""
        now_s = self._monotonic_s()
        known = self._known.get(workspace_id)
        if known is not None and now_s - known[0] < FLAGS_KEPT_S:
            return known[1]
        ids = sorted({INSTALLATION, workspace_id})
        async with self._database.snapshot(ids) as conn:
            states = resolve(await store.flags(conn, ids), workspace_id)
        if len(self._known) >= _MOST_WORKSPACES:
            self._known.clear()
        self._known[workspace_id] = now_s, states
        return states

    async def is_on(self, flag: Flag, workspace_id: int = INSTALLATION) -> bool:
        """Say whether a feature is on."""
        return next(one.is_on for one in await self.states(workspace_id) if one.name is flag)

    def forget(self) -> None:
        """Read everything anew: this process has just changed one."""
        self._known.clear()
