"""What a batch is made of: items, what is known about them, and the rows they become. Pure data for ``receive``."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from hub.attachments.model import Attachment, AttachmentRow
from hub.contacts.model import Contact, ProfileWanted
from hub.envelope import Identity, InboundItem, ThreadHints
from hub.events.model import NewEvent
from hub.inbox.rows import (
    AccountRow,
    ConversationRow,
    IdentityRow,
    MessageRow,
    PendingRow,
    SeenRow,
    TargetRow,
    ThreadRow,
    VersionRow,
)

IdentityKey = tuple[int, str, str, str]
ThreadKey = tuple[int, UUID, str]
DedupeKey = tuple[int, str]
# A vendor's message id, or ours as text, is looked up only within the channel account it came from.
TargetKey = tuple[int, UUID, str]


class Formatted(msgspec.Struct, frozen=True):
    """HTML that was sanitised, and how many pictures elsewhere it asks for."""

    html: str
    remote_images: int = 0


class ReceivedItem(msgspec.Struct, frozen=True, kw_only=True):
    """
    A parsed item and where it came in.

    Attributes:
        uploads: Files a visitor put into the store before they sent this; the caller makes them the message's.
        raw_item_id: The ``raw_item`` row that its attachments are parts of, committed with the message at the latest.
        historical: From before the account was connected: nobody is told, it is unread by nobody.
        asks_profile: Its vendor can be asked what people are called.
        formatted: Its HTML, sanitised: done before the transaction, for it takes CPU. ``item.html`` is never stored.
    """

    workspace_id: int
    channel_account_id: UUID
    channel: str
    item: InboundItem
    uploads: tuple[Attachment, ...] = ()
    raw_item_id: UUID | None = None
    formatted: Formatted | None = None
    historical: bool = False
    asks_profile: bool = False


class OutcomeKind(StrEnum):
    STORED = "stored"
    DUPLICATE = "duplicate"
    UNCHANGED = "unchanged"
    PENDING = "pending"
    UNMATCHED = "unmatched"
    IGNORED = "ignored"
    UNSUPPORTED = "unsupported"


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """
    What became of one item.

    Attributes:
        kind: ``PENDING``: about a message we do not have yet, kept until it comes; ``UNMATCHED``: about one we cannot
            wait for; ``UNCHANGED``: told us nothing new; ``UNSUPPORTED``: of a kind the connector cannot read.
        message_id: The message it made, now or the first time.
        seq: The event it became.
    """

    kind: OutcomeKind
    message_id: UUID | None = None
    seq: int | None = None
    conversation_id: UUID | None = None


class Known(msgspec.Struct, kw_only=True):
    """
    What the database says about everything a batch mentions.

    Attributes:
        threads: The live conversation of a thread, else its newest.
        pending: Items kept because they came before the message they are about, in the order they came.
        conversations: Those that mails may belong to; the rest is for them too.
        references: Conversations of the messages they answer.
        subjects: Conversations with a subject, the latest first.
        own_addresses: The workspace's own, lower case.
        rows: Conversations of messages that change.
        in_flight: Messages of ours in a thread that the vendor has not named yet, the oldest first.
        watched: Messages of ours in a thread, sent up to a moment, that are not marked read.
    """

    seen: dict[DedupeKey, SeenRow] = {}
    accounts: dict[tuple[int, UUID], AccountRow] = {}
    identities: dict[IdentityKey, IdentityRow] = {}
    threads: dict[ThreadKey, ConversationRow] = {}
    targets: dict[TargetKey, TargetRow] = {}
    pending: dict[TargetKey, list[PendingRow]] = {}
    conversations: dict[tuple[int, UUID], ThreadRow] = {}
    references: dict[TargetKey, UUID] = {}
    subjects: dict[TargetKey, list[UUID]] = {}
    own_addresses: set[tuple[int, str]] = set()
    rows: dict[tuple[int, UUID], ConversationRow] = {}
    in_flight: dict[ThreadKey, list[TargetRow]] = {}
    watched: dict[tuple[int, UUID, str, datetime], list[TargetRow]] = {}


class Suppress(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to write into ``suppression`` and ``consent``: a STOP or START, a complaint, or an address that does not exist.

    Attributes:
        contact_id: Whose address it is; None where nobody has it: then there is no consent to write.
        state: ``stop`` or ``start``.
        reason: Of a stop: ``stop``, ``complaint`` or ``bounce``; of a start always ``stop``, the only one it undoes.
    """

    workspace_id: int
    channel_account_id: UUID
    contact_id: UUID | None
    scheme: str
    scope: str
    value: str
    state: str
    reason: str = "stop"
    consent_id: UUID | None
    occurred_at: datetime


class Lift(msgspec.Struct, frozen=True, kw_only=True):
    """An address that wrote to us exists: if mail to it bounced once, we may try again."""

    workspace_id: int
    channel_account_id: UUID
    scheme: str
    scope: str
    value: str


class HtmlRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``message_html``."""

    workspace_id: int
    message_id: UUID
    html: str
    remote_images: int


class ParticipantRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``conversation_participant``."""

    workspace_id: int
    conversation_id: UUID
    contact_id: UUID
    added_at: datetime


class Deleted(msgspec.Struct, frozen=True):
    """A message whose contents have to go everywhere; ``shown``: its start, as the list of conversations showed it."""

    conversation_id: UUID
    seq: int
    shown: str


class Writes(msgspec.Struct, kw_only=True):
    """
    What a batch becomes; every row once, in its last state.

    Attributes:
        changed: Messages of earlier batches that were edited, deleted or reacted to.
        profiles: Contacts without a name, to ask their vendor about.
    """

    now: datetime
    contacts: dict[tuple[int, UUID], Contact] = {}
    identities: dict[IdentityKey, UUID] = {}
    conversations: dict[tuple[int, UUID], ConversationRow] = {}
    messages: dict[tuple[int, UUID], MessageRow] = {}
    attachments: list[AttachmentRow] = []
    statuses: dict[tuple[int, UUID], MessageRow] = {}
    changed: dict[tuple[int, UUID], MessageRow] = {}
    versions: dict[UUID, VersionRow] = {}
    deleted: dict[tuple[int, UUID], Deleted] = {}
    consents: list[Suppress] = []
    participants: dict[tuple[int, UUID, UUID], ParticipantRow] = {}
    htmls: list[HtmlRow] = []
    lifts: dict[IdentityKey, Lift] = {}
    pending: list[PendingRow] = []
    pending_done: list[tuple[int, UUID]] = []
    events: list[NewEvent] = []
    profiles: dict[UUID, ProfileWanted] = {}


class Clockwork(msgspec.Struct, frozen=True):
    """The time of the batch and the ids it may use up: made outside, so that deciding stays pure."""

    now: datetime
    ids: list[UUID]


# A contact, a conversation, its thread where that is taken, a message, a consent.
IDS_PER_ITEM = 5
# To and Cc of one message beyond this are shown with it, but make no contacts.
PARTICIPANTS_PER_MESSAGE = 50


def ids_needed(received: ReceivedItem) -> int:
    """Return how many ids an item may use up: for itself, and for the people a mail names."""
    item = received.item
    return IDS_PER_ITEM + (min(len(item.to) + len(item.cc), PARTICIPANTS_PER_MESSAGE) if item.thread else 0)


def named_people(item: InboundItem) -> tuple[Identity, ...]:
    """Return whom a mail names besides its sender, at most ``PARTICIPANTS_PER_MESSAGE``; nobody on other channels."""
    return (*item.to, *item.cc)[:PARTICIPANTS_PER_MESSAGE] if item.thread else ()


def dedupe_key(received: ReceivedItem) -> str:
    """Return the key under which an item is received once in its workspace."""
    return f"{received.channel_account_id.hex}:{received.item.kind.value}:{received.item.key}"


def sender_key(workspace_id: int, identity: Identity) -> IdentityKey:
    """Return the key of an identity within the workspace."""
    return (workspace_id, identity.scheme, identity.scope, identity.value)


def thread_key(received: ReceivedItem) -> ThreadKey:
    """Return the thread of an item: the vendor's, the root of a mail's, or the sender's address."""
    item = received.item
    key = _root_key(item, item.thread) if item.thread else item.thread_key
    return (received.workspace_id, received.channel_account_id, key or (item.sender.value if item.sender else ""))


def _root_key(item: InboundItem, hints: ThreadHints) -> str:
    """
    Name a mail's thread by its first message, so that it is the same whichever of its mails comes first.

    The oldest reference is that message (RFC 5322 section 3.6.4); a mail without references is it. Hashed: ids may be
    longer than a key, and two mails name the same thread only by naming the same id.
    """
    first = hints.references[-1] if hints.references else item.external_id
    return hashlib.sha256(first.encode("utf-8", "surrogatepass")).hexdigest()[:32] if first else hints.root
