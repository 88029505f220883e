"""Every change of teams. A team opens inboxes, so nobody fills one that opens more than they see themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import actions, people_store, standing, store
from hub.accounts.model import Permission
from hub.accounts.people import Team, TeamChanged, TeamRemoved
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.events import store as events
from hub.events.model import NewEvent

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from hub.accounts.model import Actor
    from hub.db import TenantConn

MOST_TEAMS: Final = 200
MOST_MEMBERS: Final = 1_000


class TeamChange(msgspec.Struct, frozen=True, kw_only=True):
    """
    What changes about a team; None leaves a field as it is.

    Attributes:
        member_ids: All of its members.
        add: Members to put in besides.
        remove: Members to take out.
    """

    name: str | None = None
    member_ids: tuple[UUID, ...] | None = None
    add: tuple[UUID, ...] = ()
    remove: tuple[UUID, ...] = ()


async def make_team(conn: TenantConn, actor: Actor, name: str, member_ids: Collection[UUID]) -> Team:
    """
    Make a team.

    Args:
        conn: A fresh transaction.
        actor: Who does it.
        name: 1-200 characters, used once in the workspace.
        member_ids: Who is in it from the start.

    Raises:
        Forbidden: The actor may not do this.
        InvalidInput: The name cannot be used, or somebody is no member.
        Conflict: There are too many teams, or another one has the name.
    """
    heads, actor = await standing.lock(conn, actor, Permission.TEAMS_MANAGE)
    if len(await people_store.list_teams(conn, actor.workspace_id)) >= MOST_TEAMS:
        raise Conflict(f"A workspace has at most {MOST_TEAMS} teams.")
    members = await _checked(conn, actor, member_ids)
    version = heads[actor.workspace_id] + 1
    team = Team(id=clock.new_id(), name=actions.clean_name("name", name), member_ids=members, version=version)
    await people_store.add_team(conn, actor.workspace_id, team, clock.now())
    await events.append(conn, heads, [_event(actor, TeamChanged(team))])
    await standing.record(conn, actor, "team.made", ("team", team.id), {"member_ids": members})
    return team


async def change_team(conn: TenantConn, actor: Actor, team_id: UUID, change: TeamChange) -> Team:
    """
    Rename a team, or change who is in it; who is new sees its inboxes at once, who left loses them.

    Raises:
        NotFound: There is no such team.
        Forbidden: The actor may not do this, or does not see every inbox that the team opens.
        InvalidInput, Conflict: As for ``make_team``.
    """
    heads, actor = await standing.lock(conn, actor, Permission.TEAMS_MANAGE)
    before = await people_store.get_team(conn, actor.workspace_id, team_id)
    wanted = set(before.member_ids if change.member_ids is None else change.member_ids)
    members = await _checked(conn, actor, (wanted | set(change.add)) - set(change.remove))
    name = before.name if change.name is None else actions.clean_name("name", change.name)
    if (name, members) == (before.name, before.member_ids):
        return before
    if members != before.member_ids:
        await require_team_reach(conn, actor, [team_id])
        await store.bump_rights(conn, actor.workspace_id)
    after = Team(id=team_id, name=name, member_ids=members, version=heads[actor.workspace_id] + 1)
    await people_store.change_team(conn, actor.workspace_id, after)
    await events.append(conn, heads, [_event(actor, TeamChanged(after))])
    details = {
        "added": sorted(set(members) - set(before.member_ids)),
        "removed": sorted(set(before.member_ids) - set(members)),
    }
    await standing.record(conn, actor, "team.changed", ("team", team_id), details)
    return after


async def remove_team(conn: TenantConn, actor: Actor, team_id: UUID) -> None:
    """Take a team away, and with it what it opened; ``NotFound`` and ``Forbidden`` as for ``change_team``."""
    heads, actor = await standing.lock(conn, actor, Permission.TEAMS_MANAGE)
    team = await people_store.get_team(conn, actor.workspace_id, team_id)
    await require_team_reach(conn, actor, [team_id])
    await people_store.remove_team(conn, actor.workspace_id, team_id)
    await store.bump_rights(conn, actor.workspace_id)
    await events.append(conn, heads, [_event(actor, TeamRemoved(team_id))])
    await standing.record(conn, actor, "team.removed", ("team", team_id), {"name": team.name})


async def require_team_reach(conn: TenantConn, actor: Actor, team_ids: Collection[UUID]) -> None:
    """Stop whoever would open inboxes by a team that they do not see themselves."""
    if actor.visible_inboxes is None:
        return
    if not await people_store.inboxes_of_teams(conn, actor.workspace_id, team_ids) <= actor.visible_inboxes:
        raise Forbidden("This team opens inboxes that you do not see.")


async def _checked(conn: TenantConn, actor: Actor, member_ids: Collection[UUID]) -> list[UUID]:
    if len(member_ids) > MOST_MEMBERS:
        raise InvalidInput("member_ids", f"A team has at most {MOST_MEMBERS} members.")
    await people_store.require_members(conn, actor.workspace_id, member_ids)
    return sorted(set(member_ids))


def _event(actor: Actor, what: TeamChanged | TeamRemoved) -> NewEvent:
    return NewEvent(
        workspace_id=actor.workspace_id,
        type="team_changed" if isinstance(what, TeamChanged) else "team_removed",
        data=msgspec.json.encode(what),
        occurred_at=clock.now(),
        actor_id=actor.member_id,
    )
