"""Phone numbers in their canonical form. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers

from hub.envelope import clean_text

_NOISE = re.compile(r"[\s().\-‐-―]")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


# People write more than once, and reading a number takes longer than storing its message in Postgres.
@lru_cache(maxsize=4096)
def canonical_number(raw: str) -> str:
    """
    Bring a sender's address into the form under which its contact is known.

    Args:
        raw: What the vendor sent: a number with country code, a short code, or letters.

    Returns:
        E.164 where it is a possible international number, else the text without spaces and punctuation.
    """
    text = clean_text(raw).strip()
    if text.startswith("+"):
        try:
            number = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_possible_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return _NOISE.sub("", text)


def is_e164(text: str) -> bool:
    """Say whether a text is an international number: ``+``, then 7 to 15 digits."""
    return _E164.fullmatch(text) is not None
