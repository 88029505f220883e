"""Writes what is left of a mail that is too large to be read whole: its headers and text, and a note. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

BOUNDARY: Final = "hub-left-in-the-mailbox"
_MEGABYTE: Final = 1024 * 1024
_HEADERS_LIMIT: Final = 500


def cut_mail(headers: Iterable[tuple[str, str]], content: str, *, is_html: bool, limit_bytes: int) -> bytes:
    """
    Write a mail of headers and text that reads like the original.

    Args:
        headers: Of the original, name and value, in order; those of its content are left out.
        content: Its text.
        is_html: Whether the text is HTML.
        limit_bytes: What the mail is larger than; named in the note about what is missing.
    """
    named = [one for one in headers if not one[0].lower().startswith(("content-", "mime-version"))]
    lines = [f"{name}: {' '.join(value.split())}" for name, value in named[:_HEADERS_LIMIT]]
    lines += [
        "MIME-Version: 1.0",
        f'Content-Type: multipart/mixed; boundary="{BOUNDARY}"',
        "",
        f"--{BOUNDARY}",
        f"Content-Type: text/{'html' if is_html else 'plain'}; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        base64.encodebytes(content.encode("utf-8", "replace")).decode().replace("\n", "\r\n"),
        f"--{BOUNDARY}",
        "Content-Type: text/plain; charset=us-ascii",
        "",
        f"This mail is larger than {limit_bytes // _MEGABYTE} MB. Its files were left in the mailbox.",
        f"--{BOUNDARY}--",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "replace")
