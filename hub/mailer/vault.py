"""
Seals the fields of queued mails to the installation's key: whoever queues one knows the public half only.

A serve process, and whoever reads the database, cannot open a link that waits to be mailed; the worker that sends it
can. No IO.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from hub.errors import ConfigurationError
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from uuid import UUID

# What ``Sealer.derive_keys`` is asked for.
PURPOSE: Final = "system mail"

# Source: RFC 9180 (HPKE, February 2022), base mode.
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class MailKey(msgspec.Struct, frozen=True):
    """A public half: who has it can seal, not open."""

    version: int
    public_key: bytes

    def seal(self, mail_id: UUID, fields: Mapping[str, str]) -> bytes:
        """Seal the fields of one mail; they open for no other."""
        public = X25519PublicKey.from_public_bytes(self.public_key)
        return _SUITE.encrypt(msgspec.json.encode(fields), public, info=_bound(mail_id, self.version))


class Vault:
    """The private halves, one for each version of ``HUB_SECRET_KEY``."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Take what ``Sealer.derive_keys(PURPOSE)`` made: 32 bytes by version."""
        self._keys = {version: X25519PrivateKey.from_private_bytes(one) for version, one in keys.items()}
        self._writing = writing_version(keys)

    def __repr__(self) -> str:
        return f"Vault(versions={sorted(self._keys)})"

    @property
    def newest(self) -> MailKey:
        """The public half that mails are sealed to from now on."""
        version = self._writing
        return MailKey(version, self._keys[version].public_key().public_bytes_raw())

    def open(self, mail_id: UUID, version: int, sealed: bytes) -> dict[str, str]:
        """
        Open the fields of a mail.

        Raises:
            ConfigurationError: Sealed to another key, or for another mail.
        """
        key = self._keys.get(version)
        try:
            if key is not None:
                opened = _SUITE.decrypt(sealed, key, info=_bound(mail_id, version))
                return msgspec.json.decode(opened, type=dict[str, str])
        except (InvalidTag, ValueError, msgspec.MsgspecError):
            pass
        raise ConfigurationError("A queued mail was sealed under another HUB_SECRET_KEY.", field="HUB_SECRET_KEY")


def _bound(mail_id: UUID, version: int) -> bytes:
    return b"hub/1/system_mail/%d/" % version + mail_id.bytes
