"""
Circuit breakers: an account, or a whole channel, whose vendor keeps failing is left alone for a growing pause.

Knows no database and no vendor: ``attempt`` tells it what came of each call, ``dispatch`` asks it before it starts one.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from hub import clock

if TYPE_CHECKING:
    from collections.abc import Callable

# So many failures in a row, the first no longer ago than the window, open the breaker of an account.
FAILURES = 5
WINDOW_S = 120.0
# So many accounts of one channel with an open breaker open the channel's.
ACCOUNTS = 3
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 300.0

Key = UUID | str


@dataclass(slots=True)
class _Circuit:
    failed_at_s: deque[float] = field(default_factory=lambda: deque(maxlen=FAILURES))
    pauses: int = 0
    closed_until_s: float = 0.0
    is_probing: bool = False

    @property
    def is_open(self) -> bool:
        return self.pauses > 0


class Breaker:
    """
    The breakers of one process.

    Args:
        now_s: A clock that never steps back.
        spread: Draws from between two bounds.

    Attributes:
        opened: How often a breaker opened; for /metrics.
    """

    def __init__(
        self, now_s: Callable[[], float] = clock.monotonic_s, spread: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._now_s = now_s
        self._spread = spread
        self._circuits: dict[Key, _Circuit] = {}
        self._channel_of: dict[UUID, str] = {}
        self.opened = 0

    def may_call(self, account_id: UUID, channel: str) -> bool:
        """Say whether a call may begin now: the breakers are closed, or it is the one probe after a pause."""
        now_s = self._now_s()
        self._channel_of[account_id] = channel
        return all(self._lets_through(key, now_s) for key in (account_id, channel))

    def began(self, account_id: UUID, channel: str) -> None:
        """Take note that a call begins; of an open breaker it is the probe, and others wait for its answer."""
        for key in (account_id, channel):
            if (circuit := self._circuits.get(key)) is not None and circuit.is_open:
                circuit.is_probing = True

    def ended(self, account_id: UUID, channel: str) -> None:
        """Take note that a call is over, even one that nothing was learnt from."""
        for key in (account_id, channel):
            if (circuit := self._circuits.get(key)) is not None:
                circuit.is_probing = False

    def failed(self, account_id: UUID, channel: str) -> bool:
        """
        Take note that a vendor could not be reached, or did not answer.

        Returns:
            Whether that opened the account's breaker, which was closed.
        """
        self._channel_of[account_id] = channel
        is_new = self._fail(account_id)
        open_accounts = [
            one
            for one, of in self._channel_of.items()
            if of == channel and one in self._circuits and self._is_open(one)
        ]
        if self._is_open(channel) or len(open_accounts) >= ACCOUNTS:
            self._open(channel)
        return is_new

    def answered(self, account_id: UUID, channel: str) -> None:
        """Take note that a vendor answered: both breakers close, others' accounts try for themselves."""
        self._circuits.pop(account_id, None)
        self._circuits.pop(channel, None)

    def waiting(self) -> list[UUID]:
        """Return the accounts for which no call may begin now."""
        now_s = self._now_s()
        return [
            account_id
            for account_id, channel in self._channel_of.items()
            if not all(self._lets_through(key, now_s) for key in (account_id, channel))
        ]

    def count_open(self) -> tuple[int, int]:
        """Return how many accounts and how many channels are left alone now."""
        keys = [key for key, circuit in self._circuits.items() if circuit.is_open]
        channels = sum(isinstance(key, str) for key in keys)
        return len(keys) - channels, channels

    def _lets_through(self, key: Key, now_s: float) -> bool:
        circuit = self._circuits.get(key)
        if circuit is None or not circuit.is_open:
            return True
        return not circuit.is_probing and now_s >= circuit.closed_until_s

    def _is_open(self, key: Key) -> bool:
        circuit = self._circuits.get(key)
        return circuit is not None and circuit.is_open

    def _fail(self, account_id: UUID) -> bool:
        circuit, now_s = self._circuits.setdefault(account_id, _Circuit()), self._now_s()
        circuit.failed_at_s.append(now_s)
        if circuit.is_open:
            self._open(account_id)
            return False
        if len(circuit.failed_at_s) < FAILURES or circuit.failed_at_s[0] < now_s - WINDOW_S:
            return False
        self._open(account_id)
        return True

    def _open(self, key: Key) -> None:
        """Begin a pause, twice as long as the last; calls that were under way when it began do not lengthen it."""
        circuit, now_s = self._circuits.setdefault(key, _Circuit()), self._now_s()
        if circuit.is_open and now_s < circuit.closed_until_s:
            return
        self.opened += 0 if circuit.is_open else 1
        limit_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(circuit.pauses, 10))
        circuit.pauses += 1
        circuit.closed_until_s = now_s + self._spread(limit_s * 0.8, limit_s)
