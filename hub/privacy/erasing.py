"""
Carries erasures out, phase by phase: of one person, or of what a retention policy does not keep. Run by a job.

Every step is a transaction of its own that may be done twice; when a process dies another one goes on at the same phase
once its lease has ended.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from hub import clock
from hub.accounts.store import bump_rights
from hub.attachments import store as attachments
from hub.attachments.model import Part
from hub.audit import actions as audit
from hub.audit.model import SYSTEM
from hub.contacts.model import ContactsRemoved
from hub.envelope import StreamItem
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox.model import ConversationRemoved, ConversationStatus, MessageHeaders
from hub.privacy import store
from hub.privacy.model import NEEDLE_CHARS, PHASES, Phase, names_one, needles_of, without_parties
from hub.privacy.store import QUERIES
from hub.sealed import MARK
from hub.streams.model import partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from asyncpg import Record

    from hub.blobs import Blobs
    from hub.db import Database, TenantConn
    from hub.privacy.model import ErasureWork

LEASE: Final = timedelta(minutes=2)
# A transaction holds the workspace's lock for so many conversations' time.
CHUNK_CONVERSATIONS: Final = 50
CHUNK_EVENTS: Final = 2_000
CHUNK_BLOBS: Final = 200

_parts = msgspec.json.Decoder(tuple[Part, ...])
_headers = msgspec.json.Decoder(MessageHeaders)
_item = msgspec.msgpack.Decoder(StreamItem)
_encode = msgspec.json.Encoder().encode


class Streams(Protocol):
    """What is needed of ``hub.streams.IngressStreams``."""

    async def remove(self, partition: int, is_wanted: Callable[[bytes], bool]) -> int: ...


class Ephemeral(Protocol):
    """Forgets keys of the ephemeral Redis that hold one of the needles in their names."""

    async def __call__(self, needles: Sequence[bytes]) -> None: ...


class Erasing:
    """Carries out erasures; one per process, any number of processes."""

    def __init__(self, database: Database, streams: Streams, blobs: Blobs, forget: Ephemeral) -> None:
        self._database = database
        self._streams = streams
        self._blobs = blobs
        self._forget = forget

    async def run(self, workspace_id: int, erasure_id: UUID) -> bool:
        """
        Carry one erasure out to its end, from the phase it is in.

        Returns:
            False where somebody else does it, or it is done.

        Raises:
            Unavailable: A store does not answer; it goes on when the lease has ended.
        """
        async with self._database.transaction([workspace_id]) as conn:
            now = clock.now()
            work = await store.claim_erasure(conn, workspace_id, erasure_id, now, now + LEASE)
        if work is None:
            return False
        phase: Phase = work.phase
        while phase != "done":
            is_over = await self._phase(work, phase)
            # What came in meanwhile is taken before the contact can go.
            phase = PHASES[PHASES.index(phase) + 1] if is_over else "conversations"
            async with self._database.transaction([workspace_id]) as conn:
                await conn.execute(QUERIES["renew_erasure"], workspace_id, work.id, clock.now() + LEASE)
                if phase != "done":
                    await conn.execute(QUERIES["enter_phase"], workspace_id, work.id, phase)
                else:
                    await self._finish(conn, work)
        return True

    async def _phase(self, work: ErasureWork, phase: Phase) -> bool:
        """Do one phase; False where the first must be done again."""
        match phase:
            case "conversations":
                await self._remove_conversations(work)
            case "shared":
                await self._strip_shared(work)
            case "traces":
                await self._remove_traces(work)
            case "contact":
                return await self._remove_contacts(work)
            case "log":
                await self._empty_log(work)
            case _:
                await self._remove_blobs(work)
        return True

    async def _remove_conversations(self, work: ErasureWork) -> None:
        while True:
            async with self._database.transaction([work.workspace_id]) as conn:
                heads = await events.lock(conn, [work.workspace_id])
                rows = await _leaving(conn, work)
                if not rows:
                    return
                await _delete_conversations(conn, work, rows)
                # Their events lose their contents later: a client that missed some of them starts from a snapshot.
                await bump_rights(conn, work.workspace_id)
                await events.append(conn, heads, [_removed(work, row) for row in rows])
                await conn.execute(QUERIES["renew_erasure"], work.workspace_id, work.id, clock.now() + LEASE)

    async def _strip_shared(self, work: ErasureWork) -> None:
        if work.kind != "contact":
            return
        ws, people = work.workspace_id, list(work.contact_ids)
        named = [one for one in work.addresses if len(one) >= NEEDLE_CHARS]
        async with self._database.transaction([ws]) as conn:
            ids = [row["id"] for row in await conn.fetch(QUERIES["shared_conversations"], ws, people, named)]
            await conn.execute(QUERIES["share_conversations"], ws, work.id, ids)
        for conversation_id in ids:
            async with self._database.transaction([ws]) as conn:
                heads = await events.lock(conn, [ws])
                await _strip_conversation(conn, work, conversation_id, heads[ws] + 1)
                await bump_rights(conn, ws)
                # Says nothing by itself: whoever is here starts from a snapshot, as with any change of rights.
                await events.append(conn, heads, [_removed_contacts(work, ())])
                await conn.execute(QUERIES["renew_erasure"], ws, work.id, clock.now() + LEASE)
        async with self._database.transaction([ws]) as conn:
            await events.lock(conn, [ws])
            await conn.execute(QUERIES["leave_conversations"], ws, people)

    async def _remove_traces(self, work: ErasureWork) -> None:
        if work.kind != "contact":
            return
        ws, needles = work.workspace_id, needles_of(work.addresses)
        async with self._database.transaction([ws]) as conn:
            await conn.execute(QUERIES["delete_dead_letters"], ws, list(needles))
            await conn.execute(QUERIES["delete_pending_references"], ws, list(needles))
            await conn.execute(QUERIES["delete_spool"], ws, list(needles))
            raw_ids = {str(row["id"]) for row in await conn.fetch(QUERIES["delete_raw_items"], ws, list(needles))}
            ids = [str(one).encode() for one in work.contact_ids]
            await conn.execute(QUERIES["delete_answers"], ws, [*needles, *ids])
            await conn.execute(QUERIES["delete_suppressions"], ws, list(work.addresses))
            await conn.execute(QUERIES["delete_unsent"], ws, list(work.addresses))
            await conn.execute(QUERIES["drop_digests"], ws)

        def names_person(payload: bytes) -> bool:
            try:
                item = _item.decode(payload)
            except msgspec.MsgspecError:
                return names_one(payload, needles)
            if item.workspace_id != ws:
                return False
            return item.reference in raw_ids or names_one(item.body + item.key.encode(), needles)

        await self._streams.remove(partition_of(ws), names_person)
        await self._forget(needles)

    async def _remove_contacts(self, work: ErasureWork) -> bool:
        """Remove the person; False where a conversation of theirs came meanwhile."""
        if work.kind != "contact":
            return True
        ws = work.workspace_id
        async with self._database.transaction([ws]) as conn:
            heads = await events.lock(conn, [ws])
            if await conn.fetch(QUERIES["own_conversations"], ws, list(work.contact_ids), 1):
                return False
            gone = [row["id"] for row in await conn.fetch(QUERIES["delete_contacts"], ws, list(work.contact_ids))]
            if gone:
                await bump_rights(conn, ws)
                await events.append(conn, heads, [_removed_contacts(work, tuple(gone))])
        return True

    async def _empty_log(self, work: ErasureWork) -> None:
        """Empty events a chunk at a time; no lock: nobody else writes old events."""
        ws = work.workspace_id
        async with self._database.transaction([ws]) as conn:
            row = await conn.fetchrow(QUERIES["log_span"], ws, work.since)
        before, newest = (row["before"], row["newest"]) if row else (0, 0)
        for start in range(max(before, work.log_seq), newest, CHUNK_EVENTS):
            end = min(start + CHUNK_EVENTS, newest)
            async with self._database.transaction([ws]) as conn:
                await conn.execute(QUERIES["delete_raw_of_log"], ws, start, end)
                await conn.execute(QUERIES["erase_events"], ws, start, end)
                await conn.execute(QUERIES["erase_person_events"], ws, work.id, start, end)
                await conn.execute(QUERIES["move_log"], ws, work.id, end)
                await conn.execute(QUERIES["renew_erasure"], ws, work.id, clock.now() + LEASE)

    async def _remove_blobs(self, work: ErasureWork) -> None:
        await remove_trash(self._database, self._blobs, work.workspace_id)

    async def _finish(self, conn: TenantConn, work: ErasureWork) -> None:
        ws = work.workspace_id
        row = await conn.fetchrow(QUERIES["finish_erasure"], ws, work.id, clock.now())
        if row is None:
            # Somebody whose lease had ended was not dead after all, and came first.
            return
        details = {name: row[name] for name in ("conversations", "messages", "files")}
        if work.kind == "contact":
            entry = audit.made_by(SYSTEM, ws, "contact.erased", ("contact", work.contact_ids[0]), details)
        else:
            entry = audit.made_by(SYSTEM, ws, "retention_policy.applied", ("retention_policy", work.policy_id), details)
        await audit.record(conn, entry)


async def remove_trash(database: Database, blobs: Blobs, workspace_id: int) -> int:
    """Remove the blobs of a workspace that no row names any more, at once; returns how many."""
    removed, now = 0, clock.now()
    while True:
        async with database.transaction([workspace_id]) as conn:
            rows = await conn.fetch(QUERIES["trash"], workspace_id, now, CHUNK_BLOBS)
        if not rows:
            return removed
        keys = [row["blob_key"] for row in rows]
        for key in keys:
            await blobs.delete(key)
        async with database.transaction([workspace_id]) as conn:
            await conn.execute(attachments.QUERIES["keep"], workspace_id, keys)
        removed += len(keys)


async def _leaving(conn: TenantConn, work: ErasureWork) -> list[Record]:
    if work.kind == "contact":
        return await conn.fetch(
            QUERIES["own_conversations"], work.workspace_id, list(work.contact_ids), CHUNK_CONVERSATIONS
        )
    return await conn.fetch(
        QUERIES["old_conversations"], work.workspace_id, work.policy_id, work.older_than, CHUNK_CONVERSATIONS
    )


async def _delete_conversations(conn: TenantConn, work: ErasureWork, rows: Sequence[Record]) -> None:
    ws, ids = work.workspace_id, [row["id"] for row in rows]
    messages = await conn.fetchval(QUERIES["count_messages"], ws, ids)
    files = await conn.fetch(QUERIES["files_of"], ws, ids)
    # Stored pieces of uploads that are not whole yet have no row of their own.
    pieces = [
        part.key for row in files if row["author_id"] is not None and row["ref"] for part in _parts.decode(row["ref"])
    ]
    if pieces:
        await attachments.reserve(conn, ws, pieces, clock.now())
    await conn.execute(QUERIES["delete_files"], ws, ids)
    await conn.execute(QUERIES["delete_conversations"], ws, ids)
    await conn.execute(QUERIES["count_removed"], ws, work.id, len(ids), messages, len(files))


async def _strip_conversation(conn: TenantConn, work: ErasureWork, conversation_id: UUID, version: int) -> None:
    """Take one person out of a conversation of others."""
    ws, people = work.workspace_id, list(work.contact_ids)
    emptied = await conn.fetch(QUERIES["empty_messages"], ws, conversation_id, people, version)
    await conn.execute(QUERIES["delete_files_of_messages"], ws, [row["id"] for row in emptied])
    await conn.execute(QUERIES["delete_html"], ws, conversation_id)
    await conn.execute(QUERIES["delete_versions"], ws, conversation_id)
    patterns = [f"(?i){re.escape(one)}" for one in work.addresses if len(one) >= NEEDLE_CHARS]
    await conn.execute(QUERIES["strip_messages"], ws, conversation_id, patterns, version, f"{MARK}%")
    await _strip_sealed(conn, ws, conversation_id, patterns)
    addresses = frozenset(one.lower() for one in work.addresses)
    for row in await conn.fetch(QUERIES["shared_headers"], ws, conversation_id):
        before = _headers.decode(row["headers"])
        after = without_parties(before, addresses)
        if after != before:
            kept = conn.sealed_json(ws, row["id"], _encode(after))
            await conn.execute(QUERIES["write_headers"], ws, row["id"], kept.decode())
    newest = await conn.fetchrow(QUERIES["newest_text"], ws, conversation_id)
    preview = conn.sealed_text(ws, conversation_id, "preview", newest["text"][:140] if newest else "")
    await conn.execute(QUERIES["strip_conversation"], ws, conversation_id, version, preview)
    await conn.execute(QUERIES["count_removed"], ws, work.id, 0, len(emptied), 0)


async def _strip_sealed(conn: TenantConn, ws: int, conversation_id: UUID, patterns: Sequence[str]) -> None:
    """Do for sealed texts what ``strip_messages`` does where the database can read them."""
    for row in await conn.fetch(QUERIES["sealed_texts"], ws, conversation_id, f"{MARK}%"):
        text = row["text"]
        for pattern in patterns:
            text = re.sub(pattern, "[erased]", text)
        if text != row["text"]:
            kept = conn.sealed_text(ws, row["id"], "text", text)
            await conn.execute(QUERIES["write_text"], ws, row["id"], kept)


def _removed(work: ErasureWork, row: Record) -> NewEvent:
    body = ConversationRemoved(conversation_id=row["id"], previous_status=ConversationStatus(row["status"]))
    return NewEvent(
        workspace_id=work.workspace_id,
        type="conversation_removed",
        data=_encode(body),
        occurred_at=clock.now(),
        inbox_id=row["inbox_id"],
        actor_id=work.requested_by,
    )


def _removed_contacts(work: ErasureWork, contact_ids: tuple[UUID, ...]) -> NewEvent:
    return NewEvent(
        workspace_id=work.workspace_id,
        type="contacts_removed",
        data=_encode(ContactsRemoved(contact_ids=contact_ids)),
        occurred_at=clock.now(),
        actor_id=work.requested_by,
    )
