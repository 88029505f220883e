"""Signing in and out, one-time links, and tickets for sockets."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, cast

import msgspec
from starlette.responses import Response

from api import auth
from api.call import TicketFacts, required
from api.stays import end_stay_of_browser
from hub.accounts import actions, passwords, people_store, sessions, store
from hub.accounts.model import LinkPurpose, Membership
from hub.accounts.sessions import SignInAttempt
from hub.errors import InvalidInput, SecondFactorRequired
from hub.notices import security
from hub.notices.model import News
from hub.signin import actions as signin
from hub.signin import devices, refreshing
from hub.signin.factors import store as factor_store
from hub.throttle import Allowance

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.auth import Edge
    from api.call import Call, SessionCall
    from hub.accounts.model import NewSession
    from hub.accounts.people import Profile
    from hub.signin.refreshing import Tokens

WorkspaceId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Who signs in.

    Attributes:
        bearer: Whether the answer carries the token, for clients without cookies; no cookie is set then.
        refresh: With ``bearer``: the token is good for 15 minutes and comes with one to renew it, for phones.
    """

    email: str
    password: str
    bearer: bool = False
    refresh: bool = False


class LinkRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The token of an invitation or reset link, and the password its owner chooses."""

    token: str
    password: str
    name: str | None = None


class LoginView(msgspec.Struct, frozen=True):
    """A person; ``time_zone`` is a name of the IANA database, empty means the browser's."""

    name: str
    email: str
    time_zone: str = ""


class EnteredBy(msgspec.Struct, frozen=True):
    """Which workspace, why, and until when."""

    workspace_id: int
    reason: str
    expires_at: datetime


class SessionView(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Who is signed in, and where they are a member.

    Attributes:
        token: Only in answer to a sign-in with ``bearer``.
        expires_in_s: How long the token is good, where it comes with one to renew it.
        refresh_token: Only in answer to a sign-in with ``bearer`` and ``refresh``.
        is_operator: Whether they operate this installation: there is a panel for them.
        entered: This session is an operator's in one workspace, as one of its members.
    """

    login: LoginView
    workspaces: tuple[Membership, ...]
    token: str | None = None
    expires_in_s: int | None = None
    refresh_token: str | None = None
    is_operator: bool = False
    entered: EnteredBy | None = None


class Carried(msgspec.Struct, frozen=True):
    """
    What the answer of a sign-in carries: nothing means a cookie.

    Attributes:
        bearer: The session's token.
        refresh: And one to renew it.
    """

    bearer: bool = False
    refresh: bool = False


COOKIE: Final = Carried()


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
    carried = carried_by(bearer=wanted.bearer, refresh=wanted.refresh)
    await require_second_factor(call, login.id, carried)
    return await start_session(call, login.id, carried)


async def read(call: SessionCall) -> SessionView:
    """Say who is signed in."""
    async with call.resources.database.across() as conn:
        joined = await store.memberships(conn, call.signed_in.login_id)
        profile = await people_store.login_profile(conn, call.signed_in.login_id)
    login = LoginView(profile.name, profile.email, profile.time_zone)
    if call.entered is not None:
        where = call.entered
        joined = tuple(one for one in joined if one.workspace_id == where.workspace_id)
        return SessionView(login, joined, entered=EnteredBy(where.workspace_id, where.reason, where.expires_at))
    is_operator = await store.is_operator(call.resources.database, call.signed_in.login_id)
    return SessionView(login, joined, is_operator=is_operator)


async def remove(call: Call) -> Response:
    """Sign out; without a live session too, so that a browser can always drop its cookie."""
    edge = _edge(call)
    bearer = auth.bearer_of(call.request)
    if bearer is None:
        # Whoever signs out in somebody's workspace leaves it, and is out of their own session in this browser as well.
        await end_stay_of_browser(call)
    token = call.request.cookies.get(edge.cookie_name, "") if bearer is None else bearer
    if token:
        async with call.resources.database.across() as conn:
            signed_in = await store.find_session(conn, sessions.token_hash(token))
            await sessions.revoke(conn, token)
            joined = await store.memberships(conn, signed_in.login_id) if signed_in is not None else ()
        announce_revocation(call, joined)
    response = Response(status_code=204, headers={"set-cookie": auth.ended_cookie(edge)})
    response.headers.append("set-cookie", auth.entered_cookie(edge, "", 0))
    return response


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
        # Whose it is, only the link says; what is refused here leaves it unused.
        passwords.check_new(wanted.password, about=(login.email, login.name, name))
        if used.purpose is LinkPurpose.RESET:
            await signin.tell_password_changed(conn, login)
    announce_revocation(call, joined)
    if used.purpose is LinkPurpose.RESET:
        await security.tell_login(parts.database, used.login_id, News.PASSWORD_CHANGED)
    if name:
        await _rename(call, used.login_id, name, joined)
    # Who can read the mailbox has one factor, not both.
    await require_second_factor(call, login.id)
    return await start_session(call, used.login_id)


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
    response = Response(msgspec.json.encode(answer), headers=headers, media_type="application/json")
    if auth.entered_name(_edge(call).cookie_name) in call.request.cookies:
        response.headers.append("set-cookie", auth.entered_cookie(_edge(call), "", 0))
    return response


def carried_by(*, bearer: bool, refresh: bool) -> Carried:
    """Return what a sign-in asked for; ``InvalidInput`` for a refresh token beside a cookie."""
    if refresh and not bearer:
        raise InvalidInput("refresh", "Refresh tokens are for clients without cookies: ask for bearer as well.")
    return Carried(bearer, refresh)


async def require_second_factor(call: Call, login_id: UUID, carried: Carried = COOKIE) -> None:
    """Stop a sign-in half way where its owner has a second factor: ``SecondFactorRequired`` tells how to go on."""
    async with call.resources.database.across() as conn:
        methods = await factor_store.login_factors(conn, login_id)
        if not methods:
            return
        challenge = await signin.challenge(conn, login_id, bearer=carried.bearer, refreshable=carried.refresh)
    # Not inside: what is raised takes the transaction and its challenge with it.
    raise SecondFactorRequired(challenge, methods)


async def start_session(call: Call, login_id: UUID, carried: Carried = COOKIE) -> Response:
    """Start a session for somebody who has proved everything there is to prove."""
    agent = call.request.headers.get("user-agent", "")
    if not carried.bearer:
        await end_stay_of_browser(call)
    lifetime = refreshing.FAMILY_LIFETIME if carried.refresh else sessions.LIFETIME
    tokens: Tokens | None = None
    async with call.resources.database.across() as conn:
        new = await sessions.start(conn, login_id, user_agent=agent, address=call.address, lifetime=lifetime)
        if carried.refresh:
            tokens = await refreshing.begin(conn, new)
        profile = await people_store.login_profile(conn, login_id)
        await signin.note(conn, login_id, "login.signed_in", address=call.address)
        is_new = await devices.tell_of_new(conn, login_id, new.signed_in.session_id, agent, call.address)
    if is_new:
        await security.tell_login(call.resources.database, login_id, News.SIGNED_IN)
    if not carried.bearer:
        return answer_with_cookie(call, _view(new, profile), new.token)
    view = _view(new, profile, token=new.token)
    if tokens is not None:
        view = msgspec.structs.replace(view, expires_in_s=tokens.expires_in_s, refresh_token=tokens.refresh_token)
    return Response(msgspec.json.encode(view), media_type="application/json")


def announce_revocation(call: Call, joined: Sequence[Membership]) -> None:
    """Their open sockets end now instead of within a minute."""
    if call.resources.realtime is not None:
        call.resources.realtime.announce_revocation(one.workspace_id for one in joined)


async def _rename(call: Call, login_id: UUID, name: str, joined: Sequence[Membership]) -> None:
    async with call.resources.database.transaction([one.workspace_id for one in joined]) as conn:
        await actions.rename(conn, login_id, name, joined)


def _view(new: NewSession, profile: Profile, *, token: str | None = None) -> SessionView:
    return SessionView(LoginView(profile.name, profile.email, profile.time_zone), new.memberships, token)


def _edge(call: Call) -> Edge:
    return cast("Edge", call.request.app.state.edge)
