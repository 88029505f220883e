"""
Counts SMS segments, as carriers bill them. Pure; the composer's counter in the frontend mirrors it.

Both are held to ``tests/golden/sms_segments.json``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

# Source: 3GPP TS 23.038 version 17, section 6.2.1 (default alphabet and its extension table).
_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_EXTENSION = frozenset("\f^{}\\[~]|€")

# One alone, and each of several: a concatenated segment gives 6 of its 140 bytes to the header.
_GSM7_SINGLE, _GSM7_PART = 160, 153
_UCS2_SINGLE, _UCS2_PART = 70, 67


class Segments(msgspec.Struct, frozen=True):
    """
    How a text goes over the air.

    Attributes:
        encoding: ``ucs2`` as soon as one character is not in the GSM alphabet.
        units: Septets, or UTF-16 code units.
        count: Segments; 0 for an empty text.
        left: Units left in the last segment before another one is needed.
    """

    encoding: Literal["gsm7", "ucs2"]
    units: int
    count: int
    left: int


def segments(text: str) -> Segments:
    """
    Count the segments of a text.

    Args:
        text: Any length, without lone surrogates.

    Returns:
        Encoding and counts; a character of two units is never cut between segments.
    """
    if all(character in _GSM7 or character in _GSM7_EXTENSION for character in text):
        widths = [2 if character in _GSM7_EXTENSION else 1 for character in text]
        return _count("gsm7", widths, _GSM7_SINGLE, _GSM7_PART)
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return _count("ucs2", widths, _UCS2_SINGLE, _UCS2_PART)


def _count(encoding: Literal["gsm7", "ucs2"], widths: Iterable[int], single: int, part: int) -> Segments:
    widths = list(widths)
    units = sum(widths)
    if units <= single:
        return Segments(encoding, units, 1 if units else 0, single - units)
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return Segments(encoding, units, count, part - used)
