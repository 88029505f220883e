"""What vendors say happened to a message after it was written: edits, deletions, reactions, in whatever order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid5

import msgspec

from hub.envelope import Direction, ItemKind, clean_text
from hub.errors import MalformedPayload
from hub.events.model import NewEvent
from hub.inbox.batch import Deleted, HtmlRow, Outcome, OutcomeKind, ReceivedItem, dedupe_key, sender_key
from hub.inbox.calls import join_states
from hub.inbox.files import describe
from hub.inbox.mail import make_content
from hub.inbox.marks import EMOJI_LIMIT_CHARS, MessageChange, ReactionMark, shown, with_mark
from hub.inbox.model import (
    MessageChangeNoted,
    MessageDeleted,
    MessageEdited,
    MessageKind,
    ReactionChanged,
    make_preview,
)
from hub.inbox.plan import Plan, encoder
from hub.inbox.rows import ConversationRow, MessageRow, TargetRow, VersionRow
from hub.inbox.targets import conversation_of, find_target, keep_conversation, keep_target, wait

if TYPE_CHECKING:
    from datetime import datetime

    from hub.inbox.mail import Content

DELETED = "Message deleted"
_NAME_LIMIT_CHARS = 200
_Body = MessageEdited | MessageDeleted | ReactionChanged | MessageChangeNoted


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """
    Why a message changes.

    Attributes:
        at: When it did, by the clock of whoever says so.
        dedupe_key: Of the item that says so; None where a member does it.
        actor_id: The member who does it.
    """

    at: datetime
    dedupe_key: str | None = None
    actor_id: UUID | None = None


def plan_change(plan: Plan, received: ReceivedItem) -> Outcome:
    """
    Change the message an item is about; one that is not here yet is waited for.

    Raises:
        MalformedPayload: A reaction without a sender or an emoji.
    """
    # An edit may have an id of its own, which is no message's.
    named = msgspec.structs.replace(received, item=msgspec.structs.replace(received.item, external_id=None))
    target = find_target(plan, named)
    if target is None:
        return wait(plan, received)
    message = target.message
    if message.deleted_at is not None:
        return _unchanged(message)
    if message.kind is MessageKind.CALL and received.item.call is not None:
        return _plan_call(plan, received, target)
    if message.kind is not MessageKind.MESSAGE:
        return Outcome(kind=OutcomeKind.UNMATCHED)
    match received.item.kind:
        case ItemKind.EDIT:
            return _plan_edit(plan, received, target)
        case ItemKind.DELETE:
            return delete(plan, target, _cause(received))
        case _:
            return _plan_reaction(plan, received, target)


def edit(plan: Plan, target: TargetRow, content: Content, cause: Cause, revision: int | None = None) -> Outcome:
    """
    Let a message say something else from now on; what it said is kept.

    Args:
        plan: The batch.
        target: The message; its conversation was read.
        content: What it says.
        cause: Why.
        revision: The vendor's number of the edit; None keeps the one it has.

    Returns:
        The event it became.
    """
    old, seq = target.message, plan.next_seq(target.message.workspace_id)
    text, formatted = content.text, content.formatted
    _keep_text(plan, old, old.edit_revision, old.edited_at or old.occurred_at, old.text)
    changed = msgspec.structs.replace(
        old,
        text=text,
        quoted="",
        unreadable="",
        has_html=formatted is not None,
        edit_revision=old.edit_revision if revision is None else revision,
        edited_at=cause.at,
        change=None if old.change is not None and old.change.kind == "edit" else old.change,
        version=seq,
    )
    plan.writes.htmls[:] = [one for one in plan.writes.htmls if one.message_id != old.id]
    if formatted is not None:
        row = HtmlRow(
            workspace_id=old.workspace_id,
            message_id=old.id,
            html=formatted.html,
            remote_images=formatted.remote_images,
        )
        plan.writes.htmls.append(row)
    _keep(plan, target, changed)
    preview = make_preview(text or describe(changed.attachments))
    conversation, before = _touch(plan, old, preview, seq)
    body = MessageEdited(conversation=conversation.view(), previous_status=before.status, message=changed.view())
    _tell(plan, target, body, cause, conversation if old.conversation_seq else None)
    return _stored(changed)


def rewrite(plan: Plan, target: TargetRow, content: Content, cause: Cause) -> Outcome:
    """Change a message nobody outside has seen: it never said anything else."""
    old, seq = target.message, plan.next_seq(target.message.workspace_id)
    changed = msgspec.structs.replace(old, text=content.text, version=seq)
    _keep(plan, target, changed)
    conversation, before = _touch(plan, old, make_preview(content.text), seq)
    body = MessageEdited(conversation=conversation.view(), previous_status=before.status, message=changed.view())
    _tell(plan, target, body, cause, conversation if old.conversation_seq else None)
    return _stored(changed)


def note(plan: Plan, target: TargetRow, change: MessageChange | None, actor_id: UUID | None = None) -> Outcome:
    """Show members that a change of a message waits for the vendor, was refused, or (None) is no more."""
    old = target.message
    if change == old.change:
        return _unchanged(old)
    changed = msgspec.structs.replace(old, change=change, version=plan.next_seq(old.workspace_id))
    _keep(plan, target, changed)
    body = MessageChangeNoted(conversation_id=old.conversation_id, message_id=old.id, change=change)
    _tell(plan, target, body, Cause(at=plan.now, actor_id=actor_id), None)
    return _stored(changed)


def delete(plan: Plan, target: TargetRow, cause: Cause) -> Outcome:
    """
    Take a message back: a tombstone stays, and nothing of what it said, anywhere.

    Args:
        plan: The batch.
        target: The message; its conversation was read.
        cause: Why.

    Returns:
        The event it became.
    """
    old, seq = target.message, plan.next_seq(target.message.workspace_id)
    changed = msgspec.structs.replace(
        old,
        text="",
        quoted="",
        unreadable="",
        has_html=False,
        attachments=(),
        reply_to=None,
        reactions=(),
        deleted_at=cause.at,
        change=None,
        version=seq,
    )
    key = (old.workspace_id, old.id)
    writes = plan.writes
    writes.htmls[:] = [one for one in writes.htmls if one.message_id != old.id]
    writes.attachments[:] = [one for one in writes.attachments if one.message_id != old.id]
    writes.versions = {id_: one for id_, one in writes.versions.items() if one.message_id != old.id}
    first = make_preview(old.text or describe(old.attachments))
    writes.deleted[key] = Deleted(old.conversation_id, old.seq, first)
    _keep(plan, target, changed)
    conversation, before = _touch(plan, old, DELETED, seq)
    body = MessageDeleted(conversation=conversation.view(), previous_status=before.status, message=changed.view())
    _tell(plan, target, body, cause, conversation if old.conversation_seq else None)
    return _stored(changed)


def react(plan: Plan, target: TargetRow, mark: ReactionMark, cause: Cause) -> Outcome:
    """Add a reaction to a message, or take it back; no event where nothing that is shown changes."""
    old = target.message
    marks = with_mark(old.reactions, mark)
    if marks == old.reactions:
        return _unchanged(old)
    if shown(marks) == shown(old.reactions):
        # A reaction that came after its end: remembered, so that it stays ended.
        _keep(plan, target, msgspec.structs.replace(old, reactions=marks))
        return _unchanged(old)
    seq = plan.next_seq(old.workspace_id)
    changed = msgspec.structs.replace(old, reactions=marks, version=seq)
    _keep(plan, target, changed)
    row = conversation_of(plan, old)
    if row is not None and old.conversation_seq:
        row = msgspec.structs.replace(row, visitor_seq=row.visitor_seq + 1)
        keep_conversation(plan, row)
    body = ReactionChanged(conversation_id=old.conversation_id, message_id=old.id, reactions=shown(marks))
    _tell(plan, target, body, cause, row if old.conversation_seq else None)
    return _stored(changed)


def _plan_edit(plan: Plan, received: ReceivedItem, target: TargetRow) -> Outcome:
    item, old = received.item, target.message
    content = make_content(received)
    if old.edited_at is not None and (item.revision, item.occurred_at) < (old.edit_revision, old.edited_at):
        # Overtaken by a later edit: it is a part of the history and nothing else.
        _keep_text(plan, old, item.revision, item.occurred_at, content.text)
        return _unchanged(old)
    if content.text == old.text and content.formatted is None and not old.has_html:
        # Told again, or the echo of an edit of ours: only its place among the edits is news.
        at = item.occurred_at if old.edited_at is not None else None
        newest = msgspec.structs.replace(old, edit_revision=item.revision, edited_at=at)
        if newest != old:
            _keep(plan, target, newest)
        return _unchanged(old)
    return edit(plan, target, content, _cause(received), item.revision)


def _plan_call(plan: Plan, received: ReceivedItem, target: TargetRow) -> Outcome:
    """Join a word on a call to what is known of it; the words shown are those of the newest that says how it stands."""
    item, old = received.item, target.message
    assert item.call is not None
    is_newest = old.edited_at is None or (item.revision, item.occurred_at) >= (old.edit_revision, old.edited_at)
    call = join_states(old.call, item.call, is_newest=is_newest)
    words = (clean_text(item.text), item.call.outcome), (old.text, old.call.outcome if old.call else "")
    (newest, outcome), (older, _) = words if is_newest else words[::-1]
    text = newest if outcome == call.outcome else older
    changed = msgspec.structs.replace(
        old,
        text=text,
        call=call,
        edit_revision=item.revision if is_newest else old.edit_revision,
        edited_at=item.occurred_at if is_newest else old.edited_at,
    )
    if (changed.text, changed.call) == (old.text, old.call):
        if changed != old:
            _keep(plan, target, changed)
        return _unchanged(old)
    seq = plan.next_seq(old.workspace_id)
    changed = msgspec.structs.replace(changed, version=seq)
    _keep(plan, target, changed)
    conversation, before = _touch(plan, old, make_preview(text), seq)
    body = MessageEdited(conversation=conversation.view(), previous_status=before.status, message=changed.view())
    _tell(plan, target, body, _cause(received), conversation if old.conversation_seq else None)
    return _stored(changed)


def _plan_reaction(plan: Plan, received: ReceivedItem, target: TargetRow) -> Outcome:
    item = received.item
    emoji = clean_text(item.reaction).strip()
    if not emoji and not item.removed:
        raise MalformedPayload("a reaction without an emoji", field="reaction")
    if len(emoji) > EMOJI_LIMIT_CHARS:
        return _unchanged(target.message)
    if item.direction is Direction.OUTBOUND:
        return _plan_own_reaction(plan, received, target, emoji)
    if item.sender is None or not item.sender.value:
        raise MalformedPayload("a reaction without a sender", field="sender")
    identity = plan.known.identities.get(sender_key(received.workspace_id, item.sender))
    name = "" if identity else clean_text(item.sender.display_name or item.sender.value)[:_NAME_LIMIT_CHARS]
    mark = ReactionMark(
        emoji=emoji,
        author_kind="contact",
        author_id=identity.contact.id if identity else None,
        at=item.occurred_at,
        author_name=name,
        removed=item.removed,
    )
    return react(plan, target, mark, _cause(received))


def _plan_own_reaction(plan: Plan, received: ReceivedItem, target: TargetRow, emoji: str) -> Outcome:
    """Our account reacted: by a member here, whose reaction it only confirms, or in the vendor's own app."""
    item, marks = received.item, target.message.reactions
    ours = [one for one in marks if one.author_kind == "member" and one.emoji and emoji in (one.emoji, "")]
    if not item.removed and any(not one.removed for one in ours):
        return _unchanged(target.message)
    at, last = item.occurred_at, _unchanged(target.message)
    if item.removed:
        for one in ours:
            ended = msgspec.structs.replace(one, removed=True, waiting=False, at=at)
            now = find_target(plan, received) or target
            last = react(plan, now, ended, _cause(received, is_first=last.seq is None))
    mark = ReactionMark(emoji=emoji, author_kind="member", author_id=None, at=at, removed=item.removed)
    now = find_target(plan, received) or target
    outcome = react(plan, now, mark, _cause(received, is_first=last.seq is None))
    return outcome if last.seq is None else last


def _keep_text(plan: Plan, message: MessageRow, revision: int, written_at: datetime, text: str) -> None:
    row = VersionRow(
        workspace_id=message.workspace_id,
        message_id=message.id,
        id=uuid5(message.id, f"{revision} {written_at.isoformat()} {text}"),
        revision=revision,
        text=text,
        written_at=written_at,
    )
    plan.writes.versions[row.id] = row


def _touch(plan: Plan, old: MessageRow, preview: str, seq: int) -> tuple[ConversationRow, ConversationRow]:
    """Bring the list up to date where it shows the message; returns the conversation afterwards and before."""
    row = conversation_of(plan, old)
    assert row is not None, "the conversation of a changing message was not read"
    shows_it = row.preview == make_preview(old.text or describe(old.attachments)) and row.preview != ""
    changed = msgspec.structs.replace(
        row,
        preview=preview if shows_it else row.preview,
        visitor_seq=row.visitor_seq + (1 if old.conversation_seq else 0),
        version=seq,
    )
    keep_conversation(plan, changed)
    return changed, row


def _tell(plan: Plan, target: TargetRow, body: _Body, cause: Cause, for_visitor: ConversationRow | None) -> None:
    plan.writes.events.append(
        NewEvent(
            workspace_id=target.message.workspace_id,
            type=str(body.__struct_config__.tag),
            data=encoder.encode(body),
            occurred_at=cause.at,
            inbox_id=target.inbox_id,
            conversation_id=target.message.conversation_id,
            conversation_seq=for_visitor.visitor_seq if for_visitor else None,
            contact_id=target.contact_id,
            actor_id=cause.actor_id,
            dedupe_key=cause.dedupe_key,
        )
    )


def _keep(plan: Plan, target: TargetRow, changed: MessageRow) -> None:
    if not keep_target(plan, target, changed):
        plan.writes.changed[changed.workspace_id, changed.id] = changed


def _cause(received: ReceivedItem, *, is_first: bool = True) -> Cause:
    return Cause(at=received.item.occurred_at, dedupe_key=dedupe_key(received) if is_first else None)


def _stored(message: MessageRow) -> Outcome:
    return Outcome(
        kind=OutcomeKind.STORED, message_id=message.id, seq=message.version, conversation_id=message.conversation_id
    )


def _unchanged(message: MessageRow) -> Outcome:
    return Outcome(kind=OutcomeKind.UNCHANGED, message_id=message.id, conversation_id=message.conversation_id)
