"""
Admission: hellos are let in at a set rate, and who finds the house full is told when it is their turn.

After a restart everybody comes at once. Answering all of them at once would make everybody wait, those already in
included; sending them away without a time would bring them back at once again.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from hub import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.realtime.connections import Connection
    from hub.realtime.protocol import Hello

DEFAULT_RATE_PER_S = 1_000.0
# Hellos that wait for a store at one time; more would only wait there instead of here.
IN_FLIGHT = 1_000
# A hello waits here for at most about this long before its client is sent away with a time to come back.
QUEUE_S = 2.0
BURST_S = 0.25
TICK_S = 0.02
# Handshakes are refused where whoever comes now would be sent away for longer than this anyway.
LONG_S = 5.0


class Admission:
    """One a process, in front of every first hello."""

    def __init__(
        self,
        admit: Callable[[Connection, Hello], None],
        refuse: Callable[[Connection, float], None],
        busy: Callable[[], int],
        *,
        rate_per_s: float = DEFAULT_RATE_PER_S,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
    ) -> None:
        """
        Let hellos in.

        Args:
            admit: Begins to answer a hello.
            refuse: Sends a connection away, to come back after so many seconds.
            busy: How many hellos are being answered.
            rate_per_s: Hellos a second.
            monotonic_s: The clock.
        """
        self._admit = admit
        self._refuse = refuse
        self._busy = busy
        self._rate_per_s = rate_per_s
        self._monotonic_s = monotonic_s
        self._tokens = self._burst = max(20.0, rate_per_s * BURST_S)
        self._filled_at_s = monotonic_s()
        self._queue_limit = math.ceil(rate_per_s * QUEUE_S)
        self._waiting: dict[Connection, Hello] = {}
        # Everybody sent away so far has a slot before this.
        self._booked_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many hellos wait."""
        return len(self._waiting)

    def enter(self, connection: Connection, hello: Hello) -> None:
        """Let a hello in now, soon, or never: then its client is told its slot."""
        if connection in self._waiting:
            return
        if not self._waiting and self._take():
            self._admit(connection, hello)
        elif len(self._waiting) < self._queue_limit:
            self._waiting[connection] = hello
            self._schedule()
        else:
            self._refuse(connection, self.slot_s())

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._waiting.pop(connection, None)

    def slot_s(self) -> float:
        """Book the next free slot behind everybody who waits or was sent away; returns how far off it is, seconds."""
        now_s = self._monotonic_s()
        queued_until_s = now_s + len(self._waiting) / self._rate_per_s
        self._booked_s = max(self._booked_s, queued_until_s) + 1.0 / self._rate_per_s
        return self._booked_s - now_s

    def handshake_slot_s(self) -> float | None:
        """Return when to come back where a handshake is not worth its while now, else None."""
        return self.slot_s() if self.refuses_handshakes() else None

    def refuses_handshakes(self) -> bool:
        """Say whether ``handshake_slot_s`` would book a slot now."""
        return len(self._waiting) >= self._queue_limit and self._booked_s - self._monotonic_s() >= LONG_S

    def tick(self) -> None:
        """Let in whoever may come in by now."""
        while self._waiting and self._take():
            connection = next(iter(self._waiting))
            self._admit(connection, self._waiting.pop(connection))
        if not self._waiting:
            self._waiting = {}  # an emptied dict keeps its size

    def stop(self) -> None:
        """Let nobody in any more."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _take(self) -> bool:
        now_s = self._monotonic_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_at_s) * self._rate_per_s)
        self._filled_at_s = now_s
        if self._tokens < 1.0 or self._busy() >= IN_FLIGHT:
            return False
        self._tokens -= 1.0
        return True

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TICK_S, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.tick()
        if self._waiting:
            self._schedule()
