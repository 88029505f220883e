"""Who could take a call, asked while a caller waits: who is online and may answer there, and who talks."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from api.staff import staff_of
from connectors.base import Staff
from hub import clock
from hub.channels.model import AccountStatus, Route
from hub.envelope import CallState, Identity
from tests.factories import make_item
from tests.integration.api.test_inbox import receive

pytestmark = pytest.mark.postgres


class Online:
    """Presence of whom the test names."""

    def __init__(self, *member_ids, waits_s=0.0):
        self.member_ids, self.waits_s = member_ids, waits_s

    async def online(self, workspace_id):
        await asyncio.sleep(self.waits_s)
        return self.member_ids


async def execute(database, workspace, statement, *arguments):
    async with database.transaction([workspace.id]) as conn:
        return await conn.fetchval(statement, *arguments)


async def email_of(database, workspace, member_id):
    found = await execute(database, workspace, "SELECT email FROM member WHERE id = $1", member_id)
    return str(found).lower()


@pytest.fixture
async def route(database, workspace):
    inbox_id = await execute(
        database, workspace, "SELECT inbox_id FROM channel_account WHERE id = $1", workspace.sms_id
    )
    return Route(
        workspace_id=workspace.id,
        id=workspace.sms_id,
        inbox_id=inbox_id,
        channel="voice",
        status=AccountStatus.CONNECTED,
        settings={},
    )


async def test_who_is_online_and_may_answer_is_here(database, workspace, route):
    """Not who may only look, nobody who does not see the inbox, nobody who left, and no stranger."""
    owner, agent = workspace.owner_id, workspace.agent_id
    ask = staff_of(database, Online(owner, agent, uuid4()))
    owners = frozenset({await email_of(database, workspace, owner)})
    assert (await ask(route)).here == owners | {await email_of(database, workspace, agent)}

    await execute(database, workspace, "UPDATE member SET role = 'viewer' WHERE id = $1", agent)
    assert (await ask(route)).here == owners
    await execute(database, workspace, "UPDATE member SET role = 'agent' WHERE id = $1", agent)
    await execute(database, workspace, "UPDATE inbox SET restricted = true")
    assert (await ask(route)).here == owners
    await execute(database, workspace, "UPDATE inbox SET restricted = false")
    await execute(database, workspace, "UPDATE member SET active = false WHERE id = $1", agent)
    assert (await ask(route)).here == owners


async def test_calls_that_go_on_are_told(database, workspace, route):
    """By the vendor's id, with who talks; without presence nobody says who is here."""
    state = CallState(outcome="answered", member="Anna")
    sender, now = Identity("phone", "+15550000001"), clock.now()
    item = make_item(external_id="CA1", sender=sender, call=state, occurred_at=now)
    await receive(database, workspace, item, channel="twilio_sms")
    found = await staff_of(database, None)(route)
    (call,) = found.calls
    assert (call.external_id, call.outcome, call.member, found.here) == ("CA1", "answered", "Anna", None)


async def test_what_cannot_be_found_out_in_time_is_left_out(database, route):
    """A caller hears something in any case: nobody counts as busy or away."""
    ask = staff_of(database, Online(waits_s=30.0), allowance_s=0.05)
    assert await ask(route) == Staff()
