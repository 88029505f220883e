"""What our side writes: messages to the contact with their deliveries, notes, and sending again. Never commits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub import clock
from hub.attachments import actions as uploads
from hub.envelope import DeliveryStatus, TemplateUse, clean_text
from hub.errors import Conflict, InvalidInput, NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox import deliveries, recipients, store
from hub.inbox.files import NOTE_LIMITS, FileLimits, check_sendable, describe
from hub.inbox.mail import base_subject, subject_key
from hub.inbox.marks import Quote
from hub.inbox.model import (
    TEXT_LIMIT_CHARS,
    AuthorKind,
    ConversationEvent,
    MessageHeaders,
    MessageKind,
    MessageQueued,
    MessageStatusChanged,
    NoteAdded,
    make_preview,
)
from hub.inbox.plan import encoder
from hub.inbox.quotes import make_quote
from hub.inbox.rows import ConversationRow, MessageRow
from hub.inbox.windows import Rules, why_refused
from hub.limits import actions as limits

if TYPE_CHECKING:
    from hub.db import TenantConn


class Author(msgspec.Struct, frozen=True, kw_only=True):
    """Who writes: a member, or an AI acting as one."""

    id: UUID
    name: str
    kind: AuthorKind = AuthorKind.MEMBER


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """
    What somebody wants to send.

    Attributes:
        client_message_id: The sending client's own id; sending it again returns the first message.
        text: At most 20,000 characters; none only with files.
        attachment_ids: The author's uploads to send with it, in this order.
        file_limits: What the channel takes.
        seen_seq: Newest seq the author had on screen; a colleague's newer reply then refuses the send.
        reply_to: The message of the same conversation it answers, shown as a quote; None where its author chose none.
        headers: Subject and people, checked (``recipients.check_headers``), on channels that have them.
        rules: When the channel takes what.
        template: Sent as a template; ``text`` is how it reads.
    """

    client_message_id: UUID
    kind: MessageKind
    text: str
    attachment_ids: tuple[UUID, ...] = ()
    file_limits: FileLimits = NOTE_LIMITS
    seen_seq: int | None = None
    priority: str = "interactive"
    headers: MessageHeaders | None = None
    reply_to: UUID | None = None
    rules: Rules = Rules()
    template: TemplateUse | None = None


class Sent(msgspec.Struct, frozen=True):
    message_id: UUID
    seq: int
    conversation_id: UUID


async def queue_message(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, author: Author, draft: Draft
) -> Sent:
    """
    Add a note, or a message to the contact together with its delivery.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        conversation_id: Where.
        author: Who.
        draft: What.

    Returns:
        The message and its seq; the same ones again for a repeated ``client_message_id``.

    Raises:
        InvalidInput: Empty or too long, or a file that cannot be sent.
        NotFound: No such conversation.
        Conflict: Code ``stale``: a colleague replied after ``seen_seq``; ``window_closed``, ``human_only`` or
            ``no_templates``: the channel takes no such message now.
    """
    heads = await events.lock(conn, [workspace_id])
    before = await store.find_sent(conn, workspace_id, author.id, draft.client_message_id)
    if before is not None:
        return Sent(before.id, before.seq, before.conversation_id)
    if draft.kind is MessageKind.MESSAGE:
        await limits.require_message_room(conn, workspace_id)
    text = _check_text(draft)
    files = await uploads.read_uploads(conn, workspace_id, draft.attachment_ids, author.id)
    check_sendable(files, draft.file_limits)
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if draft.kind is MessageKind.MESSAGE and draft.seen_seq is not None:
        await _refuse_stale(conn, row, draft.seen_seq, author)
    _refuse_untaken(row, author, draft)
    now, seq = clock.now(), heads[workspace_id] + 1
    message = _make_message(row, author, draft, text=text, seq=seq, now=now)
    quote = await _quote(conn, row, draft.reply_to) if draft.reply_to is not None else None
    message = msgspec.structs.replace(message, attachments=files, reply_to=quote)
    is_reply = message.kind is MessageKind.MESSAGE
    changed = msgspec.structs.replace(
        row,
        **_subject_of(draft.headers),
        preview=make_preview(text or describe(files)),
        preview_author_kind=author.kind,
        last_activity_at=now,
        last_outbound_seq=seq if is_reply else row.last_outbound_seq,
        visitor_seq=row.visitor_seq + 1 if is_reply else row.visitor_seq,
        version=seq,
    )
    await store.write_message(conn, message)
    if files:
        place = (row.id, row.channel_account_id)
        await uploads.send_uploads(
            conn, draft.attachment_ids, author.id, message=(workspace_id, message.id), place=place
        )
    await store.write_conversation(conn, changed)
    body: ConversationEvent
    if is_reply:
        await deliveries.enqueue(conn, changed, message, draft.priority)
        body = MessageQueued(conversation=changed.view(), previous_status=row.status, message=message.view())
    else:
        body = NoteAdded(conversation=changed.view(), previous_status=row.status, message=message.view())
    event = make_event(changed, body, actor_id=author.id, conversation_seq=message.conversation_seq)
    await events.append(conn, heads, [event])
    if message.headers is not None:
        await recipients.add_people(conn, heads, changed, message.headers)
    return Sent(message.id, seq, row.id)


async def retry_message(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, message_id: UUID, *, actor_id: UUID
) -> int:
    """
    Send a failed or unconfirmed message again, because a member asked for it.

    Returns:
        The seq of the change.

    Raises:
        Conflict: The message is neither failed nor unconfirmed.
    """
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    message = await store.get_message(conn, workspace_id, message_id)
    if message.conversation_id != row.id:
        raise NotFound("message")
    if message.deleted_at is not None or message.status not in (DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN):
        raise Conflict("Only a message that failed or was not confirmed can be sent again.")
    await deliveries.abandon(conn, message)
    seq = heads[workspace_id] + 1
    again = msgspec.structs.replace(
        message, status=DeliveryStatus.QUEUED, error_code=None, error_message=None, version=seq
    )
    await store.write_message_status(conn, again)
    await deliveries.enqueue(conn, row, again, "interactive")
    body = MessageStatusChanged(conversation_id=row.id, message_id=message.id, status=DeliveryStatus.QUEUED, error=None)
    event = NewEvent(
        workspace_id=workspace_id,
        type="message_status_changed",
        data=encoder.encode(body),
        occurred_at=clock.now(),
        inbox_id=row.inbox_id,
        conversation_id=row.id,
        contact_id=row.contact_id,
        actor_id=actor_id,
    )
    await events.append(conn, heads, [event])
    return seq


async def _quote(conn: TenantConn, row: ConversationRow, message_id: UUID) -> Quote:
    quoted = await store.get_message(conn, row.workspace_id, message_id)
    if quoted.conversation_id != row.id or quoted.deleted_at is not None or quoted.kind is MessageKind.NOTE:
        raise InvalidInput("reply_to", "There is no such message to answer in this conversation.")
    return make_quote(quoted)


def _check_text(draft: Draft) -> str:
    text = clean_text(draft.text)
    if not text.strip() and not draft.attachment_ids:
        raise InvalidInput("text", "Write something first.")
    if len(text) > TEXT_LIMIT_CHARS:
        raise InvalidInput("text", f"At most {TEXT_LIMIT_CHARS} characters, this has {len(text)}.")
    if draft.kind not in (MessageKind.MESSAGE, MessageKind.NOTE):
        raise InvalidInput("kind", "Must be message or note.")
    return text


async def _refuse_stale(conn: TenantConn, row: ConversationRow, seen_seq: int, author: Author) -> None:
    """Stop a reply written before a colleague's newer one was seen: the customer would get two answers."""
    newer = await store.newest_reply(conn, row, seen_seq, author.id)
    if newer is None:
        return
    error = Conflict(f"{newer.author_name or 'Somebody'} replied meanwhile. Read it before you send yours.")
    error.code = "stale"
    raise error


def _refuse_untaken(row: ConversationRow, author: Author, draft: Draft) -> None:
    """Refuse now what the channel would refuse later: the author can still do something about it."""
    if draft.kind is not MessageKind.MESSAGE:
        return
    is_human = author.kind is AuthorKind.MEMBER
    why = why_refused(draft.rules, row.window_expires_at, is_human=is_human, template=draft.template, now=clock.now())
    if why is not None:
        error = Conflict(why.message)
        error.code = why.code
        raise error


def _make_message(
    row: ConversationRow, author: Author, draft: Draft, *, text: str, seq: int, now: datetime
) -> MessageRow:
    is_reply = draft.kind is MessageKind.MESSAGE
    return MessageRow(
        workspace_id=row.workspace_id,
        id=clock.new_id(),
        conversation_id=row.id,
        channel_account_id=row.channel_account_id,
        seq=seq,
        version=seq,
        kind=draft.kind,
        direction="outbound",
        author_kind=author.kind,
        author_id=author.id,
        author_name=author.name,
        text=text,
        client_message_id=draft.client_message_id,
        status=DeliveryStatus.QUEUED if is_reply else None,
        conversation_seq=row.visitor_seq + 1 if is_reply else None,
        occurred_at=now,
        created_at=now,
        headers=draft.headers if is_reply else None,
        template=draft.template if is_reply else None,
    )


def _subject_of(headers: MessageHeaders | None) -> dict[str, str]:
    base = base_subject(headers.subject) if headers else ""
    return {"subject": base, "subject_key": subject_key(base)} if base else {}


def make_event(
    row: ConversationRow, body: ConversationEvent, *, actor_id: UUID | None, conversation_seq: int | None = None
) -> NewEvent:
    """Make the event of a changed conversation; ``conversation_seq`` only where its visitor is told too."""
    return NewEvent(
        workspace_id=row.workspace_id,
        type=str(body.__struct_config__.tag),
        data=encoder.encode(body),
        occurred_at=clock.now(),
        inbox_id=row.inbox_id,
        conversation_id=row.id,
        conversation_seq=conversation_seq,
        contact_id=row.contact_id,
        actor_id=actor_id,
    )
