"""One-time codes by the clock (TOTP): secrets, the address an authenticator app reads, the step a code is of. Pure."""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b32encode
from typing import Final

from pyotp.totp import TOTP

STEP_S: Final = 30
# A clock half a minute wrong, or a code typed slowly, is still taken.
WINDOW_STEPS: Final = 1
# RFC 4226 section 4, R6: 160 bits (December 2005).
_SECRET_BYTES: Final = 20
_CODE: Final = re.compile(r"[0-9]{6}")
_SPACE: Final = re.compile(r"[\s-]")


def new_secret() -> str:
    """Make a secret of 160 bits, in base32 as apps take it."""
    return b32encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def otpauth_url(secret: str, *, account: str, issuer: str) -> str:
    """
    Write the address that a QR code carries to an authenticator app.

    Args:
        secret: Base32.
        account: The person's address, shown in the app.
        issuer: The hub's host, shown above it.

    Source:
        Key Uri Format, github.com/google/google-authenticator/wiki (2018): SHA-1, 6 digits and 30 seconds are what
        every app understands.
    """
    return TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def matching_step(secret: str, code: str, *, at_s: float, after_step: int) -> int | None:
    """
    Find the time step whose code this is.

    Args:
        secret: Base32.
        code: As typed; spaces and hyphens are ignored.
        at_s: Seconds since 1970.
        after_step: The newest step already used: it and older ones never match.

    Returns:
        The step, or None for a wrong code.

    Source:
        RFC 6238 sections 4 and 5.2 (May 2011): steps of 30 s, one step of delay either way, each code once.
    """
    typed = _SPACE.sub("", code[:64])
    if not typed.isascii() or not _CODE.fullmatch(typed):
        return None
    totp = TOTP(secret)
    now = int(at_s) // STEP_S
    found = None
    # All three are compared, whichever fits: how long it takes says nothing.
    for step in range(now - WINDOW_STEPS, now + WINDOW_STEPS + 1):
        if hmac.compare_digest(totp.generate_otp(step), typed) and step > after_step:
            found = step
    return found
