"""Writes the audit log. Called by every action that somebody may have to answer for, in that action's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.audit import store

if TYPE_CHECKING:
    from hub.audit.model import Entry
    from hub.db import TenantConn


async def record(conn: TenantConn, entry: Entry) -> None:
    """
    Note what was done; it holds exactly when the action's own transaction does.

    Args:
        conn: That transaction; it named the entry's workspace, or any for an entry of the installation.
        entry: Without secrets and message texts: it is kept when the person it is about is erased.
    """
    await store.add_entry(conn, clock.new_id(), clock.now(), entry)
