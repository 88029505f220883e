"""Conversations and messages as members see them, the events that change them, and the rules of their states. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from hub.attachments.model import Attachment as Attachment
from hub.contacts.model import Contact
from hub.envelope import CallState, DeliveryStatus, Party
from hub.inbox.marks import MessageChange, Quote, Reaction

PREVIEW_CHARS = 140
TEXT_LIMIT_CHARS = 20_000


class ConversationStatus(StrEnum):
    OPEN = "open"
    PENDING = "pending"
    SNOOZED = "snoozed"
    CLOSED = "closed"


class MessageKind(StrEnum):
    MESSAGE = "message"
    NOTE = "note"
    CALL = "call"
    FORM = "form"


class AuthorKind(StrEnum):
    CONTACT = "contact"
    MEMBER = "member"
    AI = "ai"
    SYSTEM = "system"


class Conversation(msgspec.Struct, frozen=True):
    """
    A row of the inbox list.

    Attributes:
        preview: Start of the newest message or note, at most 140 characters.
        last_inbound_seq: ``seq`` of the newest message from the contact; unread when above the member's ``read_seq``.
        last_outbound_seq: ``seq`` of the newest message to the contact.
        version: ``seq`` of the event that last changed this row; a client keeps the higher one.
        window_expires_at: Until when an automation may answer freely; None where the channel has no windows, or the
            contact has not written yet. A person may have longer: the difference of the channel's two windows.
    """

    id: UUID
    inbox_id: UUID
    channel_account_id: UUID
    channel: str
    contact_id: UUID
    status: ConversationStatus
    assignee_id: UUID | None
    snoozed_until: datetime | None
    subject: str
    preview: str
    preview_author_kind: AuthorKind
    last_activity_at: datetime
    last_inbound_seq: int
    last_outbound_seq: int
    created_at: datetime
    version: int
    window_expires_at: datetime | None = None


class MessageError(msgspec.Struct, frozen=True):
    """Why a message was not delivered; ``message`` is shown to members."""

    code: str
    message: str


class MessageHeaders(msgspec.Struct, frozen=True):
    """Subject and people of a message, on channels that have them; ``bcc`` only of our own messages."""

    subject: str = ""
    sender: Party | None = None
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()


class Message(msgspec.Struct, frozen=True):
    """
    One message, note, call or form in a conversation.

    Attributes:
        seq: ``seq`` of the event that added it; messages are shown by (occurred_at, seq).
        author_id: Contact or member, by ``author_kind``.
        author_name: The member's name when they wrote it; of contacts only where it is not the conversation's contact.
        status: Only for messages to the contact.
        client_message_id: What the sending client called it; replaces its optimistic row.
        occurred_at: The vendor's clock for inbound, ours otherwise.
        version: ``seq`` of the event that last changed this row.
        headers: Subject and people, on channels that have them.
        has_html: A formatted text can be had.
        quoted: What ``text`` quoted from earlier messages, cut from it.
        reply_to: The message it answers, where its author chose one.
        unreadable: Why there is no text, in words; shown in its place.
        edited_at: When it was last edited; what it said before is at its ``versions``.
        deleted_at: When it was taken back: nothing of it is shown any more.
        change: What a member is doing to it at the vendor, or could not.
        call: Of a call: how it stands; what belongs to it (a recording, a mailbox's message) answers it.
    """

    id: UUID
    conversation_id: UUID
    seq: int
    kind: MessageKind
    direction: Literal["inbound", "outbound"]
    author_kind: AuthorKind
    author_id: UUID | None
    author_name: str
    text: str
    attachments: tuple[Attachment, ...]
    status: DeliveryStatus | None
    error: MessageError | None
    client_message_id: UUID | None
    occurred_at: datetime
    version: int
    headers: MessageHeaders | None = None
    has_html: bool = False
    quoted: str = ""
    reply_to: Quote | None = None
    unreadable: str = ""
    reactions: tuple[Reaction, ...] = ()
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    change: MessageChange | None = None
    call: CallState | None = None


class Line(msgspec.Struct, frozen=True):
    """What was done to a conversation, shown between its messages; the last three are as they were afterwards."""

    seq: int
    type: Literal[
        "conversation_assigned",
        "conversation_closed",
        "conversation_reopened",
        "conversation_snoozed",
        "conversation_moved",
    ]
    actor_id: UUID | None
    at: datetime
    assignee_id: UUID | None
    inbox_id: UUID
    snoozed_until: datetime | None


class ReadMark(msgspec.Struct, frozen=True):
    conversation_id: UUID
    member_id: UUID
    read_seq: int


class ConversationEvent(msgspec.Struct, frozen=True, tag_field="type"):
    """
    Base of the events that change a conversation.

    Attributes:
        conversation: The whole row afterwards.
        previous_status: Its status before, None when this event opened it; keeps the counts of the tabs.
    """

    conversation: Conversation
    previous_status: ConversationStatus | None


class MessageReceived(ConversationEvent, frozen=True, tag="message_received"):
    contact: Contact
    message: Message


class MessageEchoed(ConversationEvent, frozen=True, tag="message_echoed"):
    """A message our side sent from the vendor's own app."""

    contact: Contact
    message: Message


class MessageQueued(ConversationEvent, frozen=True, tag="message_queued"):
    message: Message


class NoteAdded(ConversationEvent, frozen=True, tag="note_added"):
    message: Message


class ConversationAssigned(ConversationEvent, frozen=True, tag="conversation_assigned"):
    actor_id: UUID | None


class ConversationClosed(ConversationEvent, frozen=True, tag="conversation_closed"):
    actor_id: UUID | None


class ConversationReopened(ConversationEvent, frozen=True, tag="conversation_reopened"):
    actor_id: UUID | None


class ConversationSnoozed(ConversationEvent, frozen=True, tag="conversation_snoozed"):
    actor_id: UUID | None


class ConversationMoved(ConversationEvent, frozen=True, tag="conversation_moved"):
    """
    Moved to another inbox.

    Whoever sees only the old inbox gets ``conversation_removed`` instead; whoever sees only the new one gets this with
    ``previous_status`` null: for them it opened just now.
    """

    contact: Contact
    actor_id: UUID | None


class ConversationRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="conversation_removed"):
    """What an audience is told about a conversation that left its inboxes; never stored, made at delivery."""

    conversation_id: UUID
    previous_status: ConversationStatus | None
    removed: Literal[True] = True


class MessageStatusChanged(msgspec.Struct, frozen=True, tag_field="type", tag="message_status_changed"):
    conversation_id: UUID
    message_id: UUID
    status: DeliveryStatus
    error: MessageError | None


class MessageAttachmentsChanged(msgspec.Struct, frozen=True, tag_field="type", tag="message_attachments_changed"):
    """Files of a message were fetched, or could not be: all of its files as they are now."""

    conversation_id: UUID
    message_id: UUID
    attachments: tuple[Attachment, ...]


class MessageEdited(ConversationEvent, frozen=True, tag="message_edited"):
    """A message says something else now; its whole row, for whoever holds it."""

    message: Message


class MessageDeleted(ConversationEvent, frozen=True, tag="message_deleted"):
    """A message was taken back; its whole row, empty, for whoever holds it."""

    message: Message


class ReactionChanged(msgspec.Struct, frozen=True, tag_field="type", tag="reaction_changed"):
    """All reactions to a message as they are now."""

    conversation_id: UUID
    message_id: UUID
    reactions: tuple[Reaction, ...]


class MessageChangeNoted(msgspec.Struct, frozen=True, tag_field="type", tag="message_change_noted"):
    """A member's change of a message waits for the vendor, was refused, or (None) is no more."""

    conversation_id: UUID
    message_id: UUID
    change: MessageChange | None


class ConversationRead(msgspec.Struct, frozen=True, tag_field="type", tag="conversation_read"):
    """A member's read mark moved (back, when they marked it unread)."""

    conversation_id: UUID
    member_id: UUID
    read_seq: int


InboxEvent = (
    MessageReceived
    | MessageEchoed
    | MessageQueued
    | NoteAdded
    | ConversationAssigned
    | ConversationClosed
    | ConversationReopened
    | ConversationSnoozed
    | ConversationMoved
    | ConversationRemoved
    | MessageStatusChanged
    | MessageAttachmentsChanged
    | MessageEdited
    | MessageDeleted
    | ReactionChanged
    | MessageChangeNoted
    | ConversationRead
)

_RANK = {
    DeliveryStatus.QUEUED: 0,
    DeliveryStatus.SENDING: 1,
    DeliveryStatus.UNKNOWN: 2,
    DeliveryStatus.SENT: 3,
    DeliveryStatus.DELIVERED: 4,
    DeliveryStatus.READ: 5,
}


def advance(old: DeliveryStatus, new: DeliveryStatus) -> DeliveryStatus:
    """
    Join a vendor's receipt to what is known: receipts come in any order, and status only moves forward.

    Args:
        old: The status so far.
        new: What the receipt says.

    Returns:
        The later of the two. ``failed`` never overrides delivered or read; delivered or read override ``failed``.
        ``unknown`` says "perhaps sent": any word of the vendor settles it.
    """
    if new is DeliveryStatus.FAILED:
        return old if old in (DeliveryStatus.DELIVERED, DeliveryStatus.READ) else new
    if old is DeliveryStatus.FAILED:
        return new if new in (DeliveryStatus.DELIVERED, DeliveryStatus.READ) else old
    return new if _RANK[new] > _RANK[old] else old


def make_preview(text: str) -> str:
    """Shorten a text to one line for the list, at most ``PREVIEW_CHARS`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= PREVIEW_CHARS else line[: PREVIEW_CHARS - 1] + "…"
