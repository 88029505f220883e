"""A browser on its way to a vendor and back, and who renews a token. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
MOST_STATE_CHARS: Final = 200
# A token that ends within this is renewed before it is used: longer than any call takes, shorter than any token lives.
RENEW_BEFORE: Final = timedelta(minutes=2)
# Longer than a renewal takes: whoever holds it asks the vendor, everybody else waits.
RENEWING: Final = timedelta(seconds=45)
# Calls under way while a token was renewed are refused with the old one: that is no reason to renew again.
JUST_RENEWED: Final = timedelta(seconds=60)

Outcome = Literal["waiting", "connected", "refused"]


class Filled(msgspec.Struct, frozen=True, kw_only=True):
    """What a member entered before signing in; kept sealed, for it may hold the keys of their own app."""

    name: str
    inbox_id: UUID | None
    credentials: dict[str, str]
    settings: dict[str, str]

    def __repr__(self) -> str:
        return "Filled()"


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """
    A browser that was sent to a vendor.

    Attributes:
        account_id: The account to be; or the one that is signed in again, where ``is_again``.
    """

    workspace_id: int
    id: UUID
    member_id: UUID
    session_id: UUID
    channel: str
    account_id: UUID
    is_again: bool


class AttemptState(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an attempt; ``message`` is for the member."""

    id: UUID
    channel: str
    channel_account_id: UUID
    outcome: Outcome
    message: str


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """
    An account's credentials as the row has them now.

    Attributes:
        is_ours: Whether whoever asked is to renew them.
    """

    credentials: dict[str, str]
    expires_at: datetime | None
    renewed_at: datetime | None
    is_ours: bool = False

    def __repr__(self) -> str:
        return f"Tokens(expires_at={self.expires_at})"


def verifier_of(session_token: str, state: str) -> str:
    """
    Return the PKCE verifier of one attempt of one session.

    Source:
        RFC 7636 section 4.1 (September 2015): 43-128 characters of the unreserved ones.
    """
    made = hmac.digest(session_token.encode("utf-8", "surrogatepass"), f"hub/1/connect/{state}".encode(), "sha256")
    return _base64(made)


def challenge_of(verifier: str) -> str:
    """Return the challenge a verifier answers; RFC 7636 section 4.2, S256."""
    return _base64(hashlib.sha256(verifier.encode()).digest())


def digest(text: str) -> bytes:
    """Return what is stored of a secret that only its owner knows."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def ends_soon(expires_at: datetime | None, now: datetime) -> bool:
    """Say whether a token is to be renewed before it is used."""
    return expires_at is not None and expires_at - now <= RENEW_BEFORE


def merge_credentials(base: Mapping[str, str], wanted: Mapping[str, str], current: Mapping[str, str]) -> dict[str, str]:
    """
    Bring together what somebody changed and what was changed meanwhile.

    Args:
        base: As they were when read.
        wanted: As they are to be.
        current: As they are now; a token may have been renewed since.

    Returns:
        Everything that was changed on purpose, and of all else what is there now.
    """
    names = [*dict.fromkeys((*current, *wanted))]
    merged = {name: (current if wanted.get(name) == base.get(name) else wanted).get(name) for name in names}
    return {name: value for name, value in merged.items() if value is not None}


def is_replaced(base: Mapping[str, str], current: Mapping[str, str], granted: Mapping[str, str]) -> bool:
    """Say whether somebody signed in again during a renewal: theirs are newer, the renewal's are dropped."""
    return any(current.get(name) != base.get(name) for name in granted)


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
