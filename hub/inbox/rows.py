"""Rows as the database keeps them, with the columns members do not see, and what they look like to members. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from hub.contacts.model import Contact
from hub.envelope import CallState, DeliveryStatus, TemplateUse
from hub.inbox.marks import MessageChange, Quote, ReactionMark, shown
from hub.inbox.model import (
    Attachment,
    AuthorKind,
    Conversation,
    ConversationStatus,
    Message,
    MessageError,
    MessageHeaders,
    MessageKind,
)


class ConversationRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row of ``conversation``.

    Attributes:
        thread_key: The vendor's thread on this channel account.
        identity_scheme: With scope and value: the contact's address that replies go to.
        subject_key: The subject as it is compared, empty on channels without.
        visitor_seq: Number of the newest event the visitor may see.
    """

    workspace_id: int
    id: UUID
    inbox_id: UUID
    channel_account_id: UUID
    channel: str
    thread_key: str
    contact_id: UUID
    identity_scheme: str
    identity_scope: str
    identity_value: str
    status: ConversationStatus
    assignee_id: UUID | None = None
    snoozed_until: datetime | None = None
    subject: str = ""
    subject_key: str = ""
    preview: str = ""
    preview_author_kind: AuthorKind = AuthorKind.CONTACT
    last_activity_at: datetime
    last_inbound_at: datetime | None = None
    last_inbound_seq: int = 0
    last_outbound_seq: int = 0
    visitor_seq: int = 0
    created_at: datetime
    closed_at: datetime | None = None
    window_expires_at: datetime | None = None
    version: int = 0

    def view(self) -> Conversation:
        """Return the row as members see it."""
        return Conversation(
            id=self.id,
            inbox_id=self.inbox_id,
            channel_account_id=self.channel_account_id,
            channel=self.channel,
            contact_id=self.contact_id,
            status=self.status,
            assignee_id=self.assignee_id,
            snoozed_until=self.snoozed_until,
            subject=self.subject,
            preview=self.preview,
            preview_author_kind=self.preview_author_kind,
            last_activity_at=self.last_activity_at,
            last_inbound_seq=self.last_inbound_seq,
            last_outbound_seq=self.last_outbound_seq,
            created_at=self.created_at,
            version=self.version,
            window_expires_at=self.window_expires_at,
        )


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row of ``message``.

    Attributes:
        conversation_seq: Its number for the visitor, if they may see it.
        edit_revision: With ``edited_at`` the place of its newest edit among those that may still come; of a call, of
            the newest word on it.
        reactions: Every mark, taken back ones too.
    """

    workspace_id: int
    id: UUID
    conversation_id: UUID
    channel_account_id: UUID
    seq: int
    version: int
    kind: MessageKind
    direction: Literal["inbound", "outbound"]
    author_kind: AuthorKind
    author_id: UUID | None = None
    author_name: str = ""
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    external_id: str | None = None
    client_message_id: UUID | None = None
    status: DeliveryStatus | None = None
    error_code: str | None = None
    error_message: str | None = None
    conversation_seq: int | None = None
    occurred_at: datetime
    created_at: datetime
    headers: MessageHeaders | None = None
    has_html: bool = False
    quoted: str = ""
    reply_to: Quote | None = None
    unreadable: str = ""
    reactions: tuple[ReactionMark, ...] = ()
    edit_revision: int = 0
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    change: MessageChange | None = None
    template: TemplateUse | None = None
    call: CallState | None = None

    def view(self) -> Message:
        """Return the row as members see it."""
        return Message(
            id=self.id,
            conversation_id=self.conversation_id,
            seq=self.seq,
            kind=self.kind,
            direction=self.direction,
            author_kind=self.author_kind,
            author_id=self.author_id,
            author_name=self.author_name,
            text=self.text,
            attachments=self.attachments,
            status=self.status,
            error=self.error(),
            client_message_id=self.client_message_id,
            occurred_at=self.occurred_at,
            version=self.version,
            headers=self.headers,
            has_html=self.has_html,
            quoted=self.quoted,
            reply_to=self.reply_to,
            unreadable=self.unreadable,
            reactions=shown(self.reactions),
            # What becomes of a call is no edit of it.
            edited_at=None if self.kind is MessageKind.CALL else self.edited_at,
            deleted_at=self.deleted_at,
            change=self.change,
            call=self.call,
        )

    def error(self) -> MessageError | None:
        """Return why it failed, if it did."""
        if self.error_code is None:
            return None
        return MessageError(code=self.error_code, message=self.error_message or "")


class TargetRow(msgspec.Struct, frozen=True):
    """A message that a receipt points at, with the inbox of its conversation."""

    message: MessageRow
    inbox_id: UUID
    contact_id: UUID


class IdentityRow(msgspec.Struct, frozen=True):
    """An identity somebody in the batch wrote from, and the contact it belongs to."""

    workspace_id: int
    scheme: str
    scope: str
    value: str
    contact: Contact


class ThreadRow(msgspec.Struct, frozen=True):
    """A conversation a mail may belong to, its contact, and everybody in it (the contact too)."""

    conversation: ConversationRow
    contact: Contact
    participants: frozenset[UUID]


class PendingRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``pending_reference``: an item kept until the message it is about comes."""

    workspace_id: int
    id: UUID
    channel_account_id: UUID
    reference: str
    dedupe_key: str
    item: bytes
    created_at: datetime


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``message_version``: what a message said from ``written_at`` until it was edited."""

    workspace_id: int
    message_id: UUID
    id: UUID
    revision: int
    text: str
    written_at: datetime


class AccountRow(msgspec.Struct, frozen=True):
    """What receiving needs to know of a channel account and its inbox."""

    workspace_id: int
    id: UUID
    inbox_id: UUID
    channel: str
    status: str
    reopen_days: int


class SeenRow(msgspec.Struct, frozen=True):
    """An item that was received before: the event it became, and the message, if it made one."""

    workspace_id: int
    dedupe_key: str
    seq: int
    conversation_id: UUID | None
    message_id: UUID | None
