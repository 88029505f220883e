"""Walks a chain and names what is wrong with it. Knows no database: ``hub/audit_commands.py`` feeds it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from hub.audit.chain import FIRST_HASH, follows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.audit.model import Head, LoggedEntry

# Findings kept of one chain: who rewrote a million entries is found by the first hundred.
MOST_FINDINGS: Final = 100

_PUT_IN: Final = "was put in, and the later ones moved down"


class Fault(StrEnum):
    """What happened to an entry, as far as can be told."""

    ALTERED = "altered"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    # Whole in itself, but not what was signed: the entries up to here were written anew.
    REWRITTEN = "rewritten"
    FORGED_HEAD = "forged head"
    # Signed, and in one of the two places heads are kept in, but not in the other.
    MISSING_HEAD = "missing head"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    A fault in a chain.

    Attributes:
        position: Where, from 1.
        last_position: Where the fault ends; the same for a single entry.
        entry_id: The entry at ``position``; empty where it is gone.
        message: In words.
    """

    workspace_id: int
    fault: Fault
    position: int
    last_position: int
    entry_id: str
    message: str


class _Displaced(msgspec.Struct, frozen=True):
    """An entry that fits neither its place nor its neighbours; ``before`` is the hash it should have followed."""

    entry: LoggedEntry
    place: int
    before: bytes


class ChainWalk:
    """
    Looks at the entries of one chain in order, holding one of them: memory does not grow with the chain.

    Each is compared with the *recorded* hash of the one before, so that a changed entry is named alone. ``_shift`` is
    how far the entries from here on have moved up from the places they were sealed at.
    """

    def __init__(self, workspace_id: int, heads: Mapping[int, Head], start: int = 1) -> None:
        """
        Begin a walk.

        Args:
            workspace_id: Whose chain.
            heads: Trusted heads by position; one without a signature is the noted end of the chain.
            start: Position of the first entry fed: 1, or a trusted head's, whose entry is compared with the head only.
        """
        self._workspace_id = workspace_id
        self._heads = heads
        self._expected = start
        self._before: bytes | None = FIRST_HASH if start == 1 else None
        self._shift = 0
        # The entry before, where it followed its own: and the hash that it followed.
        self._last: tuple[LoggedEntry, bytes] | None = None
        self._held: LoggedEntry | None = None
        self._skips_next = False
        self._displaced: list[_Displaced] = []
        self._found: list[Finding] = []
        self._good_head = 0
        self._is_rewritten = False
        self.entries = 0

    def feed(self, entry: LoggedEntry) -> None:
        """Take the next entry, in order of position."""
        self.entries += 1
        held, self._held = self._held, entry
        if held is not None:
            self._look(held, entry)

    def finish(self) -> list[Finding]:
        """End the walk and return what was found, by position."""
        if self._held is not None:
            self._look(self._held, None)
            self._held = None
        last = self._expected - 1 + self._shift
        newest = self._heads[max(self._heads)] if self._heads else None
        if newest is not None and newest.position > last:
            text = f"cut off: the chain had {newest.position:,} entries at {newest.signed_at:%Y-%m-%d %H:%M} UTC"
            self._note(Fault.TRUNCATED, (last + 1, newest.position), None, text)
        for one in self._displaced:
            self._name_displaced(one)
        return sorted(self._found, key=lambda one: one.position)

    def _look(self, entry: LoggedEntry, after: LoggedEntry | None) -> None:
        position = entry.position or 0
        if position < self._expected:
            self._note(Fault.INSERTED, (position, position), entry, "stands at a place that another entry has")
            return
        if position > self._expected:
            self._note(Fault.DELETED, (self._expected, position - 1), None, "gone")
            self._before = None
        self._expected = position + 1
        if self._skips_next:
            self._skips_next = False
            return
        place = position + self._shift
        if self._is_put_in(entry, after, place):
            self._note(Fault.INSERTED, (position, position), entry, _PUT_IN)
            self._shift -= 1
            return
        if self._before is None or follows(self._before, entry, place):
            self._last = (entry, self._before) if self._before is not None else None
            self._before = entry.hash
        else:
            self._judge(entry, after, place)
            self._last = None
        self._compare_head(entry, position + self._shift)

    def _is_put_in(self, entry: LoggedEntry, after: LoggedEntry | None, place: int) -> bool:
        """Whether the next entry has this one's place, and this one is neither what was signed nor fits its hash."""
        if self._before is None or after is None:
            return False
        head = self._heads.get(place)
        if (head is None or head.hash == entry.hash) and follows(self._before, entry, place):
            return False
        is_swapped = follows(after.hash or b"", entry, place + 1)
        return follows(self._before, after, place) and not is_swapped

    def _judge(self, entry: LoggedEntry, after: LoggedEntry | None, place: int) -> None:
        """Name the fault of an entry that does not follow the one before, by what the next one follows."""
        position, before, hash_ = entry.position or 0, self._before or b"", entry.hash or b""
        at = (position, position)
        if self._last is not None and follows(self._last[1], entry, place - 1):
            self._note(Fault.INSERTED, (position - 1, position - 1), self._last[0], _PUT_IN)
            self._shift, self._before = self._shift - 1, hash_
        elif after is not None and follows(before, after, place):
            self._note(Fault.REORDERED, (position, position + 1), entry, "has changed places with the next one")
            self._skips_next, self._before = True, hash_
        elif after is not None and follows(hash_, after, place + 2):
            self._note(Fault.DELETED, at, None, "gone, and the later ones moved up")
            self._shift, self._before = self._shift + 1, hash_
        elif after is not None and follows(hash_, after, place + 1):
            text = "does not fit its hash (or the entry before it was altered, and hashed anew)"
            self._note(Fault.ALTERED, at, entry, text)
            self._before = hash_
        else:
            if len(self._displaced) < MOST_FINDINGS:
                self._displaced.append(_Displaced(entry, place, before))
            # What the next one follows is not here: it is believed, and shows what comes after it.
            self._before = None

    def _name_displaced(self, one: _Displaced) -> None:
        position = one.entry.position or 0
        for other in self._displaced:
            if other is not one and follows(other.before, one.entry, other.place):
                self._note(Fault.REORDERED, (position, position), one.entry, f"belongs at {other.place:,}")
                return
        self._note(Fault.ALTERED, (position, position), one.entry, "does not fit its hash")

    def _compare_head(self, entry: LoggedEntry, place: int) -> None:
        head = self._heads.get(place)
        if head is None or self._is_rewritten:
            return
        if entry.hash == head.hash:
            self._good_head = place
            return
        # Later heads differ as well then; the first one says between which places it happened.
        self._is_rewritten = True
        how = "signed" if head.signature else "sealed"
        text = f"not what was {how} at {head.signed_at:%Y-%m-%d %H:%M} UTC: one of these entries was written anew"
        self._note(Fault.REWRITTEN, (self._good_head + 1, place), None, text)

    def _note(self, fault: Fault, places: tuple[int, int], entry: LoggedEntry | None, text: str) -> None:
        if len(self._found) < MOST_FINDINGS:
            self._found.append(
                Finding(
                    workspace_id=self._workspace_id,
                    fault=fault,
                    position=places[0],
                    last_position=places[1],
                    entry_id=str(entry.id) if entry is not None else "",
                    message=text,
                )
            )
