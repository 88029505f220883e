"""Every change of a workspace's custom roles. Nobody puts into a role, or takes out of one, what they may not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import actions, people_store, policy, standing, store
from hub.accounts.model import GRANTABLE, Permission, custom_permissions
from hub.accounts.people import CustomRole, RoleChanged, RoleRemoved
from hub.errors import Conflict, InvalidInput
from hub.events import store as events
from hub.events.model import NewEvent

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.db import TenantConn

MOST_ROLES: Final = 50


async def make_role(conn: TenantConn, actor: Actor, name: str, permissions: Collection[Permission]) -> CustomRole:
    """
    Make a custom role.

    Args:
        conn: A fresh transaction.
        actor: Who does it.
        name: 1-200 characters, used once in the workspace.
        permissions: Of the catalogue, none beyond the actor's own.

    Raises:
        Forbidden: The actor may not do this, or not do what the role would allow.
        InvalidInput: The name cannot be used, or a permission is not given away.
        Conflict: There are too many roles, or another one has the name.
    """
    heads, actor = await standing.lock(conn, actor, Permission.ROLES_MANAGE)
    if len(await people_store.list_roles(conn, actor.workspace_id)) >= MOST_ROLES:
        raise Conflict(f"A workspace has at most {MOST_ROLES} roles of its own.")
    role = CustomRole(
        id=clock.new_id(),
        name=actions.clean_name("name", name),
        permissions=_checked(actor, permissions),
        version=heads[actor.workspace_id] + 1,
    )
    await people_store.add_role(conn, actor.workspace_id, role, clock.now())
    await events.append(conn, heads, [_event(actor, RoleChanged(role))])
    await standing.record(conn, actor, "role.made", ("role", role.id), {"permissions": role.permissions})
    return role


async def change_role(
    conn: TenantConn, actor: Actor, role_id: UUID, *, name: str | None, permissions: Collection[Permission] | None
) -> CustomRole:
    """
    Rename a custom role or change what it allows; whoever has it follows at once.

    Raises:
        NotFound: There is no such role.
        Forbidden, InvalidInput, Conflict: As for ``make_role``.
    """
    heads, actor = await standing.lock(conn, actor, Permission.ROLES_MANAGE)
    before = await people_store.get_role(conn, actor.workspace_id, role_id)
    policy.require_reach(actor, frozenset(before.permissions))
    after = msgspec.structs.replace(
        before,
        name=before.name if name is None else actions.clean_name("name", name),
        permissions=before.permissions if permissions is None else _checked(actor, permissions),
    )
    if after == before:
        return before
    after = msgspec.structs.replace(after, version=heads[actor.workspace_id] + 1)
    await people_store.change_role(conn, actor.workspace_id, after)
    if before.permissions != after.permissions:
        await store.bump_rights(conn, actor.workspace_id)
    await events.append(conn, heads, [_event(actor, RoleChanged(after))])
    details = {"permissions": [before.permissions, after.permissions]}
    await standing.record(conn, actor, "role.changed", ("role", role_id), details)
    return after


async def remove_role(conn: TenantConn, actor: Actor, role_id: UUID) -> None:
    """
    Take a custom role away.

    Raises:
        NotFound: There is no such role.
        Forbidden: The actor may not do this.
        Conflict: Members have it, or open invitations offer it; the text says how many.
    """
    heads, actor = await standing.lock(conn, actor, Permission.ROLES_MANAGE)
    role = await people_store.get_role(conn, actor.workspace_id, role_id)
    policy.require_reach(actor, frozenset(role.permissions))
    members, invitations = await people_store.role_uses(conn, actor.workspace_id, role_id)
    if members or invitations:
        raise Conflict(f"This role is in use: by {members} members and {invitations} open invitations.")
    await people_store.remove_role(conn, actor.workspace_id, role_id)
    await events.append(conn, heads, [_event(actor, RoleRemoved(role_id))])
    await standing.record(conn, actor, "role.removed", ("role", role_id), {"name": role.name})


def _checked(actor: Actor, permissions: Collection[Permission]) -> list[Permission]:
    if kept := sorted(set(permissions) - GRANTABLE):
        raise InvalidInput("permissions", f"Only owners may do this, and not by a custom role: {', '.join(kept)}.")
    given = custom_permissions(one.value for one in permissions)
    policy.require_reach(actor, given)
    return sorted(given)


def _event(actor: Actor, what: RoleChanged | RoleRemoved) -> NewEvent:
    return NewEvent(
        workspace_id=actor.workspace_id,
        type="role_changed" if isinstance(what, RoleChanged) else "role_removed",
        data=msgspec.json.encode(what),
        occurred_at=clock.now(),
        actor_id=actor.member_id,
    )
