"""Changing one's own address, over HTTP: two mailboxes, and what each of them can do."""

from __future__ import annotations

import asyncpg
import pytest

from hub.events.model import LoggedEvent
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in
from tests.system_mails import queued_mails

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

CHANGES = "/api/v1/address-changes"
NEW = "ann.new@example.com"


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


async def ask(client, database, email=NEW) -> tuple[str, str]:
    """Ask for a change; returns the tokens of both links."""
    answer = await client.post(CHANGES, json={"email": email})
    assert answer.status_code == 202, answer.text
    (to_new, template, fields), (to_old, note, told) = (await queued_mails(database))[-2:]
    assert (to_new, template) == (email.lower(), "confirm_address")
    assert (to_old, note, told["address"]) == (OWNER_EMAIL, "address_changing", email.lower())
    return fields["url"].partition("#")[2], told["url"].partition("#")[2]


async def confirm(client, token):
    return await client.post(f"{CHANGES}/confirm", json={"token": token})


async def stop(client, token):
    return await client.post(f"{CHANGES}/stop", json={"token": token})


async def is_signed_in(client) -> bool:
    return (await client.get("/api/v1/session")).status_code == 200


async def test_new_mailbox_makes_the_change(client, parts, tenant, database, notices):
    """Nothing changes before its link is used; then the person has it everywhere, and other sessions are over."""
    async with browser(parts) as other, browser(parts) as mailbox:
        await sign_in(other)
        await sign_in(client)
        token, _ = await ask(client, database, "Ann.New@example.com")
        assert (await client.get("/api/v1/session")).json()["login"]["email"] == OWNER_EMAIL
        assert (await mailbox.get(f"{CHANGES}/confirm", params={"token": token})).status_code == 405
        done = await confirm(mailbox, token)
        assert (done.status_code, done.json()) == (200, {"email": NEW})
        assert not await is_signed_in(other)
    assert (await client.get("/api/v1/session")).json()["login"]["email"] == NEW
    members = (await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")).json()["members"]
    assert [one["email"] for one in members] == [NEW]
    assert "member_changed" in [one.type for one in notices if isinstance(one, LoggedEvent)]
    async with browser(parts) as fresh:
        assert (await sign_in(fresh, NEW, PASSWORD)).status_code == 200
        assert (await sign_in(fresh, OWNER_EMAIL, PASSWORD)).status_code == 401


async def test_link_works_once_and_for_half_an_hour(client, tenant, database, owner):
    """And a newer change that was made voids the others."""
    await sign_in(client)
    first, _ = await ask(client, database)
    second, _ = await ask(client, database, "ann.third@example.com")
    assert (await confirm(client, second)).status_code == 200
    for spent in (first, second, "never-one"):
        assert (await confirm(client, spent)).json()["field"] == "token"
    await client.post(CHANGES, json={"email": NEW})
    late = (await queued_mails(database))[-2][2]["url"].partition("#")[2]
    await owner.execute(
        "UPDATE address_change SET created_at = now() - interval '31 minutes', expires_at = now() - interval '1 s'"
    )
    assert (await confirm(client, late)).json()["field"] == "token"


async def test_old_mailbox_stops_it(client, parts, tenant, database):
    """Before it is made: nothing changes, and whoever asked is signed out."""
    await sign_in(client)
    token, stopper = await ask(client, database)
    async with browser(parts) as mailbox:
        assert (await stop(mailbox, stopper)).json() == {"email": OWNER_EMAIL}
        assert (await confirm(mailbox, token)).json()["field"] == "token"
        assert (await stop(mailbox, stopper)).json()["field"] == "token"
    assert not await is_signed_in(client)
    assert (await sign_in(client)).status_code == 200


async def test_old_mailbox_takes_it_back(client, parts, tenant, database, owner):
    """For a week after it was made: whoever took a session over loses the account again."""
    await sign_in(client)
    token, stopper = await ask(client, database)
    async with browser(parts) as mailbox:
        assert (await confirm(mailbox, token)).status_code == 200
        assert (await stop(mailbox, stopper)).json() == {"email": OWNER_EMAIL}
    assert not await is_signed_in(client)
    assert (await sign_in(client)).status_code == 200
    members = (await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")).json()["members"]
    assert [one["email"] for one in members] == [OWNER_EMAIL]


async def test_a_week_later_it_stays(client, tenant, database, owner):
    """A link in an old mailbox is not good for ever."""
    await sign_in(client)
    token, stopper = await ask(client, database)
    await confirm(client, token)
    await owner.execute(
        "UPDATE address_change SET created_at = now() - interval '8 days', expires_at = now() - interval '7 days',"
        " stop_until = now() - interval '1 second'"
    )
    assert (await stop(client, stopper)).json()["field"] == "token"


async def test_address_of_somebody_else_is_answered_alike(client, tenant, foreign, database):
    """Nobody finds out who has an account; its owner is told, and gets no link."""
    await sign_in(client)
    answer = await client.post(CHANGES, json={"email": foreign.email})
    assert (answer.status_code, answer.json()) == (202, {"email": foreign.email})
    (to_new, template, fields), (to_old, note, _) = (await queued_mails(database))[-2:]
    assert (to_new, template) == (foreign.email, "security_changed")
    assert "url" not in fields
    assert (to_old, note) == (OWNER_EMAIL, "address_changing")


async def test_address_taken_meanwhile_is_refused(client, tenant, database, owner):
    """Two people, one mailbox: who was first keeps it."""
    await sign_in(client)
    token, _ = await ask(client, database)
    await owner.execute(
        "INSERT INTO login (id, email, name, created_at) VALUES (gen_random_uuid(), $1, 'N', now())", NEW
    )
    refused = await confirm(client, token)
    assert (refused.status_code, refused.json()["field"]) == (422, "token")
    assert await is_signed_in(client)


async def test_it_asks_for_a_proof(client, tenant, owner):
    """An open laptop is not enough; one's own address is no change; an address must be one."""
    await sign_in(client)
    assert (await client.post(CHANGES, json={"email": OWNER_EMAIL})).json()["field"] == "email"
    assert (await client.post(CHANGES, json={"email": "no address"})).json()["field"] == "email"
    await owner.execute("UPDATE login_session SET proved_at = now() - interval '11 minutes'")
    assert (await client.post(CHANGES, json={"email": NEW})).json()["code"] == "proof_needed"


async def test_mailboxes_are_not_filled_through_us(client, tenant):
    """Five an hour."""
    await sign_in(client)
    answers = [(await client.post(CHANGES, json={"email": f"ann{n}@example.com"})).status_code for n in range(6)]
    assert answers == [202] * 5 + [429]
