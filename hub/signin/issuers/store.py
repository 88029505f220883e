"""One function per query of accounts at issuers. Decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import asyncpg
import msgspec

from hub.db import load_queries
from hub.signin.issuers.model import Attempt, Identity, IssuerRefused, PendingLink, Person, Refusal, Ways

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def add_attempt(
    conn: TenantConn, hashes: tuple[bytes, bytes], attempt: Attempt, made_at: datetime, expires_at: datetime
) -> None:
    """Write an attempt; ``hashes`` are those of its state and of its browser's secret."""
    await conn.execute(
        QUERIES["add_attempt"],
        *hashes,
        attempt.slug,
        attempt.issuer,
        attempt.login_id,
        attempt.session_id,
        made_at,
        expires_at,
    )


async def take_attempt(conn: TenantConn, state_hash: bytes, browser_hash: bytes, slug: str) -> Attempt | None:
    """Use an attempt up; None when it is not this browser's, not this issuer's, was used or has run out."""
    row = await conn.fetchrow(QUERIES["take_attempt"], state_hash, browser_hash, slug)
    return None if row is None else msgspec.convert(dict(row), Attempt)


async def use_identity(conn: TenantConn, issuer: str, subject: str) -> UUID | None:
    """Return whose login an account at an issuer opens; None where it opens none."""
    return cast("UUID | None", await conn.fetchval(QUERIES["use_identity"], issuer, subject))


async def add_identity(conn: TenantConn, identity_id: UUID, login_id: UUID, person: Person, made_at: datetime) -> None:
    """Write an account at an issuer; ``IssuerRefused`` where it opens another login by now."""
    try:
        await conn.execute(
            QUERIES["add_identity"], identity_id, login_id, person.issuer, person.subject, person.email, made_at
        )
    except asyncpg.UniqueViolationError as error:
        raise IssuerRefused(Refusal.TAKEN, "linked meanwhile") from error


async def list_identities(conn: TenantConn, login_id: UUID) -> list[Identity]:
    """Return the accounts at issuers that open a login, oldest first."""
    return [msgspec.convert(dict(row), Identity) for row in await conn.fetch(QUERIES["list_identities"], login_id)]


async def remove_identity(conn: TenantConn, login_id: UUID, identity_id: UUID) -> bool:
    """Take one away; False where the login has none by that id."""
    return bool(await conn.fetchval(QUERIES["remove_identity"], login_id, identity_id))


async def ways_in(conn: TenantConn, login_id: UUID) -> Ways:
    """Return by what else a login can be opened."""
    row = await conn.fetchrow(QUERIES["ways_in"], login_id)
    return Ways(has_password=False, has_passkey=False) if row is None else msgspec.convert(dict(row), Ways)


async def add_link(
    conn: TenantConn, token_hash: bytes, login_id: UUID, person: Person, between: tuple[datetime, datetime]
) -> None:
    """Write a link that waits for a password; ``between`` is when it was made and when it runs out."""
    await conn.execute(QUERIES["add_link"], token_hash, login_id, person.issuer, person.subject, person.email, *between)


async def try_link(conn: TenantConn, token_hash: bytes) -> PendingLink | None:
    """Count a try at a link; None when it is good for no more."""
    row = await conn.fetchrow(QUERIES["try_link"], token_hash)
    return None if row is None else PendingLink(row["email"])


async def hold_link(conn: TenantConn, token_hash: bytes, challenge_hash: bytes) -> bool:
    """Let a link wait under a challenge; False where it is gone."""
    return bool(await conn.fetchval(QUERIES["hold_link"], token_hash, challenge_hash))


async def take_link(
    conn: TenantConn, *, token_hash: bytes | None = None, challenge_hash: bytes | None = None
) -> tuple[UUID, Person] | None:
    """Take a waiting link by one of its hashes: whose it is, and the account; None where there is none."""
    row = await conn.fetchrow(QUERIES["take_link"], token_hash, challenge_hash)
    if row is None:
        return None
    person = Person(issuer=row["issuer"], subject=row["subject"], email=row["email"], is_verified=True, name="")
    return row["login_id"], person
