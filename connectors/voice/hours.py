"""When calls ring, and whose telephones, as the account's settings say. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from connectors.twilio.numbers import canonical_number, is_e164

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Each rings for some seconds; no caller waits for more of them.
MEMBERS_LIMIT: Final = 10
_SPAN: Final = re.compile(r"(\d{1,2}):(\d{2})\s*[-–]\s*(\d{1,2}):(\d{2})")
_LINE: Final = re.compile(r"\s*([+0-9][0-9 ().\-/]*)(.*)")
_BROWSER: Final = re.compile(r"browser\b(.*)", re.IGNORECASE)
_EMAIL: Final = re.compile(r"<\s*([^<>\s@]+@[^<>\s@]+)\s*>")
_NAME_LIMIT_CHARS: Final = 80
_DAY_MINUTES: Final = 24 * 60


class Member(msgspec.Struct, frozen=True):
    """
    Whose telephone rings.

    Attributes:
        number: Empty for one in the browser.
        name: The number where the setting has none.
        email: The member's; may be empty, but not for a telephone in the browser.
    """

    number: str
    name: str
    email: str = ""

    @property
    def is_browser(self) -> bool:
        """Whether it is a telephone in the browser."""
        return not self.number


def read_members(settings: Mapping[str, str]) -> tuple[Member, ...]:
    """
    Read whose telephones ring, in order.

    Args:
        settings: ``ring_numbers`` has a number a line, with country code, behind it a name, and an address in
            ``<>``; a line that begins with ``browser`` in place of a number rings in the member's browser.

    Returns:
        At most ten; lines that name no telephone are left out.
    """
    found = []
    for line in settings.get("ring_numbers", "").splitlines():
        if (browser := _BROWSER.fullmatch(line.strip())) is not None:
            words, email = _split_email(browser.group(1))
            if email:
                found.append(Member("", words.strip(" ,;:")[:_NAME_LIMIT_CHARS] or email, email))
            continue
        match = _LINE.fullmatch(line.strip())
        number = canonical_number(match.group(1)) if match else ""
        if match and is_e164(number):
            words, email = _split_email(match.group(2))
            found.append(Member(number, words.strip(" ,;:")[:_NAME_LIMIT_CHARS] or number, email))
    return tuple(found[:MEMBERS_LIMIT])


def find_member(settings: Mapping[str, str], *, name: str, email: str) -> tuple[int, Member] | None:
    """
    Find a member's own telephone, not one in the browser.

    Args:
        settings: As ``read_members``.
        name: As colleagues see it; counts only for lines without an address, for members choose their names.
        email: The member's address.

    Returns:
        Its place in the list, from 0, and the line; None where no line is the member's.
    """
    members = [one for one in enumerate(read_members(settings)) if not one[1].is_browser]
    by_email = (one for one in members if one[1].email and one[1].email == email.strip().lower())
    by_name = (one for one in members if not one[1].email and one[1].name.casefold() == name.strip().casefold())
    return next(by_email, None) or next(by_name, None)


def find_browser(settings: Mapping[str, str], email: str) -> tuple[int, Member] | None:
    """Find the telephone in the browser of the member with an address, and its place in the list, from 0."""
    wanted = email.strip().lower()
    members = enumerate(read_members(settings))
    return next((one for one in members if one[1].is_browser and one[1].email == wanted), None)


def wrong_line(settings: Mapping[str, str]) -> int:
    """Return the number of the first line of ``ring_numbers`` that names no telephone, counted from 1; 0 for none."""
    lines = settings.get("ring_numbers", "").splitlines()
    wrong = (n for n, line in enumerate(lines, 1) if line.strip() and not read_members({"ring_numbers": line}))
    return next(wrong, 0)


def read_zone(settings: Mapping[str, str]) -> tzinfo | None:
    """Return the zone the hours are meant in, UTC where none is set; None where there is no such zone."""
    name = settings.get("time_zone", "").strip()
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None


def is_open(settings: Mapping[str, str], at: datetime) -> bool:
    """
    Say whether calls ring at a moment.

    Args:
        settings: ``hours_monday`` … ``hours_sunday`` have spans like ``09:00-12:00, 13:00-17:30``; one that ends before
            it begins goes on after midnight. A day without any is closed; with no hours at all it is always open.
        at: UTC.
    """
    if not any(_spans(settings, day) for day in range(7)):
        return True
    local = at.astimezone(read_zone(settings) or UTC)
    minute, today, before = local.hour * 60 + local.minute, local.weekday(), (local - timedelta(days=1)).weekday()
    return any(
        start <= minute < (end if end > start else _DAY_MINUTES) for start, end in _spans(settings, today)
    ) or any(end <= start and minute < end for start, end in _spans(settings, before))


def _split_email(words: str) -> tuple[str, str]:
    match = _EMAIL.search(words)
    return (words[: match.start()], match.group(1).lower()) if match else (words, "")


def _spans(settings: Mapping[str, str], weekday: int) -> list[tuple[int, int]]:
    """Return start and end of each span of a day, minutes since midnight."""
    found = _SPAN.findall(settings.get(f"hours_{DAYS[weekday]}", ""))
    return [(int(h1) * 60 + int(m1), int(h2) * 60 + int(m2)) for h1, m1, h2, m2 in found]
