"""Quiet hours and digests by the member's own clock, on the days when it jumps too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.errors import InvalidInput
from hub.notices.hours import PUSH_GRACE, check_zone, next_digest_at, push_at, quiet_end
from hub.notices.model import Digest, Settings

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> datetime:
    """A moment in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def quiet(start: str, end: str) -> Settings:
    minutes = [int(one[:2]) * 60 + int(one[3:]) for one in (start, end)]
    return Settings(quiet_from=minutes[0], quiet_until=minutes[1], time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-22T21:59", None),
        ("2026-11-22T22:00", "2026-11-23T07:00"),
        ("2026-11-23T00:30", "2026-11-23T07:00"),
        ("2026-11-23T06:59", "2026-11-23T07:00"),
        ("2026-11-23T07:00", None),
    ],
)
def test_quiet_hours_go_past_midnight(now, end):
    """Till the morning, whichever side of midnight it is."""
    assert quiet_end(quiet("22:00", "07:00"), at(now)) == (None if end is None else at(end))


def test_quiet_hours_within_a_day():
    """A lunch break."""
    assert quiet_end(quiet("12:00", "13:00"), at("2026-11-22T12:30")) == at("2026-11-22T13:00")
    assert quiet_end(quiet("12:00", "13:00"), at("2026-11-22T23:30")) is None
    assert quiet_end(quiet("12:00", "12:00"), at("2026-11-22T12:00")) is None
    assert quiet_end(Settings(), at("2026-11-22T12:00")) is None


def test_quiet_hours_end_by_the_clock_on_the_wall():
    """The night the clocks go forward is an hour shorter."""
    start = at("2026-03-28T23:00")
    end = quiet_end(quiet("22:00", "07:00"), start)
    assert end == at("2026-03-29T07:00")
    assert end - start == timedelta(hours=7)


def test_push_waits_for_the_end_of_the_quiet_hours():
    """Else it leaves in a moment."""
    assert push_at(quiet("22:00", "07:00"), at("2026-11-22T23:00")) == at("2026-11-23T07:00")
    assert push_at(quiet("22:00", "07:00"), at("2026-11-22T12:00")) == at("2026-11-22T12:00") + PUSH_GRACE


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"])
@pytest.mark.parametrize("hour", [0, 2, 3, 8, 23])
def test_daily_digest_comes_once_each_date(zone, hour):
    """Over a whole year, days with 23 and 25 hours included; each after the last."""
    settings = Settings(digest=Digest.DAILY, digest_hour=hour, time_zone=zone)
    now = datetime(2026, 1, 1, 0, 0, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(seconds=1)
    dates = []
    for _ in range(365):
        following = next_digest_at(settings, now)
        assert following is not None
        assert following > now
        now = following
        dates.append(now.astimezone(ZoneInfo(zone)).date())
    assert len(set(dates)) == 365
    assert dates == sorted(dates)
    assert (dates[-1] - dates[0]).days == 364


def test_daily_digest_keeps_its_hour_over_the_change():
    """Eight o'clock stays eight o'clock."""
    settings = Settings(digest=Digest.DAILY, digest_hour=8, time_zone="Europe/Berlin")
    assert next_digest_at(settings, at("2026-03-28T09:00")) == at("2026-03-29T08:00")
    assert next_digest_at(settings, at("2026-10-24T09:00")) == at("2026-10-25T08:00")
    assert at("2026-10-25T08:00") - at("2026-10-24T08:00") == timedelta(hours=25)


def test_hourly_digest_comes_on_the_hour():
    """And none where none is wanted."""
    assert next_digest_at(Settings(), at("2026-11-22T09:10")) == at("2026-11-22T10:00")
    assert next_digest_at(Settings(digest=Digest.OFF), at("2026-11-22T09:10")) is None


@pytest.mark.parametrize("name", ["", "Berlin", "../etc/passwd", "/etc/localtime", "Europe/../x", "\x00", "x" * 60])
def test_only_time_zones_are_time_zones(name):
    """No path, no guess."""
    with pytest.raises(InvalidInput):
        check_zone(name)
    check_zone("Europe/Berlin")
    # What was stored on a machine with another list does not stop the others' notices.
    assert next_digest_at(Settings(digest=Digest.DAILY, time_zone=name), at("2026-11-22T09:10")) is not None
