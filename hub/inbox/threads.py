"""
Which conversation an item belongs to. Pure: everything it may belong to was read before.

A channel's own thread is believed. A mail only says where it may belong, and anybody can say that: its sender must take
part in the conversation already, or it opens one of its own that shows nothing of the other.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from hub.envelope import Direction, Identity
from hub.inbox.batch import ReceivedItem, thread_key
from hub.inbox.mail import subject_key
from hub.inbox.model import ConversationStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.inbox.batch import Known, ThreadKey
    from hub.inbox.plan import Plan
    from hub.inbox.rows import AccountRow, ConversationRow, ThreadRow

SUBJECT_DAYS = 30
# Conversations with one subject that are looked at; a newsletter has thousands.
SUBJECT_CANDIDATES = 20
REFERENCES_LIMIT = 30
CONVERSATION_IDS_LIMIT = 10
_KEY_LIMIT_CHARS = 320


def find_conversation(
    plan: Plan, received: ReceivedItem, account: AccountRow, people: set[UUID]
) -> tuple[ConversationRow | None, str]:
    """
    Find where an item belongs.

    Args:
        plan: The batch.
        received: The item.
        account: Its channel account; conversations of others are never looked at.
        people: Contacts who vouch for it: the author of an inbound mail, the recipients of an echo.

    Returns:
        The live conversation, or one closed so recently that this item reopens it, or None; and the thread key of the
        one to open where it is None, which no live conversation has.
    """
    if received.item.thread is None:
        key = thread_key(received)
        return _if_open(plan, received, plan.known.threads.get(key), account), key[2]
    for candidate in _candidates(plan.known, received):
        thread = _accepted(plan.known, received, candidate, people)
        if thread is None:
            continue
        row = _newest(plan.known, received, thread, people).conversation
        found = _if_open(plan, received, row, account)
        return found, row.thread_key if found else _free_key(plan, received, row.thread_key)
    return None, _new_key(plan, received)


def thread_keys(received: ReceivedItem) -> tuple[ThreadKey, ...]:
    """Return the thread keys an item may open: its own, and for a mail the one for strangers who claim its root."""
    workspace_id, account_id, root = thread_key(received)
    if received.item.thread is None:
        return ((workspace_id, account_id, root),)
    return ((workspace_id, account_id, root), (workspace_id, account_id, _strangers_key(root, received.item.sender)))


def claimed_ids(received: ReceivedItem) -> tuple[UUID, ...]:
    """Return the conversations a mail's signatures name, at most ten."""
    hints = received.item.thread
    return tuple(filter(None, map(_uuid, hints.conversation_ids[:CONVERSATION_IDS_LIMIT]))) if hints else ()


def references(received: ReceivedItem) -> tuple[str, ...]:
    """Return the messages a mail says it answers, newest first: of very many the newest and the oldest."""
    hints = received.item.thread
    every: tuple[str, ...] = hints.references if hints else ()
    return every if len(every) <= REFERENCES_LIMIT else (*every[: REFERENCES_LIMIT - 1], *every[-1:])


def fallback_subject(received: ReceivedItem) -> str:
    """Return the subject a mail without known references may be found by; empty where it is no answer."""
    hints = received.item.thread
    return subject_key(hints.subject) if hints and hints.subject else ""


def _candidates(known: Known, received: ReceivedItem) -> Iterator[UUID]:
    """Go through conversations, the strongest claim first: our signature, references, thread key, subject."""
    here = (received.workspace_id, received.channel_account_id)
    yield from claimed_ids(received)
    for reference in references(received):
        if (conversation_id := known.references.get((*here, reference))) is not None:
            yield conversation_id
    for key in thread_keys(received):
        if (row := known.threads.get(key)) is not None:
            yield row.id
    if subject := fallback_subject(received):
        yield from known.subjects.get((*here, subject), ())


def _accepted(known: Known, received: ReceivedItem, conversation_id: UUID, people: set[UUID]) -> ThreadRow | None:
    thread = known.conversations.get((received.workspace_id, conversation_id))
    if thread is None or thread.conversation.channel_account_id != received.channel_account_id:
        return None
    return thread if people & thread.participants else None


def _newest(known: Known, received: ReceivedItem, thread: ThreadRow, people: set[UUID]) -> ThreadRow:
    """Follow a conversation to the one that continues it, where that is for the same people."""
    row = thread.conversation
    newest = known.threads.get((row.workspace_id, row.channel_account_id, row.thread_key))
    return (newest and _accepted(known, received, newest.id, people)) or thread


def _if_open(
    plan: Plan, received: ReceivedItem, row: ConversationRow | None, account: AccountRow
) -> ConversationRow | None:
    """Keep a live conversation, or one closed so recently that this message reopens it; of history any."""
    if row is None or received.historical or row.status is not ConversationStatus.CLOSED:
        return row
    closed_at = row.closed_at or row.last_activity_at
    return row if plan.now - closed_at < timedelta(days=account.reopen_days) else None


def _new_key(plan: Plan, received: ReceivedItem) -> str:
    """Return the root, unless a conversation of other people has it: theirs must stay theirs when it is reopened."""
    (workspace_id, account_id, root), (_, _, strangers) = thread_keys(received)
    if (workspace_id, account_id, root) not in plan.known.threads:
        return root
    return _free_key(plan, received, strangers)


def _free_key(plan: Plan, received: ReceivedItem, key: str) -> str:
    taken = plan.known.threads.get((received.workspace_id, received.channel_account_id, key))
    if taken is None or taken.status is ConversationStatus.CLOSED:
        return key
    unique = plan.new_id().hex
    return f"{key[: _KEY_LIMIT_CHARS - len(unique) - 1]}|{unique}"


def _strangers_key(root: str, sender: Identity | None) -> str:
    who = f"{sender.scheme}:{sender.scope}:{sender.value}" if sender else ""
    digest = hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    return f"{root[: _KEY_LIMIT_CHARS - 25]}|{digest}"


def is_echo(received: ReceivedItem) -> bool:
    """Whether our side sent it, from elsewhere."""
    return received.item.direction is not Direction.INBOUND


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
