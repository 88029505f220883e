"""Somebody's own sign-ins over HTTP: listed, ended one by one or all, and a changed password that ends the others."""

from __future__ import annotations

import asyncpg
import pytest

from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

NEW_PASSWORD = "another-otter-95"


@pytest.fixture
async def three(parts, tenant):
    """The same person in three browsers."""
    clients = [browser(parts) for _ in range(3)]
    for client in clients:
        assert (await sign_in(client)).status_code == 200
    yield clients
    for client in clients:
        await client.aclose()


async def sessions(client):
    return (await client.get("/api/v1/sessions")).json()["sessions"]


async def is_in(client):
    return (await client.get("/api/v1/session")).status_code == 200


async def test_each_sign_in_is_listed_and_knows_itself(three):
    """With what it was begun from; exactly one of them is the one that asks."""
    rows = await sessions(three[0])
    assert len(rows) == 3
    assert [row["is_this"] for row in rows].count(True) == 1
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert all(row["user_agent"] == "Mozilla/5.0" for row in rows)
    mine = {next(row["id"] for row in await sessions(client) if row["is_this"]) for client in three}
    assert len(mine) == 3


async def test_one_sign_in_is_ended_from_another(three):
    """A laptop that was left somewhere; ended once, and only by its owner."""
    first, second, third = three
    gone = next(row["id"] for row in await sessions(second) if row["is_this"])
    assert (await first.delete(f"/api/v1/sessions/{gone}")).status_code == 204
    assert [await is_in(one) for one in three] == [True, False, True]
    assert (await first.delete(f"/api/v1/sessions/{gone}")).status_code == 404
    assert len(await sessions(third)) == 2


async def test_somebody_elses_sign_in_cannot_be_ended(three, parts, database_urls):
    """By its id alone: the answer is that there is none."""
    owner = await asyncpg.connect(database_urls.owner_url)
    stranger = await owner.fetchval(
        "WITH made AS (INSERT INTO login (id, email, name, created_at)"
        " VALUES (gen_random_uuid(), 'eve@example.com', 'Eve', now()) RETURNING id)"
        " INSERT INTO login_session (token_hash, id, login_id, created_at, used_at, expires_at)"
        " SELECT sha256('x'), gen_random_uuid(), id, now(), now(), now() + interval '1 day' FROM made RETURNING id"
    )
    assert (await three[0].delete(f"/api/v1/sessions/{stranger}")).status_code == 404
    assert await owner.fetchval("SELECT revoked_at IS NULL FROM login_session WHERE id = $1", stranger)
    await owner.close()


async def test_ending_sign_ins_asks_for_a_proof(three, database_urls):
    """Who took over one session cannot put its owner out of all the others."""
    first, second, _ = three
    owner = await asyncpg.connect(database_urls.owner_url)
    await owner.execute("UPDATE login_session SET proved_at = now() - interval '11 minutes'")
    await owner.close()
    other = next(row["id"] for row in await sessions(second) if row["is_this"])
    for path in (f"/api/v1/sessions/{other}", "/api/v1/sessions"):
        refused = await first.delete(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "proof_needed")
    assert (await first.post("/api/v1/session/proof", json={"password": PASSWORD})).status_code == 200
    assert (await first.delete(f"/api/v1/sessions/{other}")).status_code == 204
    assert [await is_in(one) for one in three] == [True, False, True]


async def test_all_others_are_ended_at_once(three):
    """The one that asks stays."""
    assert (await three[1].delete("/api/v1/sessions")).json() == {"ended": 2}
    assert [await is_in(one) for one in three] == [False, True, False]
    assert (await three[1].delete("/api/v1/sessions")).json() == {"ended": 0}


async def test_a_changed_password_ends_the_others_and_needs_the_old_one(three, database_urls):
    """Who found an open laptop cannot lock its owner out; the owner hears of it by mail."""
    first, *others = three
    wrong = await first.put("/api/v1/password", json={"old": "not this one 1", "new": NEW_PASSWORD})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "old")
    weak = await first.put("/api/v1/password", json={"old": PASSWORD, "new": OWNER_EMAIL})
    assert (weak.status_code, weak.json()["field"]) == (422, "new")
    assert all([await is_in(one) for one in three])
    done = await first.put("/api/v1/password", json={"old": PASSWORD, "new": NEW_PASSWORD})
    assert (done.status_code, done.json()) == (200, {"ended": 2})
    assert [await is_in(one) for one in three] == [True, False, False]
    assert (await sign_in(others[0])).status_code == 401
    assert (await sign_in(others[0], OWNER_EMAIL, NEW_PASSWORD)).status_code == 200
    owner = await asyncpg.connect(database_urls.owner_url)
    assert await owner.fetchval("SELECT template FROM system_mail") == "password_changed"
    await owner.close()


async def test_guesses_at_the_old_password_are_counted(three):
    """Ten wrong ones in a quarter of an hour."""
    guesses = [
        (await three[0].put("/api/v1/password", json={"old": f"wrong guess {n}", "new": NEW_PASSWORD})).status_code
        for n in range(11)
    ]
    assert guesses == [422] * 10 + [429]
