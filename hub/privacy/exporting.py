"""
Makes exports: everything known of one person as a zip, cut into blobs sealed with a key of this export alone.

The zip is built in a file without a name, which ends with the process. Run by a job; read by the edge for the download.
"""

from __future__ import annotations

import asyncio
import tempfile
import zipfile
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.attachments import actions as attachments
from hub.attachments.store import QUERIES as ATTACHMENTS
from hub.blobs import new_key
from hub.channels.sealing import Place, WrappedKey
from hub.errors import NotFound
from hub.log import get_logger
from hub.privacy import store
from hub.privacy.store import QUERIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from hub.blobs import Blobs
    from hub.channels.sealing import DataKey, Sealer
    from hub.db import Database
    from hub.privacy.store import Family

LEASE: Final = timedelta(minutes=2)
ATTEMPTS: Final = 5
PART_BYTES: Final = 4 * 1024 * 1024
PAGE: Final = 500
# The key is in the export's own row, not among the workspace's.
_KEY_ID: Final = 0
_TEXTS: Final = {
    "contact": QUERIES["export_contact"],
    "identities": QUERIES["export_identities"],
    "consents": QUERIES["export_consents"],
    "stops": QUERIES["export_stops"],
    "suppressions": QUERIES["export_suppressions"],
    "conversations": QUERIES["export_conversations"],
    "files": QUERIES["export_files"],
    "audit": QUERIES["export_audit"],
}
_PAGES: Final = {"messages": (QUERIES["export_messages"], "id"), "events": (QUERIES["export_events"], "seq")}

_log = get_logger("hub.privacy")


class _File(msgspec.Struct, frozen=True):
    """What is needed of a row of ``attachment``."""

    id: str
    filename: str
    state: str
    blob_key: str | None = None


_file = msgspec.json.Decoder(_File)


class _Run(msgspec.Struct, frozen=True):
    """One attempt at one export."""

    workspace_id: int
    id: UUID
    attempt: int
    person: Family


class Exporting:
    """Makes exports and opens them; one per process, any number of processes."""

    def __init__(self, database: Database, blobs: Blobs, sealer: Sealer) -> None:
        self._database = database
        self._blobs = blobs
        self._sealer = sealer

    async def run(self, workspace_id: int, export_id: UUID) -> bool:
        """
        Make one export.

        Returns:
            False where somebody else makes it, or it has gone.

        Raises:
            Unavailable: A store does not answer; it is begun anew when the lease has ended.
        """
        now = clock.now()
        async with self._database.transaction([workspace_id]) as conn:
            row = await conn.fetchrow(QUERIES["claim_export"], workspace_id, export_id, now, now + LEASE)
            if row is None:
                return False
            if row["attempt"] > ATTEMPTS:
                await conn.execute(QUERIES["fail_export"], workspace_id, export_id, now)
                _log.error("export_given_up", workspace_id=workspace_id, export_id=str(export_id))
                return False
            person = await store.family(conn, workspace_id, row["contact_id"])
        run = _Run(workspace_id, export_id, row["attempt"], person)
        with tempfile.TemporaryFile(prefix="hub-export-") as file:
            if not await self._write(run, file):
                return False
            return await self._keep(run, file)

    async def open(self, workspace_id: int, export_id: UUID, now: datetime) -> AsyncIterator[bytes]:
        """
        Find an export that is ready; the iterator gives the zip in pieces.

        Raises:
            NotFound: There is none, or it has ended.
        """
        async with self._database.transaction([workspace_id]) as conn:
            row = await conn.fetchrow(QUERIES["export_parts"], workspace_id, export_id, now)
        if row is None:
            raise NotFound("export")
        key = self._sealer.unwrap(WrappedKey(workspace_id, _KEY_ID, row["key_version"], row["wrapped"]))
        return self._opened(key, export_id, row["part_keys"])

    async def _opened(self, key: DataKey, export_id: UUID, part_keys: list[str]) -> AsyncIterator[bytes]:
        for number, part_key in enumerate(part_keys):
            sealed = b"".join([chunk async for chunk in self._blobs.read(part_key)])
            yield await asyncio.to_thread(key.open, _place(key.workspace_id, export_id, number), sealed)

    async def _write(self, run: _Run, file: IO[bytes]) -> bool:
        """Write the zip; False where another attempt took over."""
        ws, person = run.workspace_id, run.person
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            texts = await self._texts(run)
            files = [_file.decode(one) for one in texts["files"]]
            ready = [(one, one.blob_key) for one in files if one.state == "ready" and one.blob_key is not None]
            total = len(_TEXTS) + 2 + len(ready)
            for name, rows in texts.items():
                archive.writestr(f"{name}.json", "[\n" + ",\n".join(rows) + "\n]\n")
            if not await self._move(run, len(_TEXTS), total):
                return False
            await self._write_pages(run, archive)
            if not await self._move(run, len(_TEXTS) + 2, total):
                return False
            for number, (one, blob_key) in enumerate(ready, len(_TEXTS) + 3):
                with archive.open(f"files/{one.id}-{_plain(one.filename)}", "w", force_zip64=True) as entry:
                    async for chunk in self._blobs.read(blob_key):
                        await asyncio.to_thread(entry.write, chunk)
                if not await self._move(run, number, total):
                    return False
            about = {"workspace_id": ws, "contact_ids": person.contact_ids, "made_at": clock.now(), "format": 1}
            archive.writestr("about.json", msgspec.json.format(msgspec.json.encode(about)))
        return True

    async def _texts(self, run: _Run) -> dict[str, list[str]]:
        ws, ids = run.workspace_id, list(run.person.contact_ids)
        found: dict[str, list[str]] = {}
        async with self._database.snapshot([ws]) as conn:
            for name, sql in _TEXTS.items():
                which: object = ids
                if name == "suppressions":
                    which = list(run.person.addresses)
                elif name == "audit":
                    which = [str(one) for one in ids]
                found[name] = [row["data"] for row in await conn.fetch(sql, ws, which)]
        return found

    async def _write_pages(self, run: _Run, archive: zipfile.ZipFile) -> None:
        """Write messages and events, which may be many: one JSON object a line."""
        ws, ids = run.workspace_id, list(run.person.contact_ids)
        for name, (sql, column) in _PAGES.items():
            after: object = None if name == "messages" else 0
            with archive.open(f"{name}.jsonl", "w", force_zip64=True) as entry:
                while True:
                    async with self._database.snapshot([ws]) as conn:
                        rows = await conn.fetch(sql, ws, ids, after, PAGE)
                    for row in rows:
                        entry.write((row["data"].replace("\n", " ") + "\n").encode())
                    if len(rows) < PAGE:
                        break
                    after = rows[-1][column]

    async def _keep(self, run: _Run, file: IO[bytes]) -> bool:
        """Seal the zip into blobs that its row names; False where another attempt took over."""
        ws = run.workspace_id
        wrapped = self._sealer.new_data_key(ws, _KEY_ID)
        key = self._sealer.unwrap(wrapped)
        size_bytes = file.seek(0, 2)
        file.seek(0)
        keys = [new_key(ws) for _ in range(-(-size_bytes // PART_BYTES))]
        async with self._database.transaction([ws]) as conn:
            await attachments.reserve(conn, ws, keys)
        for number, part_key in enumerate(keys):
            sealed = key.seal(_place(ws, run.id, number), await asyncio.to_thread(file.read, PART_BYTES))
            await self._blobs.put(part_key, _single(sealed))
        async with self._database.transaction([ws]) as conn:
            kept = await conn.fetchrow(
                QUERIES["finish_export"],
                *(ws, run.id, run.attempt, keys, size_bytes, wrapped.key_version, wrapped.wrapped, clock.now()),
            )
            if kept is not None:
                await conn.execute(ATTACHMENTS["keep"], ws, keys)
        return kept is not None

    async def _move(self, run: _Run, done: int, total: int) -> bool:
        async with self._database.transaction([run.workspace_id]) as conn:
            until = clock.now() + LEASE
            row = await conn.fetchrow(QUERIES["move_export"], run.workspace_id, run.id, run.attempt, done, total, until)
        return row is not None


def _place(workspace_id: int, export_id: UUID, number: int) -> Place:
    """A part opens in its own place only: none can be left out, moved, or put into another export."""
    return Place(workspace_id, "contact_export", "part", f"{export_id}:{number}")


def _plain(filename: str) -> str:
    return "".join(char if char.isalnum() or char in "._- " else "_" for char in filename)


async def _single(data: bytes) -> AsyncIterator[bytes]:
    yield data
