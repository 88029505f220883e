"""Signing in and out, one-time links, and tickets for sockets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, cast

import msgspec
from starlette.responses import Response

from api import auth
from api.call import TicketFacts, required
from hub.accounts import actions, passwords, sessions, store
from hub.accounts.model import LinkPurpose, Membership
from hub.accounts.sessions import SignInAttempt
from hub.errors import NotSignedIn, SecondFactorRequired
from hub.signin import actions as signin
from hub.signin.factors import store as factor_store
from hub.throttle import Allowance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.auth import Edge
    from api.call import Call, SessionCall
    from hub.accounts.model import NewSession

WorkspaceId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Who signs in.

    Attributes:
        bearer: Whether the answer carries the token, for clients without cookies; no cookie is set then.
    """

    email: str
    password: str
    bearer: bool = False


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of an invitation or reset link, and the password its owner chooses."""

    token: str
    password: str
    name: str | None = None


class LoginView(msgspec.Struct, frozen=True):
    name: str
    email: str


class SessionView(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Who is signed in, and where they are a member.

    Attributes:
        token: Only in answer to a sign-in with ``bearer``.
    """

    login: LoginView
    workspaces: tuple[Membership, ...]
    token: str | None = None


class TicketRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    workspace_id: WorkspaceId


class TicketView(msgspec.Struct, frozen=True):
    ticket: str
    expires_in_s: int


async def create(call: Call) -> Response:
    """Sign in by password."""
    wanted = await call.decode(SignInRequest)
    parts = call.resources
    attempt = SignInAttempt(
        email=wanted.email.strip(),
        password=wanted.password,
        address=call.address,
        user_agent=call.request.headers.get("user-agent", ""),
    )
    login = await sessions.check_password(parts.database, parts.throttle, parts.passwords, attempt)
    await require_second_factor(call, login.id, bearer=wanted.bearer)
    return await start_session(call, login.id, bearer=wanted.bearer)


async def read(call: SessionCall) -> SessionView:
    """Say who is signed in."""
    async with call.resources.database.across() as conn:
        joined = await store.memberships(conn, call.signed_in.login_id)
    return SessionView(LoginView(call.signed_in.name, call.signed_in.email), joined)


async def remove(call: Call) -> Response:
    """Sign out; without a live session too, so that a browser can always drop its cookie."""
    edge = _edge(call)
    try:
        token = auth.token_of(edge, call.request)
    except NotSignedIn:
        token = ""
    if token:
        async with call.resources.database.across() as conn:
            signed_in = await store.find_session(conn, sessions.token_hash(token))
            await sessions.revoke(conn, token)
            joined = await store.memberships(conn, signed_in.login_id) if signed_in is not None else ()
        announce_revocation(call, joined)
    return Response(status_code=204, headers={"set-cookie": auth.ended_cookie(edge)})


async def use_link(call: Call) -> Response:
    """Use a one-time link up: set its owner's password, end their other sessions, sign them in."""
    wanted = await call.decode(LinkRequest)
    parts = call.resources
    link = hashlib.sha256(wanted.token.encode()).hexdigest()[:32]
    await parts.throttle.take(
        (
            Allowance(f"link:address:{call.address}", times=60, window_s=900),
            Allowance(f"link:token:{link}", times=20, window_s=900),
        )
    )
    # Everything that can be refused is refused before the link is used up.
    passwords.check_new(wanted.password)
    name = actions.clean_name("name", wanted.name) if wanted.name else ""
    password_hash = await parts.passwords.make_hash(wanted.password)
    async with parts.database.across() as conn:
        used = await actions.consume_link(conn, wanted.token, password_hash)
        joined = await store.memberships(conn, used.login_id)
        login = await store.get_login(conn, used.login_id)
        if used.purpose is LinkPurpose.RESET:
            await signin.tell_password_changed(conn, login)
    announce_revocation(call, joined)
    if name:
        await _rename(call, used.login_id, name, joined)
    # Who can read the mailbox has one factor, not both.
    await require_second_factor(call, login.id, bearer=False)
    return await start_session(call, used.login_id, bearer=False)


async def issue_ticket(call: SessionCall) -> TicketView:
    """Issue a ticket that opens one socket once, for clients without cookies."""
    wanted = await call.decode(TicketRequest)
    tickets = required(call.resources.tickets, "socket tickets")
    async with call.resources.database.transaction([wanted.workspace_id]) as conn:
        actor = await store.load_actor(conn, wanted.workspace_id, call.signed_in.login_id)
    facts = TicketFacts(
        workspace_id=actor.workspace_id,
        member_id=actor.member_id,
        login_id=actor.login_id,
        session_id=call.signed_in.session_id,
    )
    return TicketView(await tickets.issue(facts), tickets.lifetime_s)


def answer_with_cookie(call: Call, answer: msgspec.Struct, token: str) -> Response:
    """Answer a sign-in of a browser: the token goes into the cookie, out of reach of scripts."""
    headers = {"set-cookie": auth.session_cookie(_edge(call), token)}
    return Response(msgspec.json.encode(answer), headers=headers, media_type="application/json")


async def require_second_factor(call: Call, login_id: UUID, *, bearer: bool) -> None:
    """Stop a sign-in half way where its owner has a second factor: ``SecondFactorRequired`` tells how to go on."""
    async with call.resources.database.across() as conn:
        methods = await factor_store.login_factors(conn, login_id)
        challenge = await signin.challenge(conn, login_id, bearer=bearer) if methods else ""
    if challenge:
        # Not inside: what is raised takes the transaction and its challenge with it.
        raise SecondFactorRequired(challenge, methods)


async def start_session(call: Call, login_id: UUID, *, bearer: bool) -> Response:
    """Start a session for somebody who has proved everything there is to prove."""
    agent = call.request.headers.get("user-agent", "")
    async with call.resources.database.across() as conn:
        new = await sessions.start(conn, login_id, user_agent=agent, address=call.address)
        await signin.note(conn, login_id, "login.signed_in", address=call.address)
    if bearer:
        return Response(msgspec.json.encode(_view(new, token=new.token)), media_type="application/json")
    return answer_with_cookie(call, _view(new), new.token)


def announce_revocation(call: Call, joined: Sequence[Membership]) -> None:
    """Their open sockets end now instead of within a minute."""
    if call.resources.realtime is not None:
        call.resources.realtime.announce_revocation(one.workspace_id for one in joined)


async def _rename(call: Call, login_id: UUID, name: str, joined: Sequence[Membership]) -> None:
    async with call.resources.database.transaction([one.workspace_id for one in joined]) as conn:
        await actions.rename(conn, login_id, name, joined)


def _view(new: NewSession, *, token: str | None = None) -> SessionView:
    return SessionView(LoginView(new.signed_in.name, new.signed_in.email), new.memberships, token)


def _edge(call: Call) -> Edge:
    return cast("Edge", call.request.app.state.edge)
