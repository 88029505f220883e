"""
Remote images kept in a folder of this machine, so that a sender learns of the first look and of no other.

Each is sealed under a key made from its address: when the mail that names it is erased, nobody can read it any more,
and nothing in the folder says whose it was. Bounded in size and age; losing it costs a fetch. Knows no HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub import clock
from hub.log import Dependency, get_logger
from hub.secret_keys import writing_version

PURPOSE: Final = "image cache"
LIMIT_BYTES: Final = 256 * 1024 * 1024
AGE_LIMIT_S: Final = 30 * 24 * 3600
SWEEP_EVERY_S: Final = 3600.0
# Between two hourly sweeps the folder may grow by so much.
_SWEEP_AFTER_BYTES: Final = 32 * 1024 * 1024
_NONCE_BYTES: Final = 12

_log = get_logger("hub.images")


class KeptImage(msgspec.Struct, frozen=True, array_like=True):
    """
    What became of a fetch.

    Attributes:
        mime: What the bytes are; empty where there are none.
        data: The image.
        problem: Why there is none; empty where there is one.
        good_until_s: Seconds since 1970; asked for later, it is fetched anew.
    """

    mime: str
    data: bytes
    problem: str
    good_until_s: int


class ImageCache:
    """Keeps images by workspace and address; processes of one machine share the folder."""

    def __init__(
        self,
        folder: Path,
        keys: Mapping[int, bytes],
        *,
        limit_bytes: int = LIMIT_BYTES,
        now_s: Callable[[], float] = lambda: clock.now().timestamp(),
    ) -> None:
        """Keep a folder and the keys of ``Sealer.derive_keys(PURPOSE)``, of which the newest is used."""
        self._folder = folder
        self._key = keys[writing_version(keys)]
        self._limit_bytes = limit_bytes
        self._now_s = now_s
        self._unswept_bytes = 0
        self._writing = Dependency("image_cache", _log)

    async def get(self, workspace_id: int, url: str) -> KeptImage | None:
        """Return what is known of an address in a workspace."""
        path, cipher = self._place(workspace_id, url)
        try:
            sealed = await asyncio.to_thread(path.read_bytes)
            kept = msgspec.msgpack.decode(
                cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None), type=KeptImage
            )
        except (OSError, InvalidTag, ValueError):
            return None
        return kept if kept.good_until_s > self._now_s() else None

    async def put(self, workspace_id: int, url: str, image: KeptImage) -> None:
        """Keep an image; a folder that cannot be written costs another fetch, not an answer."""
        path, cipher = self._place(workspace_id, url)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + cipher.encrypt(nonce, msgspec.msgpack.encode(image), None)
        try:
            await asyncio.to_thread(_write, path, sealed)
            self._writing.found()
            self._unswept_bytes += len(sealed)
            if self._unswept_bytes > _SWEEP_AFTER_BYTES:
                await self.sweep()
        except OSError as error:
            self._writing.lost(error=type(error).__name__)

    async def sweep(self) -> None:
        """Remove what is old, and the oldest of what is too much."""
        self._unswept_bytes = 0
        await asyncio.to_thread(_sweep, self._folder, self._limit_bytes, self._now_s() - AGE_LIMIT_S)

    async def run(self) -> None:
        """Sweep every hour, until cancelled."""
        while True:
            with contextlib.suppress(OSError):
                await self.sweep()
            await asyncio.sleep(SWEEP_EVERY_S)

    def _place(self, workspace_id: int, url: str) -> tuple[Path, AESGCM]:
        # In another workspace the same address is another image: who else has seen it is nobody's business.
        named = f"{workspace_id}|{url}".encode("utf-8", "replace")
        name = hmac.digest(self._key, b"name|" + named, hashlib.sha256).hex()
        cipher = AESGCM(hmac.digest(self._key, b"seal|" + named, hashlib.sha256))
        return self._folder / name[:2] / name, cipher


def _write(path: Path, sealed: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Readers in other processes see the whole file or none.
    unfinished = path.with_suffix(f".{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def _sweep(folder: Path, limit_bytes: int, before_s: float) -> None:
    found: list[tuple[float, int, Path]] = []
    for path in folder.glob("*/*"):
        with contextlib.suppress(FileNotFoundError):
            seen = path.stat()
            found.append((seen.st_mtime, seen.st_size, path))
    total = sum(size for _, size, _ in found)
    for written_s, size, path in sorted(found):
        if written_s >= before_s and total <= limit_bytes:
            return
        path.unlink(missing_ok=True)
        total -= size
