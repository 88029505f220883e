"""
Grants at rest: what many sessions have in common as one shared object, the rest as a few packed bytes.

Five UUID objects and a struct are 650 bytes, packed they are 110. A grant is looked at when its connection says
something or rights are read again, and is put together then. Used by ``connection.py`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from hub.realtime.ports import Grant

if TYPE_CHECKING:
    from collections.abc import MutableMapping

# Shared parts kept for those who come next; beyond this they are only shared among those who have them already.
SHARED_LIMIT = 20_000
_NOBODY = UUID(int=0)


class _Own(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of a grant that are one session's alone; any field not named here is shared."""

    subject_id: UUID
    session_id: UUID | None
    conversation_id: UUID | None
    name: str
    login_id: UUID | None
    visitor_token: str
    address: str


_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_DECODER = msgspec.msgpack.Decoder(_Own)
# What stands in the shared part instead.
_BLANK: dict[str, object] = {
    "subject_id": _NOBODY,
    "session_id": None,
    "conversation_id": None,
    "name": "",
    "login_id": None,
    "visitor_token": "",
    "address": "",
}


class Resting(NamedTuple):
    """One grant at rest."""

    shared: Grant
    own: bytes


def put_to_rest(grant: Grant, known: MutableMapping[Grant, Grant]) -> Resting:
    """
    Take a grant apart.

    Args:
        grant: Any.
        known: The shared parts of other grants; this one's is added.
    """
    shared = structs.replace(grant, **_BLANK)
    if len(known) >= SHARED_LIMIT:
        known.clear()
    own = _Own(*(getattr(grant, field) for field in _Own.__struct_fields__))
    # A copy: msgspec hands out the buffer it wrote into, a third larger than what it says.
    return Resting(known.setdefault(shared, shared), bytes(memoryview(_ENCODER.encode(own))))


def wake(shared: Grant, own: bytes) -> Grant:
    """Put a grant together again; equal to the one that was taken apart, but another object each time."""
    return structs.replace(shared, **structs.asdict(_DECODER.decode(own)))
