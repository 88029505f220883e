"""
Tickets: a resume ticket (signed, comes back without a sign-in) and a socket ticket (stored, opens one socket once).

Resume tickets are checked here and then against the store, so that a revoked session cannot come back with one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec
from redis.exceptions import RedisError

from hub.clock import new_token
from hub.errors import NotSignedIn, Unavailable
from hub.realtime.ports import Grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from redis.asyncio import Redis

RESUME_TICKET_S = 300
# A connection's ticket is renewed (in ``head``) when it is older than this, so that it always has minutes left.
RENEW_AFTER_S = 120
SOCKET_TICKET_S = 30
TICKET_LIMIT_CHARS = 8_192


class _ResumeClaims(msgspec.Struct, frozen=True, array_like=True):
    grant: Grant
    epoch: int
    expires_at_s: int


class SocketGrant(msgspec.Struct, frozen=True):
    """Whom a socket ticket lets in: one sign-in, one workspace."""

    workspace_id: int
    login_id: UUID
    session_id: UUID


_CLAIMS = msgspec.msgpack.Decoder(_ResumeClaims)
_SOCKET_GRANT = msgspec.json.Decoder(SocketGrant)


class ResumeTickets:
    """Signs and checks resume tickets with a key of their own, derived from the installation's secret."""

    def __init__(self, secret_key: bytes, now: Callable[[], datetime]) -> None:
        self._key = hmac.digest(secret_key, b"hub resume ticket v1", "sha256")
        self._now = now

    def issue(self, grant: Grant, epoch: int) -> str:
        """Make a ticket for ``grant``, good for five minutes in this epoch."""
        expires_at_s = int(self._now().timestamp()) + RESUME_TICKET_S
        payload = msgspec.msgpack.encode(_ResumeClaims(grant, epoch, expires_at_s))
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


async def issue_ticket(redis: Redis, grant: SocketGrant) -> str:
    """
    Store a socket ticket, good once and for 30 seconds; only its hash is kept.

    Raises:
        Unavailable: The ephemeral Redis is away.
    """
    ticket = new_token()
    try:
        await redis.set(_ticket_key(ticket), msgspec.json.encode(grant), ex=SOCKET_TICKET_S)
    except (RedisError, OSError) as error:
        raise Unavailable("Tickets cannot be made right now.") from error
    return ticket


async def redeem_ticket(redis: Redis, ticket: str) -> SocketGrant:
    """
    Use a socket ticket up.

    Raises:
        NotSignedIn: Unknown, used or older than 30 seconds.
        Unavailable: The ephemeral Redis is away.
    """
    try:
        stored = cast("bytes | None", await redis.getdel(_ticket_key(ticket)))
    except (RedisError, OSError) as error:
        raise Unavailable("Tickets cannot be checked right now.") from error
    if stored is None:
        raise NotSignedIn("This ticket is used, expired or unknown.")
    return _SOCKET_GRANT.decode(stored)


def _ticket_key(ticket: str) -> str:
    return "socket-ticket:" + hashlib.sha256(ticket.encode("utf-8", "replace")).hexdigest()
