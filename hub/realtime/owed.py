"""What sockets are owed, as one chain of frames that all of them share who are owed the same. Pure."""

from __future__ import annotations


class Owed:
    """
    The frames of one loop turn, or of a socket that reads slowly: the newest, and what comes before it.

    Five thousand sockets of an audience that is told sixteen things in one turn share one chain, joined once.

    Attributes:
        data: Everything joined, once somebody asked; a single frame is its own.
        frames: How many.
        size_bytes: Of all of them.
    """

    __slots__ = ("_before", "_frame", "data", "frames", "size_bytes")

    def __init__(self, before: Owed | None, frame: bytes) -> None:
        self._before = before
        self._frame = frame
        self.data: bytes | None
        if before is None:
            self.data = frame
            self.frames = 1
            self.size_bytes = len(frame)
        else:
            self.data = None
            self.frames = before.frames + 1
            self.size_bytes = before.size_bytes + len(frame)

    def join(self) -> bytes:
        """Return everything, oldest frame first."""
        parts: list[bytes] = []
        one: Owed | None = self
        while one is not None:
            if one.data is not None:
                parts.append(one.data)
                break
            parts.append(one._frame)
            one = one._before
        parts.reverse()
        self.data = b"".join(parts)
        # Nobody walks past joined data: what it was made of may go.
        self._before = None
        return self.data

    def begins_with(self, frame: bytes) -> bool:
        """Say whether the oldest frame is this very object; only for chains that nobody joined."""
        one = self
        while one._before is not None:
            one = one._before
        return one._frame is frame
