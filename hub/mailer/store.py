"""One function per query of the mails the hub itself sends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub.db import load_queries
from hub.mailer.model import REPEATABLE, Backlog, QueuedMail
from hub.mailer.vault import MailKey

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from uuid import UUID

    from hub.db import TenantConn
    from hub.mailer.model import Mail

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def newest_key(conn: TenantConn) -> MailKey | None:
    """Return the public half that mails are sealed to; None before any process of this installation started."""
    row = await conn.fetchrow(QUERIES["newest_key"])
    return None if row is None else MailKey(row["version"], row["public_key"])


async def keep_key(conn: TenantConn, key: MailKey, at: datetime) -> None:
    """Make a public half known to whoever queues mails."""
    await conn.execute(QUERIES["keep_key"], key.version, key.public_key, at)


async def queue_mail(conn: TenantConn, mail: Mail, queued: QueuedMail) -> None:
    """Write a mail that is due at once."""
    await conn.execute(
        QUERIES["queue_mail"],
        queued.id,
        mail.to,
        mail.template.value,
        mail.locale,
        queued.sealed,
        queued.key_version,
        queued.created_at,
        queued.expires_at,
    )


async def claim(conn: TenantConn, at: datetime, lease: timedelta, limit: int) -> list[QueuedMail]:
    """Mark mails as being sent; COMMIT before sending them."""
    return [QueuedMail(**row) for row in await conn.fetch(QUERIES["claim"], at, lease, limit)]


async def finish(conn: TenantConn, mail_id: UUID) -> bool:
    """Forget a mail; False where it was not being sent any more."""
    return bool(await conn.fetchval(QUERIES["finish"], mail_id))


async def put_off(conn: TenantConn, mail_id: UUID, due_at: datetime, code: str) -> bool:
    """Have a mail tried again at a time; False where it was not being sent any more."""
    return bool(await conn.fetchval(QUERIES["put_off"], mail_id, due_at, code))


async def free_lapsed(conn: TenantConn, at: datetime) -> list[tuple[str, bool]]:
    """Take back mails nobody knows the fate of; returns their templates, and whether each is tried again."""
    rows = await conn.fetch(QUERIES["free_lapsed"], at, sorted(one.value for one in REPEATABLE))
    return [(row["template"], row["is_queued"]) for row in rows]


async def expire(conn: TenantConn, at: datetime) -> list[str]:
    """Drop mails that have run out; returns their templates."""
    return [row["template"] for row in await conn.fetch(QUERIES["expire"], at)]


async def list_waiting(conn: TenantConn, limit: int) -> list[QueuedMail]:
    """Return what waits, newest first."""
    return [QueuedMail(**row) for row in await conn.fetch(QUERIES["list_waiting"], limit)]


async def backlog(conn: TenantConn) -> Backlog:
    """Return how much waits."""
    row = await conn.fetchrow(QUERIES["backlog"])
    return Backlog(0, 0, None) if row is None else Backlog(row["waiting"], row["tried"], row["oldest"])
