"""
Resume tickets: signed, they bring a connection back without a sign-in.

They are checked here and then against the store (``Ports.refresh``), so that a revoked session cannot come back with
one. Socket tickets, which open a connection in the first place, are ``tickets.py``'s.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

import msgspec

from hub.errors import NotSignedIn
from hub.realtime.ports import Grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


RESUME_TICKET_S = 300
# A connection's ticket is renewed (in ``head``) when it is older than this, so that it always has minutes left.
RENEW_AFTER_S = 120
# About 1,300 visible inboxes; a frame of a client holds 64 KiB.
TICKET_LIMIT_CHARS = 32_768


class _ResumeClaims(msgspec.Struct, frozen=True, array_like=True):
    grant: Grant
    epoch: int
    expires_at_s: int


_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_CLAIMS = msgspec.msgpack.Decoder(_ResumeClaims)


class ResumeTickets:
    """Signs and checks resume tickets with a key of their own, derived from the installation's secret."""

    def __init__(self, secret_key: bytes, now: Callable[[], datetime]) -> None:
        self._key = hmac.digest(secret_key, b"hub resume ticket v1", "sha256")
        self._now = now

    def issue(self, grant: Grant, epoch: int) -> str:
        """Make a ticket for ``grant``, good for five minutes in this epoch."""
        expires_at_s = int(self._now().timestamp()) + RESUME_TICKET_S
        payload = _ENCODER.encode(_ResumeClaims(grant, epoch, expires_at_s))
        mac = hmac.digest(self._key, payload, "sha256")
        return base64.urlsafe_b64encode(mac + payload).rstrip(b"=").decode()

    def redeem(self, ticket: str, epoch: int) -> Grant:
        """
        Check a ticket.

        Args:
            ticket: As issued; any text.
            epoch: The installation's epoch now.

        Returns:
            The grant of then: the caller reads it again before trusting it.

        Raises:
            NotSignedIn: Not ours, of another epoch, or too old.
        """
        if len(ticket) > TICKET_LIMIT_CHARS or not ticket.isascii():
            raise NotSignedIn("This resume ticket is not good.")
        try:
            raw = base64.b64decode(ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotSignedIn("This resume ticket is not good.") from error
        mac, payload = raw[:32], raw[32:]
        if not hmac.compare_digest(mac, hmac.digest(self._key, payload, "sha256")):
            raise NotSignedIn("This resume ticket is not good.")
        try:
            claims = _CLAIMS.decode(payload)
        except msgspec.MsgspecError as error:
            # Signed by an older version of ours whose grants had other fields.
            raise NotSignedIn("This resume ticket is of another version.") from error
        if claims.epoch != epoch or claims.expires_at_s <= self._now().timestamp():
            raise NotSignedIn("This resume ticket has expired.")
        return claims.grant
