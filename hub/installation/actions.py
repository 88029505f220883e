"""What an operator changes: suspending, limits, flags; and what owners allow operators. Actions never commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import standing
from hub.accounts import store as accounts
from hub.accounts.model import Permission, WorkspaceChanged
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION
from hub.envelope import clean_text
from hub.errors import InvalidInput, NotFound, PreconditionFailed
from hub.events import store as events
from hub.events.model import NewEvent
from hub.installation import store
from hub.installation.model import RULES, Usage
from hub.limits import actions as limits
from hub.limits import store as limit_store
from hub.limits.model import OwnLimits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.accounts.model import Actor
    from hub.audit.model import Caller
    from hub.db import TenantConn
    from hub.installation.model import Flag
    from hub.limit_settings import Limits

_MOST_CHARS = 500


async def suspend(conn: TenantConn, caller: Caller, workspace_id: int, why: str) -> None:
    """
    Close a workspace to its members, who read ``why``; what customers send is still kept.

    Args:
        conn: A fresh transaction of the workspace and of the installation.
        caller: The operator.
        workspace_id: Tenant.
        why: 1-500 characters, for members to read.

    Raises:
        InvalidInput: Nothing says why.
        NotFound: There is no such workspace.
    """
    words = check_reason("why", why)
    heads = await _lock(conn, workspace_id)
    if await store.suspend(conn, workspace_id, clock.now(), words):
        await _rights_changed(conn, heads, workspace_id)
        await _record(conn, caller, workspace_id, "workspace.suspended", {"why": words})


async def resume(conn: TenantConn, caller: Caller, workspace_id: int) -> None:
    """Open a suspended workspace again; again is fine. ``NotFound`` where there is none."""
    heads = await _lock(conn, workspace_id)
    if await store.resume(conn, workspace_id):
        await _rights_changed(conn, heads, workspace_id)
        await _record(conn, caller, workspace_id, "workspace.resumed", {})


async def set_limits(conn: TenantConn, caller: Caller, workspace_id: int, wanted: Limits, seen: int) -> OwnLimits:
    """
    Replace what a workspace may use.

    Args:
        conn: A fresh transaction of the workspace and of the installation.
        caller: The operator.
        workspace_id: Tenant.
        wanted: None in a field takes the installation's default.
        seen: The version that whoever changes them looked at.

    Raises:
        NotFound: There is no such workspace.
        PreconditionFailed: Somebody else changed them meanwhile.
    """
    await _lock(conn, workspace_id)
    before = (await limit_store.get_limits(conn, workspace_id)).limits
    version = await limit_store.put_limits(conn, workspace_id, wanted, seen)
    if version is None:
        raise PreconditionFailed("Somebody else changed these limits meanwhile. Look at them again.")
    pairs = {name: (getattr(before, name), getattr(wanted, name)) for name in wanted.__struct_fields__}
    details = {name: list(pair) for name, pair in pairs.items() if pair[0] != pair[1]}
    await _record(conn, caller, workspace_id, "workspace.limits_changed", details)
    return OwnLimits(wanted, version)


async def set_flag(conn: TenantConn, caller: Caller, workspace_id: int, name: Flag, *, is_on: bool | None) -> None:
    """
    Switch a feature on or off, or take the setting back.

    Args:
        conn: A fresh transaction of the workspace and of the installation.
        caller: The operator.
        workspace_id: Tenant, or ``INSTALLATION``.
        name: Which.
        is_on: None takes the installation's setting, or the default.

    Raises:
        InvalidInput: The flag is for the whole installation only.
        NotFound: There is no such workspace.
    """
    if workspace_id != INSTALLATION:
        if not RULES[name].per_workspace:
            raise InvalidInput("name", "This one is for the whole installation.")
        await _lock(conn, workspace_id)
    before = (await store.flags(conn, [workspace_id])).get((workspace_id, name.value))
    if is_on is None:
        await store.drop_flag(conn, workspace_id, name.value)
    else:
        await store.put_flag(conn, workspace_id, name.value, is_on=is_on)
    details = {"flag": name.value, "is_on": [before, is_on]}
    if before != is_on:
        await _record(conn, caller, workspace_id, "flag.changed", details)


async def let_operators_in(conn: TenantConn, actor: Actor, *, on: bool) -> None:
    """Let operators enter a workspace from now on, or not; for owners. ``Forbidden`` for others."""
    _, actor = await standing.lock(conn, actor, Permission.WORKSPACE_MANAGE)
    if await store.let_operators_in(conn, actor.workspace_id, on=on):
        details = {"lets_operators_in": [not on, on]}
        await standing.record(conn, actor, "workspace.entering_changed", ("workspace", actor.workspace_id), details)


async def read_usage(conn: TenantConn, workspace_id: int) -> Usage:
    """Return what a workspace uses, against what it may."""
    return Usage(
        members=await limit_store.count_members(conn, workspace_id),
        members_invited=await limit_store.count_invited(conn, workspace_id),
        channel_accounts=await limit_store.count_channel_accounts(conn, workspace_id),
        storage_bytes=await limit_store.storage_bytes(conn, workspace_id),
        sockets=await limit_store.sockets_now(conn, workspace_id),
        messages_sent_today=await limit_store.sent_today(conn, workspace_id),
        days=await store.usage_days(conn, workspace_id),
        limits=await limits.limits_of(conn, workspace_id),
    )


def check_reason(field: str, text: str) -> str:
    """Return a reason without what cannot be shown; ``InvalidInput`` where it is too short or too long."""
    words = " ".join(clean_text(text).split())
    if not 3 <= len(words) <= _MOST_CHARS:
        raise InvalidInput(field, f"Say why, in 3 to {_MOST_CHARS} characters.")
    return words


async def _lock(conn: TenantConn, workspace_id: int) -> dict[int, int]:
    heads = await events.lock(conn, [workspace_id])
    if workspace_id not in heads:
        raise NotFound("workspace")
    return heads


async def _rights_changed(conn: TenantConn, heads: dict[int, int], workspace_id: int) -> None:
    """Open sockets look at their rights again and find none, or find them again."""
    workspace = await accounts.get_workspace(conn, workspace_id)
    await accounts.bump_rights(conn, workspace_id)
    event = NewEvent(
        workspace_id=workspace_id,
        type="workspace_changed",
        data=msgspec.json.encode(WorkspaceChanged(workspace)),
        occurred_at=clock.now(),
    )
    await events.append(conn, heads, [event])


async def _record(
    conn: TenantConn, caller: Caller, workspace_id: int, action: str, details: Mapping[str, object]
) -> None:
    """In the installation's log, and in the workspace's own: its owners read that one."""
    target = ("workspace", workspace_id)
    await audit.record(conn, audit.made_by(caller, INSTALLATION, action, target, details))
    if workspace_id != INSTALLATION:
        await audit.record(conn, audit.made_by(caller, workspace_id, action, target, details))
