"""The first screen, over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.api.conftest import PASSWORD, SETUP_TOKEN, browser

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

WANTED = {
    "token": SETUP_TOKEN,
    "workspace": "Northwind",
    "name": "Ann",
    "email": "Ann@Example.com",
    "password": PASSWORD,
}


async def test_set_up_makes_the_owner_and_signs_them_in(client):
    """From the empty installation to a signed-in owner with a workspace and an inbox, in one call."""
    assert (await client.get("/api/v1/setup")).json() == {"needs_setup": True}
    made = await client.post("/api/v1/setup", json=WANTED)
    assert made.status_code == 200
    session = (await client.get("/api/v1/session")).json()
    assert session["login"] == {"name": "Ann", "email": "ann@example.com", "time_zone": ""}
    assert session["workspaces"] == [
        {
            "workspace_id": made.json()["workspace_id"],
            "workspace_name": "Northwind",
            "member_id": made.json()["member_id"],
            "role": "owner",
        }
    ]
    assert (await client.get("/api/v1/setup")).json() == {"needs_setup": False}


async def test_set_up_writes_the_member_event_and_the_inbox(client, database):
    """The log starts with member_added as seq 1, whose row has that version; the first inbox is there."""
    workspace_id = (await client.post("/api/v1/setup", json=WANTED)).json()["workspace_id"]
    async with database.snapshot([workspace_id]) as conn:
        events = await conn.fetch("SELECT seq, type, data::text FROM event")
        assert [(row["seq"], row["type"]) for row in events] == [(1, "member_added")]
        assert await conn.fetchval("SELECT version FROM member") == 1
        assert await conn.fetchval("SELECT event_seq FROM workspace") == 1
        assert [row["name"] for row in await conn.fetch("SELECT name FROM inbox")] == ["Inbox"]


async def test_second_set_up_is_refused(client, parts, database):
    """Once there is an owner the page is closed, with the right token too."""
    await client.post("/api/v1/setup", json=WANTED)
    async with browser(parts) as other:
        again = await other.post("/api/v1/setup", json=WANTED | {"email": "eve@example.com"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert "set-cookie" not in again.headers


async def test_set_ups_at_once_make_one_owner(parts, database):
    """Five people with the printed address press the button together: one of them is the owner."""
    async with browser(parts) as client:
        answers = await asyncio.gather(
            *(client.post("/api/v1/setup", json=WANTED | {"email": f"p{n}@example.com"}) for n in range(5))
        )
    assert sorted(one.status_code for one in answers) == [200, 409, 409, 409, 409]
    async with database.across() as conn:
        assert await conn.fetchval("SELECT hub_only_workspace()") is not None


@pytest.mark.parametrize("token", ["", "wrong", SETUP_TOKEN + "x", SETUP_TOKEN[:-1], "é"])
async def test_wrong_token_makes_nothing(client, token):
    """Whoever reaches the port first is not thereby the owner."""
    refused = await client.post("/api/v1/setup", json=WANTED | {"token": token})
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await client.get("/api/v1/setup")).json() == {"needs_setup": True}


async def test_empty_token_of_the_process_closes_set_up(parts):
    """A process that was given no token takes none, the empty one least of all."""
    parts.setup_token = ""
    async with browser(parts) as client:
        assert (await client.post("/api/v1/setup", json=WANTED | {"token": ""})).status_code == 403


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workspace", " "),
        ("workspace", "x" * 201),
        ("name", ""),
        ("email", "nobody"),
        ("password", "short"),
        ("password", "password123"),
        ("password", "Northwind2026"[:9] + "x" * 300),
        ("password", "ann@example.com"),
        ("name", None),
        ("email", 7),
        ("name", "A\u0000"),
    ],
)
async def test_bad_field_is_named(client, field, value):
    """The form can show each error beside its input, and nothing is made."""
    refused = await client.post("/api/v1/setup", json=WANTED | {field: value})
    assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (422, "invalid_input", field)
    assert (await client.get("/api/v1/setup")).json() == {"needs_setup": True}
