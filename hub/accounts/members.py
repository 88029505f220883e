"""Every change of a member's place in a workspace: role, state, who gets their open work. Called by the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import actions, people_store, policy, standing, store
from hub.accounts.model import MemberChange, MemberChanged, Permission, Role
from hub.accounts.people import HandOver, Standing, standing_of
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from hub.events import store as events
from hub.limits import actions as limits

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.model import Actor, Member
    from hub.db import TenantConn

_TO_NOBODY = HandOver(to="nobody")


async def change_member(conn: TenantConn, actor: Actor, member_id: UUID, change: MemberChange) -> Member:
    """
    Rename a member, give them another role, let them go or take them back.

    Args:
        conn: A fresh transaction.
        actor: Who does it; nobody gives or takes more than they may do themselves.
        member_id: Whom.
        change: What; who is let go this way leaves their open conversations to nobody.

    Returns:
        The member afterwards. Open sockets and sessions learn of it by ``rights_version``.

    Raises:
        NotFound: There is no such member.
        Forbidden: The actor may not do this to this member.
        InvalidInput: The name cannot be used, or there is no such custom role.
        Conflict: The workspace would be left without an owner.
    """
    heads, actor = await standing.lock(conn, actor, Permission.MEMBERS_MANAGE)
    before = await store.get_member(conn, actor.workspace_id, member_id)
    after = msgspec.structs.replace(
        before,
        name=before.name if change.name is None else actions.clean_name("name", change.name),
        active=before.active if change.active is None else change.active,
    )
    if change.role is not None or change.custom_role_id is not None:
        chosen = standing_of(change.role, change.custom_role_id)
        after = msgspec.structs.replace(after, role=chosen.role, custom_role_id=chosen.custom_role_id)
    for one in (before, after):
        await require_reach(conn, actor, Standing(role=one.role, custom_role_id=one.custom_role_id))
    if after.active and not before.active:
        await limits.require_member_room(conn, actor.workspace_id)
    if before.active and not after.active:
        await _hand_over(conn, actor, before, _TO_NOBODY)
    return await _write(conn, heads, actor, before, after)


async def deactivate(conn: TenantConn, actor: Actor, member_id: UUID, to: HandOver) -> Member:
    """
    Let a member go and hand their open conversations over; a worker moves those afterwards, some at a time.

    Args:
        conn: A fresh transaction.
        actor: Who does it; of the same reach as for ``change_member``.
        member_id: Whom.
        to: Who gets what they had assigned.

    Raises:
        NotFound, Forbidden, Conflict: As for ``change_member``.
        InvalidInput: There is nobody to hand over to.
    """
    heads, actor = await standing.lock(conn, actor, Permission.MEMBERS_MANAGE)
    before = await store.get_member(conn, actor.workspace_id, member_id)
    await require_reach(conn, actor, Standing(role=before.role, custom_role_id=before.custom_role_id))
    await _hand_over(conn, actor, before, to)
    return await _write(conn, heads, actor, before, msgspec.structs.replace(before, active=False))


async def leave(conn: TenantConn, actor: Actor, to: HandOver) -> Member:
    """
    Leave a workspace, and hand one's own open conversations over; to others only where one may assign.

    Raises:
        Forbidden: The actor may not assign conversations to others.
        InvalidInput: There is nobody to hand over to.
        Conflict: The actor is its last owner.
    """
    heads, actor = await standing.lock(conn, actor, Permission.INBOX_READ)
    if to.to != "nobody":
        policy.require(actor, Permission.INBOX_ASSIGN)
    before = await store.get_member(conn, actor.workspace_id, actor.member_id)
    await _hand_over(conn, actor, before, to)
    return await _write(conn, heads, actor, before, msgspec.structs.replace(before, active=False))


async def reactivate(conn: TenantConn, actor: Actor, member_id: UUID) -> Member:
    """Take a member back as what they were; what was not handed over yet stays theirs. Errors as ``change_member``."""
    return await change_member(conn, actor, member_id, MemberChange(active=True))


async def require_reach(conn: TenantConn, actor: Actor, chosen: Standing) -> None:
    """
    Stop whoever would make or unmake somebody who may do more than they.

    Args:
        conn: The transaction of the change.
        actor: Who acts.
        chosen: What somebody is or is to be.

    Raises:
        Forbidden: They may do more than the actor.
        InvalidInput: There is no such custom role.
    """
    custom = None
    if chosen.custom_role_id is not None:
        try:
            role = await people_store.get_role(conn, actor.workspace_id, chosen.custom_role_id)
        except NotFound:
            raise InvalidInput("custom_role_id", "There is no such role.") from None
        custom = frozenset(role.permissions)
    if chosen.role is Role.OWNER and Permission.WORKSPACE_MANAGE not in policy.allowed(actor):
        raise Forbidden("Only an owner may change owners.")
    given = policy.permissions_given(chosen.role, custom)
    policy.require_reach(actor, given, everywhere=policy.sees_all(chosen.role))


async def _hand_over(conn: TenantConn, actor: Actor, leaver: Member, to: HandOver) -> None:
    if not leaver.active:
        raise Conflict(f"{leaver.name} does not work here any more.")
    if (to.to == "nobody") is not (to.id is None):
        raise InvalidInput("hand_over_to", "Name the member or the team, or nobody.")
    if to.id is not None:
        await _require_receivers(conn, actor.workspace_id, leaver, to, to.id)
    asked = actor.member_id, clock.now()
    await people_store.put_hand_over(conn, actor.workspace_id, leaver.id, to, asked)


async def _require_receivers(conn: TenantConn, workspace_id: int, leaver: Member, to: HandOver, to_id: UUID) -> None:
    try:
        if to.to == "team":
            await people_store.get_team(conn, workspace_id, to_id)
        else:
            await store.get_member(conn, workspace_id, to_id)
    except NotFound as error:
        raise InvalidInput("hand_over_to", error.message) from None
    if not (await people_store.receivers(conn, workspace_id, to_id)).keys() - {leaver.id}:
        raise InvalidInput("hand_over_to", "Nobody there could take the conversations over.")


async def _write(conn: TenantConn, heads: dict[int, int], actor: Actor, before: Member, after: Member) -> Member:
    workspace_id = actor.workspace_id
    if after == before:
        return before
    after = msgspec.structs.replace(after, version=heads[workspace_id] + 1)
    await store.change_member(conn, workspace_id, after)
    if await store.count_owners(conn, workspace_id) == 0:
        raise Conflict("A workspace needs an owner. Make somebody else an owner first.")
    if after.active and not before.active:
        await people_store.drop_hand_over(conn, workspace_id, after.id)
    if _rights(before) != _rights(after):
        await store.bump_rights(conn, workspace_id)
    await events.append(conn, heads, [actions.member_event(workspace_id, MemberChanged(after), actor.member_id)])
    await _record(conn, actor, before, after)
    return after


def _rights(member: Member) -> tuple[object, ...]:
    return member.role, member.custom_role_id, member.active


async def _record(conn: TenantConn, actor: Actor, before: Member, after: Member) -> None:
    target = ("member", after.id)
    if before.active != after.active:
        await standing.record(conn, actor, f"member.{'reactivated' if after.active else 'deactivated'}", target)
    if (before.role, before.custom_role_id) != (after.role, after.custom_role_id):
        change = {"role": [before.role, after.role], "custom_role_id": [before.custom_role_id, after.custom_role_id]}
        await standing.record(conn, actor, "member.role_changed", target, change)
    if before.name != after.name:
        await standing.record(conn, actor, "member.renamed", target)
