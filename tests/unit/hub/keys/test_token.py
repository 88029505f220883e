"""The text of API keys: typing errors are told without a query, and what is stored opens one row only."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import clock
from hub.errors import NotSignedIn
from hub.keys.token import PATTERN, KeyToken, Pepper, Verifier, is_key, new_token, read_token

PEPPER = Pepper({1: b"a" * 32})


def test_token_has_the_published_form():
    """Prefix, id, secret of 256 bits and crc, in characters that a double click selects as one word."""
    text = new_token(clock.new_id()).text()
    assert re.fullmatch(r"mh_live_[0-9A-Za-z]{22}_[0-9A-Za-z]{49}", text)
    assert is_key(text)


@given(st.uuids())
def test_token_is_read_as_it_was_written(key_id):
    """Every id survives, the smallest and the largest included."""
    token = new_token(key_id)
    assert read_token(token.text()) == token


@pytest.mark.parametrize("key_id", [UUID(int=0), UUID(int=2**128 - 1)])
def test_ends_of_the_range_are_read(key_id):
    """Nothing is cut at either end."""
    assert read_token(new_token(key_id).text()).id == key_id


def test_every_single_typing_error_is_told():
    """Whichever one character is changed, the crc says so before anybody is asked."""
    text = new_token(clock.new_id()).text()
    for at in range(len(text)):
        wrong = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
        with pytest.raises(NotSignedIn, match="mistyped"):
            read_token(wrong)


@pytest.mark.parametrize("text", ["", "mh_live_", "mh_live_" + "z" * 22 + "_" + "0" * 49, "é" * 80, "x" * 100_000])
def test_what_is_no_token_is_refused(text):
    """Anything may be sent as a bearer token."""
    with pytest.raises(NotSignedIn):
        read_token(text)


def test_scanners_find_a_token_in_text():
    """The pattern finds a key in a log or a commit, and its crc tells it from chance."""
    text = new_token(clock.new_id()).text()
    found = PATTERN.search(f"curl -H 'Authorization: Bearer {text}' https://hub.example")
    assert found is not None
    assert read_token(found.group()).text() == text


def test_verifier_opens_its_own_row_only():
    """The right secret matches; another secret, or the same one under another id, does not."""
    token = new_token(clock.new_id())
    verifier = PEPPER.verifier(token)
    assert PEPPER.matches(token, verifier)
    assert not PEPPER.matches(new_token(token.id), verifier)
    assert not PEPPER.matches(KeyToken(clock.new_id(), token.secret), verifier)


def test_verifier_needs_its_pepper():
    """Who has the database but not the secret key can check nothing; a pepper that is gone opens nothing."""
    token = new_token(clock.new_id())
    verifier = PEPPER.verifier(token)
    assert not Pepper({1: b"b" * 32}).matches(token, verifier)
    assert not Pepper({2: b"a" * 32}).matches(token, verifier)
    both = Pepper({1: b"a" * 32, 2: b"b" * 32})
    assert both.matches(token, verifier)
    assert both.verifier(token).pepper_version == 2


def test_secrets_do_not_show_in_text():
    """Neither a token nor a pepper says what it is in a log line."""
    token = new_token(clock.new_id())
    assert token.secret not in repr(token)
    assert "aaaa" not in repr(PEPPER)
    assert isinstance(PEPPER.verifier(token), Verifier)
