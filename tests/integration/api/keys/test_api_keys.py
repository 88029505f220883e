"""API keys and personal access tokens over HTTP: made, used, narrowed, rotated, revoked, and shut out."""

from __future__ import annotations

import re
import uuid

import pytest

from api.route import Access
from api.routes import ROUTES
from hub import clock
from hub.accounts.model import Permission, Role
from tests.integration.api.keys.conftest import login_of, make, session_of
from tests.unit.hub.accounts.test_policy import MATRIX

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


def address(route, workspace_id):
    path = route.path.replace("{workspace_id}", str(workspace_id))
    return "http://localhost:8000" + re.sub(r"{[a-z_]+(:[a-z]+)?}", lambda _: str(uuid.uuid4()), path)


def new_message(text="On its way."):
    return {"client_message_id": str(clock.new_id()), "kind": "message", "text": text}


async def test_token_is_shown_once_and_stored_as_a_verifier(owner, script, database, workspace):
    """The answer has the token; no list and no row ever has it again."""
    made = await make(owner, "inbox.read")
    token = made["token"]
    listed = (await owner.get("api-keys")).json()

    assert (await script(token).get("conversations")).status_code == 200
    assert [one["id"] for one in listed["keys"]] == [made["key"]["id"]]
    assert listed["next"] is None
    assert token not in str(listed)
    assert made["key"]["hint"] == token[-4:]
    async with database.transaction([workspace.id]) as conn:
        row = str(dict(await conn.fetchrow("SELECT * FROM api_key")))
    secret = token.rpartition("_")[2]
    assert secret[:43] not in row
    async with database.transaction([workspace.id]) as conn:
        entry = await conn.fetchrow("SELECT action, details::text FROM audit_entry WHERE target_kind = 'api_key'")
    assert entry["action"] == "api_key.made"
    assert secret[:43] not in entry["details"]


async def test_expiry_is_a_year_unless_never_is_asked_for(owner):
    """Left out it is a year; null is never, with a warning; the past is refused and named."""
    year = await make(owner, "inbox.read")
    never = await make(owner, "inbox.read", expires_at=None)
    past = await owner.post(
        "api-keys", json={"name": "x", "scopes": ["inbox.read"], "expires_at": "2020-01-01T00:00:00Z"}
    )

    assert year["key"]["expires_at"] > clock.now().isoformat()
    assert year["warnings"] == []
    assert never["key"]["expires_at"] is None
    assert len(never["warnings"]) == 1
    assert (past.status_code, past.json()["field"]) == (422, "expires_at")


async def test_expired_key_is_refused(owner, script, database, workspace):
    """At its time a key ends by itself, with the words of an unknown one."""
    token = (await make(owner, "inbox.read"))["token"]
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE api_key SET created_at = now() - interval '2 days', expires_at = now() - interval '1 s'"
        )
    answer = await script(token).get("conversations")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_revoked_key_ends_at_the_next_call(owner, script):
    """Revocation works at once; once more does nothing; the key stays listed with its end."""
    made = await make(owner, "inbox.read")
    client = script(made["token"])
    assert (await client.get("conversations")).status_code == 200
    for _ in range(2):
        assert (await owner.delete(f"api-keys/{made['key']['id']}")).status_code == 204
    assert (await client.get("conversations")).status_code == 401
    (listed,) = (await owner.get("api-keys")).json()["keys"]
    assert listed["revoked_at"] is not None


async def test_rotation_leaves_both_secrets_open_for_a_day(owner, script, database, workspace):
    """Both open; the one before ends after 24 hours; a second rotation ends the first at once."""
    made = await make(owner, "inbox.read")
    path = f"api-keys/{made['key']['id']}/rotate"
    second = (await owner.post(path)).json()
    old, new = script(made["token"]), script(second["token"])

    assert second["key"]["former_until"] is not None
    assert [(await one.get("conversations")).status_code for one in (old, new)] == [200, 200]
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE api_key SET former_until = now() - interval '1 s'")
    assert [(await one.get("conversations")).status_code for one in (old, new)] == [401, 200]
    third = (await owner.post(path)).json()
    await owner.post(path)
    assert (await new.get("conversations")).status_code == 401
    assert (await script(third["token"]).get("conversations")).status_code == 200


async def test_key_is_renamed(owner):
    """The name changes, and an empty one is refused by its field."""
    made = await make(owner, "inbox.read")
    path = f"api-keys/{made['key']['id']}"
    assert (await owner.patch(path, json={"name": "  Nightly   export "})).json()["key"]["name"] == "Nightly export"
    refused = await owner.patch(path, json={"name": " "})
    assert (refused.status_code, refused.json()["field"]) == (422, "name")


async def test_lists_are_paged(owner):
    """Two pages hold every key once."""
    made = {(await make(owner, "inbox.read"))["key"]["id"] for _ in range(3)}
    first = (await owner.get("api-keys", params={"limit": 2})).json()
    second = (await owner.get("api-keys", params={"limit": 2, "before": first["next"]})).json()
    assert {one["id"] for one in first["keys"] + second["keys"]} == made
    assert second["next"] is None


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({}, "scopes"),
        ({"scopes": ["keys.manage"]}, "scopes"),
        ({"scopes": ["roles.manage"]}, "scopes"),
        ({"scopes": ["no.such"]}, "scopes[0]"),
        ({"scopes": ["inbox.read"], "inbox_ids": []}, "inbox_ids"),
        ({"scopes": ["inbox.read"], "inbox_ids": [str(uuid.uuid4())]}, "inbox_ids"),
        ({"scopes": ["inbox.read"], "name": ""}, "name"),
        ({"scopes": ["inbox.read"], "expires_at": "2030-01-01T00:00:00"}, "expires_at"),
    ],
)
async def test_unusable_key_is_refused_by_its_field(owner, fields, field):
    """Nothing is made, and the field is named."""
    answer = await owner.post("api-keys", json={"name": "x", **fields})
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert (await owner.get("api-keys")).json()["keys"] == []


async def test_nobody_gives_what_they_do_not_have(agent, owner, database, workspace):
    """An agent makes no key of the workspace, and no token of their own that may more than they."""
    assert (await agent.post("api-keys", json={"name": "x", "scopes": ["inbox.read"]})).status_code == 403
    refused = await agent.post("personal-tokens", json={"name": "x", "scopes": ["channels.manage"]})
    assert (refused.status_code, refused.json()["field"]) == (422, "scopes")
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE inbox SET restricted = true WHERE id = $1", workspace.other_inbox_id)
    unseen = await agent.post("personal-tokens", json={"name": "x", "inbox_ids": [str(workspace.other_inbox_id)]})
    assert (unseen.status_code, unseen.json()["field"]) == (422, "inbox_ids")


@pytest.mark.parametrize("role", Role)
async def test_scopes_reach_exactly_as_far_as_the_makers_role(owner, script, database, workspace, role):
    """Role by scope by route: a key of everything, whose maker is a given role now, is refused by the same routes."""
    every = sorted(set(Permission) - {Permission.KEYS_MANAGE, Permission.ROLES_MANAGE})
    client = script((await make(owner, *every))["token"])
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = $1 WHERE id = $2", role.value, workspace.owner_id)
    wrong = {}
    for route in ROUTES:
        if isinstance(route.access, Permission):
            more = {"json": {}} if route.body is not None else {}
            answer = await client.request(route.method, address(route, workspace.id), **more)
            refused = answer.status_code == 403 and answer.json()["code"] == "forbidden"
            if refused is not (route.people_only or route.step_up or route.access not in MATRIX[role]):
                wrong[f"{route.method} {route.path}"] = answer.status_code
    assert wrong == {}


@pytest.mark.parametrize("scope", sorted(set(Permission) - {Permission.KEYS_MANAGE, Permission.ROLES_MANAGE}))
async def test_one_scope_opens_its_own_routes_only(owner, script, workspace, scope):
    """A key with one scope is refused by every route of another."""
    client = script((await make(owner, scope))["token"])
    for route in ROUTES:
        if isinstance(route.access, Permission) and (route.access is not scope or route.people_only):
            more = {"json": {}} if route.body is not None else {}
            answer = await client.request(route.method, address(route, workspace.id), **more)
            assert answer.status_code == 403, route.path


async def test_key_never_reaches_account_routes(owner, script, workspace):
    """No route of a session, and none that manages keys, takes a key: neither kind."""
    tokens = [(await make(owner, "inbox.read"))["token"], (await make(owner, where="personal-tokens"))["token"]]
    routes = [one for one in ROUTES if one.access is Access.SESSION or one.people_only]
    assert len(routes) >= 12
    for token in tokens:
        client = script(token)
        for route in routes:
            more = {"json": {}} if route.body is not None else {}
            answer = await client.request(route.method, address(route, workspace.id), **more)
            assert answer.status_code in (401, 403), route.path


async def test_key_of_another_workspace_does_not_exist(owner, script, other, database, workspace):
    """Two tenants: a key opens nothing of the other one's, on any route, and cannot be managed from there."""
    made = await make(owner, "inbox.read", "channels.manage", "contacts.write")
    client = script(made["token"], other.id)
    for route in ROUTES:
        if isinstance(route.access, Permission):
            more = {"json": {}} if route.body is not None else {}
            answer = await client.request(route.method, address(route, other.id), **more)
            assert answer.status_code in (401, 403), route.path
            assert "Contoso" not in answer.text
    stranger = script(await session_of(database, other.login_id), other.id)
    key_id = made["key"]["id"]
    assert (await stranger.get("api-keys")).json()["keys"] == []
    for method, path in (
        ("PATCH", f"api-keys/{key_id}"),
        ("POST", f"api-keys/{key_id}/rotate"),
        ("DELETE", f"api-keys/{key_id}"),
    ):
        answer = await stranger.request(method, path, json={"name": "x"})
        assert answer.status_code == 404, path
    assert (await script(made["token"]).get("conversations")).status_code == 200


async def test_personal_tokens_are_their_members_own(owner, agent):
    """Nobody lists, renames, rotates or revokes somebody else's, owners included."""
    made = await make(agent, where="personal-tokens")
    key_id = made["key"]["id"]
    assert (await owner.get("personal-tokens")).json()["keys"] == []
    for where in ("personal-tokens", "api-keys"):
        assert (await owner.patch(f"{where}/{key_id}", json={"name": "x"})).status_code == 404
        assert (await owner.post(f"{where}/{key_id}/rotate")).status_code == 404
        assert (await owner.delete(f"{where}/{key_id}")).status_code == 404


async def test_key_of_who_left_stops_until_it_is_rotated(owner, script, database, workspace):
    """A workspace's key rests with its maker's membership, and goes on with whoever rotates it."""
    made = await make(owner, "inbox.read")
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET role = 'admin' WHERE id = $1", workspace.agent_id)
        await conn.execute("UPDATE member SET active = false WHERE id = $1", workspace.owner_id)
    stopped = await script(made["token"]).get("conversations")
    assert (stopped.status_code, "rotate" in stopped.json()["message"]) == (403, True)
    admin = script(await session_of(database, await login_of(database, workspace.id, workspace.agent_id)))
    rotated = (await admin.post(f"api-keys/{made['key']['id']}/rotate")).json()
    assert rotated["key"]["member_id"] == str(workspace.agent_id)
    assert (await script(rotated["token"]).get("conversations")).status_code == 200


async def test_inbox_list_narrows_a_key(owner, script, workspace, conversation_id):
    """Conversations of other inboxes do not exist for it."""
    inside = script((await make(owner, "inbox.read", inbox_ids=[str(workspace.inbox_id)]))["token"])
    outside = script((await make(owner, "inbox.read", inbox_ids=[str(workspace.other_inbox_id)]))["token"])
    path = f"conversations/{conversation_id}"
    assert [(await one.get(path)).status_code for one in (inside, outside)] == [200, 404]


async def test_workspace_key_writes_in_its_own_name(owner, script, database, workspace, conversation_id):
    """Its message is the system's, named by the key, and sent twice it is one; it has no read marks."""
    made = await make(owner, "inbox.read", "inbox.reply", name="Order robot")
    client, body = script(made["token"]), new_message()
    path = f"conversations/{conversation_id}/messages"
    first, again = await client.post(path, json=body), await client.post(path, json=body)
    assert (first.status_code, first.json()) == (201, again.json())
    async with database.transaction([workspace.id]) as conn:
        row = await conn.fetchrow(
            "SELECT author_kind, author_id, author_name FROM message WHERE direction = 'outbound'"
        )
        actor_id = await conn.fetchval("SELECT actor_id FROM event WHERE type = 'message_queued'")
    assert (row["author_kind"], str(row["author_id"]), row["author_name"]) == (
        "system",
        made["key"]["id"],
        "Order robot",
    )
    assert str(actor_id) == made["key"]["id"]
    assert (await client.get("snapshot")).json()["me"]["name"] == "Order robot"
    assert (await client.put(f"conversations/{conversation_id}/read", json={"seq": 1})).status_code == 403


async def test_personal_token_writes_as_its_member(agent, script, database, workspace, conversation_id):
    """For everybody else it is the member who wrote."""
    client = script((await make(agent, where="personal-tokens"))["token"])
    assert (await client.post(f"conversations/{conversation_id}/messages", json=new_message())).status_code == 201
    assert (await client.put(f"conversations/{conversation_id}/read", json={"seq": 1})).status_code == 200
    async with database.transaction([workspace.id]) as conn:
        row = await conn.fetchrow("SELECT author_kind, author_id FROM message WHERE direction = 'outbound'")
    assert (row["author_kind"], row["author_id"]) == ("member", workspace.agent_id)


async def test_last_use_is_noted_once_a_minute(owner, script, database, workspace):
    """The first call notes it, those within the minute leave the row alone."""
    client = script((await make(owner, "inbox.read"))["token"])

    async def versions() -> tuple[object, object]:
        async with database.transaction([workspace.id]) as conn:
            row = await conn.fetchrow("SELECT last_used_at, xmin::text AS written FROM api_key")
        return row["last_used_at"], row["written"]

    assert (await versions())[0] is None
    await client.get("conversations")
    noted = await versions()
    for _ in range(3):
        await client.get("conversations")
    assert noted[0] is not None
    assert await versions() == noted


async def test_mistyped_key_asks_no_database(script, parts, owner):
    """A typing error is told by the crc: the answer says so, without a query."""
    token = (await make(owner, "inbox.read"))["token"]
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    asked = parts.database.usage.waited.count
    answer = await script(wrong).get("conversations")
    assert (answer.status_code, "mistyped" in answer.json()["message"]) == (401, True)
    assert parts.database.usage.waited.count == asked
