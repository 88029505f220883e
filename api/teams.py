"""Teams and who is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.etag import Seen, require_mergeable, wanted_version
from hub.accounts import people_store, teams
from hub.accounts.people import Team
from hub.accounts.teams import TeamChange

if TYPE_CHECKING:
    from api.call import MemberCall


class TeamsView(msgspec.Struct, frozen=True):
    teams: list[Team]


class TeamView(msgspec.Struct, frozen=True):
    team: Team


class TeamRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    member_ids: list[UUID] = []


class TeamPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; ``member_ids`` are all of the team's, what is left out stays."""

    name: str | None = None
    member_ids: list[UUID] | None = None


async def read_all(call: MemberCall) -> TeamsView:
    """List the teams, by name."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return TeamsView(await people_store.list_teams(conn, call.actor.workspace_id))


async def create(call: MemberCall) -> TeamView:
    """Make a team."""
    wanted = await call.decode(TeamRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return TeamView(await teams.make_team(conn, call.actor, wanted.name, wanted.member_ids))


async def change(call: MemberCall) -> TeamView:
    """Rename a team or replace who is in it."""
    wanted = await call.decode(TeamPatch)
    members = None if wanted.member_ids is None else tuple(wanted.member_ids)
    return await _change(call, TeamChange(name=wanted.name, member_ids=members))


async def remove(call: MemberCall) -> None:
    """Take a team away."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await teams.remove_team(conn, call.actor, call.path_id("team_id"))


async def add_member(call: MemberCall) -> TeamView:
    """Put a member into a team."""
    return await _change(call, TeamChange(add=(call.path_id("member_id"),)))


async def remove_member(call: MemberCall) -> TeamView:
    """Take a member out of a team."""
    return await _change(call, TeamChange(remove=(call.path_id("member_id"),)))


async def _change(call: MemberCall, change: TeamChange) -> TeamView:
    workspace_id, team_id = call.actor.workspace_id, call.path_id("team_id")
    seen = Seen(workspace_id, "team", wanted_version(call.request))
    # Putting one in and taking one out clash with nothing.
    fields = {"name": change.name, "member_ids": None if change.member_ids is None else sorted(set(change.member_ids))}
    said = {name: value for name, value in fields.items() if value is not None}
    async with call.resources.database.transaction([workspace_id]) as conn:
        await require_mergeable(conn, seen, lambda: people_store.get_team(conn, workspace_id, team_id), said)
        return TeamView(await teams.change_team(conn, call.actor, team_id, change))
