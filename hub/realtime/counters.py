"""What one process counts of its sockets, for /metrics."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hub.metrics import Distribution

if TYPE_CHECKING:
    from hub.events.model import LoggedEvent


class Counters:
    """What /metrics reads; plain numbers, never reset."""

    __slots__ = (
        "bytes_out",
        "closes",
        "connections",
        "events_applied",
        "fanout_seconds",
        "frames_in",
        "frames_out",
        "gaps",
        "heals",
        "holes",
        "pings",
        "refused",
        "resumes",
        "unwritten",
    )

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter()  # by kind: opening, member, visitor
        self.frames_in = 0
        self.frames_out = 0
        self.bytes_out = 0
        self.gaps: Counter[str] = Counter()  # by reason
        self.closes: Counter[int] = Counter()  # by code; 0 where the client went
        self.resumes: Counter[str] = Counter()  # recovered, snapshot
        self.refused: Counter[str] = Counter()  # by error code
        self.heals = 0
        self.holes = 0
        self.pings = 0  # WebSocket pings of ours; not among frames_out
        self.events_applied = 0
        # From an event's number to its last frame in the sockets' buffers, where this process has any for it.
        self.fanout_seconds = Distribution()
        # Events with frames queued in this turn, and when they were; noted once the flush has written them.
        self.unwritten: list[tuple[LoggedEvent, int]] = []
