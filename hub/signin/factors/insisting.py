"""Workspaces that ask everybody for a second factor; people who lost theirs. Called by the edge and ``hub member``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.accounts import policy
from hub.accounts import store as accounts
from hub.accounts.model import MemberChanged, Permission, Role
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, ActorKind, Entry
from hub.errors import Conflict, Forbidden, NotFound
from hub.events import store as events
from hub.events.model import NewEvent
from hub.mailer.model import SecurityChange
from hub.signin.factors import store
from hub.signin.factors.model import Method
from hub.signin.factors.telling import warn

if TYPE_CHECKING:
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.db import TenantConn


async def require_second_factor(conn: TenantConn, actor: Actor, *, on: bool, address: str = "") -> None:
    """
    Make a workspace ask everybody for a second factor, or not; who has none is shut out until they add one.

    Args:
        conn: A fresh transaction of the workspace.
        actor: Who decides; they must have a second factor themselves, or they would shut themselves out.
        on: Whether it asks.
        address: Where the call comes from.

    Raises:
        Forbidden: They may not.
        Conflict: They have no second factor.
    """
    policy.require(actor, Permission.WORKSPACE_MANAGE)
    heads = await events.lock(conn, [actor.workspace_id])
    if await store.requires_second_factor(conn, actor.workspace_id) == on:
        return
    _, factors = await store.lock_login(conn, actor.login_id)
    if on and not {Method.TOTP, Method.PASSKEY} & set(factors):
        raise Conflict("Add a second factor to your own sign-in first.")
    await store.set_requires_second_factor(conn, actor.workspace_id, on=on)
    await accounts.bump_rights(conn, actor.workspace_id)
    # The event every process reads rights anew after; of the one who decided, whose row is as it was.
    before = await accounts.get_member(conn, actor.workspace_id, actor.member_id)
    after = msgspec.structs.replace(before, version=heads[actor.workspace_id] + 1)
    await accounts.change_member(conn, actor.workspace_id, after)
    changed = NewEvent(
        workspace_id=actor.workspace_id,
        type="member_changed",
        data=msgspec.json.encode(MemberChanged(after)),
        occurred_at=clock.now(),
        actor_id=actor.member_id,
    )
    await events.append(conn, heads, [changed])
    details = msgspec.json.encode({"on": on})
    entry = _entry(actor, "workspace.second_factor_required", address)
    await audit.record(conn, msgspec.structs.replace(entry, details=details))


async def reset_member(conn: TenantConn, actor: Actor, member_id: UUID, address: str = "") -> None:
    """
    Take away the second factors of a member who lost them, and end their sessions.

    Args:
        conn: A fresh transaction of the workspace.
        actor: Who does it; only owners do it to owners, nobody to themselves.
        member_id: Whom.
        address: Where the call comes from.

    Raises:
        Forbidden: They may not; or the person belongs to other workspaces too, whose owners were not asked.
        NotFound: There is no such member, or they have no second factor.
    """
    policy.require(actor, Permission.MEMBERS_MANAGE)
    await events.lock(conn, [actor.workspace_id])
    member = await accounts.get_member(conn, actor.workspace_id, member_id)
    if member.id == actor.member_id:
        raise Forbidden("Change your own second factors in your own settings.")
    if member.role is Role.OWNER and actor.role is not Role.OWNER:
        raise Forbidden("Only an owner may change owners.")
    login_id = await store.member_login(conn, actor.workspace_id, member_id)
    joined = await accounts.memberships(conn, login_id)
    if any(one.workspace_id != actor.workspace_id for one in joined):
        raise Forbidden(
            "This person belongs to other workspaces too. Only the operator of this hub can reset their second factor."
        )
    await _clear(conn, login_id)
    entry = _entry(actor, "member.factors_reset", address)
    await audit.record(conn, msgspec.structs.replace(entry, target_kind="member", target_id=str(member_id)))


async def reset_login(conn: TenantConn, email: str) -> None:
    """
    Take away the second factors of anybody, as the operator, and end their sessions.

    Raises:
        NotFound: Nobody signs in with this address, or they have no second factor.
    """
    login = await accounts.find_login(conn, email)
    if login is None:
        raise NotFound("login with this address")
    await _clear(conn, login.id)
    entry = Entry(
        workspace_id=INSTALLATION,
        action="login.factors_reset",
        actor_kind=ActorKind.OPERATOR,
        target_kind="login",
        target_id=str(login.id),
    )
    await audit.record(conn, entry)


async def _clear(conn: TenantConn, login_id: UUID) -> None:
    person, factors = await store.lock_login(conn, login_id)
    if not factors:
        raise NotFound("second factor")
    await store.clear_factors(conn, login_id)
    await accounts.revoke_login_sessions(conn, login_id)
    await warn(conn, person, SecurityChange.FACTORS_RESET)


def _entry(actor: Actor, action: str, address: str) -> Entry:
    return Entry(
        workspace_id=actor.workspace_id,
        action=action,
        actor_kind=ActorKind.MEMBER,
        actor_id=actor.member_id,
        address=address,
    )
