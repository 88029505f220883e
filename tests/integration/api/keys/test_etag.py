"""ETag and If-Match: two people change one row; different fields both hold, the same one answers with both values."""

from __future__ import annotations

import asyncio

import pytest

from hub.inbox import actions
from tests.factories import make_item, received

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
async def contact_id(owner, conversation_id):
    return (await owner.get(f"conversations/{conversation_id}")).json()["contact"]["id"]


async def seen(client, path) -> dict[str, str]:
    """Read a row as somebody who is about to change it."""
    answer = await client.get(path)
    assert answer.status_code == 200
    return {"if-match": answer.headers["etag"]}


async def test_etag_is_the_version(owner, conversation_id, contact_id):
    """Reading and changing both say it; a change makes another one."""
    read = await owner.get(f"contacts/{contact_id}")
    changed = await owner.patch(f"contacts/{contact_id}", json={"name": "Ann"})
    conversation = await owner.get(f"conversations/{conversation_id}")
    assert read.headers["etag"] == f'"{read.json()["contact"]["version"]}"'
    assert changed.headers["etag"] == f'"{changed.json()["contact"]["version"]}"' != read.headers["etag"]
    assert conversation.headers["etag"] == f'"{conversation.json()["conversation"]["version"]}"'


async def test_different_fields_are_merged(owner, agent, contact_id):
    """Both saw the same version; one names, the other moves the stage: both hold."""
    path = f"contacts/{contact_id}"
    mine = await seen(owner, path)
    assert (await agent.patch(path, json={"name": "Ann"}, headers=mine)).status_code == 200
    merged = await owner.patch(path, json={"lifecycle_stage": "customer"}, headers=mine)
    assert merged.status_code == 200
    assert (merged.json()["contact"]["name"], merged.json()["contact"]["lifecycle_stage"]) == ("Ann", "customer")


async def test_same_field_answers_with_both_values(owner, agent, contact_id):
    """Nothing is overwritten: the answer names the field, what was sent and what is there."""
    path = f"contacts/{contact_id}"
    mine = await seen(owner, path)
    await agent.patch(path, json={"name": "Anna"})
    clash = await owner.patch(path, json={"name": "Ann", "lifecycle_stage": "lead"}, headers=mine)
    problem = clash.json()
    assert clash.status_code == 409
    assert (problem["field"], problem["yours"], problem["theirs"]) == ("name", "Ann", "Anna")
    kept = (await owner.get(path)).json()["contact"]
    assert (kept["name"], kept["lifecycle_stage"] == "lead") == ("Anna", False)


async def test_same_value_is_no_clash(owner, agent, contact_id):
    """Two people who want the same get it."""
    path = f"contacts/{contact_id}"
    mine = await seen(owner, path)
    await agent.patch(path, json={"name": "Ann"})
    assert (await owner.patch(path, json={"name": "Ann"}, headers=mine)).status_code == 200


async def test_without_if_match_the_last_write_wins(owner, agent, contact_id):
    """As it always was, with ``*`` too."""
    path = f"contacts/{contact_id}"
    await agent.patch(path, json={"name": "Anna"})
    assert (await owner.patch(path, json={"name": "Ann"})).status_code == 200
    assert (await owner.patch(path, json={"name": "An"}, headers={"if-match": "*"})).json()["contact"]["name"] == "An"


async def test_conversation_is_merged_by_field(owner, agent, workspace, conversation_id):
    """One closes, the other assigns: both hold. Two assignments from one version clash."""
    path = f"conversations/{conversation_id}"
    mine = await seen(owner, path)
    assert (await agent.patch(path, json={"status": "closed"}, headers=mine)).status_code == 200
    assigned = await owner.patch(path, json={"assignee_id": str(workspace.agent_id)}, headers=mine)
    clash = await agent.patch(path, json={"assignee_id": str(workspace.owner_id)}, headers=mine)
    assert assigned.json()["conversation"]["status"] == "closed"
    problem = clash.json()
    assert (clash.status_code, problem["field"]) == (409, "assignee_id")
    assert (problem["yours"], problem["theirs"]) == (str(workspace.owner_id), str(workspace.agent_id))


async def test_message_in_between_is_no_clash(owner, database, workspace, conversation_id):
    """A customer who writes raises the version and changes no field of ours."""
    path = f"conversations/{conversation_id}"
    mine = await seen(owner, path)
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, make_item(text="Hello?"), channel="livechat")])
    assert (await seen(owner, path)) != mine
    assert (await owner.patch(path, json={"assignee_id": str(workspace.agent_id)}, headers=mine)).status_code == 200


async def test_of_twenty_at_once_one_wins(owner, contact_id):
    """From one version only one writer of a field gets through, whatever the order."""
    path = f"contacts/{contact_id}"
    mine = await seen(owner, path)
    results = await asyncio.gather(*(owner.patch(path, json={"name": f"N{i}"}, headers=mine) for i in range(20)))
    assert sorted(one.status_code for one in results) == [200] + [409] * 19


@pytest.mark.parametrize(
    ("version", "status"), [('"999999"', 412), ('"0"', 412), ("1", 422), ("", 422), ('"x"', 422), ('"1", "2"', 422)]
)
async def test_unknown_version_is_refused(owner, contact_id, version, status):
    """A version that never was this row's, or is no ETag of ours, changes nothing."""
    answer = await owner.patch(f"contacts/{contact_id}", json={"name": "Ann"}, headers={"if-match": version})
    assert answer.status_code == status
    assert (await owner.get(f"contacts/{contact_id}")).json()["contact"]["name"] != "Ann"


async def test_version_of_another_row_is_refused(owner, database, workspace, contact_id):
    """The event by that number is another contact's: nothing of it is compared or told."""
    item = make_item(text="Hi", thread_key="other", sender=make_item().sender.__class__(scheme="phone", value="+15559"))
    async with database.transaction([workspace.id]) as conn:
        (outcome,) = await actions.receive(conn, [received(workspace, item, channel="livechat")])
    stranger = (await owner.get(f"conversations/{outcome.conversation_id}")).json()["contact"]
    await owner.patch(f"contacts/{contact_id}", json={"name": "Ann"})
    answer = await owner.patch(
        f"contacts/{contact_id}", json={"name": "An"}, headers={"if-match": f'"{stranger["version"]}"'}
    )
    assert answer.status_code == 412
