"""What a batch is made of: items, what is known about them, and the rows they become. Pure data for ``receive``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from hub.contacts.model import Contact
from hub.envelope import Identity, InboundItem
from hub.events.model import NewEvent
from hub.inbox.rows import AccountRow, ConversationRow, IdentityRow, MessageRow, SeenRow, TargetRow

IdentityKey = tuple[int, str, str, str]
ThreadKey = tuple[int, UUID, str]
DedupeKey = tuple[int, str]
# A vendor's message id, or ours as text, is looked up only within the channel account it came from.
TargetKey = tuple[int, UUID, str]


class ReceivedItem(msgspec.Struct, frozen=True, kw_only=True):
    """
    A parsed item and where it came in.

    Attributes:
        raw_item_id: The ``raw_item`` row that its attachments are parts of, committed with the message at the latest.
    """

    workspace_id: int
    channel_account_id: UUID
    channel: str
    item: InboundItem
    raw_item_id: UUID | None = None


class OutcomeKind(StrEnum):
    STORED = "stored"
    DUPLICATE = "duplicate"
    UNCHANGED = "unchanged"
    UNMATCHED = "unmatched"
    IGNORED = "ignored"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one item.

    Attributes:
        kind: ``UNMATCHED``: about a message we do not have; ``UNCHANGED``: told us nothing new.
        message_id: The message it made, now or the first time.
        seq: The event it became.
    """

    kind: OutcomeKind
    message_id: UUID | None = None
    seq: int | None = None
    conversation_id: UUID | None = None


class Known(msgspec.Struct, kw_only=True):
    """What the database says about everything a batch mentions."""

    seen: dict[DedupeKey, SeenRow] = {}
    accounts: dict[tuple[int, UUID], AccountRow] = {}
    identities: dict[IdentityKey, IdentityRow] = {}
    threads: dict[ThreadKey, ConversationRow] = {}
    targets: dict[TargetKey, TargetRow] = {}


class Suppress(msgspec.Struct, frozen=True, kw_only=True):
    """A STOP or START: what to write into ``suppression`` and ``consent``."""

    workspace_id: int
    channel_account_id: UUID
    contact_id: UUID
    scheme: str
    scope: str
    value: str
    state: str
    consent_id: UUID
    occurred_at: datetime


class Writes(msgspec.Struct, kw_only=True):
    """What a batch becomes; every row once, in its last state."""

    now: datetime
    contacts: dict[tuple[int, UUID], Contact] = {}
    identities: dict[IdentityKey, UUID] = {}
    conversations: dict[tuple[int, UUID], ConversationRow] = {}
    messages: dict[tuple[int, UUID], MessageRow] = {}
    statuses: dict[tuple[int, UUID], MessageRow] = {}
    consents: list[Suppress] = []
    events: list[NewEvent] = []


class Clockwork(msgspec.Struct, frozen=True):
    """The time of the batch and the ids it may use up: made outside, so that deciding stays pure."""

    now: datetime
    ids: list[UUID]


IDS_PER_ITEM = 4


def dedupe_key(received: ReceivedItem) -> str:
    """Return the key under which an item is received once in its workspace."""
    return f"{received.channel_account_id.hex}:{received.item.kind.value}:{received.item.key}"


def sender_key(workspace_id: int, identity: Identity) -> IdentityKey:
    """Return the key of an identity within the workspace."""
    return (workspace_id, identity.scheme, identity.scope, identity.value)


def thread_key(received: ReceivedItem) -> ThreadKey:
    """Return the thread of an item: the vendor's, or the sender's address where the vendor has none."""
    item = received.item
    key = item.thread_key or (item.sender.value if item.sender else "")
    return (received.workspace_id, received.channel_account_id, key)
