"""
Short addresses of files: ``/files/{token}``. Whoever has one may fetch that file until it ends; no cookie is needed.

A token names workspace, file, variant and end, and is signed; what is behind it is looked up when it is used, so that
a removed file is gone at once. Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import msgspec

from hub.attachments.model import Variant
from hub.errors import NotFound
from hub.secret_keys import writing_version

PURPOSE: Final = "file link"
# Browsers get a new address with each look; vendors fetch when their queue comes to it.
BROWSER_S: Final = 15 * 60
VENDOR_S: Final = 12 * 60 * 60
# Addresses change in steps, so that a browser's cache finds what it has seen a moment ago.
STEP_S: Final = 5 * 60

_VARIANTS: Final[tuple[Variant, ...]] = ("original", "thumbnail", "preview")
_HEAD: Final = struct.Struct(">BIQ16sBBI")
_MAC_BYTES: Final = 16
_VERSION: Final = 1


class FileLink(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an address opens.

    Attributes:
        download: Saved by the browser instead of shown.
        expires_at_s: Seconds since 1970.
    """

    workspace_id: int
    attachment_id: UUID
    variant: Variant = "original"
    download: bool = False
    expires_at_s: int = 0


class FileLinks:
    """Signs and reads tokens of file addresses."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Keep the keys of ``Sealer.derive_keys(PURPOSE)``: the newest signs, all of them verify."""
        self._keys = dict(keys)
        self._newest = writing_version(keys)

    def sign(self, link: FileLink, now_s: float, lifetime_s: int = BROWSER_S) -> tuple[str, int]:
        """
        Make a token.

        Args:
            link: What it opens; its end is replaced.
            now_s: Seconds since 1970.
            lifetime_s: Seconds it is good for at least.

        Returns:
            The token, URL-safe, 68 characters; and its end in seconds since 1970.
        """
        expires_at_s = (int(now_s) + lifetime_s + STEP_S) // STEP_S * STEP_S
        head = _HEAD.pack(
            _VERSION,
            self._newest,
            link.workspace_id,
            link.attachment_id.bytes,
            _VARIANTS.index(link.variant),
            link.download,
            expires_at_s,
        )
        return base64.urlsafe_b64encode(head + self._mac(self._newest, head)).rstrip(b"=").decode(), expires_at_s

    def read(self, token: str, now_s: float) -> FileLink:
        """
        Check a token.

        Raises:
            NotFound: It is not ours, was changed, or has ended: which of them is not told.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            head, mac = raw[: _HEAD.size], raw[_HEAD.size :]
            version, key, workspace_id, attachment_id, variant, download, expires_at_s = _HEAD.unpack(head)
        except (binascii.Error, ValueError, struct.error):
            raise NotFound("file") from None
        if version != _VERSION or key not in self._keys or not hmac.compare_digest(mac, self._mac(key, head)):
            raise NotFound("file")
        if expires_at_s <= now_s:
            raise NotFound("file")
        return FileLink(
            workspace_id=workspace_id,
            attachment_id=UUID(bytes=attachment_id),
            variant=_VARIANTS[variant],
            download=bool(download),
            expires_at_s=expires_at_s,
        )

    def _mac(self, key: int, head: bytes) -> bytes:
        return hmac.digest(self._keys[key], head, hashlib.sha256)[:_MAC_BYTES]
