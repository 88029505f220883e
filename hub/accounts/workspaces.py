"""Every change of a workspace itself: made, renamed, deleted, taken back. Called by the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import actions, invitation_store, people_store, standing, store
from hub.accounts.model import Actor, Membership, NewMember, Owner, Permission, Role, Workspace, WorkspaceChanged
from hub.accounts.people import DELETION_GRACE
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.events import store as events
from hub.events.model import NewEvent

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.invitations import Accepting
    from hub.db import TenantConn

MOST_OWNED: Final = 20
_NOT_A_MEMBER: Final = "You are not a member of this workspace."


async def may_create_workspace(conn: TenantConn, login_id: UUID) -> None:
    """
    Stop whoever may not make a workspace now. No tenant is needed.

    Raises:
        Forbidden: Their address is not verified.
        Conflict: They own so many already, deleted ones included.
    """
    profile = await people_store.login_profile(conn, login_id)
    if not profile.is_verified:
        raise Forbidden("Confirm your e-mail address first.")
    owned = [one for one in await store.memberships(conn, login_id) if one.role is Role.OWNER]
    if len(owned) + len(await invitation_store.deleted_workspaces(conn, login_id)) >= MOST_OWNED:
        raise Conflict(f"One person owns at most {MOST_OWNED} workspaces.")


async def make_workspace(conn: TenantConn, name: str, who: Accepting) -> Membership:
    """
    Make a workspace with its owner and first inbox.

    Args:
        conn: A transaction without a tenant; this names the new one.
        name: 1-200 characters.
        who: Its owner.

    Raises:
        InvalidInput: The name cannot be used.
        Forbidden, Conflict: As for ``may_create_workspace``.
    """
    cleaned = actions.clean_name("name", name)
    await may_create_workspace(conn, who.login_id)
    workspace_id = await store.create_workspace(conn, cleaned, clock.now())
    wanted = NewMember(
        email=who.profile.email,
        name=who.profile.name or who.profile.email.partition("@")[0],
        role=Role.OWNER,
        avatar=who.profile.avatar,
    )
    member = await actions.join(conn, workspace_id, who.login_id, wanted)
    # No event: nobody can hold a snapshot of a workspace that did not exist a moment ago.
    await store.add_first_inbox(conn, workspace_id, clock.new_id(), actions.FIRST_INBOX, clock.now())
    owner = Owner(workspace_id=workspace_id, member_id=member.id, login_id=who.login_id)
    await standing.record(conn, _acting(owner, who.address), "workspace.made", ("workspace", workspace_id))
    return Membership(workspace_id, cleaned, member.id, Role.OWNER)


async def rename_workspace(conn: TenantConn, actor: Actor, name: str) -> Workspace:
    """Call a workspace by another name; ``Forbidden`` and ``InvalidInput`` where that cannot be."""
    heads, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    before = await store.get_workspace(conn, actor.workspace_id)
    cleaned = actions.clean_name("name", name)
    if cleaned == before.name:
        return before
    after = msgspec.structs.replace(before, name=cleaned, version=heads[actor.workspace_id] + 1)
    await invitation_store.change_workspace(conn, after, None)
    await events.append(conn, heads, [_event(after, actor.member_id)])
    details = {"name": [before.name, after.name]}
    await standing.record(conn, actor, "workspace.renamed", ("workspace", before.id), details)
    return after


async def delete_workspace(conn: TenantConn, actor: Actor, typed_name: str) -> None:
    """
    Close a workspace to everybody; an owner can take it back for 30 days.

    Args:
        conn: A fresh transaction.
        actor: An owner.
        typed_name: The workspace's name once more, so that nobody deletes the wrong one.

    Raises:
        Forbidden: The actor may not do this.
        InvalidInput: It has another name.
    """
    heads, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    before = await store.get_workspace(conn, actor.workspace_id)
    if actions.clean_name("name", typed_name) != before.name:
        raise InvalidInput("name", "Type the name of the workspace to delete it.")
    await _set_deleted(conn, heads, before, is_deleted=True, actor=actor)


async def restore_workspace(conn: TenantConn, workspace_id: int, login_id: UUID, address: str = "") -> None:
    """
    Open a deleted workspace again.

    Args:
        conn: A fresh transaction of the workspace.
        workspace_id: Tenant.
        login_id: Whoever asks; they own it.
        address: Where the call comes from.

    Raises:
        Forbidden: They do not own it; a workspace that does not exist answers the same.
        Conflict: It is not deleted, or was for too long.
    """
    heads = await events.lock(conn, [workspace_id])
    member = await store.member_of_login(conn, workspace_id, login_id)
    if workspace_id not in heads or member is None or not member.active or member.role is not Role.OWNER:
        raise Forbidden(_NOT_A_MEMBER)
    deleted_at = await invitation_store.workspace_deleted_at(conn, workspace_id)
    if deleted_at is None:
        raise Conflict("This workspace is not deleted.")
    if deleted_at + DELETION_GRACE <= clock.now():
        raise Conflict("This workspace was deleted too long ago.")
    owner = Owner(workspace_id=workspace_id, member_id=member.id, login_id=login_id)
    before = await store.get_workspace(conn, workspace_id)
    await _set_deleted(conn, heads, before, is_deleted=False, actor=_acting(owner, address))


async def _set_deleted(
    conn: TenantConn, heads: dict[int, int], before: Workspace, *, is_deleted: bool, actor: Actor
) -> None:
    after = msgspec.structs.replace(before, version=heads[before.id] + 1)
    await invitation_store.change_workspace(conn, after, clock.now() if is_deleted else None)
    # Open sockets look at their rights again and find none.
    await store.bump_rights(conn, before.id)
    await events.append(conn, heads, [_event(after, actor.member_id)])
    action = "workspace.deleted" if is_deleted else "workspace.restored"
    await standing.record(conn, actor, action, ("workspace", before.id), {"name": before.name})


def _acting(owner: Owner, address: str) -> Actor:
    return Actor(owner.workspace_id, owner.member_id, owner.login_id, Role.OWNER, None, 0, address=address)


def _event(workspace: Workspace, actor_id: UUID) -> NewEvent:
    return NewEvent(
        workspace_id=workspace.id,
        type="workspace_changed",
        data=msgspec.json.encode(WorkspaceChanged(workspace)),
        occurred_at=clock.now(),
        actor_id=actor_id,
    )
