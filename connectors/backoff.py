"""Waiting times of process loops that try again: exponential, with jitter, bounded."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 0.1
LONGEST_S = 5.0


class Backoff:
    """
    Waits that double up to 5 s, each spread over its upper half so that workers do not come back together.

    Args:
        first_s: The first wait, at most.
        spread: Draws from between two bounds.
    """

    def __init__(self, first_s: float = FIRST_S, spread: Callable[[float, float], float] = random.uniform) -> None:
        self._first_s = first_s
        self._spread = spread
        self._limit_s = first_s

    @property
    def is_fresh(self) -> bool:
        """Whether nothing has been waited for since the last success."""
        return self._limit_s == self._first_s

    def next_s(self) -> float:
        """Return how long to wait now, in seconds."""
        wait_s = self._spread(self._limit_s / 2, self._limit_s)
        self._limit_s = min(self._limit_s * 2, LONGEST_S)
        return wait_s

    def reset(self) -> None:
        """Start over after a success."""
        self._limit_s = self._first_s
