"""Who called, carried in what Twilio gives back to us, unreadable to whoever logs it. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from hub.envelope import Identity

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIMIT_CHARS: Final = 1000
# No scheme and no number has one.
_SEPARATOR: Final = "\n"
_CALLER: Final = b"voice caller"


def seal_caller(signing_key: bytes, caller: Identity) -> str:
    """
    Write a caller into a token; the same one each time, as a call that is answered twice must be answered alike.

    Args:
        signing_key: The account's.
        caller: Scheme and value are kept.

    Returns:
        Letters, digits, ``-`` and ``_``.
    """
    return seal(signing_key, _CALLER, (caller.scheme, caller.value))


def open_caller(signing_key: bytes, token: str) -> Identity | None:
    """
    Read a token again.

    Args:
        signing_key: The account's.
        token: From an address; any text.

    Returns:
        None for whatever we did not seal for this account.
    """
    parts = unseal(signing_key, _CALLER, token)
    return None if parts is None else Identity(scheme=parts[0], value=_SEPARATOR.join(parts[1:]))


def seal(signing_key: bytes, purpose: bytes, parts: Sequence[str]) -> str:
    """
    Write texts without line breaks into a token that opens for one purpose.

    Source:
        RFC 5297 (AES-SIV): deterministic, and needs no nonce.
    """
    text = _SEPARATOR.join(parts).encode()
    return base64.urlsafe_b64encode(_cipher(signing_key).encrypt(text, [purpose])).decode().rstrip("=")


def unseal(signing_key: bytes, purpose: bytes, token: str) -> list[str] | None:
    """Read what was sealed for a purpose; None for whatever we did not seal for it, with this key."""
    if len(token) > _LIMIT_CHARS or not token.isascii():
        return None
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return _cipher(signing_key).decrypt(sealed, [purpose]).decode().split(_SEPARATOR)
    except (ValueError, InvalidTag):
        return None


def _cipher(signing_key: bytes) -> AESSIV:
    return AESSIV(hmac.digest(signing_key, b"voice|seal", hashlib.sha512))
