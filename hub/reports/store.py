"""One function per query of the reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hub.db import load_queries
from hub.reports.model import CallCount

if TYPE_CHECKING:
    from hub.db import TenantConn
    from hub.reports.model import CallSpan

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def count_calls(conn: TenantConn, span: CallSpan) -> list[CallCount]:
    """Count calls by day, way, member and whether somebody took them."""
    inboxes = None if span.visible_inboxes is None else list(span.visible_inboxes)
    rows = await conn.fetch(QUERIES["calls"], span.workspace_id, span.since, span.until, span.time_zone, inboxes)
    return [CallCount(**{name: row[name] for name in CallCount.__struct_fields__}) for row in rows]
