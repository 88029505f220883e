"""One function per query of sign-ins at vendors and of tokens. Decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from hub.channels.connecting.model import Attempt, AttemptState
from hub.db import load_queries
from hub.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def add_attempt(
    conn: TenantConn, attempt: Attempt, state_hash: bytes, form_sealed: bytes, between: tuple[datetime, datetime]
) -> None:
    """Write an attempt; ``between`` is when it was made and when it runs out."""
    await conn.execute(
        QUERIES["add_attempt"],
        attempt.workspace_id,
        attempt.id,
        state_hash,
        attempt.member_id,
        attempt.session_id,
        attempt.channel,
        attempt.account_id,
        attempt.is_again,
        form_sealed,
        *between,
    )


async def find_attempt(conn: TenantConn, state_hash: bytes, session_id: UUID, channel: str) -> int | None:
    """Return the workspace whose member comes back; None where nobody was sent like this."""
    return cast("int | None", await conn.fetchval(QUERIES["find_attempt"], state_hash, session_id, channel))


async def lock_attempt(
    conn: TenantConn, workspace_id: int, state_hash: bytes, session_id: UUID
) -> tuple[Attempt, bytes] | None:
    """Return an unused attempt and what was entered, sealed; None when it is used or has run out."""
    row = await conn.fetchrow(QUERIES["lock_attempt"], workspace_id, state_hash, session_id)
    if row is None:
        return None
    facts = dict(row)
    sealed = facts.pop("form_sealed")
    return msgspec.convert(facts, Attempt), sealed


async def use_attempt(conn: TenantConn, attempt: Attempt) -> None:
    """Use an attempt up."""
    await conn.execute(QUERIES["use_attempt"], attempt.workspace_id, attempt.id)


async def settle_attempt(conn: TenantConn, attempt: Attempt, outcome: str, message: str) -> None:
    """Note what came of an attempt."""
    await conn.execute(QUERIES["settle_attempt"], attempt.workspace_id, attempt.id, outcome, message)


async def get_attempt(conn: TenantConn, workspace_id: int, attempt_id: UUID, member_id: UUID) -> AttemptState:
    """Return what came of a member's attempt; ``NotFound`` where they made none by that id."""
    row = await conn.fetchrow(QUERIES["get_attempt"], workspace_id, attempt_id, member_id)
    if row is None:
        raise NotFound("attempt")
    return msgspec.convert(dict(row), AttemptState)


async def find_same(conn: TenantConn, workspace_id: int, channel: str, external_ref: str, but: UUID) -> str | None:
    """Return the name of another account that is the same at the vendor."""
    return cast("str | None", await conn.fetchval(QUERIES["find_same"], workspace_id, channel, external_ref, but))


async def external_ref(conn: TenantConn, workspace_id: int, account_id: UUID) -> str:
    """Return the vendor's own id of an account; ``NotFound`` where there is no such account."""
    found = cast("str | None", await conn.fetchval(QUERIES["external_ref"], workspace_id, account_id))
    if found is None:
        raise NotFound("channel account")
    return found


async def lock_tokens(conn: TenantConn, workspace_id: int, account_id: UUID) -> Record | None:
    """Lock an account's row and return its sealed tokens; None where it has none."""
    return await conn.fetchrow(QUERIES["lock_tokens"], workspace_id, account_id)


async def hold_renewal(conn: TenantConn, workspace_id: int, account_id: UUID, seconds: float) -> None:
    """Say that a renewal is under way."""
    await conn.execute(QUERIES["hold_renewal"], workspace_id, account_id, seconds)


async def end_renewal(conn: TenantConn, workspace_id: int, account_id: UUID) -> None:
    """Say that none is under way."""
    await conn.execute(QUERIES["end_renewal"], workspace_id, account_id)


async def set_token(
    conn: TenantConn, workspace_id: int, account_id: UUID, expires_at: datetime | None, renewed_at: datetime | None
) -> None:
    """Note when a token ends and when it was granted."""
    await conn.execute(QUERIES["set_token"], workspace_id, account_id, expires_at, renewed_at)
