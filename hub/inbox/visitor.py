"""Events as those see them who may not see all of it: visitors, and members of one inbox at a move. Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from hub.attachments.model import Attachment
from hub.events.model import LoggedEvent
from hub.inbox.model import (
    AuthorKind,
    ConversationMoved,
    ConversationRemoved,
    ConversationStatus,
    Message,
    ReactionChanged,
)
from hub.inbox.rows import MessageRow


class VisitorMessage(msgspec.Struct, frozen=True):
    """A message as the visitor sees it; ``seq`` counts within their conversation."""

    id: UUID
    seq: int
    author_kind: AuthorKind
    author_name: str
    text: str
    occurred_at: datetime
    client_message_id: UUID | None
    attachments: tuple[Attachment, ...] = ()


class MessageAdded(msgspec.Struct, frozen=True, tag_field="type", tag="message_added"):
    message: VisitorMessage


class MessageChanged(msgspec.Struct, frozen=True, tag_field="type", tag="message_changed"):
    """A message says something else, or (``text`` None) was taken back: it is not shown any more."""

    message_id: UUID
    text: str | None


class VisitorReaction(msgspec.Struct, frozen=True):
    emoji: str
    author_kind: str


class VisitorReactions(msgspec.Struct, frozen=True, tag_field="type", tag="reaction_changed"):
    """All reactions to a message as they are now; which member it was is not told."""

    message_id: UUID
    reactions: tuple[VisitorReaction, ...]


class ChatClosed(msgspec.Struct, frozen=True, tag_field="type", tag="conversation_closed"):
    """Our side closed the conversation; writing again reopens it or starts a new one."""


class _WithMessage(msgspec.Struct):
    message: Message


class _Conversation(msgspec.Struct):
    id: UUID


class _Moved(msgspec.Struct):
    conversation: _Conversation
    previous_status: ConversationStatus | None


_with_message = msgspec.json.Decoder(_WithMessage)
_reactions = msgspec.json.Decoder(ReactionChanged)
_moved = msgspec.json.Decoder(_Moved)
_whole_move = msgspec.json.Decoder(ConversationMoved)
_encode = msgspec.json.Encoder().encode


def visitor_view(event: LoggedEvent) -> bytes | None:
    """Return the event's JSON as the conversation's visitor sees it; None for what they may not see."""
    if event.conversation_seq is None:
        return None
    if event.type == "conversation_closed":
        return _encode(ChatClosed())
    if event.type in ("message_edited", "message_deleted"):
        changed = _with_message.decode(event.data).message
        return _encode(MessageChanged(changed.id, None if changed.deleted_at else changed.text))
    if event.type == "reaction_changed":
        told = _reactions.decode(event.data)
        shown = tuple(VisitorReaction(one.emoji, one.author_kind) for one in told.reactions)
        return _encode(VisitorReactions(told.message_id, shown))
    if event.type not in ("message_received", "message_queued", "message_echoed"):
        return None
    message = _with_message.decode(event.data).message
    return _encode(MessageAdded(message=_visitor_message(message, event.conversation_seq)))


def visitor_message(row: MessageRow) -> VisitorMessage:
    """Return a stored message as its visitor sees it; it must have a conversation_seq."""
    return _visitor_message(row.view(), row.conversation_seq or 0)


def removal(event: LoggedEvent) -> bytes:
    """Return what those are told who lose a conversation by a ``conversation_moved`` event."""
    moved = _moved.decode(event.data)
    return _encode(ConversationRemoved(conversation_id=moved.conversation.id, previous_status=moved.previous_status))


def arrival(event: LoggedEvent) -> bytes:
    """Return a ``conversation_moved`` event for those who gain the conversation: to them it opened just now."""
    moved = _whole_move.decode(event.data)
    return _encode(msgspec.structs.replace(moved, previous_status=None))


def _visitor_message(message: Message, conversation_seq: int) -> VisitorMessage:
    return VisitorMessage(
        id=message.id,
        seq=conversation_seq,
        author_kind=message.author_kind,
        author_name=message.author_name,
        text=message.text,
        occurred_at=message.occurred_at,
        client_message_id=message.client_message_id,
        attachments=message.attachments,
    )
