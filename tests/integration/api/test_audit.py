"""The audit log over HTTP: who sees it, filters, pages, exports, and what ends up in it."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest

from hub import clock
from hub.audit import actions, chain, store
from hub.audit.model import ActorKind, Caller, LoggedEntry
from tests.integration.api.conftest import sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


@pytest.fixture
async def url(client, tenant):
    await sign_in(client)
    return f"/api/v1/workspaces/{tenant.workspace_id}/audit"


async def write(database, workspace_id, action, caller, target=("inbox", "1"), details=None):
    async with database.transaction([workspace_id]) as conn:
        await actions.record(conn, actions.made_by(caller, workspace_id, action, target, details))


def named(answer):
    return [one["action"] for one in answer.json()["entries"]]


async def test_entries_have_words_and_the_names_of_people(client, tenant, database, url):
    """Members and logins are named as they are called now; keys and those who are gone are not."""
    member = Caller(ActorKind.MEMBER, tenant.member_id, "192.0.2.7")
    await write(database, tenant.workspace_id, "team.split_up", Caller(ActorKind.KEY, clock.new_id()))
    login = Caller(ActorKind.LOGIN, tenant.login_id)
    await write(database, tenant.workspace_id, "inbox.made", login, ("member", tenant.member_id), {"n": 1})
    await write(database, tenant.workspace_id, "member.added", member, ("member", clock.new_id()))
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET name = 'Ann B.'")

    entries = (await client.get(url)).json()["entries"]

    assert [(one["words"], one["actor"]["name"], one["target_name"], one["address"]) for one in entries[:3]] == [
        ("Added a member", "Ann B.", "", "192.0.2.7"),
        ("Made an inbox", "Ann B.", "Ann B.", ""),
        ("Team split up", "", "", ""),
    ]
    assert entries[1]["details"] == {"n": 1}
    assert entries[0]["position"] is None


async def test_filters_narrow_the_list(client, tenant, database, url):
    """Actor, beginning of the action, target, address and time, alone and together."""
    ann, key = Caller(ActorKind.MEMBER, tenant.member_id, "192.0.2.7"), Caller(ActorKind.KEY, clock.new_id())
    await write(database, tenant.workspace_id, "team.made", ann, ("team", "1"))
    await write(database, tenant.workspace_id, "team.removed", key, ("team", "1"))
    await write(database, tenant.workspace_id, "teams_.made", key, ("team", "2"))
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    async def found(**query):
        return named(await client.get(url, params={"action": "team", **query}))

    assert await found() == ["teams_.made", "team.removed", "team.made"]
    assert await found(action="team.") == ["team.removed", "team.made"]
    assert await found(action="t%") == []
    assert await found(action="team_.") == []
    assert await found(actor_id=str(tenant.member_id)) == ["team.made"]
    assert await found(target_kind="team", target_id="1") == ["team.removed", "team.made"]
    assert await found(address="192.0.2.7") == ["team.made"]
    assert await found(since=tomorrow) == []
    assert await found(until="2020-01-01") == []
    assert await found(since="2020-01-01", until=tomorrow) == ["teams_.made", "team.removed", "team.made"]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("actor_id", "me"),
        ("since", "yesterday"),
        ("until", "9999-12-31T23:59:59-12:00"),
        ("address", "x" * 300),
        ("before", "x"),
        ("limit", "0"),
        ("action", "a\x00"),
    ],
)
async def test_filter_that_cannot_be_read_is_named(client, url, field, text):
    """422 with the field, never a fault of ours."""
    answer = await client.get(url, params={field: text})
    assert answer.status_code in (400, 422)
    assert field in answer.text


async def test_pages_join_without_gap_or_repeat(client, tenant, database, url):
    """Newest first, while new entries come in."""
    for number in range(7):
        await write(database, tenant.workspace_id, f"n.n_{'abcdefg'[number]}", Caller(ActorKind.SYSTEM))
    seen, before = [], ""
    while True:
        page = (await client.get(url, params={"action": "n.", "limit": 3, "before": before})).json()
        seen += [one["action"] for one in page["entries"]]
        await write(database, tenant.workspace_id, "n.late", Caller(ActorKind.SYSTEM))
        before = page["next"]
        if not before:
            break
    assert seen == [f"n.n_{one}" for one in "gfedcba"]


async def test_another_workspace_and_lesser_members_see_nothing(client, tenant, foreign, database, url):
    """Neither its entries nor that there are any; an agent may not look either."""
    await write(database, foreign.workspace_id, "team.made", Caller(ActorKind.SYSTEM))
    assert "team.made" not in named(await client.get(url))
    for path in ("", "/export", "/heads", "/actions"):
        other = f"/api/v1/workspaces/{foreign.workspace_id}/audit{path}"
        assert (await client.get(other)).status_code == 403
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET role = 'agent'")
    for path in ("", "/export", "/heads", "/actions"):
        assert (await client.get(url + path)).status_code == 403


async def test_csv_is_safe_to_open_and_its_export_is_told(client, tenant, database, url):
    """Formulas are text, everything is quoted, and the export itself is the newest entry."""
    await write(database, tenant.workspace_id, "team.made", Caller(ActorKind.SYSTEM), ("=cmd", "@x"))
    async with database.transaction([tenant.workspace_id]) as conn:
        await conn.execute("UPDATE member SET name = '+1'")

    answer = await client.get(f"{url}/export", params={"target_kind": "=cmd"})

    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["target_kind"], row["target_id"], row["action"]) == ("'=cmd", "'@x", "team.made")
    assert all(line.startswith('"') and line.endswith('"') for line in answer.text.splitlines())
    assert answer.headers["content-disposition"].startswith('attachment; filename="audit-')
    newest = (await client.get(url)).json()["entries"][0]
    assert (newest["action"], newest["actor"]["id"]) == ("audit.exported", str(tenant.member_id))
    assert newest["details"] == {"format": "csv", "filters": ["target_kind"]}
    assert (await client.get(f"{url}/export", params={"format": "xls"})).status_code in (400, 422)


async def test_json_export_is_enough_to_check_the_chain(client, tenant, database, url, monkeypatch):
    """From the file alone every hash can be made again, over several chunks."""
    monkeypatch.setattr("api.audit.CHUNK", 2)
    for number in range(5):
        await write(database, tenant.workspace_id, "team.made", Caller(ActorKind.SYSTEM), details={"n": number})
    await actions.seal_all(database, 10)

    lines = (await client.get(f"{url}/export", params={"format": "jsonl"})).text.splitlines()

    rows = sorted((json.loads(one) for one in lines), key=lambda one: one["position"] or 10**9)
    sealed = [one for one in rows if one["position"]]
    before = chain.FIRST_HASH
    for row in sealed:
        before = chain.entry_hash(before, _entry(row), row["position"])
        assert before.hex() == row["hash"]
    assert len(sealed) >= 5
    assert [one["action"] for one in rows if not one["position"]] == ["audit.exported"]


async def test_heads_are_listed_for_a_copy(client, tenant, database, url):
    """Oldest first, paged; their signatures can be checked."""
    keys = chain.HeadKeys({1: b"1" * 32})
    for _ in range(3):
        await write(database, tenant.workspace_id, "team.made", Caller(ActorKind.SYSTEM))
        await actions.seal_all(database, 10)
        await actions.sign_heads(database, keys)
    first = (await client.get(f"{url}/heads", params={"limit": 2})).json()
    second = (await client.get(f"{url}/heads", params={"limit": 2, "after": first["next"]})).json()
    positions = [one["position"] for one in first["heads"] + second["heads"]]
    assert positions == sorted(set(positions))
    assert len(positions) == 3
    assert second["next"] is None
    assert first["heads"][0]["public_key"] == keys.newest.hex()


async def test_set_up_is_told_to_the_installation_and_the_workspace(client, database):
    """With the address it came from."""
    answer = await client.post(
        "/api/v1/setup",
        json={
            "token": "the-printed-token",
            "workspace": "Northwind",
            "name": "Ann",
            "email": "ann@example.com",
            "password": "correct-otter-94",
        },
    )
    workspace_id = answer.json()["workspace_id"]
    async with database.snapshot([0, workspace_id]) as conn:
        entries = [*await store.page(conn, 0), *await store.page(conn, workspace_id)]
    assert [(one.action, one.actor_kind, one.address) for one in entries] == [
        ("installation.set_up", "operator", "127.0.0.1"),
        ("workspace.made", "operator", "127.0.0.1"),
    ]
    assert all("ann" not in one.details.lower() for one in entries)


def _entry(row) -> LoggedEntry:
    return LoggedEntry(
        workspace_id=row["workspace_id"],
        id=row["id"],
        at=datetime.fromisoformat(row["at"]),
        action=row["action"],
        actor_kind=row["actor_kind"],
        actor_id=row["actor_id"],
        target_kind=row["target_kind"],
        target_id=row["target_id"],
        address=row["address"],
        details=json.dumps(row["details"]),
    )
