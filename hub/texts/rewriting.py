"""
Brings what a workspace has stored to how its texts are to be kept, chunk by chunk. Run by a job.

Sealing, opening and changing the key are one thing: a row is read as whoever reads it sees it, and written as whoever
writes now writes it. A chunk is a transaction that may be done twice; another process goes on where one died.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID, uuid5

import msgspec

from hub import clock
from hub.events import store as events
from hub.subjects import normalise_subject
from hub.texts import store
from hub.texts.model import PHASES, Phase, Work
from hub.texts.store import QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asyncpg import Record

    from hub.db import Database, TenantConn

LEASE: Final = timedelta(minutes=1)
# A chunk holds the workspace's lock (measured: 200 messages take 9 ms, 200 events 23 ms); formatted texts are large.
CHUNK_ROWS: Final = 200
CHUNK_HTMLS: Final = 25
SUBJECT_KEY_CHARS: Final = 300

_Tree = dict[str, object]
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Rewriting:
    """Carries out what was asked of texts; one per process, any number of processes."""

    def __init__(self, database: Database, *, chunk_rows: int = CHUNK_ROWS) -> None:
        self._database = database
        self._chunk_rows = chunk_rows

    async def run(self, workspace_id: int) -> bool:
        """
        Bring a workspace to its end, from where it is.

        Returns:
            False where somebody else does it, or nothing was left to do.

        Raises:
            Unavailable: Postgres does not answer; it goes on when the lease has ended.
        """
        async with self._database.transaction([workspace_id]) as conn:
            now = clock.now()
            work = await store.claim(conn, workspace_id, now, now + LEASE)
            dropped = await store.drop_keys(conn, workspace_id, now)
        if work is None:
            return dropped > 0
        while work is not None and work.phase is not Phase.DONE:
            began_s = clock.monotonic_s()
            work = await self.step(work)
            # Members write meanwhile: half of the time the workspace is theirs.
            await asyncio.sleep(clock.monotonic_s() - began_s)
        return True

    async def step(self, work: Work) -> Work | None:
        """Do one chunk; returns where to go on, None where somebody else took over."""
        ws = work.workspace_id
        async with self._database.transaction([ws]) as conn:
            await events.lock(conn, [ws])
            read, last = await _rewrite(conn, work, self._limit(work.phase))
            is_over = read < self._limit(work.phase)
            phase = PHASES[PHASES.index(work.phase) + 1] if is_over else work.phase
            after = Work(ws, phase, "" if is_over else last, work.until_seq)
            # The end of everything is written below: `done` says when, too.
            kept = after if phase is not Phase.DONE else msgspec.structs.replace(after, phase=work.phase, place=last)
            if not await store.advance(conn, work, kept, read, clock.now() + LEASE):
                return None
            if phase is Phase.DONE:
                await store.finish(conn, ws, (await store.get_kept(conn, ws)).key_id, clock.now())
        return after

    def _limit(self, phase: Phase) -> int:
        return min(self._chunk_rows, CHUNK_HTMLS) if phase is Phase.HTMLS else self._chunk_rows


async def _rewrite(conn: TenantConn, work: Work, limit: int) -> tuple[int, str]:
    """Rewrite a chunk; returns how many rows it had, and its last one."""
    if work.phase is Phase.EVENTS:
        return await _rewrite_log(conn, work, limit)
    read, write, again = _WAYS[work.phase]
    place = UUID(work.place) if work.place else UUID(int=0)
    rows = await conn.fetch(read, work.workspace_id, place, limit)
    changed = [one for row in rows for one in again(conn, row)]
    if changed:
        await conn.execute(write, _encode(changed).decode())
    return len(rows), str(rows[-1]["id"]) if rows else ""


async def _rewrite_log(conn: TenantConn, work: Work, limit: int) -> tuple[int, str]:
    ws = work.workspace_id
    kept = await conn.fetch_sealed(QUERIES["log_after"], ws, int(work.place or 0), limit, work.until_seq)
    said = await conn.opened(kept)
    seqs = [row["seq"] for row in kept]
    olds = [row["data"] for row in kept]
    news = [conn.sealed_json(ws, row["seq"], row["data"].encode()).decode() for row in said]
    changed = [place for place, (old, new) in enumerate(zip(olds, news, strict=True)) if old != new]
    if changed:
        columns = [[column[place] for place in changed] for column in (seqs, olds, news)]
        await conn.execute(QUERIES["write_log"], ws, *columns)
    return len(kept), str(seqs[-1]) if seqs else ""


def _row_again(conn: TenantConn, row: Record) -> list[object]:
    return [_decode(conn.sealed_json(_workspace(conn), row["id"], row["data"].encode()))]


def _versions_again(conn: TenantConn, row: Record) -> list[object]:
    made: list[object] = []
    for one in cast("list[_Tree]", _decode(row["data"])):
        kept = cast("_Tree", _decode(conn.sealed_json(_workspace(conn), row["id"], _encode(one))))
        # The id is made of the text; see ``hub.inbox.change_store``.
        if _workspace(conn) in conn.sealing:
            kept["new_id"] = uuid5(row["id"], conn.blind(_workspace(conn), cast("str", one["id"])))
        else:
            kept["new_id"] = one["id"]
        made.append(kept)
    return made


def _conversation_again(conn: TenantConn, row: Record) -> list[object]:
    said = cast("_Tree", _decode(row["data"]))
    kept = cast("_Tree", _decode(conn.sealed_json(_workspace(conn), row["id"], row["data"].encode())))
    if said["subject_key"]:
        # It cannot be opened, but it is made of the subject, which can.
        key = normalise_subject(cast("str", said["subject"]))[0][:SUBJECT_KEY_CHARS]
        kept["subject_key"] = conn.blind(_workspace(conn), key)
    return [kept]


def _workspace(conn: TenantConn) -> int:
    return conn.workspace_ids[0]


_WAYS: Final[Mapping[Phase, tuple[str, str, Callable[[TenantConn, Record], list[object]]]]] = {
    Phase.MESSAGES: (QUERIES["messages_after"], QUERIES["write_messages"], _row_again),
    Phase.HTMLS: (QUERIES["htmls_after"], QUERIES["write_htmls"], _row_again),
    Phase.VERSIONS: (QUERIES["versions_after"], QUERIES["write_versions"], _versions_again),
    Phase.CONVERSATIONS: (QUERIES["conversations_after"], QUERIES["write_conversations"], _conversation_again),
    Phase.ACTS: (QUERIES["acts_after"], QUERIES["write_acts"], _row_again),
}
