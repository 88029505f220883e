"""Workspaces, domains, members and profiles over HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub import clock
from hub.attachments.keeping import Keeper
from hub.blobs import Blobs
from tests.integration.api.conftest import browser, sign_in
from tests.integration.api.test_invitations import CLEO, LATER_PASSWORD, Office, accept
from tests.pictures import bomb, photo

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

NORTHWIND = "cleo@northwind.example"


@pytest.fixture
async def office(client, tenant, parts, database_urls) -> Office:
    await sign_in(client)
    return Office(client, tenant, parts, database_urls)


async def join_as(office: Office, client, email: str, role: str = "agent") -> dict:
    """Invite somebody and accept as them in their browser; returns the snapshot they see."""
    await office.invite(email, role=role)
    assert (await accept(client, await office.token(), password=LATER_PASSWORD)).status_code == 200
    return (await client.get(f"{office.base}/snapshot")).json()


async def test_a_person_has_several_workspaces(office):
    """Whoever makes a workspace owns it, with an inbox in it, and the switcher and the session list both."""
    made = await office.client.post("/api/v1/workspaces", json={"name": "  Second   shop "})
    assert made.status_code == 201
    workspace_id = made.json()["membership"]["workspace_id"]
    for path in ("workspaces", "session"):
        listed = (await office.client.get(f"/api/v1/{path}")).json()["workspaces"]
        assert [one["workspace_name"] for one in listed] == ["Northwind", "Second shop"]
    snapshot = (await office.client.get(f"/api/v1/workspaces/{workspace_id}/snapshot")).json()
    assert (snapshot["me"]["role"], [one["name"] for one in snapshot["inboxes"]]) == ("owner", ["Inbox"])
    assert (await office.client.post("/api/v1/workspaces", json={"name": " "})).json()["field"] == "name"


async def test_making_workspaces_is_limited(office):
    """Ten a day, twenty owned: more are refused in words."""
    codes = [(await office.client.post("/api/v1/workspaces", json={"name": f"W{n}"})).status_code for n in range(11)]
    assert codes == [201] * 10 + [429]
    await office.sql(
        "INSERT INTO workspace (name, created_at) SELECT 'More', now() FROM generate_series(1, 9)",
    )
    await office.sql(
        "INSERT INTO member (workspace_id, id, login_id, name, email, role, created_at) SELECT w.id, gen_random_uuid(),"
        " $1, 'Ann', 'ann@example.com', 'owner', now() FROM workspace w WHERE w.name = 'More'",
        office.tenant.login_id,
    )
    await office.parts.redis_ephemeral.flushdb()
    refused = await office.client.post("/api/v1/workspaces", json={"name": "One too many"})
    assert (refused.status_code, "at most 20" in refused.json()["message"]) == (409, True)


async def test_renaming_is_an_event_and_for_owners(office, parts):
    """The new name is everywhere; an admin may not."""
    renamed = await office.client.patch(office.base, json={"name": "Southwind"})
    snapshot = (await office.client.get(f"{office.base}/snapshot")).json()
    assert snapshot["workspace"] == renamed.json()["workspace"]
    assert (snapshot["workspace"]["name"], snapshot["workspace"]["version"]) == ("Southwind", snapshot["seq"])
    async with browser(parts) as admin:
        await join_as(office, admin, CLEO, "admin")
        assert (await admin.patch(office.base, json={"name": "Mine"})).status_code == 403


async def test_deleted_workspace_is_closed_and_comes_back(office, parts):
    """Deleting wants the name typed, closes it to everybody, and its owner alone takes it back, within 30 days."""
    async with browser(parts) as cleo:
        await join_as(office, cleo, CLEO, "admin")
        assert (await office.client.post(f"{office.base}/deletion", json={"name": "North"})).json()["field"] == "name"
        assert (await cleo.post(f"{office.base}/deletion", json={"name": "Northwind"})).status_code == 403
        assert (await office.client.post(f"{office.base}/deletion", json={"name": "Northwind"})).status_code == 204
        for person in (cleo, office.client):
            assert (await person.get(f"{office.base}/snapshot")).status_code == 403
            assert (await person.get("/api/v1/session")).json()["workspaces"] == []
        assert (await cleo.get("/api/v1/workspaces")).json()["deleted"] == []
        (gone,) = (await office.client.get("/api/v1/workspaces")).json()["deleted"]
        assert gone["workspace_name"] == "Northwind"
        assert (await cleo.post(f"{office.base}/restoration")).status_code == 403
        assert (await office.client.post(f"{office.base}/restoration")).status_code == 204
        assert (await cleo.get(f"{office.base}/snapshot")).status_code == 200
        assert (await office.client.post(f"{office.base}/restoration")).status_code == 409
    await office.client.post(f"{office.base}/deletion", json={"name": "Northwind"})
    await office.sql("UPDATE workspace SET deleted_at = $1", clock.now() - timedelta(days=31))
    late = await office.client.post(f"{office.base}/restoration")
    assert (late.status_code, "too long ago" in late.json()["message"]) == (409, True)


async def test_strangers_restore_and_join_nothing(office, foreign, parts):
    """Routes that are open to non-members tell a stranger the same of a workspace that is there and one that is not."""
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        for path in ("restoration", "joining"):
            theirs = await bob.post(f"{office.base}/{path}")
            missing = await bob.post(f"/api/v1/workspaces/{10**15}/{path}")
            assert theirs.status_code == 403
            assert (missing.status_code, missing.json()["message"]) == (403, theirs.json()["message"])
            assert (await bob.post(f"/api/v1/workspaces/{'9' * 30}/{path}")).status_code == 404


async def own_domain(office: Office) -> None:
    """The owner gets mail at the company's domain."""
    await office.sql("UPDATE login SET email = 'ann@northwind.example' WHERE email = 'ann@example.com'")


async def test_people_of_a_proved_domain_join(office, parts):
    """Off by default; once on, somebody with an address there sees the workspace, joins as what was set, once."""
    await own_domain(office)
    added = await office.client.post(f"{office.base}/domains", json={"domain": "Northwind.example", "role": "viewer"})
    assert added.json()["domain"] | {"version": 0} == {
        "domain": "northwind.example", "role": "viewer", "enabled": False, "version": 0,
    }  # fmt: skip
    await office.add_login(NORTHWIND)
    async with browser(parts) as cleo:
        await sign_in(cleo, NORTHWIND)
        assert (await cleo.get("/api/v1/workspaces")).json()["joinable"] == []
        assert (await cleo.post(f"{office.base}/joining")).status_code == 403
        on = await office.client.patch(f"{office.base}/domains/northwind.example", json={"enabled": True})
        assert on.status_code == 200
        joinable = (await cleo.get("/api/v1/workspaces")).json()["joinable"]
        assert joinable == [{"workspace_id": office.tenant.workspace_id, "workspace_name": "Northwind"}]
        joined = await cleo.post(f"{office.base}/joining")
        assert (joined.status_code, joined.json()["membership"]["role"]) == (201, "viewer")
        assert (await cleo.get(f"{office.base}/snapshot")).status_code == 200
        assert (await cleo.post(f"{office.base}/joining")).status_code == 409
        assert (await cleo.get("/api/v1/workspaces")).json()["joinable"] == []
        left = {"hand_over_to": {"to": "nobody"}}
        assert (await cleo.post(f"{office.base}/leaving", json=left)).status_code == 204
        assert (await cleo.get(f"{office.base}/snapshot")).status_code == 403
        # Who was let go does not let themselves in again.
        assert (await cleo.post(f"{office.base}/joining")).status_code == 409
    assert (await office.client.delete(f"{office.base}/domains/northwind.example")).status_code == 204
    assert (await office.client.get(f"{office.base}/domains")).json() == {"domains": []}


@pytest.mark.parametrize(
    ("email", "domain"),
    [("ann@example.com", "northwind.example"), ("ann@gmail.com", "gmail.com"), ("ann@example.com", "com")],
)
async def test_domain_is_proved_by_an_address_of_it(office, email, domain):
    """Another domain than one's own, and one where anybody gets a mailbox, prove nothing."""
    await office.sql("UPDATE login SET email = $1 WHERE email = 'ann@example.com'", email)
    refused = await office.client.post(f"{office.base}/domains", json={"domain": domain})
    assert (refused.status_code, refused.json()["field"]) == (422, "domain")


async def test_nobody_joins_as_more_than_an_agent(office):
    """The default role of a domain is agent or viewer."""
    await own_domain(office)
    for role in ("admin", "owner"):
        body = {"domain": "northwind.example", "role": role, "enabled": True}
        assert (await office.client.post(f"{office.base}/domains", json=body)).json()["field"] == "role"


async def test_members_are_searched_and_paged(office):
    """By part of a name or address, by state, page by page; signs of LIKE mean themselves."""
    for n in range(5):
        await office.sql(
            "INSERT INTO login (id, email, name, created_at) VALUES (gen_random_uuid(), $1, 'x', now())",
            f"m{n}@x.example",
        )
    await office.sql(
        "INSERT INTO member (workspace_id, id, login_id, name, email, role, created_at, active)"
        " SELECT $1, gen_random_uuid(), id, 'Mo_' || email, email, 'agent', created_at, email <> 'm4@x.example'"
        " FROM login WHERE email LIKE '%x.example'",
        office.tenant.workspace_id,
    )

    async def names(**query: str) -> list[str]:
        seen, cursor = [], ""
        while cursor is not None:
            page = (await office.client.get(f"{office.base}/members", params=query | {"before": cursor})).json()
            seen += [one["email"] for one in page["members"]]
            cursor = page.get("next")
        return seen

    everybody = await names()
    assert len(everybody) == 6
    assert await names(limit="2") == everybody
    assert await names(q="mo_M3") == ["m3@x.example"]
    assert await names(q="mo%3") == []
    assert await names(q="X.EXAMPLE", state="inactive") == ["m4@x.example"]
    assert (await office.client.get(f"{office.base}/members", params={"state": "x"})).json()["field"] == "state"
    assert (await office.client.get(f"{office.base}/members", params={"before": "x"})).json()["field"] == "before"


async def test_member_is_changed_and_handed_over(office, parts):
    """Role, name, deactivation and return over HTTP; the session of whoever is let go lost the workspace at once."""
    async with browser(parts) as cleo:
        me = (await join_as(office, cleo, CLEO))["me"]["id"]
        at = f"{office.base}/members/{me}"
        changed = await office.client.patch(at, json={"role": "viewer", "name": "C. Case"})
        assert (changed.json()["member"]["role"], changed.json()["member"]["name"]) == ("viewer", "C. Case")
        assert (await cleo.get(at)).json() == changed.json()
        both = {"role": "agent", "custom_role_id": me}
        assert (await office.client.patch(at, json=both)).json()["field"] == "role"
        to = {"hand_over_to": {"to": "member", "id": str(office.tenant.member_id)}}
        gone = await office.client.post(f"{at}/deactivation", json=to)
        assert gone.json()["member"]["active"] is False
        assert (await cleo.get(at)).status_code == 403
        assert (await office.client.post(f"{at}/reactivation")).json()["member"]["active"] is True
        assert (await cleo.get(at)).status_code == 200
    rows = await office.sql("SELECT action, address FROM audit_entry WHERE workspace_id > 0 ORDER BY at, id")
    assert [row["action"] for row in rows] == [
        *("workspace.made", "invitation.sent", "invitation.accepted", "member.role_changed", "member.renamed"),
        *("member.deactivated", "member.reactivated"),
    ]
    assert {row["address"] for row in rows[1:]} == {"127.0.0.1"}


async def test_foreign_members_are_not_found(office, foreign):
    """A member's id of another workspace is nobody here, on every route with a body too."""
    at = f"{office.base}/members/{foreign.member_id}"
    to = {"hand_over_to": {"to": "nobody"}}
    for method, path, body in (
        ("PATCH", at, {"name": "Mine"}),
        ("POST", f"{at}/deactivation", to),
        ("PATCH", f"{office.base}/roles/{foreign.member_id}", {"name": "Mine"}),
        ("PATCH", f"{office.base}/teams/{foreign.member_id}", {"name": "Mine"}),
        ("PATCH", f"{office.base}/inboxes/{foreign.member_id}", {"name": "Mine"}),
        ("PUT", f"{office.base}/inboxes/{foreign.member_id}/access", {"member_ids": [], "team_ids": []}),
        ("PATCH", f"{office.base}/domains/contoso.example", {"enabled": True}),
    ):
        assert (await office.client.request(method, path, json=body)).status_code == 404, path


async def test_roles_and_catalogue_in_words(office):
    """Every permission has a name and a sentence; the four roles are listed with what they allow, and own ones."""
    catalogue = (await office.client.get("/api/v1/permissions")).json()["permissions"]
    assert all(one["name"] and one["description"].endswith(".") for one in catalogue)
    assert {one["permission"] for one in catalogue if not one["grantable"]} == {"roles.manage", "workspace.manage"}
    role = {"name": "Night shift", "permissions": ["inbox.reply"]}
    made = (await office.client.post(f"{office.base}/roles", json=role)).json()["role"]
    assert made["permissions"] == ["inbox.read", "inbox.reply"]
    patched = await office.client.patch(f"{office.base}/roles/{made['id']}", json={"permissions": []})
    listed = (await office.client.get(f"{office.base}/roles")).json()
    assert listed["custom_roles"] == [patched.json()["role"]]
    assert [one["role"] for one in listed["roles"] if one["sees_all"]] == ["owner", "admin"]
    invited = await office.invite(CLEO, role=None, custom_role_id=made["id"])
    assert invited.json()["results"][0]["outcome"] == "invited"
    in_use = await office.client.delete(f"{office.base}/roles/{made['id']}")
    assert (in_use.status_code, "1 open invitations" in in_use.json()["message"]) == (409, True)
    unknown = {"name": "X", "permissions": ["rockets.launch"]}
    assert (await office.client.post(f"{office.base}/roles", json=unknown)).json()["field"] == "permissions[0]"


async def test_profile_holds_in_every_workspace(office):
    """A new name is every workspace's; zones and languages must exist."""
    second = (await office.client.post("/api/v1/workspaces", json={"name": "Second"})).json()["membership"]
    wanted = {"name": "Ann Adler", "time_zone": "Europe/Vienna", "locale": "de-AT"}
    changed = await office.client.patch("/api/v1/profile", json=wanted)
    assert wanted.items() <= changed.json()["profile"].items()
    assert (await office.client.get("/api/v1/profile")).json() == changed.json()
    in_session = (await office.client.get("/api/v1/session")).json()["login"]
    assert (in_session["name"], in_session["time_zone"]) == ("Ann Adler", "Europe/Vienna")
    for base in (office.base, f"/api/v1/workspaces/{second['workspace_id']}"):
        assert (await office.client.get(f"{base}/snapshot")).json()["me"]["name"] == "Ann Adler"
    for field, bad in (
        *(("time_zone", zone) for zone in ("Mars/Olympus", "posix/Europe/Vienna", "localtime", "../etc/passwd")),
        *(("locale", locale) for locale in ("english", "de_AT", "x" * 50)),
        ("name", " "),
    ):
        assert (await office.client.patch("/api/v1/profile", json={field: bad})).json()["field"] == field, bad
    assert (await office.client.patch("/api/v1/profile", json={"time_zone": ""})).json()["profile"]["time_zone"] == ""


async def test_avatar_is_made_anew_and_moves_with_each_upload(office, parts, tmp_path):
    """What was sent is never served: a small WebP is, at an address that changes; no picture is refused."""
    parts.keeper = Keeper(parts.database, Blobs.in_folder(tmp_path / "files"))
    async with browser(parts) as client:
        await sign_in(client)
        seen = []
        for _ in range(2):
            sent = await client.put("/api/v1/profile/avatar", content=photo())
            assert sent.status_code == 200, sent.text
            seen.append(sent.json()["profile"]["avatar"])
        assert seen[0] != seen[1]
        assert (await client.get(f"/avatars/{seen[0]}")).status_code == 404
        shown = await client.get(f"/avatars/{seen[1]}")
        assert (shown.headers["content-type"], shown.content[8:12]) == ("image/webp", b"WEBP")
        assert b"GPS" not in shown.content
        snapshot = (await client.get(f"{office.base}/snapshot")).json()
        assert (snapshot["me"]["avatar"], snapshot["me"]["version"]) == (seen[1], snapshot["seq"])
        for rubbish in (b"", b"<svg onload=alert(1)>", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, b"GIF89a", bomb()):
            refused = await client.put("/api/v1/profile/avatar", content=rubbish)
            assert (refused.status_code, refused.json()["field"]) == (422, "picture")
        assert (await client.delete("/api/v1/profile/avatar")).json()["profile"]["avatar"] == ""
        assert (await client.get(f"/avatars/{seen[1]}")).status_code == 404
        for nobodys in ("x", f"1-{'0' * 32}", f"{'9' * 18}-{'0' * 32}", f"-{'0' * 32}"):
            assert (await client.get(f"/avatars/{nobodys}")).status_code == 404
