"""Settings that are numbers."""

from __future__ import annotations

import pytest

from hub.config import read_settings
from hub.errors import ConfigurationError


def test_numbers_have_defaults_and_are_read():
    """As the README says."""
    settings = read_settings({"HOME": "/"})
    assert (settings.drain_s, settings.database_connections, settings.raw_days) == (60, 60, 30)
    chosen = {"HUB_DRAIN_S": "0", "HUB_DATABASE_CONNECTIONS": "200", "HUB_RAW_DAYS": "3650"}
    settings = read_settings({"HOME": "/", **chosen})
    assert (settings.drain_s, settings.database_connections, settings.raw_days) == (0, 200, 3650)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("HUB_DRAIN_S", "3601"),
        ("HUB_DRAIN_S", "-1"),
        ("HUB_DRAIN_S", "1.5"),
        ("HUB_DRAIN_S", "٣"),
        ("HUB_DATABASE_CONNECTIONS", "1"),
        ("HUB_RAW_DAYS", "0"),
        ("HUB_RAW_DAYS", "9" * 5_000),
    ],
)
def test_numbers_that_cannot_be_used_are_named(name, text):
    """The text says which variable and what it takes."""
    with pytest.raises(ConfigurationError, match=rf"{name} must be a number of \w+ from \d+ to \d+"):
        read_settings({"HOME": "/", name: text})


def test_default_limits_are_read():
    """None is no limit; an empty variable sets none."""
    limits = read_settings({"HOME": "/", "HUB_LIMITS": '{"members": 5, "storage_bytes": null}'}).limits
    assert (limits.members, limits.storage_bytes, limits.sockets) == (5, None, None)
    assert read_settings({"HOME": "/", "HUB_LIMITS": " "}).limits.members is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{members: 5}", r'HUB_LIMITS must be a JSON object such as \{"members": 5\}\.'),
        ("[5]", "HUB_LIMITS must be a JSON object"),
        ('{"seats": 5}', "HUB_LIMITS has no limit 'seats'. There are: members, channel_accounts, "),
        ('{"messages_per_day": -1}', "HUB_LIMITS: messages_per_day must be a whole number from 0 to 9,007"),
        ('{"members": 0}', "HUB_LIMITS: members must be a whole number from 1 to "),
        ('{"sockets": "many"}', "HUB_LIMITS: sockets must be a whole number from 1 to "),
        ('{"storage_bytes": 1.5}', "HUB_LIMITS: storage_bytes must be a whole number from 0 to "),
        ('{"workspace_calls_per_minute": 1000001}', "workspace_calls_per_minute must be .* from 1 to 1,000,000"),
    ],
)
def test_default_limits_that_cannot_be_used_are_named(text, words):
    """A process does not start with limits that would only fail at the first call; the text names the limit."""
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_settings({"HOME": "/", "HUB_LIMITS": text})
    assert caught.value.field == "HUB_LIMITS"
