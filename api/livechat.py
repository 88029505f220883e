"""
The public routes of live chat: how it looks, who the visitor is, what was said so far.

No cookie is read here: a visitor is their token. Calls from other websites are answered only for those the account
allows; the widget's own calls come from its frame, which is on our origin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec
from starlette.responses import Response

from api.call import required
from api.livechat_visit import Chat, VisitRequest, welcome_visitor
from connectors.livechat.site import Site, read_site
from hub import clock
from hub.channels.model import AccountStatus
from hub.channels.visitors import (
    TOKEN_PURPOSE,
    VisitorClaims,
    VisitorTokens,
)
from hub.errors import Forbidden, InvalidInput, NotFound, NotSignedIn
from hub.inbox import store
from hub.inbox.visitor import VisitorMessage, visitor_message
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.auth import Edge
    from api.call import Call
    from hub.db import TenantConn

PAGE_SIZE = 50

# Calls in 60 s. An address may be a whole office, and every page of a site asks once the chat was opened there.
LOOKS_PER_ADDRESS = 240
VISITS_PER_ADDRESS = 120
VISITS_PER_VISITOR = 30
PAGES_PER_VISITOR = 60
WINDOW_S = 60

_SEQ = re.compile(r"[1-9][0-9]{0,17}")


class PreChatField(msgspec.Struct, frozen=True):
    name: str
    label: str
    required: bool


class ChatView(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a live chat looks and what it asks.

    Attributes:
        online: Whether a member is there to answer; None where nobody knows.
    """

    title: str
    greeting: str
    color: str
    pre_chat: tuple[PreChatField, ...]
    identity_required: bool
    online: bool | None


class Cursor(msgspec.Struct, frozen=True):
    epoch: int
    seq: int


class VisitView(msgspec.Struct, frozen=True, kw_only=True):
    """
    The visitor and their conversation, read at one moment.

    Attributes:
        conversation_id: None before their first message.
        cursor: Where the socket goes on; ``seq`` counts within the conversation.
        next: Asks for what was said before ``messages``; None at the start.
    """

    visitor_token: str
    visitor_id: UUID
    conversation_id: UUID | None
    cursor: Cursor
    messages: tuple[VisitorMessage, ...]
    next: str | None
    name: str


class VisitorPage(msgspec.Struct, frozen=True, kw_only=True):
    messages: tuple[VisitorMessage, ...]
    next: str | None
    cursor: Cursor


class _Read(msgspec.Struct, frozen=True):
    conversation_id: UUID | None
    page: VisitorPage


async def read(call: Call) -> Response:
    """Return how the chat looks and what it asks first."""
    chat = await find_chat(call)
    headers = allow_origin(call, chat.site)
    await _limit(call, [Allowance(f"livechat:look:{call.address}", LOOKS_PER_ADDRESS, WINDOW_S)])
    site = chat.site
    view = ChatView(
        title=site.title,
        greeting=site.greeting,
        color=site.color,
        pre_chat=_pre_chat(site),
        identity_required=site.identity == "required",
        online=await _is_online(call, chat.route.workspace_id),
    )
    return _answer(view, headers)


async def visit(call: Call) -> Response:
    """Make a visitor, or renew the token of one; link them to the user they prove to be."""
    chat = await find_chat(call)
    headers = allow_origin(call, chat.site)
    await _limit(call, [Allowance(f"livechat:visit:{call.address}", VISITS_PER_ADDRESS, WINDOW_S)])
    wanted = await call.decode(VisitRequest)
    tokens = visitor_tokens(call)
    token = wanted.visitor_token
    old = tokens.read(token, chat.route.id, clock.now().timestamp()) if token else None
    if old is not None:
        await _limit(call, [Allowance(f"livechat:visit:{old.visitor_id}", VISITS_PER_VISITOR, WINDOW_S)])
    claims = await welcome_visitor(call, chat, old, wanted)
    found = await _read_conversation(call, claims, None)
    view = VisitView(
        visitor_token=tokens.sign(claims),
        visitor_id=claims.visitor_id,
        conversation_id=found.conversation_id,
        cursor=found.page.cursor,
        messages=found.page.messages,
        next=found.page.next,
        name=claims.name,
    )
    return _answer(view, headers)


async def read_messages(call: Call) -> Response:
    """Return an earlier page of the visitor's conversation."""
    chat = await find_chat(call)
    headers = allow_origin(call, chat.site)
    claims = visitor_of(call, chat)
    await _limit(call, [Allowance(f"livechat:page:{claims.visitor_id}", PAGES_PER_VISITOR, WINDOW_S)])
    before = call.query.get("before", "")
    if before and not _SEQ.fullmatch(before):
        raise InvalidInput("before", "Use the next of the page before.")
    found = await _read_conversation(call, claims, int(before) if before else None)
    return _answer(found.page, headers)


async def preflight(call: Call) -> Response:
    """Answer a browser that asks whether another website may call these routes."""
    chat = await find_chat(call)
    headers = {
        **allow_origin(call, chat.site),
        "access-control-allow-methods": "GET, POST, PATCH, DELETE",
        "access-control-allow-headers": "authorization, content-type, upload-offset, x-hub-request",
        "access-control-max-age": "600",
    }
    return Response(status_code=204, headers=headers)


async def find_chat(call: Call) -> Chat:
    """
    Find the live chat of a call's path.

    Raises:
        NotFound: There is none by that id, or it is paused or removed: the widget hides itself.
    """
    try:
        route = await required(call.resources.routes, "channel accounts").find(call.path_id("channel_account_id"))
        manifest = required(call.resources.registry, "channels").get(route.channel).manifest
    except NotFound:
        raise NotFound("live chat") from None
    if route.status is not AccountStatus.CONNECTED or not manifest.capabilities.visitors:
        raise NotFound("live chat")
    return Chat(route, read_site(route.settings))


def allow_origin(call: Call, site: Site) -> dict[str, str]:
    """Answer our own origin as usual and the account's websites with CORS; refuse other websites."""
    headers = {"vary": "origin"}
    origin = call.request.headers.get("origin")
    edge = cast("Edge", call.request.app.state.edge)
    if origin is None or origin in edge.origins:
        return headers
    if not site.allows(origin):
        raise Forbidden("This live chat is not for this website.")
    return {**headers, "access-control-allow-origin": origin}


def visitor_of(call: Call, chat: Chat) -> VisitorClaims:
    """Return whose the call is; ``NotSignedIn`` without a good token of this live chat."""
    scheme, _, token = call.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotSignedIn("Send the visitor token as bearer.")
    return visitor_tokens(call).read(token.strip(), chat.route.id, clock.now().timestamp())


def visitor_tokens(call: Call) -> VisitorTokens:
    """Return what signs and reads visitor tokens in this process."""
    return VisitorTokens(required(call.resources.sealer, "secret key").derive_keys(TOKEN_PURPOSE))


# ── what was said ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _read_conversation(call: Call, claims: VisitorClaims, before: int | None) -> _Read:
    """Read a page and the cursor at one moment; only the thread of these claims is ever looked at."""
    database = call.resources.database
    async with database.snapshot([claims.workspace_id]) as conn:
        row = await store.find_thread(conn, claims.workspace_id, claims.channel_account_id, claims.thread_key())
        if row is None:
            return _Read(None, VisitorPage(messages=(), next=None, cursor=Cursor(database.epoch, 0)))
        messages = await _read_page(conn, claims.workspace_id, row.id, before)
    more = len(messages) > PAGE_SIZE
    shown = messages[-PAGE_SIZE:]
    page = VisitorPage(
        messages=shown, next=str(shown[0].seq) if more else None, cursor=Cursor(database.epoch, row.visitor_seq)
    )
    return _Read(row.id, page)


async def _read_page(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, before: int | None
) -> tuple[VisitorMessage, ...]:
    rows = await store.list_visitor_messages(conn, workspace_id, conversation_id, before, PAGE_SIZE + 1)
    return tuple(visitor_message(row) for row in rows)


async def _is_online(call: Call, workspace_id: int) -> bool | None:
    presence = call.resources.presence
    # Nobody is kept online by this: it only asks.
    members = await presence.online(workspace_id) if presence is not None else None
    return None if members is None else bool(members)


# ── the edge ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _pre_chat(site: Site) -> tuple[PreChatField, ...]:
    asked = (("name", "Your name", site.ask_name), ("email", "Your e-mail address", site.ask_email))
    return tuple(PreChatField(name, label, ask == "required") for name, label, ask in asked if ask != "off")


async def _limit(call: Call, allowances: list[Allowance]) -> None:
    await call.resources.throttle.take(allowances, strict=False)


def _answer(view: msgspec.Struct, headers: dict[str, str]) -> Response:
    return Response(msgspec.json.encode(view), headers=headers, media_type="application/json")
