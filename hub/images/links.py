"""
Addresses of remote images: ``/api/v1/images/{signed}``. Whoever has one may see that image until it ends.

A token names workspace, target and end, and is signed: we fetch what a mail of that workspace names, nothing else.
Pure.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from typing import Final

import msgspec

from hub.errors import NotFound
from hub.secret_keys import writing_version

PURPOSE: Final = "image link"
# A mail that stays open is scrolled, printed and zoomed: its images must still be there.
LIFETIME_S: Final = 60 * 60
# Addresses change in steps, so that a browser's cache finds what it has seen before.
STEP_S: Final = 12 * 60 * 60
# The token is a third longer, and proxies take addresses of 8 KiB.
URL_LIMIT_BYTES: Final = 4096

_HEAD: Final = struct.Struct(">BIQI")
_MAC_BYTES: Final = 16
_VERSION: Final = 1


class ImageLink(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an address opens.

    Attributes:
        url: As the mail has it, http or https; not checked against where it leads.
        expires_at_s: Seconds since 1970.
    """

    workspace_id: int
    url: str
    expires_at_s: int


class ImageLinks:
    """Signs and reads tokens of remote images."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Keep the keys of ``Sealer.derive_keys(PURPOSE)``: the newest signs, all of them verify."""
        self._keys = dict(keys)
        self._newest = writing_version(keys)

    def sign(self, workspace_id: int, url: str, now_s: float) -> str | None:
        """
        Make a token, URL-safe.

        Args:
            workspace_id: Whose mail names the image.
            url: Its address.
            now_s: Seconds since 1970.

        Returns:
            A token good for an hour at least; None for an address longer than ``URL_LIMIT_BYTES``.
        """
        target = url.encode("utf-8", "replace")
        if len(target) > URL_LIMIT_BYTES:
            return None
        expires_at_s = (int(now_s) + LIFETIME_S + STEP_S) // STEP_S * STEP_S
        signed = _HEAD.pack(_VERSION, self._newest, workspace_id, expires_at_s) + target
        return base64.urlsafe_b64encode(signed + self._mac(self._newest, signed)).rstrip(b"=").decode()

    def read(self, token: str, now_s: float) -> ImageLink:
        """
        Check a token.

        Raises:
            NotFound: It is not ours, was changed, or has ended: which of them is not told.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            signed, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
            version, key, workspace_id, expires_at_s = _HEAD.unpack_from(signed)
        except (binascii.Error, ValueError, struct.error):
            raise NotFound("image") from None
        if version != _VERSION or key not in self._keys or not hmac.compare_digest(mac, self._mac(key, signed)):
            raise NotFound("image")
        if expires_at_s <= now_s:
            raise NotFound("image")
        url = signed[_HEAD.size :].decode("utf-8")
        return ImageLink(workspace_id=workspace_id, url=url, expires_at_s=expires_at_s)

    def _mac(self, key: int, signed: bytes) -> bytes:
        return hmac.digest(self._keys[key], signed, hashlib.sha256)[:_MAC_BYTES]
