"""Opaque cursors of paged lists: the sort key of the last row, encoded so that nobody builds one by hand."""

from __future__ import annotations

import base64
import binascii

import msgspec

from hub.errors import InvalidInput


def encode_cursor(key: tuple[str, ...]) -> str:
    """Make the ``next`` of a page from the sort key of its last row."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def decode_cursor(text: str, parts: int) -> tuple[str, ...]:
    """
    Read a ``before`` parameter.

    Args:
        text: What ``encode_cursor`` made, or anything.
        parts: How many texts the sort key has.

    Raises:
        InvalidInput: It is not one of ours.
    """
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=tuple[str, ...])
    except (ValueError, binascii.Error, msgspec.MsgspecError):
        key = ()
    if len(key) != parts:
        raise InvalidInput("before", "This is not a cursor of ours.")
    return key
