"""Who called, carried in the addresses Twilio calls back, unreadable to whoever logs addresses. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from hub.envelope import Identity

_LIMIT_CHARS: Final = 1000
# No scheme and no number has one.
_SEPARATOR: Final = "\n"
_PURPOSE: Final = [b"voice caller"]


def seal_caller(signing_key: bytes, caller: Identity) -> str:
    """
    Write a caller into a token; the same one each time, as a call that is answered twice must be answered alike.

    Args:
        signing_key: The account's.
        caller: Scheme and value are kept.

    Returns:
        Letters, digits, ``-`` and ``_``.

    Source:
        RFC 5297 (AES-SIV): deterministic, and needs no nonce.
    """
    text = f"{caller.scheme}{_SEPARATOR}{caller.value}".encode()
    return base64.urlsafe_b64encode(_cipher(signing_key).encrypt(text, _PURPOSE)).decode().rstrip("=")


def open_caller(signing_key: bytes, token: str) -> Identity | None:
    """
    Read a token again.

    Args:
        signing_key: The account's.
        token: From an address; any text.

    Returns:
        None for whatever we did not seal for this account.
    """
    if len(token) > _LIMIT_CHARS or not token.isascii():
        return None
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        text = _cipher(signing_key).decrypt(sealed, _PURPOSE).decode()
    except (ValueError, InvalidTag):
        return None
    scheme, _, value = text.partition(_SEPARATOR)
    return Identity(scheme=scheme, value=value)


def _cipher(signing_key: bytes) -> AESSIV:
    return AESSIV(hmac.digest(signing_key, b"voice|seal", hashlib.sha512))
