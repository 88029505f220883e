"""Calls are added up by member and day."""

from __future__ import annotations

from datetime import date

from hub.reports.calls import add_up, by_day, by_member, by_member_and_day
from hub.reports.model import CallCount, CallFigures

MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def count(
    member: str = "Anna", *, day: date = MONDAY, inbound: bool = True, answered: bool = True, **more: int
) -> CallCount:
    numbers = {"amount": 1, "answered_waits": 0, "wait_s": 0, "longest_wait_s": 0, "talk_s": 0} | more
    return CallCount(day=day, inbound=inbound, answered=answered, member=member, **numbers)


def test_calls_are_added_up_by_way_and_end():
    """What came in apart from what was made; both speak, only what came in and was answered has waited."""
    found = add_up(
        [
            count(amount=3, answered_waits=2, wait_s=30, longest_wait_s=25, talk_s=600),
            count("Ben", amount=1, answered_waits=1, wait_s=3, longest_wait_s=3, talk_s=60),
            count("", answered=False, amount=4),
            count(inbound=False, amount=2, talk_s=100),
            count(inbound=False, answered=False, amount=5),
        ]
    )
    assert found == CallFigures(answered=4, missed=4, made=7, reached=2, wait_s=11, longest_wait_s=25, talk_s=760)


def test_nothing_has_no_average():
    """Zero seconds of waiting is not the same as nobody having waited."""
    assert add_up([]) == CallFigures()
    assert add_up([count("", answered=False)]).wait_s is None
    assert add_up([count(answered_waits=1)]).wait_s == 0


def test_members_come_by_name_and_nobody_last():
    """Whatever the order they were counted in."""
    counts = [count("", answered=False), count("ben"), count("Anna", day=TUESDAY), count("Anna")]
    assert [(one.member, one.figures.answered) for one in by_member(counts)] == [("Anna", 2), ("ben", 1), ("", 0)]


def test_newest_day_comes_first():
    """Each day once, with the members of each day by name."""
    counts = [count("Ben"), count("Anna", day=TUESDAY), count("Anna"), count("", day=TUESDAY, answered=False)]
    assert [one.day for one in by_day(counts)] == [TUESDAY, MONDAY]
    assert [(one.day, one.member) for one in by_member_and_day(counts)] == [
        (TUESDAY, "Anna"),
        (TUESDAY, ""),
        (MONDAY, "Anna"),
        (MONDAY, "Ben"),
    ]
