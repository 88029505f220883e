"""Every change of a conversation: receive, queue, assign, close, snooze, move, read. Actions never commit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub import clock
from hub.envelope import DeliveryStatus, ItemKind, clean_text
from hub.errors import Conflict, InvalidInput, NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox import deliveries, store
from hub.inbox.model import (
    TEXT_LIMIT_CHARS,
    AuthorKind,
    ConversationAssigned,
    ConversationClosed,
    ConversationEvent,
    ConversationMoved,
    ConversationRead,
    ConversationReopened,
    ConversationSnoozed,
    ConversationStatus,
    MessageKind,
    MessageQueued,
    MessageStatusChanged,
    NoteAdded,
    ReadMark,
    make_preview,
)
from hub.inbox.receive import (
    IDS_PER_ITEM,
    Clockwork,
    Outcome,
    Planner,
    ReceivedItem,
    dedupe_key,
    encoder,
    sender_key,
    thread_key,
)
from hub.inbox.rows import ConversationRow, MessageRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.db import TenantConn

SNOOZE_LIMIT = timedelta(days=366)


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
        text: 1-20,000 characters.
        seen_seq: Newest seq the author had on screen; a colleague's newer reply then refuses the send.
    """

    client_message_id: UUID
    kind: MessageKind
    text: str
    seen_seq: int | None = None
    priority: str = "interactive"


class Sent(msgspec.Struct, frozen=True):
    message_id: UUID
    seq: int
    conversation_id: UUID


async def receive(conn: TenantConn, batch: Sequence[ReceivedItem]) -> list[Outcome]:
    """
    Store a batch of parsed items, each once, in the order given.

    Args:
        conn: A transaction for all workspaces of the batch.
        batch: 1-200 items, of one or many workspaces; may repeat each other and what came before.

    Returns:
        One outcome an item.

    Raises:
        MalformedPayload: An item cannot be stored; nothing of the batch was.
        Unavailable: Try the whole batch again.
    """
    heads = await events.lock(conn, [one.workspace_id for one in batch])
    known = await store.read_known(conn, _mentioned(batch))
    clockwork = Clockwork(clock.now(), [clock.new_id() for _ in range(IDS_PER_ITEM * len(batch))])
    planner = Planner(known, heads, clockwork)
    outcomes = planner.plan(list(batch))
    writes = planner.writes
    if writes.messages or writes.statuses or writes.contacts:
        await store.write_batch(conn, writes)
        await events.append(conn, heads, writes.events)
    return outcomes


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
        InvalidInput: Empty or too long.
        NotFound: No such conversation.
        Conflict: Code ``stale``: a colleague replied after ``seen_seq``.
    """
    heads = await events.lock(conn, [workspace_id])
    before = await store.find_sent(conn, workspace_id, author.id, draft.client_message_id)
    if before is not None:
        return Sent(before.id, before.seq, before.conversation_id)
    text = _check_text(draft)
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if draft.kind is MessageKind.MESSAGE and draft.seen_seq is not None:
        await _refuse_stale(conn, row, draft.seen_seq, author)
    now, seq = clock.now(), heads[workspace_id] + 1
    message = _make_message(row, author, draft, text=text, seq=seq, now=now)
    is_reply = message.kind is MessageKind.MESSAGE
    changed = msgspec.structs.replace(
        row,
        preview=make_preview(text),
        preview_author_kind=author.kind,
        last_activity_at=now,
        last_outbound_seq=seq if is_reply else row.last_outbound_seq,
        visitor_seq=row.visitor_seq + 1 if is_reply else row.visitor_seq,
        version=seq,
    )
    await store.write_message(conn, message)
    await store.write_conversation(conn, changed)
    body: ConversationEvent
    if is_reply:
        await deliveries.enqueue(conn, changed, message, draft.priority)
        body = MessageQueued(conversation=changed.view(), previous_status=row.status, message=message.view())
    else:
        body = NoteAdded(conversation=changed.view(), previous_status=row.status, message=message.view())
    event = _event(changed, body, actor_id=author.id, conversation_seq=message.conversation_seq)
    await events.append(conn, heads, [event])
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
    if message.status not in (DeliveryStatus.FAILED, DeliveryStatus.UNKNOWN):
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


async def assign(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, assignee_id: UUID | None, *, actor_id: UUID | None
) -> ConversationRow:
    """Give a conversation to a member, or to nobody; returns the row afterwards. No event when nothing changes."""
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if row.assignee_id == assignee_id:
        return row
    seq = heads[workspace_id] + 1
    changed = msgspec.structs.replace(row, assignee_id=assignee_id, version=seq)
    body = ConversationAssigned(conversation=changed.view(), previous_status=row.status, actor_id=actor_id)
    return await _change(conn, heads, changed, _event(changed, body, actor_id=actor_id))


async def close(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, *, actor_id: UUID | None
) -> ConversationRow:
    """Close a conversation; its visitor is told. No event when it is closed already."""
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if row.status is ConversationStatus.CLOSED:
        return row
    changed = msgspec.structs.replace(
        row,
        status=ConversationStatus.CLOSED,
        snoozed_until=None,
        closed_at=clock.now(),
        visitor_seq=row.visitor_seq + 1,
        version=heads[workspace_id] + 1,
    )
    body = ConversationClosed(conversation=changed.view(), previous_status=row.status, actor_id=actor_id)
    event = _event(changed, body, actor_id=actor_id, conversation_seq=changed.visitor_seq)
    return await _change(conn, heads, changed, event)


async def reopen(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, *, actor_id: UUID | None
) -> ConversationRow:
    """
    Open a closed, snoozed or pending conversation. No event when it is open already.

    Raises:
        Conflict: The same thread already has a newer open conversation.
    """
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if row.status is ConversationStatus.OPEN:
        return row
    newest = await store.find_thread(conn, workspace_id, row.channel_account_id, row.thread_key)
    if newest is not None and newest.id != row.id and newest.status is not ConversationStatus.CLOSED:
        raise Conflict("This contact already has a newer open conversation here. Reply there instead.")
    changed = msgspec.structs.replace(
        row, status=ConversationStatus.OPEN, snoozed_until=None, closed_at=None, version=heads[workspace_id] + 1
    )
    body = ConversationReopened(conversation=changed.view(), previous_status=row.status, actor_id=actor_id)
    return await _change(conn, heads, changed, _event(changed, body, actor_id=actor_id))


async def snooze(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, until: datetime, *, actor_id: UUID | None
) -> ConversationRow:
    """
    Put a conversation aside until a moment, or until the contact writes.

    Raises:
        InvalidInput: ``until`` is not in the future, or more than a year away.
        Conflict: The conversation is closed.
    """
    now = clock.now()
    if until <= now or until - now > SNOOZE_LIMIT:
        raise InvalidInput("snoozed_until", "Choose a time in the future, at most a year away.")
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if row.status is ConversationStatus.CLOSED:
        raise Conflict("The conversation is closed. Reopen it first.")
    if row.snoozed_until == until:
        return row
    changed = msgspec.structs.replace(
        row, status=ConversationStatus.SNOOZED, snoozed_until=until, version=heads[workspace_id] + 1
    )
    body = ConversationSnoozed(conversation=changed.view(), previous_status=row.status, actor_id=actor_id)
    return await _change(conn, heads, changed, _event(changed, body, actor_id=actor_id))


async def wake_snoozed(conn: TenantConn, workspace_id: int, conversation_id: UUID) -> bool:
    """Open a snoozed conversation whose time has come; returns whether it did (somebody may have been faster)."""
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if row.snoozed_until is None or row.snoozed_until > clock.now():
        return False
    changed = msgspec.structs.replace(
        row,
        status=ConversationStatus.OPEN,
        snoozed_until=None,
        last_activity_at=clock.now(),
        version=heads[workspace_id] + 1,
    )
    body = ConversationReopened(conversation=changed.view(), previous_status=row.status, actor_id=None)
    await _change(conn, heads, changed, _event(changed, body, actor_id=None))
    return True


async def move(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, inbox_id: UUID, *, actor_id: UUID | None
) -> ConversationRow:
    """Move a conversation to another inbox; whoever sees only the old one loses it."""
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    if row.inbox_id == inbox_id:
        return row
    changed = msgspec.structs.replace(row, inbox_id=inbox_id, version=heads[workspace_id] + 1)
    body = ConversationMoved(conversation=changed.view(), previous_status=row.status, actor_id=actor_id)
    event = msgspec.structs.replace(_event(changed, body, actor_id=actor_id), former_inbox_id=row.inbox_id)
    return await _change(conn, heads, changed, event)


async def mark_read(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, member_id: UUID, read_seq: int
) -> int | None:
    """
    Move a member's read mark, forward or (to mark it unread) back.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        conversation_id: Which conversation.
        member_id: Whose mark.
        read_seq: Everything up to this seq is read, 0 or more; not beyond the workspace's newest.

    Returns:
        The seq of the change, None when nothing changed.
    """
    if read_seq < 0:
        raise InvalidInput("seq", "Must be 0 or more.")
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    mark = ReadMark(row.id, member_id, min(read_seq, heads[workspace_id]))
    if not await store.put_read_mark(conn, workspace_id, mark):
        return None
    body = ConversationRead(conversation_id=row.id, member_id=member_id, read_seq=mark.read_seq)
    event = NewEvent(
        workspace_id=workspace_id,
        type="conversation_read",
        data=encoder.encode(body),
        occurred_at=clock.now(),
        inbox_id=row.inbox_id,
        conversation_id=row.id,
        actor_id=member_id,
    )
    logged = await events.append(conn, heads, [event])
    return logged[0].seq


async def record_visitor_read(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, conversation_seq: int
) -> None:
    """Note that a live-chat visitor has seen our messages up to ``conversation_seq``."""
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    await deliveries.note_status(
        conn, heads, row, await store.unread_outbound(conn, row, conversation_seq), DeliveryStatus.READ
    )


def _mentioned(batch: Sequence[ReceivedItem]) -> store.Mentioned:
    external: dict[tuple[int, UUID, str], None] = {}
    ours: dict[tuple[int, UUID, UUID], None] = {}
    for one in batch:
        for reference in (one.item.external_id, one.item.target_external_id):
            if reference:
                external[one.workspace_id, one.channel_account_id, reference] = None
        if one.item.correlation_id and (message_id := _uuid(one.item.correlation_id)):
            ours[one.workspace_id, one.channel_account_id, message_id] = None
    messages = [one for one in batch if one.item.kind is ItemKind.MESSAGE]
    identities = {
        sender_key(one.workspace_id, identity): None
        for one in messages
        if one.item.sender
        for identity in (one.item.sender, *one.item.sender.aliases)
    }
    return store.Mentioned(
        items=list({(one.workspace_id, dedupe_key(one)): None for one in batch}),
        accounts=list({(one.workspace_id, one.channel_account_id): None for one in messages}),
        identities=list(identities),
        threads=list({thread_key(one): None for one in messages}),
        external_ids=list(external),
        message_ids=list(ours),
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _check_text(draft: Draft) -> str:
    text = clean_text(draft.text)
    if not text.strip():
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
    )


def _event(
    row: ConversationRow, body: ConversationEvent, *, actor_id: UUID | None, conversation_seq: int | None = None
) -> NewEvent:
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


async def _change(
    conn: TenantConn, heads: dict[int, int], changed: ConversationRow, event: NewEvent
) -> ConversationRow:
    await store.write_conversation(conn, changed)
    await events.append(conn, heads, [event])
    return changed
