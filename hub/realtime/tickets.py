"""Socket tickets: stored in the ephemeral Redis by their hash, each opens one connection once, within 30 seconds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from redis.exceptions import RedisError

from hub.clock import new_token
from hub.errors import NotSignedIn, Unavailable

if TYPE_CHECKING:
    from redis.asyncio import Redis

LIFETIME_S = 30


class TicketHolder(msgspec.Struct, frozen=True):
    """Whom a ticket lets in: one sign-in, in one workspace."""

    workspace_id: int
    member_id: UUID
    login_id: UUID
    session_id: UUID


_HOLDER = msgspec.json.Decoder(TicketHolder)


class SocketTickets:
    """Issues and redeems; the two may happen in different processes."""

    lifetime_s = LIFETIME_S

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, facts: msgspec.Struct) -> str:
        """
        Make a ticket.

        Args:
            facts: A struct with the fields of ``TicketHolder``.

        Raises:
            Unavailable: The ephemeral Redis is away.
        """
        ticket = new_token()
        try:
            await self._redis.set(_key(ticket), msgspec.json.encode(facts), ex=LIFETIME_S)
        except (RedisError, OSError) as error:
            raise Unavailable("Tickets cannot be made right now.") from error
        return ticket

    async def redeem(self, ticket: str) -> TicketHolder:
        """
        Use a ticket up.

        Raises:
            NotSignedIn: Unknown, used, or older than 30 seconds.
            Unavailable: The ephemeral Redis is away.
        """
        try:
            stored = await self._redis.getdel(_key(ticket))
        except (RedisError, OSError) as error:
            raise Unavailable("Tickets cannot be checked right now.") from error
        if stored is None:
            raise NotSignedIn("This ticket is used, expired or unknown.")
        return _HOLDER.decode(stored)


def _key(ticket: str) -> str:
    return "socket-ticket:" + hashlib.sha256(ticket.encode("utf-8", "replace")).hexdigest()
