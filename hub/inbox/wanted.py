"""What a member wants done at a vendor about a message. Pure."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec


class WantedAct(msgspec.Struct, frozen=True, kw_only=True):
    """
    An act as it is queued.

    Attributes:
        id: Of its row.
        text: For ``edit``.
        emoji: For ``react`` and ``unreact``.
        actor_id: Who wants it; None for ``mark_read``.
        external_id: The vendor's id of the message, known when it is claimed.
    """

    id: UUID
    kind: Literal["edit", "delete", "react", "unreact", "mark_read"]
    text: str = ""
    emoji: str = ""
    actor_id: UUID | None = None
    external_id: str = ""
