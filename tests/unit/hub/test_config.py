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
