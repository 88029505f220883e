"""Adds up counted calls. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from hub.reports.model import CallFigures, DayCalls, MemberCalls, MemberDayCalls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hub.reports.model import CallCount

Key = TypeVar("Key")


def add_up(counts: Iterable[CallCount]) -> CallFigures:
    """Add up what was counted."""
    answered = missed = made = reached = waits = wait_s = talk_s = 0
    longest_s: int | None = None
    for one in counts:
        talk_s += one.talk_s
        if not one.inbound:
            made += one.amount
            reached += one.amount if one.answered else 0
        elif one.answered:
            answered += one.amount
            waits, wait_s = waits + one.answered_waits, wait_s + one.wait_s
            if one.answered_waits:
                longest_s = max(longest_s or 0, one.longest_wait_s)
        else:
            missed += one.amount
    return CallFigures(
        answered=answered,
        missed=missed,
        made=made,
        reached=reached,
        wait_s=round(wait_s / waits) if waits else None,
        longest_wait_s=longest_s,
        talk_s=talk_s,
    )


def by_member(counts: Sequence[CallCount]) -> list[MemberCalls]:
    """Add up for each member, by name; what is nobody's comes last."""
    groups = _grouped(counts, lambda one: one.member)
    return [MemberCalls(member=name, figures=add_up(groups[name])) for name in sorted(groups, key=_name_order)]


def by_day(counts: Sequence[CallCount]) -> list[DayCalls]:
    """Add up for each day there were calls on, the newest first."""
    groups = _grouped(counts, lambda one: one.day)
    return [DayCalls(day=day, figures=add_up(groups[day])) for day in sorted(groups, reverse=True)]


def by_member_and_day(counts: Sequence[CallCount]) -> list[MemberDayCalls]:
    """Add up for each member and day, the newest day first."""
    groups = _grouped(counts, lambda one: (one.day, one.member))
    return [
        MemberDayCalls(day=day, member=name, figures=add_up(groups[day, name]))
        for day, name in sorted(groups, key=lambda key: (-key[0].toordinal(), *_name_order(key[1])))
    ]


def _grouped(counts: Sequence[CallCount], key_of: Callable[[CallCount], Key]) -> dict[Key, list[CallCount]]:
    groups: dict[Key, list[CallCount]] = {}
    for one in counts:
        groups.setdefault(key_of(one), []).append(one)
    return groups


def _name_order(name: str) -> tuple[bool, str]:
    return (not name, name.casefold())
