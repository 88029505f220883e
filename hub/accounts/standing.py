"""Who may do this now: the lock, the rights as they are under it, the entry in the audit log. Called by actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.accounts import policy, store
from hub.audit import actions as audit
from hub.audit.model import ActorKind, Entry
from hub.errors import NotFound
from hub.events import store as events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.accounts.model import Actor, Permission
    from hub.db import TenantConn


async def lock(conn: TenantConn, actor: Actor, permission: Permission) -> tuple[dict[int, int], Actor]:
    """
    Lock a workspace and look at the actor's rights again: somebody may have taken them away a moment ago.

    Args:
        conn: A fresh transaction.
        actor: As the edge found them.
        permission: What they need.

    Returns:
        The newest seq by workspace, and the actor as they are now; never with more rights than before.

    Raises:
        NotFound: There is no such workspace.
        Forbidden: They may not do this any more.
    """
    heads = await events.lock(conn, [actor.workspace_id])
    if actor.workspace_id not in heads:
        raise NotFound("workspace")
    if await store.rights_version(conn, actor.workspace_id) != actor.rights_version:
        actor = _narrowed(actor, await store.load_actor(conn, actor.workspace_id, actor.login_id))
    policy.require(actor, permission)
    return heads, actor


async def record(
    conn: TenantConn, actor: Actor, action: str, target: tuple[str, object], details: Mapping[str, object] | None = None
) -> None:
    """Note in the audit log what a member did to ``target`` (kind, id), with ``details`` of what changed."""
    entry = Entry(
        workspace_id=actor.workspace_id,
        action=action,
        actor_kind=ActorKind.MEMBER,
        actor_id=actor.member_id,
        target_kind=target[0],
        target_id=str(target[1]),
        address=actor.address,
        details=msgspec.json.encode(details or {}),
    )
    await audit.record(conn, entry)


def _narrowed(before: Actor, now: Actor) -> Actor:
    """A key that may do less than its member still may, whatever they became."""
    permissions = now.permissions
    if before.permissions is not None:
        permissions = policy.allowed(now) & before.permissions
    return msgspec.structs.replace(now, permissions=permissions, address=before.address, operator_id=before.operator_id)
