"""
Sets of bare descriptors that say which of them can be read or written: epoll itself, or what ``selectors`` has.

Level-triggered: what is not read now is named again. No loop and no callbacks here; ``lane.py`` asks.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import sys
from collections import deque
from typing import Protocol

# The descriptor, whether it can be read (or failed), whether it can be written.
Ready = tuple[int, bool, bool]


class Readiness(Protocol):
    """One set; its own descriptor is readable while any of its members is ready."""

    def fileno(self) -> int:
        """Return the set's own descriptor."""
        ...

    def add(self, fd: int) -> None:
        """Watch an open, non-blocking descriptor for reading."""
        ...

    def want_write(self, fd: int, on: bool) -> None:  # noqa: FBT001  # the interest itself
        """Watch a member for writing as well, or no longer."""
        ...

    def remove(self, fd: int) -> None:
        """Stop watching; call before the descriptor is closed. Safe where it is no member."""
        ...

    def take(self, limit: int) -> list[Ready]:
        """Return at most ``limit`` (1 or more) members that are ready, without waiting; others have their turn next."""
        ...

    def close(self) -> None:
        """Give the set's own descriptor back; members stay open."""
        ...


if sys.platform == "linux":
    _READ = select.EPOLLIN
    _READ_WRITE = select.EPOLLIN | select.EPOLLOUT
    # A failed or hung-up socket is told by reading it; one that waits to be written learns it there as well.
    _WRITABLE = select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP

    class EpollReadiness:
        """Linux: no Python object a member; the kernel itself lets those wait their turn who were named last."""

        def __init__(self) -> None:
            self._epoll = select.epoll()

        def fileno(self) -> int:
            """See ``Readiness``."""
            return self._epoll.fileno()

        def add(self, fd: int) -> None:
            """See ``Readiness``."""
            self._epoll.register(fd, _READ)

        def want_write(self, fd: int, on: bool) -> None:  # noqa: FBT001
            """See ``Readiness``."""
            self._epoll.modify(fd, _READ_WRITE if on else _READ)

        def remove(self, fd: int) -> None:
            """See ``Readiness``."""
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

        def take(self, limit: int) -> list[Ready]:
            """See ``Readiness``."""
            return [
                (fd, bool(mask & ~select.EPOLLOUT), bool(mask & _WRITABLE)) for fd, mask in self._epoll.poll(0, limit)
            ]

        def close(self) -> None:
            """See ``Readiness``."""
            self._epoll.close()


class SelectorReadiness:
    """Elsewhere (kqueue): the same by the standard library, which keeps a record a member."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        # Named by the selector all at once, handed out in turns.
        self._waiting: deque[Ready] = deque()

    def fileno(self) -> int:
        """See ``Readiness``."""
        number: int = getattr(self._selector, "fileno", lambda: -1)()
        return number

    def add(self, fd: int) -> None:
        """See ``Readiness``."""
        self._selector.register(fd, selectors.EVENT_READ)

    def want_write(self, fd: int, on: bool) -> None:  # noqa: FBT001
        """See ``Readiness``."""
        self._selector.modify(fd, selectors.EVENT_READ | selectors.EVENT_WRITE if on else selectors.EVENT_READ)

    def remove(self, fd: int) -> None:
        """See ``Readiness``."""
        with contextlib.suppress(KeyError, ValueError, OSError):
            self._selector.unregister(fd)

    def take(self, limit: int) -> list[Ready]:
        """See ``Readiness``."""
        if not self._waiting:
            self._waiting.extend(
                (key.fd, bool(mask & selectors.EVENT_READ), bool(mask & selectors.EVENT_WRITE))
                for key, mask in self._selector.select(0)
            )
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    def close(self) -> None:
        """See ``Readiness``."""
        self._selector.close()


def open_readiness() -> Readiness | None:
    """Open the best set of this platform; None where it has neither epoll nor kqueue."""
    if sys.platform == "linux":
        return EpollReadiness()
    else:  # noqa: RET505  # type checkers leave out what is another platform's by its branch
        made = SelectorReadiness(selectors.DefaultSelector())
        if made.fileno() >= 0:
            return made
        made.close()
        return None
