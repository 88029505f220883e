"""
The signature of Standard Webhooks, made and checked. Pure.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md (version 1.0), read 2026-11-23.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Final

PREFIX: Final = "whsec_"
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
# How far the clocks may be apart, and how old a recorded call may be; the specification leaves it to the receiver.
TOLERANCE_S: Final = 300
_VERSION: Final = "v1"


def sign(secret: str, webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """
    Make the signature header of a call.

    Args:
        secret: As shown to the member: ``whsec_`` and Base64.
        webhook_id: Unique per call, the same when it is made again; without a full stop.
        timestamp_s: Seconds since 1970.
        body: As sent.

    Returns:
        ``v1,`` and the Base64 of an HMAC-SHA256.

    Raises:
        ValueError: The secret is none.
    """
    signed = b".".join((webhook_id.encode(), str(timestamp_s).encode(), body))
    return f"{_VERSION},{base64.b64encode(hmac.digest(_key(secret), signed, 'sha256')).decode()}"


def is_signed(header: str, expected: str) -> bool:
    """Say whether one of the space-separated signatures is the expected one, in constant time."""
    given = header.encode("utf-8", "replace").split(b" ")[:16]
    return sum(hmac.compare_digest(one, expected.encode()) for one in given) > 0


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("not a signing secret") from error
    if not secret.startswith(PREFIX) or not key:
        raise ValueError("not a signing secret")
    return key
