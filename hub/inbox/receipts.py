"""What vendors say about messages we sent, and about whom we may not write to; early words wait. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import msgspec

from hub.envelope import DeliveryStatus, Direction, Identity, ItemKind, Receipt, clean_text
from hub.errors import ErrorClass, MalformedPayload
from hub.events.model import NewEvent
from hub.inbox import changes
from hub.inbox.batch import Outcome, OutcomeKind, ReceivedItem, Suppress, dedupe_key, sender_key, thread_key
from hub.inbox.model import MessageStatusChanged, advance
from hub.inbox.plan import Plan, encoder
from hub.inbox.rows import MessageRow, TargetRow
from hub.inbox.targets import decode_item, find_target, keep_target, note_seen, wait

if TYPE_CHECKING:
    from hub.contacts.model import Contact

# A full mailbox exists, and may be emptied. Source: RFC 3463 section 3.3 (X.2.2), RFC 5321 section 4.2.2 (552).
FULL_MAILBOX = ("5.2.2", "552")
# A vendor's clock may be so far behind ours.
_CLOCKS = timedelta(seconds=60)
_UNSETTLED = frozenset({DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN, DeliveryStatus.FAILED})


def plan_receipt(plan: Plan, received: ReceivedItem) -> Outcome:
    """Advance the message a receipt is about; one that is not here yet is waited for."""
    receipt = received.item.receipt
    target = find_target(plan, received)
    if receipt is None:
        raise MalformedPayload("a receipt without a status", field="receipt")
    if target is None and received.item.watermark is not None and not received.item.target_external_id:
        return _plan_watermark(plan, received, receipt)
    if target is None:
        return wait(plan, received)
    if target.message.status is None:
        return Outcome(kind=OutcomeKind.UNMATCHED)
    if (suppress := suppress_bounced(received, target.message)) is not None:
        plan.writes.consents.append(suppress)
    return _advance(plan, received, target, receipt)


def plan_echo(plan: Plan, received: ReceivedItem, target: TargetRow) -> Outcome | None:
    """Settle a send whose answer was lost by the copy the vendor keeps of it; None where it tells nothing new."""
    if target.message.status not in _UNSETTLED:
        return None
    if received.historical and target.message.status is DeliveryStatus.FAILED:
        # A list of the past has what failed as well; how it ended has been told.
        return None
    if target.message.status is DeliveryStatus.FAILED:
        # It went out after all: the vendor shows it to us. A later word of its own may still say otherwise.
        forgiven = msgspec.structs.replace(target.message, status=DeliveryStatus.UNKNOWN)
        target = TargetRow(forgiven, target.inbox_id, target.contact_id)
    taken = msgspec.structs.replace(received.item, target_external_id=received.item.external_id)
    return _advance(plan, msgspec.structs.replace(received, item=taken), target, Receipt(status=DeliveryStatus.SENT))


def find_in_flight(plan: Plan, received: ReceivedItem) -> TargetRow | None:
    """
    Find which of our sends an echo is the copy of, where the vendor gives us nothing back to know it by.

    It may come before the vendor's answer to that send, or instead of it: the oldest of the thread that says the same
    and has no name at the vendor yet.
    """
    item = received.item
    if item.direction is not Direction.OUTBOUND or item.thread is not None or not item.external_id:
        return None
    waiting = plan.known.in_flight.get(thread_key(received), [])
    for target in waiting:
        message = target.message
        if received.historical and item.occurred_at < message.created_at - _CLOCKS:
            # Said long before, in the same words.
            continue
        if _same_words(message.text, item.text) and len(message.attachments) == len(item.attachments):
            waiting.remove(target)
            newest = plan.known.targets.get((message.workspace_id, message.channel_account_id, str(message.id)))
            return newest or target
    return None


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
            note_seen(plan, early, plan_early(plan, early))


def plan_early(plan: Plan, received: ReceivedItem) -> Outcome:
    """Apply an item that is about a message: a receipt or a change."""
    if received.item.kind is ItemKind.RECEIPT:
        return plan_receipt(plan, received)
    return changes.plan_change(plan, received)


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


def _plan_watermark(plan: Plan, received: ReceivedItem, receipt: Receipt) -> Outcome:
    """Advance everything we sent in a thread up to a moment."""
    watermark = received.item.watermark
    assert watermark is not None
    last = Outcome(kind=OutcomeKind.UNCHANGED)
    for found in plan.known.watched.get((*thread_key(received), watermark), ()):
        target = plan.known.targets.get(
            (received.workspace_id, received.channel_account_id, str(found.message.id)), found
        )
        # The item's key is unique in the log: only its first event carries it.
        item = received.item if last.seq is None else msgspec.structs.replace(received.item, key="")
        outcome = _advance(plan, msgspec.structs.replace(received, item=item), target, receipt)
        last = outcome if outcome.seq is not None else last
    return last


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
        _keep_status(plan, target, changed)
        return Outcome(kind=OutcomeKind.UNCHANGED, message_id=old.id, conversation_id=old.conversation_id)
    seq = plan.next_seq(received.workspace_id)
    changed = msgspec.structs.replace(changed, version=seq)
    _keep_status(plan, target, changed)
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
        dedupe_key=dedupe_key(received) if received.item.key else None,
    )


def _keep_status(plan: Plan, target: TargetRow, changed: MessageRow) -> None:
    if not keep_target(plan, target, changed):
        plan.writes.statuses[changed.workspace_id, changed.id] = changed


def _same_words(ours: str, theirs: str) -> bool:
    """Vendors change white space, and cut it at the ends."""
    return ours.split() == clean_text(theirs).split()


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
