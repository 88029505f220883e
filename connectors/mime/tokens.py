"""
Signed references to our conversations in mail: in Message-IDs, plus-addresses and the text.

They prove that we wrote the reference, not who quotes it: the store still checks the participant. Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from uuid import UUID

import msgspec

from hub.errors import InvalidInput

# 80 bits: a guess succeeds once in 10^24 mails. More would push plus-addresses past the 64 octets of a local part.
_MAC_BYTES = 10
_ID_BYTES = 16
_LOCAL_LIMIT_CHARS = 64  # RFC 5321, section 4.5.3.1.1
_SHORT, _LONG = 42, 68  # base32 characters of id + MAC, and of two ids + MAC
_LONG_TOKEN = re.compile(rf"(?<![a-z2-7])h\.([a-z2-7]{{{_LONG}}})(?![a-z2-7])", re.IGNORECASE | re.ASCII)
_PLUS_TOKEN = re.compile(rf"[+]([a-z2-7]{{{_SHORT}}})@", re.IGNORECASE | re.ASCII)
# Mail programs wrap and re-space quoted text, so the marker may come back with blanks inside its brackets.
_MARKER = re.compile(rf"\[ref:[\s\xa0]?([a-z2-7]{{{_SHORT}}})[\s\xa0]?:ref\]", re.IGNORECASE | re.ASCII)
_SEARCH_LIMIT = 200


class TokenKey(msgspec.Struct, frozen=True):
    """Whose signatures these are: the account's HMAC key, and what is signed along."""

    signing_key: bytes
    workspace_id: int
    account_id: str


class Tokens(msgspec.Struct, frozen=True):
    """
    What our own signatures prove.

    Attributes:
        conversation_ids: UUID text, best first: plus-address, Message-IDs (newest first), marker in the text.
        message_ids: Ours, UUID text, of signed Message-IDs, in the order they were given.
    """

    conversation_ids: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()


def sign_message_id(key: TokenKey, conversation_id: str, message_id: str, domain: str) -> str:
    """
    Make the Message-ID of one of our mails; the same message always gets the same one.

    Args:
        key: The account's.
        conversation_id: UUID text.
        message_id: Ours, UUID text.
        domain: Of the From address, ASCII.

    Returns:
        The id without angle brackets.

    Raises:
        InvalidInput: An id is not a UUID.
    """
    payload = _uuid_bytes("message_id", message_id) + _uuid_bytes("conversation_id", conversation_id)
    return f"h.{_seal(key, b'message', payload)}@{domain}"


def sign_plus_address(key: TokenKey, conversation_id: str, address: str) -> str | None:
    """
    Make the address answers to a conversation go to.

    Returns:
        ``local+token@domain``, or None where the local part would be longer than RFC 5321 allows.

    Raises:
        InvalidInput: The conversation's id is not a UUID, or the address has no ``@``.
    """
    local, at, domain = address.rpartition("@")
    if not at:
        raise InvalidInput("address", "This is not a mail address.")
    token = _seal(key, b"conversation", _uuid_bytes("conversation_id", conversation_id))
    signed = f"{local}+{token}"
    return f"{signed}@{domain}" if len(signed) <= _LOCAL_LIMIT_CHARS else None


def sign_marker(key: TokenKey, conversation_id: str) -> str:
    """Make the reference that stands in the text of our mails; ``InvalidInput`` where the id is not a UUID."""
    return f"[ref:{_seal(key, b'conversation', _uuid_bytes('conversation_id', conversation_id))}:ref]"


def read_tokens(
    key: TokenKey, *, addresses: Iterable[str] = (), message_ids: Iterable[str] = (), texts: Iterable[str] = ()
) -> Tokens:
    """
    Find and check our signatures; what is forged, foreign or damaged yields nothing.

    Args:
        key: The account's.
        addresses: Recipients, as received.
        message_ids: In-Reply-To, References and other ids, newest first.
        texts: Body texts, quoted parts included; the first 200 marks of each are looked at.

    Returns:
        What is proved; empty tuples for nothing.
    """
    conversations: dict[str, None] = {}
    messages: dict[str, None] = {}
    for found in _matches(_PLUS_TOKEN, addresses):
        if payload := _open(key, b"conversation", found, 1):
            conversations[_uuid_text(payload)] = None
    for found in _matches(_LONG_TOKEN, message_ids):
        if payload := _open(key, b"message", found, 2):
            messages[_uuid_text(payload[:_ID_BYTES])] = None
            conversations[_uuid_text(payload[_ID_BYTES:])] = None
    for found in _matches(_MARKER, texts):
        if payload := _open(key, b"conversation", found, 1):
            conversations[_uuid_text(payload)] = None
    return Tokens(tuple(conversations), tuple(messages))


def without_token(address: str) -> str:
    """Return an address without our plus tag, forged or not: members should not see it."""
    return _PLUS_TOKEN.sub("@", address, count=1)


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> Iterable[str]:
    for text in texts:
        for count, found in enumerate(pattern.finditer(text)):
            if count >= _SEARCH_LIMIT:
                break
            yield found[1]


def _seal(key: TokenKey, purpose: bytes, payload: bytes) -> str:
    sealed = payload + _mac(key, purpose, payload)
    return base64.b32encode(sealed).decode().rstrip("=").lower()


def _open(key: TokenKey, purpose: bytes, token: str, ids: int) -> bytes | None:
    sealed = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    payload = sealed[: ids * _ID_BYTES]
    return payload if hmac.compare_digest(sealed[len(payload) :], _mac(key, purpose, payload)) else None


def _mac(key: TokenKey, purpose: bytes, payload: bytes) -> bytes:
    """Without a key nothing verifies: an empty one would let anybody sign."""
    if not key.signing_key:
        raise InvalidInput("signing_key", "This channel account has no signing key.")
    context = b"\x00".join((purpose, str(key.workspace_id).encode(), key.account_id.encode(), payload))
    return hmac.new(key.signing_key, context, hashlib.sha256).digest()[:_MAC_BYTES]


def _uuid_bytes(field: str, text: str) -> bytes:
    try:
        return UUID(text).bytes
    except ValueError:
        raise InvalidInput(field, "This is not an id of ours.") from None


def _uuid_text(payload: bytes) -> str:
    return str(UUID(bytes=payload))
