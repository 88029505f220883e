"""One function per query of second factors. Decides nothing; called by the actions and the edge."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import asyncpg
import msgspec

from hub.accounts.model import AccessChanged
from hub.db import load_queries
from hub.errors import Conflict, NotFound
from hub.signin.factors.model import Factors, Passkey, Person, Standing, StoredPasskey, TotpSecret
from hub.signin.factors.passkeys import encode
from hub.signin.factors.wire import Descriptor

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from asyncpg import Record

    from hub.accounts.model import SignedIn
    from hub.db import Database, TenantConn
    from hub.signin.factors.model import Ceremony, NewPasskey, Purpose

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def lock_login(conn: TenantConn, login_id: UUID) -> tuple[Person, tuple[str, ...]]:
    """Return whose factors these are and which they have, and let nobody else change them until COMMIT."""
    row = await conn.fetchrow(QUERIES["lock_login"], login_id)
    if row is None:
        raise NotFound("login")
    return Person(login_id, row["email"], row["name"]), tuple(row["factors"])


async def refresh_factors(conn: TenantConn, login_id: UUID) -> tuple[str, ...]:
    """Write anew what a login can prove itself by, and return it."""
    conn.notices.append(AccessChanged("login", login_id))
    return tuple(cast("list[str]", await conn.fetchval(QUERIES["refresh_factors"], login_id)))


async def read_factors(conn: TenantConn, login_id: UUID) -> Factors:
    """Return what a login has beside the password."""
    row = await conn.fetchrow(QUERIES["factors"], login_id)
    if row is None:
        raise NotFound("login")
    return Factors(row["totp_since"], await list_passkeys(conn, login_id), row["recovery_codes_left"])


async def standing(conn: TenantConn, session_id: UUID) -> Standing | None:
    """Return how surely a session is its owner's; None where it ended or never was one."""
    row = await conn.fetchrow(QUERIES["standing"], session_id)
    return None if row is None else _standing(row)


async def find_standing(database: Database, session_id: UUID) -> Standing | None:
    """Return what ``standing`` does, by one statement of its own."""
    rows = await database.ask(QUERIES["standing"], session_id)
    return _standing(rows[0]) if rows else None


async def rotate_session(conn: TenantConn, signed_in: SignedIn, old_hash: bytes, new_hash: bytes) -> bool:
    """Note that a session was proved and give it another token; False where the old one ended meanwhile."""
    conn.notices.append(AccessChanged("login", signed_in.login_id))
    session_id = signed_in.session_id
    return bool(await conn.fetchval(QUERIES["rotate_session"], session_id, old_hash, new_hash))


async def put_totp(conn: TenantConn, login_id: UUID, totp_id: UUID, sealed: bytes, made_at: datetime) -> bool:
    """Write a secret to be confirmed; False where one is confirmed already."""
    return bool(await conn.fetchval(QUERIES["put_totp"], login_id, totp_id, sealed, made_at))


async def find_totp(conn: TenantConn, login_id: UUID) -> TotpSecret | None:
    """Return a login's TOTP secret, confirmed or not."""
    row = await conn.fetchrow(QUERIES["find_totp"], login_id)
    return None if row is None else TotpSecret(row["id"], row["secret_sealed"], row["last_step"], row["confirmed"])


async def use_totp_step(conn: TenantConn, login_id: UUID, totp_id: UUID, step: int) -> bool:
    """Use a time step up; False where it or a later one was used, by another call of the same moment too."""
    return bool(await conn.fetchval(QUERIES["use_totp_step"], login_id, totp_id, step))


async def remove_totp(conn: TenantConn, login_id: UUID) -> bool:
    """Take the TOTP secret away; False where there was none."""
    return bool(await conn.fetchval(QUERIES["remove_totp"], login_id))


async def replace_recovery_codes(conn: TenantConn, login_id: UUID, hashes: Sequence[bytes], made_at: datetime) -> None:
    """Void a login's recovery codes and write new ones."""
    await conn.execute(QUERIES["replace_recovery_codes"], login_id, list(hashes), made_at)


async def use_recovery_code(conn: TenantConn, login_id: UUID, code_hash: bytes) -> bool:
    """Use a recovery code up; False where it is none, or was used."""
    return bool(await conn.fetchval(QUERIES["use_recovery_code"], login_id, code_hash))


async def list_passkeys(conn: TenantConn, login_id: UUID) -> tuple[Passkey, ...]:
    """Return a login's passkeys as their owner sees them, oldest first."""
    rows = await conn.fetch(QUERIES["passkeys"], login_id)
    return tuple(msgspec.convert(dict(row), Passkey) for row in rows)


async def passkey_descriptors(conn: TenantConn, login_id: UUID) -> tuple[Descriptor, ...]:
    """Return a login's passkeys as browsers are told of them."""
    rows = await conn.fetch(QUERIES["passkeys"], login_id)
    return tuple(Descriptor(encode(row["credential_id"]), tuple(row["transports"])) for row in rows)


async def find_passkey(conn: TenantConn, credential_id: bytes) -> StoredPasskey | None:
    """Return a passkey by its credential id, whoever's it is."""
    row = await conn.fetchrow(QUERIES["find_passkey"], credential_id)
    return None if row is None else msgspec.convert(dict(row), StoredPasskey)


async def add_passkey(conn: TenantConn, login_id: UUID, passkey: Passkey, made: NewPasskey) -> None:
    """Write a new passkey; ``Conflict`` where it is registered already."""
    try:
        await conn.execute(
            QUERIES["add_passkey"],
            passkey.id,
            login_id,
            made.credential_id,
            made.public_key,
            made.sign_count,
            made.backed_up,
            list(made.transports),
            passkey.name,
            passkey.created_at,
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict("This passkey is registered already.", field="attestation") from error


async def use_passkey(conn: TenantConn, passkey_id: UUID, sign_count: int) -> bool:
    """Note a use; False where the authenticator's counter did not go up."""
    return bool(await conn.fetchval(QUERIES["use_passkey"], passkey_id, sign_count))


async def rename_passkey(conn: TenantConn, login_id: UUID, passkey_id: UUID, name: str) -> bool:
    """Call a passkey by another name; False where the login has none by that id."""
    return bool(await conn.fetchval(QUERIES["rename_passkey"], login_id, passkey_id, name))


async def remove_passkey(conn: TenantConn, login_id: UUID, passkey_id: UUID) -> bool:
    """Take a passkey away; False where the login has none by that id."""
    return bool(await conn.fetchval(QUERIES["remove_passkey"], login_id, passkey_id))


async def add_ceremony(conn: TenantConn, ceremony: Ceremony) -> None:
    """Write a challenge that is given out; only its hash is stored."""
    await conn.execute(
        QUERIES["add_ceremony"],
        _challenge_hash(ceremony.challenge),
        ceremony.purpose.value,
        ceremony.bound_to,
        ceremony.created_at,
        ceremony.expires_at,
    )


async def take_ceremony(conn: TenantConn, challenge: bytes, purpose: Purpose, bound_to: bytes) -> bool:
    """Use a challenge up; False where it was used, ran out, or belongs to another purpose or browser."""
    taken = await conn.fetchval(QUERIES["take_ceremony"], _challenge_hash(challenge), purpose.value, bound_to)
    return bool(taken)


async def login_factors(conn: TenantConn, login_id: UUID) -> tuple[str, ...]:
    """Return what a login can prove itself by beside the password."""
    return tuple(cast("list[str] | None", await conn.fetchval(QUERIES["login_factors"], login_id)) or ())


async def peek_challenge(conn: TenantConn, token_hash: bytes) -> UUID | None:
    """Return whose sign-in waits under a challenge; None when it was used or has run out."""
    return cast("UUID | None", await conn.fetchval(QUERIES["peek_challenge"], token_hash))


async def clear_factors(conn: TenantConn, login_id: UUID) -> None:
    """Take every factor of a login away."""
    await conn.execute(QUERIES["clear_factors"], login_id)
    conn.notices.append(AccessChanged("login", login_id))


async def insisting_workspaces(conn: TenantConn, login_id: UUID) -> list[str]:
    """Return the names of a login's workspaces that insist on a second factor."""
    return [row["name"] for row in await conn.fetch(QUERIES["insisting_workspaces"], login_id)]


async def member_login(conn: TenantConn, workspace_id: int, member_id: UUID) -> UUID:
    """Return whose login a member is; ``NotFound`` where there is none by that id."""
    found = await conn.fetchval(QUERIES["member_login"], workspace_id, member_id)
    if found is None:
        raise NotFound("member")
    return cast("UUID", found)


async def requires_second_factor(conn: TenantConn, workspace_id: int) -> bool:
    """Say whether a workspace insists on a second factor."""
    return bool(await conn.fetchval(QUERIES["requires_second_factor"], workspace_id))


async def set_requires_second_factor(conn: TenantConn, workspace_id: int, *, on: bool) -> None:
    """Make a workspace insist on a second factor, or not."""
    await conn.execute(QUERIES["set_requires_second_factor"], workspace_id, on)


async def members_without_factor(conn: TenantConn, workspace_id: int) -> tuple[UUID, ...]:
    """Return the active members of a workspace who have no second factor, by id."""
    return tuple(row["id"] for row in await conn.fetch(QUERIES["members_without_factor"], workspace_id))


def _standing(row: Record) -> Standing:
    return Standing(row["proved_at"], tuple(row["factors"]), row["has_password"])


def _challenge_hash(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
