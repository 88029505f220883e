"""One function per query of the audit log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub.db import load_queries

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from hub.audit.model import Entry
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def add_entry(conn: TenantConn, entry_id: UUID, at: datetime, entry: Entry) -> None:
    """Write an entry."""
    await conn.execute(
        QUERIES["add_entry"],
        entry.workspace_id,
        entry_id,
        at,
        entry.action,
        entry.actor_kind.value,
        entry.actor_id,
        entry.target_kind,
        entry.target_id,
        entry.address,
        entry.details.decode(),
    )
