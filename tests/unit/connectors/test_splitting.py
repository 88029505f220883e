"""Texts cut into parts: nothing lost, nothing too long, at the best bound there is."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.splitting import split_text


@pytest.mark.parametrize(
    ("text", "limit", "parts"),
    [
        ("", 5, []),
        (" \n ", 5, []),
        ("short", 5, ["short"]),
        ("one two three", 9, ["one two", "three"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("First one. Second one.", 15, ["First one.", "Second one."]),
        ("a line of text\nanother line of it", 20, ["a line of text", "another line of it"]),
        ("Paragraph one.\n\nParagraph two is long.", 30, ["Paragraph one.", "Paragraph two is long."]),
        # A sentence that ends early makes no short part.
        ("Hi. this is a long text", 16, ["Hi. this is a", "long text"]),
        ("exactly ten", 11, ["exactly ten"]),
    ],
)
def test_split_text_cuts_where_a_reader_would(text, limit, parts):
    """Paragraph before line before sentence before word, and inside a word only where it must."""
    assert split_text(text, limit) == parts


@given(st.text(alphabet="ab .\n\U0001f44d", max_size=200), st.integers(1, 40))
def test_split_text_loses_only_white_space(text, limit):
    """Each part fits and is not blank; all characters that show are there, in order."""
    parts = split_text(text, limit)
    assert all(part.strip() and len(part) <= limit for part in parts)
    assert re.sub(r"\s", "", "".join(parts)) == re.sub(r"\s", "", text)
