"""One timer for everything: a wheel of one-second slots. No IO; ``hub.py`` turns it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

# Deadlines further away are looked at, and put off, when the wheel has gone round once.
SLOTS = 64


class Timed(Protocol):
    """Something with deadlines."""

    def check(self, now_s: float) -> float | None:
        """Act on what is due and return when to look again, monotonic seconds; None for never."""
        ...


class Wheel:
    """
    Deadlines to the second: an entry is a place in a dict, and is looked at when due, not moved when put off.

    An item may be entered more than once; who wants to leave remembers the slot (small ints, which cost nothing).
    """

    def __init__(self, now_s: float) -> None:
        self._slots: list[dict[Timed, None]] = [{} for _ in range(SLOTS)]
        self._turned_to = math.floor(now_s)
        # Out of their slots and not looked at yet.
        self._due: dict[Timed, None] = {}

    def schedule(self, item: Timed, at_s: float) -> int:
        """
        Have ``item.check`` called in the second after ``at_s``, or earlier when that is more than a minute away.

        Returns:
            The slot, for ``cancel``.
        """
        second = min(max(math.ceil(at_s), self._turned_to + 1), self._turned_to + SLOTS)
        slot = second % SLOTS
        self._slots[slot][item] = None
        return slot

    def cancel(self, item: Timed, slot: int) -> None:
        """Take an entry out, be it in its slot or already due; one that is gone is fine."""
        self._slots[slot].pop(item, None)
        if self._due:
            self._due.pop(item, None)

    def turn(self, now_s: float, limit: int | None = None) -> bool:
        """
        Check what is due at or before ``now_s``.

        Args:
            now_s: Monotonic seconds.
            limit: Most checks of this call; None means all.

        Returns:
            Whether some are left for another call: ten thousand sockets that came in one second are due in one second.
        """
        until = math.floor(now_s)
        for second in range(max(self._turned_to + 1, until - SLOTS + 1), until + 1):
            slot = second % SLOTS
            if self._slots[slot]:
                self._due.update(self._slots[slot])
                self._slots[slot] = {}
        self._turned_to = max(self._turned_to, until)
        left = len(self._due) if limit is None else limit
        while self._due and left > 0:
            left -= 1
            item, _ = self._due.popitem()
            again_s = item.check(now_s)
            if again_s is not None:
                self.schedule(item, again_s)
        return bool(self._due)

    def __iter__(self) -> Iterator[Timed]:
        """Go through everything that is entered; nothing may be entered or taken out meanwhile."""
        yield from self._due
        for slot in self._slots:
            yield from slot
