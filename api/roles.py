"""Roles: the four, the workspace's own, and the catalogue of permissions in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from api.etag import Seen, fields_of, require_mergeable, wanted_version
from hub.accounts import people_store, policy, roles
from hub.accounts.model import GRANTABLE, Permission, Role
from hub.accounts.people import CustomRole

if TYPE_CHECKING:
    from api.call import MemberCall, SessionCall

_WORDS: Final = {
    Permission.INBOX_READ: ("Read conversations", "See conversations, contacts and members. Part of every role."),
    Permission.INBOX_REPLY: ("Reply", "Write to contacts, add notes, close and snooze conversations."),
    Permission.INBOX_ASSIGN: ("Assign", "Give conversations to members and move them to other inboxes."),
    Permission.CONTACTS_WRITE: ("Edit contacts", "Change contacts' names and details."),
    Permission.CHANNELS_MANAGE: ("Manage channels", "Connect and disconnect numbers, mailboxes and live chat."),
    Permission.INBOXES_MANAGE: ("Manage inboxes", "Make inboxes and say who sees them."),
    Permission.MEMBERS_MANAGE: ("Manage members", "Invite people, change their roles and let them go."),
    Permission.TEAMS_MANAGE: ("Manage teams", "Make teams and say who is in them."),
    Permission.KEYS_MANAGE: ("Manage API keys", "Make and revoke keys for other programs."),
    Permission.AUDIT_READ: ("Read the audit log", "See who changed what, and from where."),
    Permission.ROLES_MANAGE: ("Manage roles", "Make roles and say what they allow. Owners only."),
    Permission.PRIVACY_MANAGE: ("Manage privacy", "Export and erase what is kept about people, set how long."),
    Permission.WORKSPACE_MANAGE: ("Manage the workspace", "Rename or delete it, and make owners. Owners only."),
}


class PermissionView(msgspec.Struct, frozen=True):
    """
    One permission in words.

    Attributes:
        grantable: Whether a custom role can have it.
    """

    permission: Permission
    name: str
    description: str
    grantable: bool


class CatalogueView(msgspec.Struct, frozen=True):
    permissions: list[PermissionView]


class BuiltInRole(msgspec.Struct, frozen=True):
    """One of the four; ``sees_all``: restricted inboxes too."""

    role: Role
    permissions: list[Permission]
    sees_all: bool


class RolesView(msgspec.Struct, frozen=True):
    roles: list[BuiltInRole]
    custom_roles: list[CustomRole]


class RoleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    permissions: list[Permission]


class RolePatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; what is left out stays."""

    name: str | None = None
    permissions: list[Permission] | None = None


class RoleView(msgspec.Struct, frozen=True):
    role: CustomRole


async def read_catalogue(call: SessionCall) -> CatalogueView:  # noqa: ARG001  every handler takes its call
    """List every permission in words."""
    return CatalogueView([PermissionView(one, *_WORDS[one], one in GRANTABLE) for one in Permission])


async def read_all(call: MemberCall) -> RolesView:
    """List the four roles and the workspace's own."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        custom = await people_store.list_roles(conn, call.actor.workspace_id)
    built_in = [BuiltInRole(one, sorted(policy.permissions_of(one)), policy.sees_all(one)) for one in Role]
    return RolesView(built_in, custom)


async def create(call: MemberCall) -> RoleView:
    """Make a role."""
    wanted = await call.decode(RoleRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return RoleView(await roles.make_role(conn, call.actor, wanted.name, wanted.permissions))


async def change(call: MemberCall) -> RoleView:
    """Rename a role or change what it allows."""
    wanted = await call.decode(RolePatch)
    workspace_id, role_id = call.actor.workspace_id, call.path_id("role_id")
    seen = Seen(workspace_id, "role", wanted_version(call.request))
    async with call.resources.database.transaction([workspace_id]) as conn:
        await require_mergeable(
            conn, seen, lambda: people_store.get_role(conn, workspace_id, role_id), fields_of(wanted)
        )
        changed = await roles.change_role(conn, call.actor, role_id, name=wanted.name, permissions=wanted.permissions)
    return RoleView(changed)


async def remove(call: MemberCall) -> None:
    """Take a role away that nobody has."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await roles.remove_role(conn, call.actor, call.path_id("role_id"))
