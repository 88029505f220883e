"""
Decides what a batch of items means: which rows and events it becomes. Pure: ``actions.receive`` reads and writes.

The workspaces are locked while it runs, so what was read stays true until the writes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub.envelope import DeliveryStatus, Identity, ItemKind, clean_text
from hub.errors import MalformedPayload
from hub.events.model import NewEvent
from hub.inbox import receipts
from hub.inbox.batch import Clockwork, HtmlRow, Known, Lift, Outcome, OutcomeKind, ReceivedItem, Writes, dedupe_key
from hub.inbox.files import describe_received, plan_attachments
from hub.inbox.mail import Content, base_subject, make_content, make_headers, subject_key
from hub.inbox.marks import Quote
from hub.inbox.model import (
    AuthorKind,
    ConversationStatus,
    MessageEchoed,
    MessageKind,
    MessageReceived,
    make_preview,
)
from hub.inbox.people import (
    add_participants,
    find_contact,
    find_named,
    newest_contact,
    tell_contacts,
    want_profile,
)
from hub.inbox.plan import Plan, encoder
from hub.inbox.quotes import make_quote
from hub.inbox.rows import AccountRow, ConversationRow, MessageRow, TargetRow
from hub.inbox.targets import find_target, keep_conversation, note_seen
from hub.inbox.threads import find_conversation, is_echo

if TYPE_CHECKING:
    from datetime import datetime

    from hub.contacts.model import Contact


UNREADABLE_LIMIT_CHARS = 300


class Planner:
    """Goes through a batch once, in order, keeping each row's newest state."""

    def __init__(self, known: Known, heads: dict[int, int], clockwork: Clockwork) -> None:
        self._plan = Plan(known, heads, clockwork)

    @property
    def writes(self) -> Writes:
        """What the batch becomes."""
        return self._plan.writes

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
        if received.workspace_id not in self._plan.heads:
            return Outcome(kind=OutcomeKind.IGNORED)
        seen = self._plan.known.seen.get((received.workspace_id, dedupe_key(received)))
        if seen is not None:
            return Outcome(
                kind=OutcomeKind.DUPLICATE,
                message_id=seen.message_id,
                seq=seen.seq,
                conversation_id=seen.conversation_id,
            )
        match received.item.kind:
            case ItemKind.MESSAGE:
                outcome = self._plan_message(received)
            case ItemKind.RECEIPT | ItemKind.EDIT | ItemKind.DELETE | ItemKind.REACTION:
                outcome = receipts.plan_early(self._plan, received)
            case ItemKind.CONSENT:
                outcome = receipts.plan_consent(self._plan, received)
            case ItemKind.UNSUPPORTED:
                outcome = Outcome(kind=OutcomeKind.UNSUPPORTED)
            case _:
                outcome = Outcome(kind=OutcomeKind.IGNORED)
        note_seen(self._plan, received, outcome)
        return outcome

    def _plan_message(self, received: ReceivedItem) -> Outcome:
        sender, plan = received.item.sender, self._plan
        account = plan.known.accounts.get((received.workspace_id, received.channel_account_id))
        if sender is None or not sender.value:
            raise MalformedPayload("a message without a sender", field="sender")
        if account is None:
            return Outcome(kind=OutcomeKind.IGNORED)
        found = find_target(plan, received) or receipts.find_in_flight(plan, received)
        if found is not None and _is_same(found.message, received):
            # Told again under another key, or the vendor echoes what we sent: already in the conversation.
            return self._plan_repeat(received, found)
        since_seq = plan.heads[received.workspace_id]
        author = find_contact(plan, received.workspace_id, sender)
        want_profile(plan, received, author, sender)
        people = find_named(plan, received) | {author.id: author}
        vouching = set(people) if is_echo(received) else {author.id}
        before, key = find_conversation(plan, received, account, vouching)
        opened = before or self._open_conversation(received, account, author, key)
        contact = self._contact_of(opened, people)
        seq = plan.next_seq(received.workspace_id)
        content = make_content(received)
        conversation = self._touch(opened, received, content, seq)
        message = self._make_message(received, conversation, author, content, seq)
        message = msgspec.structs.replace(message, attachments=plan_attachments(plan, received, message))
        if found is not None:
            # Another mail under an id that is taken: a broken sender's, who must not hide it.
            message = msgspec.structs.replace(message, external_id=None)
        self._keep_message(message, conversation, content)
        self._note_sender(received, author, sender)
        body = (MessageEchoed if is_echo(received) else MessageReceived)(
            conversation=conversation.view(),
            previous_status=before.status if before else None,
            contact=contact,
            message=message.view(),
        )
        self._add_event(received, body, conversation)
        if received.item.thread is not None:
            add_participants(plan, conversation, people, contact)
            self._keep_thread(received, conversation)
            tell_contacts(plan, received, people, contact.id, since_seq)
        receipts.apply_pending(plan, received, message.external_id)
        return Outcome(kind=OutcomeKind.STORED, message_id=message.id, seq=seq, conversation_id=conversation.id)

    def _plan_repeat(self, received: ReceivedItem, found: TargetRow) -> Outcome:
        if is_echo(received) and (outcome := receipts.plan_echo(self._plan, received, found)) is not None:
            return outcome
        return Outcome(
            kind=OutcomeKind.DUPLICATE, message_id=found.message.id, conversation_id=found.message.conversation_id
        )

    def _open_conversation(
        self, received: ReceivedItem, account: AccountRow, contact: Contact, key: str
    ) -> ConversationRow:
        sender = received.item.sender
        assert sender is not None
        return ConversationRow(
            workspace_id=received.workspace_id,
            id=self._plan.new_id(),
            inbox_id=account.inbox_id,
            channel_account_id=received.channel_account_id,
            channel=received.channel,
            thread_key=key,
            contact_id=contact.id,
            identity_scheme=sender.scheme,
            identity_scope=sender.scope,
            identity_value=sender.value,
            status=ConversationStatus.OPEN,
            last_activity_at=self._plan.now,
            created_at=self._plan.now,
        )

    def _contact_of(self, conversation: ConversationRow, people: dict[UUID, Contact]) -> Contact:
        """Return the conversation's contact as it is now: the author, unless a mail is from somebody else in it."""
        if (found := people.get(conversation.contact_id)) is not None:
            return found
        thread = self._plan.known.conversations.get((conversation.workspace_id, conversation.id))
        if thread is None:
            # A vendor's own thread that another identity writes in: the event carries who wrote.
            return next(iter(people.values()))
        return newest_contact(self._plan, conversation.workspace_id, thread.contact)

    def _touch(self, row: ConversationRow, received: ReceivedItem, content: Content, seq: int) -> ConversationRow:
        item, now = received.item, self._plan.now
        inbound = not is_echo(received)
        live = row.status if not inbound else ConversationStatus.OPEN
        subject = base_subject(item.subject) if item.subject else ""
        if received.historical:
            return self._keep(self._touch_past(row, received, preview=make_preview(content.text), seq=seq))
        changed = msgspec.structs.replace(
            row,
            status=live,
            snoozed_until=row.snoozed_until if live is ConversationStatus.SNOOZED else None,
            closed_at=row.closed_at if live is ConversationStatus.CLOSED else None,
            subject=subject or row.subject,
            subject_key=subject_key(item.subject) if subject else row.subject_key,
            preview=make_preview(content.text or describe_received(received) or item.unreadable) or subject,
            preview_author_kind=AuthorKind.CONTACT if inbound else AuthorKind.MEMBER,
            last_activity_at=now,
            last_inbound_at=now if inbound else row.last_inbound_at,
            last_inbound_seq=seq if inbound else row.last_inbound_seq,
            last_outbound_seq=row.last_outbound_seq if inbound else seq,
            visitor_seq=row.visitor_seq + 1,
            version=seq,
            window_expires_at=_window(row, received),
        )
        return self._keep(changed)

    def _touch_past(self, row: ConversationRow, received: ReceivedItem, *, preview: str, seq: int) -> ConversationRow:
        """
        Put something from the past into a conversation: it reopens nothing and is unread by nobody.

        One that it opens is closed: what was written before the account was connected waits for no answer. The inbox
        shows it at its own time, behind what is live.
        """
        at, subject = received.item.occurred_at, base_subject(received.item.subject) if received.item.subject else ""
        is_new, is_newest = row.version == 0, row.version == 0 or at >= row.last_activity_at
        return msgspec.structs.replace(
            row,
            status=ConversationStatus.CLOSED if is_new else row.status,
            closed_at=at if is_newest and (is_new or row.status is ConversationStatus.CLOSED) else row.closed_at,
            subject=row.subject or subject,
            subject_key=row.subject_key or (subject_key(received.item.subject) if subject else ""),
            preview=(preview or subject) if is_newest else row.preview,
            preview_author_kind=(AuthorKind.MEMBER if is_echo(received) else AuthorKind.CONTACT)
            if is_newest
            else row.preview_author_kind,
            last_activity_at=at if is_newest else row.last_activity_at,
            visitor_seq=row.visitor_seq + 1,
            version=seq,
            window_expires_at=_window(row, received),
        )

    def _keep(self, changed: ConversationRow) -> ConversationRow:
        self._plan.known.threads[changed.workspace_id, changed.channel_account_id, changed.thread_key] = changed
        keep_conversation(self._plan, changed)
        return changed

    def _make_message(
        self, received: ReceivedItem, conversation: ConversationRow, author: Contact, content: Content, seq: int
    ) -> MessageRow:
        item = received.item
        inbound = not is_echo(received)
        is_other = inbound and author.id != conversation.contact_id and item.thread is not None
        name = author.name or (item.sender.value if item.sender else "")
        return MessageRow(
            workspace_id=received.workspace_id,
            id=self._plan.new_id(),
            conversation_id=conversation.id,
            channel_account_id=received.channel_account_id,
            seq=seq,
            version=seq,
            kind=MessageKind.MESSAGE if item.call is None else MessageKind.CALL,
            direction="inbound" if inbound else "outbound",
            author_kind=AuthorKind.CONTACT if inbound else AuthorKind.MEMBER,
            author_id=author.id if inbound else None,
            author_name=name[:200] if is_other else "",
            text=content.text,
            external_id=item.external_id,
            client_message_id=UUID(item.client_message_id) if item.client_message_id else None,
            status=None if inbound or item.call is not None else DeliveryStatus.SENT,
            conversation_seq=conversation.visitor_seq,
            occurred_at=item.occurred_at,
            created_at=self._plan.now,
            headers=make_headers(item),
            has_html=content.formatted is not None,
            quoted=content.quoted,
            reply_to=self._quote(received),
            unreadable=clean_text(item.unreadable)[:UNREADABLE_LIMIT_CHARS],
            call=item.call,
        )

    def _quote(self, received: ReceivedItem) -> Quote | None:
        """Return the message an item answers; one we do not have is no quote."""
        reference = received.item.reply_to_external_id or ""
        key = (received.workspace_id, received.channel_account_id, reference)
        found = self._plan.known.targets.get(key) if reference else None
        return make_quote(found.message) if found is not None else None

    def _keep_message(self, message: MessageRow, conversation: ConversationRow, content: Content) -> None:
        plan = self._plan
        plan.writes.messages[message.workspace_id, message.id] = message
        if content.formatted is not None:
            plan.writes.htmls.append(
                HtmlRow(
                    workspace_id=message.workspace_id,
                    message_id=message.id,
                    html=content.formatted.html,
                    remote_images=content.formatted.remote_images,
                )
            )
        if message.external_id:
            row = TargetRow(message=message, inbox_id=conversation.inbox_id, contact_id=conversation.contact_id)
            plan.known.targets[message.workspace_id, message.channel_account_id, message.external_id] = row

    def _keep_thread(self, received: ReceivedItem, conversation: ConversationRow) -> None:
        """Let later mails of the batch find this one."""
        known, here = self._plan.known, (conversation.workspace_id, conversation.channel_account_id)
        if received.item.external_id:
            known.references.setdefault((*here, received.item.external_id), conversation.id)
        if conversation.subject_key:
            ids = known.subjects.setdefault((*here, conversation.subject_key), [])
            ids[:] = [conversation.id, *(one for one in ids if one != conversation.id)]

    def _note_sender(self, received: ReceivedItem, author: Contact, sender: Identity) -> None:
        receipts.note_consent(self._plan, received, author, sender)
        if received.item.thread is not None and not is_echo(received):
            key = (received.workspace_id, sender.scheme, sender.scope, sender.value)
            self._plan.writes.lifts[key] = Lift(
                workspace_id=received.workspace_id,
                channel_account_id=received.channel_account_id,
                scheme=sender.scheme,
                scope=sender.scope,
                value=sender.value,
            )

    def _add_event(
        self, received: ReceivedItem, body: MessageReceived | MessageEchoed, conversation: ConversationRow
    ) -> None:
        self._plan.writes.events.append(
            NewEvent(
                workspace_id=received.workspace_id,
                type="message_received" if isinstance(body, MessageReceived) else "message_echoed",
                data=encoder.encode(body),
                occurred_at=received.item.occurred_at,
                inbox_id=conversation.inbox_id,
                conversation_id=conversation.id,
                conversation_seq=conversation.visitor_seq,
                contact_id=conversation.contact_id,
                actor_id=body.message.author_id if isinstance(body, MessageReceived) else None,
                dedupe_key=dedupe_key(received),
            )
        )


def _window(row: ConversationRow, received: ReceivedItem) -> datetime | None:
    """Until when the channel takes free text: the latest moment any message of the contact opened it for."""
    item = received.item
    if is_echo(received) or not item.opens_window or item.window_expires_at is None:
        return row.window_expires_at
    return max(row.window_expires_at or item.window_expires_at, item.window_expires_at)


def _is_same(message: MessageRow, received: ReceivedItem) -> bool:
    """
    Whether a message known under this id is this one.

    Vendors' ids are theirs to keep unique; a Message-ID is the sender's to choose, and some programs use one for ever.
    """
    item = received.item
    if item.thread is None or is_echo(received) or item.correlation_id:
        return True
    sender = message.headers.sender if message.headers else None
    return bool(
        message.occurred_at == item.occurred_at
        and sender is not None
        and item.sender is not None
        and sender.address == clean_text(item.sender.value)
    )
