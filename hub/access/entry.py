"""What is remembered of one token in one workspace, and its form in Redis. Pure."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from hub.accounts.model import Actor, SignedIn

# A new version of the form, or of the structs in it, must not read what the version before it wrote.
VERSION: Final = 1
# Ours and the rest of a call stay under the 60 seconds in which a revocation must have reached everything.
LIFETIME_S: Final = 45
_SKEW_S: Final = 5
_MAC_BYTES: Final = 16


class Found(msgspec.Struct, frozen=True):
    """Whose a token is; ``actor`` is None where no workspace was named."""

    signed_in: SignedIn
    actor: Actor | None = None


class Asked(msgspec.Struct, frozen=True):
    """
    What is looked for.

    Attributes:
        secret: The token or API key, unchecked.
        workspace_id: 0 where only the session is asked for.
        key_id: The API key's id, which its text names; None for a session.
    """

    secret: str
    workspace_id: int = 0
    key_id: UUID | None = None


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """
    One answer of Postgres.

    Attributes:
        read_at: When Postgres was asked, not when this was written.
        generations: Of the workspace (empty where none was asked for) and of the login or key, read before Postgres.
    """

    version: int
    read_at: datetime
    generations: tuple[bytes, bytes]
    found: Found

    def holds(self, generations: tuple[bytes, bytes], now: datetime) -> bool:
        """Say whether this may still be answered: nothing it rests on changed, nothing in it ran out."""
        age_s = (now - self.read_at).total_seconds()
        return (
            self.generations == generations
            and -_SKEW_S <= age_s <= LIFETIME_S
            and self.found.signed_in.expires_at > now
        )


class EntryCodec:
    """
    Writes and reads entries so that nobody but a hub with this secret key can make one.

    Who may write to Redis would otherwise be anybody, in any workspace. The name is part of what is signed: an entry
    moved to another name is none.
    """

    def __init__(self, key: bytes) -> None:
        self._name_key = hashlib.blake2b(b"name", key=key[:64]).digest()
        self._mac_key = hashlib.blake2b(b"entry", key=key[:64]).digest()

    def name(self, asked: Asked) -> str:
        """Return where an answer is kept: a keyed digest, from which the token cannot be tried out."""
        secret = asked.secret.encode("utf-8", "surrogatepass")
        digest = hashlib.blake2b(secret, key=self._name_key, digest_size=16)
        return f"access:{asked.workspace_id}:{digest.hexdigest()}"

    def encode(self, name: str, entry: Entry) -> bytes:
        payload = msgspec.msgpack.encode(entry)
        return self._mac(name, payload) + payload

    def decode(self, name: str, data: bytes) -> Entry | None:
        """Read an entry; None where it is cut off, altered, another's, or another version's."""
        mac, payload = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(name, payload)):
            return None
        try:
            entry = msgspec.msgpack.decode(payload, type=Entry)
        except (msgspec.DecodeError, msgspec.ValidationError):
            return None
        return entry if entry.version == VERSION else None

    def _mac(self, name: str, payload: bytes) -> bytes:
        return hashlib.blake2b(name.encode() + b"\0" + payload, key=self._mac_key, digest_size=_MAC_BYTES).digest()
