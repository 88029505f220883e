"""Invitations over HTTP: sent, looked at without being used, accepted once by whom they were sent to."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from hub import clock
from hub.accounts import actions
from hub.accounts.model import NewMember, Role
from tests.integration.api.conftest import PASSWORD, browser, sign_in
from tests.system_mails import VAULT

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

CLEO = "cleo@example.com"
LATER_PASSWORD = "another-heron-71"


class Office:
    """The owner's browser and workspace, and the mails that went out."""

    def __init__(self, client, tenant, parts, database_urls) -> None:
        self.client, self.tenant, self.parts, self.urls = client, tenant, parts, database_urls
        self.base = f"/api/v1/workspaces/{tenant.workspace_id}"

    async def sql(self, statement: str, *arguments):
        owner = await asyncpg.connect(self.urls.owner_url)
        try:
            return await owner.fetch(statement, *arguments)
        finally:
            await owner.close()

    async def invite(self, *emails: str, **offer):
        return await self.client.post(
            f"{self.base}/invitations", json={"emails": list(emails or (CLEO,)), **({"role": "agent"} | offer)}
        )

    async def mails(self) -> list[dict]:
        rows = await self.sql(
            "SELECT id, recipient, template, key_version, sealed FROM system_mail ORDER BY created_at, id"
        )
        return [
            {"to": row["recipient"], "template": row["template"]}
            | VAULT.open(row["id"], row["key_version"], row["sealed"])
            for row in rows
        ]

    async def token(self) -> str:
        """Of the newest mail."""
        return (await self.mails())[-1]["url"].partition("#")[2]

    async def add_login(self, email: str, role: Role = Role.AGENT) -> str:
        """Somebody with a password, a member of another workspace; returns their address."""
        async with self.parts.database.across() as conn:
            workspace_id = await conn.fetchval("SELECT hub_create_workspace('Elsewhere', now())")
        async with self.parts.database.transaction([workspace_id]) as conn:
            _, token = await actions.add_member(conn, workspace_id, NewMember(email=email, role=Role.OWNER))
        password_hash = await self.parts.passwords.make_hash(PASSWORD)
        async with self.parts.database.across() as conn:
            await actions.consume_link(conn, token, password_hash)
        return email

    async def members(self) -> dict[str, dict]:
        rows = (await self.client.get(f"{self.base}/members")).json()["members"]
        return {row["email"]: row for row in rows}


@pytest.fixture
async def office(client, tenant, parts, database_urls) -> Office:
    await sign_in(client)
    return Office(client, tenant, parts, database_urls)


async def accept(client, token: str, **more):
    return await client.post("/api/v1/invitations/accept", json={"token": token, **more})


async def test_new_person_accepts_by_choosing_a_password(office, parts):
    """The link says who invites to what; accepting makes the login and the member, signs in, and works once."""
    answer = (await office.invite(CLEO, role="viewer")).json()["results"]
    assert [(one["email"], one["outcome"]) for one in answer] == [(CLEO, "invited")]
    (mail,) = await office.mails()
    assert (mail["to"], mail["template"], mail["inviter"], mail["workspace"]) == (
        CLEO,
        "invitation",
        "Ann",
        "Northwind",
    )
    token = await office.token()
    async with browser(parts) as cleo:
        for _ in range(2):
            seen = await cleo.get("/api/v1/invitation", headers={"x-invitation-token": token})
            assert (seen.json()["inviter_name"], seen.json()["role"], seen.json()["has_login"]) == (
                "Ann",
                "viewer",
                False,
            )
        weak = await accept(cleo, token, password="password12")
        assert (weak.status_code, weak.json()["field"]) == (422, "password")
        done = await accept(cleo, token, password=LATER_PASSWORD, name="Cleo Case")
        assert done.status_code == 200
        assert done.json()["workspaces"][0]["role"] == "viewer"
        assert (await cleo.get(f"{office.base}/members")).status_code == 200
        again = await accept(cleo, token)
        assert (again.status_code, again.json()["field"]) == (422, "token")
    async with browser(parts) as other:
        assert (await sign_in(other, CLEO, LATER_PASSWORD)).status_code == 200
        assert (await other.get("/api/v1/invitation", headers={"x-invitation-token": token})).status_code == 422
    assert (await office.members())[CLEO]["name"] == "Cleo Case"


async def test_token_is_kept_as_a_hash(office):
    """Neither the table nor the answer to whoever invites holds what the link needs."""
    answer = await office.invite()
    token = await office.token()
    assert len(token) >= 43
    assert token not in answer.text
    (row,) = await office.sql("SELECT row_to_json(i)::text AS text FROM invitation i")
    assert token not in row["text"]


async def test_existing_person_signs_in_to_accept(office, parts):
    """Somebody with a login is not given another password by a link: they sign in, with the address invited."""
    await office.add_login(CLEO)
    await office.add_login("dan@example.com")
    await office.invite(CLEO)
    token = await office.token()
    async with browser(parts) as client:
        stranger = await accept(client, token, password=LATER_PASSWORD)
        assert (stranger.status_code, stranger.json()["code"]) == (401, "not_signed_in")
        await sign_in(client, "dan@example.com")
        wrong = await accept(client, token)
        assert (wrong.status_code, "another address" in wrong.json()["message"]) == (403, True)
        await client.delete("/api/v1/session")
        await sign_in(client, CLEO)
        done = await accept(client, token)
        assert [one["workspace_name"] for one in done.json()["workspaces"]] == ["Northwind", "Elsewhere"]
        assert (await accept(client, token)).status_code == 422


async def test_unverified_address_is_not_enough(office, parts):
    """A login that never showed it gets mail there accepts nothing, joins nothing and makes no workspace."""
    await office.add_login(CLEO)
    await office.sql("UPDATE login SET email_verified_at = CASE WHEN email = $1 THEN NULL ELSE now() END", CLEO)
    await office.invite(CLEO)
    async with browser(parts) as client:
        await sign_in(client, CLEO)
        refused = await accept(client, await office.token())
        assert (refused.status_code, "Confirm" in refused.json()["message"]) == (403, True)
        assert (await client.post("/api/v1/workspaces", json={"name": "Mine"})).status_code == 403
        assert (await client.get("/api/v1/profile")).json()["profile"]["is_verified"] is False


async def test_accepting_twice_at_once_makes_one_member(office, parts):
    """Two clicks of one link: one member, one success."""
    await office.add_login(CLEO)
    await office.invite(CLEO)
    token = await office.token()
    async with browser(parts) as client:
        await sign_in(client, CLEO)
        answers = await asyncio.gather(*(accept(client, token) for _ in range(4)))
    assert sorted(one.status_code for one in answers)[:2] == [200, 422]
    assert len(await office.members()) == 2


async def test_expired_revoked_and_replaced_links_are_void(office, parts):
    """A link that ran out, was taken back, or was sent again by another mail opens nothing."""
    await office.invite(CLEO, "dan@example.com", "eve@example.com")
    tokens = {mail["to"]: mail["url"].partition("#")[2] for mail in await office.mails()}
    listed = (await office.client.get(f"{office.base}/invitations")).json()["invitations"]
    ids = {one["email"]: one["id"] for one in listed}
    await office.sql("UPDATE invitation SET expires_at = $1 WHERE email = $2", clock.now() - timedelta(seconds=1), CLEO)
    assert (await office.client.delete(f"{office.base}/invitations/{ids['dan@example.com']}")).status_code == 204
    again = await office.client.post(f"{office.base}/invitations/{ids['eve@example.com']}/resend")
    assert again.status_code == 200
    renewed = await office.token()
    async with browser(parts) as client:
        for token in tokens.values():
            assert (await accept(client, token, password=LATER_PASSWORD)).json()["field"] == "token"
        assert (await accept(client, renewed, password=LATER_PASSWORD)).status_code == 200
    assert (await office.client.delete(f"{office.base}/invitations/{ids['dan@example.com']}")).status_code == 404


async def test_each_address_gets_its_own_answer(office):
    """A list with members, people who left, rubbish and repeats: each is answered, mails go to new ones only."""
    async with office.parts.database.transaction([office.tenant.workspace_id]) as conn:
        await actions.add_member(conn, office.tenant.workspace_id, NewMember(email="gil@example.com", role=Role.AGENT))
        await conn.execute("UPDATE member SET active = false WHERE email = 'gil@example.com'")
    results = (
        await office.invite(" CLEO@example.com ", "no address", "ann@example.com", "gil@example.com", CLEO)
    ).json()
    assert [(one["email"], one["outcome"]) for one in results["results"]] == [
        (CLEO, "invited"),
        ("no address", "invalid"),
        ("ann@example.com", "already_member"),
        ("gil@example.com", "deactivated"),
    ]
    assert [mail["to"] for mail in await office.mails()] == [CLEO]
    await office.invite(CLEO, role="viewer")
    listed = (await office.client.get(f"{office.base}/invitations")).json()["invitations"]
    assert [(one["email"], one["role"]) for one in listed] == [(CLEO, "viewer")]
    too_many = await office.invite(*(f"p{n}@example.com" for n in range(51)))
    assert too_many.status_code == 422


async def test_invitation_brings_teams_and_inboxes(office, parts):
    """Who accepts is in the teams and sees the restricted inboxes that were offered; what went away is left out."""
    inboxes = [
        (await office.client.post(f"{office.base}/inboxes", json={"name": name, "restricted": True})).json()["inbox"][
            "id"
        ]
        for name in ("By name", "By team", "Closed", "Gone")
    ]
    team = (await office.client.post(f"{office.base}/teams", json={"name": "Sales"})).json()["team"]["id"]
    access = {"member_ids": [], "team_ids": [team]}
    await office.client.put(f"{office.base}/inboxes/{inboxes[1]}/access", json=access)
    await office.invite(CLEO, team_ids=[team], inbox_ids=[inboxes[0], inboxes[3]])
    assert (await office.client.delete(f"{office.base}/inboxes/{inboxes[3]}")).status_code == 204
    async with browser(parts) as client:
        await accept(client, await office.token(), password=LATER_PASSWORD)
        snapshot = (await client.get(f"{office.base}/snapshot")).json()
    assert {one["name"] for one in snapshot["inboxes"]} == {"Inbox", "By name", "By team"}
    assert snapshot["teams"][0]["member_ids"] == [snapshot["me"]["id"]]
    assert (await office.invite("dan@example.com", team_ids=[snapshot["me"]["id"]])).status_code == 422


async def test_nobody_invites_above_themselves(office, parts):
    """An admin invites no owner; nor takes back, repeats or replaces an owner's invitation of one."""
    await office.add_login("adam@example.com")
    await office.invite("adam@example.com", role="admin")
    token = await office.token()
    async with browser(parts) as admin:
        await sign_in(admin, "adam@example.com")
        await accept(admin, token)
        theirs = Office(admin, office.tenant, parts, office.urls)
        assert (await theirs.invite(CLEO, role="owner")).status_code == 403
        invited = (await office.invite(CLEO, role="owner")).json()["results"][0]["invitation"]["id"]
        assert (await theirs.invite(CLEO, role="agent")).json()["results"][0]["outcome"] == "forbidden"
        assert (await admin.post(f"{office.base}/invitations/{invited}/resend")).status_code == 403
        assert (await admin.delete(f"{office.base}/invitations/{invited}")).status_code == 403
        assert (await theirs.invite("dan@example.com", role="admin")).status_code == 200


async def test_invitation_does_not_outlive_its_senders_rights(office, parts):
    """Once whoever sent it was let go or demoted, the link says so and makes nobody a member."""
    await office.add_login("adam@example.com")
    await office.invite("adam@example.com", role="admin")
    async with browser(parts) as admin:
        await sign_in(admin, "adam@example.com")
        await accept(admin, await office.token())
        await Office(admin, office.tenant, parts, office.urls).invite(CLEO, role="admin")
    token = await office.token()
    adam = (await office.members())["adam@example.com"]["id"]
    for change in ({"role": "agent"}, {"active": False}):
        assert (await office.client.patch(f"{office.base}/members/{adam}", json=change)).status_code == 200
        async with browser(parts) as client:
            refused = await accept(client, token, password=LATER_PASSWORD)
            assert (refused.status_code, refused.json()["field"]) == (422, "token")
    assert await office.sql("SELECT id FROM login WHERE email = $1", CLEO) == []


async def test_other_workspaces_invitations_do_not_exist(office, foreign, parts):
    """Under one's own workspace, an invitation of another is not found; under theirs, nothing is."""
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        theirs = Office(bob, foreign, parts, office.urls)
        invited = (await theirs.invite(CLEO)).json()["results"][0]["invitation"]["id"]
    for method, path in (("DELETE", invited), ("POST", f"{invited}/resend")):
        assert (await office.client.request(method, f"{office.base}/invitations/{path}")).status_code == 404
        assert (await office.client.request(method, f"{theirs.base}/invitations/{path}")).status_code == 403
    assert (await office.client.get(f"{office.base}/invitations")).json() == {"invitations": []}


async def test_list_comes_in_pages(office):
    """Newest first, each once, the last page without a next."""
    emails = [f"p{n}@example.com" for n in range(5)]
    for email in emails:
        await office.invite(email)
    seen, cursor = [], ""
    while cursor is not None:
        query = {"limit": "2", "before": cursor}
        page = (await office.client.get(f"{office.base}/invitations", params=query)).json()
        seen += [one["email"] for one in page["invitations"]]
        cursor = page.get("next")
    assert seen == emails[::-1]


async def test_guessing_links_is_throttled(office, parts):
    """Sixty wrong links from one address in a quarter of an hour are enough."""
    async with browser(parts, "198.51.100.7") as client:
        codes = [(await accept(client, f"guess-{n}")).status_code for n in range(61)]
    assert (set(codes[:60]), codes[60]) == ({422}, 429)
