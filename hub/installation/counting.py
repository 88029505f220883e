"""
Counts calls and sockets of a serve process by workspace, and writes them down every few seconds.

A process that dies loses what it counted since it last wrote: at most ``EVERY_S`` of calls. While the database is away
counts are kept and written later. Messages are not counted here: their own INSERT does that, exactly.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hub import clock
from hub.errors import HubError
from hub.installation import store
from hub.installation.model import Counted
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from hub.db import Database

EVERY_S: Final = 5.0
_AT_ONCE: Final = 500

_log = get_logger("hub.installation")


class UsageCounts:
    """One a process; ``run`` is its task."""

    def __init__(
        self, database: Database, process: str, sockets: Callable[[], Mapping[int, int]] | None = None
    ) -> None:
        """
        Count nothing yet.

        Args:
            database: Where it is written.
            process: Names this process among those that run now.
            sockets: How many members' sockets are open here, by workspace.
        """
        self._database = database
        self._process = process
        self._sockets = sockets or dict
        self._calls: dict[tuple[int, date], int] = {}
        self._had_sockets: set[int] = set()

    def note_call(self, workspace_id: int) -> None:
        """Count a call of the API."""
        key = (workspace_id, clock.now().date())
        self._calls[key] = self._calls.get(key, 0) + 1

    async def run(self) -> None:
        """Write every few seconds, for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.flush()
            except HubError as error:
                _log.debug("usage_not_written", code=error.code)
            except Exception:  # loop: what was not written is tried again
                _log.exception("usage_failed")

    async def flush(self) -> None:
        """Write what was counted since; a part that cannot be written is kept."""
        counted = self._take()
        for start in range(0, len(counted), _AT_ONCE):
            some = counted[start : start + _AT_ONCE]
            try:
                async with self._database.transaction(sorted({one.workspace_id for one in some})) as conn:
                    # One day at a time: a statement may touch a row of sockets only once.
                    for day in sorted({one.day for one in some}):
                        await store.note(conn, self._process, [one for one in some if one.day == day])
            except BaseException:
                self._put_back(counted[start:])
                raise

    def _take(self) -> list[Counted]:
        calls, self._calls = self._calls, {}
        sockets = self._sockets()
        today = clock.now().date()
        # Who had sockets a moment ago and has none is written once more, as none.
        named = set(sockets) | self._had_sockets
        self._had_sockets = set(sockets)
        keys = sorted(set(calls) | {(one, today) for one in named})
        return [Counted(key[0], key[1], calls.get(key, 0), sockets.get(key[0], 0)) for key in keys]

    def _put_back(self, counted: list[Counted]) -> None:
        for one in counted:
            key = (one.workspace_id, one.day)
            if one.api_calls:
                self._calls[key] = self._calls.get(key, 0) + one.api_calls
            self._had_sockets.add(one.workspace_id)
