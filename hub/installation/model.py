"""What the operator of an installation sees and sets: workspaces, flags, usage, entering. Pure."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from hub.limit_settings import Limits

MOST_ENTERED: Final = timedelta(minutes=60)


class Flag(StrEnum):
    """A feature that can be switched off without a new version; remove its line when nobody needs the switch."""

    NEW_WORKSPACES = "new_workspaces"
    API_KEYS = "api_keys"
    PERSONAL_TOKENS = "personal_tokens"


class FlagRule(msgspec.Struct, frozen=True):
    """
    What a flag is where nobody set it.

    Attributes:
        sentence: What it lets people do.
        per_workspace: Whether a workspace may differ from the installation.
    """

    default: bool
    sentence: str
    per_workspace: bool = True


RULES: Final[dict[Flag, FlagRule]] = {
    Flag.NEW_WORKSPACES: FlagRule(
        default=True, sentence="People who are signed in may make workspaces of their own.", per_workspace=False
    ),
    Flag.API_KEYS: FlagRule(default=True, sentence="New API keys of the workspace can be made."),
    Flag.PERSONAL_TOKENS: FlagRule(default=True, sentence="Members may make personal access tokens."),
}


class FlagState(msgspec.Struct, frozen=True, kw_only=True):
    """
    One flag as it stands.

    Attributes:
        installation: What was set for the installation; None where nobody did.
        workspace: What was set for the workspace asked about.
        is_on: What counts: the workspace's word, else the installation's, else the default.
    """

    name: Flag
    sentence: str
    default: bool
    per_workspace: bool
    installation: bool | None = None
    workspace: bool | None = None
    is_on: bool


class WorkspaceRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    A workspace as the operator's list shows it.

    Attributes:
        members: Active ones.
        sockets: Open now, as of a few seconds ago.
        messages_30_days: Both ways.
        suspended_why: In the operator's words; members read it.
        lets_operators_in: Whether its owners let an operator enter.
    """

    id: int
    name: str
    created_at: datetime
    suspended_at: datetime | None
    suspended_why: str
    deleted_at: datetime | None
    lets_operators_in: bool
    members: int
    sockets: int
    messages_30_days: int
    storage_bytes: int


class UsageDay(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace used in one day of UTC."""

    day: date
    messages_in: int
    messages_out: int
    api_calls: int
    most_sockets: int


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a workspace uses, against what it may.

    Attributes:
        days: The last thirty, oldest first; days without anything are there too.
        members_invited: Open invitations.
    """

    members: int
    members_invited: int
    channel_accounts: int
    storage_bytes: int
    sockets: int
    messages_sent_today: int
    days: tuple[UsageDay, ...]
    limits: Limits


class EnteredRow(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's stay in a workspace, as its owners and the operator see it; the operator's address is not told."""

    session_id: UUID
    operator_id: UUID
    member_id: UUID
    reason: str
    began_at: datetime
    expires_at: datetime
    ended_at: datetime | None


class Counted(msgspec.Struct, frozen=True):
    """What one process counted for a workspace since it last wrote: calls, and its sockets now."""

    workspace_id: int
    day: date
    api_calls: int
    sockets: int


def resolve(set_: dict[tuple[int, str], bool], workspace_id: int) -> tuple[FlagState, ...]:
    """
    Say how every flag stands.

    Args:
        set_: By workspace (0: the installation) and name; names this version does not know are ignored.
        workspace_id: 0 asks about the installation alone.
    """
    states = []
    for name, rule in RULES.items():
        installation = set_.get((0, name.value))
        own = set_.get((workspace_id, name.value)) if workspace_id and rule.per_workspace else None
        chosen = own if own is not None else installation if installation is not None else rule.default
        states.append(
            FlagState(
                name=name,
                sentence=rule.sentence,
                default=rule.default,
                per_workspace=rule.per_workspace,
                installation=installation,
                workspace=own,
                is_on=chosen,
            )
        )
    return tuple(states)
