"""
What calls with an Idempotency-Key answered, so that the same call sent again is not done again.

A row is written before the work, as running, with a lease; the answer is added after it. A call whose process died
between the two may be done again once the lease is over: exactly once only where the work has an id of its client's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, cast
from uuid import UUID

import msgspec

from hub import clock
from hub.errors import HubError, InvalidInput
from hub.keys.store import QUERIES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from hub.db import TenantConn

# Longer than the slowest call: connecting a channel asks its vendor, for at most 30 s.
LEASE_S: Final = 90.0
KEPT: Final = timedelta(hours=24)
MOST_BODY_BYTES: Final = 256 * 1024


class AnswerPendingError(HubError):
    """The same call is under way."""

    code = "conflict"


class IdempotencyKeyReusedError(InvalidInput):
    """The key was used for another call."""

    code = "idempotency_key_reused"


class Place(msgspec.Struct, frozen=True):
    """Whose key it is, and of which route: ``POST /api/v1/…``; workspace 0 for calls that name none."""

    workspace_id: int
    caller_id: UUID
    route: str
    key: str


class KeptAnswer(msgspec.Struct, frozen=True):
    """How a call ended; without a body where that held a secret, or was too long to keep."""

    status: int
    media_type: str
    body: bytes | None


async def begin(conn: TenantConn, place: Place, request_hash: bytes) -> int | KeptAnswer:
    """
    Begin a call, or find how it ended before.

    Args:
        conn: A fresh transaction of the place's workspace; commit it before the work.
        place: Whose key.
        request_hash: SHA-256 of everything that makes the call what it is.

    Returns:
        The number of the attempt that may run now, or the answer of the one that ran.

    Raises:
        AnswerPendingError: It is under way; ``retry_after_s`` says when to ask again.
        IdempotencyKeyReusedError: The key was used for another call.
    """
    taken = await conn.fetchval(
        QUERIES["begin_answer"], *msgspec.structs.astuple(place), clock.new_id(), request_hash, LEASE_S
    )
    if taken is not None:
        return cast("int", taken)
    row = await conn.fetchrow(QUERIES["find_answer"], *msgspec.structs.astuple(place))
    if row is None:
        raise _pending(1.0)
    if not row["is_old"]:
        if row["request_hash"] != request_hash:
            raise IdempotencyKeyReusedError(
                "Idempotency-Key", "This key was used for another call. Make a new key for each call."
            )
        if row["status"] is not None:
            return KeptAnswer(row["status"], row["media_type"], row["body"])
        if row["lease_s"] > 0:
            raise _pending(min(row["lease_s"], 5.0))
    attempt = await conn.fetchval(
        QUERIES["take_over"], *msgspec.structs.astuple(place), row["attempt"], request_hash, LEASE_S
    )
    if attempt is None:
        raise _pending(1.0)
    return cast("int", attempt)


async def keep(conn: TenantConn, place: Place, attempt: int, answer: KeptAnswer) -> None:
    """Write down how a call ended; nothing where another attempt took it over meanwhile."""
    columns = *msgspec.structs.astuple(place), attempt
    await conn.execute(QUERIES["keep_answer"], *columns, answer.status, answer.media_type, answer.body)


async def drop(conn: TenantConn, place: Place, attempt: int) -> None:
    """Forget a call that did nothing, so that it can be tried again at once."""
    await conn.execute(QUERIES["drop_answer"], *msgspec.structs.astuple(place), attempt)


async def list_old(conn: TenantConn, before: datetime, most: int) -> list[tuple[int, UUID]]:
    """Return (workspace, id) of answers begun before a moment, oldest first, of any workspace."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["old_answers"], before, most)]


async def drop_many(conn: TenantConn, workspace_id: int, ids: Sequence[UUID]) -> None:
    """Drop answers of one workspace."""
    await conn.execute(QUERIES["drop_answers"], workspace_id, list(ids))


def _pending(retry_after_s: float) -> AnswerPendingError:
    return AnswerPendingError("The same call is under way. Ask again in a moment.", retry_after_s=retry_after_s)
