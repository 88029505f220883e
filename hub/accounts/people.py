"""Custom roles, teams, hand-overs, invitations, domains, profiles. Pure; ``model.py`` beside it is about members."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

import msgspec

from hub.accounts.model import Permission, Role
from hub.errors import InvalidInput

INVITATION_LIFETIME: Final = timedelta(days=7)
INVITED_AT_ONCE: Final = 50
# A deleted workspace can be taken back for this long.
DELETION_GRACE: Final = timedelta(days=30)


class CustomRole(msgspec.Struct, frozen=True):
    """
    A role of the workspace's own.

    Attributes:
        permissions: Sorted; always with reading the inbox.
        version: ``seq`` of the event that last changed this row.
    """

    id: UUID
    name: str
    permissions: list[Permission]
    version: int


class Team(msgspec.Struct, frozen=True):
    """
    Members who work on the same things.

    Attributes:
        member_ids: Sorted; members who left stay listed, so that they are back when they return.
        version: ``seq`` of the event that last changed this row.
    """

    id: UUID
    name: str
    member_ids: list[UUID]
    version: int


class RoleChanged(msgspec.Struct, frozen=True, tag_field="type", tag="role_changed"):
    role: CustomRole


class RoleRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="role_removed"):
    role_id: UUID


class TeamChanged(msgspec.Struct, frozen=True, tag_field="type", tag="team_changed"):
    team: Team


class TeamRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="team_removed"):
    team_id: UUID


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """As what somebody is a member: a role, or (as a viewer) a custom role."""

    role: Role
    custom_role_id: UUID | None = None


def standing_of(role: Role | None, custom_role_id: UUID | None) -> Standing:
    """Read which role was chosen; ``InvalidInput`` unless it is exactly one of the two."""
    if (role is None) is (custom_role_id is None):
        raise InvalidInput("role", "Choose a role or a custom role, one of the two.")
    return Standing(role=role or Role.VIEWER, custom_role_id=custom_role_id)


class HandOver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Who gets the open conversations of somebody who leaves.

    Attributes:
        to: ``nobody`` leaves them unassigned; a team's members get them in turn.
        id: The member's or team's.
    """

    to: Literal["nobody", "member", "team"]
    id: UUID | None = None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """
    An invitation that is open.

    Attributes:
        team_ids: Teams they join; one that is gone by then is left out.
        inbox_ids: Restricted inboxes they get to see; likewise.
        sent_at: When the newest mail went out; only the link in that one works.
    """

    id: UUID
    email: str
    role: Role
    custom_role_id: UUID | None
    team_ids: list[UUID]
    inbox_ids: list[UUID]
    invited_by: UUID
    created_at: datetime
    sent_at: datetime
    expires_at: datetime


class InvitedTo(msgspec.Struct, frozen=True, kw_only=True):
    """What an invitation offers, alike for everybody it is sent to."""

    standing: Standing
    team_ids: tuple[UUID, ...] = ()
    inbox_ids: tuple[UUID, ...] = ()


class Found(msgspec.Struct, frozen=True):
    """Where an invitation is."""

    workspace_id: int
    invitation_id: UUID


class Domain(msgspec.Struct, frozen=True, kw_only=True):
    """
    A domain whose people may join without an invitation, once that is switched on.

    Attributes:
        role: What they become; never more than an agent.
        version: Counts its changes.
    """

    domain: str
    role: Role
    enabled: bool
    version: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """
    A person, the same in every workspace.

    Attributes:
        time_zone: A name of the IANA time zone database; empty: the browser's.
        locale: Such as ``en`` or ``de-AT``; empty: the browser's.
        avatar: As in ``Member``.
        is_verified: Whether they showed that they get mail at their address.
    """

    email: str
    name: str
    time_zone: str
    locale: str
    avatar: str
    is_verified: bool


class ProfileChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes about a person; None leaves a field as it is."""

    name: str | None = None
    time_zone: str | None = None
    locale: str | None = None


class DeletedWorkspace(msgspec.Struct, frozen=True):
    """A workspace its owner can still take back, until ``erased_at``."""

    workspace_id: int
    workspace_name: str
    member_id: UUID
    deleted_at: datetime
    erased_at: datetime


class Joinable(msgspec.Struct, frozen=True):
    """A workspace somebody may join without an invitation."""

    workspace_id: int
    workspace_name: str
