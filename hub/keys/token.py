"""
The text of an API key: made, read, checked for typing errors, and what of it is stored. Pure but for the random source.

``mh_live_<id>_<secret><crc>``: 22, 43 and 6 characters of base 62. The crc tells a typing error or a scanner's false
find from a key without asking the database; it protects nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from hub.errors import NotSignedIn
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX: Final = "mh_live_"
PEPPER_PURPOSE: Final = "api keys"
HINT_CHARS: Final = 4
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_CHARS: Final = 22
_SECRET_CHARS: Final = 43
_CRC_CHARS: Final = 6
# What secret scanners may look for.
PATTERN: Final = re.compile(
    rf"mh_live_([0-9A-Za-z]{{{_ID_CHARS}}})_([0-9A-Za-z]{{{_SECRET_CHARS}}})([0-9A-Za-z]{{{_CRC_CHARS}}})"
)
_MOST_ID: Final = 2**128

MISTYPED: Final = "This is not an API key: it is cut off or mistyped."


class KeyToken(msgspec.Struct, frozen=True):
    """A key's token taken apart; never shows its secret in text."""

    id: UUID
    secret: str

    def __repr__(self) -> str:
        return f"KeyToken(id={self.id})"

    def text(self) -> str:
        """Write the token as its holder gets it, once."""
        head = f"{PREFIX}{_to_base62(self.id.int, _ID_CHARS)}_{self.secret}"
        return head + _crc(head)


class Verifier(msgspec.Struct, frozen=True):
    """What is stored of a secret: its HMAC, and under which version of the pepper."""

    hmac: bytes
    pepper_version: int


class Pepper:
    """The keys of the HMAC, by version of the installation's secret key; its bytes never show in text."""

    __slots__ = ("_keys", "_writing")

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._keys = dict(keys)
        self._writing = writing_version(keys)

    def __repr__(self) -> str:
        return f"Pepper(versions={sorted(self._keys)})"

    @property
    def version(self) -> int:
        """The version new verifiers are made with."""
        return self._writing

    def verifier(self, token: KeyToken) -> Verifier:
        """Make what is stored of a token."""
        return Verifier(self._mac(self.version, token), self.version)

    def matches(self, token: KeyToken, verifier: Verifier) -> bool:
        """Say whether a token is the one a verifier was made of; False where the pepper of then is gone."""
        if verifier.pepper_version not in self._keys:
            return False
        return hmac.compare_digest(self._mac(verifier.pepper_version, token), verifier.hmac)

    def _mac(self, version: int, token: KeyToken) -> bytes:
        # With the id: a verifier copied to another row opens nothing.
        return hmac.digest(self._keys[version], token.id.bytes + token.secret.encode(), hashlib.sha256)


def new_token(key_id: UUID) -> KeyToken:
    """Make a token with a secret of 256 random bits."""
    return KeyToken(key_id, _to_base62(secrets.randbits(256), _SECRET_CHARS))


def is_key(text: str) -> bool:
    """Say whether a bearer token is meant to be an API key."""
    return text.startswith(PREFIX)


def read_token(text: str) -> KeyToken:
    """
    Read a token without asking anybody whether it is good.

    Args:
        text: From a header or a frame, unchecked.

    Raises:
        NotSignedIn: It is cut off or mistyped.
    """
    found = PATTERN.fullmatch(text)
    if found is None or _crc(text[:-_CRC_CHARS]) != found.group(3):
        raise NotSignedIn(MISTYPED)
    number = _from_base62(found.group(1))
    if number >= _MOST_ID:
        raise NotSignedIn(MISTYPED)
    return KeyToken(UUID(int=number), found.group(2))


def _crc(head: str) -> str:
    return _to_base62(zlib.crc32(head.encode()), _CRC_CHARS)


def _to_base62(number: int, chars: int) -> str:
    digits = []
    for _ in range(chars):
        number, rest = divmod(number, 62)
        digits.append(_DIGITS[rest])
    return "".join(reversed(digits))


def _from_base62(text: str) -> int:
    number = 0
    for digit in text:
        number = number * 62 + _DIGITS.index(digit)
    return number
