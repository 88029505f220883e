"""Invitations: made and taken back by members, looked at and accepted by whoever holds the link."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, cast
from uuid import UUID

import msgspec

from api import auth
from api.members import read_after
from api.paging import encode_cursor
from api.session import LoginView, SessionView, answer_with_cookie
from hub import clock
from hub.accounts import actions, invitation_store, invitations, passwords, people_store, sessions, store
from hub.accounts.invitations import Accepting, Invited, Preview
from hub.accounts.model import Login, Role
from hub.accounts.people import INVITED_AT_ONCE, Invitation, InvitedTo, standing_of
from hub.errors import InvalidInput, NotSignedIn
from hub.throttle import Allowance

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.auth import Edge
    from api.call import Call, MemberCall
    from hub.accounts.model import SignedIn
    from hub.accounts.people import Found

# Mails that a workspace may have sent in a day: strangers get them in our name.
_MAILS_A_DAY: Final = 500
_TOKEN_HEADER: Final = "x-invitation-token"  # noqa: S105  a header's name
_MOST_TOKEN_CHARS: Final = 200


class InvitationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to invite, to what: a role or a custom role, and teams and restricted inboxes."""

    emails: Annotated[list[str], msgspec.Meta(min_length=1, max_length=INVITED_AT_ONCE)]
    role: Role | None = None
    custom_role_id: UUID | None = None
    team_ids: Annotated[list[UUID], msgspec.Meta(max_length=200)] = []
    inbox_ids: Annotated[list[UUID], msgspec.Meta(max_length=200)] = []


class InvitedView(msgspec.Struct, frozen=True):
    results: list[Invited]


class InvitationView(msgspec.Struct, frozen=True):
    invitation: Invitation


class InvitationsView(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A page of open invitations, newest first.

    Attributes:
        next: Asks for the page after it; left out on the last one.
    """

    invitations: list[Invitation]
    next: str | None = None


class AcceptRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The link's token.

    Attributes:
        password: For whoever has no login yet: the one they choose.
        name: Likewise; empty means the part of the address before the @.
    """

    token: str
    password: str | None = None
    name: str | None = None


async def read_all(call: MemberCall) -> InvitationsView:
    """List open invitations, those that ran out too: they can be sent again."""
    limit = call.query_int("limit", 50, low=1, high=200)
    after_id = read_after(call.query.get("before", ""))
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        rows = await invitation_store.list_invitations(conn, call.actor.workspace_id, after_id, limit)
    return InvitationsView(rows, encode_cursor((str(rows[-1].id),)) if len(rows) == limit else None)


async def create(call: MemberCall) -> InvitedView:
    """Invite up to 50 people at once; each address gets its own answer."""
    wanted = await call.decode(InvitationRequest)
    offer = InvitedTo(
        standing=standing_of(wanted.role, wanted.custom_role_id),
        team_ids=tuple(dict.fromkeys(wanted.team_ids)),
        inbox_ids=tuple(dict.fromkeys(wanted.inbox_ids)),
    )
    await _take_mails(call, len(wanted.emails))
    site = call.resources.settings.base_url
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return InvitedView(await invitations.invite(conn, call.actor, wanted.emails, offer, site))


async def resend(call: MemberCall) -> InvitationView:
    """Send an invitation again, with a new link; the old one is void."""
    await _take_mails(call, 1)
    site = call.resources.settings.base_url
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return InvitationView(await invitations.resend(conn, call.actor, call.path_id("invitation_id"), site))


async def remove(call: MemberCall) -> None:
    """Take an invitation back."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await invitations.revoke(conn, call.actor, call.path_id("invitation_id"))


async def read(call: Call) -> Preview:
    """Say who invites to what, without using the invitation; its token comes in X-Invitation-Token, not in the URL."""
    token = call.request.headers.get(_TOKEN_HEADER, "")
    found = await _find(call, token)
    async with call.resources.database.transaction([found.workspace_id]) as conn:
        return await invitations.preview(conn, found, token)


async def accept(call: Call) -> Response | SessionView:
    """Accept an invitation, signed in with its address or by choosing a password for a login of one's own."""
    wanted = await call.decode(AcceptRequest)
    found = await _find(call, wanted.token)
    signed_in = await _signed_in(call)
    if signed_in is None:
        return await _accept_as_new(call, found, wanted)
    async with call.resources.database.transaction([found.workspace_id]) as conn:
        profile = await people_store.login_profile(conn, signed_in.login_id)
        who = Accepting(login_id=signed_in.login_id, profile=profile, address=call.address)
        await invitations.accept(conn, found, wanted.token, who)
        joined = await store.memberships(conn, signed_in.login_id)
    return SessionView(LoginView(profile.name, profile.email, profile.time_zone), joined)


async def _accept_as_new(call: Call, found: Found, wanted: AcceptRequest) -> Response:
    """The link came to the address, so whoever has it may make a login of it; one that exists is signed in to."""
    parts = call.resources
    async with parts.database.transaction([found.workspace_id]) as conn:
        offered = await invitations.preview(conn, found, wanted.token)
    if offered.has_login:
        raise NotSignedIn(f"Sign in as {offered.email} to accept.")
    if wanted.password is None:
        raise InvalidInput("password", "Choose a password.")
    name = actions.clean_name("name", wanted.name or offered.email.partition("@")[0])
    passwords.check_new(wanted.password, about=(offered.email, name, offered.workspace_name))
    login = Login(clock.new_id(), offered.email, name, await parts.passwords.make_hash(wanted.password))
    async with parts.database.transaction([found.workspace_id]) as conn:
        await store.add_login(conn, login, clock.now())
        await people_store.verify_login(conn, login.id)
        profile = await people_store.login_profile(conn, login.id)
        who = Accepting(login_id=login.id, profile=profile, address=call.address)
        await invitations.accept(conn, found, wanted.token, who)
        new = await sessions.start(conn, login.id, user_agent=call.request.headers.get("user-agent", ""))
    view = SessionView(LoginView(name, offered.email), new.memberships)
    return answer_with_cookie(call, view, new.token)


async def _find(call: Call, token: str) -> Found:
    seen = hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    await call.resources.throttle.take(
        (
            Allowance(f"invitation:address:{call.address}", times=60, window_s=900),
            Allowance(f"invitation:token:{seen}", times=30, window_s=900),
        )
    )
    async with call.resources.database.across() as conn:
        return await invitations.find(conn, token[:_MOST_TOKEN_CHARS])


async def _signed_in(call: Call) -> SignedIn | None:
    edge = cast("Edge", call.request.app.state.edge)
    try:
        return await auth.sign_in_of(call.resources.database, auth.token_of(edge, call.request))
    except NotSignedIn:
        return None


async def _take_mails(call: MemberCall, amount: int) -> None:
    key = f"invitation:workspace:{call.actor.workspace_id}"
    for _ in range(amount):
        await call.resources.throttle.take((Allowance(key, times=_MAILS_A_DAY, window_s=86_400),))
