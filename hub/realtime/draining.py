"""
Drain: a process that is to end sends its connections away evenly over a time, so that the others can take them in.

Called by ``hub.py``. Whoever is sent away comes back within a few seconds: the time itself spreads them.
"""

from __future__ import annotations

import asyncio
import math
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.realtime.connections import Connections

# 2 % of the connections a second.
DRAIN_S = 50.0
STEP_S = 0.1
# Sent away at one time when there is no time to spread them.
AT_ONCE = 200
COME_BACK_WITHIN_S = 3.0


class Drain:
    """One a process; ``run`` ends when nobody is left."""

    def __init__(self, connections: Connections, send_away: Callable[..., None]) -> None:
        self._connections = connections
        self._send_away = send_away
        self._hurry = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def run(self, within_s: float) -> None:
        """
        Send everybody away.

        Args:
            within_s: How long that may take; 0 means at once, also where a run is under way.
        """
        if within_s <= 0:
            self._hurry.set()
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run(within_s))
        await asyncio.shield(self._running)

    async def _run(self, within_s: float) -> None:
        steps_left = max(1, math.ceil(within_s / STEP_S))
        owed = 0.0
        while self._connections.all and not self._hurry.is_set():
            owed += len(self._connections.all) / steps_left
            share = math.floor(owed) if steps_left > 1 else len(self._connections.all)
            owed -= share
            for connection in list(islice(self._connections.all, share)):
                self._send_away(connection, COME_BACK_WITHIN_S)
            steps_left = max(1, steps_left - 1)
            try:
                async with asyncio.timeout(STEP_S):
                    await self._hurry.wait()
            except TimeoutError:
                pass
        while self._connections.all:
            for connection in list(islice(self._connections.all, AT_ONCE)):
                self._send_away(connection)
            await asyncio.sleep(0)
        self._running = None
