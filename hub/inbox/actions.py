"""Every change of a conversation: receive, queue, assign, close, snooze, move, read. Actions never commit."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub import clock
from hub.attachments import store as attachments
from hub.contacts import profiles
from hub.contacts.store import get_contact
from hub.envelope import DeliveryStatus, ItemKind
from hub.errors import Conflict, InvalidInput
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox import change_store, deliveries, mail_store, store, threads
from hub.inbox.batch import (
    Clockwork,
    Outcome,
    ReceivedItem,
    dedupe_key,
    ids_needed,
    named_people,
    sender_key,
    thread_key,
)
from hub.inbox.files import file_ids_needed
from hub.inbox.model import (
    ConversationAssigned,
    ConversationClosed,
    ConversationMoved,
    ConversationRead,
    ConversationReopened,
    ConversationSnoozed,
    ConversationStatus,
    ReadMark,
)
from hub.inbox.plan import encoder
from hub.inbox.receive import Planner
from hub.inbox.replies import make_event
from hub.inbox.rows import ConversationRow
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.db import TenantConn

_log = get_logger("hub.inbox")

SNOOZE_LIMIT = timedelta(days=366)
_NAMING = frozenset({ItemKind.MESSAGE, ItemKind.CONSENT, ItemKind.REACTION})


async def receive(conn: TenantConn, batch: Sequence[ReceivedItem], *, now: datetime | None = None) -> list[Outcome]:
    """
    Store a batch of parsed items, each once, in the order given.

    Args:
        conn: A transaction for all workspaces of the batch.
        batch: 1-200 items, of one or many workspaces; may repeat each other and what came before.
        now: When they came; the clock's time when left out. Earlier for a history that is filled in afterwards.

    Returns:
        One outcome an item.

    Raises:
        MalformedPayload: An item cannot be stored; nothing of the batch was.
        Unavailable: Try the whole batch again.
    """
    heads = await events.lock(conn, [one.workspace_id for one in batch])
    known = await store.read_known(conn, _mentioned(batch))
    now = now or clock.now()
    if mails := [one for one in batch if one.item.thread]:
        await mail_store.read_threads(conn, known, _claims(mails, now))
    await change_store.read_changing(conn, known, batch, now)
    clockwork = Clockwork(now, clock.new_ids(sum(ids_needed(one) + file_ids_needed(one) for one in batch)))
    planner = Planner(known, heads, clockwork)
    outcomes = planner.plan(list(batch))
    writes = planner.writes
    await store.write_batch(conn, writes)
    await change_store.write_changes(conn, writes)
    if writes.profiles:
        await profiles.want(conn, list(writes.profiles.values()), now)
    if writes.attachments:
        await attachments.insert(conn, writes.attachments)
    await mail_store.write_mail(conn, writes)
    await events.append(conn, heads, writes.events)
    await change_store.erase_deleted(conn, writes)
    if dropped := await mail_store.write_pending(conn, writes):
        _log.warning("early_items_dropped", dropped=dropped, workspace_ids=sorted(heads))
    return outcomes


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
    return await _change(conn, heads, changed, make_event(changed, body, actor_id=actor_id))


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
    event = make_event(changed, body, actor_id=actor_id, conversation_seq=changed.visitor_seq)
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
    return await _change(conn, heads, changed, make_event(changed, body, actor_id=actor_id))


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
    return await _change(conn, heads, changed, make_event(changed, body, actor_id=actor_id))


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
    await _change(conn, heads, changed, make_event(changed, body, actor_id=None))
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
    body = ConversationMoved(
        conversation=changed.view(),
        previous_status=row.status,
        contact=await get_contact(conn, workspace_id, row.contact_id),
        actor_id=actor_id,
    )
    event = msgspec.structs.replace(make_event(changed, body, actor_id=actor_id), former_inbox_id=row.inbox_id)
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
        item = one.item
        for reference in (item.external_id, item.target_external_id, item.reply_to_external_id):
            if reference:
                external[one.workspace_id, one.channel_account_id, reference] = None
        if one.item.correlation_id and (message_id := _uuid(one.item.correlation_id)):
            ours[one.workspace_id, one.channel_account_id, message_id] = None
    messages = [one for one in batch if one.item.kind is ItemKind.MESSAGE]
    people = [one for one in batch if one.item.kind in _NAMING]
    identities = {
        sender_key(one.workspace_id, identity): None
        for one in people
        if one.item.sender
        for identity in (one.item.sender, *one.item.sender.aliases, *named_people(one.item))
    }
    return store.Mentioned(
        items=list({(one.workspace_id, dedupe_key(one)): None for one in batch}),
        accounts=list({(one.workspace_id, one.channel_account_id): None for one in messages}),
        identities=list(identities),
        threads=list({thread_key(one): None for one in messages if one.item.thread is None}),
        external_ids=list(external),
        message_ids=list(ours),
    )


def _claims(mails: Sequence[ReceivedItem], now: datetime) -> mail_store.Claims:
    """Gather what mails say about where they belong."""
    ids: dict[tuple[int, UUID], None] = {}
    references: dict[tuple[int, UUID, str], None] = {}
    subjects: dict[tuple[int, UUID, str], None] = {}
    keys: dict[tuple[int, UUID, str], None] = {}
    for one in mails:
        here = (one.workspace_id, one.channel_account_id)
        ids |= dict.fromkeys((one.workspace_id, claimed) for claimed in threads.claimed_ids(one))
        references |= dict.fromkeys((*here, reference) for reference in threads.references(one))
        keys |= dict.fromkeys(threads.thread_keys(one))
        if subject := threads.fallback_subject(one):
            subjects[*here, subject] = None
    return mail_store.Claims(
        workspace_ids=sorted({one.workspace_id for one in mails}),
        conversation_ids=list(ids),
        references=list(references),
        subjects=list(subjects),
        subjects_since=now - timedelta(days=threads.SUBJECT_DAYS),
        threads=list(keys),
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def _change(
    conn: TenantConn, heads: dict[int, int], changed: ConversationRow, event: NewEvent
) -> ConversationRow:
    await store.write_conversation(conn, changed)
    await events.append(conn, heads, [event])
    return changed
