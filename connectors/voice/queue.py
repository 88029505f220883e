"""Who is rung next: the first in line by those who are free, and nobody before who waits longer. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.voice.hours import read_members

if TYPE_CHECKING:
    from connectors.base import Staff
    from connectors.voice.hours import Member
    from connectors.voice.question import Question

# About how long a round of waiting takes: a pause of ten seconds, words, and asking us.
ROUND_S: Final = 12


def next_turn(caller: Question, staff: Staff, after: int = -1) -> int | None:
    """
    Say whose telephone rings next.

    Args:
        caller: Who waits.
        staff: Who could take the call.
        after: The member who was rung before, in this round.

    Returns:
        Their place in the settings' list; None where nobody is free for this caller. Of those who are free, the first
        are left to callers who wait longer.
    """
    members = enumerate(read_members(caller.account.settings))
    free = [turn for turn, member in members if turn > after and _is_free(member, caller, staff)]
    ahead = place_of(caller, staff)
    return free[ahead] if ahead < len(free) else None


def place_of(caller: Question, staff: Staff) -> int:
    """Say how many wait longer than a caller."""
    waiting = [one.external_id for one in staff.calls if one.outcome == "waiting"]
    return waiting.index(caller.call_sid) if caller.call_sid in waiting else len(waiting)


def _is_free(member: Member, caller: Question, staff: Staff) -> bool:
    others = [one for one in staff.calls if one.external_id != caller.call_sid]
    if any(one.member == member.name and one.outcome in ("ringing", "answered") for one in others):
        return False
    if caller.setting("only_present") != "yes" or not member.email or staff.here is None:
        return True
    return member.email in staff.here
