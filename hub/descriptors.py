"""How many files this process may open, how many are open, and how they are shared out. Called by serve and doctor."""

from __future__ import annotations

import resource
from pathlib import Path

# What macOS lets a process have where its hard limit says "infinity".
UNLIMITED = 10_240
LONGEST_BACKLOG = 4_096
SHORTEST_BACKLOG = 16


def raise_limit() -> int:
    """Raise the soft limit as far as the system lets us and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return UNLIMITED
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted


def open_now() -> int:
    """
    Return how many descriptors are open.

    Source:
        Linux 6.2, proc(5): the size of /proc/self/fd is their number; elsewhere they are listed, 4 ms at 20,000.
    """
    try:
        counted = Path("/proc/self/fd").stat().st_size
    except FileNotFoundError:
        counted = 0
    return counted or sum(1 for _ in Path("/dev/fd").iterdir())


class Room:
    """
    How a limit is shared out between sockets and the rest.

    Attributes:
        limit: Descriptors this process may have.
        reserved: Of these, kept for HTTP, Postgres, Redis and files: 500, or an eighth of a small limit.
        most_sockets: Sockets this process takes.
        reopens_at: With this many open or fewer, one that took no more connections takes some again.
        refuses_at: With this many open, whatever comes is sent away unread.
    """

    __slots__ = ("limit", "most_sockets", "refuses_at", "reopens_at", "reserved")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.reserved = min(500, max(64, limit // 8), limit // 2)
        self.most_sockets = limit - self.reserved
        self.reopens_at = self.most_sockets - max(8, min(500, limit // 20))
        self.refuses_at = limit - self.reserved // 4

    def backlog(self, count: int) -> int:
        """
        Return how many connections may wait to be accepted with ``count`` descriptors open.

        All that wait are accepted in one turn of the loop: they must fit, twice, because a socket that leaves its
        transport has two descriptors for a moment. Powers of two, so that it changes a few times, not with each socket.
        """
        room = max(1, (self.limit - count) // 2)
        return max(SHORTEST_BACKLOG, min(LONGEST_BACKLOG, 1 << (room.bit_length() - 1)))
