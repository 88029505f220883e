"""The home page over HTTP: what needs attention, of what the caller sees and no other workspace's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub import clock
from hub.inbox import actions
from hub.notices import actions as notices
from hub.notices.model import Kind, Telling
from tests.factories import make_item, make_workspace
from tests.integration.api.test_inbox import client, receive, sign_in

__all__ = ["client"]
pytestmark = pytest.mark.postgres


async def write(database, workspace, sender, text="Where is it?"):
    identity = make_item().sender.__class__(scheme="phone", value=sender)
    (outcome,) = await receive(
        database, workspace, make_item(key=sender, external_id=sender, thread_key=sender, sender=identity, text=text)
    )
    return outcome.conversation_id


async def execute(database, workspace, statement, *arguments):
    async with database.transaction([workspace.id]) as conn:
        return await conn.fetchval(statement, *arguments)


async def agent(database, workspace):
    login_id = await execute(database, workspace, "SELECT login_id FROM member WHERE id = $1", workspace.agent_id)
    return await sign_in(database, login_id)


async def test_new_workspace_has_nothing_waiting_and_steps_to_take(client, workspace):
    """Zeroes, and what is still to be done."""
    answer = (await client.get("home")).json()
    assert (answer["waiting"], answer["unassigned"], answer["longest"], answer["failed"]) == (0, 0, [], [])
    assert answer["beginnings"]["contact_answered"] is False
    assert (answer["unreadable"], answer["invited"], answer["is_partial"]) == (0, 0, False)


async def test_longest_waiting_comes_first_and_an_answer_ends_it(client, database, workspace):
    """By when the contact wrote; what was answered waits no more; mine are counted apart."""
    first, second = await write(database, workspace, "+15550000001"), await write(database, workspace, "+15550000002")
    await execute(
        database, workspace, "UPDATE conversation SET last_inbound_at = now() - interval '2 days' WHERE id = $1", second
    )
    async with database.transaction([workspace.id]) as conn:
        await actions.assign(conn, workspace.id, first, workspace.owner_id, actor_id=workspace.owner_id)
    home = (await client.get("home")).json()
    assert [one["conversation_id"] for one in home["longest"]] == [str(second), str(first)]
    assert (home["waiting"], home["mine_waiting"], home["unassigned"]) == (2, 1, 1)
    assert home["longest"][0]["contact_name"] == "+15550000002"

    await execute(
        database, workspace, "UPDATE conversation SET last_outbound_seq = last_inbound_seq + 1 WHERE id = $1", second
    )
    home = (await client.get("home")).json()
    assert [one["conversation_id"] for one in home["longest"]] == [str(first)]
    assert home["beginnings"]["contact_answered"] is True


async def test_failed_send_is_shown_until_something_newer_went_out(client, database, workspace):
    """The newest message to the contact counts; one sent after it ends the matter."""
    conversation_id = await write(database, workspace, "+15550000001")
    body = {"client_message_id": str(clock.new_id()), "kind": "message", "text": "Hello", "attachments": []}
    sent = await client.post(f"conversations/{conversation_id}/messages", json=body)
    assert sent.status_code in (200, 201, 202), sent.text
    await execute(
        database,
        workspace,
        "UPDATE message SET status = 'failed', error_message = 'No such number' WHERE direction = 'outbound'",
    )
    home = (await client.get("home")).json()
    assert (home["failed_amount"], home["failed"][0]["error"]) == (1, "No such number")
    await client.post(
        f"conversations/{conversation_id}/messages", json=body | {"client_message_id": str(clock.new_id())}
    )
    assert (await client.get("home")).json()["failed_amount"] == 0


async def test_channels_snoozed_and_unreadable_are_counted(client, database, workspace):
    """A paused channel is named; my snoozed conversation is counted when it is about to come back."""
    conversation_id = await write(database, workspace, "+15550000001")
    await execute(database, workspace, "UPDATE channel_account SET status = 'paused' WHERE id = $1", workspace.sms_id)
    soon = clock.now() + timedelta(hours=2)
    snooze = "UPDATE conversation SET status = 'snoozed', assignee_id = $2, snoozed_until = $3 WHERE id = $1"
    await execute(database, workspace, snooze, conversation_id, workspace.owner_id, soon)
    home = (await client.get("home")).json()
    assert [one["status"] for one in home["channels"] if one["id"] == str(workspace.sms_id)] == ["paused"]
    assert (home["snoozed_due"], home["waiting"]) == (1, 0)
    later = clock.now() + timedelta(days=3)
    await execute(database, workspace, snooze, conversation_id, workspace.owner_id, later)
    assert (await client.get("home")).json()["snoozed_due"] == 0


async def test_member_sees_only_their_inboxes(client, database, workspace):
    """What lies in a restricted inbox is neither listed nor counted, and what they may not manage is not told."""
    await write(database, workspace, "+15550000001")
    await execute(database, workspace, "UPDATE channel_account SET status = 'paused' WHERE id = $1", workspace.sms_id)
    headers = await agent(database, workspace)
    before = (await client.get("home", headers=headers)).json()
    await execute(database, workspace, "UPDATE inbox SET restricted = true")
    after = (await client.get("home", headers=headers)).json()
    assert (before["waiting"], len(before["channels"])) == (1, 1)
    assert (after["waiting"], after["unassigned"], after["longest"], after["channels"]) == (0, 0, [], [])
    assert (after["unreadable"], after["invited"], after["beginnings"]) == (None, None, None)


async def test_another_workspace_is_not_in_it(client, database, workspace):
    """Neither counts nor rows of a neighbour; a stranger gets no answer at all."""
    other = await make_workspace(database, name="Other")
    await write(database, other, "+15550000009")
    assert (await client.get("home")).json()["waiting"] == 0
    headers = await sign_in(database, other.login_id)
    assert (await client.get("home", headers=headers)).status_code == 403
    mine = await client.get(f"http://localhost:8000/api/v1/workspaces/{other.id}/home", headers=headers)
    assert mine.json()["waiting"] == 1


async def test_unread_of_every_workspace_of_mine(client, database, workspace):
    """Each with its own number, none where nothing is unread, and nobody else's."""
    other = await make_workspace(database, name="Other")
    for one, amount in ((workspace, 2), (other, 1)):
        tellings = [
            Telling(kind=Kind.SECURITY, subject=str(index), at=clock.now(), member_ids=frozenset({one.owner_id}))
            for index in range(amount)
        ]
        async with database.transaction([one.id]) as conn:
            await notices.tell(conn, one.id, tellings)
    address = "http://localhost:8000/api/v1/workspaces/unread"
    assert (await client.get(address)).json() == {"workspaces": [{"workspace_id": workspace.id, "unread": 2}]}
    assert (await client.get(address, headers=await agent(database, workspace))).json() == {"workspaces": []}
