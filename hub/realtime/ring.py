"""
Rings: the newest events of each workspace, kept for those who come back soon, within one budget of bytes a process.

An event that is not here any more is read from the log: everything also works with a budget of 0. No IO.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hub.events.model import LoggedEvent

# Nobody resumes from further back (``RESUME_LIMIT_EVENTS``).
RING_EVENTS = 1_000
# The struct, its ids and its place in the ring, beside the JSON (measured with tracemalloc: 430-520 bytes).
EVENT_OVERHEAD_BYTES = 512
DEFAULT_BUDGET_BYTES = 32 * 1024 * 1024


class RingBudget:
    """
    What the rings of one process may hold together; the ring that was used longest ago gives first.

    Attributes:
        limit_bytes: 0 keeps nothing.
        held_bytes: Events held, with their overhead.
    """

    def __init__(self, limit_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._by_use: OrderedDict[Ring, None] = OrderedDict()

    def used(self, ring: Ring) -> None:
        """Note that a ring was written to or read from just now."""
        self._by_use[ring] = None
        self._by_use.move_to_end(ring)

    def forget(self, ring: Ring) -> None:
        """Note that a ring holds nothing."""
        self._by_use.pop(ring, None)

    def make_room(self) -> None:
        """Drop the oldest events of rings not used for long until the rest fits."""
        while self.held_bytes > self.limit_bytes and self._by_use:
            ring = next(iter(self._by_use))
            if not ring.drop_oldest():
                self.forget(ring)


class Ring:
    """One workspace's newest events without a hole; the last one is the newest its feed applied."""

    __slots__ = ("_budget", "_events")

    def __init__(self, budget: RingBudget) -> None:
        self._budget = budget
        # An empty deque is 620 bytes, and most workspaces are quiet.
        self._events: deque[LoggedEvent] | None = None

    def append(self, event: LoggedEvent) -> None:
        """Take the feed's newest event."""
        if not self._budget.limit_bytes:
            return
        events = self._events
        if events is None:
            events = self._events = deque()
        events.append(event)
        self._budget.held_bytes += _size(event)
        if len(events) > RING_EVENTS:
            self.drop_oldest()
        self._budget.used(self)
        self._budget.make_room()

    def first(self, last: int) -> int:
        """Return the oldest seq held; ``last + 1`` where the ring is empty."""
        return self._events[0].seq if self._events else last + 1

    def prepend(self, events: Sequence[LoggedEvent], last: int) -> None:
        """
        Take older events that were read from the log, where they end just before the oldest one held.

        Args:
            events: In order.
            last: The newest seq the feed applied.
        """
        kept: deque[LoggedEvent] = self._events if self._events is not None else deque()
        room = RING_EVENTS - len(kept)
        if not self._budget.limit_bytes or not events or events[-1].seq + 1 != self.first(last) or len(events) > room:
            return
        kept.extendleft(reversed(events))
        self._events = kept
        self._budget.held_bytes += sum(map(_size, events))
        self._budget.used(self)
        self._budget.make_room()

    def after(self, seq: int, last: int, limit: int) -> list[LoggedEvent] | None:
        """Return up to ``limit`` events after ``seq``, up to the feed's ``last``; None where they are not held."""
        if seq >= last:
            return []
        events = self._events
        if not events or events[0].seq > seq + 1:
            return None
        self._budget.used(self)
        start = seq + 1 - events[0].seq
        return [events[index] for index in range(start, min(start + limit, len(events)))]

    def newest_first(self, seq: int) -> Iterable[LoggedEvent]:
        """Return the events held at or before ``seq``, newest first."""
        return (event for event in reversed(self._events or ()) if event.seq <= seq)

    def drop_oldest(self) -> bool:
        """Give one event up; False where none is held."""
        if not self._events:
            return False
        self._budget.held_bytes -= _size(self._events.popleft())
        return True

    def clear(self) -> None:
        """Give everything up."""
        while self.drop_oldest():
            pass
        self._budget.forget(self)


def _size(event: LoggedEvent) -> int:
    return len(event.data) + EVENT_OVERHEAD_BYTES
