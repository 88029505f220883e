"""Names of files: whatever a stranger writes, what comes out can be shown, stored and sent."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.attachments.model import FILENAME_LIMIT_BYTES, clean_filename


@given(st.text(max_size=600))
def test_clean_filename_is_always_usable(name: str) -> None:
    """1-255 bytes, NFC, no path, nothing invisible or turning, no leading dot; cleaning twice changes nothing."""
    cleaned = clean_filename(name.encode("utf-8", "replace").decode())

    assert 1 <= len(cleaned.encode()) <= FILENAME_LIMIT_BYTES
    assert unicodedata.is_normalized("NFC", cleaned)
    assert "/" not in cleaned
    assert "\\" not in cleaned
    assert cleaned.isprintable()
    assert not any(unicodedata.category(char) == "Cf" for char in cleaned)
    assert not cleaned.startswith(".")
    assert clean_filename(cleaned) == cleaned


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\a\\offer.pdf", "offer.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        (".htaccess", "htaccess"),
        ("a\nb\tc.txt", "a b c.txt"),
        ("Über uns.pdf", "Über uns.pdf"),
        ("U\u0308ber.pdf", "Über.pdf"),
        ("\u200b\u200e..", "file"),
    ],
)
def test_clean_filename_keeps_what_is_harmless(name: str, cleaned: str) -> None:
    """Paths, turned writing and hidden characters go; letters of any script stay."""
    assert clean_filename(name) == cleaned


def test_clean_filename_keeps_the_extension_of_a_long_name() -> None:
    """A name that is cut still says what it is."""
    cleaned = clean_filename("ä" * 300 + ".pdf")

    assert cleaned.endswith("ä.pdf")
    assert len(cleaned.encode()) <= FILENAME_LIMIT_BYTES


def test_nameless_file_is_called_by_its_kind() -> None:
    """MMS brings no names."""
    assert clean_filename("", "image/jpeg", "image") == "image.jpg"
