"""
What members do to messages that were written: edit, delete, react, tell the vendor what was read.

Queued beside the sends of the thread, carried out by dispatch, settled here. What nobody outside has seen (notes,
replies that were not sent) changes at once. Called by the edge and by ``connectors/outbox.py``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from hub import clock
from hub.envelope import DeliveryStatus, clean_text
from hub.errors import Conflict, ConnectorErrorInfo, Forbidden, InvalidInput, NotFound
from hub.events import store as events
from hub.inbox import act_store, changes, store
from hub.inbox.act_store import WantedAct
from hub.inbox.batch import Outcome
from hub.inbox.changes import Cause
from hub.inbox.changing import Decide, change
from hub.inbox.mail import Content
from hub.inbox.marks import EMOJI_LIMIT_CHARS, MessageChange, ReactionMark
from hub.inbox.model import TEXT_LIMIT_CHARS, MessageKind
from hub.inbox.plan import Plan
from hub.inbox.rows import ConversationRow, MessageRow, TargetRow

if TYPE_CHECKING:
    from hub.db import TenantConn
    from hub.inbox.deliveries import Claimed

_SENT = (DeliveryStatus.SENDING, DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ)


class Doer(msgspec.Struct, frozen=True, kw_only=True):
    """Who changes a message; ``is_moderator`` may change what colleagues wrote."""

    id: UUID
    is_moderator: bool = False


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel can do to messages that were sent; seconds of 0 mean at any time."""

    edit: bool = False
    edit_within_s: int = 0
    delete: bool = False
    delete_within_s: int = 0
    react: bool = False


class Place(msgspec.Struct, frozen=True):
    """Which message."""

    workspace_id: int
    conversation_id: UUID
    message_id: UUID


class Changed(msgspec.Struct, frozen=True):
    """The message afterwards; not ``at_once``: the vendor is asked first."""

    message: MessageRow
    at_once: bool


async def edit_message(conn: TenantConn, place: Place, text: str, doer: Doer, allowed: Allowed) -> Changed:
    """
    Let a message of ours say something else, at once or as soon as the vendor agreed.

    Args:
        conn: A transaction of its workspace.
        place: Which message.
        text: Not empty, within the channel's limit.
        doer: Who.
        allowed: What the channel can do.

    Raises:
        InvalidInput: Empty or too long.
        Forbidden: Somebody else wrote it.
        Conflict: The channel cannot, it is too late, or it was not sent.
    """
    text = clean_text(text)
    if not text.strip():
        raise InvalidInput("text", "Write something first, or delete the message.")
    if len(text) > TEXT_LIMIT_CHARS:
        raise InvalidInput("text", f"At most {TEXT_LIMIT_CHARS} characters, this has {len(text)}.")
    heads, row, message = await _open(conn, place)
    _require_own(message, doer, "edited")
    if text == message.text and message.change is None:
        return Changed(message, at_once=True)
    cause = Cause(at=clock.now(), actor_id=doer.id)
    is_unsent = await act_store.is_unsent(conn, message) or message.status is DeliveryStatus.FAILED
    if is_unsent or message.kind is MessageKind.NOTE:
        changed = await change(conn, heads, message, row, _rewrite(Content(text=text), cause, is_seen=not is_unsent))
        return Changed(changed, at_once=True)
    _require_able(message, able=allowed.edit, within_s=allowed.edit_within_s, verb="edited")
    await act_store.supersede(conn, message, "edit")
    act = WantedAct(id=clock.new_id(), kind="edit", text=text, actor_id=doer.id)
    return Changed(await _queue(conn, heads, row, message, act), at_once=False)


async def delete_message(conn: TenantConn, place: Place, doer: Doer, allowed: Allowed) -> Changed:
    """
    Take back a message of ours, at once or as soon as the vendor agreed; a reply that was not sent never leaves.

    Raises:
        Forbidden: Somebody else wrote it.
        Conflict: The channel cannot, it is too late, or nobody knows whether it was sent.
    """
    heads, row, message = await _open(conn, place)
    _require_own(message, doer, "deleted")
    cause = Cause(at=clock.now(), actor_id=doer.id)
    was_cancelled = await act_store.cancel_send(conn, message)
    if was_cancelled:
        words = "Deleted before it was sent."
        message = msgspec.structs.replace(
            message, status=DeliveryStatus.FAILED, error_code="cancelled", error_message=words
        )
        await store.write_message_status(conn, message)
    if was_cancelled or message.kind is MessageKind.NOTE or message.status is DeliveryStatus.FAILED:
        await act_store.supersede(conn, message, None)
        changed = await change(conn, heads, message, row, lambda plan, target: changes.delete(plan, target, cause))
        return Changed(changed, at_once=True)
    _require_able(message, able=allowed.delete, within_s=allowed.delete_within_s, verb="deleted")
    await act_store.supersede(conn, message, None)
    act = WantedAct(id=clock.new_id(), kind="delete", actor_id=doer.id)
    return Changed(await _queue(conn, heads, row, message, act), at_once=False)


async def set_reaction(
    conn: TenantConn, place: Place, emoji: str, doer: Doer, allowed: Allowed, *, removed: bool = False
) -> Changed:
    """
    React to a message, or take that back; members see it at once. Nothing happens where it is so already.

    Raises:
        InvalidInput: No emoji, or a long text.
        Conflict: The channel has no reactions.
    """
    emoji = clean_text(emoji).strip()
    if emoji.isascii() or len(emoji) > EMOJI_LIMIT_CHARS:
        raise InvalidInput("emoji", "Choose one emoji.")
    heads, row, message = await _open(conn, place)
    is_ours_alone = message.kind is not MessageKind.MESSAGE
    if not is_ours_alone and not allowed.react:
        raise Conflict("This channel has no reactions.")
    if not is_ours_alone and message.direction == "outbound" and message.status not in _SENT:
        raise Conflict("It was not sent yet: nobody outside could see a reaction.")
    held = _mark_of(message, doer.id, emoji)
    if (held is not None and not held.removed) is not removed:
        return Changed(message, at_once=True)
    mark = ReactionMark(emoji, "member", doer.id, clock.now(), removed=removed, waiting=not is_ours_alone)
    cause = Cause(at=mark.at, actor_id=doer.id)
    changed = await change(conn, heads, message, row, lambda plan, target: changes.react(plan, target, mark, cause))
    if is_ours_alone:
        return Changed(changed, at_once=True)
    opposite: Literal["react", "unreact"] = "react" if removed else "unreact"
    if await act_store.supersede(conn, message, opposite, emoji):
        # The vendor was not told of the other one yet: there is nothing to tell at all.
        return Changed(await _confirm(conn, heads, changed, row, mark), at_once=True)
    kind: Literal["react", "unreact"] = "unreact" if removed else "react"
    act = WantedAct(id=clock.new_id(), kind=kind, emoji=emoji, actor_id=doer.id)
    await act_store.insert(conn, row, changed, act, heads[place.workspace_id])
    return Changed(changed, at_once=False)


async def dismiss_change(conn: TenantConn, place: Place) -> Changed:
    """
    Forget a change that failed, or call off one that was not begun.

    Raises:
        Conflict: It is being made at this moment.
    """
    heads, row, message = await _open(conn, place)
    held = message.change
    if held is None:
        return Changed(message, at_once=True)
    if held.state == "waiting" and not await act_store.supersede(conn, message, held.kind):
        raise Conflict("It is being done at this moment.")
    changed = await change(conn, heads, message, row, lambda plan, target: changes.note(plan, target, None))
    return Changed(changed, at_once=True)


async def queue_read(conn: TenantConn, workspace_id: int, conversation_id: UUID, read_seq: int) -> None:
    """Queue telling the vendor that its messages up to a seq were read; the transaction has just moved the mark."""
    message = await act_store.newest_inbound(conn, workspace_id, conversation_id, read_seq)
    if message is None:
        return
    heads = await events.lock(conn, [workspace_id])
    row = await store.get_conversation(conn, workspace_id, conversation_id)
    await act_store.supersede_read(conn, row)
    act = WantedAct(id=clock.new_id(), kind="mark_read")
    await act_store.insert(conn, row, message, act, heads[workspace_id])


async def mark_done(conn: TenantConn, claimed: Claimed) -> None:
    """Record that the vendor did it: the message is now what the member made of it."""
    heads, row, message = await _settle(conn, claimed, "sent", None)
    act = claimed.act
    if act is None or act.kind == "mark_read" or message.deleted_at is not None:
        return
    cause = Cause(at=clock.now(), actor_id=act.actor_id)
    if act.kind == "edit":
        await change(conn, heads, message, row, _rewrite(Content(text=act.text), cause, is_seen=True))
    elif act.kind == "delete":
        await change(conn, heads, message, row, lambda plan, target: changes.delete(plan, target, cause))
    elif act.actor_id is not None and (mark := _mark_of(message, act.actor_id, act.emoji)) is not None:
        await _confirm(conn, heads, message, row, mark)


async def mark_failed(conn: TenantConn, claimed: Claimed, info: ConnectorErrorInfo) -> None:
    """Record that the vendor refused it: what was shown before is shown again, with the reason."""
    heads, row, message = await _settle(conn, claimed, "failed", info)
    act = claimed.act
    if act is None or act.kind == "mark_read" or message.deleted_at is not None:
        return
    failed = MessageChange(id=act.id, kind=act.kind, state="failed", text=act.text, error=info.message)
    if act.kind in ("react", "unreact") and act.actor_id is not None:
        was = ReactionMark(act.emoji, "member", act.actor_id, clock.now(), removed=act.kind == "react")
        cause = Cause(at=was.at)
        message = await change(conn, heads, message, row, lambda plan, target: changes.react(plan, target, was, cause))
    await change(conn, heads, message, row, lambda plan, target: changes.note(plan, target, failed))


async def _open(conn: TenantConn, place: Place) -> tuple[dict[int, int], ConversationRow, MessageRow]:
    heads = await events.lock(conn, [place.workspace_id])
    row = await store.get_conversation(conn, place.workspace_id, place.conversation_id)
    message = await store.get_message(conn, place.workspace_id, place.message_id)
    if message.conversation_id != row.id:
        raise NotFound("message")
    if message.deleted_at is not None:
        raise Conflict("The message was deleted.")
    return heads, row, message


async def _settle(
    conn: TenantConn, claimed: Claimed, state: Literal["sent", "failed"], info: ConnectorErrorInfo | None
) -> tuple[dict[int, int], ConversationRow, MessageRow]:
    heads = await events.lock(conn, [claimed.due.workspace_id])
    await act_store.settle(conn, claimed.due.workspace_id, claimed.due.id, state, info.code if info else None)
    message = await store.get_message(conn, claimed.due.workspace_id, claimed.due.message_id)
    row = await store.get_conversation(conn, claimed.due.workspace_id, message.conversation_id)
    return heads, row, message


async def _queue(
    conn: TenantConn, heads: dict[int, int], row: ConversationRow, message: MessageRow, act: WantedAct
) -> MessageRow:
    """Show members that a change waits, and queue it in the same transaction."""
    assert act.kind != "mark_read"
    waiting = MessageChange(id=act.id, kind=act.kind, state="waiting", text=act.text)
    changed = await change(
        conn,
        heads,
        message,
        row,
        lambda plan, target: changes.note(plan, target, waiting, act.actor_id),
    )
    await act_store.insert(conn, row, changed, act, heads[message.workspace_id])
    return changed


async def _confirm(
    conn: TenantConn, heads: dict[int, int], message: MessageRow, row: ConversationRow, mark: ReactionMark
) -> MessageRow:
    confirmed = msgspec.structs.replace(mark, waiting=False)
    cause = Cause(at=clock.now(), actor_id=mark.author_id)
    return await change(conn, heads, message, row, lambda plan, target: changes.react(plan, target, confirmed, cause))


def _rewrite(content: Content, cause: Cause, *, is_seen: bool) -> Decide:
    def decide(plan: Plan, target: TargetRow) -> Outcome:
        if is_seen and target.message.text == content.text:
            # The vendor's echo of the edit was faster than its answer.
            return changes.note(plan, target, None)
        return changes.edit(plan, target, content, cause) if is_seen else changes.rewrite(plan, target, content, cause)

    return decide


def _mark_of(message: MessageRow, member_id: UUID, emoji: str) -> ReactionMark | None:
    for one in message.reactions:
        if (one.author_kind, one.author_id, one.emoji) == ("member", member_id, emoji):
            return one
    return None


def _require_own(message: MessageRow, doer: Doer, verb: str) -> None:
    if message.direction != "outbound" or message.kind not in (MessageKind.MESSAGE, MessageKind.NOTE):
        raise Conflict(f"Only what was written here can be {verb}.")
    if message.author_id != doer.id and not doer.is_moderator:
        raise Forbidden(f"Only whoever wrote it, or who manages inboxes, can have it {verb}.")


def _require_able(message: MessageRow, *, able: bool, within_s: int, verb: str) -> None:
    if message.status is DeliveryStatus.UNKNOWN:
        raise Conflict("Nobody knows yet whether it was sent. Wait until the channel says so.")
    if not able:
        raise Conflict(f"On this channel a message cannot be {verb} once it was sent.")
    if within_s and clock.now() - message.created_at > timedelta(seconds=within_s):
        raise Conflict(f"Too late: this channel lets messages be {verb} for {_span(within_s)} only.")


def _span(seconds: int) -> str:
    for name, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            amount = seconds // size
            return f"{amount} {name}{'' if amount == 1 else 's'}"
    return f"{seconds} seconds"
