"""What a file is, by its bytes."""

from __future__ import annotations

import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.attachments.kinds import SHOWN_IMAGES, kind_of, matches, served_as, sniff


def zipped(*names: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")
    return target.getvalue()


def iso(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0" * 40


@pytest.mark.parametrize(
    ("head", "declared", "mime"),
    [
        (iso(b"mp42"), "", "video/mp4"),
        (iso(b"mp42"), "audio/mp4", "audio/mp4"),
        (iso(b"M4A "), "video/mp4", "audio/mp4"),
        (iso(b"qt  "), "", "video/quicktime"),
        (iso(b"3gp5"), "", "video/3gpp"),
        (iso(b"heic"), "image/jpeg", "image/heic"),
        (iso(b"avif"), "", "image/avif"),
        (b"ID3\x04" + b"\0" * 20, "", "audio/mpeg"),
        (b"\xff\xfb\x90\x64" + b"\0" * 20, "", "audio/mpeg"),
        (b"\xff\xff\xff\xff" + b"\0" * 20, "audio/mpeg", "application/octet-stream"),
        (b"OggS\0\x02" + b"\0" * 22 + b"\x01\x13OpusHead", "", "audio/ogg"),
        (b"OggS\0\x02" + b"\0" * 22 + b"\x80theora", "", "video/ogg"),
        (b"RIFF\0\0\0\0WAVEfmt ", "", "audio/wav"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x82\x84webm", "audio/webm", "audio/webm"),
        (b"#!AMR\n", "", "audio/amr"),
        (zipped("[Content_Types].xml", "word/document.xml"), "", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "image/png", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (zipped("evil.html"), "text/html", "application/zip"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "application/msword", "application/msword"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "text/html", "application/x-ole-storage"),
        (b"BEGIN:VCARD\r\nVERSION:4.0", "", "text/vcard"),
        (b"a,b\n1,2", "text/csv", "text/csv"),
        (b"a,b\n1,2", "text/html", "text/plain"),
        (b"#!/bin/sh\n", "text/plain", "application/x-sh"),
        ("café".encode("latin-1"), "", "text/plain"),
        (b"", "image/png", "application/octet-stream"),
    ],
)  # fmt: skip
def test_sniff_goes_by_the_bytes(head: bytes, declared: str, mime: str) -> None:
    """The sender's word only chooses between names of the same bytes."""
    assert sniff(head, declared) == mime


@pytest.mark.parametrize(
    "head",
    [
        b"<html>", b"\xef\xbb\xbf<!DOCTYPE html>", b"   \n<ScRiPt src=x>", b"<!-- a --><svg onload=x>", b"<?xml version='1.0'?><svg/>",
        b"words before <script>x</script>", b"<a href=x>", b"<img src=x onerror=y>", "<html>".encode("utf-16"),
    ],
)  # fmt: skip
def test_markup_is_never_shown(head: bytes) -> None:
    """Whatever a browser might take for a page is saved, without a type it would run."""
    served = served_as(sniff(head, "image/png"))

    assert not served.inline
    assert served.mime == "application/octet-stream"


@given(st.binary(max_size=300), st.sampled_from(["", "text/html", "image/svg+xml", "image/png", "video/mp4"]))
def test_any_bytes_have_a_type_that_is_safe_to_serve(head: bytes, declared: str) -> None:
    """No bytes make it fail, and nothing is shown but pictures, sound and video."""
    mime = sniff(head, declared)
    served = served_as(mime)

    assert served.inline is (kind_of(mime) != "file")
    assert not served.inline or mime in SHOWN_IMAGES or mime.startswith(("audio/", "video/"))
    assert not served.mime.startswith(("text/html", "image/svg", "application/xml", "application/xhtml"))


def test_matches_reads_patterns() -> None:
    """A family, an exact type, or anything."""
    assert matches("image/png", ("image/*",))
    assert matches("application/pdf", ("image/*", "application/pdf"))
    assert not matches("application/pdfx", ("application/pdf",))
    assert not matches("imagex/png", ("image/*",))
    assert matches("x/y", ())
