"""Time and ids: the only module that asks the clock or the random source."""

from __future__ import annotations

import os
import secrets
import time
from datetime import UTC, datetime
from uuid import UUID


def now() -> datetime:
    """Return the current time, aware, in UTC."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Return seconds on a clock that never steps, for timeouts."""
    return time.monotonic()


def new_id() -> UUID:
    """
    Make a UUID version 7: sortable by its millisecond of creation.

    Returns:
        A fresh id; two made in the same millisecond differ in 74 random bits.

    Source:
        RFC 9562 section 5.7 (May 2024).
    """
    milliseconds = time.time_ns() // 1_000_000
    random_bytes = os.urandom(10)
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76
    value |= (int.from_bytes(random_bytes[:2], "big") & 0x0FFF) << 64
    value |= 0b10 << 62
    value |= int.from_bytes(random_bytes[2:], "big") & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=value)


def new_token(size_bytes: int = 32) -> str:
    """Make a secret for a link, session or ticket, URL-safe, of ``size_bytes`` random bytes (16 or more)."""
    return secrets.token_urlsafe(size_bytes)
