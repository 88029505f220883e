"""Stops what would go over a limit, in the transaction that does it; called by the actions that add something.

Where they hold the workspace's lock the count is exact; uploads do not, and may go over by what begins at one moment.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from hub.errors import LimitReached
from hub.limit_settings import Limits, read_limits
from hub.limits import store
from hub.limits.model import over

if TYPE_CHECKING:
    from hub.db import TenantConn

_read = lru_cache(maxsize=8)(read_limits)


def defaults() -> Limits:
    """Return the installation's default limits, from the environment; ``config`` looked at them at the start."""
    return _read(os.environ.get("HUB_LIMITS", ""))


async def limits_of(conn: TenantConn, workspace_id: int) -> Limits:
    """Return what a workspace may use: its own limits over the installation's."""
    return over((await store.get_limits(conn, workspace_id)).limits, defaults())


async def require_member_room(conn: TenantConn, workspace_id: int, wanted: int = 1, *, invited: bool = False) -> None:
    """Stop whoever adds people past the limit; ``invited``: open invitations count as well."""
    most = (await limits_of(conn, workspace_id)).members
    if most is None:
        return
    used = await store.count_members(conn, workspace_id)
    used += await store.count_invited(conn, workspace_id) if invited else 0
    if used + wanted > most:
        raise LimitReached("members", f"This workspace may have at most {most:,} members.", most)


async def require_account_room(conn: TenantConn, workspace_id: int) -> None:
    """Stop whoever connects one channel account too many: ``LimitReached``."""
    most = (await limits_of(conn, workspace_id)).channel_accounts
    if most is not None and await store.count_channel_accounts(conn, workspace_id) >= most:
        raise LimitReached("channel_accounts", f"This workspace may have at most {most:,} channel accounts.", most)


async def require_storage_room(conn: TenantConn, workspace_id: int, size_bytes: int) -> None:
    """Stop a file that does not fit any more: ``LimitReached``."""
    most = (await limits_of(conn, workspace_id)).storage_bytes
    if most is not None and await store.storage_bytes(conn, workspace_id) + size_bytes > most:
        shown = f"{most:,} bytes" if most < 2**20 else f"{most / 2**20:,.0f} MiB"
        text = f"This workspace may keep at most {shown} of files."
        raise LimitReached("storage_bytes", text, most)


async def require_message_room(conn: TenantConn, workspace_id: int) -> None:
    """Stop a message that would be one too many today: ``LimitReached``."""
    most = (await limits_of(conn, workspace_id)).messages_per_day
    if most is not None and await store.sent_today(conn, workspace_id) >= most:
        text = f"This workspace may send at most {most:,} messages a day (UTC)."
        raise LimitReached("messages_per_day", text, most)


async def find_socket_limit(conn: TenantConn, workspace_id: int) -> int | None:
    """Return the limit of sockets where a workspace has reached it, else None."""
    most = (await limits_of(conn, workspace_id)).sockets
    if most is not None and await store.sockets_now(conn, workspace_id) >= most:
        return most
    return None
