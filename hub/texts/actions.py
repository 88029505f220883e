"""What an owner asks of the texts of a workspace: sealed, open again, or under another key. Actions never commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.accounts import standing
from hub.accounts.model import Permission
from hub.errors import Conflict
from hub.texts import store

if TYPE_CHECKING:
    from hub.accounts.model import Actor
    from hub.channels.sealing import Sealer
    from hub.db import TenantConn
    from hub.texts.model import Sealing
    from hub.texts.store import Kept


async def set_sealed(conn: TenantConn, sealer: Sealer, actor: Actor, *, wanted: bool) -> Sealing:
    """
    Have texts sealed from now on, or kept open again; those that are stored follow by a job.

    Args:
        conn: A fresh transaction.
        sealer: Wraps the key.
        actor: An owner.
        wanted: Whether they are to be sealed.

    Returns:
        How they are kept now; no entry in the audit log where nothing changes.

    Raises:
        Forbidden: The actor is no owner.
        Conflict: The job has not finished what was asked for before.
    """
    heads, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    kept = await store.get_kept(conn, actor.workspace_id)
    if (kept.key_id is not None) == wanted:
        return kept.sealing
    _require_idle(kept)
    key_id = await _make_key(conn, sealer, actor) if wanted else None
    await _begin(conn, heads, actor, key_id, kept.key_id)
    done = "workspace.texts_sealed" if wanted else "workspace.texts_opened"
    await standing.record(conn, actor, done, ("workspace", actor.workspace_id))
    return (await store.get_kept(conn, actor.workspace_id)).sealing


async def change_key(conn: TenantConn, sealer: Sealer, actor: Actor) -> Sealing:
    """
    Seal texts with a fresh key from now on, and by a job those that are stored; nothing waits for that.

    Raises:
        Forbidden: The actor is no owner.
        Conflict: Texts are not sealed, or the job has not finished what was asked for before.
    """
    heads, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    kept = await store.get_kept(conn, actor.workspace_id)
    if kept.key_id is None:
        raise Conflict("Messages of this workspace are not sealed.")
    _require_idle(kept)
    key_id = await _make_key(conn, sealer, actor)
    await _begin(conn, heads, actor, key_id, kept.key_id)
    details = {"key_id": key_id, "former_key_id": kept.key_id}
    await standing.record(conn, actor, "workspace.texts_key_changed", ("workspace", actor.workspace_id), details)
    return (await store.get_kept(conn, actor.workspace_id)).sealing


def _require_idle(kept: Kept) -> None:
    if kept.is_busy:
        raise Conflict("What was asked for before is still being done. Wait until it is.")


async def _make_key(conn: TenantConn, sealer: Sealer, actor: Actor) -> int:
    key_id = await store.next_key_id(conn, actor.workspace_id)
    await store.add_key(conn, sealer.new_data_key(actor.workspace_id, key_id), clock.now())
    return key_id


async def _begin(
    conn: TenantConn, heads: dict[int, int], actor: Actor, key_id: int | None, former_id: int | None
) -> None:
    await store.use_key(conn, actor.workspace_id, key_id, former_id)
    await store.begin(conn, actor.workspace_id, heads[actor.workspace_id], actor.member_id, clock.now())
