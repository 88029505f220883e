"""One timer for all connections: a wheel of one-second slots. No IO; ``hub.py`` turns it."""

from __future__ import annotations

import math
from typing import Protocol


class Timed(Protocol):
    """Something with deadlines."""

    def check(self, now_s: float) -> float | None:
        """Act on what is due and return when to look again, monotonic seconds; None for never."""
        ...


class Wheel:
    """Deadlines to the second; an entry costs one list slot, and is looked at when due, not moved when put off."""

    def __init__(self, now_s: float) -> None:
        self._slots: dict[int, list[Timed]] = {}
        self._turned_to = math.floor(now_s)

    def schedule(self, item: Timed, at_s: float) -> None:
        """Have ``item.check`` called in the second after ``at_s``; several entries for one item are fine."""
        slot = max(math.ceil(at_s), self._turned_to + 1)
        self._slots.setdefault(slot, []).append(item)

    def turn(self, now_s: float) -> None:
        """Check everything due at or before ``now_s``."""
        until = math.floor(now_s)
        if until - self._turned_to > len(self._slots):
            due = sorted(slot for slot in self._slots if slot <= until)
        else:
            due = [slot for slot in range(self._turned_to + 1, until + 1) if slot in self._slots]
        self._turned_to = max(self._turned_to, until)
        for slot in due:
            for item in self._slots.pop(slot):
                again_s = item.check(now_s)
                if again_s is not None:
                    self.schedule(item, again_s)
