"""Reads and writes that only mail and early items need, one function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from hub.db import load_queries
from hub.errors import NotFound
from hub.inbox.batch import Formatted
from hub.inbox.rows import ConversationRow, MessageRow, PendingRow, ThreadRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from hub.contacts.model import Contact
    from hub.db import TenantConn
    from hub.envelope import Identity
    from hub.inbox.batch import Known, TargetKey, ThreadKey, Writes

QUERIES = load_queries(Path(__file__).with_name("mail.sql"))
# Early items an account may have waiting: a vendor that reports on messages somebody else sent must not fill the table.
PENDING_LIMIT = 10_000


class _Named(msgspec.Struct):
    workspace_id: int
    channel_account_id: UUID
    key: str
    conversation_ids: list[UUID]


class _Account(msgspec.Struct):
    workspace_id: int
    external_ref: str
    address: str
    aliases: str

    def addresses(self) -> set[str]:
        every = (self.external_ref, self.address, *self.aliases.replace(";", ",").split(","))
        return {one.strip().lower() for one in every if "@" in one}


class Claims(msgspec.Struct, kw_only=True):
    """What the mails of a batch say about where they belong."""

    workspace_ids: list[int]
    conversation_ids: list[tuple[int, UUID]]
    references: list[TargetKey]
    subjects: list[TargetKey]
    subjects_since: datetime
    threads: list[ThreadKey]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a message of ours answers.

    Attributes:
        external_id: The vendor's id of that message.
        text: Its text, to be quoted.
        references: The vendor's ids of the thread up to it, oldest first, at most 30.
        suppressed: Addresses that must not be written to, with the reason.
    """

    external_id: str | None
    text: str
    references: tuple[str, ...]
    suppressed: dict[str, str]


_encode = msgspec.json.Encoder().encode
_ids = msgspec.json.Decoder(tuple[str, ...]).decode
_reasons = msgspec.json.Decoder(list[tuple[str, str]]).decode
_named = msgspec.json.Decoder(_Named).decode
_account = msgspec.json.Decoder(_Account).decode
_thread = msgspec.json.Decoder(ThreadRow).decode
_message = msgspec.json.Decoder(MessageRow).decode
_pending = msgspec.json.Decoder(PendingRow).decode
_pictures = msgspec.json.Decoder(list[tuple[str, UUID]]).decode


async def read_threads(conn: TenantConn, known: Known, claims: Claims) -> None:
    """Add to ``known`` every conversation that mails of the batch may belong to, in one round trip."""
    spelled = {
        (workspace_id, account_id, spelling): subject
        for workspace_id, account_id, subject in claims.subjects
        for spelling in (subject, *(key.blind(subject) for key in conn.blinding.get(workspace_id, ())))
    }
    rows = await conn.fetch(
        QUERIES["known_threads"],
        *_columns(claims.conversation_ids, 2),
        claims.workspace_ids,
        *_columns(claims.references, 3),
        *_columns(list(spelled), 3),
        claims.subjects_since,
        *_columns(claims.threads, 3),
    )
    for row in rows:
        _add(known, row["what"], row["data"], spelled)


async def write_mail(conn: TenantConn, writes: Writes) -> None:
    """Write participants and formatted texts of a batch, one round trip where there are any."""
    if writes.participants or writes.htmls or writes.lifts:
        await conn.execute(
            QUERIES["write_mail"],
            _json(list(writes.participants.values())),
            _json([conn.sealed_row(row.workspace_id, row.message_id, row) for row in writes.htmls]),
            _json(list(writes.lifts.values())),
        )


async def write_pending(conn: TenantConn, writes: Writes) -> int:
    """
    Keep early items and drop those that were applied.

    Returns:
        How many old ones were dropped because their account had more than ``PENDING_LIMIT``.
    """
    if not writes.pending and not writes.pending_done:
        return 0
    # Ids of one moment are in no order; what waits for a message is applied in the order of its ids.
    ids = sorted(one.id for one in writes.pending)
    rows = [msgspec.structs.replace(row, id=id_) for row, id_ in zip(writes.pending, ids, strict=True)]
    await conn.execute(QUERIES["write_pending"], _json(rows), *_columns(writes.pending_done, 2))
    accounts = {(one.workspace_id, one.channel_account_id) for one in writes.pending}
    if not accounts:
        return 0
    tag = await conn.execute(QUERIES["trim_pending"], *_columns(list(accounts), 2), PENDING_LIMIT)
    return int(tag.rpartition(" ")[2])


async def pending_for(conn: TenantConn, message: MessageRow) -> list[PendingRow]:
    """Return what waits for a message under its vendor's id, in the order it came."""
    rows = await conn.fetch(
        QUERIES["pending_for"], message.workspace_id, message.channel_account_id, message.external_id
    )
    return [_pending(row["data"]) for row in rows]


async def drop_pending(conn: TenantConn, workspace_id: int, ids: Sequence[UUID]) -> None:
    """Drop early items."""
    await conn.execute(QUERIES["drop_pending"], workspace_id, list(ids))


async def old_pending(conn: TenantConn, before: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of early items kept since before a moment; needs a connection across workspaces."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["old_pending"], before, limit)]


async def get_html(conn: TenantConn, workspace_id: int, message_id: UUID) -> tuple[Formatted, dict[str, UUID]]:
    """Return a message's formatted text and its pictures by Content-ID; ``NotFound`` where it has none."""
    row = await conn.fetchrow(QUERIES["get_html"], workspace_id, message_id)
    if row is None:
        raise NotFound("formatted text")
    return Formatted(row["html"], row["remote_images"]), dict(_pictures(row["inline"]))


async def newest_mail(conn: TenantConn, row: ConversationRow) -> MessageRow | None:
    """Return the message an answer goes to: the newest from a contact, else our newest."""
    found = await conn.fetchrow(QUERIES["newest_mail"], row.workspace_id, row.id)
    return _message(found["data"]) if found else None


async def read_answered(
    conn: TenantConn, row: ConversationRow, message: MessageRow, addresses: Iterable[str]
) -> Answered:
    """Return what a message of ours answers, and which of its recipients must not be written to."""
    found = await conn.fetchrow(
        QUERIES["answered"], row.workspace_id, message.id, list(addresses), row.identity_scheme, row.identity_scope
    )
    if found is None:
        raise NotFound("message")
    return Answered(
        external_id=found["external_id"],
        text=found["text"] or "",
        references=_ids(found["chain"]),
        suppressed=dict(_reasons(found["suppressed"])),
    )


async def own_addresses(conn: TenantConn, workspace_id: int) -> set[str]:
    """Return the workspace's own addresses, lower case."""
    rows = await conn.fetch(QUERIES["own_addresses"], workspace_id)
    return {address for row in rows for address in _account(row["data"]).addresses()}


async def find_contacts(conn: TenantConn, row: ConversationRow, addresses: Iterable[str]) -> dict[str, UUID]:
    """Return whose some addresses are, on the kind of channel the conversation is on."""
    found = await conn.fetch(
        QUERIES["identities"], row.workspace_id, row.identity_scheme, row.identity_scope, list(addresses)
    )
    return {one["value"]: one["contact_id"] for one in found}


async def make_contact(conn: TenantConn, workspace_id: int, contact: Contact, identity: Identity) -> None:
    """Add a contact with its one address."""
    await conn.execute(
        QUERIES["make_contact"],
        workspace_id,
        contact.id,
        contact.name,
        contact.created_at,
        contact.version,
        identity.scheme,
        identity.scope,
        identity.value,
    )


async def add_participants(
    conn: TenantConn, row: ConversationRow, contact_ids: Sequence[UUID], limit: int, now: datetime
) -> None:
    """Add contacts to a conversation that has fewer than ``limit``."""
    await conn.execute(QUERIES["add_participants"], row.workspace_id, row.id, list(contact_ids), now, limit)


def _add(
    known: Known,
    what: Literal["reference", "subject", "conversation", "account"],
    data: str,
    spelled: dict[TargetKey, str],
) -> None:
    match what:
        case "reference":
            named = _named(data)
            key = (named.workspace_id, named.channel_account_id, named.key)
            known.references[key] = named.conversation_ids[0]
        case "subject":
            named = _named(data)
            here = (named.workspace_id, named.channel_account_id)
            # While a workspace's texts are being sealed, one subject has several spellings.
            found = known.subjects.setdefault((*here, spelled[*here, named.key]), [])
            found += [one for one in named.conversation_ids if one not in found]
        case "conversation":
            _add_thread(known, _thread(data))
        case "account":
            account = _account(data)
            known.own_addresses.update((account.workspace_id, one) for one in account.addresses())


def _add_thread(known: Known, thread: ThreadRow) -> None:
    row = thread.conversation
    known.conversations[row.workspace_id, row.id] = thread
    key = (row.workspace_id, row.channel_account_id, row.thread_key)
    newest = known.threads.get(key)
    if newest is None or newest.created_at <= row.created_at:
        known.threads[key] = row


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[at] for row in rows] for at in range(width)]


def _json(rows: Sequence[object]) -> str:
    return _encode(rows).decode()
