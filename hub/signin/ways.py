"""Nobody locks themselves out: asked after a passkey or a linked account was taken away, in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.errors import Conflict
from hub.signin.issuers import store

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from hub.db import TenantConn


async def require_way_in(conn: TenantConn, login_id: UUID, configured: Collection[str]) -> None:
    """
    Stop whoever has just taken their last way in away.

    Args:
        conn: The transaction that took it, with the login locked: of two at once the second sees what the first left.
        login_id: Whose.
        configured: The issuers people can sign in with here; an account elsewhere is no way in.

    Raises:
        Conflict: Neither a password, nor a passkey, nor an account at one of these issuers is left.
    """
    ways = await store.ways_in(conn, login_id)
    if ways.has_password or ways.has_passkey:
        return
    if not any(one.issuer in configured for one in await store.list_identities(conn, login_id)):
        raise Conflict("This is your only way to sign in. Choose a password first, then remove it.")
