"""What is hashed and signed, byte by byte; docs/audit.md says the same for others. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.audit.model import Head
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hub.audit.model import LoggedEntry

ENTRY_FORMAT: Final = "hub-audit-1"
HEAD_FORMAT: Final = "hub-audit-head-1"
# What the first entry of a chain follows.
FIRST_HASH: Final = bytes(32)
# For ``hub.channels.sealing.Sealer.derive_keys``.
KEY_PURPOSE: Final = "audit heads"
WITHHELD: Final = "[withheld]"

_SECRET_NAMES: Final = frozenset({"email", "phone", "password", "token", "secret", "code", "text", "body", "ip"})
_PERSONAL: Final = re.compile(r"[^\s@]+@[^\s@]+|\+\d[\d ()./-]{5,}")


def withhold(text: str) -> str:
    """Return the text unless it looks like somebody's mail address or telephone number: the log outlives an erasure."""
    return WITHHELD if _PERSONAL.search(text) else text


def clean_details(details: bytes) -> bytes:
    """
    Take out of an entry's details what must never be in them.

    Args:
        details: A JSON object.

    Returns:
        The same with values withheld that are named like secrets, or look like an address or number of a person.

    Raises:
        TypeError: It is no object.
    """
    value = json.loads(details)
    if not isinstance(value, dict):
        raise TypeError("details must be an object")
    return canonical(_clean(value))


def canonical(value: object) -> bytes:
    """
    Encode a JSON value so that equal values have equal bytes.

    Source:
        RFC 8785 (JSON Canonicalization Scheme, June 2020), for objects with ASCII names and numbers without fractions,
        which is all the log holds.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def entry_hash(before: bytes, entry: LoggedEntry, position: int) -> bytes:
    """
    Return the hash of an entry at a place of its chain.

    Args:
        before: Hash of the entry before it, ``FIRST_HASH`` for the first.
        entry: Its own position and hash are not looked at.
        position: From 1.

    Raises:
        ValueError: Its details are none that the hub could have written.
    """
    row = [
        ENTRY_FORMAT,
        entry.workspace_id,
        position,
        str(entry.id),
        moment(entry.at),
        entry.action,
        entry.actor_kind,
        str(entry.actor_id) if entry.actor_id is not None else None,
        entry.target_kind,
        entry.target_id,
        entry.address,
        json.loads(entry.details),
    ]
    return hashlib.sha256(before + canonical(row)).digest()


def follows(before: bytes, entry: LoggedEntry, position: int) -> bool:
    """Whether an entry is whole and its recorded hash follows another one at that place."""
    try:
        return entry_hash(before, entry, position) == entry.hash
    except (ValueError, RecursionError):
        return False


def chain_hashes(before: bytes, first: int, entries: Sequence[LoggedEntry]) -> list[bytes]:
    """Return the hashes of entries that come one after the other from a place on."""
    hashes: list[bytes] = []
    for number, entry in enumerate(entries):
        before = entry_hash(before, entry, first + number)
        hashes.append(before)
    return hashes


def head_bytes(head: Head) -> bytes:
    """Return what is signed of a head."""
    return canonical([HEAD_FORMAT, head.workspace_id, head.position, head.hash.hex(), moment(head.signed_at)])


def moment(at: datetime) -> str:
    """Write a time in UTC with all six digits of its microseconds: ``2026-11-23T08:00:00.000000Z``."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class HeadKeys:
    """Keys that sign heads and know their own again: the newest signs, all of them verify."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        """Keep the keys of ``Sealer.derive_keys(KEY_PURPOSE)``: seeds of Ed25519 (RFC 8032), 32 bytes each."""
        self._signing = Ed25519PrivateKey.from_private_bytes(keys[writing_version(keys)])
        self.public_keys = frozenset(
            Ed25519PrivateKey.from_private_bytes(one).public_key().public_bytes_raw() for one in keys.values()
        )
        self.newest = self._signing.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"HeadKeys({self.newest.hex()})"

    def sign(self, entry: LoggedEntry, at: datetime) -> Head:
        """Sign a sealed entry as the head of its chain."""
        head = Head(
            workspace_id=entry.workspace_id,
            position=cast("int", entry.position),
            hash=cast("bytes", entry.hash),
            signed_at=at,
            public_key=self.newest,
            signature=b"",
        )
        return Head(
            workspace_id=head.workspace_id,
            position=head.position,
            hash=head.hash,
            signed_at=head.signed_at,
            public_key=head.public_key,
            signature=self._signing.sign(head_bytes(head)),
        )


def is_signed(head: Head, trusted: frozenset[bytes]) -> bool:
    """Whether one of the trusted keys signed a head as it stands."""
    if head.public_key not in trusted:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(head.public_key).verify(head.signature, head_bytes(head))
    except (InvalidSignature, ValueError):
        return False
    return True


def _clean(value: object) -> object:
    if isinstance(value, dict):
        return {name: WITHHELD if name.lower() in _SECRET_NAMES else _clean(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    if isinstance(value, float):
        # A fraction has several spellings; the chain has one of each value.
        return str(value)
    return withhold(value) if isinstance(value, str) else value
