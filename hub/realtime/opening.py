"""
Hello: who it is and whether they may come in; what they missed is ``catch_up.py``'s and, for visitors, ``lobby.py``'s.

Whoever brings a resume ticket and finds everything at hand is live in the same loop turn. Others cost one short task
each, or wait in the lobby; none for a connection at rest. Driven by ``hub.py``.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from hub.errors import Forbidden, HubError, InvalidInput, NotFound, NotSignedIn, TooManyRequests, Unavailable
from hub.log import get_logger
from hub.realtime.catch_up import RightsChangedError
from hub.realtime.coalesce import Coalescer
from hub.realtime.log_reads import PAUSE_S
from hub.realtime.ports import Handshake
from hub.realtime.protocol import PROTOCOL, CloseCode, Head, Hello, ProtocolViolation
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from hub.realtime.catch_up import CatchUp
    from hub.realtime.connections import Connection, Connections
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feeds
    from hub.realtime.lobby import Lobby
    from hub.realtime.ports import Grant, Ports
    from hub.realtime.resume import ResumeTickets
    from hub.realtime.revocations import Revocations

RETRY_S = (0.2, 0.5, 1.0, 2.0, 4.0)
COME_BACK_WITHIN_S = 20

_T = TypeVar("_T")
_log = get_logger("realtime")


class Opening:
    """Answers hello, the first one and those that resume in place."""

    def __init__(  # its neighbours, all of them
        self,
        ports: Ports,
        catch_up: CatchUp,
        lobby: Lobby,
        feeds: Feeds,
        fanout: Fanout,
        connections: Connections,
        tickets: ResumeTickets,
        revocations: Revocations,
        *,
        on_open: Callable[[Connection], None],
    ) -> None:
        self._ports = ports
        self._catch_up = catch_up
        self._lobby = lobby
        self._feeds = feeds
        self._fanout = fanout
        self._connections = connections
        self._tickets = tickets
        self._revocations = revocations
        self._on_open = on_open
        self._under_way = 0
        self._refreshed: Coalescer[Grant, Grant] = Coalescer(self._refresh, pause_s=PAUSE_S)

    def busy(self) -> int:
        """How many hellos wait for a store."""
        return self._under_way + len(self._lobby)

    def start(self, connection: Connection, hello: Hello) -> None:
        """Begin to answer a first hello; who it is may be known in this loop turn."""
        opener = connection.opener
        if connection.closed or (opener is not None and not opener.done()):
            return
        try:
            grant = self._authorise_now(connection, hello)
            if grant is not None:
                self._take_in(connection, grant)
                self._resume(connection)
                return
        except Exception as error:  # loop: one hello costs its own connection only
            self.refuse(connection, error)
            return
        connection.opener = asyncio.get_running_loop().create_task(self._answer(connection, hello))

    def resume(self, connection: Connection) -> None:
        """Answer another hello of a connection whose subject is known: one still being answered starts over."""
        opener = connection.opener
        if opener is not None:
            opener.cancel()
            connection.opener = None
        try:
            self._resume(connection)
        except Exception as error:  # loop: one hello costs its own connection only
            self.refuse(connection, error)

    def refuse(self, connection: Connection, error: Exception) -> None:
        """Close a connection whose hello cannot be answered, with what its client needs to know."""
        close = self._connections.close
        match error:
            case ProtocolViolation():
                close(connection, error.close_code, error.message, retry_after_s=error.retry_after_s)
            case NotSignedIn():
                close(connection, CloseCode.NOT_SIGNED_IN, "not signed in")
            case Forbidden() | NotFound():
                close(connection, CloseCode.NOT_ALLOWED, "not allowed")
            case InvalidInput():
                close(connection, CloseCode.MALFORMED, f"hello: {error.field}: {error.message}")
            case HubError():
                code = CloseCode.TOO_MANY if isinstance(error, TooManyRequests) else CloseCode.DRAIN
                close(connection, code, error.code, retry_after_s=max(error.retry_after_s or 0.0, come_back_in_s()))
            case _:
                _log.error("hello_failed", connection=connection.id, exc_info=error)
                close(connection, CloseCode.INTERNAL, "internal")

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

    def _take_in(self, connection: Connection, grant: Grant) -> None:
        if grant.session_id is not None and self._revocations.holds(grant.session_id):
            raise NotSignedIn  # it ended while we asked who this is
        connection.grant = grant
        self._connections.rename(connection, grant.kind)
        self._fanout.bind(connection)

    def _resume(self, connection: Connection) -> None:
        """Answer a known subject's cursor: now, in the lobby, or by a task."""
        grant = connection.grant
        if grant is None or connection.closed:
            return
        if grant.kind == "visitor":
            self._lobby.enter(connection)
            return
        feed = self._feeds.get(grant.workspace_id)
        if feed is not None and self._catch_up.resume_now(connection, grant, feed):
            connection.resume_cursor = None
            self._on_open(connection)
        else:
            connection.opener = asyncio.get_running_loop().create_task(self._answer(connection, None))

    def _authorise_now(self, connection: Connection, hello: Hello) -> Grant | None:
        """Say who it is where no store must be asked; raises what ``_answer`` would."""
        if hello.visitor_token is not None:
            return self._ports.authorise_visitor(hello.visitor_token, _handshake(connection).address)
        if hello.resume_ticket is None:
            return None
        try:
            stale = self._tickets.redeem(hello.resume_ticket, self._ports.epoch())
        except NotSignedIn:
            if not _may_use_cookie(connection, hello):
                raise
            return None
        if stale.kind == "visitor":
            return self._visitor_again(stale, connection)
        feed = self._feeds.get(stale.workspace_id)
        if feed is None or not self._revocations.is_trusted() or not feed.rights.are(stale.rights_version):
            return None
        return stale

    def _visitor_again(self, stale: Grant, connection: Connection) -> Grant | None:
        grant = self._ports.authorise_visitor(stale.visitor_token, _handshake(connection).address)
        return None if grant is None else _in_conversation(grant, stale)

    async def _answer(self, connection: Connection, hello: Hello | None) -> None:
        self._under_way += 1
        try:
            if hello is not None:
                grant = await self._authorise_patiently(connection, hello)
                if connection.closed:
                    return
                self._take_in(connection, grant)
            if connection.kind == "visitor":
                self._lobby.enter(connection)
                return
            await self._patiently(lambda: self._resume_member(connection))
            self._on_open(connection)
        except Exception as error:  # loop: one hello costs its own connection only
            self.refuse(connection, error)
        finally:
            self._under_way -= 1
            if connection.opener is asyncio.current_task():
                connection.opener = None
                if connection.kind != "visitor":
                    connection.resume_cursor = None

    async def _authorise_patiently(self, connection: Connection, hello: Hello) -> Grant:
        if hello.ticket is not None:
            # It may be used up although the answer got lost: only its owner can get another.
            return await self._ports.authorise(hello, _handshake(connection))
        return await self._patiently(lambda: self._authorise(connection, hello))

    async def _authorise(self, connection: Connection, hello: Hello) -> Grant:
        if hello.resume_ticket is not None:
            try:
                stale = self._tickets.redeem(hello.resume_ticket, self._ports.epoch())
            except NotSignedIn:
                if not _may_use_cookie(connection, hello):
                    raise
            else:
                return await self._authorise_again(connection, stale)
        return await self._ports.authorise(hello, _handshake(connection))

    async def _authorise_again(self, connection: Connection, stale: Grant) -> Grant:
        """Find out whether a ticket's grant still holds, asking as little as possible."""
        if stale.kind == "visitor":
            hello = Hello(protocol=PROTOCOL, visitor_token=stale.visitor_token)
            return _in_conversation(await self._ports.authorise(hello, _handshake(connection)), stale)
        await self._revocations.trust()
        feed = await self._feeds.open(stale.workspace_id)
        if feed.rights.are(stale.rights_version):
            return stale
        grant = await self._renewed(stale)
        if grant.visible_inboxes != stale.visible_inboxes:
            connection.resume_cursor = None
        return grant

    async def _resume_member(self, connection: Connection) -> None:
        """Catch up, with the grant read again each time rights changed meanwhile."""
        for _ in range(len(RETRY_S)):
            try:
                return await self._catch_up.resume(connection)
            except RightsChangedError:
                await self._renew(connection)
        raise Unavailable("Rights change all the time.", retry_after_s=2.0)

    async def _renew(self, connection: Connection) -> None:
        old = connection.grant
        if old is None:
            return
        new = await self._renewed(old)
        if connection.grant != old or connection.closed:
            return
        connection.grant = new
        if new.visible_inboxes != old.visible_inboxes and connection.phase is Phase.OPENING:
            # Whatever it was sent so far was allowed then; what it holds is not what it may see now.
            connection.rights_seq = max(connection.rights_seq, new.rights_seq)
            connection.resume_cursor = None

    async def _renewed(self, grant: Grant) -> Grant:
        new = await self._refreshed.get(grant)
        if new is None:
            raise NotSignedIn
        return new

    async def _refresh(self, grants: Sequence[Grant]) -> Mapping[Grant, Grant]:
        stood_at = {one.workspace_id: feed.last for one in grants if (feed := self._feeds.get(one.workspace_id))}
        fresh = await self._ports.refresh(grants)
        for new in fresh:
            if new is not None and (feed := self._feeds.get(new.workspace_id)) and new.workspace_id in stood_at:
                feed.rights.learn(new.rights_version, stood_at[new.workspace_id])
        return {old: new for old, new in zip(grants, fresh, strict=True) if new is not None}

    async def _patiently(self, attempt: Callable[[], Awaitable[_T]]) -> _T:
        """Sockets stay while Postgres is away for a moment: the answer waits instead of a reconnect storm."""
        for pause_s in RETRY_S:
            try:
                return await attempt()
            except Unavailable:
                await asyncio.sleep(pause_s)
        return await attempt()


def come_back_in_s() -> float:
    """Return a wait spread over 20 s, so that those who are sent away together do not come back together."""
    return secrets.randbelow(COME_BACK_WITHIN_S * 100) / 100


def _handshake(connection: Connection) -> Handshake:
    return connection.handshake or Handshake()


def _may_use_cookie(connection: Connection, hello: Hello) -> bool:
    """Whether a browser that slept longer than its ticket lives can come in without another round trip."""
    return _handshake(connection).cookie_token is not None and hello.workspace_id is not None


def _in_conversation(grant: Grant, stale: Grant) -> Grant:
    return structs.replace(grant, conversation_id=stale.conversation_id)
