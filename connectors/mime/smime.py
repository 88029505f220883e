"""
The mail inside an opaque S/MIME signature (``application/pkcs7-mime; smime-type=signed-data``). Pure; never raises.

Reads, does not verify: a signature says nothing here about who may write into a conversation.
Source: RFC 5652, section 5.2 (SignedData) in BER, definite and indefinite lengths.
"""

from __future__ import annotations

import re

_ID_DATA = bytes.fromhex("06092a864886f70d010701")
_SEARCH_BYTES = 4096
_EXPLICIT, _OCTETS, _OCTETS_IN_PIECES = 0xA0, 0x04, 0x24
_WRAPPED_AGAIN = re.compile(rb"pkcs7-mime", re.IGNORECASE)


def signed_content(der: bytes) -> bytes | None:
    """
    Take out what was signed.

    Args:
        der: The decoded part.

    Returns:
        A MIME entity; None where there is none, it is cut, or it holds another wrapped one (bounds the depth).
    """
    at = der.find(_ID_DATA, 0, _SEARCH_BYTES)
    if at < 0:
        return None
    tag, _, at = _header(der, at + len(_ID_DATA))
    if tag != _EXPLICIT:
        return None
    tag, length, at = _header(der, at)
    if tag == _OCTETS and length is not None:
        content = der[at : at + length]
    elif tag == _OCTETS_IN_PIECES:
        content = _pieces(der, at, len(der) if length is None else at + length)
    else:
        return None
    return content if content and not _WRAPPED_AGAIN.search(content) else None


def _pieces(der: bytes, at: int, end: int) -> bytes:
    pieces = []
    while at < end:
        tag, length, at = _header(der, at)
        if tag != _OCTETS or length is None:
            break
        pieces.append(der[at : at + length])
        at += length
    return b"".join(pieces)


def _header(der: bytes, at: int) -> tuple[int, int | None, int]:
    """Return tag, length (None for indefinite) and where the contents begin; tag 0 past the end."""
    if at + 2 > len(der):
        return 0, 0, len(der)
    tag, first = der[at], der[at + 1]
    if first == 0x80:
        return tag, None, at + 2
    if first < 0x80:
        return tag, first, at + 2
    count = first & 0x7F
    if count > 4:
        return 0, 0, len(der)
    return tag, int.from_bytes(der[at + 2 : at + 2 + count], "big"), at + 2 + count
