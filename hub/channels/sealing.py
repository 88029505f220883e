"""
Envelope encryption of what the database must not be able to read: channel credentials.

The installation's key (``HUB_SECRET_KEY``, versioned) wraps one data key a workspace; the data key seals values. Every
ciphertext is bound to its place, so one copied to another row, column or tenant does not open. No IO.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.errors import ConfigurationError
from hub.sealed import BLIND_MARK
from hub.sealed import Place as Place
from hub.secret_keys import Keys, writing_version
from hub.secret_keys import read_keys as read_keys

KEY_BYTES = 32
# NIST SP 800-38D section 8.2: a 96-bit random nonce is good for 2**32 values under one key.
NONCE_BYTES = 12
FORMAT = b"\x01"
KEY_ID_BYTES = 4


class WrappedKey(msgspec.Struct, frozen=True):
    """A row of ``workspace_key``: a data key under the installation's key ``key_version``."""

    workspace_id: int
    id: int
    key_version: int
    wrapped: bytes


class DataKey:
    """An open data key of one workspace; its bytes never show in text."""

    __slots__ = ("_blinding", "_cipher", "id", "workspace_id")

    def __init__(self, workspace_id: int, key_id: int, key: bytes) -> None:
        self.workspace_id = workspace_id
        self.id = key_id
        self._cipher = AESGCM(key)
        self._blinding = hmac.digest(key, b"hub/1/blind", "sha256")

    def __repr__(self) -> str:
        return f"DataKey(workspace_id={self.workspace_id}, id={self.id})"

    def seal(self, place: Place, value: bytes) -> bytes:
        """Encrypt a value for one place."""
        nonce = os.urandom(NONCE_BYTES)
        head = FORMAT + self.id.to_bytes(KEY_ID_BYTES, "big")
        return head + nonce + self._cipher.encrypt(nonce, value, _bind(place, self.id))

    def open(self, place: Place, sealed: bytes) -> bytes:
        """
        Decrypt what ``seal`` made for the same place.

        Raises:
            ConfigurationError: It was changed, made for another place, or made with another key.
        """
        if place.workspace_id != self.workspace_id or sealed_key_id(sealed) != self.id:
            raise ConfigurationError("These credentials were sealed with another key.", field="HUB_SECRET_KEY")
        start = len(FORMAT) + KEY_ID_BYTES
        return _decrypt(self._cipher, sealed[start:], _bind(place, self.id))

    def blind(self, text: str) -> str:
        """Name a text so that the same one is found again and nobody reads it; without the key nobody can try texts."""
        made = hmac.digest(self._blinding, text.encode("utf-8", "surrogatepass"), "sha256")
        return f"{BLIND_MARK}{self.id}:{made.hex()}"


class Sealer:
    """Holds the installation's keys: one of them wraps, all of them unwrap."""

    def __init__(self, keys: Mapping[int, str | bytes]) -> None:
        """
        Derive what is needed from the key material.

        Args:
            keys: Material by version (1 or more), each 32 bytes or more of UTF-8 or raw bytes.

        Raises:
            ConfigurationError: No key, a version below 1, or one too short.
        """
        if not keys or min(keys) < 1:
            raise ConfigurationError("HUB_SECRET_KEY is not set.", field="HUB_SECRET_KEY")
        self._material = {version: _material(value) for version, value in keys.items()}
        self._wrapping = {version: AESGCM(_derive(value, "wrap")) for version, value in self._material.items()}
        self.version = writing_version(keys)

    def __repr__(self) -> str:
        return f"Sealer(versions={sorted(self._wrapping)})"

    @property
    def versions(self) -> frozenset[int]:
        """The versions that open."""
        return frozenset(self._material)

    def new_data_key(self, workspace_id: int, key_id: int) -> WrappedKey:
        """Make a data key for a workspace, wrapped by the newest key."""
        return self._wrap(workspace_id, key_id, AESGCM.generate_key(KEY_BYTES * 8))

    def unwrap(self, wrapped: WrappedKey) -> DataKey:
        """
        Open a workspace's data key.

        Raises:
            ConfigurationError: The installation's key of that version is missing or is not the one that wrapped it.
        """
        return DataKey(wrapped.workspace_id, wrapped.id, self._unwrap(wrapped))

    def rewrap(self, wrapped: WrappedKey) -> WrappedKey:
        """Wrap the same data key with the newest key: what it sealed stays as it is."""
        return self._wrap(wrapped.workspace_id, wrapped.id, self._unwrap(wrapped))

    def derive_keys(self, purpose: str) -> Keys[bytes]:
        """Derive an independent 32-byte key for another purpose from each version of the installation's key."""
        derived = {version: _derive(value, f"purpose:{purpose}") for version, value in self._material.items()}
        return Keys(derived, self.version)

    def _wrap(self, workspace_id: int, key_id: int, key: bytes) -> WrappedKey:
        nonce = os.urandom(NONCE_BYTES)
        bound = _bind(_key_place(workspace_id, key_id), self.version)
        return WrappedKey(
            workspace_id=workspace_id,
            id=key_id,
            key_version=self.version,
            wrapped=nonce + self._wrapping[self.version].encrypt(nonce, key, bound),
        )

    def _unwrap(self, wrapped: WrappedKey) -> bytes:
        cipher = self._wrapping.get(wrapped.key_version)
        if cipher is None:
            raise ConfigurationError(
                f"The stored credentials need version {wrapped.key_version} of the secret key; "
                "name it beside the new one in HUB_SECRET_KEY (2:new,1:old).",
                field="HUB_SECRET_KEY",
            )
        return _decrypt(
            cipher, wrapped.wrapped, _bind(_key_place(wrapped.workspace_id, wrapped.id), wrapped.key_version)
        )


def sealed_key_id(sealed: bytes) -> int:
    """
    Return which data key of its workspace sealed a value.

    Raises:
        ConfigurationError: It is not a sealed value of a format we know.
    """
    end = len(FORMAT) + KEY_ID_BYTES
    if sealed[: len(FORMAT)] != FORMAT or len(sealed) <= end + NONCE_BYTES:
        raise ConfigurationError("A stored secret has a format this version does not know.")
    return int.from_bytes(sealed[len(FORMAT) : end], "big")


def _decrypt(cipher: AESGCM, nonce_and_text: bytes, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(nonce_and_text[:NONCE_BYTES], nonce_and_text[NONCE_BYTES:], bound)
    except (InvalidTag, ValueError) as error:
        raise ConfigurationError(
            "A stored secret does not open: it was changed, moved, or sealed under another HUB_SECRET_KEY.",
            field="HUB_SECRET_KEY",
        ) from error


def _bind(place: Place, key_version: int) -> bytes:
    return msgspec.json.encode([place.workspace_id, place.table, place.column, place.row_id, key_version])


def _key_place(workspace_id: int, key_id: int) -> Place:
    return Place(workspace_id, "workspace_key", "wrapped", str(key_id))


def _material(value: str | bytes) -> bytes:
    material = value.encode() if isinstance(value, str) else value
    if len(material) < KEY_BYTES:
        raise ConfigurationError(f"HUB_SECRET_KEY must have {KEY_BYTES} bytes or more.", field="HUB_SECRET_KEY")
    return material


def _derive(material: bytes, purpose: str) -> bytes:
    """Source: RFC 5869 (HKDF, May 2010); ``info`` keeps the derived keys apart."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=f"hub/1/{purpose}".encode()).derive(material)
