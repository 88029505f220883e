"""Hand-overs: open conversations of whoever leaves go where they were promised, in parts, whatever crashes between."""

from __future__ import annotations

import pytest

from connectors.hand_overs import hand_over_job
from hub.accounts import members, teams
from hub.accounts.model import MemberChange, Role
from hub.accounts.people import HandOver
from hub.channels import inboxes
from hub.channels.model import InboxAccess, InboxChange
from hub.errors import Conflict, Forbidden, InvalidInput
from hub.inbox import actions, hand_over
from tests.factories import make_item, make_workspace, received
from tests.integration.hub.accounts.desk import Desk
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres


@pytest.fixture
def desk(database, workspace) -> Desk:
    return Desk(database, workspace)


async def give_work(desk: Desk, member_id, amount: int) -> list:
    """Conversations from so many people, assigned to a member."""
    items = [received(desk.workspace, make_item(thread_key=f"+1555{n:07}", external_id=None)) for n in range(amount)]
    ids = []
    async with desk.database.transaction([desk.id]) as conn:
        for outcome in await actions.receive(conn, items):
            ids.append(outcome.conversation_id)
            await actions.assign(conn, desk.id, outcome.conversation_id, member_id, actor_id=None)
    return ids


async def assignees(desk: Desk) -> dict:
    async with desk.database.transaction([desk.id]) as conn:
        rows = await conn.fetch("SELECT assignee_id, count(*) AS n FROM conversation GROUP BY assignee_id")
    return {row["assignee_id"]: row["n"] for row in rows}


async def leave_to(desk: Desk, member_id, to: HandOver) -> None:
    await desk.run(await desk.owner(), members.deactivate, member_id, to)


async def test_work_goes_to_a_member(desk):
    """Everything open goes to the one named, closed conversations stay; each is an event; a second run does nothing."""
    cleo, dan = await desk.add("Cleo"), await desk.add("Dan")
    ids = await give_work(desk, cleo.id, 5)
    async with desk.database.transaction([desk.id]) as conn:
        await actions.close(conn, desk.id, ids[0], actor_id=None)
    async with verify_action(desk.database, await desk.owner(), events_expected=5):
        await leave_to(desk, cleo.id, HandOver(to="member", id=dan.id))
        assert await hand_over_job(desk.database).run() == 4
    assert await assignees(desk) == {cleo.id: 1, dan.id: 4}
    assert await desk.hand_over(cleo.id) is None
    assert await hand_over_job(desk.database).run() == 0


async def test_team_shares_the_work(desk):
    """A team's members get it in turn, by what they have already; viewers and those who left get none."""
    cleo, dan, eve = await desk.add("Cleo"), await desk.add("Dan"), await desk.add("Eve")
    gone, viewer = await desk.add("Gil"), await desk.add("Vic", Role.VIEWER)
    ids = (cleo.id, dan.id, eve.id, gone.id, viewer.id)
    team = await desk.run(await desk.owner(), teams.make_team, "Sales", ids)
    await desk.run(await desk.owner(), members.change_member, gone.id, MemberChange(active=False))
    await give_work(desk, dan.id, 2)
    async with desk.database.transaction([desk.id]) as conn:
        items = [received(desk.workspace, make_item(thread_key=f"+1666{n:07}", external_id=None)) for n in range(6)]
        for outcome in await actions.receive(conn, items):
            await actions.assign(conn, desk.id, outcome.conversation_id, cleo.id, actor_id=None)
    await leave_to(desk, cleo.id, HandOver(to="team", id=team.id))
    await hand_over_job(desk.database).run()
    assert await assignees(desk) == {dan.id: 4, eve.id: 4}


async def test_nobody_gets_what_they_cannot_see(desk):
    """Where the new one does not see the inbox the conversation is left unassigned, not hidden with them."""
    cleo, dan = await desk.add("Cleo"), await desk.add("Dan")
    await give_work(desk, cleo.id, 2)
    inbox_id = desk.workspace.inbox_id
    await desk.run(await desk.owner(), inboxes.change_inbox, inbox_id, InboxChange(restricted=True))
    await desk.run(await desk.owner(), inboxes.set_access, inbox_id, InboxAccess([cleo.id], []))
    await leave_to(desk, cleo.id, HandOver(to="member", id=dan.id))
    await hand_over_job(desk.database).run()
    assert await assignees(desk) == {None: 2}


@pytest.mark.parametrize("by_patch", [True, False])
async def test_nobody_is_an_answer(desk, by_patch):
    """Handed to nobody, work is unassigned; letting somebody go by a plain change does the same."""
    cleo = await desk.add("Cleo")
    await give_work(desk, cleo.id, 2)
    if by_patch:
        await desk.run(await desk.owner(), members.change_member, cleo.id, MemberChange(active=False))
    else:
        await leave_to(desk, cleo.id, HandOver(to="nobody"))
    await hand_over_job(desk.database).run()
    assert await assignees(desk) == {None: 2}


async def test_a_crash_between_two_parts_loses_nothing(desk):
    """What was given stays given, the rest is found by the next process; no part is larger than its limit."""
    cleo, dan = await desk.add("Cleo"), await desk.add("Dan")
    amount = hand_over.CHUNK + 7
    await give_work(desk, cleo.id, amount)
    await leave_to(desk, cleo.id, HandOver(to="member", id=dan.id))
    async with desk.database.transaction([desk.id]) as conn:
        assert await hand_over.hand_over_some(conn, desk.id, cleo.id) == hand_over.CHUNK
    with pytest.raises(_Crash):
        async with desk.database.transaction([desk.id]) as conn:
            await hand_over.hand_over_some(conn, desk.id, cleo.id)
            raise _Crash
    assert await assignees(desk) == {cleo.id: 7, dan.id: hand_over.CHUNK}
    await hand_over_job(desk.database).run()
    assert await assignees(desk) == {dan.id: amount}


async def test_whoever_comes_back_keeps_what_is_left(desk):
    """Taken back before the worker came, a member still has their conversations."""
    cleo, dan = await desk.add("Cleo"), await desk.add("Dan")
    await give_work(desk, cleo.id, 3)
    await leave_to(desk, cleo.id, HandOver(to="member", id=dan.id))
    assert (await desk.run(await desk.owner(), members.reactivate, cleo.id)).active
    assert await hand_over_job(desk.database).run() == 0
    assert await assignees(desk) == {cleo.id: 3}


async def test_who_leaves_hands_over_themselves(desk):
    """An agent leaves and hands over; a viewer, who assigns nothing, hands over to nobody only; the last owner stays."""
    cleo, vic, dan = await desk.add("Cleo"), await desk.add("Vic", Role.VIEWER), await desk.add("Dan")
    await give_work(desk, cleo.id, 1)
    await desk.run(await desk.actor(cleo.id), members.leave, HandOver(to="member", id=dan.id))
    await hand_over_job(desk.database).run()
    assert await assignees(desk) == {dan.id: 1}
    with pytest.raises(Forbidden):
        await desk.run(await desk.actor(vic.id), members.leave, HandOver(to="member", id=dan.id))
    await desk.run(await desk.actor(vic.id), members.leave, HandOver(to="nobody"))
    with pytest.raises(Conflict, match="needs an owner"):
        await desk.run(await desk.owner(), members.leave, HandOver(to="nobody"))
    assert [action for action, _, _ in await desk.audited()] == ["member.deactivated"] * 2


async def test_hand_over_to_nobody_real_is_refused(desk):
    """Themselves, somebody who left, an empty team, a stranger, and half an answer are refused; nothing happens."""
    theirs = await make_workspace(desk.database, name="Contoso")
    cleo, gone = await desk.add("Cleo"), await desk.add("Gil")
    await desk.run(await desk.owner(), members.change_member, gone.id, MemberChange(active=False))
    empty = await desk.run(await desk.owner(), teams.make_team, "Empty", [cleo.id])
    for to in (
        HandOver(to="member", id=cleo.id),
        HandOver(to="member", id=gone.id),
        HandOver(to="member", id=theirs.agent_id),
        HandOver(to="team", id=empty.id),
        HandOver(to="team", id=cleo.id),
        HandOver(to="team"),
        HandOver(to="nobody", id=cleo.id),
    ):
        with pytest.raises(InvalidInput) as refused:
            await leave_to(desk, cleo.id, to)
        assert refused.value.field == "hand_over_to"
    assert (await desk.member(cleo.id)).active
    with pytest.raises(Conflict):
        await leave_to(desk, gone.id, HandOver(to="nobody"))


class _Crash(Exception):
    """Stands for a process that dies before COMMIT."""
