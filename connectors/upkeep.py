"""What is noted of an account besides its cursor: hints, history, renewals, outages, templates; a function a query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from connectors.base import Progress, RawItem
from hub import clock
from hub.db import load_queries
from hub.envelope import Template, clean_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from connectors.cursors import Poll
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("upkeep.sql"))
ERROR_LIMIT_CHARS = 300
HINTS_AT_ONCE = 200

_templates = msgspec.json.Decoder(tuple[Template, ...])


class KeptTemplates(msgspec.Struct, frozen=True):
    """An account's templates as the vendor had them at a moment."""

    templates: tuple[Template, ...]
    fetched_at: datetime


# ── hints ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def keep_hint(conn: TenantConn, workspace_id: int, account_id: UUID, raw: RawItem) -> None:
    """Keep a hint until it was followed; an account that has gone needs none."""
    await conn.execute(QUERIES["insert_hint"], workspace_id, account_id, clean_text(raw.key), raw.body)


async def list_hints(conn: TenantConn, poll: Poll) -> list[RawItem]:
    """Return hints that wait for an account, oldest first, ``HINTS_AT_ONCE`` at most."""
    rows = await conn.fetch(QUERIES["list_hints"], poll.workspace_id, poll.account_id, HINTS_AT_ONCE)
    return [RawItem(key=row["key"], body=row["body"], hint=True) for row in rows]


async def drop_hints(conn: TenantConn, poll: Poll, keys: Sequence[str]) -> None:
    """Forget hints that were followed."""
    await conn.execute(QUERIES["drop_hints"], poll.workspace_id, poll.account_id, list(keys))


async def accounts_to_read(conn: TenantConn, at_most: int) -> dict[UUID, bool]:
    """Return accounts in use, of all workspaces, with hints waiting (True) or only with history unread (False)."""
    return {row["id"]: row["has_hints"] for row in await conn.fetch(QUERIES["accounts_to_read"], at_most)}


# ── history ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def want_history(conn: TenantConn, workspace_id: int, account_id: UUID) -> None:
    """Note that an account's history is to be read, once."""
    await conn.execute(QUERIES["want_history"], workspace_id, account_id)


async def unread_history(conn: TenantConn, poll: Poll) -> tuple[bool, str | None]:
    """Return whether there is history to read, and where to go on."""
    row = await conn.fetchrow(QUERIES["unread_history"], poll.workspace_id, poll.account_id)
    return row is not None, None if row is None else row["cursor"]


async def save_history(
    conn: TenantConn, poll: Poll, cursor: str | None, progress: Progress | None, *, is_done: bool
) -> bool:
    """Keep how far history was read; False when somebody else reads the account by now, and nothing was kept."""
    text = None if progress is None else msgspec.json.encode(progress).decode()
    row = await conn.fetchrow(
        QUERIES["save_history"], poll.workspace_id, poll.account_id, poll.holder, cursor, text, is_done
    )
    return row is not None


async def save_history_error(conn: TenantConn, poll: Poll, error: str) -> None:
    """Keep why history cannot be read at the moment."""
    await conn.execute(QUERIES["save_history_error"], poll.workspace_id, poll.account_id, error[:ERROR_LIMIT_CHARS])


# ── renewals ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def want_maintenance(conn: TenantConn, workspace_id: int, account_id: UUID) -> None:
    """Put an account on the list of those that are renewed, due at once; once on it, it stays as it is."""
    await conn.execute(QUERIES["want_maintenance"], workspace_id, account_id)


async def due_upkeep(conn: TenantConn, now: datetime, limit: int) -> list[tuple[int, UUID]]:
    """Return accounts (workspace, id) whose renewal is due, longest overdue first."""
    return [(row["workspace_id"], row["id"]) for row in await conn.fetch(QUERIES["due_upkeep"], now, limit)]


async def claim_maintenance(conn: TenantConn, account: tuple[int, UUID], now: datetime, until: datetime) -> int | None:
    """Take a due renewal until a moment; returns how often it failed in a row, None when somebody else has it."""
    row = await conn.fetchrow(QUERIES["claim_maintenance"], *account, now, until)
    return None if row is None else row["maintain_failures"]


async def save_maintenance(
    conn: TenantConn, account: tuple[int, UUID], due_at: datetime, error: str | None = None
) -> None:
    """Keep when a renewal is due again, and why the last one failed."""
    words = None if error is None else error[:ERROR_LIMIT_CHARS]
    await conn.execute(QUERIES["save_maintenance"], *account, due_at, words)


# ── outages and templates ───────────────────────────────────────────────────────────────────────────────────────────


async def note_reach(conn: TenantConn, workspace_id: int, account_id: UUID, *, is_reached: bool) -> None:
    """Note whether an account's vendor can be reached, and since when not."""
    query = QUERIES["note_reachable"] if is_reached else QUERIES["note_unreachable"]
    await conn.execute(query, workspace_id, account_id)


async def get_templates(conn: TenantConn, workspace_id: int, account_id: UUID) -> KeptTemplates | None:
    """Return the templates of an account as they were last fetched; None when they never were."""
    row = await conn.fetchrow(QUERIES["get_templates"], workspace_id, account_id)
    return None if row is None else KeptTemplates(_templates.decode(row["templates"]), row["templates_at"])


async def save_templates(
    conn: TenantConn, workspace_id: int, account_id: UUID, templates: Sequence[Template]
) -> KeptTemplates:
    """Keep what the vendor knows as an account's templates."""
    kept = KeptTemplates(tuple(templates), clock.now())
    text = msgspec.json.encode(kept.templates).decode()
    await conn.execute(QUERIES["save_templates"], workspace_id, account_id, text, kept.fetched_at)
    return kept
