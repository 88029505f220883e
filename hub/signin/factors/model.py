"""Second factors of a login: what is kept of each, and the outcomes of using one. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

# How long after proving oneself dangerous things may be done without doing it again.
PROOF_LIFETIME: Final = timedelta(minutes=10)
MOST_PASSKEYS: Final = 20


class Method(StrEnum):
    """A way to prove who one is; the first three are what ``login.factors`` holds."""

    TOTP = "totp"
    PASSKEY = "passkey"
    RECOVERY_CODE = "recovery_code"
    PASSWORD = "password"  # noqa: S105  a way's name


class Purpose(StrEnum):
    """What a passkey's challenge was made for; it is good for nothing else."""

    REGISTER = "register"
    SECOND_FACTOR = "second_factor"
    PROOF = "proof"
    SIGN_IN = "sign_in"


class TotpSecret(msgspec.Struct, frozen=True):
    """
    A login's TOTP secret as it is stored.

    Attributes:
        sealed: Opens with ``FactorSealer`` for this login only.
        last_step: The newest time step whose code was used; that code and older ones are worth nothing.
        confirmed: Whether a code was shown once: before that it is no factor.
    """

    id: UUID
    sealed: bytes
    last_step: int
    confirmed: bool


class Passkey(msgspec.Struct, frozen=True):
    """
    A passkey as its owner sees it.

    Attributes:
        backed_up: Whether it is kept in the maker's cloud and so survives the device.
    """

    id: UUID
    name: str
    backed_up: bool
    created_at: datetime
    last_used_at: datetime | None


class StoredPasskey(msgspec.Struct, frozen=True):
    """
    What is kept of a passkey to check its signatures.

    Attributes:
        sign_count: The authenticator's own counter when it was last used; 0 for those that do not count.
    """

    id: UUID
    login_id: UUID
    credential_id: bytes
    public_key: bytes
    sign_count: int


class NewPasskey(msgspec.Struct, frozen=True, kw_only=True):
    """A passkey whose registration was verified."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool
    transports: tuple[str, ...]


class Ceremony(msgspec.Struct, frozen=True, kw_only=True):
    """
    A passkey's challenge that was given out.

    Attributes:
        challenge: 32 random bytes.
        bound_to: Who alone may answer it: a session, a sign-in half done, or the page that asked.
    """

    challenge: bytes
    purpose: Purpose
    bound_to: bytes
    created_at: datetime
    expires_at: datetime


class Person(msgspec.Struct, frozen=True):
    """
    Whose factors these are: for mails, the audit log and the names authenticators show.

    Attributes:
        address: Where their call comes from; empty where somebody else acts.
    """

    login_id: UUID
    email: str
    name: str
    address: str = ""


class NewTotp(msgspec.Struct, frozen=True):
    """
    A secret to be put into an app.

    Attributes:
        secret: Base32, to be typed by hand.
        otpauth_url: The same for a QR code.
    """

    secret: str
    otpauth_url: str


class Factors(msgspec.Struct, frozen=True):
    """
    What a login has beside the password.

    Attributes:
        totp_since: When the TOTP secret was confirmed; None without one.
        recovery_codes_left: Codes not used yet.
    """

    totp_since: datetime | None
    passkeys: tuple[Passkey, ...]
    recovery_codes_left: int


class Standing(msgspec.Struct, frozen=True):
    """
    How surely a session is its owner's.

    Attributes:
        proved_at: When they last proved who they are in this session.
        factors: What ``login.factors`` says.
        has_password: Whether a password was chosen.
    """

    proved_at: datetime
    factors: tuple[str, ...]
    has_password: bool

    def methods(self) -> tuple[Method, ...]:
        """Return the ways to prove oneself anew: a factor where there is one, for the password may be known already."""
        if self.factors:
            return tuple(Method(one) for one in self.factors)
        return (Method.PASSWORD,) if self.has_password else ()
