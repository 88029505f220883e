"""How a channel account does: what went wrong, how much waits, how long ago something came or went. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

Doing = Literal["send", "read", "fetch", "webhook", "renew"]


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """
    One kind of failure of an account.

    Attributes:
        code: The vendor's, or ours.
        message: In words, for members.
        times: How often since ``first_at``.
    """

    doing: Doing
    code: str
    message: str
    times: int
    first_at: datetime
    last_at: datetime


class AccountNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a process noticed of an account since it last wrote it down."""

    workspace_id: int
    account_id: UUID
    item_at: datetime | None = None
    sent_at: datetime | None = None
    troubles: tuple[Trouble, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the row and the outbox say of an account.

    Attributes:
        queued: Messages that wait to be sent, those nobody confirmed included.
        oldest_queued_at: Since when the oldest of them waits.
        last_item_at: When something last came in by a webhook.
        last_sent_at: When a vendor last took a message.
    """

    queued: int
    oldest_queued_at: datetime | None
    last_item_at: datetime | None
    last_sent_at: datetime | None
    token_expires_at: datetime | None
    token_renewed_at: datetime | None
