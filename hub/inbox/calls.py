"""How a telephone call stands, joined from the vendor's words on it in whatever order they come. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.envelope import CallState

if TYPE_CHECKING:
    from datetime import datetime


def join_states(old: CallState | None, new: CallState, *, is_newest: bool) -> CallState:
    """
    Join a word on a call to what is known of it.

    Args:
        old: What is known; None of a call nothing was said about.
        new: The word.
        is_newest: Whether it comes after what is known in the vendor's order, not in the order they were told.

    Returns:
        Outcome and member of whichever is later. When they were put through and how long they spoke hold for the same
        member only; the end is the latest anybody named. A call that ended while it waited was missed.
    """
    if old is None:
        return new
    later, earlier = (new, old) if is_newest else (old, new)
    same = (later.outcome, later.member) == (earlier.outcome, earlier.member)
    ended_at = _last(later.ended_at, earlier.ended_at)
    return CallState(
        outcome="missed" if later.outcome == "waiting" and ended_at is not None else later.outcome,
        member=later.member,
        answered_at=_first(later.answered_at, earlier.answered_at) if same else later.answered_at,
        ended_at=ended_at,
        talk_s=earlier.talk_s if same and later.talk_s is None else later.talk_s,
    )


def _first(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _last(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)
