"""Where reading a mailbox goes on: the last UID of each folder, as long as the folder keeps its numbers. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """
    Where reading one folder goes on.

    Attributes:
        validity: UIDVALIDITY; when the server changes it, its UIDs are void.
        last: Highest UID read, 0 before the first.
        since: History begins here; the day the mailbox was connected, minus the days of history.
        seen: When the newest mail read so far arrived, by the server; None before the first.
    """

    validity: int
    last: int
    since: datetime
    seen: datetime | None = None


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """
    All folders of one mailbox.

    Attributes:
        mailbox: ``Mailbox.fingerprint``.
        since: As in ``Place``, for folders not read yet.
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


def read_cursor(text: str | None, mailbox: str, since: datetime) -> Cursor:
    """
    Read a kept cursor.

    Args:
        text: As kept; None for a mailbox never read.
        mailbox: Fingerprint of the mailbox that is to be read.
        since: Where its history would begin now.

    Returns:
        The kept one, or a new one where there is none, it cannot be read or is another mailbox's.
    """
    try:
        kept = msgspec.json.decode(text, type=Cursor) if text else None
    except msgspec.DecodeError:
        kept = None
    return (
        kept if kept is not None and kept.mailbox == mailbox else Cursor(mailbox=mailbox, since=since.astimezone(UTC))
    )
