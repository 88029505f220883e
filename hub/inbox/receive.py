"""
Decides what a batch of items means: which rows and events it becomes. Pure: ``actions.receive`` reads and writes.

The workspaces are locked while it runs, so what was read stays true until the writes.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec

from hub.contacts.model import Contact, ContactIdentity, LifecycleStage
from hub.envelope import DeliveryStatus, Direction, Identity, InboundItem, ItemKind, clean_text
from hub.errors import MalformedPayload
from hub.events.model import NewEvent
from hub.inbox.batch import (
    Clockwork,
    Known,
    Outcome,
    OutcomeKind,
    ReceivedItem,
    Suppress,
    Writes,
    dedupe_key,
    sender_key,
    thread_key,
)
from hub.inbox.model import (
    TEXT_LIMIT_CHARS,
    AuthorKind,
    ConversationStatus,
    MessageEchoed,
    MessageError,
    MessageKind,
    MessageReceived,
    MessageStatusChanged,
    advance,
    make_preview,
)
from hub.inbox.rows import AccountRow, ConversationRow, IdentityRow, MessageRow, SeenRow, TargetRow

encoder = msgspec.json.Encoder()


class Planner:
    """Goes through a batch once, in order, keeping each row's newest state."""

    def __init__(self, known: Known, heads: dict[int, int], clockwork: Clockwork) -> None:
        self._known = known
        # Moves on with each event; ``events.append`` gives out the same numbers in the same order.
        self._heads = dict(heads)
        self._now = clockwork.now
        self._ids = iter(clockwork.ids)
        self.writes = Writes(now=clockwork.now)

    def plan(self, batch: list[ReceivedItem]) -> list[Outcome]:
        """
        Decide a batch.

        Args:
            batch: Items in the order they came; may repeat each other.

        Returns:
            One outcome an item.

        Raises:
            MalformedPayload: An item cannot be stored at all; the caller finds it by halving the batch.
        """
        return [self._plan_one(received) for received in batch]

    def _plan_one(self, received: ReceivedItem) -> Outcome:
        if received.workspace_id not in self._heads:
            return Outcome(kind=OutcomeKind.IGNORED)
        key = (received.workspace_id, dedupe_key(received))
        seen = self._known.seen.get(key)
        if seen is not None:
            return Outcome(
                kind=OutcomeKind.DUPLICATE,
                message_id=seen.message_id,
                seq=seen.seq,
                conversation_id=seen.conversation_id,
            )
        if received.item.kind is ItemKind.MESSAGE:
            outcome = self._plan_message(received)
        elif received.item.kind is ItemKind.RECEIPT:
            outcome = self._plan_receipt(received)
        else:
            outcome = Outcome(kind=OutcomeKind.IGNORED)
        if outcome.seq is not None:
            self._known.seen[key] = SeenRow(
                workspace_id=received.workspace_id,
                dedupe_key=key[1],
                seq=outcome.seq,
                conversation_id=outcome.conversation_id,
                message_id=outcome.message_id,
            )
        return outcome

    # ── messages ────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_message(self, received: ReceivedItem) -> Outcome:
        item, sender = received.item, received.item.sender
        account = self._known.accounts.get((received.workspace_id, received.channel_account_id))
        if sender is None or not sender.value:
            raise MalformedPayload("a message without a sender", field="sender")
        if account is None:
            return Outcome(kind=OutcomeKind.IGNORED)
        if (known := self._find_target(received)) is not None:
            # Told again under another key, or the vendor echoes what we sent: already in the conversation.
            return Outcome(
                kind=OutcomeKind.DUPLICATE, message_id=known.message.id, conversation_id=known.message.conversation_id
            )
        contact = self._find_contact(received.workspace_id, sender)
        before = self._find_conversation(received, account)
        opened = before or self._open_conversation(received, account, contact, sender)
        seq = self._next_seq(received.workspace_id)
        conversation = self._touch(opened, item, seq)
        message = self._make_message(received, conversation, contact, seq)
        self._note_consent(received, contact, sender)
        event_type = MessageReceived if item.direction is Direction.INBOUND else MessageEchoed
        self._add_event(
            received,
            event_type(
                conversation=conversation.view(),
                previous_status=before.status if before else None,
                contact=contact,
                message=message.view(),
            ),
            conversation,
        )
        return Outcome(kind=OutcomeKind.STORED, message_id=message.id, seq=seq, conversation_id=conversation.id)

    def _find_contact(self, workspace_id: int, sender: Identity) -> Contact:
        """Find the contact by any of the identities in the item; else make one. New identities join the found one."""
        every = (sender, *sender.aliases)
        rows = [self._known.identities.get(sender_key(workspace_id, one)) for one in every]
        found = next((row.contact for row in rows if row is not None), None)
        missing = [one for one, row in zip(every, rows, strict=True) if row is None]
        if found is not None and not missing and (found.name or not sender.display_name):
            return found
        seq = self._heads[workspace_id] + 1
        contact = found or Contact(
            id=next(self._ids),
            name="",
            lifecycle_stage=LifecycleStage.VISITOR,
            identities=(),
            created_at=self._now,
            version=0,
        )
        added = tuple(ContactIdentity(one.scheme, one.value, one.scope, one.verified) for one in missing)
        contact = msgspec.structs.replace(
            contact,
            name=contact.name or clean_text(sender.display_name or "")[:200],
            identities=contact.identities + added,
            version=seq,
        )
        self._keep_contact(workspace_id, contact)
        for one in missing:
            self.writes.identities[sender_key(workspace_id, one)] = contact.id
        return contact

    def _keep_contact(self, workspace_id: int, contact: Contact) -> None:
        self.writes.contacts[workspace_id, contact.id] = contact
        for one in contact.identities:
            key = (workspace_id, one.scheme, one.scope, one.value)
            self._known.identities[key] = IdentityRow(workspace_id, one.scheme, one.scope, one.value, contact)

    def _find_conversation(self, received: ReceivedItem, account: AccountRow) -> ConversationRow | None:
        """Find the thread's live conversation, or one closed so recently that this message reopens it."""
        found = self._known.threads.get(thread_key(received))
        if found is None or found.status is not ConversationStatus.CLOSED:
            return found
        closed_at = found.closed_at or found.last_activity_at
        return found if self._now - closed_at < timedelta(days=account.reopen_days) else None

    def _open_conversation(
        self, received: ReceivedItem, account: AccountRow, contact: Contact, sender: Identity
    ) -> ConversationRow:
        return ConversationRow(
            workspace_id=received.workspace_id,
            id=next(self._ids),
            inbox_id=account.inbox_id,
            channel_account_id=received.channel_account_id,
            channel=received.channel,
            thread_key=thread_key(received)[2],
            contact_id=contact.id,
            identity_scheme=sender.scheme,
            identity_scope=sender.scope,
            identity_value=sender.value,
            status=ConversationStatus.OPEN,
            last_activity_at=self._now,
            created_at=self._now,
        )

    def _touch(self, row: ConversationRow, item: InboundItem, seq: int) -> ConversationRow:
        inbound = item.direction is Direction.INBOUND
        live = row.status if not inbound else ConversationStatus.OPEN
        changed = msgspec.structs.replace(
            row,
            status=live,
            snoozed_until=row.snoozed_until if live is ConversationStatus.SNOOZED else None,
            closed_at=row.closed_at if live is ConversationStatus.CLOSED else None,
            preview=make_preview(clean_text(item.text)) or ("Attachment" if item.attachments else ""),
            preview_author_kind=AuthorKind.CONTACT if inbound else AuthorKind.MEMBER,
            last_activity_at=self._now,
            last_inbound_at=self._now if inbound else row.last_inbound_at,
            last_inbound_seq=seq if inbound else row.last_inbound_seq,
            last_outbound_seq=row.last_outbound_seq if inbound else seq,
            visitor_seq=row.visitor_seq + 1,
            version=seq,
        )
        self._known.threads[row.workspace_id, row.channel_account_id, row.thread_key] = changed
        self.writes.conversations[row.workspace_id, row.id] = changed
        return changed

    def _make_message(
        self, received: ReceivedItem, conversation: ConversationRow, contact: Contact, seq: int
    ) -> MessageRow:
        item = received.item
        inbound = item.direction is Direction.INBOUND
        message = MessageRow(
            workspace_id=received.workspace_id,
            id=next(self._ids),
            conversation_id=conversation.id,
            channel_account_id=received.channel_account_id,
            seq=seq,
            version=seq,
            kind=MessageKind.MESSAGE,
            direction="inbound" if inbound else "outbound",
            author_kind=AuthorKind.CONTACT if inbound else AuthorKind.MEMBER,
            author_id=contact.id if inbound else None,
            text=clean_text(item.text)[:TEXT_LIMIT_CHARS],
            external_id=item.external_id,
            client_message_id=UUID(item.client_message_id) if item.client_message_id else None,
            status=None if inbound else DeliveryStatus.SENT,
            conversation_seq=conversation.visitor_seq,
            occurred_at=item.occurred_at,
            created_at=self._now,
        )
        self.writes.messages[message.workspace_id, message.id] = message
        if message.external_id:
            row = TargetRow(message=message, inbox_id=conversation.inbox_id, contact_id=contact.id)
            self._known.targets[message.workspace_id, message.channel_account_id, message.external_id] = row
        return message

    def _note_consent(self, received: ReceivedItem, contact: Contact, sender: Identity) -> None:
        if received.item.consent not in ("stop", "start"):
            return
        self.writes.consents.append(
            Suppress(
                workspace_id=received.workspace_id,
                channel_account_id=received.channel_account_id,
                contact_id=contact.id,
                scheme=sender.scheme,
                scope=sender.scope,
                value=sender.value,
                state=received.item.consent,
                consent_id=next(self._ids),
                occurred_at=received.item.occurred_at,
            )
        )

    # ── receipts ────────────────────────────────────────────────────────────────────────────────────────────────

    def _plan_receipt(self, received: ReceivedItem) -> Outcome:
        receipt = received.item.receipt
        target = self._find_target(received)
        if receipt is None:
            raise MalformedPayload("a receipt without a status", field="receipt")
        if target is None or target.message.status is None:
            return Outcome(kind=OutcomeKind.UNMATCHED)
        old = target.message
        status = advance(target.message.status, receipt.status)
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
            self._keep_target(target, changed)
            return Outcome(kind=OutcomeKind.UNCHANGED, message_id=old.id, conversation_id=old.conversation_id)
        seq = self._next_seq(received.workspace_id)
        changed = msgspec.structs.replace(changed, version=seq)
        self._keep_target(target, changed)
        body = MessageStatusChanged(
            conversation_id=old.conversation_id,
            message_id=old.id,
            status=status,
            error=MessageError(failed.code, failed.message) if failed else None,
        )
        self.writes.events.append(
            NewEvent(
                workspace_id=received.workspace_id,
                type="message_status_changed",
                data=encoder.encode(body),
                occurred_at=received.item.occurred_at,
                inbox_id=target.inbox_id,
                conversation_id=old.conversation_id,
                contact_id=target.contact_id,
                dedupe_key=dedupe_key(received),
            )
        )
        return Outcome(kind=OutcomeKind.STORED, message_id=old.id, seq=seq, conversation_id=old.conversation_id)

    def _find_target(self, received: ReceivedItem) -> TargetRow | None:
        for reference in (received.item.correlation_id, received.item.target_external_id, received.item.external_id):
            key = (received.workspace_id, received.channel_account_id, reference or "")
            if reference and (found := self._known.targets.get(key)) is not None:
                return found
        return None

    def _keep_target(self, target: TargetRow, changed: MessageRow) -> None:
        row = TargetRow(message=changed, inbox_id=target.inbox_id, contact_id=target.contact_id)
        for reference in (str(changed.id), changed.external_id):
            if reference:
                self._known.targets[changed.workspace_id, changed.channel_account_id, reference] = row
        key = (changed.workspace_id, changed.id)
        if key in self.writes.messages:
            self.writes.messages[key] = changed
        else:
            self.writes.statuses[key] = changed

    # ── events ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _next_seq(self, workspace_id: int) -> int:
        self._heads[workspace_id] += 1
        return self._heads[workspace_id]

    def _add_event(
        self, received: ReceivedItem, body: MessageReceived | MessageEchoed, conversation: ConversationRow
    ) -> None:
        self.writes.events.append(
            NewEvent(
                workspace_id=received.workspace_id,
                type="message_received" if isinstance(body, MessageReceived) else "message_echoed",
                data=encoder.encode(body),
                occurred_at=received.item.occurred_at,
                inbox_id=conversation.inbox_id,
                conversation_id=conversation.id,
                conversation_seq=conversation.visitor_seq,
                contact_id=conversation.contact_id,
                actor_id=conversation.contact_id if isinstance(body, MessageReceived) else None,
                dedupe_key=dedupe_key(received),
            )
        )
