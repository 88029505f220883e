"""JSON of vendors: read into structs, or refused with the one error parsers may raise."""

from __future__ import annotations

import msgspec
import pytest

from connectors.payloads import read
from hub.errors import MalformedPayload


class Note(msgspec.Struct):
    text: str


def test_half_a_character_becomes_a_sign():
    """A vendor that cuts text in the middle of an emoji loses that emoji and nothing else."""
    assert read(rb'{"text": "Hello \ud83d", "more": 1}', Note).text == "Hello \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[", b'{"text": 7}', b"{}", b"\xff", b"[" * 100_000], ids=lambda one: str(one[:9])
)
def test_what_is_not_of_the_shape_is_refused(body):
    """Whatever is wrong with it, it is the payload that is malformed."""
    with pytest.raises(MalformedPayload):
        read(body, Note)
