"""The message an item is about: finding it, keeping its newest state, waiting where it is not here yet. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.envelope import InboundItem
from hub.inbox.batch import Outcome, OutcomeKind, ReceivedItem, dedupe_key
from hub.inbox.rows import ConversationRow, MessageRow, PendingRow, SeenRow, TargetRow, ThreadRow

if TYPE_CHECKING:
    from uuid import UUID

    from hub.inbox.plan import Plan

REFERENCE_LIMIT_CHARS = 1000

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InboundItem).decode


def find_target(plan: Plan, received: ReceivedItem) -> TargetRow | None:
    """Find the message an item is about, or is."""
    for reference in (received.item.correlation_id, received.item.target_external_id, received.item.external_id):
        key = (received.workspace_id, received.channel_account_id, reference or "")
        if reference and (found := plan.known.targets.get(key)) is not None:
            return found
    return None


def wait(plan: Plan, received: ReceivedItem) -> Outcome:
    """Keep an item until its message comes. Ours are here before they are sent: only the vendor's id can be missing."""
    reference = received.item.target_external_id
    if not reference or len(reference) > REFERENCE_LIMIT_CHARS:
        return Outcome(kind=OutcomeKind.UNMATCHED)
    row = PendingRow(
        workspace_id=received.workspace_id,
        id=plan.new_id(),
        channel_account_id=received.channel_account_id,
        reference=reference,
        dedupe_key=dedupe_key(received),
        item=_encode(received.item),
        created_at=plan.now,
    )
    plan.writes.pending.append(row)
    plan.known.pending.setdefault((row.workspace_id, row.channel_account_id, reference), []).append(row)
    return Outcome(kind=OutcomeKind.PENDING)


def decode_item(row: PendingRow) -> InboundItem:
    """Return the item that was kept."""
    return _decode(row.item)


def note_seen(plan: Plan, received: ReceivedItem, outcome: Outcome) -> None:
    """Remember an item that became an event: the same one later in the batch is a duplicate."""
    if outcome.seq is None:
        return
    key = (received.workspace_id, dedupe_key(received))
    plan.known.seen[key] = SeenRow(
        workspace_id=key[0],
        dedupe_key=key[1],
        seq=outcome.seq,
        conversation_id=outcome.conversation_id,
        message_id=outcome.message_id,
    )


def keep_target(plan: Plan, target: TargetRow, changed: MessageRow) -> bool:
    """Keep a message's newest state for the rest of the batch; returns whether the batch itself adds the message."""
    row = TargetRow(message=changed, inbox_id=target.inbox_id, contact_id=target.contact_id)
    for reference in (str(changed.id), changed.external_id):
        if reference:
            plan.known.targets[changed.workspace_id, changed.channel_account_id, reference] = row
    key = (changed.workspace_id, changed.id)
    for rows in (plan.writes.messages, plan.writes.statuses, plan.writes.changed):
        if key in rows:
            rows[key] = changed
    return key in plan.writes.messages


def conversation_of(plan: Plan, message: MessageRow) -> ConversationRow | None:
    """Return the newest state of a message's conversation, None where it was not read."""
    key = (message.workspace_id, message.conversation_id)
    found = plan.writes.conversations.get(key) or plan.known.rows.get(key)
    if found is None and (thread := plan.known.conversations.get(key)) is not None:
        return thread.conversation
    return found


def keep_conversation(plan: Plan, row: ConversationRow) -> None:
    """Keep a conversation's newest state for the rest of the batch, wherever it is looked up."""
    key = (row.workspace_id, row.id)
    plan.writes.conversations[key] = row
    place = (row.workspace_id, row.channel_account_id, row.thread_key)
    held = plan.known.threads.get(place)
    if held is not None and held.id == row.id:
        plan.known.threads[place] = row
    if (thread := plan.known.conversations.get(key)) is not None:
        plan.known.conversations[key] = ThreadRow(row, thread.contact, thread.participants)


def message_id_of(plan: Plan, received: ReceivedItem, external_id: str | None) -> UUID | None:
    """Return our id of a message the vendor names, None where we do not have it."""
    found = plan.known.targets.get((received.workspace_id, received.channel_account_id, external_id or ""))
    return found.message.id if found is not None and external_id else None
