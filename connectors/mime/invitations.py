"""One readable line for a calendar part: what, when, where. Pure; never raises. Not a calendar."""

from __future__ import annotations

import re
from datetime import datetime

from connectors.mime.headers import one_line

_LIMIT_CHARS = 64 * 1024
_LINE = re.compile(r"^([A-Z-]{3,20})((?:;[^:\n]*)?):(.*)$", re.MULTILINE)
_TIME = re.compile(r"(\d{8})(?:T(\d{4})\d{0,2}(Z?))?")
_ZONE = re.compile(r"TZID=\"?([^;\":]{1,60})")
_WORDS = {"CANCEL": "Cancelled", "REPLY": "Answer to an invitation", "COUNTER": "New time proposed"}


def describe_invitation(text: str) -> str:
    """
    Describe the first event of an iCalendar text (RFC 5545).

    Returns:
        E.g. ``[Invitation: Planning · 2 Dec 2026 10:00–11:00 (Europe/Berlin) · Room 5]``; ``""`` without an event.
    """
    text = re.sub(r"\r?\n[ \t]", "", text[:_LIMIT_CHARS]).replace("\r\n", "\n")
    method = next((found[3] for found in _LINE.finditer(text) if found[1] == "METHOD"), "").strip().upper()
    at = text.find("BEGIN:VEVENT")
    if at < 0:
        return ""
    fields: dict[str, tuple[str, str]] = {}
    for found in _LINE.finditer(text, at):
        if found[1] == "END" and found[3].strip() == "VEVENT":
            break
        fields.setdefault(found[1], (found[2], found[3].strip()))
    parts = [
        _plain(fields.get("SUMMARY", ("", ""))[1]) or "no title",
        _when(fields),
        _plain(fields.get("LOCATION", ("", ""))[1]),
    ]
    return f"[{_WORDS.get(method, 'Invitation')}: {' · '.join(part for part in parts if part)}]"


def _when(fields: dict[str, tuple[str, str]]) -> str:
    parameters, start = fields.get("DTSTART", ("", ""))
    begin = _TIME.match(start)
    if begin is None or (shown := _date(begin[1])) == "":
        return ""
    if not begin[2]:
        return shown
    zone = "UTC" if begin[3] else (found[1] if (found := _ZONE.search(parameters)) else "")
    until = _TIME.match(fields.get("DTEND", ("", ""))[1])
    last = ""
    if until is not None and until[2]:
        day = "" if until[1] == begin[1] else _date(until[1]) + " "
        last = f"–{day}{until[2][:2]}:{until[2][2:]}"
    return f"{shown} {begin[2][:2]}:{begin[2][2:]}{last}" + (f" ({one_line(zone)})" if zone else "")


def _date(digits: str) -> str:
    try:
        day = datetime.strptime(digits, "%Y%m%d")  # noqa: DTZ007  a calendar day, no moment
    except ValueError:
        return ""
    return f"{day.day} {day:%b %Y}"


def _plain(value: str) -> str:
    unescaped = (
        value.replace("\\n", " ").replace("\\N", " ").replace("\\,", ",").replace("\\;", ";").replace("\\\\", "\\")
    )
    return one_line(unescaped)[:200]
