"""What an operator may set of the real-time core; read from the environment by ``hub/config.py``."""

from __future__ import annotations

import msgspec

from hub.realtime.admission import DEFAULT_RATE_PER_S
from hub.realtime.ring import DEFAULT_BUDGET_BYTES


class Limits(msgspec.Struct, frozen=True):
    """
    See the module.

    Attributes:
        hellos_per_s: First hellos answered a second.
        ring_bytes: What the rings of all workspaces may hold together; 0 keeps none.
    """

    hellos_per_s: float = DEFAULT_RATE_PER_S
    ring_bytes: int = DEFAULT_BUDGET_BYTES


DEFAULT_LIMITS = Limits()
