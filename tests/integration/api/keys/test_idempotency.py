"""Idempotency-Key: done once, answered alike, and what happens when a process dies in between."""

from __future__ import annotations

import asyncio

import pytest

from hub import clock, jobs
from hub.keys import answers
from tests.integration.api.keys.conftest import make

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


def note(text="First.", **fields):
    return {"client_message_id": str(clock.new_id()), "kind": "note", "text": text, **fields}


@pytest.fixture
def path(conversation_id):
    return f"conversations/{conversation_id}/messages"


async def notes(database, workspace) -> int:
    async with database.transaction([workspace.id]) as conn:
        return await conn.fetchval("SELECT count(*) FROM message WHERE kind = 'note'")


async def test_same_call_again_gets_the_same_answer(owner, database, workspace, path):
    """The second answer is the first one's, marked as such, and nothing was done again."""
    body, headers = note(), {"idempotency-key": "k-1"}
    # Another client_message_id would make another note: only the key protects.
    first = await owner.post(path, json=body, headers=headers)
    again = await owner.post(path, json=body, headers=headers)

    assert (first.status_code, again.status_code) == (201, 201)
    assert (first.json(), first.headers["content-type"]) == (again.json(), again.headers["content-type"])
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await notes(database, workspace) == 1


async def test_without_the_header_nothing_is_kept(owner, database, workspace, path):
    """Calls are as they were."""
    for _ in range(2):
        assert (await owner.post(path, json=note())).status_code == 201
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM idempotency_key") == 0
    assert await notes(database, workspace) == 2


async def test_key_of_another_call_is_refused(owner, database, workspace, path):
    """Another body under the same key is a mistake of the client's, and is told as one."""
    await owner.post(path, json=note(), headers={"idempotency-key": "k-1"})
    reused = await owner.post(path, json=note("Second."), headers={"idempotency-key": "k-1"})
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert reused.json()["field"] == "Idempotency-Key"
    assert await notes(database, workspace) == 1


async def test_callers_and_routes_have_their_own_keys(owner, agent, database, workspace, path):
    """The same key of somebody else, or for another route, is another key."""
    body, headers = note(), {"idempotency-key": "k-1"}
    await owner.post(path, json=body, headers=headers)
    theirs = await agent.post(path, json=note("Mine."), headers=headers)
    elsewhere = await owner.post("personal-tokens", json={"name": "x"}, headers=headers)
    assert (theirs.status_code, elsewhere.status_code) == (201, 201)
    assert await notes(database, workspace) == 2


async def test_refusal_of_a_value_is_kept(owner, path):
    """A call that was refused for what it says is refused alike."""
    headers = {"idempotency-key": "k-1"}
    first = await owner.post(path, json=note(""), headers=headers)
    again = await owner.post(path, json=note(""), headers=headers)
    assert first.status_code == 422
    assert again.json()["code"] in ("invalid_input", "idempotency_key_reused")
    assert (await owner.post(path, content=b"{", headers=headers)).json()["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "tab\there"])
async def test_unusable_key_is_refused(owner, path, key):
    """Empty, too long, or not printable."""
    answer = await owner.post(path, json=note(), headers={"idempotency-key": key})
    assert (answer.status_code, answer.json()["field"]) == (422, "Idempotency-Key")


async def test_twin_under_way_waits(owner, database, workspace, path):
    """Twenty at once are one: every other one is told to come again, or gets the answer."""
    body, headers = note(), {"idempotency-key": "k-1"}
    results = await asyncio.gather(*(owner.post(path, json=body, headers=headers) for _ in range(20)))
    assert {one.status_code for one in results} <= {201, 409}
    assert all("retry-after" in one.headers for one in results if one.status_code == 409)
    assert len({one.json()["message_id"] for one in results if one.status_code == 201}) == 1
    assert await notes(database, workspace) == 1


async def test_call_that_died_is_taken_over_after_its_lease(owner, database, workspace, path):
    """While the lease runs the twin waits; afterwards it does the work, and the dead one's late answer is not kept."""
    place_of = "UPDATE idempotency_key SET status = NULL, body = NULL, lease_until = now() + interval"
    body, headers = note(), {"idempotency-key": "k-1"}
    first = await owner.post(path, json=body, headers=headers)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(f"{place_of} '1 minute'")
    waiting = await owner.post(path, json=body, headers=headers)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(f"{place_of} '-1 second'")
    done = await owner.post(path, json=body, headers=headers)

    assert (waiting.status_code, waiting.headers["retry-after"]) == (409, "5")
    assert "idempotent-replayed" not in done.headers
    # The route has an id of its client's: the work was done again and is still one note.
    assert done.json() == first.json()
    assert await notes(database, workspace) == 1
    async with database.transaction([workspace.id]) as conn:
        row = await conn.fetchrow("SELECT caller_id, route, key, attempt FROM idempotency_key")
        place = answers.Place(workspace.id, row["caller_id"], row["route"], row["key"])
        await answers.keep(conn, place, 1, answers.KeptAnswer(200, "", b"late"))
        body_kept = await conn.fetchval("SELECT body FROM idempotency_key")
    assert (row["attempt"], body_kept) == (2, done.content)


async def test_failure_of_ours_is_not_kept(owner, database, workspace, path):
    """A 503 frees the key: the same call is done as soon as the store is back."""
    body, headers = note(), {"idempotency-key": "k-1"}
    async with database.transaction([workspace.id]) as conn:
        # Somebody holds the workspace for longer than anybody waits for it.
        await conn.execute("SELECT id FROM workspace WHERE id = $1 FOR UPDATE", workspace.id)
        failed = await owner.post(path, json=body, headers=headers)
    done = await owner.post(path, json=body, headers=headers)
    assert (failed.status_code, done.status_code) == (503, 201)
    assert "idempotent-replayed" not in done.headers


async def test_secret_is_not_shown_twice(owner, database, workspace):
    """A repeated call makes no second key, and the row does not hold the token."""
    headers, body = {"idempotency-key": "k-1"}, {"name": "x", "scopes": ["inbox.read"]}
    first = await owner.post("api-keys", json=body, headers=headers)
    again = await owner.post("api-keys", json=body, headers=headers)
    assert (first.status_code, again.status_code) == (201, 409)
    assert len((await owner.get("api-keys")).json()["keys"]) == 1
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT body FROM idempotency_key") is None


async def test_answers_are_the_tenants_own(owner, script, other, database, workspace, path):
    """The other tenant sees no row of it."""
    await owner.post(path, json=note(), headers={"idempotency-key": "k-1"})
    async with database.transaction([other.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM idempotency_key") == 0


async def test_answers_are_forgotten_after_a_day(owner, database, workspace, path):
    """The key is free again at once, and the job takes the rows away."""
    body, headers = note(), {"idempotency-key": "k-1"}
    await owner.post(path, json=body, headers=headers)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE idempotency_key SET created_at = now() - interval '25 hours'")
    assert (await owner.post(path, json=note("New."), headers=headers)).status_code == 201
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE idempotency_key SET created_at = now() - interval '25 hours'")
    job = jobs.expiry_job("kept_answers", database, answers.list_old, answers.drop_many, answers.KEPT)
    assert await job.run() == 1
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM idempotency_key") == 0


async def test_key_of_a_script_is_its_own_caller(owner, script, database, workspace, path):
    """A personal token's keys are not its member's: their calls may differ."""
    client = script((await make(owner, where="personal-tokens"))["token"])
    headers = {"idempotency-key": "k-1"}
    await owner.post(path, json=note(), headers=headers)
    assert (await client.post(path, json=note("Other."), headers=headers)).status_code == 201
