"""Encrypts TOTP secrets: they belong to a person, not to a workspace, so no workspace's key fits. No IO."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hub.errors import ConfigurationError
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

# What the keys are derived for; see ``Sealer.derive_keys``.
PURPOSE: Final = "second-factors"
_FORMAT: Final = b"\x01"
_VERSION_BYTES: Final = 4
# NIST SP 800-38D section 8.2: a 96-bit random nonce is good for 2**32 values under one key.
_NONCE_BYTES: Final = 12


class FactorSealer:
    """Holds one key a version of the installation's key: the newest seals, all of them open."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """
        Take the keys.

        Args:
            keys: 32 bytes by version, 1 or more, derived from the installation's key for ``PURPOSE``.
        """
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self._newest = writing_version(keys)

    def __repr__(self) -> str:
        return f"FactorSealer(versions={sorted(self._ciphers)})"

    def seal(self, login_id: UUID, factor_id: UUID, secret: str) -> bytes:
        """Encrypt a secret for one row of one login."""
        nonce = os.urandom(_NONCE_BYTES)
        head = _FORMAT + self._newest.to_bytes(_VERSION_BYTES, "big")
        sealed = self._ciphers[self._newest].encrypt(nonce, secret.encode(), _bind(login_id, factor_id, self._newest))
        return head + nonce + sealed

    def open(self, login_id: UUID, factor_id: UUID, sealed: bytes) -> str:
        """
        Decrypt what ``seal`` made for the same row.

        Raises:
            ConfigurationError: It was changed, moved to another login, or the key that sealed it is gone.
        """
        start = len(_FORMAT) + _VERSION_BYTES
        version = int.from_bytes(sealed[len(_FORMAT) : start], "big")
        cipher = self._ciphers.get(version)
        if sealed[: len(_FORMAT)] != _FORMAT or cipher is None:
            raise ConfigurationError(
                "A second factor was sealed under a secret key that is not here; name it beside the new one in "
                "HUB_SECRET_KEY (2:new,1:old).",
                field="HUB_SECRET_KEY",
            )
        nonce, text = sealed[start : start + _NONCE_BYTES], sealed[start + _NONCE_BYTES :]
        try:
            return cipher.decrypt(nonce, text, _bind(login_id, factor_id, version)).decode()
        except (InvalidTag, ValueError) as error:
            raise ConfigurationError(
                "A second factor does not open: it was changed, moved, or sealed under another HUB_SECRET_KEY.",
                field="HUB_SECRET_KEY",
            ) from error


def _bind(login_id: UUID, factor_id: UUID, version: int) -> bytes:
    return msgspec.json.encode(["login_totp", "secret_sealed", str(login_id), str(factor_id), version])
