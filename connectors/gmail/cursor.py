"""Where reading a mailbox goes on: an id of its history, and the page of it. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from connectors.base import Account
from connectors.gmail.api import ORIGIN


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where reading goes on.

    Attributes:
        mailbox: ``fingerprint``.
        since: Mail is read from here on where the history does not reach back to ``history_id``.
        history_id: Everything up to it is read; empty before the first reading.
        page: Token of the next page of the history, within a reading.
        seen: When the newest mail read so far arrived.
    """

    mailbox: str
    since: datetime
    history_id: str = ""
    page: str = ""
    seen: datetime | None = None

    def text(self) -> str:
        """Return it as it is kept."""
        return msgspec.json.encode(self).decode()


def fingerprint(account: Account) -> str:
    """Tell mailboxes and vendors apart: an id of one means nothing to another."""
    place = f"{account.base_url or ORIGIN}\n{account.settings.get('address', '')}"
    return hashlib.sha256(place.encode()).hexdigest()[:16]


def read_cursor(text: str | None, account: Account, since: datetime) -> Cursor:
    """
    Read a kept cursor.

    Args:
        text: As kept; None for a mailbox never read.
        account: Whose mailbox is to be read.
        since: Where a new one begins.

    Returns:
        The kept one, or a new one where there is none, it cannot be read or is another mailbox's.
    """
    try:
        kept = msgspec.json.decode(text, type=Cursor) if text else None
    except msgspec.DecodeError:
        kept = None
    mailbox = fingerprint(account)
    if kept is not None and kept.mailbox == mailbox:
        return kept
    return Cursor(mailbox=mailbox, since=since.astimezone(UTC))


def later(one: str, other: str) -> str:
    """Return the later of two ids of history; one that is no number loses."""
    numbers = [(int(text), text) for text in (one, other) if text.isascii() and text.isdigit()]
    return max(numbers)[1] if numbers else one or other
