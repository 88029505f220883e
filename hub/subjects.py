"""Subject lines without their reply and forward marks, in the languages mail programs write them. Pure."""

from __future__ import annotations

import re

# What mail programs put before a subject when they answer or forward, by program language.
# Source: en.wikipedia.org/wiki/List_of_email_subject_abbreviations (read 2026-11-22).
# One-letter marks (Italian R and I) only count with a colon and a blank.
_MARKS = (
    "re|fwd?|aw|wg|sv|vs|vb|antw|doorst|odp|pd|rif|res|enc|tr|rv|ynt|ilt|bls|vl|trs|"
    "továbbítás|válasz|réf|ref|atb|"
    "答复|回复|转发|回覆|轉寄|轉發|返信|転送|답장|전달|회신|ответ|отв|пересл|"
    "fwd|απ|πρθ|σχετ|השב|תגובה|הועבר|رد|إعادة توجيه"
)
_MARK = re.compile(
    rf"(?:(?:{_MARKS})\s?(?:\[\d{{1,3}}\]|\(\d{{1,3}}\)|\^\d{{1,3}}|\d{{1,2}})?\s?[:：]|[RI]:(?= ))\s*", re.IGNORECASE
)
# Gateways put these before or between the marks; they say nothing about the thread.
_TAG = re.compile(
    r"(?:\[(?:external|ext|extern|spam|bulk|caution)\]|\(external\)|\*{2,5}spam\*{2,5})[:\s]*", re.IGNORECASE
)
_FORWARD = re.compile(
    r"(?:fwd?|wg|vb|vl|tr|enc|rv|doorst|pd|ilt|továbbítás|i|转发|轉寄|轉發|転送|전달|пересл|πρθ|הועבר)\s?[:：]",
    re.IGNORECASE,
)
_LIMIT_CHARS = 1000


def normalise_subject(subject: str) -> tuple[str, bool]:
    """
    Strip reply and forward marks from a subject.

    Args:
        subject: As shown, decoded; only the first 1,000 characters count.

    Returns:
        What is left, in lower case with single spaces, and whether there was a mark.
    """
    rest, is_answer = " ".join(subject[:_LIMIT_CHARS].split()), False
    while True:
        if found := _MARK.match(rest):
            is_answer = True
        elif not (found := _TAG.match(rest)):
            return rest.casefold(), is_answer
        rest = rest[found.end() :]


def is_forward(subject: str) -> bool:
    """Say whether a subject's first mark passes a mail on (Fwd:, WG:, TR:) rather than answers one."""
    return _FORWARD.match(" ".join(subject[:_LIMIT_CHARS].split())) is not None
