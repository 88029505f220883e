"""Bodies that are not what they should be: each answer names the field."""

from __future__ import annotations

import msgspec
import pytest

from api.body import decode
from hub.errors import InvalidInput


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    phone_number: str


class Body(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    count: int = 0
    parts: list[Inner] = []
    labels: dict[str, str] = {}


def test_good_body_is_read():
    """Text of any script comes through unchanged, right-to-left marks and joiners included."""
    text = "שלום \u202e 👩‍👩‍👧 e\u0301"
    assert decode(msgspec.json.encode({"name": text}), Body).name == text


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        (b"", "body", "not JSON"),
        (b"{", "body", "not JSON"),
        (b"name=x", "body", "not JSON"),
        (b"\xff\xfe", "body", "not JSON"),
        (b'{"name":"\xff"}', "body", "not JSON"),
        (b'{"name":"a\x00b"}', "body", "not JSON"),
        (b"[]", "body", "Expected object"),
        (b"null", "body", "Expected object"),
        (b"{}", "name", "required"),
        (b'{"name":1}', "name", "Expected str"),
        (b'{"name":"a","count":"1"}', "count", "Expected int"),
        (b'{"name":"a","count":1e400}', "count", "."),
        (b'{"name":"a","surprise":1}', "surprise", "no such field"),
        (b'{"name":"a","parts":[{}]}', "parts[0].phone_number", "required"),
        (b'{"name":"a","parts":[{"phone_number":"1"},{"phone_number":2}]}', "parts[1].phone_number", "Expected str"),
        (b'{"name":"a\\u0000b"}', "name", "NUL"),
        (b'{"name":"a","parts":[{"phone_number":"\\u0000"}]}', "parts[0].phone_number", "NUL"),
        (b'{"name":"a","labels":{"k":"\\u0000"}}', "labels.k", "NUL"),
        (b'{"name":"a","labels":{"\\u0000":"v"}}', "labels", "NUL"),
        (b'{"name":"\\ud800"}', "name", "surrogate"),
        (b'{"name":"a","parts":[{"phone_number":"\\udfffx"}]}', "parts[0].phone_number", "surrogate"),
        (b'{"name":"\\ud83e\\u0041"}', "name", "surrogate"),
    ],
)
def test_bad_body_names_the_field(body, field, text):
    """The sender learns which value to mend."""
    with pytest.raises(InvalidInput, match=text.replace(".", r"\.")) as caught:
        decode(body, Body)
    assert caught.value.field == field


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"name":[', b'{"labels":{"a":['])
def test_bottomless_nesting_is_refused(opening):
    """A megabyte of brackets is an error, not the end of the process."""
    with pytest.raises(InvalidInput):
        decode(opening * 100_000, Body)


def test_backslash_before_an_escape_is_no_nul():
    r"""The text ``\u0000`` typed by a person is six characters, not NUL."""
    assert decode(b'{"name":"a\\\\u0000"}', Body).name == "a\\u0000"
