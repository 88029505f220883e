"""What members are told, by which ways, and the rules of both. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec

from hub.accounts.model import Role


class Kind(StrEnum):
    """What a member can be told of."""

    ASSIGNED = "assigned"
    MESSAGE = "message"
    CONVERSATION = "conversation"
    CHANNEL_SIGN_IN = "channel_sign_in"
    SECURITY = "security"
    EXPORT_READY = "export_ready"


class News(StrEnum):
    """What happened to somebody's own account: ``detail`` of a notice of the kind ``security``."""

    SIGNED_IN = "signed_in"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  the name of an event
    FACTOR_ADDED = "factor_added"
    FACTOR_REMOVED = "factor_removed"
    ADDRESS_CHANGED = "address_changed"
    KEY_MADE = "key_made"
    OPERATOR_ENTERED = "operator_entered"


class Way(StrEnum):
    IN_APP = "in_app"
    EMAIL = "email"
    PUSH = "push"


class Digest(StrEnum):
    OFF = "off"
    HOURLY = "hourly"
    DAILY = "daily"


_EVERYWHERE: Final = frozenset(Way)
# A new conversation in any of one's inboxes is asked for, not given: in a busy team it is noise.
DEFAULT_WAYS: Final[Mapping[Kind, frozenset[Way]]] = {
    Kind.ASSIGNED: _EVERYWHERE,
    Kind.MESSAGE: _EVERYWHERE,
    Kind.CONVERSATION: frozenset(),
    Kind.CHANNEL_SIGN_IN: _EVERYWHERE,
    Kind.SECURITY: _EVERYWHERE,
    Kind.EXPORT_READY: _EVERYWHERE,
}
# Whom a workspace's own troubles concern.
IN_CHARGE: Final = frozenset({Role.OWNER, Role.ADMIN})

Minute = Annotated[int, msgspec.Meta(ge=0, le=1439)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one member chose.

    Attributes:
        kinds: The ways of each kind they chose otherwise than ``DEFAULT_WAYS``.
        quiet_from, quiet_until: Minutes of the day in their time zone between which nothing is pushed or mailed; both
            or neither, past midnight where the first is later.
        time_zone: IANA name.
        language: Of mails and pushes.
        digest: How often unread notices are mailed while they are away.
        digest_hour: Of a daily digest, in their time zone.
        shows_text: Whether a push says who wrote what; else only that something came.
        digest_due_at: When the next digest is looked at; None when none is.
    """

    kinds: dict[Kind, frozenset[Way]] = {}
    quiet_from: int | None = None
    quiet_until: int | None = None
    time_zone: str = "UTC"
    language: str = "en"
    digest: Digest = Digest.HOURLY
    digest_hour: int = 8
    shows_text: bool = False
    digest_due_at: datetime | None = None

    def ways(self, kind: Kind) -> frozenset[Way]:
        """Return how this member is told of a kind."""
        return self.kinds.get(kind, DEFAULT_WAYS[kind])


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something to be told.

    Attributes:
        subject: What unread notices of a kind are counted together by, e.g. the conversation's id.
        member_ids: Whom; more are found by the two switches.
        to_those_in_charge: Owners and admins as well.
        to_subscribers: Everybody who asked for this kind as well.
        inbox_id: Only members who see it are told; None for what belongs to no inbox.
        actor_id: Who did it: they know.
        detail: A code that clients have words for; no free text.
        event_seq: Of the event it tells of; 0 where it is none.
    """

    kind: Kind
    subject: str
    at: datetime
    member_ids: frozenset[UUID] = frozenset()
    to_those_in_charge: bool = False
    to_subscribers: bool = False
    inbox_id: UUID | None = None
    conversation_id: UUID | None = None
    channel_account_id: UUID | None = None
    actor_id: UUID | None = None
    detail: str = ""
    event_seq: int = 0


class Addressee(msgspec.Struct, frozen=True, kw_only=True):
    """
    A member who may be told.

    Attributes:
        visible_inboxes: None means all of them.
    """

    id: UUID
    login_id: UUID
    role: Role
    visible_inboxes: frozenset[UUID] | None
    settings: Settings

    def is_meant(self, telling: Telling) -> bool:
        """Say whether this member is told: meant, able to see it, and not the one who did it."""
        if self.id == telling.actor_id:
            return False
        if (
            telling.inbox_id is not None
            and self.visible_inboxes is not None
            and telling.inbox_id not in self.visible_inboxes
        ):
            return False
        return (
            self.id in telling.member_ids
            or (telling.to_those_in_charge and self.role in IN_CHARGE)
            or (telling.to_subscribers and telling.kind in self.settings.kinds)
        )


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    A notice as its member sees it.

    Attributes:
        title: The contact's name, the mail's subject or the account's name; read where it is kept.
        preview: How the conversation's newest message begins.
        amount: How many times it happened since it was read last.
        first_at, at: The first and the last time.
    """

    id: UUID
    kind: Kind
    title: str
    preview: str
    amount: int
    detail: str
    conversation_id: UUID | None
    channel_account_id: UUID | None
    inbox_id: UUID | None
    actor_id: UUID | None
    first_at: datetime
    at: datetime
    seen_at: datetime | None
    read_at: datetime | None


class Page(msgspec.Struct, frozen=True):
    """
    Which notices are asked for.

    Attributes:
        before: (at, id) of the last row of the page before.
    """

    member_id: UUID
    visible_inboxes: frozenset[UUID] | None
    limit: int
    unread_only: bool = False
    before: tuple[datetime, UUID] | None = None


class Counts(msgspec.Struct, frozen=True):
    unread: int
    unseen: int
