"""
Hello: who it is and whether they may come in; what they missed is ``catch_up.py``'s.

One short task a hello, none for a connection at rest. Driven by ``hub.py``.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from hub.errors import Forbidden, HubError, InvalidInput, NotFound, NotSignedIn, TooManyRequests, Unavailable
from hub.log import get_logger
from hub.realtime.coalesce import Coalescer
from hub.realtime.ports import Handshake
from hub.realtime.protocol import CloseCode, Head, ProtocolViolation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hub.realtime.catch_up import CatchUp
    from hub.realtime.connections import Connection, Connections
    from hub.realtime.fanout import Fanout
    from hub.realtime.ports import Grant, Ports
    from hub.realtime.protocol import Hello
    from hub.realtime.resume import ResumeTickets

RETRY_S = (0.2, 0.5, 1.0, 2.0, 4.0)
COME_BACK_WITHIN_S = 20

_log = get_logger("realtime")


class Opening:
    """Answers hello, the first one and those that resume in place."""

    def __init__(
        self,
        ports: Ports,
        catch_up: CatchUp,
        fanout: Fanout,
        connections: Connections,
        tickets: ResumeTickets,
        *,
        on_open: Callable[[Connection], None],
    ) -> None:
        self._ports = ports
        self._catch_up = catch_up
        self._fanout = fanout
        self._connections = connections
        self._tickets = tickets
        self._on_open = on_open
        self._refreshed: Coalescer[Grant, Grant] = Coalescer(self._refresh)

    def start(self, connection: Connection, hello: Hello) -> None:
        """Begin to answer a hello; one that is still being answered for a known subject starts over."""
        connection.resume_cursor = hello.cursor
        self._fanout.leave(connection)
        if connection.opener is not None and not connection.opener.done():
            if connection.kind == "opening":
                return
            connection.opener.cancel()
        connection.opener = asyncio.get_running_loop().create_task(self._answer(connection, hello))

    async def _answer(self, connection: Connection, hello: Hello) -> None:
        try:
            if connection.kind == "opening":
                grant = await self._authorise(connection, hello)
                if connection.closed:
                    return
                connection.grant = grant
                self._connections.rename(connection, grant.kind)
                self._fanout.bind(connection)
            await self._resume_patiently(connection)
            self._on_open(connection)
        except ProtocolViolation as error:
            self._connections.close(connection, error.close_code, error.message, retry_after_s=error.retry_after_s)
        except NotSignedIn:
            self._connections.close(connection, CloseCode.NOT_SIGNED_IN, "not signed in")
        except (Forbidden, NotFound):
            self._connections.close(connection, CloseCode.NOT_ALLOWED, "not allowed")
        except InvalidInput as error:
            self._connections.close(connection, CloseCode.MALFORMED, f"hello: {error.field}: {error.message}")
        except HubError as error:
            code = CloseCode.TOO_MANY if isinstance(error, TooManyRequests) else CloseCode.DRAIN
            self._connections.close(
                connection, code, error.code, retry_after_s=max(error.retry_after_s or 0.0, come_back_in_s())
            )
        except Exception:  # loop: one hello costs its own connection only
            _log.exception("hello_failed", connection=connection.id)
            self._connections.close(connection, CloseCode.INTERNAL, "internal")
        finally:
            if connection.opener is asyncio.current_task():
                connection.opener = connection.resume_cursor = None

    async def _authorise(self, connection: Connection, hello: Hello) -> Grant:
        handshake = connection.handshake or Handshake()
        if hello.resume_ticket is not None:
            try:
                stale = self._tickets.redeem(hello.resume_ticket, self._ports.epoch())
            except NotSignedIn:
                if handshake.cookie_token is None or hello.workspace_id is None:
                    raise
            else:
                grant = await self._refreshed.get(stale)
                if grant is None:
                    raise NotSignedIn
                if grant.visible_inboxes != stale.visible_inboxes or grant.conversation_id != stale.conversation_id:
                    connection.resume_cursor = None
                return grant
        return await self._ports.authorise(hello, handshake)

    async def _refresh(self, grants: Sequence[Grant]) -> Mapping[Grant, Grant]:
        fresh = await self._ports.refresh(grants)
        return {old: new for old, new in zip(grants, fresh, strict=True) if new is not None}

    async def _resume_patiently(self, connection: Connection) -> None:
        """Sockets stay while Postgres is away for a moment: the answer waits instead of a reconnect storm."""
        for pause_s in RETRY_S:
            try:
                return await self._catch_up.resume(connection)
            except Unavailable:
                await asyncio.sleep(pause_s)
        return await self._catch_up.resume(connection)

    def answer_ping(self, connection: Connection, *, renew: bool) -> None:
        """Say the newest seq this connection may see, with a fresh resume ticket where the last one grew old."""
        grant = connection.grant
        if grant is None:
            return
        if connection.audience is not None:
            head = connection.audience.head
        elif connection.stream is not None:
            head = connection.stream.head
        else:
            head = connection.position
        connection.send(Head(head, self._tickets.issue(grant, self._ports.epoch()) if renew else None))


def come_back_in_s() -> float:
    """Return a wait spread over 20 s, so that those who are sent away together do not come back together."""
    return secrets.randbelow(COME_BACK_WITHIN_S * 100) / 100
