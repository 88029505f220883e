"""Reads and writes of conversations and messages, one function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from hub.db import load_queries
from hub.errors import NotFound
from hub.inbox.batch import Known, Suppress, Writes
from hub.inbox.model import ConversationStatus, Line, ReadMark
from hub.inbox.rows import (
    AccountRow,
    ConversationRow,
    IdentityRow,
    MessageRow,
    PendingRow,
    SeenRow,
    TargetRow,
)
from hub.realtime.ports import VisitorConversation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from hub.db import TenantConn
    from hub.inbox.batch import DedupeKey, IdentityKey, TargetKey, ThreadKey
    from hub.inbox.identify import Recognised
    from hub.realtime.ports import VisitorThread

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))

_encode = msgspec.json.Encoder().encode
_conversation = msgspec.json.Decoder(ConversationRow)
_message = msgspec.json.Decoder(MessageRow)
_seen = msgspec.json.Decoder(SeenRow)
_account = msgspec.json.Decoder(AccountRow)
_identity = msgspec.json.Decoder(IdentityRow)
_target = msgspec.json.Decoder(TargetRow)
_pending = msgspec.json.Decoder(PendingRow)


# What is said of an address later does not take back what was said more strongly.
STRENGTH = ("bounce", "stop", "manual", "complaint")


class Mentioned(msgspec.Struct, kw_only=True):
    """Keys of everything a batch mentions."""

    items: list[DedupeKey]
    accounts: list[tuple[int, UUID]]
    identities: list[IdentityKey]
    threads: list[ThreadKey]
    external_ids: list[TargetKey]
    message_ids: list[tuple[int, UUID, UUID]]


class ConversationFilter(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which conversations a page holds; None means any.

    Attributes:
        inbox_ids: Inboxes the reader may see; None means all of them.
        unassigned: Only those without an assignee.
        before: Last activity and id of the last row of the page before.
    """

    status: ConversationStatus | None = None
    inbox_ids: tuple[UUID, ...] | None = None
    assignee_id: UUID | None = None
    unassigned: bool = False
    contact_id: UUID | None = None
    before: tuple[datetime, UUID] | None = None
    limit: int = 50


async def read_known(conn: TenantConn, mentioned: Mentioned) -> Known:
    """Read everything a batch mentions, in one round trip."""
    rows = await conn.fetch(
        QUERIES["known"],
        *_columns(mentioned.items, 2),
        *_columns(mentioned.accounts, 2),
        *_columns(mentioned.identities, 4),
        *_columns(mentioned.threads, 3),
        *_columns(mentioned.external_ids, 3),
        *_columns(mentioned.message_ids, 3),
    )
    known = Known()
    for row in rows:
        _add_known(known, row["what"], row["data"])
    return known


async def write_batch(conn: TenantConn, writes: Writes) -> None:
    """Write what a batch became: one round trip, another for receipts and one for consents where there are any."""
    contacts = [
        {
            "workspace_id": workspace_id,
            "id": contact.id,
            "name": contact.name,
            "lifecycle_stage": contact.lifecycle_stage,
            "created_at": contact.created_at,
            "version": contact.version,
        }
        for (workspace_id, _), contact in writes.contacts.items()
    ]
    verified = {
        (workspace_id, one.scheme, one.scope, one.value)
        for (workspace_id, _), contact in writes.contacts.items()
        for one in contact.identities
        if one.verified
    }
    identities = [
        {
            "workspace_id": key[0],
            "scheme": key[1],
            "scope": key[2],
            "value": key[3],
            "contact_id": contact_id,
            "verified": key in verified,
            "created_at": writes.now,
        }
        for key, contact_id in writes.identities.items()
    ]
    if writes.messages or writes.contacts or writes.conversations:
        await conn.execute(
            QUERIES["write_batch"],
            _json(contacts),
            _json(identities),
            _json([sealed_conversation(conn, row) for row in writes.conversations.values()]),
            _json([conn.sealed_row(row.workspace_id, row.id, row) for row in writes.messages.values()]),
        )
    if writes.statuses:
        await conn.execute(QUERIES["write_statuses"], _json(list(writes.statuses.values())), writes.now)
    if writes.consents:
        await write_consents(conn, writes.consents)


async def write_consents(conn: TenantConn, consents: Sequence[Suppress]) -> None:
    """Write down who wants no more, or again."""
    await conn.execute(QUERIES["write_consents"], _json(_settled(consents)), _json(consents))


async def get_conversation(conn: TenantConn, workspace_id: int, conversation_id: UUID) -> ConversationRow:
    """Return one conversation; ``NotFound`` where there is none in this workspace."""
    row = await conn.fetchrow(QUERIES["get_conversation"], workspace_id, conversation_id)
    if row is None:
        raise NotFound("conversation")
    return _conversation.decode(row["data"])


async def find_thread(
    conn: TenantConn, workspace_id: int, channel_account_id: UUID, thread_key: str
) -> ConversationRow | None:
    """Return the newest conversation of a thread, live or closed."""
    row = await conn.fetchrow(QUERIES["find_thread"], workspace_id, channel_account_id, thread_key)
    return _conversation.decode(row["data"]) if row else None


async def visitor_conversations(
    conn: TenantConn, threads: Sequence[VisitorThread]
) -> dict[VisitorThread, VisitorConversation]:
    """Return the newest conversation of several visitors' threads; threads without one are left out."""
    columns = (
        [one.workspace_id for one in threads],
        [one.channel_account_id for one in threads],
        [one.thread_key for one in threads],
    )
    rows = await conn.fetch(QUERIES["visitor_conversations"], *columns)
    return {threads[row["number"] - 1]: VisitorConversation(row["id"], row["visitor_seq"]) for row in rows}


async def move_thread(conn: TenantConn, who: Recognised) -> None:
    """Put a visitor's conversations under the user they proved to be."""
    await conn.execute(
        QUERIES["move_thread"],
        who.workspace_id,
        who.channel_account_id,
        who.visitor_thread,
        who.user_thread,
        who.user.scheme,
        who.user.scope,
        who.user.value,
    )


async def conversation_inbox(conn: TenantConn, workspace_id: int, conversation_id: UUID) -> UUID | None:
    """Return the inbox of a conversation, None where there is no such conversation."""
    row = await conn.fetchrow(QUERIES["conversation_inbox"], workspace_id, conversation_id)
    return row["inbox_id"] if row else None


async def list_conversations(conn: TenantConn, workspace_id: int, wanted: ConversationFilter) -> list[ConversationRow]:
    """Return a page of conversations, newest activity first."""
    before = wanted.before or (None, None)
    rows = await conn.fetch(
        QUERIES["list_conversations"],
        workspace_id,
        wanted.status,
        list(wanted.inbox_ids) if wanted.inbox_ids is not None else None,
        wanted.assignee_id,
        wanted.unassigned,
        wanted.contact_id,
        before[0],
        before[1],
        wanted.limit,
    )
    return [_conversation.decode(row["data"]) for row in rows]


async def count_conversations(
    conn: TenantConn, workspace_id: int, inbox_ids: Iterable[UUID] | None
) -> dict[ConversationStatus, int]:
    """Return how many visible conversations have each status; every status has an entry."""
    visible = list(inbox_ids) if inbox_ids is not None else None
    rows = await conn.fetch(QUERIES["count_conversations"], workspace_id, visible)
    counted = {row["status"]: int(row["amount"]) for row in rows}
    return {status: counted.get(status.value, 0) for status in ConversationStatus}


async def list_messages(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, before_seq: int | None, limit: int
) -> list[MessageRow]:
    """Return a page of a conversation before a seq, oldest first."""
    rows = await conn.fetch(QUERIES["list_messages"], workspace_id, conversation_id, before_seq, limit)
    return [_message.decode(row["data"]) for row in reversed(rows)]


async def list_visitor_messages(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, before: int | None, limit: int
) -> list[MessageRow]:
    """Return a page of what the visitor may see, before a conversation_seq, oldest first."""
    rows = await conn.fetch(QUERIES["list_visitor_messages"], workspace_id, conversation_id, before, limit)
    return [_message.decode(row["data"]) for row in reversed(rows)]


async def list_lines(
    conn: TenantConn, workspace_id: int, conversation_id: UUID, after_seq: int, before_seq: int
) -> list[Line]:
    """Return what was done to a conversation between two seqs, oldest first, the newest 200 at most."""
    rows = await conn.fetch(QUERIES["list_lines"], workspace_id, conversation_id, after_seq, before_seq)
    return [msgspec.convert(dict(row), Line) for row in reversed(rows)]


async def list_read_marks(
    conn: TenantConn, workspace_id: int, member_id: UUID, conversation_ids: Sequence[UUID]
) -> list[ReadMark]:
    """Return one member's read marks of some conversations."""
    rows = await conn.fetch(QUERIES["list_read_marks"], workspace_id, member_id, list(conversation_ids))
    return [ReadMark(row["conversation_id"], row["member_id"], row["read_seq"]) for row in rows]


async def get_message(conn: TenantConn, workspace_id: int, message_id: UUID) -> MessageRow:
    """Return one message; ``NotFound`` where there is none in this workspace."""
    row = await conn.fetchrow(QUERIES["get_message"], workspace_id, message_id)
    if row is None:
        raise NotFound("message")
    return _message.decode(row["data"])


async def find_sent(conn: TenantConn, workspace_id: int, author_id: UUID, client_message_id: UUID) -> MessageRow | None:
    """Return the message an author sent earlier under the same client id."""
    row = await conn.fetchrow(QUERIES["find_sent"], workspace_id, author_id, client_message_id)
    return _message.decode(row["data"]) if row else None


async def newest_reply(conn: TenantConn, row: ConversationRow, after_seq: int, author_id: UUID) -> MessageRow | None:
    """Return the newest message somebody else sent to the contact after ``after_seq``."""
    found = await conn.fetchrow(QUERIES["newest_reply"], row.workspace_id, row.id, after_seq, author_id)
    return _message.decode(found["data"]) if found else None


async def unread_outbound(conn: TenantConn, row: ConversationRow, conversation_seq: int) -> list[MessageRow]:
    """Return messages to the contact up to ``conversation_seq`` that are not marked read."""
    rows = await conn.fetch(QUERIES["unread_outbound"], row.workspace_id, row.id, conversation_seq)
    return [_message.decode(one["data"]) for one in rows]


async def write_conversation(conn: TenantConn, row: ConversationRow) -> None:
    """Put a conversation into a new state."""
    await conn.execute(QUERIES["write_conversation"], _encode(sealed_conversation(conn, row)).decode())


def sealed_conversation(conn: TenantConn, row: ConversationRow) -> object:
    """Return a conversation as it is to be kept; its subject is found again without being readable."""
    blinded = msgspec.structs.replace(row, subject_key=conn.blind(row.workspace_id, row.subject_key))
    return conn.sealed_row(row.workspace_id, row.id, blinded)


async def write_message(conn: TenantConn, row: MessageRow) -> None:
    """Add one message or note."""
    await conn.execute(QUERIES["write_message"], _encode(conn.sealed_row(row.workspace_id, row.id, row)).decode())


async def live_calls(
    conn: TenantConn, workspace_id: int, channel_account_id: UUID, since: datetime
) -> list[tuple[str, str, str]]:
    """Return the vendor's id, the outcome so far and the member of each call that goes on, the longest first."""
    rows = await conn.fetch(QUERIES["live_calls"], workspace_id, channel_account_id, since)
    return [(row["external_id"], row["outcome"], row["member"]) for row in rows]


async def write_call(conn: TenantConn, row: MessageRow) -> None:
    """Change how a member's call stands; its external id is set only once."""
    await conn.execute(QUERIES["write_call"], _encode(conn.sealed_row(row.workspace_id, row.id, row)).decode())


async def write_message_status(conn: TenantConn, row: MessageRow) -> None:
    """Change the delivery state of one message; its external id is set only once."""
    await conn.execute(
        QUERIES["write_message_status"],
        row.workspace_id,
        row.id,
        row.status,
        row.error_code,
        row.error_message,
        row.version,
        row.external_id,
    )


async def write_message_attachments(conn: TenantConn, row: MessageRow) -> None:
    """Change what a message shows of its files."""
    await conn.execute(
        QUERIES["write_message_attachments"], row.workspace_id, row.id, _json(row.attachments), row.version
    )


async def put_read_mark(conn: TenantConn, workspace_id: int, mark: ReadMark) -> bool:
    """Move a member's read mark; returns whether it changed."""
    row = await conn.fetchrow(
        QUERIES["put_read_mark"], workspace_id, mark.conversation_id, mark.member_id, mark.read_seq
    )
    return row is not None


async def due_snoozes(conn: TenantConn, now: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, conversation) of snoozes whose time has come; needs a connection across workspaces."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["due_snoozes"], now, limit)]


def _add_known(
    known: Known, what: Literal["seen", "account", "identity", "thread", "target", "pending"], data: str
) -> None:
    match what:
        case "seen":
            seen = _seen.decode(data)
            known.seen[seen.workspace_id, seen.dedupe_key] = seen
        case "account":
            account = _account.decode(data)
            known.accounts[account.workspace_id, account.id] = account
        case "identity":
            identity = _identity.decode(data)
            known.identities[identity.workspace_id, identity.scheme, identity.scope, identity.value] = identity
        case "thread":
            row = _conversation.decode(data)
            known.threads[row.workspace_id, row.channel_account_id, row.thread_key] = row
        case "target":
            target = _target.decode(data)
            message = target.message
            known.targets[message.workspace_id, message.channel_account_id, str(message.id)] = target
            if message.external_id:
                known.targets[message.workspace_id, message.channel_account_id, message.external_id] = target
        case "pending":
            pending = _pending.decode(data)
            key = (pending.workspace_id, pending.channel_account_id, pending.reference)
            known.pending.setdefault(key, []).append(pending)


def _settled(consents: Sequence[Suppress]) -> list[Suppress]:
    """Say what each address came to in a batch: the last of STOP and START, unless something stronger was said."""
    last: dict[tuple[object, ...], Suppress] = {}
    for one in consents:
        key = (one.workspace_id, one.channel_account_id, one.scheme, one.scope, one.value)
        before = last.get(key)
        if before is None or STRENGTH.index(before.reason) <= STRENGTH.index(one.reason):
            last[key] = one
    return list(last.values())


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[at] for row in rows] for at in range(width)]


def _json(rows: Sequence[object]) -> str:
    return _encode(rows).decode()
