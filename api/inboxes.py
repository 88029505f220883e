"""Inboxes and who sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.etag import Pair, Seen, fields_of, require_mergeable, require_unchanged, wanted_version
from hub.accounts import policy
from hub.accounts.model import Permission
from hub.channels import inboxes, store
from hub.channels.model import Inbox, InboxAccess, InboxChange

if TYPE_CHECKING:
    from api.call import MemberCall
    from hub.db import TenantConn


class InboxWithAccess(msgspec.Struct, frozen=True):
    inbox: Inbox
    access: InboxAccess


class InboxesView(msgspec.Struct, frozen=True):
    inboxes: list[InboxWithAccess]


class InboxRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    restricted: bool = False


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who sees the inbox while it is restricted, besides owners and admins: all of them."""

    member_ids: list[UUID]
    team_ids: list[UUID]


async def read_all(call: MemberCall) -> InboxesView:
    """List the inboxes the caller sees, and who else does."""
    workspace_id, visible = call.actor.workspace_id, call.actor.visible_inboxes
    async with call.resources.database.snapshot([workspace_id]) as conn:
        rows = await store.list_inboxes(conn, workspace_id, visible)
        access = await inboxes.list_access(conn, workspace_id, visible)
    return InboxesView([InboxWithAccess(one, access[one.id]) for one in rows])


async def create(call: MemberCall) -> InboxWithAccess:
    """Make an inbox."""
    wanted = await call.decode(InboxRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        made = await inboxes.create_inbox(conn, call.actor, wanted.name, restricted=wanted.restricted)
        return await _with_access(conn, call, made)


async def change(call: MemberCall) -> InboxWithAccess:
    """Rename an inbox, restrict it or open it to everybody."""
    wanted = await call.decode(InboxChange)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await require_mergeable(conn, _seen(call), lambda: _read(conn, call), fields_of(wanted))
        changed = await inboxes.change_inbox(conn, call.actor, call.path_id("inbox_id"), wanted)
        return await _with_access(conn, call, changed)


async def set_access(call: MemberCall) -> InboxWithAccess:
    """Say who sees an inbox while it is restricted."""
    wanted = await call.decode(AccessRequest)
    access = InboxAccess(wanted.member_ids, wanted.team_ids)

    async def read_version() -> int:
        return (await _read(conn, call)).version

    async def read_both() -> Pair:
        there = await inboxes.list_access(conn, call.actor.workspace_id, [call.path_id("inbox_id")])
        return inboxes.sorted_access(access), there[call.path_id("inbox_id")]

    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await require_unchanged(conn, _seen(call), read_version, "access", read_both)
        changed = await inboxes.set_access(conn, call.actor, call.path_id("inbox_id"), access)
        return await _with_access(conn, call, changed)


async def remove(call: MemberCall) -> None:
    """Take an empty inbox away."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await inboxes.remove_inbox(conn, call.actor, call.path_id("inbox_id"))


def _seen(call: MemberCall) -> Seen:
    return Seen(call.actor.workspace_id, "inbox", wanted_version(call.request))


async def _read(conn: TenantConn, call: MemberCall) -> Inbox:
    """Read the inbox of the path, for who may see it: what it is called is not for others, not even in a clash."""
    inbox_id = call.path_id("inbox_id")
    policy.require(call.actor, Permission.INBOXES_MANAGE, inbox_id)
    return await store.get_inbox(conn, call.actor.workspace_id, inbox_id)


async def _with_access(conn: TenantConn, call: MemberCall, inbox: Inbox) -> InboxWithAccess:
    access = await inboxes.list_access(conn, call.actor.workspace_id, [inbox.id])
    return InboxWithAccess(inbox, access[inbox.id])
