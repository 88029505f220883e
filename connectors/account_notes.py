"""
What a process notices of its channel accounts, kept in memory and written down every few seconds, beside all hot paths.

Noting neither blocks nor raises; the last seconds of a process that is killed are lost, as counters are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

from hub import clock
from hub.channels.health import actions
from hub.channels.health.model import AccountNote, Doing, Trouble
from hub.envelope import clean_text
from hub.errors import HubError
from hub.log import get_logger

if TYPE_CHECKING:
    from hub.db import Database

WRITE_EVERY_S: Final = 3.0
# More accounts than this have something to say only in an outage that hits them all; the rest is counted elsewhere.
MOST_ACCOUNTS: Final = 5_000
MOST_TROUBLES: Final = 20
_CODE_CHARS, _MESSAGE_CHARS = 80, 500

_log = get_logger("connectors.account_notes")
_Place = tuple[int, UUID]


class _Note:
    """What was noticed of one account."""

    __slots__ = ("item_at", "sent_at", "troubles")

    def __init__(self) -> None:
        self.item_at: datetime | None = None
        self.sent_at: datetime | None = None
        self.troubles: dict[tuple[Doing, str], Trouble] = {}


class AccountNotes:
    """
    The notes of one process.

    Args:
        now: The wall clock; tests move it.
    """

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        self._now = now
        self._notes: dict[_Place, _Note] = {}

    def item_came(self, workspace_id: int, account_id: UUID) -> None:
        """Something came in through an account."""
        if (note := self._note(workspace_id, account_id)) is not None:
            note.item_at = self._now()

    def message_went(self, workspace_id: int, account_id: UUID) -> None:
        """A vendor took a message."""
        if (note := self._note(workspace_id, account_id)) is not None:
            note.sent_at = self._now()

    def went_wrong(self, place: _Place, doing: Doing, code: str, message: str) -> None:
        """
        Something failed.

        Args:
            place: Workspace and channel account.
            doing: What was being done.
            code: The vendor's, or ours; the same again is counted.
            message: In words, safe to show: no tokens, no addresses.
        """
        note = self._note(*place)
        if note is None:
            return
        key = doing, (clean_text(code)[:_CODE_CHARS] or "unknown")
        at, before = self._now(), note.troubles.get(key)
        if before is None and len(note.troubles) >= MOST_TROUBLES:
            return
        note.troubles[key] = Trouble(
            doing=doing,
            code=key[1],
            message=clean_text(message)[:_MESSAGE_CHARS],
            times=1 if before is None else before.times + 1,
            first_at=at if before is None else before.first_at,
            last_at=at,
        )

    async def run(self, database: Database) -> None:
        """Write down until cancelled; once more at the end."""
        try:
            while True:
                await asyncio.sleep(WRITE_EVERY_S)
                await self.write(database)
        finally:
            await asyncio.shield(self.write(database))

    async def write(self, database: Database) -> None:
        """Write down what was noticed; a database that is away gets it later."""
        noted, self._notes = self._notes, {}
        for place, note in noted.items():
            one = AccountNote(
                workspace_id=place[0],
                account_id=place[1],
                item_at=note.item_at,
                sent_at=note.sent_at,
                troubles=tuple(note.troubles.values()),
            )
            try:
                async with database.transaction([place[0]]) as conn:
                    await actions.write_down(conn, one)
            except (HubError, asyncpg.PostgresError) as error:
                _log.debug("account_note_not_written", error=type(error).__name__)
                self._notes.setdefault(place, note)

    def _note(self, workspace_id: int, account_id: UUID) -> _Note | None:
        place = workspace_id, account_id
        note = self._notes.get(place)
        if note is None and len(self._notes) < MOST_ACCOUNTS:
            note = self._notes[place] = _Note()
        return note
