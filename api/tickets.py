"""Socket tickets over the ephemeral Redis: what the session routes issue and the socket redeems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.realtime.resume import SOCKET_TICKET_S, SocketGrant, issue_ticket

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from api.call import TicketFacts


class RedisTickets:
    """See ``api.call.TicketStore``."""

    lifetime_s = SOCKET_TICKET_S

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def issue(self, facts: TicketFacts) -> str:
        """Make a ticket; ``Unavailable`` while the ephemeral Redis is away."""
        grant = SocketGrant(workspace_id=facts.workspace_id, login_id=facts.login_id, session_id=facts.session_id)
        return await issue_ticket(self._redis, grant)
