"""Signing in and out, over HTTP."""

from __future__ import annotations

import statistics
import time

import pytest

from hub.accounts.passwords import Passwords
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def test_sign_in_sets_the_cookie_and_not_the_token(client, tenant):
    """A browser's token is in the cookie only, out of reach of scripts."""
    answer = await sign_in(client)
    assert answer.status_code == 200
    assert answer.json()["login"] == {"name": "Ann", "email": OWNER_EMAIL, "time_zone": ""}
    assert [one["workspace_id"] for one in answer.json()["workspaces"]] == [tenant.workspace_id]
    assert "token" not in answer.json()
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert client.cookies["hub_session"] not in answer.text
    assert (await client.get("/api/v1/session")).status_code == 200


async def test_bearer_sign_in_returns_the_token_and_no_cookie(client, tenant):
    """A script gets its token in the answer and uses it as a header."""
    answer = await client.post("/api/v1/session", json={"email": OWNER_EMAIL, "password": PASSWORD, "bearer": True})
    assert "set-cookie" not in answer.headers
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    assert (await client.get("/api/v1/session", headers=headers)).json()["login"]["email"] == OWNER_EMAIL


async def test_token_is_stored_as_a_hash_only(client, tenant, database_urls):
    """Whoever reads the table cannot sign in with it."""
    import asyncpg

    await sign_in(client)
    connection = await asyncpg.connect(database_urls.owner_url)
    row = await connection.fetchrow("SELECT * FROM login_session")
    await connection.close()
    assert client.cookies["hub_session"] not in str(dict(row))
    assert len(row["token_hash"]) == 32


async def test_each_sign_in_has_a_new_token(client, tenant, parts):
    """No token from before a sign-in is worth anything after it, also one an attacker planted."""
    client.cookies.set("hub_session", "planted-by-somebody", domain="localhost.local", path="/")
    await sign_in(client)
    first = client.cookies["hub_session"]
    await sign_in(client)
    assert first != "planted-by-somebody"
    assert client.cookies["hub_session"] != first


@pytest.mark.parametrize("email", [" ANN@example.com ", "Ann@Example.COM"])
async def test_address_is_taken_in_any_case(client, tenant, email):
    """People capitalise their address."""
    assert (await sign_in(client, email)).status_code == 200


async def test_wrong_and_unknown_get_one_answer(client, tenant):
    """Nobody learns from the answer who has an account."""
    wrong = await sign_in(client, password="not the password")
    unknown = await sign_in(client, email="nobody@example.com")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "not_signed_in"
    names = {name for name in wrong.headers if name != "content-length"}
    assert names == {name for name in unknown.headers if name != "content-length"}


async def test_refused_sign_in_is_in_the_audit_log(client, tenant, database_urls):
    """A wrong password names the login, an address nobody has is not kept; both say from where, as a success does."""
    import asyncpg

    await sign_in(client, password="not the password")
    await sign_in(client, email="nobody@example.com")
    await sign_in(client)
    connection = await asyncpg.connect(database_urls.owner_url)
    rows = await connection.fetch(
        "SELECT action, actor_id, address, details::text FROM audit_entry WHERE workspace_id = 0"
        " AND action IN ('login.refused', 'login.signed_in') ORDER BY id"
    )
    await connection.close()
    assert [(row["action"], row["actor_id"]) for row in rows] == [
        ("login.refused", tenant.login_id),
        ("login.refused", None),
        ("login.signed_in", tenant.login_id),
    ]
    assert {row["address"] for row in rows} == {"127.0.0.1"}
    assert "nobody" not in "".join(row["details"] for row in rows)


@pytest.mark.slow
async def test_unknown_takes_as_long_as_wrong(parts, tenant, database):
    """Nobody learns from the clock who has an account: medians of real verifiers differ by less than a third."""
    parts.passwords = Passwords()
    password_hash = await parts.passwords.make_hash(PASSWORD)
    async with database.across() as conn:
        await conn.execute("UPDATE login SET password_hash = $2 WHERE id = $1", tenant.login_id, password_hash)
    seconds: dict[str, list[float]] = {OWNER_EMAIL: [], "nobody@example.com": []}
    for round_number in range(9):
        for email, measured in seconds.items():
            async with browser(parts, address=f"203.0.113.{round_number}") as client:
                began = time.perf_counter()
                assert (await sign_in(client, email, "not the password")).status_code == 401
                measured.append(time.perf_counter() - began)
    known, unknown = (statistics.median(one) for one in seconds.values())
    assert unknown > 0.02
    assert abs(known - unknown) / max(known, unknown) < 0.34


async def test_guessing_is_throttled_for_known_and_unknown_alike(parts, tenant):
    """Ten guesses at an account from one place, then 429 with the wait; the right password does not pass either."""
    for email in (OWNER_EMAIL, "nobody@example.com"):
        async with browser(parts) as client:
            statuses = [(await sign_in(client, email, "wrong guess")).status_code for _ in range(11)]
            assert statuses == [401] * 10 + [429]
            refused = await sign_in(client, email)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 900
        assert refused.json()["retry_after_s"] > 0


async def test_stranger_does_not_lock_the_owner_out(parts, tenant):
    """Guesses from one address do not close the account for another."""
    async with browser(parts, address="198.51.100.7") as stranger:
        for _ in range(12):
            await sign_in(stranger, password="wrong guess")
    async with browser(parts, address="203.0.113.1") as owner:
        assert (await sign_in(owner)).status_code == 200


async def test_spraying_one_password_over_accounts_is_throttled(parts, tenant):
    """A hundred accounts tried from one address, then 429, whichever account comes next."""
    async with browser(parts) as client:
        statuses = [(await sign_in(client, f"p{n}@example.com", "Winter-2026!")).status_code for n in range(101)]
    assert statuses == [401] * 100 + [429]


async def test_good_sign_in_forgets_own_mistakes(parts, tenant):
    """Somebody who mistypes now and then is never locked out."""
    async with browser(parts) as client:
        for _ in range(3):
            for _ in range(6):
                await sign_in(client, password="wrong guess")
            assert (await sign_in(client)).status_code == 200


async def test_sign_out_ends_the_session(client, tenant):
    """The cookie goes, and a copy of its token is worth nothing."""
    await sign_in(client)
    token = client.cookies["hub_session"]
    answer = await client.delete("/api/v1/session")
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert (await client.get("/api/v1/session", headers={"authorization": f"Bearer {token}"})).status_code == 401


async def test_sign_out_without_a_session_still_drops_the_cookie(client):
    """A browser whose session ended elsewhere can always start afresh."""
    client.cookies.set("hub_session", "stale")
    assert (await client.delete("/api/v1/session")).status_code == 204


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("expires_at", "now() - interval '1 second'"),
        ("used_at", "now() - interval '12 hours 1 minute'"),
        ("revoked_at", "now()"),
    ],
)
async def test_ended_session_is_no_session(client, tenant, database_urls, column, value):
    """Thirty days after sign-in, after twelve unused hours, or once revoked, the token lets nobody in."""
    import asyncpg

    await sign_in(client)
    assert (await client.get("/api/v1/session")).status_code == 200
    owner = await asyncpg.connect(database_urls.owner_url)
    await owner.execute(f"UPDATE login_session SET {column} = {value}")
    await owner.close()
    assert (await client.get("/api/v1/session")).status_code == 401
    assert (await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")).status_code == 401


@pytest.mark.parametrize(
    "token", ["", "x", "x" * 5000, "é", "a b", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16")]
)
async def test_rubbish_token_is_no_session(client, tenant, token):
    """Whatever stands in the header, the answer is 401."""
    headers = {"authorization": f"Bearer {token}".encode()}
    assert (await client.get("/api/v1/session", headers=headers)).status_code == 401


async def test_ticket_says_who_and_where(client, tenant, tickets):
    """A socket ticket carries the member, the login and the session it was asked with."""
    await sign_in(client)
    answer = await client.post("/api/v1/socket-tickets", json={"workspace_id": tenant.workspace_id})
    assert answer.json() == {"ticket": "ticket-1", "expires_in_s": 30}
    (facts,) = tickets.issued
    assert (facts.workspace_id, facts.member_id, facts.login_id) == (
        tenant.workspace_id,
        tenant.member_id,
        tenant.login_id,
    )


async def test_no_ticket_for_a_foreign_workspace(client, tenant, foreign, tickets):
    """A member of one workspace gets no ticket for another, nor for one that does not exist."""
    await sign_in(client)
    for workspace_id in (foreign.workspace_id, 10**9):
        answer = await client.post("/api/v1/socket-tickets", json={"workspace_id": workspace_id})
        assert answer.status_code == 403
    assert tickets.issued == []


@pytest.mark.parametrize("workspace_id", [0, -1, 2**63, "1", None, 1.5])
async def test_ticket_for_no_workspace_names_the_field(client, tenant, workspace_id):
    """Numbers the database could not take are refused before it is asked."""
    await sign_in(client)
    answer = await client.post("/api/v1/socket-tickets", json={"workspace_id": workspace_id})
    assert (answer.status_code, answer.json()["field"]) == (422, "workspace_id")
