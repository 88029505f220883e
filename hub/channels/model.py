"""Inboxes and the channel accounts that feed them, as members see them. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class AccountStatus(StrEnum):
    CONNECTED = "connected"
    PAUSED = "paused"
    NEEDS_SIGN_IN = "needs_sign_in"
    REMOVED = "removed"


# What may follow what; the same status again is no change. A paused account stays paused when its keys go bad: nothing
# is sent with them until somebody resumes it.
TRANSITIONS: dict[AccountStatus, frozenset[AccountStatus]] = {
    AccountStatus.CONNECTED: frozenset({AccountStatus.PAUSED, AccountStatus.NEEDS_SIGN_IN, AccountStatus.REMOVED}),
    AccountStatus.PAUSED: frozenset({AccountStatus.CONNECTED, AccountStatus.REMOVED}),
    AccountStatus.NEEDS_SIGN_IN: frozenset({AccountStatus.CONNECTED, AccountStatus.PAUSED, AccountStatus.REMOVED}),
    AccountStatus.REMOVED: frozenset(),
}


class Inbox(msgspec.Struct, frozen=True):
    """
    What members see and have access to.

    Attributes:
        restricted: Only its listed members (and owners and admins) see it.
        reopen_days: A message within so many days of closing reopens the conversation; later starts a new one.
        version: ``seq`` of the event that last changed this row.
    """

    id: UUID
    name: str
    restricted: bool
    reopen_days: int
    version: int


class InboxAccess(msgspec.Struct, frozen=True):
    """Who sees a restricted inbox besides owners and admins: members by themselves, and those of teams; sorted."""

    member_ids: list[UUID]
    team_ids: list[UUID]


class InboxChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes about an inbox; None leaves a field as it is."""

    name: str | None = None
    restricted: bool | None = None
    reopen_days: int | None = None


class ChannelAccount(msgspec.Struct, frozen=True):
    """
    One connected instance of a channel, without its secrets.

    Attributes:
        settings: Public settings, e.g. ``{"phone_number": "+15550001"}``; values are text.
        status_reason: In words, when it is not connected.
        version: ``seq`` of the event that last changed this row.
        demo: Belongs to the demo: reaches this computer only, and goes with it.
    """

    id: UUID
    inbox_id: UUID
    channel: str
    name: str
    status: AccountStatus
    status_reason: str
    settings: dict[str, str]
    created_at: datetime
    version: int
    demo: bool = False


class Token(msgspec.Struct, frozen=True):
    """When what a vendor granted ends (None: it does not), and when it was granted."""

    expires_at: datetime | None
    granted_at: datetime


class NewAccount(msgspec.Struct, frozen=True, kw_only=True):
    """
    A channel account about to be connected, its keys checked.

    Attributes:
        id: Made by the caller, because the webhook address that was checked contains it.
        inbox_id: Where its conversations go; None means the workspace's first inbox.
        external_ref: The vendor's own id of the account.
        demo: Belongs to the demo.
        address: Where the call came from, for the audit log.
        token: Of an account that was connected by signing in at the vendor.
    """

    workspace_id: int
    id: UUID
    channel: str
    name: str
    credentials: dict[str, str]
    settings: dict[str, str]
    inbox_id: UUID | None = None
    external_ref: str = ""
    actor_id: UUID | None = None
    address: str = ""
    demo: bool = False
    token: Token | None = None

    def __repr__(self) -> str:
        return f"NewAccount(workspace_id={self.workspace_id}, id={self.id}, channel={self.channel!r})"


class AccountChange(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to change of a channel account; None leaves a field as it is.

    Attributes:
        credentials: All of them, checked; replaces the old ones.
        settings: All of them; replaces the old ones.
        status_reason: In words, with ``status``.
        address: Where the call came from, for the audit log.
        read_credentials: As they were when ``credentials`` was made of them: what was renewed since is kept. None
            replaces everything.
        token: Of an account somebody signed in to again.
    """

    workspace_id: int
    id: UUID
    name: str | None = None
    credentials: dict[str, str] | None = None
    settings: dict[str, str] | None = None
    external_ref: str | None = None
    status: AccountStatus | None = None
    status_reason: str = ""
    actor_id: UUID | None = None
    address: str = ""
    read_credentials: dict[str, str] | None = None
    token: Token | None = None

    def __repr__(self) -> str:
        return f"AccountChange(workspace_id={self.workspace_id}, id={self.id}, status={self.status})"


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the edge needs to know of a channel account to verify and route a call for it, without its secrets.

    Attributes:
        external_ref: The vendor's own id of the account.
        token_expires_at: When the token in its credentials ends; None where it does not.
    """

    workspace_id: int
    id: UUID
    inbox_id: UUID
    channel: str
    status: AccountStatus
    settings: dict[str, str]
    external_ref: str = ""
    demo: bool = False
    token_expires_at: datetime | None = None


class SealedRoute(msgspec.Struct, frozen=True):
    """A route with its credentials as stored."""

    route: Route
    credentials_sealed: bytes | None


class OpenAccount(msgspec.Struct, frozen=True):
    """The opened credentials of a channel account; does not show them in text."""

    credentials: dict[str, str]

    def __repr__(self) -> str:
        return f"OpenAccount(credentials=<{len(self.credentials)} hidden>)"


class InboxChanged(msgspec.Struct, frozen=True, tag_field="type", tag="inbox_changed"):
    inbox: Inbox


class InboxRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="inbox_removed"):
    inbox_id: UUID


class ChannelAccountConnected(msgspec.Struct, frozen=True, tag_field="type", tag="channel_account_connected"):
    channel_account: ChannelAccount
    inbox: Inbox


class ChannelAccountChanged(msgspec.Struct, frozen=True, tag_field="type", tag="channel_account_changed"):
    channel_account: ChannelAccount
