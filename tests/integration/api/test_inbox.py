"""Conversations, contacts and the snapshot over HTTP, on a real Postgres."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from api.app import create_app
from api.call import Resources
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.accounts import sessions
from hub.accounts.passwords import Passwords
from hub.config import read_settings
from hub.inbox import actions
from hub.throttle import Throttle
from tests.factories import make_item, make_workspace, received

pytestmark = pytest.mark.postgres


async def sign_in(database, login_id: UUID) -> dict[str, str]:
    async with database.across() as conn:
        session = await sessions.start(conn, login_id)
    return {"authorization": f"Bearer {session.token}"}


@pytest.fixture
async def client(database, workspace):
    resources = Resources(
        settings=read_settings({}),
        database=database,
        passwords=Passwords(),
        throttle=Throttle(None),
        frontend_dir=Path("/nonexistent"),
        registry=ConnectorRegistry.load(),
    )
    transport = httpx.ASGITransport(app=create_app(resources))
    base_url = f"http://localhost:8000/api/v1/workspaces/{workspace.id}/"
    headers = await sign_in(database, workspace.login_id)
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as opened:
        yield opened


async def receive(database, workspace, *items, channel="livechat"):
    async with database.transaction([workspace.id]) as conn:
        return await actions.receive(conn, [received(workspace, one, channel=channel) for one in items])


@pytest.fixture
async def conversation_id(database, workspace):
    (outcome,) = await receive(database, workspace, make_item(text="Where is my parcel?"))
    return outcome.conversation_id


def new_message(text="On its way.", **fields):
    return {"client_message_id": str(clock.new_id()), "kind": "message", "text": text, "attachments": []} | fields


async def test_snapshot_holds_what_the_inbox_shows_first(client, workspace, conversation_id):
    """One answer has the open conversations, their contacts, the counts, and the cursor it belongs to."""
    answer = (await client.get("snapshot")).json()

    assert (answer["epoch"], answer["seq"]) == (1, 1)
    assert [str(conversation_id)] == [row["id"] for row in answer["conversations"]]
    assert [row["preview"] for row in answer["conversations"]] == ["Where is my parcel?"]
    assert answer["counts"] == {"open": 1, "pending": 0, "snoozed": 0, "closed": 0}
    assert "channels.manage" in answer["permissions"]
    assert {"Inbox", "Second"} == {row["name"] for row in answer["inboxes"]}


async def test_reply_is_created_once_and_listed(client, conversation_id):
    """The same client_message_id posted twice is one message."""
    body = new_message()

    first = await client.post(f"conversations/{conversation_id}/messages", json=body)
    again = await client.post(f"conversations/{conversation_id}/messages", json=body)
    listed = (await client.get(f"conversations/{conversation_id}/messages")).json()

    assert (201, first.json()) == (first.status_code, again.json())
    assert [row["text"] for row in listed["messages"]] == ["Where is my parcel?", "On its way."]
    assert (listed["messages"][1]["status"], listed["messages"][1]["author_name"]) == ("queued", "Ola")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "x" * 20_001}, "text"),
        ({"kind": "call"}, "kind"),
        ({"kind": "shout"}, "kind"),
        ({"client_message_id": "1"}, "client_message_id"),
        ({"attachments": [str(UUID(int=1))]}, "attachments"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_bad_message_is_refused_with_its_field(client, conversation_id, change, field):
    """The answer names the field that is wrong, and nothing is stored."""
    answer = await client.post(f"conversations/{conversation_id}/messages", json=new_message(**change))

    assert (422, field) == (answer.status_code, answer.json()["field"])
    listed = (await client.get(f"conversations/{conversation_id}/messages")).json()
    assert len(listed["messages"]) == 1


async def test_messages_page_backwards_without_overlap(client, database, workspace, conversation_id):
    """Following next walks the whole conversation once, newest page first."""
    await receive(database, workspace, *(make_item(text=str(n)) for n in range(6)))
    texts, before = [], ""
    while before is not None:
        page = (
            await client.get(f"conversations/{conversation_id}/messages", params={"limit": 3, "before": before})
        ).json()
        texts = [row["text"] for row in page["messages"]] + texts
        before = page["next"]

    assert texts == ["Where is my parcel?", "0", "1", "2", "3", "4", "5"]


async def test_conversations_page_and_filter(client, database, workspace, conversation_id):
    """Lists page by activity and filter by status, assignee and contact."""
    for number in range(4):
        await receive(database, workspace, make_item(thread_key=f"t{number}"))
    first = (await client.get("conversations", params={"limit": 3})).json()
    rest = (await client.get("conversations", params={"limit": 3, "before": first["next"]})).json()
    ids = [row["id"] for row in first["conversations"] + rest["conversations"]]
    await client.patch(f"conversations/{conversation_id}", json={"assignee_id": str(workspace.owner_id)})

    mine = (await client.get("conversations", params={"assignee": "me"})).json()
    unassigned = (await client.get("conversations", params={"assignee": "none", "status": "open"})).json()
    closed = (await client.get("conversations", params={"status": "closed"})).json()

    assert (len(ids), len(set(ids)), rest["next"]) == (5, 5, None)
    assert [str(conversation_id)] == [row["id"] for row in mine["conversations"]]
    assert (len(unassigned["conversations"]), len(closed["conversations"])) == (4, 0)


@pytest.mark.parametrize(
    ("patch", "status", "field"),
    [
        ({}, 400, "body"),
        ({"status": "closed", "assignee_id": None}, 400, "body"),
        ({"status": "snoozed"}, 422, "snoozed_until"),
        ({"status": "snoozed", "snoozed_until": "2020-01-01T00:00:00Z"}, 422, "snoozed_until"),
        ({"status": "snoozed", "snoozed_until": "2026-12-24T09:00:00"}, 422, "snoozed_until"),
        ({"status": "lost"}, 422, "status"),
        ({"assignee_id": str(UUID(int=7))}, 422, "assignee_id"),
        ({"inbox_id": str(UUID(int=7))}, 404, None),
    ],
)
async def test_bad_change_is_refused_with_its_field(client, conversation_id, patch, status, field):
    """A change that cannot be made names what is wrong."""
    answer = await client.patch(f"conversations/{conversation_id}", json=patch)

    assert (status, field) == (answer.status_code, answer.json()["field"])


async def test_close_snooze_reopen(client, conversation_id):
    """The three states members put conversations into, and the counts that follow."""
    until = (clock.now() + timedelta(hours=2)).isoformat()
    statuses = []
    for patch in (
        {"status": "snoozed", "snoozed_until": until},
        {"status": "closed"},
        {"status": "open"},
    ):
        answer = await client.patch(f"conversations/{conversation_id}", json=patch)
        statuses.append(answer.json()["conversation"]["status"])
    counts = (await client.get("snapshot")).json()["counts"]

    assert statuses == ["snoozed", "closed", "open"]
    assert counts == {"open": 1, "pending": 0, "snoozed": 0, "closed": 0}


async def test_read_mark_is_stored_and_returned(client, conversation_id):
    """What I have read is part of my view of the conversation."""
    await client.put(f"conversations/{conversation_id}/read", json={"seq": 1})

    answer = (await client.get(f"conversations/{conversation_id}")).json()

    assert [one["read_seq"] for one in answer["reads"]] == [1]


async def test_contact_can_be_found_and_renamed(client, conversation_id):
    """A contact is found by part of name or address; a new name is told as an event."""
    (contact,) = (await client.get("contacts", params={"q": "0001111"})).json()["contacts"]

    changed = (await client.patch(f"contacts/{contact['id']}", json={"name": "Ana Okafor"})).json()
    found = (await client.get("contacts", params={"q": "okaf"})).json()
    view = (await client.get(f"contacts/{contact['id']}")).json()

    assert (changed["contact"]["name"], changed["seq"]) == ("Ana Okafor", 2)
    assert [contact["id"]] == [one["id"] for one in found["contacts"]]
    assert [str(conversation_id)] == [one["id"] for one in view["conversations"]]
    assert (await client.get("contacts", params={"q": "100%"})).json()["contacts"] == []


async def test_another_workspace_sees_nothing_of_it(client, database, workspace, conversation_id):
    """Ids of this workspace do not exist under another, and its address is closed to strangers."""
    other = await make_workspace(database, name="Other")
    headers = await sign_in(database, other.login_id)
    foreign = f"http://localhost:8000/api/v1/workspaces/{other.id}/conversations/{conversation_id}"

    inside = await client.get("snapshot", headers=headers)
    across = await client.get(foreign, headers=headers)
    write = await client.post(f"{foreign}/messages", headers=headers, json=new_message())

    assert [inside.status_code, across.status_code, write.status_code] == [403, 404, 404]


async def test_member_without_the_inbox_does_not_see_its_conversations(client, database, workspace, conversation_id):
    """A restricted inbox hides its conversations from members who are not on its list."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE inbox SET restricted = true WHERE id = $1", workspace.inbox_id)
        login_id = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", workspace.agent_id)
    headers = await sign_in(database, login_id)

    snapshot = (await client.get("snapshot", headers=headers)).json()
    direct = await client.get(f"conversations/{conversation_id}", headers=headers)
    write = await client.post(f"conversations/{conversation_id}/messages", headers=headers, json=new_message())

    assert (snapshot["conversations"], snapshot["counts"]["open"]) == ([], 0)
    assert [direct.status_code, write.status_code] == [404, 404]


async def test_viewer_may_read_but_not_write(client, database, workspace, conversation_id):
    """The role viewer reads; replying and assigning are refused."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = 'viewer' WHERE id = $1", workspace.agent_id)
        login_id = await conn.fetchval("SELECT login_id FROM member WHERE id = $1", workspace.agent_id)
    headers = await sign_in(database, login_id)
    address = f"conversations/{conversation_id}"

    answers = [
        await client.get(address, headers=headers),
        await client.post(f"{address}/messages", headers=headers, json=new_message()),
        await client.patch(address, headers=headers, json={"status": "closed"}),
        await client.patch(address, headers=headers, json={"assignee_id": None}),
    ]

    assert [one.status_code for one in answers] == [200, 403, 403, 403]


async def test_lines_stand_between_the_messages_of_their_page(client, database, workspace, conversation_id):
    """What was done to a conversation comes with the page of messages it happened among, once."""
    await client.patch(f"conversations/{conversation_id}", json={"assignee_id": str(workspace.agent_id)})
    await receive(database, workspace, *(make_item() for _ in range(3)))
    await client.patch(f"conversations/{conversation_id}", json={"status": "closed"})
    address = f"conversations/{conversation_id}/messages"

    newest = (await client.get(address, params={"limit": 3})).json()
    older = (await client.get(address, params={"limit": 3, "before": newest["next"]})).json()

    assert [one["type"] for one in newest["lines"]] == ["conversation_closed"]
    assert [one["type"] for one in older["lines"]] == ["conversation_assigned"]
    assert (str(workspace.agent_id), str(workspace.owner_id)) == (
        older["lines"][0]["assignee_id"],
        older["lines"][0]["actor_id"],
    )


async def test_nothing_is_queued_where_the_account_is_closed(client, database, workspace):
    """A reply is refused in the manifest's words, a note is taken; with the setting that opens it, so is a reply."""
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE channel_account SET channel = 'linkedin' WHERE id = $1", workspace.livechat_id)
    (outcome,) = await receive(database, workspace, make_item(text="Hello"), channel="linkedin")
    place = f"conversations/{outcome.conversation_id}/messages"

    refused = await client.post(place, json=new_message())
    assert (refused.status_code, refused.json()["field"]) == (422, "text")
    assert "no product that sends" in refused.text
    assert (await client.post(place, json=new_message(kind="note"))).status_code == 201
    async with database.transaction([workspace.id]) as conn:
        settings = """UPDATE channel_account SET settings = '{"product": "messages_api"}' WHERE id = $1"""
        await conn.execute(settings, workspace.livechat_id)
    assert (await client.post(place, json=new_message())).status_code == 201
