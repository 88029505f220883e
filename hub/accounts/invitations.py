"""Invitations by e-mail: made, sent again, taken back, accepted. Called by the edge."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from hub import clock
from hub.accounts import actions, invitation_store, members, people_store, policy, sessions, standing, store, teams
from hub.accounts.invitation_store import NewInvitation
from hub.accounts.model import Actor, NewMember, Permission, Role
from hub.accounts.people import (
    INVITATION_LIFETIME,
    INVITED_AT_ONCE,
    Found,
    Invitation,
    InvitedTo,
    Standing,
    TeamChanged,
)
from hub.errors import Conflict, Forbidden, HubError, InvalidInput, NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.limits import actions as limits
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, Template

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from hub.accounts.model import Member
    from hub.accounts.people import Profile
    from hub.db import TenantConn

MOST_OPEN: Final = 1_000
_RAN_OUT: Final = "This invitation was used, was taken back or has run out. Ask for a new one."


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one address of a list.

    Attributes:
        outcome: ``deactivated``: they worked here, take them back instead; ``forbidden``: the open invitation to this
            address offers more than its sender may give.
        invitation: Where one was sent.
    """

    email: str
    outcome: Literal["invited", "already_member", "deactivated", "invalid", "forbidden"]
    invitation: Invitation | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """
    Who invites to what, for whoever holds the link.

    Attributes:
        role_name: Of the custom role; empty where it is one of the four.
        has_login: Whether they sign in to accept, or choose a password.
    """

    workspace_name: str
    inviter_name: str
    email: str
    role: Role
    role_name: str
    expires_at: datetime
    has_login: bool


class Accepting(msgspec.Struct, frozen=True, kw_only=True):
    """
    Who accepts.

    Attributes:
        profile: Of the login.
        address: Where the call comes from, for the audit log.
    """

    login_id: UUID
    profile: Profile
    address: str = ""


async def invite(conn: TenantConn, actor: Actor, emails: Sequence[str], offer: InvitedTo, site: str) -> list[Invited]:
    """
    Invite people; each gets a mail with a link that works once, for seven days.

    Args:
        conn: A fresh transaction.
        actor: Who invites; to no more than they may do and see themselves.
        emails: 1-50 addresses as typed.
        offer: The role, teams and inboxes, alike for all of them.
        site: The hub's public address, without a slash at its end.

    Returns:
        What became of each address, in order; one named twice is invited once.

    Raises:
        Forbidden: The actor may not do this, or not offer this.
        InvalidInput: Too many addresses, or none; there is no such role, team or inbox.
        Conflict: Too many invitations are open.
    """
    if not 1 <= len(emails) <= INVITED_AT_ONCE:
        raise InvalidInput("emails", f"Give 1 to {INVITED_AT_ONCE} addresses at once.")
    _, actor = await standing.lock(conn, actor, Permission.MEMBERS_MANAGE)
    await _require_offer(conn, actor, offer)
    if await invitation_store.count_open(conn, actor.workspace_id) + len(emails) > MOST_OPEN:
        raise Conflict(f"At most {MOST_OPEN} invitations can be open. Take some back first.")
    cleaned = [_clean(email) for email in emails]
    known = [one for one in cleaned if one is not None]
    here = await invitation_store.members_by_email(conn, actor.workspace_id, known)
    before = await invitation_store.open_invitations(conn, actor.workspace_id, known)
    answers: dict[str, Invited] = {}
    for typed, email in zip(emails, cleaned, strict=True):
        if email is None:
            answers[typed] = Invited(email=typed, outcome="invalid")
        elif email in here:
            answers[email] = Invited(email=email, outcome="already_member" if here[email] else "deactivated")
        elif email in before and not await _is_within(conn, actor, before[email]):
            answers[email] = Invited(email=email, outcome="forbidden")
        elif email not in answers:
            if email not in before:
                await limits.require_member_room(conn, actor.workspace_id, invited=True)
            invitation = await _send(conn, actor, email, offer, site)
            answers[email] = Invited(email=email, outcome="invited", invitation=invitation)
    return list(answers.values())


async def resend(conn: TenantConn, actor: Actor, invitation_id: UUID, site: str) -> Invitation:
    """
    Send an invitation again, in the actor's name, with a new link for another seven days; the old link is void.

    Raises:
        NotFound: There is no such open invitation.
        Forbidden: The actor may not do this, or not offer this.
    """
    _, actor = await standing.lock(conn, actor, Permission.MEMBERS_MANAGE)
    before = await invitation_store.get_invitation(conn, actor.workspace_id, invitation_id)
    offer = _offer_of(before)
    await _require_offer(conn, actor, await _still_there(conn, actor.workspace_id, offer))
    return await _send(conn, actor, before.email, offer, site)


async def revoke(conn: TenantConn, actor: Actor, invitation_id: UUID) -> None:
    """Take an invitation back; ``NotFound`` where it is not open, ``Forbidden`` where it offers more than one's own."""
    _, actor = await standing.lock(conn, actor, Permission.MEMBERS_MANAGE)
    invitation = await invitation_store.get_invitation(conn, actor.workspace_id, invitation_id)
    await members.require_reach(conn, actor, _offer_of(invitation).standing)
    await invitation_store.revoke_invitation(conn, actor.workspace_id, invitation_id, clock.now())
    await standing.record(conn, actor, "invitation.revoked", ("invitation", invitation_id))


async def find(conn: TenantConn, token: str) -> Found:
    """Find where an invitation is; ``InvalidInput`` where there never was one by this link. No tenant is needed."""
    found = await invitation_store.find_invitation(conn, sessions.token_hash(token))
    if found is None:
        raise InvalidInput("token", _RAN_OUT)
    return found


async def preview(conn: TenantConn, found: Found, token: str) -> Preview:
    """Say who invites to what, without using the invitation; ``InvalidInput`` where it is not open any more."""
    invitation = await _live(conn, found, token)
    inviter = await store.get_member(conn, found.workspace_id, invitation.invited_by)
    role_name = ""
    if invitation.custom_role_id is not None:
        role_name = (await people_store.get_role(conn, found.workspace_id, invitation.custom_role_id)).name
    return Preview(
        workspace_name=(await store.get_workspace(conn, found.workspace_id)).name,
        inviter_name=inviter.name,
        email=invitation.email,
        role=invitation.role,
        role_name=role_name,
        expires_at=invitation.expires_at,
        has_login=await store.find_login(conn, invitation.email) is not None,
    )


async def accept(conn: TenantConn, found: Found, token: str, who: Accepting) -> Member:
    """
    Accept an invitation: its login becomes a member, of its teams too, and sees its inboxes.

    Args:
        conn: A fresh transaction of the invitation's workspace.
        found: Where it is.
        token: From the link.
        who: Whose login, with the address it was sent to.

    Raises:
        InvalidInput: It is not open any more, or whoever sent it may not offer this any more.
        Forbidden: It was sent to another address, or theirs is not verified.
        Conflict: They are or were a member already.
    """
    await events.lock_one(conn, found.workspace_id)
    invitation = await _live(conn, found, token)
    if who.profile.email != invitation.email:
        raise Forbidden("This invitation was sent to another address. Sign in with that one.")
    if not who.profile.is_verified:
        raise Forbidden("Confirm your e-mail address first.")
    offer = await _still_there(conn, found.workspace_id, _offer_of(invitation))
    await _require_inviter(conn, found.workspace_id, invitation.invited_by, offer)
    wanted = NewMember(
        email=invitation.email,
        name=who.profile.name or invitation.email.partition("@")[0],
        role=offer.standing.role,
        custom_role_id=offer.standing.custom_role_id,
        avatar=who.profile.avatar,
    )
    member = await actions.join(conn, found.workspace_id, who.login_id, wanted)
    await _let_in(conn, found.workspace_id, member, offer)
    await invitation_store.accept_invitation(conn, found, clock.now())
    actor = Actor(found.workspace_id, member.id, who.login_id, member.role, None, 0, address=who.address)
    await standing.record(conn, actor, "invitation.accepted", ("invitation", found.invitation_id))
    return member


async def _send(conn: TenantConn, actor: Actor, email: str, offer: InvitedTo, site: str) -> Invitation:
    token, now = clock.new_token(), clock.now()
    new = NewInvitation(
        email=email, offer=offer, invited_by=actor.member_id, made_at=now, expires_at=now + INVITATION_LIFETIME
    )
    token_hash = sessions.token_hash(token)
    made = await invitation_store.put_invitation(conn, actor.workspace_id, clock.new_id(), token_hash, new)
    fields = {
        "inviter": (await store.get_member(conn, actor.workspace_id, actor.member_id)).name,
        "workspace": (await store.get_workspace(conn, actor.workspace_id)).name,
        # After the #: browsers send that part to no server, so it is in nobody's log.
        "url": f"{site}/invitation#{token}",
        "days": str(INVITATION_LIFETIME.days),
    }
    lifetime_s = int(INVITATION_LIFETIME.total_seconds())
    await mailer.queue(conn, Mail(to=email, template=Template.INVITATION, fields=fields, lifetime_s=lifetime_s))
    details = {"role": made.role, "custom_role_id": made.custom_role_id}
    await standing.record(conn, actor, "invitation.sent", ("invitation", made.id), details)
    return made


async def _live(conn: TenantConn, found: Found, token: str) -> Invitation:
    invitation = await invitation_store.live_invitation(conn, found, sessions.token_hash(token), clock.now())
    if invitation is None:
        raise InvalidInput("token", _RAN_OUT)
    return invitation


async def _require_offer(conn: TenantConn, actor: Actor, offer: InvitedTo) -> None:
    await members.require_reach(conn, actor, offer.standing)
    if offer != await _still_there(conn, actor.workspace_id, offer):
        raise InvalidInput("team_ids", "There is no such team or inbox.")
    if not all(policy.sees(actor, inbox_id) for inbox_id in offer.inbox_ids):
        raise InvalidInput("inbox_ids", "There is no such team or inbox.")
    # Who may only invite does not open inboxes with it; who may fill teams or open inboxes does.
    if offer.team_ids:
        policy.require(actor, Permission.TEAMS_MANAGE)
        await teams.require_team_reach(conn, actor, offer.team_ids)
    if offer.inbox_ids:
        policy.require(actor, Permission.INBOXES_MANAGE)


async def _still_there(conn: TenantConn, workspace_id: int, offer: InvitedTo) -> InvitedTo:
    teams_left = set(await people_store.known_teams(conn, workspace_id, offer.team_ids))
    inboxes_left = set(await people_store.known_inboxes(conn, workspace_id, offer.inbox_ids))
    return InvitedTo(
        standing=offer.standing,
        team_ids=tuple(one for one in offer.team_ids if one in teams_left),
        inbox_ids=tuple(one for one in offer.inbox_ids if one in inboxes_left),
    )


async def _require_inviter(conn: TenantConn, workspace_id: int, inviter_id: UUID, offer: InvitedTo) -> None:
    """An invitation is worth what its sender is: it must not outlive their rights."""
    try:
        login_id = await invitation_store.login_of_member(conn, workspace_id, inviter_id)
        inviter = await store.load_actor(conn, workspace_id, login_id)
        policy.require(inviter, Permission.MEMBERS_MANAGE)
        await _require_offer(conn, inviter, offer)
    except (Forbidden, NotFound, InvalidInput):
        text = "Whoever sent this invitation may not invite you any more. Ask for a new one."
        raise InvalidInput("token", text) from None


async def _is_within(conn: TenantConn, actor: Actor, before: Invitation) -> bool:
    try:
        await members.require_reach(conn, actor, _offer_of(before).standing)
    except HubError:
        return False
    return True


async def _let_in(conn: TenantConn, workspace_id: int, member: Member, offer: InvitedTo) -> None:
    heads = await events.lock(conn, [workspace_id])
    await people_store.open_inboxes(conn, workspace_id, member.id, offer.inbox_ids)
    for team_id in offer.team_ids:
        before = await people_store.get_team(conn, workspace_id, team_id)
        after = msgspec.structs.replace(
            before, member_ids=sorted({*before.member_ids, member.id}), version=heads[workspace_id] + 1
        )
        await people_store.change_team(conn, workspace_id, after)
        event = NewEvent(
            workspace_id=workspace_id,
            type="team_changed",
            data=msgspec.json.encode(TeamChanged(after)),
            occurred_at=clock.now(),
            actor_id=member.id,
        )
        await events.append(conn, heads, [event])


def _offer_of(invitation: Invitation) -> InvitedTo:
    return InvitedTo(
        standing=Standing(role=invitation.role, custom_role_id=invitation.custom_role_id),
        team_ids=tuple(invitation.team_ids),
        inbox_ids=tuple(invitation.inbox_ids),
    )


def _clean(email: str) -> str | None:
    try:
        return actions.clean_email(email)
    except InvalidInput:
        return None
