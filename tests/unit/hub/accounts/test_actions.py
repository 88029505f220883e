"""What may be stored as an address or a name."""

from __future__ import annotations

import pytest

from hub.accounts.actions import clean_email, clean_name
from hub.errors import InvalidInput


@pytest.mark.parametrize(
    ("typed", "stored"), [(" Ann@Example.COM ", "ann@example.com"), ("o'hara+x@a.b", "o'hara+x@a.b")]
)
def test_email_is_trimmed_and_lowered(typed, stored):
    """One person has one address, however they type it."""
    assert clean_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    ["", "ann", "ann@", "@b.c", "a b@c.d", "a@b@c", "a@b.c\nBcc: x@y.z", "a\x00@b.c", "a" * 320 + "@b.c", "<a@b.c>"],
)
def test_email_that_is_none_is_refused(typed):
    """Nothing that could break a header or a key is an address."""
    with pytest.raises(InvalidInput) as caught:
        clean_email(typed)
    assert caught.value.field == "email"


def test_name_is_one_line():
    """Line breaks and runs of spaces become one space."""
    assert clean_name("name", "  Ann \r\n  Smith\t") == "Ann Smith"


@pytest.mark.parametrize("typed", ["", "   ", "\x00", "x" * 201])
def test_name_that_cannot_be_shown_is_refused(typed):
    """Empty and endless names are refused by their field's name."""
    with pytest.raises(InvalidInput) as caught:
        clean_name("workspace", typed)
    assert caught.value.field == "workspace"
