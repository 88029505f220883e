"""
What the real-time hub is told by the layers above it: who somebody is, what the log says, what their frames do.

Each frame is authorised anew: a grant only says whose socket it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import structs

from api.call import Resources, required
from api.conversations import NewMessage, move_read_mark, queue
from api.files import file_limits
from api.livechat_send import VisitorDraft, receive_from_visitor
from hub import clock
from hub.accounts import policy, sessions
from hub.accounts import store as accounts
from hub.accounts.model import Actor, Permission
from hub.channels.model import AccountStatus
from hub.channels.visitors import TOKEN_PURPOSE, VisitorClaims, VisitorTokens
from hub.envelope import Addressing
from hub.errors import Forbidden, InvalidInput, NotFound, NotSignedIn
from hub.events import store as events
from hub.inbox import actions, store, visitor
from hub.inbox.model import MessageKind
from hub.keys import actions as keys
from hub.keys import store as key_store
from hub.keys.token import PEPPER_PURPOSE, Pepper, is_key
from hub.limits import actions as limits
from hub.realtime.ports import Grant, Sent, VisitorThread
from hub.realtime.protocol import CloseCode, ProtocolViolation
from hub.realtime.tickets import SocketTickets

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from hub.channels.model import Route
    from hub.events.model import ConversationRange, LoggedEvent, LogRange, VisibleHead, WorkspaceHead
    from hub.realtime.ports import Handshake, VisitorConversation
    from hub.realtime.protocol import Hello, Read, Send

# Visitor tokens kept read: a batch of the lobby, and one of the sweep.
READ_TOKENS = 1_024


class SocketPorts:
    """See ``hub.realtime.ports.Ports``."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._database = resources.database
        self._routes = required(resources.routes, "channel accounts")
        self._tickets = SocketTickets(required(resources.redis_ephemeral, "ephemeral Redis"))
        sealer = required(resources.sealer, "secret key")
        self._pepper = Pepper(sealer.derive_keys(PEPPER_PURPOSE))
        self._visitor_tokens = VisitorTokens(sealer.derive_keys(TOKEN_PURPOSE))
        self._read_tokens: dict[str, VisitorClaims] = {}

    async def authorise(self, hello: Hello, handshake: Handshake) -> Grant:
        """Say who opens this session."""
        if hello.visitor_token is not None:
            claims, _ = await self._open_visitor(hello.visitor_token)
            return _visitor_grant(claims, hello.visitor_token, handshake.address)
        if hello.ticket is not None:
            facts = await self._tickets.redeem(hello.ticket)
            if hello.workspace_id not in (None, facts.workspace_id):
                raise Forbidden
            await self._require_socket_room(facts.workspace_id)
            return await self._member_grant(facts.workspace_id, facts.session_id, facts.login_id)
        token = hello.bearer or handshake.cookie_token
        if token is None:
            raise NotSignedIn
        if hello.workspace_id is None:
            raise InvalidInput("workspace_id", "Name the workspace.")
        if is_key(token):
            _, actor = await keys.find_actor(self._database, self._pepper, token, hello.workspace_id)
            await self._require_socket_room(hello.workspace_id)
            # Every role of a person may read; a key may have been made without.
            policy.require(actor, Permission.INBOX_READ)
            return _grant_of(actor, actor.key_id or actor.member_id)
        signed_in, actor = await accounts.find_actor(self._database, sessions.token_hash(token), hello.workspace_id)
        await self._require_socket_room(hello.workspace_id)
        return _grant_of(actor, signed_in.session_id)

    def authorise_visitor(self, token: str, address: str) -> Grant | None:
        """Say who a visitor is from what is cached; None where their live chat is not."""
        claims = self._read_visitor(token)
        route = self._routes.peek(claims.channel_account_id)
        if route is None:
            return None
        _require_connected(route)
        return _visitor_grant(claims, token, address)

    async def refresh(self, grants: Sequence[Grant]) -> Sequence[Grant | None]:
        """Read grants again; None where the session ended or the subject may not come in any more."""
        members = [one for one in grants if one.session_id is not None and one.login_id is not None]
        live: dict[UUID, UUID] = {}
        entered: dict[UUID, int] = {}
        actors: dict[tuple[int, UUID], Actor] = {}
        if members:
            key_ids = {one.login_id for one in members if one.login_id and one.is_key}
            session_ids = {one.session_id for one in members if one.session_id} - key_ids
            wanted = {(one.workspace_id, one.login_id) for one in members if one.login_id and not one.is_key}
            async with self._database.across() as conn:
                live = await accounts.live_sessions(conn, list(session_ids))
                actors = await accounts.load_actors(conn, list(wanted))
                by_key = await keys.find_actors(conn, key_ids) if key_ids else {}
                entered = await accounts.entered_sessions(conn, list(session_ids))
            live |= {key_id: key_id for key_id in by_key}
            actors |= {(actor.workspace_id, key_id): actor for key_id, actor in by_key.items()}
        return [
            _renewed(one, live, actors, entered) if one.kind == "member" else await self._renew_visitor(one)
            for one in grants
        ]

    async def revoked_sessions(self, within_s: float) -> Sequence[UUID]:
        """Return the sessions revoked in the last so many seconds."""
        sessions_ended = await accounts.recently_revoked_sessions(self._database, within_s)
        return [*sessions_ended, *await key_store.recently_revoked_keys(self._database, within_s)]

    async def takes_visitors(self, account_id: UUID) -> bool:
        """Say whether a live chat is still there and switched on."""
        try:
            route = self._routes.peek(account_id) or await self._routes.find(account_id)
        except NotFound:
            return False
        return route.status is AccountStatus.CONNECTED

    def visitor_thread(self, grant: Grant) -> VisitorThread:
        """Say where a visitor's conversations are."""
        claims = self._read_visitor(grant.visitor_token)
        return VisitorThread(claims.workspace_id, claims.channel_account_id, claims.thread_key())

    async def visitor_conversations(
        self, threads: Sequence[VisitorThread]
    ) -> Mapping[VisitorThread, VisitorConversation]:
        """Return the newest conversation of each thread."""
        async with self._database.transaction(_tenants(threads)) as conn:
            return await store.visitor_conversations(conn, threads)

    async def send(self, grant: Grant, frame: Send) -> Sent:
        """Queue a message or add a note; a visitor's message is received like any channel's."""
        if grant.kind == "visitor":
            return await self._send_from_visitor(grant, frame)
        if await self._is_entered(grant):
            raise Forbidden("An operator writes nothing in somebody's workspace.")
        if frame.conversation_id is None:
            raise InvalidInput("conversation_id", "Name the conversation.")
        chosen = frame.addressing or Addressing()
        new = NewMessage(
            client_message_id=frame.client_message_id,
            kind=MessageKind(frame.kind),
            text=frame.text,
            attachments=frame.attachments,
            seen_seq=frame.seen_seq,
            reply_to=frame.reply_to,
            subject=chosen.subject,
            to=chosen.to,
            cc=chosen.cc,
            bcc=chosen.bcc,
            template=frame.template,
        )
        sent = await queue(self._resources, await self._actor(grant), frame.conversation_id, new)
        return Sent(sent.message_id, sent.seq, sent.conversation_id)

    async def read(self, grant: Grant, frame: Read) -> None:
        """Move a member's read mark, or note what a visitor has seen."""
        if grant.kind == "visitor":
            if grant.conversation_id is not None:
                async with self._database.transaction([grant.workspace_id]) as conn:
                    await actions.record_visitor_read(conn, grant.workspace_id, grant.conversation_id, frame.seq)
            return
        if frame.conversation_id is None:
            raise InvalidInput("conversation_id", "Name the conversation.")
        actor = await self._actor(grant)
        if await self._is_entered(grant):
            return  # what an operator looks at stays unread for the member they are here as
        if actor.kind == "key":
            raise Forbidden("An API key of the workspace reads nothing for anybody: it has no read marks.")
        async with self._database.transaction([grant.workspace_id]) as conn:
            await move_read_mark(conn, self._resources, actor, frame.conversation_id, frame.seq)

    async def event_ranges(self, wanted: Sequence[LogRange]) -> Mapping[LogRange, Sequence[LoggedEvent]]:
        """Return the events of each range in order, whoever may see them."""
        async with self._database.transaction(_tenants(wanted)) as conn:
            return await events.event_ranges(conn, wanted)

    async def conversation_ranges(
        self, wanted: Sequence[ConversationRange]
    ) -> Mapping[ConversationRange, Sequence[LoggedEvent]]:
        """Return the visitor-visible events of each range in order."""
        async with self._database.transaction(_tenants(wanted)) as conn:
            return await events.conversation_ranges(conn, wanted)

    async def visible_heads(self, wanted: Sequence[VisibleHead]) -> Mapping[VisibleHead, int]:
        """Return for each audience the newest seq up to a seq that it may see."""
        async with self._database.transaction(_tenants(wanted)) as conn:
            return await events.visible_heads(conn, wanted)

    async def heads(self, workspace_ids: Sequence[int]) -> Mapping[int, WorkspaceHead]:
        """Return the newest seq and the rights of the named workspaces."""
        return await events.heads(self._database, workspace_ids)

    async def recent_heads(self, since: datetime) -> Mapping[int, int]:
        """Return the newest seq of every workspace with an event since ``since``."""
        async with self._database.across() as conn:
            return await events.recent_heads(conn, since)

    async def conversation_inbox(self, workspace_id: int, conversation_id: UUID) -> UUID | None:
        """Return the inbox a conversation is in."""
        async with self._database.transaction([workspace_id]) as conn:
            return await store.conversation_inbox(conn, workspace_id, conversation_id)

    def visitor_view(self, event: LoggedEvent) -> bytes | None:
        """Return the JSON object a visitor sees."""
        return visitor.visitor_view(event)

    def removal(self, event: LoggedEvent) -> bytes:
        """Return the JSON object for those who lose a conversation with this event."""
        return visitor.removal(event)

    def arrival(self, event: LoggedEvent) -> bytes:
        """Return the JSON object for those who gain a conversation with this event."""
        return visitor.arrival(event)

    def epoch(self) -> int:
        """Return the installation's epoch as the database last told it."""
        return self._database.epoch

    async def _require_socket_room(self, workspace_id: int) -> None:
        """Whoever was here a moment ago comes back by a resume ticket and is not asked; visitors never are."""
        async with self._database.transaction([workspace_id]) as conn:
            most = await limits.find_socket_limit(conn, workspace_id)
        if most is not None:
            text = f"This workspace may have at most {most:,} sockets open."
            raise ProtocolViolation(CloseCode.TOO_MANY, text, retry_after_s=60.0)

    async def _is_entered(self, grant: Grant) -> bool:
        if grant.may_reply or grant.session_id is None or grant.is_key:
            return False
        return await accounts.find_entered(self._database, grant.session_id) is not None

    # ── members ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _member_grant(self, workspace_id: int, session_id: UUID, login_id: UUID) -> Grant:
        async with self._database.across() as conn:
            actor = await accounts.load_actor(conn, workspace_id, login_id)
        return _grant_of(actor, session_id)

    async def _actor(self, grant: Grant) -> Actor:
        if grant.login_id is None:
            raise NotSignedIn
        async with self._database.transaction([grant.workspace_id]) as conn:
            if grant.is_key:
                actor = (await keys.find_actors(conn, [grant.login_id])).get(grant.login_id)
                if actor is None:
                    raise NotSignedIn
                return actor
            return await accounts.load_actor(conn, grant.workspace_id, grant.login_id)

    # ── visitors ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _renew_visitor(self, grant: Grant) -> Grant | None:
        """Look at the token's end and at the live chat, in memory; asks the database only of one not known here."""
        try:
            if self.authorise_visitor(grant.visitor_token, grant.address) is None:
                await self._open_visitor(grant.visitor_token)
        except (NotSignedIn, Forbidden, NotFound):
            return None
        return grant

    def _read_visitor(self, token: str) -> VisitorClaims:
        """Read a token; each one twice within a moment, by whoever it lets in and whoever looks for their messages."""
        now_s = clock.now().timestamp()
        claims = self._read_tokens.get(token)
        if claims is None or claims.expires_at_s <= now_s:
            claims = self._visitor_tokens.read_any(token, now_s)
            if len(self._read_tokens) >= READ_TOKENS:
                self._read_tokens.clear()
            self._read_tokens[token] = claims
        return claims

    async def _open_visitor(self, token: str) -> tuple[VisitorClaims, Route]:
        claims = self._read_visitor(token)
        try:
            route = await self._routes.find(claims.channel_account_id)
        except NotFound:
            raise NotSignedIn("This live chat was removed.") from None
        _require_connected(route)
        return claims, route

    async def _send_from_visitor(self, grant: Grant, frame: Send) -> Sent:
        if frame.kind != "message":
            raise InvalidInput("kind", "Visitors send messages.")
        claims, route = await self._open_visitor(grant.visitor_token)
        registry = required(self._resources.registry, "channels")
        draft = VisitorDraft(
            client_message_id=frame.client_message_id,
            text=frame.text,
            address=grant.address,
            attachment_ids=frame.attachments,
            file_limits=file_limits(registry.get(route.channel).manifest.capabilities),
        )
        sent = await receive_from_visitor(self._database, self._resources.throttle, claims, route, draft)
        return Sent(sent.message_id, sent.seq, sent.conversation_id)


def _visitor_grant(claims: VisitorClaims, token: str, address: str) -> Grant:
    return Grant(
        kind="visitor",
        workspace_id=claims.workspace_id,
        # The same for every device of one verified user: what one of them begins, the others hear.
        subject_id=claims.subject(),
        visible_inboxes=frozenset(),
        may_reply=True,
        visitor_token=token,
        address=address,
        account_id=claims.channel_account_id,
    )


def _require_connected(route: Route) -> None:
    if route.status is not AccountStatus.CONNECTED:
        raise NotSignedIn("This live chat is switched off.")


def _tenants(wanted: Iterable[VisitorThread | LogRange | ConversationRange | VisibleHead]) -> list[int]:
    return sorted({one.workspace_id for one in wanted})


def _grant_of(actor: Actor, session_id: UUID) -> Grant:
    return Grant(
        kind="member",
        workspace_id=actor.workspace_id,
        subject_id=actor.member_id,
        session_id=session_id,
        visible_inboxes=actor.visible_inboxes,
        rights_version=actor.rights_version,
        rights_seq=actor.rights_seq,
        may_reply=policy.may(actor, Permission.INBOX_REPLY),
        login_id=actor.key_id or actor.login_id,
    )


def _renewed(
    grant: Grant,
    live: Mapping[UUID, UUID],
    actors: Mapping[tuple[int, UUID], Actor],
    entered: Mapping[UUID, int],
) -> Grant | None:
    """Return a member's grant as the rights are now; None where the session ended or they left."""
    if grant.session_id is None or grant.login_id is None or live.get(grant.session_id) != grant.login_id:
        return None
    actor = actors.get((grant.workspace_id, grant.login_id))
    if actor is None or not policy.may(actor, Permission.INBOX_READ):
        return None
    renewed = _grant_of(actor, grant.session_id)
    return structs.replace(renewed, may_reply=False) if grant.session_id in entered else renewed
