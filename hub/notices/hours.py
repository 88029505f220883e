"""Times of day in members' time zones: quiet hours and digests, right on days that are longer or shorter. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hub.errors import InvalidInput
from hub.notices.model import Digest

if TYPE_CHECKING:
    from hub.notices.model import Settings

# Whoever sits in front of the hub has seen the notice by then, and needs no push.
PUSH_GRACE: Final = timedelta(seconds=5)
# A member who is online at the time of their digest is looked at again after this long.
LOOK_AGAIN: Final = timedelta(minutes=15)


def check_zone(name: str) -> None:
    """Refuse what is no time zone; raises ``InvalidInput``."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput("time_zone", "This is not a time zone; write it like Europe/Berlin.") from None


def push_at(settings: Settings, now: datetime) -> datetime:
    """Return when a push is due: in a moment, or when the quiet hours end."""
    return quiet_end(settings, now) or now + PUSH_GRACE


def quiet_end(settings: Settings, now: datetime) -> datetime | None:
    """Return when the quiet hours end that it is now; None outside of them."""
    if settings.quiet_from is None or settings.quiet_until is None or settings.quiet_from == settings.quiet_until:
        return None
    local = now.astimezone(_zone(settings))
    minute = local.hour * 60 + local.minute
    start, end = settings.quiet_from, settings.quiet_until
    is_quiet = start <= minute < end if start < end else minute >= start or minute < end
    if not is_quiet:
        return None
    day = local.date() if minute < end else local.date() + timedelta(days=1)
    return datetime.combine(day, time(end // 60, end % 60), local.tzinfo).astimezone(UTC)


def next_digest_at(settings: Settings, now: datetime) -> datetime | None:
    """
    Return when the next digest is due, after ``now``; None where none is wanted.

    A daily one comes once each date of the member's calendar: an hour that the clocks skip is the one after it, an hour
    that comes twice is its first.
    """
    if settings.digest is Digest.OFF:
        return None
    if settings.digest is Digest.HOURLY:
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    zone = _zone(settings)
    day = now.astimezone(zone).date()
    while True:
        due = datetime.combine(day, time(settings.digest_hour), zone).astimezone(UTC)
        if due > now:
            return due
        day += timedelta(days=1)


def _zone(settings: Settings) -> ZoneInfo:
    try:
        return ZoneInfo(settings.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A machine whose list of zones lacks one that was chosen on another.
        return ZoneInfo("UTC")
