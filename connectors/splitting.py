"""Cuts a text into the parts a channel takes. Pure; for connectors' ``render.py``."""

from __future__ import annotations

import re
from typing import Final

# Best first: a paragraph, a line, a sentence, a word.
_BOUNDS: Final = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?])\s"), re.compile(r"\s"))
# A bound in the first half would make many short parts; then the next kind of bound is better.
_EARLIEST: Final = 0.5


def split_text(text: str, limit_chars: int) -> list[str]:
    """
    Split a text at paragraphs, lines, sentences or words, whichever leaves long parts; in a word only where it must.

    Args:
        text: Any length.
        limit_chars: Longest part, 1 or more.

    Returns:
        Parts in order, none blank; only white space at the cuts and ends is lost. Empty for a blank text.
    """
    parts: list[str] = []
    rest = text.strip()
    while len(rest) > limit_chars:
        at = _cut(rest, limit_chars)
        parts.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    return [*parts, rest] if rest else parts


def _cut(text: str, limit_chars: int) -> int:
    """Where the first part ends, 1 to ``limit_chars``; the character there or before may be white space."""
    last_word = 0
    for bound in _BOUNDS:
        found = [match.start() for match in bound.finditer(text, 0, limit_chars + 1) if match.start() > 0]
        if found and found[-1] >= limit_chars * _EARLIEST:
            return found[-1]
        last_word = max(last_word, found[-1] if found else 0)
    return last_word or limit_chars
