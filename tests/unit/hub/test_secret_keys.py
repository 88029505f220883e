"""The installation's keys, as the environment names them."""

import pytest

from hub.config import read_settings
from hub.errors import ConfigurationError
from hub.secret_keys import Keys, join_keys, read_keys, writing_version


@pytest.mark.parametrize(
    ("key", "old", "versions", "writing"),
    [
        ("new", "", [1], 1),
        ("2:new,1:old", "", [1, 2], 2),
        ("2:new", "1:old", [1, 2], 2),
        ("2:new", "old", [1, 2], 2),
        ("3:new", "1:old,2:older", [1, 2, 3], 3),
        ("1:old", "2:coming", [1, 2], 1),
    ],
)
def test_keys_of_both_variables_open_and_one_of_the_first_writes(key, old, versions, writing):
    """Keys named in the second variable never write, whatever their version: a coming one is named there first."""
    settings = read_settings({"HOME": "/nonexistent", "HUB_SECRET_KEY": key, "HUB_SECRET_KEYS_OLD": old})
    keys = read_keys(settings.secret_key)
    assert (sorted(keys), keys.writing) == (versions, writing)


def test_a_child_process_gets_both_in_one_text():
    """What a supervisor read and hands on is not joined twice."""
    joined = join_keys("2:new", "1:old")
    assert join_keys(joined, "1:old") == joined


@pytest.mark.parametrize(("key", "old"), [("new", "old"), ("", "1:old"), ("2:new", "a,b"), ("2:new", "2:old")])
def test_keys_that_cannot_be_told_apart_are_refused(key, old):
    """Two keys of one version, keys that only open without one that writes, and keys without versions are errors."""
    with pytest.raises(ConfigurationError):
        join_keys(key, old)


def test_what_is_derived_says_which_writes():
    """Of keys without a say the highest writes."""
    assert writing_version({1: b"", 2: b""}) == 2
    assert writing_version(Keys({1: b"", 2: b""}, 1)) == 1
