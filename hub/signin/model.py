"""Signing up, sessions as their owner sees them, and sign-ins half done. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

REGISTRATION_LIFETIME: Final = timedelta(hours=24)
CHALLENGE_LIFETIME: Final = timedelta(minutes=10)


class Registration(msgspec.Struct, frozen=True):
    """
    Somebody who wants an account.

    Attributes:
        email: Cleaned; not proved to be theirs before the mail's link is used.
        locale: Of the pages they saw, ``en`` or ``de-AT``.
    """

    email: str
    name: str
    locale: str = "en"


class Session(msgspec.Struct, frozen=True):
    """
    A live sign-in as its owner sees it.

    Attributes:
        address: Where it was begun: an IPv4 address, or the /64 of an IPv6 one; empty where that is not known.
    """

    id: UUID
    created_at: datetime
    used_at: datetime
    expires_at: datetime
    user_agent: str
    address: str


class Challenge(msgspec.Struct, frozen=True):
    """
    A sign-in whose password was right.

    Attributes:
        factors: What its owner has: one of these is still to be shown.
        bearer: Whether the answer will carry a token instead of a cookie.
        refreshable: And one to renew it.
    """

    login_id: UUID
    email: str
    name: str
    locale: str
    factors: tuple[str, ...]
    bearer: bool
    refreshable: bool = False
