"""
Bytes of files into the store, and the check of what came: sniffed, pictures made anew, previews drawn.

Blobs are noted before they are stored, so that a process that dies leaves nothing behind; no file is ever held whole in
memory. Called by uploads (``api/uploads.py``) and by the fetch job (``connectors/fetching.py``).
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from hub.attachments import actions
from hub.attachments.kinds import HEAD_BYTES, PREVIEWED, SHOWN_IMAGES, UNKNOWN, kind_of, sniff
from hub.attachments.model import Part
from hub.attachments.pictures import PIXEL_LIMIT, Looked
from hub.attachments.store import Settled
from hub.blobs import new_key
from hub.errors import TooLarge
from hub.log import get_logger

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from hub.attachments.model import AttachmentRow
    from hub.blobs import Blobs
    from hub.db import TenantConn

# A picture larger than this is kept as a file: decoding it would take more memory than it may.
PICTURE_BYTES: Final = 64 * 1024 * 1024
PICTURE_TIMEOUT_S: Final = 30.0
# Each may take a core and its memory limit.
PICTURES_AT_ONCE: Final = 2

# Isolated from the folder it runs in and from the environment, but with the code this process has.
_ROOT: Final = Path(__file__).resolve().parents[2]
_CHILD: Final = (
    "import sys; sys.path.insert(0, sys.argv[1]); from hub.attachments.pictures import main; main(sys.argv[2:])"
)
_UNREADABLE: Final = Looked(outcome="unreadable")

_log = get_logger("hub.attachments")


class Transactions(Protocol):
    """What is needed of ``hub.db.Database``."""

    def transaction(self, workspace_ids: Sequence[int]) -> AbstractAsyncContextManager[TenantConn]: ...


@dataclass(slots=True)
class KeepingMetrics:
    """Bytes stored and files checked by outcome; read by /metrics."""

    stored_bytes: int = 0
    ready: int = 0
    failed: int = 0
    unreadable: int = 0


class Keeper:
    """Stores and checks files; one per process."""

    def __init__(self, database: Transactions, blobs: Blobs) -> None:
        self._database = database
        self.blobs = blobs
        self.metrics = KeepingMetrics()
        self._places = asyncio.Semaphore(PICTURES_AT_ONCE)

    async def store(self, workspace_id: int, chunks: AsyncIterable[bytes], limit_bytes: int) -> Part:
        """
        Store a stream as one blob that is swept unless a row names it in time.

        Raises:
            TooLarge: More than ``limit_bytes`` came; nothing is stored.
            Unavailable: The store or the database does not answer.
        """
        key = new_key(workspace_id)
        async with self._database.transaction([workspace_id]) as conn:
            await actions.reserve(conn, workspace_id, [key])
        digest = hashlib.sha256()
        size_bytes = await self.blobs.put(key, _measured(chunks, limit_bytes, digest.update))
        self.metrics.stored_bytes += size_bytes
        return Part(key, size_bytes, digest.hexdigest())

    async def check(self, row: AttachmentRow, parts: Sequence[Part]) -> Settled:
        """
        Look at a file that is here whole; the caller settles its row.

        Args:
            row: Pending.
            parts: Its bytes, in order; one or more.

        Returns:
            What it is, with its blobs stored; ``failed`` with words where it is refused.

        Raises:
            NotFound: A part has gone.
            Unavailable: The store or the database does not answer.
        """
        size_bytes = sum(part.size_bytes for part in parts)
        if size_bytes == 0:
            return self._refuse(row, "The file is empty.")
        mime = sniff(await self._head(parts), row.mime)
        looked = Looked(outcome="ok")
        if mime in SHOWN_IMAGES or mime in PREVIEWED:
            if size_bytes > PICTURE_BYTES:
                looked = _UNREADABLE
            else:
                return await self._check_picture(row, parts, mime)
        return await self._keep_as_it_is(row, parts, mime, looked)

    async def draw_thumbnail(self, data: bytes) -> bytes | None:
        """
        Make a small picture of a picture, without storing anything.

        Args:
            data: From outside, whole.

        Returns:
            WebP of at most 320 pixels a side; None where it is no picture, or one that is not decoded.
        """
        mime = sniff(data[:HEAD_BYTES])
        if mime not in SHOWN_IMAGES:
            return None
        async with self._places:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="hub-picture-"))
            try:
                await asyncio.to_thread((folder / "in").write_bytes, data)
                looked = await look(folder / "in", folder, mime)
                if looked.outcome != "ok" or "thumbnail" not in looked.made:
                    return None
                return await asyncio.to_thread((folder / "thumbnail").read_bytes)
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _check_picture(self, row: AttachmentRow, parts: Sequence[Part], mime: str) -> Settled:
        async with self._places:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="hub-picture-"))
            try:
                await _copy(self._read(parts), folder / "in")
                looked = await look(folder / "in", folder, mime)
                if looked.outcome == "too_large":
                    return self._refuse(row, f"The picture has more than {PIXEL_LIMIT // 1_000_000} million pixels.")
                if looked.outcome == "unreadable":
                    return await self._keep_as_it_is(row, parts, mime, looked)
                return await self._keep_picture(row, parts, mime, looked, folder)
            finally:
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _keep_picture(
        self, row: AttachmentRow, parts: Sequence[Part], mime: str, looked: Looked, folder: Path
    ) -> Settled:
        keys = {name: new_key(row.workspace_id) for name in looked.made}
        async with self._database.transaction([row.workspace_id]) as conn:
            await actions.reserve(conn, row.workspace_id, list(keys.values()))
        sizes = {name: await self.blobs.put_file(key, folder / name) for name, key in keys.items()}
        self.metrics.stored_bytes += sum(sizes.values())
        if "original" in keys:
            digest = await asyncio.to_thread(_digest_file, folder / "original")
            whole = Part(keys["original"], sizes["original"], digest)
        else:
            whole = await self._joined(row.workspace_id, parts)
        return self._settle(whole, mime, looked, keys)

    async def _keep_as_it_is(self, row: AttachmentRow, parts: Sequence[Part], mime: str, looked: Looked) -> Settled:
        """Keep a file unchanged; a picture nobody could read is bytes like any other, never shown."""
        if looked.outcome == "unreadable":
            self.metrics.unreadable += 1
            if mime in SHOWN_IMAGES:
                mime = UNKNOWN
        return self._settle(await self._joined(row.workspace_id, parts), mime, looked, {})

    async def _joined(self, workspace_id: int, parts: Sequence[Part]) -> Part:
        if len(parts) == 1:
            return parts[0]
        return await self.store(workspace_id, self._read(parts), sum(part.size_bytes for part in parts))

    def _settle(self, whole: Part, mime: str, looked: Looked, keys: dict[str, str]) -> Settled:
        self.metrics.ready += 1
        return Settled(
            state="ready",
            kind=kind_of(mime),
            mime=mime,
            size_bytes=whole.size_bytes,
            width=looked.width,
            height=looked.height,
            sha256=bytes.fromhex(whole.sha256),
            blob_key=whole.key,
            thumbnail_key=keys.get("thumbnail"),
            preview_key=keys.get("preview"),
        )

    def _refuse(self, row: AttachmentRow, why: str) -> Settled:
        self.metrics.failed += 1
        return Settled(state="failed", kind=row.kind, mime=row.mime, size_bytes=row.size_bytes, error=why)

    async def _read(self, parts: Sequence[Part]) -> AsyncIterator[bytes]:
        for part in parts:
            async for chunk in self.blobs.read(part.key):
                yield chunk

    async def _head(self, parts: Sequence[Part]) -> bytes:
        head = b""
        for part in parts:
            async for chunk in self.blobs.read(part.key, 0, min(part.size_bytes, HEAD_BYTES)):
                head += chunk
            if len(head) >= HEAD_BYTES:
                break
        return head[:HEAD_BYTES]


async def look(source: Path, folder: Path, mime: str, *, timeout_s: float = PICTURE_TIMEOUT_S) -> Looked:
    """
    Have a picture or PDF looked at by a process of its own.

    Args:
        source: The file.
        folder: Where the pictures go.
        mime: What ``sniff`` said.
        timeout_s: After this it is killed.

    Returns:
        What it made; ``unreadable`` where it died, was killed, or said nothing we understand.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _CHILD, str(_ROOT), str(source), str(folder), mime),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            said, _ = await process.communicate()
    except TimeoutError:
        _log.info("picture process took too long", mime=mime)
        return _UNREADABLE
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        _log.info("picture process died", returncode=process.returncode, mime=mime)
        return _UNREADABLE
    try:
        looked = msgspec.json.decode(said, type=Looked)
    except msgspec.DecodeError:
        return _UNREADABLE
    return looked


async def _measured(chunks: AsyncIterable[bytes], limit_bytes: int, update: _Update) -> AsyncIterator[bytes]:
    size_bytes = 0
    async for chunk in chunks:
        size_bytes += len(chunk)
        if size_bytes > limit_bytes:
            raise TooLarge(limit_bytes)
        update(chunk)
        yield chunk


class _Update(Protocol):
    def __call__(self, data: bytes, /) -> None: ...


async def _copy(chunks: AsyncIterable[bytes], target: Path) -> None:
    with await asyncio.to_thread(target.open, "wb") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)


def _digest_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
