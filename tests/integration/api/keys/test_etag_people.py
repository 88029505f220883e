"""If-Match where two people run a workspace: members, roles, teams, inboxes and who sees them, its name."""

from __future__ import annotations

import pytest

from tests.integration.api.keys.test_etag import seen

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


def of(answer, field: str) -> dict[str, str]:
    """What somebody who saw this answer sends; lists say the version only."""
    assert answer.headers["etag"] == f'"{answer.json()[field]["version"]}"'
    return {"if-match": answer.headers["etag"]}


def assert_clash(answer, field: str, yours, theirs) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["field"]) == (409, field), problem
    assert (problem["yours"], problem["theirs"]) == (yours, theirs)


async def test_member_is_merged_by_field(owner, workspace):
    """One renames, the other gives another role: both hold. Two roles from one version clash."""
    path = f"members/{workspace.agent_id}"
    assert (await owner.patch(path, json={"name": "Priya S."})).status_code == 200
    mine = await seen(owner, path)
    assert (await owner.patch(path, json={"name": "Cleo"}, headers=mine)).status_code == 200
    changed = await owner.patch(path, json={"role": "admin"}, headers=mine)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["member"]["name"], changed.json()["member"]["role"]) == ("Cleo", "admin")
    assert_clash(await owner.patch(path, json={"role": "viewer"}, headers=mine), "role", "viewer", "admin")
    assert_clash(await owner.patch(path, json={"name": "Cle"}, headers=mine), "name", "Cle", "Cleo")


async def test_role_and_custom_role_are_one_thing(owner, workspace):
    """Somebody made them an admin meanwhile: a custom role does not take that away unseen."""
    role = await owner.post("roles", json={"name": "Reader", "permissions": ["inbox.read"]})
    path = f"members/{workspace.agent_id}"
    assert (await owner.patch(path, json={"name": "Priya S."})).status_code == 200
    mine = await seen(owner, path)
    answer = await owner.patch(path, json={"role": "admin"}, headers=mine)
    assert answer.status_code == 200, answer.text
    refused = await owner.patch(path, json={"custom_role_id": role.json()["role"]["id"]}, headers=mine)
    assert_clash(refused, "role", "viewer", "admin")


async def test_role_is_merged_by_field(owner):
    """What it allows and what it is called are two fields."""
    made = (await owner.post("roles", json={"name": "Reader", "permissions": ["inbox.read"]})).json()["role"]
    path, mine = f"roles/{made['id']}", {"if-match": f'"{made["version"]}"'}
    of(await owner.patch(path, json={"name": "Readers"}, headers=mine), "role")
    allowed = ["contacts.write", "inbox.read"]
    assert (await owner.patch(path, json={"permissions": allowed}, headers=mine)).json()["role"]["name"] == "Readers"
    assert_clash(await owner.patch(path, json={"permissions": []}, headers=mine), "permissions", [], allowed)


async def test_team_is_merged_by_field(owner, workspace):
    """Who is in it clashes as a whole; putting one in and taking one out never does."""
    made = (await owner.post("teams", json={"name": "Support"})).json()["team"]
    path, mine = f"teams/{made['id']}", {"if-match": f'"{made["version"]}"'}
    ann, bea = str(workspace.owner_id), str(workspace.agent_id)
    assert (await owner.put(f"{path}/members/{ann}", headers=mine)).status_code == 200
    assert (await owner.put(f"{path}/members/{bea}", headers=mine)).status_code == 200
    assert (await owner.patch(path, json={"name": "Helpers"}, headers=mine)).status_code == 200
    both = sorted([ann, bea])
    assert_clash(await owner.patch(path, json={"member_ids": [ann]}, headers=mine), "member_ids", [ann], both)
    assert (await owner.patch(path, json={"member_ids": [bea, ann]}, headers=mine)).status_code == 200


async def test_inbox_is_merged_by_field(owner, workspace):
    """Its name and whether it is restricted are two fields."""
    made = (await owner.post("inboxes", json={"name": "Sales"})).json()["inbox"]
    path, mine = f"inboxes/{made['id']}", {"if-match": f'"{made["version"]}"'}
    of(await owner.patch(path, json={"restricted": True}, headers=mine), "inbox")
    assert (await owner.patch(path, json={"name": "Trade"}, headers=mine)).json()["inbox"]["restricted"] is True
    assert_clash(await owner.patch(path, json={"name": "Shop"}, headers=mine), "name", "Shop", "Trade")


async def test_access_that_somebody_else_changed_is_not_replaced(owner, workspace):
    """The answer says who would have seen it and who does; the same list is no clash, nor is an inbox that was renamed."""
    made = (await owner.post("inboxes", json={"name": "Sales", "restricted": True})).json()
    path, mine = f"inboxes/{made['inbox']['id']}", {"if-match": f'"{made["inbox"]["version"]}"'}
    let_in = made["access"]["member_ids"]
    wanted = {"member_ids": sorted({*let_in, str(workspace.agent_id)}), "team_ids": []}
    of(await owner.put(f"{path}/access", json=wanted, headers=mine), "inbox")
    nobody = {"member_ids": [], "team_ids": []}
    assert_clash(await owner.put(f"{path}/access", json=nobody, headers=mine), "access", nobody, wanted)
    assert (await owner.put(f"{path}/access", json=wanted, headers=mine)).status_code == 200
    assert (await owner.put(f"{path}/access", json=nobody)).status_code == 200


async def test_workspace_name_is_not_overwritten(owner):
    """Two owners who rename it."""
    path = str(owner.base_url).rstrip("/")
    mine = of(await owner.patch(path, json={"name": "Nordwind"}), "workspace")
    assert (await owner.patch(path, json={"name": "North"}, headers=mine)).status_code == 200
    assert_clash(await owner.patch(path, json={"name": "Wind"}, headers=mine), "name", "Wind", "North")
