"""Writes down what processes noticed of accounts. Nobody answers for it, so there is no event and no audit entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.channels.health import store

if TYPE_CHECKING:
    from hub.channels.health.model import AccountNote
    from hub.db import TenantConn


async def write_down(conn: TenantConn, note: AccountNote) -> None:
    """Add what was noticed to what is known; an account that was removed for good is passed over."""
    if note.item_at is not None or note.sent_at is not None:
        await store.touch(conn, note)
    for one in note.troubles:
        await store.keep_trouble(conn, note, one)
    if note.troubles:
        await store.trim_troubles(conn, note)
