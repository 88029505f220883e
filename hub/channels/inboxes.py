"""Every change of inboxes and of who sees them. A change of access reaches open sockets by the version of rights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hub.accounts import people_store, policy, standing, teams
from hub.accounts import store as accounts
from hub.accounts.model import Permission
from hub.channels import store
from hub.channels.actions import add_inbox, check_name, inbox_changed, make_event
from hub.channels.model import ChannelAccountChanged, InboxAccess, InboxRemoved
from hub.db import load_queries
from hub.errors import Conflict, InvalidInput
from hub.events import store as events

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.channels.model import Inbox, InboxChange
    from hub.db import TenantConn

QUERIES = load_queries(Path(__file__).with_name("inboxes.sql"))
MOST_INBOXES: Final = 200
_MOST_REOPEN_DAYS: Final = 3650


async def create_inbox(conn: TenantConn, actor: Actor, name: str, *, restricted: bool = False) -> Inbox:
    """
    Make an inbox.

    Args:
        conn: A fresh transaction.
        actor: Who does it; one who does not see every inbox is let into this one.
        name: 1-200 characters.
        restricted: Whether only owners, admins and who is let in see it.

    Raises:
        Forbidden: The actor may not do this.
        InvalidInput: The name is empty or too long.
        Conflict: There are too many.
    """
    heads, actor = await standing.lock(conn, actor, Permission.INBOXES_MANAGE)
    if len(await store.list_inboxes(conn, actor.workspace_id, None)) >= MOST_INBOXES:
        raise Conflict(f"A workspace has at most {MOST_INBOXES} inboxes.")
    inbox = await add_inbox(conn, heads, actor.workspace_id, check_name(name), actor.member_id)
    if restricted:
        if actor.visible_inboxes is not None:
            await _let_in(conn, actor.workspace_id, inbox.id, InboxAccess([actor.member_id], []))
        inbox = await _write(conn, heads, actor, msgspec.structs.replace(inbox, restricted=True))
    await standing.record(conn, actor, "inbox.made", ("inbox", inbox.id), {"restricted": restricted})
    return inbox


async def change_inbox(conn: TenantConn, actor: Actor, inbox_id: UUID, change: InboxChange) -> Inbox:
    """
    Rename an inbox, restrict it or open it to everybody, or say how long a closed conversation can come back.

    Raises:
        NotFound: There is no such inbox that the actor sees.
        Forbidden: The actor may not do this.
        InvalidInput: A value cannot be used.
    """
    heads, actor = await standing.lock(conn, actor, Permission.INBOXES_MANAGE)
    policy.require(actor, Permission.INBOXES_MANAGE, inbox_id)
    before = await store.get_inbox(conn, actor.workspace_id, inbox_id)
    after = msgspec.structs.replace(
        before,
        name=before.name if change.name is None else check_name(change.name),
        restricted=before.restricted if change.restricted is None else change.restricted,
        reopen_days=before.reopen_days if change.reopen_days is None else _checked_days(change.reopen_days),
    )
    if after == before:
        return before
    if after.restricted != before.restricted:
        await accounts.bump_rights(conn, actor.workspace_id)
    after = await _write(conn, heads, actor, after)
    details = {"restricted": [before.restricted, after.restricted], "reopen_days": after.reopen_days}
    await standing.record(conn, actor, "inbox.changed", ("inbox", inbox_id), details)
    return after


async def set_access(conn: TenantConn, actor: Actor, inbox_id: UUID, access: InboxAccess) -> Inbox:
    """
    Say who sees an inbox while it is restricted, besides owners and admins; who loses it starts from a snapshot.

    Args:
        conn: A fresh transaction.
        actor: Who does it.
        inbox_id: One the actor sees.
        access: All of them, by themselves and by team.

    Raises:
        NotFound: There is no such inbox that the actor sees.
        Forbidden: The actor may not do this.
        InvalidInput: Somebody is no member, or there is no such team.
    """
    heads, actor = await standing.lock(conn, actor, Permission.INBOXES_MANAGE)
    policy.require(actor, Permission.INBOXES_MANAGE, inbox_id)
    inbox = await store.get_inbox(conn, actor.workspace_id, inbox_id)
    wanted = sorted_access(access)
    if len(wanted.member_ids) > teams.MOST_MEMBERS:
        raise InvalidInput("member_ids", f"Let at most {teams.MOST_MEMBERS} members in; use teams.")
    await people_store.require_members(conn, actor.workspace_id, wanted.member_ids)
    if len(await people_store.known_teams(conn, actor.workspace_id, wanted.team_ids)) != len(wanted.team_ids):
        raise InvalidInput("team_ids", "One of these is not a team.")
    before = (await list_access(conn, actor.workspace_id, [inbox_id]))[inbox_id]
    if wanted == before:
        return inbox
    await conn.execute(QUERIES["clear_members"], actor.workspace_id, inbox_id)
    await conn.execute(QUERIES["clear_teams"], actor.workspace_id, inbox_id)
    await _let_in(conn, actor.workspace_id, inbox_id, wanted)
    await accounts.bump_rights(conn, actor.workspace_id)
    after = await _write(conn, heads, actor, inbox)
    await standing.record(conn, actor, "inbox.access_changed", ("inbox", inbox_id), {"before": before, "after": wanted})
    return after


def sorted_access(access: InboxAccess) -> InboxAccess:
    """Name everybody once, in the order that is kept."""
    return InboxAccess(sorted(set(access.member_ids)), sorted(set(access.team_ids)))


async def remove_inbox(conn: TenantConn, actor: Actor, inbox_id: UUID) -> None:
    """
    Take an empty inbox away. Removed accounts that fed it go to the workspace's first other inbox.

    Raises:
        NotFound: There is no such inbox that the actor sees.
        Forbidden: The actor may not do this.
        Conflict: It is the last one, or something is in it; the text says what.
    """
    heads, actor = await standing.lock(conn, actor, Permission.INBOXES_MANAGE)
    policy.require(actor, Permission.INBOXES_MANAGE, inbox_id)
    workspace_id = actor.workspace_id
    inbox = await store.get_inbox(conn, workspace_id, inbox_id)
    others = [one for one in await store.list_inboxes(conn, workspace_id, None) if one.id != inbox_id]
    if not others:
        raise Conflict("A workspace needs an inbox. Make another one first.")
    held = await conn.fetchrow(QUERIES["contents"], workspace_id, inbox_id)
    if held is not None and (held["conversations"] or held["accounts"]):
        raise Conflict(
            f"This inbox is not empty: it has {held['conversations']} conversations and "
            f"{held['accounts']} channel accounts. Move or remove them first."
        )
    await _move_removed(conn, heads, actor, inbox_id, others[0])
    await conn.execute(QUERIES["remove_inbox"], workspace_id, inbox_id)
    await accounts.bump_rights(conn, workspace_id)
    event = make_event(workspace_id, "inbox_removed", InboxRemoved(inbox_id), inbox_id, actor.member_id)
    await events.append(conn, heads, [event])
    await standing.record(conn, actor, "inbox.removed", ("inbox", inbox_id), {"name": inbox.name})


async def list_access(
    conn: TenantConn, workspace_id: int, inbox_ids: Collection[UUID] | None
) -> dict[UUID, InboxAccess]:
    """Return who is let into these inboxes (None: all of the workspace)."""
    rows = await conn.fetch(QUERIES["list_access"], workspace_id, None if inbox_ids is None else list(inbox_ids))
    return {row["id"]: InboxAccess(row["member_ids"], row["team_ids"]) for row in rows}


async def _let_in(conn: TenantConn, workspace_id: int, inbox_id: UUID, access: InboxAccess) -> None:
    await conn.execute(QUERIES["add_members"], workspace_id, inbox_id, access.member_ids)
    await conn.execute(QUERIES["add_teams"], workspace_id, inbox_id, access.team_ids)


async def _move_removed(conn: TenantConn, heads: dict[int, int], actor: Actor, inbox_id: UUID, to: Inbox) -> None:
    workspace_id = actor.workspace_id
    for row in await conn.fetch(QUERIES["removed_accounts"], workspace_id, inbox_id):
        before = await store.get_channel_account(conn, workspace_id, row["id"])
        after = msgspec.structs.replace(before, inbox_id=to.id, version=heads[workspace_id] + 1)
        await conn.execute(QUERIES["move_account"], workspace_id, after.id, to.id, after.version)
        body = ChannelAccountChanged(channel_account=after)
        event = make_event(workspace_id, "channel_account_changed", body, to.id, actor.member_id)
        await events.append(conn, heads, [event])


async def _write(conn: TenantConn, heads: dict[int, int], actor: Actor, inbox: Inbox) -> Inbox:
    after = msgspec.structs.replace(inbox, version=heads[actor.workspace_id] + 1)
    await store.update_inbox(conn, actor.workspace_id, after)
    await events.append(conn, heads, [inbox_changed(actor.workspace_id, after, actor.member_id)])
    return after


def _checked_days(days: int) -> int:
    if not 0 <= days <= _MOST_REOPEN_DAYS:
        raise InvalidInput("reopen_days", f"Use 0 to {_MOST_REOPEN_DAYS} days.")
    return days
