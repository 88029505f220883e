"""Workspaces, members, roles and what each role may do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal
from uuid import UUID

import msgspec


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    AGENT = "agent"
    VIEWER = "viewer"


class Permission(StrEnum):
    """The catalogue of permissions; every route and socket message names one."""

    INBOX_READ = "inbox.read"
    INBOX_REPLY = "inbox.reply"
    INBOX_ASSIGN = "inbox.assign"
    CONTACTS_WRITE = "contacts.write"
    CHANNELS_MANAGE = "channels.manage"
    INBOXES_MANAGE = "inboxes.manage"
    MEMBERS_MANAGE = "members.manage"
    TEAMS_MANAGE = "teams.manage"
    KEYS_MANAGE = "keys.manage"
    AUDIT_READ = "audit.read"
    ROLES_MANAGE = "roles.manage"
    PRIVACY_MANAGE = "privacy.manage"
    WORKSPACE_MANAGE = "workspace.manage"


# What only an owner may do is not given away piecemeal: who could edit roles could give themselves anything.
GRANTABLE: Final = frozenset(Permission) - {Permission.WORKSPACE_MANAGE, Permission.ROLES_MANAGE}


def custom_permissions(words: Iterable[str]) -> frozenset[Permission]:
    """
    Return what a custom role allows.

    Args:
        words: As stored; one that is not in the catalogue any more, or may not be given, is ignored.

    Returns:
        Always with reading the inbox: a member who could not would see nothing at all.
    """
    given = set(words)
    return frozenset(one for one in GRANTABLE if one.value in given) | {Permission.INBOX_READ}


class Workspace(msgspec.Struct, frozen=True):
    """
    A tenant.

    Attributes:
        version: ``seq`` of the event that last changed this row.
    """

    id: int
    name: str
    version: int = 0


class Member(msgspec.Struct, frozen=True):
    """
    A person in one workspace, as other members see them.

    Attributes:
        role: ``viewer`` for whoever has a custom role.
        version: ``seq`` of the event that last changed this row; a client keeps the higher one.
        custom_role_id: The role of the workspace's own that says what they may do instead.
        avatar: Their picture is at ``/avatars/{avatar}``; empty where there is none.
    """

    id: UUID
    name: str
    email: str
    role: Role
    active: bool
    version: int
    custom_role_id: UUID | None = None
    avatar: str = ""


class MemberAdded(msgspec.Struct, frozen=True, tag_field="type", tag="member_added"):
    member: Member


class MemberChanged(msgspec.Struct, frozen=True, tag_field="type", tag="member_changed"):
    member: Member


class WorkspaceChanged(msgspec.Struct, frozen=True, tag_field="type", tag="workspace_changed"):
    workspace: Workspace


class Membership(msgspec.Struct, frozen=True, omit_defaults=True):
    """One workspace a login belongs to."""

    workspace_id: int
    workspace_name: str
    member_id: UUID
    role: Role
    custom_role_id: UUID | None = None


class SignedIn(msgspec.Struct, frozen=True):
    """A live session and whose it is."""

    session_id: UUID
    login_id: UUID
    email: str
    name: str
    expires_at: datetime


class Actor(msgspec.Struct, frozen=True):
    """
    Who acts, in one workspace: made by the edge from a session, asked by ``policy.may``.

    Attributes:
        visible_inboxes: Inboxes this member may see; None means all of them.
        rights_version: The workspace's version of all rights when this was read.
        rights_seq: Seq of the event that last changed anybody's rights here.
        kind: ``key``: an API key of the workspace, which is no member: ``member_id`` and ``login_id`` are its own id.
        permissions: Where these are not the role's own: a custom role, or an API key that may do less.
        key_id: The API key or personal access token that calls; None for a person. A key never passes step-up.
        key_name: What that key is called.
        address: Where the call comes from, for the audit log; empty where nobody called.
        operator_id: Login of the operator who acts as this member; None for the member themselves.
    """

    workspace_id: int
    member_id: UUID
    login_id: UUID
    role: Role
    visible_inboxes: frozenset[UUID] | None
    rights_version: int
    rights_seq: int = 0
    kind: Literal["member", "key"] = "member"
    permissions: frozenset[Permission] | None = None
    key_id: UUID | None = None
    key_name: str = ""
    address: str = ""
    operator_id: UUID | None = None


class Entered(msgspec.Struct, frozen=True):
    """
    What makes a session an operator's in somebody's workspace: it opens that workspace alone, as that member.

    Attributes:
        operator_id: Login of the operator behind it.
        reason: In the operator's words; the workspace's owners read it.
    """

    workspace_id: int
    operator_id: UUID
    member_id: UUID
    reason: str
    expires_at: datetime


class AccessChanged(msgspec.Struct, frozen=True):
    """
    Handed on after COMMIT: what was known of who comes in with these may be untrue now.

    Attributes:
        id: Of the workspace (anybody's rights there), the login (a session ended, factors, name) or the API key.
    """

    scope: Literal["workspace", "login", "key"]
    id: int | UUID


class LinkPurpose(StrEnum):
    INVITE = "invite"
    RESET = "reset"


class SetUp(msgspec.Struct, frozen=True, kw_only=True):
    """What the first screen asks: the workspace and its owner."""

    workspace: str
    name: str
    email: str
    password: str


class Owner(msgspec.Struct, frozen=True):
    """What set-up made."""

    workspace_id: int
    member_id: UUID
    login_id: UUID


class NewMember(msgspec.Struct, frozen=True, kw_only=True):
    """
    Somebody to be added.

    Attributes:
        name: Empty means the part of the address before the @, until they say better.
        custom_role_id: With ``role`` viewer.
        avatar: As in ``Member``.
    """

    email: str
    role: Role
    name: str = ""
    custom_role_id: UUID | None = None
    avatar: str = ""


class MemberChange(msgspec.Struct, frozen=True, kw_only=True):
    """What changes about a member, by a role or a custom one; None leaves a field as it is."""

    name: str | None = None
    role: Role | None = None
    custom_role_id: UUID | None = None
    active: bool | None = None


class MemberFilter(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which members a list shows.

    Attributes:
        text: Part of a name or address; empty for everybody.
        active: None for both.
        after_id: The last one of the page before.
    """

    text: str = ""
    active: bool | None = None
    after_id: UUID | None = None
    limit: int = 200


class Login(msgspec.Struct, frozen=True):
    """
    Who can sign in.

    Attributes:
        password_hash: None until they chose a password.
        factors: Second factors they have; with one, a password alone opens nothing.
        locale: Of the pages they use, such as ``en``.
    """

    id: UUID
    email: str
    name: str
    password_hash: str | None
    factors: tuple[str, ...] = ()
    locale: str = "en"


class UsedLink(msgspec.Struct, frozen=True):
    """A one-time link that was just used up."""

    login_id: UUID
    purpose: LinkPurpose


class StartedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in as it is stored, beside the hash of its token."""

    id: UUID
    login_id: UUID
    made_at: datetime
    expires_at: datetime
    user_agent: str
    address: str = ""


class NewSession(msgspec.Struct, frozen=True):
    """
    A fresh sign-in.

    Attributes:
        token: The secret, known to the client only; we keep its hash.
    """

    token: str
    signed_in: SignedIn
    memberships: tuple[Membership, ...]
