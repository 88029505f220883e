"""Puts mails of several folders into the order they arrived, and cuts that into batches. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from connectors.imap_smtp.fetching import Listed

BATCH_MAILS = 50
BATCH_BYTES = 8 * 1024 * 1024


class Listing(msgspec.Struct, frozen=True):
    """
    What is to be read of one folder, by UID.

    Attributes:
        is_cut: There are more after these.
    """

    mails: Sequence[Listed]
    is_cut: bool


class Pending(msgspec.Struct, frozen=True):
    """A mail to fetch: where it is, and when its turn is."""

    folder: str
    mail: Listed
    turn: datetime


def in_order(listings: Mapping[str, Listing]) -> list[Pending]:
    """
    Give each mail its turn.

    Args:
        listings: By folder.

    Returns:
        By arrival, but those of one folder never out of their UIDs' order, because the cursor is a UID. Where a listing
        is cut, only what arrived before its end has a turn: questions and answers of two folders keep their order.
    """
    pending: list[Pending] = []
    cutoff: datetime | None = None
    for folder, listing in listings.items():
        turn = datetime.fromtimestamp(0, UTC)
        for mail in listing.mails:
            turn = max(turn, mail.arrived_at)
            pending.append(Pending(folder, mail, turn))
        if listing.is_cut and listing.mails:
            cutoff = turn if cutoff is None else min(cutoff, turn)
    pending.sort(key=lambda one: one.turn)
    return [one for one in pending if cutoff is None or one.turn <= cutoff]


def batches(pending: Sequence[Pending]) -> Iterator[list[Pending]]:
    """Cut a list into batches of ``BATCH_MAILS`` and ``BATCH_BYTES`` at most; a larger mail is a batch of its own."""
    batch: list[Pending] = []
    size_bytes = 0
    for one in pending:
        if batch and (len(batch) >= BATCH_MAILS or size_bytes + one.mail.size_bytes > BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(one)
        size_bytes += one.mail.size_bytes
    if batch:
        yield batch
