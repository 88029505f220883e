"""
Signing in by way of an issuer: what is asked of it, what it says of a person, and why it may be refused. Pure.

A browser's secret stays in its cookie; nonce and PKCE verifier are derived from it, so nobody who reads the database
can finish somebody else's sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from hub.errors import HubError

ATTEMPT_LIFETIME: Final = timedelta(minutes=10)
LINK_LIFETIME: Final = timedelta(minutes=10)
MOST_TOKEN_CHARS: Final = 200


class Refusal(StrEnum):
    """Why nobody was signed in; the app has words for each."""

    # The state is not this browser's, was used, or is older than ten minutes.
    EXPIRED = "expired"
    # They did not agree at the issuer.
    DENIED = "denied"
    # What the issuer answered does not hold.
    ISSUER = "issuer"
    UNREACHABLE = "unreachable"
    # The issuer does not vouch for an address.
    UNVERIFIED = "unverified"
    # Nobody may sign up here by themselves.
    CLOSED = "closed"
    # The account there opens another login here.
    TAKEN = "taken"


class IssuerRefused(HubError):
    """
    Nobody is signed in.

    Attributes:
        refusal: For the person.
        detail: For the log; never a token or an address.
    """

    code = "forbidden"

    def __init__(self, refusal: Refusal, detail: str) -> None:
        super().__init__(f"This sign-in was not accepted ({refusal.value}).")
        self.refusal = refusal
        self.detail = detail


class Attempt(msgspec.Struct, frozen=True):
    """
    A browser that was sent to an issuer.

    Attributes:
        issuer: The identifier it was sent to.
        login_id: Whose settings it was sent from, to link an account; None signs in.
        session_id: The session that asked; only it may come back.
    """

    slug: str
    issuer: str
    login_id: UUID | None = None
    session_id: UUID | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """
    Whom an issuer vouches for.

    Attributes:
        subject: Theirs for ever at that issuer.
        email: In lower case; empty where none was told.
        is_verified: Whether the issuer says the address is theirs.
    """

    issuer: str
    subject: str
    email: str
    is_verified: bool
    name: str

    def __repr__(self) -> str:
        return f"Person(issuer={self.issuer!r}, is_verified={self.is_verified})"


class Identity(msgspec.Struct, frozen=True):
    """An account at an issuer that opens a login, as its owner sees it."""

    id: UUID
    issuer: str
    email: str
    created_at: datetime
    used_at: datetime | None


class Ways(msgspec.Struct, frozen=True):
    """By what a login can be opened, beside its accounts at issuers."""

    has_password: bool
    has_passkey: bool


class PendingLink(msgspec.Struct, frozen=True):
    """An account at an issuer that waits for the password of the login with its address."""

    email: str


class SignedUp(msgspec.Struct, frozen=True):
    """The sign-in opens a login."""

    login_id: UUID


class NeedsPassword(msgspec.Struct, frozen=True):
    """There is a login with this address: ``token`` and its password link the account to it."""

    token: str


def nonce_of(browser: str, state: str) -> str:
    """Return the nonce of one attempt of one browser."""
    return _derived(browser, "nonce", state)


def verifier_of(browser: str, state: str) -> str:
    """
    Return the PKCE verifier of one attempt of one browser.

    Source:
        RFC 7636 section 4.1 (September 2015): 43-128 characters of the unreserved ones.
    """
    return _derived(browser, "pkce", state)


def digest(text: str) -> bytes:
    """Return what is stored of a secret that only its owner knows."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _derived(browser: str, purpose: str, state: str) -> str:
    made = hmac.digest(browser.encode("utf-8", "surrogatepass"), f"hub/1/{purpose}/{state}".encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")
