"""Where reading a mailbox goes on: of each folder the link that Graph gave last. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import msgspec

from connectors.base import Account
from connectors.outlook.graph import ORIGIN


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where reading one folder goes on.

    Attributes:
        link: To the next page or the next changes.
        seen: When the newest mail read so far arrived, by the server; None before the first.
    """

    link: str
    seen: datetime | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """
    Both folders of one mailbox.

    Attributes:
        mailbox: ``fingerprint``.
        since: Mail is read from here on where a folder was never read.
    """

    mailbox: str
    since: datetime
    folders: dict[str, Place] = {}

    def at(self, folder: str, place: Place) -> Cursor:
        """Return the cursor with one folder moved on."""
        return msgspec.structs.replace(self, folders={**self.folders, folder: place})

    def text(self) -> str:
        """Return it as it is kept."""
        return msgspec.json.encode(self).decode()


def fingerprint(account: Account) -> str:
    """Tell mailboxes and vendors apart: a link of one means nothing to another."""
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
