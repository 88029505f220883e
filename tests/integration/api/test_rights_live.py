"""Rights reach open sockets: a real hub over the real store, told by the log of what was committed."""

from __future__ import annotations

import pytest

from api.call import Resources
from api.ws_ports import SocketPorts
from hub.accounts import members, roles, sessions, teams, workspaces
from hub.accounts.model import MemberChange, Permission, Role
from hub.accounts.people import HandOver
from hub.accounts.teams import TeamChange
from hub.channels import inboxes
from hub.channels.model import InboxAccess, InboxChange
from hub.db import Database
from hub.events.model import LoggedEvent
from tests.integration.hub.accounts.desk import Desk
from tests.realtime_fakes import Rig, of_type, until

pytestmark = pytest.mark.postgres


class Unused:
    """Stands for parts these calls do not touch."""

    def derive_keys(self, purpose):
        return {1: b"k" * 32}


class Live:
    """A desk whose commits reach a hub, as in a serve process."""

    def __init__(self, desk: Desk, rig: Rig) -> None:
        self.desk, self.rig = desk, rig

    async def open(self, member_id):
        actor = await self.desk.actor(member_id)
        async with self.desk.database.across() as conn:
            new = await sessions.start(conn, actor.login_id)
        connection, sink = self.rig.connect()
        self.rig.say(
            connection, "hello", protocol=1, bearer=new.token, workspace_id=self.desk.id, cursor={"epoch": 1, "seq": 0}
        )
        await until(lambda: of_type(sink, "welcome"))
        return sink


@pytest.fixture
async def live(database_urls, workspace):
    rigs: list[Rig] = []

    def publish(notices) -> None:
        for rig in rigs:
            rig.broker.publish([one for one in notices if isinstance(one, LoggedEvent)])

    database = await Database.open(database_urls.database_url, publish, max_size=5)
    resources = Resources(
        settings=Unused(), database=database, passwords=Unused(), throttle=Unused(), frontend_dir=Unused(),
        routes=Unused(), sealer=Unused(), redis_ephemeral=Unused(),
    )  # fmt: skip
    async with Rig(ports=SocketPorts(resources)) as rig:
        rigs.append(rig)
        yield Live(Desk(database, workspace), rig)
    await database.close()


def lost_rights(sink) -> bool:
    return any(frame["reason"] == "rights" for frame in of_type(sink, "gap"))


@pytest.mark.parametrize("role", [Role.ADMIN, Role.VIEWER])
async def test_new_role_starts_an_open_socket_anew(live, role):
    """An agent who is made admin, or viewer, gets gap{rights} at once; others stay as they are."""
    cleo, dan = await live.desk.add("Cleo"), await live.desk.add("Dan")
    sink, beside = await live.open(cleo.id), await live.open(dan.id)
    await live.desk.run(await live.desk.owner(), members.change_member, cleo.id, MemberChange(role=role))
    await until(lambda: lost_rights(sink))
    await until(lambda: any(frame["event"]["type"] == "member_changed" for frame in of_type(beside, "event")))
    assert not lost_rights(beside)
    assert sink.closed_with is None


async def test_custom_role_edited_under_an_open_socket(live):
    """Taking replying out of a custom role reaches those who have it."""
    cleo = await live.desk.with_custom_role("Cleo", Permission.INBOX_REPLY)
    sink = await live.open(cleo.id)
    await live.desk.run(
        await live.desk.owner(), roles.change_role, cleo.custom_role_id, name=None, permissions=[Permission.INBOX_READ]
    )
    await until(lambda: lost_rights(sink))


async def test_inbox_taken_away_under_an_open_socket(live):
    """Restricting an inbox, leaving its team and losing its access: each starts the socket anew."""
    desk, inbox_id = live.desk, live.desk.workspace.other_inbox_id
    cleo, dan, eve = await desk.add("Cleo"), await desk.add("Dan"), await desk.add("Eve")
    team = await desk.run(await desk.owner(), teams.make_team, "Sales", [cleo.id])
    await desk.run(await desk.owner(), inboxes.set_access, inbox_id, InboxAccess([dan.id], [team.id]))
    in_team, listed, outside = await live.open(cleo.id), await live.open(dan.id), await live.open(eve.id)
    await desk.run(await desk.owner(), inboxes.change_inbox, inbox_id, InboxChange(restricted=True))
    await until(lambda: lost_rights(outside))
    assert [lost_rights(one) for one in (in_team, listed)] == [False, False]
    await desk.run(await desk.owner(), teams.change_team, team.id, TeamChange(remove=(cleo.id,)))
    await until(lambda: lost_rights(in_team))
    assert not lost_rights(listed)
    await desk.run(await desk.owner(), inboxes.set_access, inbox_id, InboxAccess([], [team.id]))
    await until(lambda: lost_rights(listed))


async def test_sockets_of_whoever_is_let_go_are_closed(live):
    """A deactivated member's socket is closed with 4501 as soon as the log says so; the others stay open."""
    cleo, dan = await live.desk.add("Cleo"), await live.desk.add("Dan")
    sink, beside = await live.open(cleo.id), await live.open(dan.id)
    await live.desk.run(await live.desk.owner(), members.deactivate, cleo.id, HandOver(to="nobody"))
    await until(lambda: sink.closed_with)
    assert sink.closed_with[0] == 4501
    assert beside.closed_with is None


async def test_sockets_of_a_deleted_workspace_are_closed(live):
    """Deletion closes everybody's sockets, the owner's too."""
    cleo = await live.desk.add("Cleo")
    sinks = [await live.open(one) for one in (cleo.id, live.desk.workspace.owner_id)]
    await live.desk.run(await live.desk.owner(), workspaces.delete_workspace, "Northwind")
    await until(lambda: all(sink.closed_with for sink in sinks))
