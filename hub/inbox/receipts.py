"""What vendors say about messages we sent, and about whom we may not write to; early words wait. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import msgspec

from hub.envelope import DeliveryStatus, Identity, InboundItem, Receipt
from hub.errors import ErrorClass, MalformedPayload
from hub.events.model import NewEvent
from hub.inbox.batch import Outcome, OutcomeKind, ReceivedItem, Suppress, dedupe_key, sender_key
from hub.inbox.model import MessageStatusChanged, advance
from hub.inbox.plan import Plan, encoder
from hub.inbox.rows import MessageRow, PendingRow, SeenRow, TargetRow

if TYPE_CHECKING:
    from hub.contacts.model import Contact

REFERENCE_LIMIT_CHARS = 1000
# A full mailbox exists, and may be emptied. Source: RFC 3463 section 3.3 (X.2.2), RFC 5321 section 4.2.2 (552).
FULL_MAILBOX = ("5.2.2", "552")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(InboundItem).decode


def plan_receipt(plan: Plan, received: ReceivedItem) -> Outcome:
    """Advance the message a receipt is about; one that is not here yet is waited for."""
    receipt = received.item.receipt
    target = find_target(plan, received)
    if receipt is None:
        raise MalformedPayload("a receipt without a status", field="receipt")
    if target is None:
        return _wait(plan, received)
    if target.message.status is None:
        return Outcome(kind=OutcomeKind.UNMATCHED)
    if (suppress := suppress_bounced(received, target.message)) is not None:
        plan.writes.consents.append(suppress)
    return _advance(plan, received, target, receipt)


def plan_echo(plan: Plan, received: ReceivedItem, target: TargetRow) -> Outcome | None:
    """Settle a send whose answer was lost by the copy the vendor keeps of it; None where it tells nothing new."""
    if target.message.status not in (DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN):
        return None
    taken = msgspec.structs.replace(received.item, target_external_id=received.item.external_id)
    return _advance(plan, msgspec.structs.replace(received, item=taken), target, Receipt(status=DeliveryStatus.SENT))


def apply_pending(plan: Plan, received: ReceivedItem, external_id: str | None) -> None:
    """Apply what waited for a message that has just become known under its vendor's id, in the order it came."""
    if not external_id:
        return
    key = (received.workspace_id, received.channel_account_id, external_id)
    for row in plan.known.pending.pop(key, ()):
        if row in plan.writes.pending:
            plan.writes.pending.remove(row)
        else:
            plan.writes.pending_done.append((row.workspace_id, row.id))
        early = msgspec.structs.replace(received, item=decode_item(row), formatted=None)
        if (early.workspace_id, dedupe_key(early)) not in plan.known.seen:
            note_seen(plan, early, plan_receipt(plan, early))


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


def decode_item(row: PendingRow) -> InboundItem:
    """Return the item that was kept."""
    return _decode(row.item)


def find_target(plan: Plan, received: ReceivedItem) -> TargetRow | None:
    """Find the message an item is about, or is."""
    for reference in (received.item.correlation_id, received.item.target_external_id, received.item.external_id):
        key = (received.workspace_id, received.channel_account_id, reference or "")
        if reference and (found := plan.known.targets.get(key)) is not None:
            return found
    return None


def plan_consent(plan: Plan, received: ReceivedItem) -> Outcome:
    """
    Write down that somebody wants no more from this account: a complaint about a message, or a STOP of its own.

    Anybody can send us a complaint about anybody: it counts about a message of ours that went to whom it names. What
    names no message counts where the vendor itself told us, not where it came as somebody's report.
    """
    item, sender, state = received.item, received.item.sender, received.item.consent
    if sender is None or not sender.value or state not in ("stop", "start"):
        raise MalformedPayload("a consent without an address or a state", field="consent")
    names_message = bool(item.correlation_id or item.target_external_id)
    target = find_target(plan, received)
    if (target is None or not _went_to(target.message, sender)) if names_message else item.auto_submitted:
        return Outcome(kind=OutcomeKind.UNMATCHED)
    identity = plan.known.identities.get(sender_key(received.workspace_id, sender))
    contact_id = identity.contact.id if identity else None
    reason = "complaint" if names_message else "stop"
    plan.writes.consents.append(_suppress(received, sender, state, reason, contact_id, _consent_id(received)))
    return Outcome(kind=OutcomeKind.STORED)


def note_consent(plan: Plan, received: ReceivedItem, contact: Contact, sender: Identity) -> None:
    """Write down a message that is a STOP or START."""
    state = received.item.consent
    if state in ("stop", "start"):
        plan.writes.consents.append(_suppress(received, sender, state, "stop", contact.id, plan.new_id()))


def suppress_bounced(received: ReceivedItem, message: MessageRow) -> Suppress | None:
    """
    Decide whether an address must not be written to again, because it does not exist.

    Args:
        received: A receipt.
        message: The message it is about.

    Returns:
        What to write, where the vendor names the address that failed for good and the message went there: anybody can
        send us a bounce, but only about mail they have seen, and only about its recipients. None otherwise. Vendors
        that name nobody (SMS) refuse each message anew, and numbers come back.
    """
    sender, receipt = received.item.sender, received.item.receipt
    if sender is None or receipt is None or receipt.error is None or message.headers is None:
        return None
    error = receipt.error
    is_final = receipt.status is DeliveryStatus.FAILED and error.klass is ErrorClass.RECIPIENT
    if not is_final or error.code.startswith(FULL_MAILBOX) or not _went_to(message, sender):
        return None
    return _suppress(received, sender, "stop", "bounce", None, None)


def _advance(plan: Plan, received: ReceivedItem, target: TargetRow, receipt: Receipt) -> Outcome:
    old = target.message
    assert old.status is not None
    status = advance(old.status, receipt.status)
    external_id = old.external_id or received.item.target_external_id
    if status is old.status and external_id == old.external_id:
        return Outcome(kind=OutcomeKind.UNCHANGED, message_id=old.id, conversation_id=old.conversation_id)
    failed = receipt.error if status is DeliveryStatus.FAILED else None
    changed = msgspec.structs.replace(
        old,
        status=status,
        external_id=external_id,
        error_code=failed.code if failed else None,
        error_message=failed.message if failed else None,
    )
    if status is old.status:
        _keep_target(plan, target, changed)
        return Outcome(kind=OutcomeKind.UNCHANGED, message_id=old.id, conversation_id=old.conversation_id)
    seq = plan.next_seq(received.workspace_id)
    changed = msgspec.structs.replace(changed, version=seq)
    _keep_target(plan, target, changed)
    plan.writes.events.append(_status_event(received, target, changed))
    outcome = Outcome(kind=OutcomeKind.STORED, message_id=old.id, seq=seq, conversation_id=old.conversation_id)
    if old.external_id is None:
        note_seen(plan, received, outcome)
        apply_pending(plan, received, external_id)
    return outcome


def _status_event(received: ReceivedItem, target: TargetRow, changed: MessageRow) -> NewEvent:
    assert changed.status is not None
    body = MessageStatusChanged(
        conversation_id=changed.conversation_id,
        message_id=changed.id,
        status=changed.status,
        error=changed.error(),
    )
    return NewEvent(
        workspace_id=received.workspace_id,
        type="message_status_changed",
        data=encoder.encode(body),
        occurred_at=received.item.occurred_at,
        inbox_id=target.inbox_id,
        conversation_id=changed.conversation_id,
        contact_id=target.contact_id,
        dedupe_key=dedupe_key(received),
    )


def _wait(plan: Plan, received: ReceivedItem) -> Outcome:
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


def _keep_target(plan: Plan, target: TargetRow, changed: MessageRow) -> None:
    row = TargetRow(message=changed, inbox_id=target.inbox_id, contact_id=target.contact_id)
    for reference in (str(changed.id), changed.external_id):
        if reference:
            plan.known.targets[changed.workspace_id, changed.channel_account_id, reference] = row
    key = (changed.workspace_id, changed.id)
    if key in plan.writes.messages:
        plan.writes.messages[key] = changed
    else:
        plan.writes.statuses[key] = changed


def _went_to(message: MessageRow, who: Identity) -> bool:
    """Whether a message of ours was addressed to somebody; channels without headers tell each recipient apart."""
    if message.direction != "outbound" or message.headers is None:
        return message.direction == "outbound"
    every = (*message.headers.to, *message.headers.cc, *message.headers.bcc)
    return any(one.address == who.value for one in every)


def _suppress(
    received: ReceivedItem, who: Identity, state: str, reason: str, contact_id: UUID | None, consent_id: UUID | None
) -> Suppress:
    return Suppress(
        workspace_id=received.workspace_id,
        channel_account_id=received.channel_account_id,
        contact_id=contact_id,
        scheme=who.scheme,
        scope=who.scope,
        value=who.value,
        state=state,
        reason=reason if state == "stop" else "stop",
        consent_id=consent_id,
        occurred_at=received.item.occurred_at,
    )


def _consent_id(received: ReceivedItem) -> UUID:
    """Make an id that a repeated item makes again: an item without an event is not known by its dedupe key."""
    return uuid5(received.channel_account_id, dedupe_key(received))
