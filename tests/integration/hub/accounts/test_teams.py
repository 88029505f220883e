"""Teams and the inboxes they open: rights follow at once, and nobody opens what they do not see."""

from __future__ import annotations

import pytest

from hub import clock
from hub.accounts import people_store, teams
from hub.accounts.model import Permission, Role
from hub.accounts.teams import TeamChange
from hub.channels import inboxes, store
from hub.channels.model import InboxAccess, InboxChange
from hub.errors import Conflict, Forbidden, InvalidInput, NotFound
from tests import factories
from tests.integration.hub.accounts.desk import Desk
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres

P = Permission


@pytest.fixture
def desk(database, workspace) -> Desk:
    return Desk(database, workspace)


async def restrict(desk: Desk, *, members=(), team_ids=()) -> None:
    """Close the second inbox to all but these."""
    inbox_id = desk.workspace.other_inbox_id
    await desk.run(await desk.owner(), inboxes.change_inbox, inbox_id, InboxChange(restricted=True))
    access = InboxAccess(list(members), list(team_ids))
    await desk.run(await desk.owner(), inboxes.set_access, inbox_id, access)


async def sees(desk: Desk, member_id) -> bool:
    visible = (await desk.actor(member_id)).visible_inboxes
    return visible is None or desk.workspace.other_inbox_id in visible


async def test_team_opens_its_inboxes(desk):
    """Who joins the team sees its inbox, who leaves it loses it, and the version of rights moves each time."""
    cleo = await desk.add("Cleo")
    team = await desk.run(await desk.owner(), teams.make_team, "Sales", [])
    await restrict(desk, team_ids=[team.id])
    assert not await sees(desk, cleo.id)
    version = (await desk.owner()).rights_version
    await desk.run(await desk.owner(), teams.change_team, team.id, TeamChange(add=(cleo.id,)))
    assert await sees(desk, cleo.id)
    assert (await desk.owner()).rights_version == version + 1
    await desk.run(await desk.owner(), teams.change_team, team.id, TeamChange(remove=(cleo.id,)))
    assert not await sees(desk, cleo.id)
    await desk.run(await desk.owner(), teams.change_team, team.id, TeamChange(member_ids=(cleo.id,)))
    await desk.run(await desk.owner(), teams.remove_team, team.id)
    assert not await sees(desk, cleo.id)


async def test_access_by_name_and_open_again(desk):
    """A listed member sees a restricted inbox; opened to everybody, all do."""
    cleo, dan = await desk.add("Cleo"), await desk.add("Dan")
    await restrict(desk, members=[cleo.id])
    assert (await sees(desk, cleo.id), await sees(desk, dan.id)) == (True, False)
    await desk.run(
        await desk.owner(), inboxes.change_inbox, desk.workspace.other_inbox_id, InboxChange(restricted=False)
    )
    assert await sees(desk, dan.id)


async def test_nobody_opens_what_they_do_not_see(desk):
    """With teams.manage and inboxes.manage but no sight of an inbox: no team into it, no access, no change, no end."""
    cleo = await desk.with_custom_role("Cleo", P.TEAMS_MANAGE, P.INBOXES_MANAGE)
    team = await desk.run(await desk.owner(), teams.make_team, "Board", [])
    await restrict(desk, team_ids=[team.id])
    actor, inbox_id = await desk.actor(cleo.id), desk.workspace.other_inbox_id
    for change in (TeamChange(add=(cleo.id,)), TeamChange(member_ids=(cleo.id,))):
        with pytest.raises(Forbidden):
            await desk.run(actor, teams.change_team, team.id, change)
    with pytest.raises(Forbidden):
        await desk.run(actor, teams.remove_team, team.id)
    for action, argument in (
        (inboxes.set_access, InboxAccess([cleo.id], [])),
        (inboxes.change_inbox, InboxChange(restricted=False)),
    ):
        with pytest.raises(NotFound):
            await desk.run(actor, action, inbox_id, argument)
    with pytest.raises(NotFound):
        await desk.run(actor, inboxes.remove_inbox, inbox_id)
    assert not await sees(desk, cleo.id)
    await desk.run(actor, teams.change_team, team.id, TeamChange(name="Council"))
    made = await desk.run(actor, inboxes.create_inbox, "Mine", restricted=True)
    assert made.id in ((await desk.actor(cleo.id)).visible_inboxes or ())


async def test_events_equal_state(desk):
    """A client that applies the events has the teams and inboxes a snapshot shows."""
    cleo, owner = await desk.add("Cleo"), await desk.owner()
    async with verify_action(desk.database, owner):
        team = await desk.run(owner, teams.make_team, "Sales", [cleo.id])
        other = await desk.run(owner, teams.make_team, "Support", [])
        await desk.run(owner, teams.change_team, team.id, TeamChange(name="Deals", remove=(cleo.id,)))
        await desk.run(await desk.owner(), teams.remove_team, other.id)
        made = await desk.run(await desk.owner(), inboxes.create_inbox, "VIP", restricted=True)
        await desk.run(await desk.owner(), inboxes.change_inbox, made.id, InboxChange(name="Gold", reopen_days=0))
        await desk.run(await desk.owner(), inboxes.set_access, made.id, InboxAccess([cleo.id], [team.id]))
        empty = await desk.run(await desk.owner(), inboxes.create_inbox, "Empty")
        await desk.run(await desk.owner(), inboxes.remove_inbox, empty.id)
    said = [action for action, _, _ in await desk.audited()]
    assert said == [
        *("team.made", "team.made", "team.changed", "team.removed"),
        *("inbox.made", "inbox.changed", "inbox.access_changed", "inbox.made", "inbox.removed"),
    ]


async def test_same_again_is_no_change(desk):
    """A change that changes nothing appends no event and moves no version."""
    cleo, owner = await desk.add("Cleo"), await desk.owner()
    team = await desk.run(owner, teams.make_team, "Sales", [cleo.id])
    async with verify_action(desk.database, owner, events_expected=0):
        assert await desk.run(owner, teams.change_team, team.id, TeamChange(name="Sales", add=(cleo.id,))) == team
        await desk.run(owner, inboxes.change_inbox, desk.workspace.inbox_id, InboxChange(name="Inbox"))
        await desk.run(owner, inboxes.set_access, desk.workspace.inbox_id, InboxAccess([], []))


async def test_inbox_with_something_in_it_stays(desk):
    """An inbox that has accounts says what is in it; the last one stays whatever is in it; an account removed moves."""
    with pytest.raises(Conflict, match="0 conversations and 2 channel accounts"):
        await desk.run(await desk.owner(), inboxes.remove_inbox, desk.workspace.inbox_id)
    async with desk.database.transaction([desk.id]) as conn:
        await conn.execute("UPDATE channel_account SET status = 'removed'")
    owner = await desk.owner()
    async with verify_action(desk.database, owner, events_expected=3):
        await desk.run(owner, inboxes.remove_inbox, desk.workspace.inbox_id)
    async with desk.database.transaction([desk.id]) as conn:
        moved = await store.list_channel_accounts(conn, desk.id, None)
    assert {one.inbox_id for one in moved} == {desk.workspace.other_inbox_id}
    with pytest.raises(Conflict, match="needs an inbox"):
        await desk.run(await desk.owner(), inboxes.remove_inbox, desk.workspace.other_inbox_id)


async def test_foreign_ids_are_nothing(desk):
    """Members, teams and inboxes of another workspace do not exist here, as target or as content."""
    theirs = Desk(desk.database, await factories.make_workspace(desk.database, name="Contoso"))
    foreign = await theirs.run(await theirs.owner(), teams.make_team, "Theirs", [theirs.workspace.agent_id])
    owner = await desk.owner()
    own = await desk.run(owner, teams.make_team, "Ours", [])
    stranger = theirs.workspace.agent_id
    for action in (
        lambda: desk.run(owner, teams.make_team, "X", [stranger]),
        lambda: desk.run(owner, teams.change_team, own.id, TeamChange(add=(stranger,))),
        lambda: desk.run(owner, inboxes.set_access, desk.workspace.inbox_id, InboxAccess([stranger], [])),
        lambda: desk.run(owner, inboxes.set_access, desk.workspace.inbox_id, InboxAccess([], [foreign.id])),
    ):
        with pytest.raises(InvalidInput):
            await action()
    for missing in (
        lambda: desk.run(owner, teams.change_team, foreign.id, TeamChange(name="Mine")),
        lambda: desk.run(owner, teams.remove_team, foreign.id),
        lambda: desk.run(owner, inboxes.change_inbox, theirs.workspace.inbox_id, InboxChange(name="Mine")),
        lambda: desk.run(owner, inboxes.remove_inbox, theirs.workspace.inbox_id),
        lambda: desk.run(owner, inboxes.set_access, clock.new_id(), InboxAccess([], [])),
    ):
        with pytest.raises(NotFound):
            await missing()
    async with desk.database.transaction([desk.id]) as conn:
        assert await people_store.list_teams(conn, theirs.id) == []
        assert await people_store.receivers(conn, theirs.id, stranger) == {}


@pytest.mark.parametrize("role", [Role.AGENT, Role.VIEWER])
async def test_agents_change_no_team_and_no_inbox(desk, role):
    """Without the permission there is no way in."""
    actor = await desk.actor((await desk.add("Cleo", role)).id)
    for action in (
        lambda: desk.run(actor, teams.make_team, "Mine", []),
        lambda: desk.run(actor, inboxes.create_inbox, "Mine"),
        lambda: desk.run(actor, inboxes.set_access, desk.workspace.inbox_id, InboxAccess([], [])),
    ):
        with pytest.raises(Forbidden):
            await action()
