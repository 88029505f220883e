"""One function per query of signing up and of sessions as their owner sees them. Decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import asyncpg
import msgspec

from hub.accounts.model import AccessChanged
from hub.db import load_queries
from hub.errors import InvalidInput
from hub.signin.model import Challenge, Registration, Session

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from hub.accounts.model import Login
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def add_registration(
    conn: TenantConn, token_hash: bytes, wanted: Registration, made_at: datetime, expires_at: datetime
) -> None:
    """Write a registration."""
    await conn.execute(
        QUERIES["add_registration"], token_hash, wanted.email, wanted.name, wanted.locale, made_at, expires_at
    )


async def find_registration(conn: TenantConn, token_hash: bytes) -> Registration | None:
    """Return a registration that can still be used."""
    row = await conn.fetchrow(QUERIES["find_registration"], token_hash)
    return None if row is None else msgspec.convert(dict(row), Registration)


async def use_registration(conn: TenantConn, token_hash: bytes) -> Registration | None:
    """Use a registration up; None when it was used or has run out."""
    row = await conn.fetchrow(QUERIES["use_registration"], token_hash)
    return None if row is None else msgspec.convert(dict(row), Registration)


async def add_login(conn: TenantConn, login: Login, locale: str, made_at: datetime) -> None:
    """Write a login; ``InvalidInput`` where its address got one since the mail was sent."""
    try:
        await conn.execute(
            QUERIES["add_login"], login.id, login.email, login.name, login.password_hash, made_at, locale
        )
    except asyncpg.UniqueViolationError as error:
        raise InvalidInput("token", "There is an account with this address already. Sign in instead.") from error


async def add_challenge(
    conn: TenantConn,
    token_hash: bytes,
    login_id: UUID,
    between: tuple[datetime, datetime],
    carried: tuple[bool, bool],
) -> None:
    """Write a challenge: when it was made and runs out; whether its sign-in asks for a token, and for refreshing."""
    bearer, refreshable = carried
    await conn.execute(QUERIES["add_challenge"], token_hash, login_id, bearer, *between, refreshable)


async def try_challenge(conn: TenantConn, token_hash: bytes) -> Challenge | None:
    """Count a try at a challenge and return it; None when it is good for no more."""
    row = await conn.fetchrow(QUERIES["try_challenge"], token_hash)
    return None if row is None else msgspec.convert(dict(row), Challenge)


async def use_challenge(conn: TenantConn, token_hash: bytes) -> bool:
    """Use a challenge up; False when another call was first."""
    return bool(await conn.fetchval(QUERIES["use_challenge"], token_hash))


async def list_sessions(conn: TenantConn, login_id: UUID) -> list[Session]:
    """Return the live sessions of a login, newest use first."""
    return [msgspec.convert(dict(row), Session) for row in await conn.fetch(QUERIES["list_sessions"], login_id)]


async def is_new_device(conn: TenantConn, login_id: UUID, session_id: UUID) -> bool:
    """Say whether a session was begun with a device that its login has not been used with."""
    return bool(await conn.fetchval(QUERIES["is_new_device"], login_id, session_id))


async def revoke_sessions(
    conn: TenantConn, login_id: UUID, *, only: UUID | None = None, but: UUID | None = None
) -> list[UUID]:
    """End one session of a login, or all but one, and return the ids of those that ended."""
    conn.notices.append(AccessChanged("login", login_id))
    return [row["id"] for row in await conn.fetch(QUERIES["revoke_sessions"], login_id, only, but)]


async def sweep(conn: TenantConn) -> int:
    """Forget registrations and challenges that have run out, and return how many those were."""
    return cast("int", await conn.fetchval(QUERIES["sweep"]))
