"""One function per query of API keys and of workspaces' limits. Decides nothing; called by the actions and the edge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec

from hub.accounts.model import AccessChanged, Permission
from hub.db import load_queries
from hub.errors import NotFound
from hub.keys.model import ApiKey, CallLimits, KeyKind, LiveKey, StoredKey
from hub.keys.token import Verifier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from hub.db import Database, TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def add_key(conn: TenantConn, workspace_id: int, key: ApiKey, verifier: Verifier) -> None:
    """Write a new key."""
    await conn.execute(
        QUERIES["add_key"],
        workspace_id,
        key.id,
        key.kind.value,
        key.name,
        key.hint,
        key.member_id,
        None if key.scopes is None else [one.value for one in key.scopes],
        key.inbox_ids,
        verifier.hmac,
        verifier.pepper_version,
        key.created_at,
        key.expires_at,
    )


async def find_key(conn: TenantConn, workspace_id: int, key_id: UUID) -> StoredKey | None:
    """Find a key that is neither revoked nor expired; one of another workspace is none."""
    row = await conn.fetchrow(QUERIES["find_key"], workspace_id, key_id)
    if row is None:
        return None
    former = row["former_hmac"]
    return StoredKey(
        id=row["id"],
        kind=KeyKind(row["kind"]),
        name=row["name"],
        login_id=row["login_id"],
        scopes=_scopes(row),
        inbox_ids=_inboxes(row),
        verifier=Verifier(row["secret_hmac"], row["pepper_version"]),
        former=None if former is None else Verifier(former, row["former_pepper_version"]),
        expires_at=row["expires_at"],
        is_noted=row["is_noted"],
    )


async def note_use(conn: TenantConn, workspace_id: int, key_id: UUID) -> None:
    """Note that a key was used; does not wait for anybody."""
    await conn.execute(QUERIES["note_use"], workspace_id, key_id)


async def renew_verifier(conn: TenantConn, workspace_id: int, key_id: UUID, old: Verifier, new: Verifier) -> None:
    """Replace a verifier made under an older pepper."""
    await conn.execute(QUERIES["renew_verifier"], workspace_id, key_id, old.hmac, new.hmac, new.pepper_version)


async def live_keys(conn: TenantConn, key_ids: Sequence[UUID]) -> dict[UUID, LiveKey]:
    """Return which of these keys still hold."""
    return {
        row["id"]: LiveKey(
            workspace_id=row["workspace_id"],
            id=row["id"],
            kind=KeyKind(row["kind"]),
            name=row["name"],
            login_id=row["login_id"],
            scopes=_scopes(row),
            inbox_ids=_inboxes(row),
        )
        for row in await conn.fetch(QUERIES["live_keys"], list(key_ids))
    }


async def recently_revoked_keys(database: Database, within_s: float) -> list[UUID]:
    """Return the keys revoked in the last so many seconds, by one statement of its own."""
    return [row["id"] for row in await database.ask(QUERIES["recently_revoked_keys"], within_s)]


async def list_keys(
    conn: TenantConn, workspace_id: int, kind: KeyKind, member_id: UUID | None, page: tuple[UUID | None, int]
) -> list[ApiKey]:
    """
    Return a page of keys, newest first.

    Args:
        conn: A transaction of this workspace.
        workspace_id: Tenant.
        kind: Which.
        member_id: Only those this member answers for; None: all.
        page: The id of the last key of the page before, and how many.
    """
    return [_key(row) for row in await conn.fetch(QUERIES["list_keys"], workspace_id, kind.value, member_id, *page)]


async def lock_key(conn: TenantConn, workspace_id: int, key_id: UUID) -> ApiKey:
    """Return one key and hold it; ``NotFound`` where there is none."""
    row = await conn.fetchrow(QUERIES["lock_key"], workspace_id, key_id)
    if row is None:
        raise NotFound("key")
    return _key(row)


async def count_keys(conn: TenantConn, workspace_id: int, kind: KeyKind, member_id: UUID | None) -> int:
    """Return how many keys are not revoked."""
    return cast("int", await conn.fetchval(QUERIES["count_keys"], workspace_id, kind.value, member_id))


async def rename_key(conn: TenantConn, workspace_id: int, key_id: UUID, name: str) -> None:
    """Write another name."""
    await conn.execute(QUERIES["rename_key"], workspace_id, key_id, name)
    conn.notices.append(AccessChanged("key", key_id))


async def revoke_key(conn: TenantConn, workspace_id: int, key_id: UUID) -> None:
    """End a key."""
    await conn.execute(QUERIES["revoke_key"], workspace_id, key_id)
    conn.notices.append(AccessChanged("key", key_id))


async def rotate_key(conn: TenantConn, workspace_id: int, key: ApiKey, verifier: Verifier) -> None:
    """Write a key's new secret and who answers for it now; the one before opens until ``key.former_until``."""
    await conn.execute(
        QUERIES["rotate_key"],
        workspace_id,
        key.id,
        verifier.hmac,
        verifier.pepper_version,
        key.hint,
        key.member_id,
        key.former_until,
        key.expires_at,
    )
    conn.notices.append(AccessChanged("key", key.id))


async def known_inboxes(conn: TenantConn, workspace_id: int, inbox_ids: Sequence[UUID]) -> set[UUID]:
    """Return which of these inboxes the workspace has."""
    return {row["id"] for row in await conn.fetch(QUERIES["known_inboxes"], workspace_id, list(inbox_ids))}


async def call_limits(conn: TenantConn, workspace_id: int, default: CallLimits) -> CallLimits:
    """Return what a workspace may call: what was set for it, over ``default``."""
    row = await conn.fetchrow(QUERIES["call_limits"], workspace_id)
    given = {} if row is None else {name: value for name, value in row.items() if value is not None}
    return msgspec.structs.replace(default, **given)


def _key(row: Record) -> ApiKey:
    return ApiKey(
        id=row["id"],
        kind=KeyKind(row["kind"]),
        name=row["name"],
        hint=row["hint"],
        member_id=row["member_id"],
        scopes=_scopes(row),
        inbox_ids=_inboxes(row),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        former_until=row["former_until"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
    )


def _scopes(row: Record) -> tuple[Permission, ...] | None:
    """A permission a newer version knew, or an older one, gives nothing."""
    names: list[str] | None = row["scopes"]
    return None if names is None else tuple(Permission(name) for name in names if name in _PERMISSIONS)


def _inboxes(row: Record) -> tuple[UUID, ...] | None:
    ids: list[UUID] | None = row["inbox_ids"]
    return None if ids is None else tuple(ids)


_PERMISSIONS = frozenset(one.value for one in Permission)
