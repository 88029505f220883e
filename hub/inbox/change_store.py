"""Reads and writes that only changing messages need, one function a query."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid5

import msgspec

from hub.db import load_queries
from hub.envelope import ItemKind
from hub.inbox.batch import thread_key
from hub.inbox.rows import ConversationRow, TargetRow, VersionRow
from hub.inbox.threads import is_echo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from hub.db import TenantConn
    from hub.inbox.batch import Known, ReceivedItem, Writes

QUERIES = load_queries(Path(__file__).with_name("changes.sql"))
# A send that was given up longer ago is not what an echo of now is the copy of.
IN_FLIGHT_FOR = timedelta(hours=1)
CHANGING = frozenset({ItemKind.EDIT, ItemKind.DELETE, ItemKind.REACTION})

_encode = msgspec.json.Encoder().encode
_conversation = msgspec.json.Decoder(ConversationRow).decode
_target = msgspec.json.Decoder(TargetRow).decode


class Version(msgspec.Struct, frozen=True):
    """What a message said from ``written_at`` on, until it was edited."""

    text: str
    written_at: datetime


async def read_changing(conn: TenantConn, known: Known, batch: Sequence[ReceivedItem], now: datetime) -> None:
    """Add to ``known`` what only changes, echoes and watermarks need: no round trip where a batch has none of them."""
    if known.pending or any(one.item.kind in CHANGING for one in batch):
        await read_rows(conn, known)
    here = _columns({thread_key(one): None for one in batch if _is_unknown_echo(known, one)}, 3)
    if here[0]:
        for row in await conn.fetch(QUERIES["in_flight"], *here, now - IN_FLIGHT_FOR):
            target = _target(row["data"])
            message = target.message
            place = (message.workspace_id, message.channel_account_id, row["thread_key"])
            known.in_flight.setdefault(place, []).append(target)
    marks = {
        (*thread_key(one), one.item.watermark): None
        for one in batch
        if one.item.watermark is not None and not one.item.target_external_id
    }
    if marks:
        for row in await conn.fetch(QUERIES["watched"], *_columns(marks, 4)):
            target = _target(row["data"])
            message = target.message
            place = (message.workspace_id, message.channel_account_id, row["thread_key"])
            known.watched.setdefault((*place, row["watermark"]), []).append(target)


async def read_rows(conn: TenantConn, known: Known) -> None:
    """Add to ``known`` the conversations of the messages it has."""
    wanted = {(one.message.workspace_id, one.message.conversation_id): None for one in known.targets.values()}
    if not wanted:
        return
    for row in await conn.fetch(QUERIES["known_rows"], *_columns(wanted, 2)):
        conversation = _conversation(row["data"])
        known.rows[conversation.workspace_id, conversation.id] = conversation


async def write_changes(conn: TenantConn, writes: Writes) -> None:
    """Write how messages changed, before formatted texts are written; no round trip where none did."""
    if not writes.changed and not writes.versions:
        return
    stale = [key for key, row in writes.changed.items() if row.edited_at is not None]
    await conn.execute(
        QUERIES["write_changes"],
        _encode([conn.sealed_row(row.workspace_id, row.id, row) for row in writes.changed.values()]).decode(),
        _encode([_sealed_version(conn, row) for row in writes.versions.values()]).decode(),
        *_columns(dict.fromkeys(stale), 2),
    )


async def erase_deleted(conn: TenantConn, writes: Writes) -> None:
    """Forget what deleted messages said, in rows and in the log; called when the batch's events are in the log."""
    if not writes.deleted:
        return
    gone = [
        (workspace_id, message_id, one.conversation_id, one.seq, one.shown)
        for (workspace_id, message_id), one in writes.deleted.items()
    ]
    lines = await _lines_that_show(conn, writes) if conn.blinding else []
    await conn.execute(QUERIES["redact_deleted"], *_columns(dict.fromkeys(gone), 5), *_columns(lines, 2))
    await conn.execute(QUERIES["erase_deleted"], *_columns(writes.deleted, 2))


async def list_versions(conn: TenantConn, workspace_id: int, message_id: UUID) -> list[Version]:
    """Return what a message said before its edits, the oldest first, 100 at most."""
    rows = await conn.fetch(QUERIES["list_versions"], workspace_id, message_id)
    return [Version(row["text"], row["written_at"]) for row in rows]


async def _lines_that_show(conn: TenantConn, writes: Writes) -> list[tuple[int, int]]:
    """Return (workspace, seq) of lines that show the start of a deleted message: the database cannot read them."""
    gone = [(key[0], key[1], one.conversation_id, one.shown) for key, one in writes.deleted.items() if one.shown]
    rows = await conn.fetch(QUERIES["lines_shown"], *_columns(gone, 4))
    return [(row["workspace_id"], row["seq"]) for row in rows if row["preview"] == row["shown"]]


def _sealed_version(conn: TenantConn, row: VersionRow) -> object:
    """Return an earlier text as it is to be kept; its id is made of the text, so it is blinded too."""
    if row.workspace_id in conn.sealing:
        row = msgspec.structs.replace(row, id=uuid5(row.message_id, conn.blind(row.workspace_id, str(row.id))))
    return conn.sealed_row(row.workspace_id, row.message_id, row)


def _is_unknown_echo(known: Known, one: ReceivedItem) -> bool:
    item, here = one.item, (one.workspace_id, one.channel_account_id)
    if item.kind is not ItemKind.MESSAGE or not is_echo(one) or item.thread is not None:
        return False
    return not any((*here, name) in known.targets for name in (item.external_id, item.correlation_id) if name)


def _columns(rows: Iterable[tuple[object, ...]], width: int) -> list[list[object]]:
    every = list(rows)
    return [[row[at] for row in every] for at in range(width)]
