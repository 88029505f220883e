"""One function per query of push keys and subscriptions."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec

from hub.db import load_queries
from hub.push.keys import SealedKey
from hub.push.model import Target

if TYPE_CHECKING:
    from hub.db import TenantConn
    from hub.push.model import NewSubscription

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def public_key(conn: TenantConn) -> bytes | None:
    """Return the key push services know us by; None before a process made it."""
    row = await conn.fetchrow(QUERIES["public_key"])
    return None if row is None else row["public_key"]


async def sealed_key(conn: TenantConn) -> SealedKey | None:
    """Return both halves."""
    row = await conn.fetchrow(QUERIES["sealed_key"])
    return None if row is None else SealedKey(row["public_key"], row["sealed"], row["key_version"])


async def keep_key(conn: TenantConn, key: SealedKey, at: datetime, *, replaces: bool) -> None:
    """Write the key pair, where there is none, or in place of the one there is."""
    name = "replace_key" if replaces else "keep_key"
    statement = QUERIES["replace_key"] if name == "replace_key" else QUERIES["keep_key"]
    await conn.execute(statement, key.public_key, key.sealed, key.key_version, at)


async def keep_subscription(conn: TenantConn, subscription_id: UUID, new: NewSubscription, at: datetime) -> UUID:
    """Keep a browser and return its id; the same endpoint again is the same row."""
    kept = await conn.fetchval(
        QUERIES["keep_subscription"],
        subscription_id,
        new.login_id,
        new.session_id,
        new.endpoint,
        sha256(new.endpoint.encode()).digest(),
        new.public_key,
        new.auth,
        at,
    )
    return cast("UUID", kept)


async def drop_subscription(conn: TenantConn, login_id: UUID, endpoint: str) -> bool:
    """Forget a browser of a login; False where it was none of theirs."""
    return bool(await conn.fetchval(QUERIES["drop_subscription"], login_id, sha256(endpoint.encode()).digest()))


class OwnSubscription(msgspec.Struct, frozen=True):
    """A browser as its owner sees it."""

    id: UUID
    session_id: UUID
    user_agent: str
    created_at: datetime


async def own_subscriptions(conn: TenantConn, login_id: UUID) -> list[OwnSubscription]:
    """Return the browsers of a login whose session still holds, newest first."""
    rows = await conn.fetch(QUERIES["own_subscriptions"], login_id)
    return [OwnSubscription(row["id"], row["session_id"], row["user_agent"], row["created_at"]) for row in rows]


async def target(conn: TenantConn, subscription_id: UUID) -> Target | None:
    """Return where a browser is reached; None once its session ended."""
    row = await conn.fetchrow(QUERIES["target"], subscription_id)
    return None if row is None else Target(row["endpoint"], row["public_key"], row["auth"])


async def forget(conn: TenantConn, subscription_id: UUID) -> None:
    """Forget a browser that is no more."""
    await conn.execute(QUERIES["forget"], subscription_id)
