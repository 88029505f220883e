"""Twilio's times and lengths of time. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def read_moment(text: str, received_at: datetime) -> datetime:
    """Read Twilio's clock, to the second; where it says nothing, or nothing near ours, ours."""
    try:
        found = parsedate_to_datetime(text).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return received_at
    return found if abs((found - received_at).days) < 365 else received_at


def read_seconds(text: str) -> int | None:
    """Read a length of time in seconds; None for what is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def length_text(seconds: int) -> str:
    """Write a length of time as ``2:05`` or ``1:02:05``."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
