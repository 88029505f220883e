"""Rate limits at the edge: headers on every counted answer, 429 with Retry-After, and what is not counted."""

from __future__ import annotations

import pytest

from tests.integration.api.keys.conftest import make

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def limit(database, workspace, **columns) -> None:
    names = ", ".join(columns)
    values = ", ".join(str(one) for one in columns.values())
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(f"INSERT INTO workspace_limits (workspace_id, {names}) VALUES ($1, {values})", workspace.id)


async def test_answers_say_what_is_left(owner, script, database, workspace):
    """The three headers, on good answers and on refused ones."""
    client = script((await make(owner, "inbox.read"))["token"])
    good, refused = await client.get("conversations"), await client.get("channel-accounts")
    assert [good.headers[f"ratelimit-{name}"] for name in ("limit", "remaining")] == ["600", "599"]
    assert 0 < int(good.headers["ratelimit-reset"]) <= 60
    assert refused.status_code == 403
    assert "ratelimit-limit" not in (await client.get("http://localhost:8000/healthz")).headers


async def test_one_call_too_many_is_told_when_to_come_back(owner, script, database, workspace):
    """429 as a problem document; the key before it is not the only one: others go on."""
    await limit(database, workspace, key_calls_per_minute=3)
    tokens = [(await make(owner, "inbox.read"))["token"] for _ in range(2)]
    busy, other = script(tokens[0]), script(tokens[1])
    answers = [await busy.get("conversations") for _ in range(5)]
    assert [one.status_code for one in answers] == [200, 200, 200, 429, 429]
    last = answers[-1]
    assert last.headers["content-type"] == "application/problem+json"
    assert last.json()["code"] == "too_many_requests"
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert last.headers["ratelimit-remaining"] == "0"
    assert (await other.get("conversations")).status_code == 200


async def test_workspace_limit_holds_for_all_together(owner, agent, database, workspace):
    """Whoever calls, the workspace has so many."""
    await limit(database, workspace, workspace_calls_per_minute=4)
    statuses = [(await one.get("conversations")).status_code for one in (owner, agent) * 3]
    assert statuses == [200, 200, 200, 200, 429, 429]


async def test_other_tenant_is_not_touched(owner, script, other, database, workspace):
    """One workspace's limit is its own."""
    from tests.integration.api.keys.conftest import session_of

    await limit(database, workspace, workspace_calls_per_minute=1)
    stranger = script(await session_of(database, other.login_id), other.id)
    assert [(await owner.get("conversations")).status_code for _ in range(2)] == [200, 429]
    assert (await stranger.get("conversations")).status_code == 200
