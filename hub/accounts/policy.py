"""The one place that answers "may this member do this?"; asked by every route and every socket message. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub.accounts.model import Permission, Role
from hub.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from hub.accounts.model import Actor

_VIEWER: Final = frozenset({Permission.INBOX_READ})
_AGENT: Final = _VIEWER | {Permission.INBOX_REPLY, Permission.INBOX_ASSIGN, Permission.CONTACTS_WRITE}
_ADMIN: Final = _AGENT | {
    Permission.CHANNELS_MANAGE,
    Permission.INBOXES_MANAGE,
    Permission.MEMBERS_MANAGE,
    Permission.TEAMS_MANAGE,
    Permission.KEYS_MANAGE,
    Permission.AUDIT_READ,
}
_OWNER: Final = _ADMIN | {Permission.ROLES_MANAGE, Permission.PRIVACY_MANAGE, Permission.WORKSPACE_MANAGE}

_PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = {
    Role.VIEWER: _VIEWER,
    Role.AGENT: _AGENT,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _OWNER,
}


def permissions_of(role: Role) -> frozenset[Permission]:
    """Return everything a role may do, in inboxes its member can see."""
    return _PERMISSIONS[role]


def allowed(actor: Actor) -> frozenset[Permission]:
    """Return everything somebody may do, in inboxes they can see."""
    return _PERMISSIONS[actor.role] if actor.permissions is None else actor.permissions


def permissions_given(role: Role, custom: frozenset[Permission] | None) -> frozenset[Permission]:
    """Return what a member may do by a role, or by the custom role they have instead."""
    return _PERMISSIONS[role] if custom is None else custom


def sees_all(role: Role) -> bool:
    """Say whether a role sees every inbox, restricted ones too."""
    return role in (Role.OWNER, Role.ADMIN)


# What an operator in somebody's workspace may never do: speak to its customers, or change who gets in and what is kept.
NOT_ENTERED: Final = frozenset(
    {
        Permission.INBOX_REPLY,
        Permission.KEYS_MANAGE,
        Permission.MEMBERS_MANAGE,
        Permission.ROLES_MANAGE,
        Permission.TEAMS_MANAGE,
        Permission.PRIVACY_MANAGE,
        Permission.WORKSPACE_MANAGE,
    }
)


def entered(actor: Actor, operator_id: UUID) -> Actor:
    """Return what an operator may do as this member."""
    return msgspec.structs.replace(actor, permissions=allowed(actor) - NOT_ENTERED, operator_id=operator_id)


def require_reach(actor: Actor, given: frozenset[Permission], *, everywhere: bool = False) -> None:
    """
    Stop whoever would give or take rights that are not theirs.

    Args:
        actor: Who acts.
        given: What somebody may do before or after the change.
        everywhere: Whether that is in every inbox.

    Raises:
        Forbidden: Somebody would rise above the actor, or fall from above them.
    """
    if not given <= allowed(actor) or (everywhere and actor.visible_inboxes is not None):
        raise Forbidden("You can give and take only what you may do yourself.")


def sees(actor: Actor, inbox_id: UUID) -> bool:
    """Say whether an inbox exists as far as this member can tell."""
    return actor.visible_inboxes is None or inbox_id in actor.visible_inboxes


def may(actor: Actor, permission: Permission, inbox_id: UUID | None = None) -> bool:
    """
    Answer whether a member may do something.

    Args:
        actor: Who asks, in which workspace.
        permission: What they want to do.
        inbox_id: Where; None for what belongs to the whole workspace.

    Returns:
        True only when the role allows it and the inbox is visible.
    """
    if permission not in allowed(actor):
        return False
    return inbox_id is None or sees(actor, inbox_id)


def require(actor: Actor, permission: Permission, inbox_id: UUID | None = None, *, kind: str = "inbox") -> None:
    """
    Stop whoever may not.

    Args:
        actor: Who asks.
        permission: What they want to do.
        inbox_id: Where; None for what belongs to the whole workspace.
        kind: The noun of ``NotFound``: what the caller asked for, e.g. ``conversation``.

    Raises:
        NotFound: The inbox is not visible to them: that it exists is not told.
        Forbidden: They see it, but their role does not allow this.
    """
    if inbox_id is not None and not sees(actor, inbox_id):
        raise NotFound(kind)
    if permission not in allowed(actor):
        raise Forbidden
