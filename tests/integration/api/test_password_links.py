"""One-time links, over HTTP."""

from __future__ import annotations

import asyncpg
import pytest

from hub.accounts import actions
from hub.accounts.model import LinkPurpose, NewMember, Role
from hub.events.model import LoggedEvent
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

NEW_PASSWORD = "another-otter-95"


@pytest.fixture
async def invite(parts, tenant) -> str:
    return await actions.add_member_by_email(parts.database, "Cleo@example.com")


async def use(client, token: str, **more: object):
    return await client.post("/api/v1/password-links", json={"token": token, "password": NEW_PASSWORD} | more)


async def test_invited_member_chooses_a_password_and_is_in(client, invite, tenant, database, notices):
    """The link sets password and name, signs in, and everybody's list of members follows."""
    answer = await use(client, invite, name="Cleo Case")
    assert answer.status_code == 200
    assert answer.json()["login"] == {"name": "Cleo Case", "email": "cleo@example.com", "time_zone": ""}
    assert answer.json()["workspaces"][0]["role"] == "agent"
    members = (await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")).json()["members"]
    assert [(one["name"], one["version"]) for one in members] == [("Ann", 1), ("Cleo Case", 3)]
    told = [(one.type, one.workspace_id) for one in notices if isinstance(one, LoggedEvent)]
    assert told[-1] == ("member_changed", tenant.workspace_id)
    # One for each member: the owner's and theirs, none twice.
    assert [one for one in told if one[0] != "member_changed"] == [("member_added", tenant.workspace_id)] * 2
    await client.delete("/api/v1/session")
    assert (await sign_in(client, "cleo@example.com", NEW_PASSWORD)).status_code == 200


async def test_link_works_once(parts, invite):
    """Whoever finds the used link in a mailbox gets nothing."""
    async with browser(parts) as client:
        assert (await use(client, invite)).status_code == 200
    async with browser(parts) as client:
        again = await use(client, invite)
        assert (again.status_code, again.json()["field"]) == (422, "token")
        assert (await client.get("/api/v1/session")).status_code == 401


async def test_reading_never_uses_a_link_up(client, invite):
    """Mail scanners open links: only a POST counts."""
    assert (await client.get("/api/v1/password-links", params={"token": invite})).status_code == 405
    assert (await client.head("/api/v1/password-links", params={"token": invite})).status_code == 405
    assert (await use(client, invite)).status_code == 200


async def test_refused_password_does_not_use_the_link_up(client, invite):
    """A person whose first choice is too weak tries again with the same link."""
    refused = await use(client, invite, password="short")
    assert refused.json()["field"] == "password"
    refused = await use(client, invite, name="x" * 300)
    assert refused.json()["field"] == "name"
    # Whose link it is is known only inside, when it is being used.
    refused = await use(client, invite, password="Cleo-2026010")
    assert refused.json()["field"] == "password"
    assert (await use(client, invite)).status_code == 200


@pytest.mark.parametrize("purpose", LinkPurpose)
async def test_late_link_is_refused(client, parts, tenant, database_urls, purpose):
    """An invitation lasts seven days and a reset thirty minutes, to the second."""
    async with parts.database.across() as conn:
        token = await actions.create_link(conn, tenant.login_id, purpose)
    owner = await asyncpg.connect(database_urls.owner_url)
    lifetime = await owner.fetchval("SELECT expires_at - created_at FROM login_link")
    assert lifetime == actions.LINK_LIFETIMES[purpose]
    await owner.execute("UPDATE login_link SET expires_at = now() - interval '1 second'")
    await owner.close()
    assert (await use(client, token)).status_code == 422


async def test_reset_ends_every_session_and_the_old_password(parts, tenant):
    """Whoever had the old password, or a session made with it, is out."""
    async with browser(parts) as thief, browser(parts) as owner:
        await sign_in(thief)
        token = await actions.make_reset_link(parts.database, OWNER_EMAIL)
        assert (await thief.get("/api/v1/session")).status_code == 200
        assert (await use(owner, token)).status_code == 200
        assert (await thief.get("/api/v1/session")).status_code == 401
        assert (await sign_in(thief, password=PASSWORD)).status_code == 401
        assert (await owner.get("/api/v1/session")).status_code == 200


async def test_using_one_link_ends_the_others(client, parts, tenant):
    """Of several links asked for, one is enough; the rest do not lie about."""
    first = await actions.make_reset_link(parts.database, OWNER_EMAIL)
    second = await actions.make_reset_link(parts.database, OWNER_EMAIL)
    assert (await use(client, second)).status_code == 200
    assert (await use(client, first)).status_code == 422


async def test_link_of_one_login_leaves_others_alone(client, parts, tenant, invite):
    """Using a link ends only its own login's other links."""
    reset = await actions.make_reset_link(parts.database, OWNER_EMAIL)
    assert (await use(client, reset)).status_code == 200
    assert (await use(client, invite)).status_code == 200


async def test_guessing_links_is_throttled(client, tenant):
    """Sixty tries from one address, then 429."""
    statuses = [(await use(client, f"guess-{number}")).status_code for number in range(61)]
    assert statuses == [422] * 60 + [429]


async def test_rename_reaches_every_workspace(client, parts, tenant, foreign, notices):
    """One person, one name: the change is an event in each workspace they belong to."""
    async with parts.database.transaction([foreign.workspace_id]) as conn:
        await actions.add_member(conn, foreign.workspace_id, NewMember(email=OWNER_EMAIL, role=Role.VIEWER))
    token = await actions.make_reset_link(parts.database, OWNER_EMAIL)
    notices.clear()
    assert (await use(client, token, name="Anna")).status_code == 200
    assert {(one.workspace_id, one.type) for one in notices if isinstance(one, LoggedEvent)} == {
        (tenant.workspace_id, "member_changed"),
        (foreign.workspace_id, "member_changed"),
    }
