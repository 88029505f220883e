"""
Bytes by key: a folder of this machine, or a bucket of any S3-compatible store. Called by ``hub/attachments``.

Keys are made here from ids of ours: nothing a stranger wrote ever becomes a path. Knows no tenants and no files' names.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from hub import clock
from hub.errors import ConfigurationError, HubError, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from obstore.store import S3Config

    from hub.config import Settings

# An upload holds two parts in memory at most. S3 takes parts of 5 MiB or more, and 10,000 of them.
PART_BYTES: Final = 5 * 1024 * 1024
PARTS_AT_ONCE: Final = 2
READ_BYTES: Final = 1024 * 1024


class Blobs:
    """The object store of an installation."""

    def __init__(self, store: LocalStore | S3Store, folder: Path | None = None) -> None:
        """Keep a store; ``folder`` is where a local one has its files."""
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, settings: Settings, *, retries: int = 3) -> Blobs:
        """
        Open the store the settings name: a bucket, or the folder ``files`` (0700) of the data folder.

        Args:
            settings: Name the store.
            retries: How often a bucket that does not answer is asked again.

        Raises:
            ConfigurationError: The address cannot be used, or the folder cannot be made.
        """
        if not settings.files.url:
            return cls.in_folder(settings.data_dir / "files")
        address = urlsplit(settings.files.url)
        if address.scheme != "s3" or not address.netloc:
            raise ConfigurationError("HUB_FILES_URL must look like s3://bucket/prefix.", field="HUB_FILES_URL")
        config: S3Config = {"region": settings.files.region or "us-east-1"}
        if settings.files.endpoint:
            config["endpoint"] = settings.files.endpoint
            config["virtual_hosted_style_request"] = False
        if settings.files.access_key:
            config["access_key_id"] = settings.files.access_key
            config["secret_access_key"] = settings.files.secret_key
        allow_http = settings.files.endpoint.startswith("http://")
        try:
            store = S3Store(
                address.netloc,
                prefix=address.path.strip("/") or None,
                config=config,
                client_options={"allow_http": allow_http, "timeout": "60s", "connect_timeout": "5s"},
                retry_config={"max_retries": retries},
            )
        except (BaseError, ValueError) as error:
            raise ConfigurationError(f"HUB_FILES_URL cannot be used: {error}", field="HUB_FILES_URL") from error
        return cls(store)

    @classmethod
    def in_folder(cls, folder: Path) -> Blobs:
        """Open a store in a folder of this machine, made where it is missing."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return cls(LocalStore(prefix=str(folder), mkdir=True), folder)
        except (BaseError, OSError) as error:
            raise ConfigurationError(f"Files cannot be kept in {folder}: {error}", field="HUB_DATA_DIR") from error

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """
        Store a stream whole, or nothing of it.

        Args:
            key: From ``new_key``.
            chunks: Any number of pieces of any size; whatever it raises comes out here and nothing is stored.

        Returns:
            Bytes stored.

        Raises:
            Unavailable: The store does not answer, or is full.
        """
        counted = _Counted(chunks)
        with _translated():
            await obstore.put_async(
                self._store,
                key,
                counted.run(),
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=PARTS_AT_ONCE,
            )
            await self._settle(key)
        return counted.size_bytes

    async def put_file(self, key: str, path: Path) -> int:
        """Store a file of this machine; returns its size."""
        with _translated():
            await obstore.put_async(self._store, key, path, chunk_size=PART_BYTES, max_concurrency=PARTS_AT_ONCE)
            await self._settle(key)
        return (await asyncio.to_thread(path.stat)).st_size

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """
        Read a blob or part of it, in pieces.

        Args:
            key: Which.
            start: First byte, from 0.
            end: The byte after the last one; None for the rest.

        Raises:
            NotFound: No such blob.
            Unavailable: The store does not answer.
        """
        with _translated():
            if end is not None:
                options: obstore.GetOptions = {"range": (start, end)}
            else:
                options = {"range": {"offset": start}} if start else {}
            found = await obstore.get_async(self._store, key, options=options)
            async for chunk in found.stream(min_chunk_size=READ_BYTES):
                yield bytes(chunk)

    async def size(self, key: str) -> int:
        """Return a blob's size; ``NotFound`` where there is none."""
        with _translated():
            return int((await obstore.head_async(self._store, key))["size"])

    async def delete(self, key: str) -> None:
        """Remove a blob; one that is gone already is no error."""
        with _translated():
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                return

    async def keys(self, workspace_id: int) -> list[str]:
        """List the blobs of a workspace: for audits and tests, slow on a large store."""
        with _translated():
            listed = await obstore.list(self._store, prefix=f"{workspace_id}/").collect_async()
        return sorted(str(one["path"]) for one in listed)

    async def _settle(self, key: str) -> None:
        """What is acknowledged survives a power cut: a folder's file is on the disk before anybody hears of it."""
        if self._folder is not None:
            await asyncio.to_thread(_sync, self._folder / key)


def new_key(workspace_id: int, blob_id: UUID | None = None) -> str:
    """Make the key of a new blob; the two digits in the middle keep folders small."""
    name = (blob_id or clock.new_id()).hex
    return f"{workspace_id}/{name[-2:]}/{name}"


class _Counted:
    """Counts what passes through."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self.size_bytes = 0

    async def run(self) -> AsyncIterator[bytes]:
        async for chunk in self._chunks:
            if chunk:
                self.size_bytes += len(chunk)
                yield chunk


def _sync(path: Path) -> None:
    for place in (path, path.parent):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _translated() -> Iterator[None]:
    """Say the store's errors in our words; our own pass, also those of the stream that is stored."""
    try:
        yield
    except HubError:
        raise
    except FileNotFoundError as error:
        raise NotFound("file") from error
    except (BaseError, OSError) as error:
        raise Unavailable("The file store is not answering.") from error
