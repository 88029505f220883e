"""Operators of the installation over HTTP: who is one, limits, suspending, flags, entering, usage."""

from __future__ import annotations

import re
from dataclasses import replace

import asyncpg
import pytest

from api.ws_ports import SocketPorts
from hub import clock
from hub.accounts import actions as accounts
from hub.accounts.model import NewMember, Role
from hub.channels.sealing import Sealer
from hub.installation.counting import UsageCounts
from hub.installation.flags import Flags
from hub.mailer import actions as mailer
from hub.mailer import vault
from hub.mailer.vault import Vault
from hub.operator_commands import set_operator
from hub.realtime.ports import Handshake
from hub.realtime.protocol import Hello, ProtocolViolation
from tests.integration.api.conftest import OWNER_EMAIL, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PANEL = "/api/v1/operator"
REASON = "Looking into ticket 4711"


class _Routes:
    """No channel accounts: these sockets are members'."""


@pytest.fixture
async def parts(parts):
    sealer = Sealer({1: bytes(32)})
    async with parts.database.across() as conn:
        await mailer.keep_key(conn, Vault(sealer.derive_keys(vault.PURPOSE)).newest)
    return replace(parts, sealer=sealer, flags=Flags(parts.database))


@pytest.fixture
async def operator(client, tenant):
    """The browser of whoever set the installation up."""
    await sign_in(client)
    return client


async def audited(urls, action: str) -> list[tuple[int, str, str]]:
    connection = await asyncpg.connect(urls.owner_url)
    try:
        await connection.execute("SET row_security = off")
        rows = await connection.fetch(
            "SELECT workspace_id, actor_kind, details::text FROM audit_entry WHERE action = $1 ORDER BY workspace_id",
            action,
        )
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


async def test_only_operators_reach_the_panel(operator, parts, foreign):
    """Whoever set the installation up is one; another owner is not, until the command makes them one."""
    assert (await operator.get(f"{PANEL}/workspaces")).status_code == 200
    assert (await operator.get("/api/v1/session")).json()["is_operator"] is True
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        assert (await bob.get(f"{PANEL}/workspaces")).status_code == 403
        await set_operator(parts.database, foreign.email, is_operator=True)
        assert (await bob.get(f"{PANEL}/workspaces")).status_code == 200
        await set_operator(parts.database, foreign.email, is_operator=False)
        assert (await bob.get(f"{PANEL}/workspaces")).status_code == 403
    async with browser(parts) as nobody:
        assert (await nobody.get(f"{PANEL}/workspaces")).status_code == 401


async def test_an_old_sign_in_without_second_factor_is_asked_for_a_proof(operator, parts, database_urls):
    """Ten minutes after signing in by password alone the panel wants a proof."""
    connection = await asyncpg.connect(database_urls.owner_url)
    await connection.execute("UPDATE login_session SET proved_at = now() - interval '11 minutes'")
    await connection.close()
    refused = await operator.get(f"{PANEL}/workspaces")
    assert (refused.status_code, refused.json()["code"], refused.json()["methods"]) == (
        403,
        "proof_needed",
        ["password"],
    )


async def test_list_is_paged_and_searched(operator, tenant, foreign):
    """Newest first, a page at a time, by a part of the name; the counts are the workspace's own."""
    first = (await operator.get(f"{PANEL}/workspaces?limit=1")).json()
    second = (await operator.get(f"{PANEL}/workspaces?limit=1&before={first['next']}")).json()
    assert [one["workspaces"][0]["id"] for one in (first, second)] == [foreign.workspace_id, tenant.workspace_id]
    assert second["next"] is None
    found = (await operator.get(f"{PANEL}/workspaces?q=northw")).json()["workspaces"]
    assert [(one["id"], one["members"]) for one in found] == [(tenant.workspace_id, 1)]
    assert (await operator.get(f"{PANEL}/workspaces?before=x")).json()["field"] == "before"


async def set_limits(operator, workspace_id, version=0, **limits):
    body = {"limits": limits, "version": version}
    return await operator.put(f"{PANEL}/workspaces/{workspace_id}/limits", json=body)


async def test_limits_are_changed_by_whoever_saw_the_newest(operator, foreign):
    """A change made on an old version is refused; a good one is read back."""
    assert (await set_limits(operator, foreign.workspace_id, members=3)).json()["own"]["version"] == 1
    assert (await set_limits(operator, foreign.workspace_id, members=9)).status_code == 412
    assert (await set_limits(operator, foreign.workspace_id, 1, members=4)).status_code == 200
    detail = (await operator.get(f"{PANEL}/workspaces/{foreign.workspace_id}")).json()
    assert (detail["limits"]["own"]["limits"]["members"], detail["usage"]["limits"]["members"]) == (4, 4)
    assert (await set_limits(operator, 99_999, members=4)).status_code == 404


async def test_limits_hold_where_things_happen(operator, parts, tenant):
    """Members, files and sockets past the limit are refused in words that name it."""
    base = f"/api/v1/workspaces/{tenant.workspace_id}"
    await set_limits(operator, tenant.workspace_id, members=1, storage_bytes=1_000, sockets=1)
    invited = await operator.post(f"{base}/invitations", json={"emails": ["new@example.com"], "role": "agent"})
    assert (invited.status_code, invited.json()["code"], invited.json()["field"]) == (409, "limit_reached", "members")
    async with parts.database.transaction([tenant.workspace_id]) as conn:
        with pytest.raises(Exception, match="at most 1 members"):
            await accounts.add_member(conn, tenant.workspace_id, NewMember(email="x@example.com", role=Role.AGENT))
    ports = SocketPorts(replace(parts, routes=_Routes()))
    hello = Hello(protocol=1, workspace_id=tenant.workspace_id)
    handshake = Handshake(address="127.0.0.1", cookie_token=operator.cookies["hub_session"])
    assert (await ports.authorise(hello, handshake)).may_reply
    counts = UsageCounts(parts.database, "one", lambda: {tenant.workspace_id: 1})
    await counts.flush()
    with pytest.raises(ProtocolViolation, match="at most 1 sockets"):
        await ports.authorise(hello, handshake)


async def test_suspended_workspace_is_closed_with_words(operator, parts, foreign, database_urls):
    """Members read why, strangers learn nothing, and it opens again; both are in both logs."""
    base = f"/api/v1/workspaces/{foreign.workspace_id}"
    path = f"{PANEL}/workspaces/{foreign.workspace_id}/suspension"
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        assert (await bob.get(f"{base}/snapshot")).status_code == 200
        assert (await operator.put(path, json={"why": "The bill is open."})).json()["workspace"]["suspended_at"]
        refused = await bob.get(f"{base}/snapshot")
        assert (refused.status_code, refused.json()["code"]) == (403, "workspace_suspended")
        assert "The bill is open." in refused.json()["message"]
        assert (await operator.get(f"{base}/snapshot")).json()["code"] == "forbidden"
        assert (await operator.delete(path)).status_code == 200
        assert (await bob.get(f"{base}/snapshot")).status_code == 200
    for action in ("workspace.suspended", "workspace.resumed"):
        assert [one[0] for one in await audited(database_urls, action)] == [0, foreign.workspace_id]


async def test_flags_switch_features(operator, tenant):
    """Off for the installation closes it everywhere; a workspace's own word goes before; clients are told."""
    base = f"/api/v1/workspaces/{tenant.workspace_id}"
    assert (await operator.put(f"{PANEL}/flags/new_workspaces", json={"is_on": False})).status_code == 200
    assert (await operator.post("/api/v1/workspaces", json={"name": "Second"})).status_code == 403
    assert "new_workspaces" not in (await operator.get(f"{base}/snapshot")).json()["flags"]
    await operator.put(f"{PANEL}/flags/api_keys", json={"is_on": False})
    own = await operator.put(f"{PANEL}/workspaces/{tenant.workspace_id}/flags/api_keys", json={"is_on": True})
    assert next(one for one in own.json()["flags"] if one["name"] == "api_keys")["is_on"] is True
    assert "api_keys" in (await operator.get(f"{base}/snapshot")).json()["flags"]
    refused = await operator.put(f"{PANEL}/workspaces/{tenant.workspace_id}/flags/new_workspaces", json={"is_on": True})
    assert refused.status_code == 422
    assert (await operator.put(f"{PANEL}/flags/nonsense", json={"is_on": True})).status_code == 404


async def enter(operator, workspace_id: int, **fields):
    body = {"reason": REASON, **fields}
    return await operator.post(f"{PANEL}/workspaces/{workspace_id}/entering", json=body)


async def test_operator_enters_sees_and_leaves(operator, parts, foreign, database_urls):
    """The stay shows in the session, opens that workspace alone, is told to its owners, and ends."""
    base = f"/api/v1/workspaces/{foreign.workspace_id}"
    assert (await operator.get(f"{base}/snapshot")).status_code == 403
    assert (await enter(operator, foreign.workspace_id, reason=" ")).json()["field"] == "reason"
    assert (await enter(operator, foreign.workspace_id, minutes=61)).json()["field"] == "minutes"
    assert (await enter(operator, foreign.workspace_id)).status_code == 201
    session = (await operator.get("/api/v1/session")).json()
    assert (session["entered"]["workspace_id"], session["entered"]["reason"]) == (foreign.workspace_id, REASON)
    snapshot = (await operator.get(f"{base}/snapshot")).json()
    assert snapshot["workspace"]["name"] == "Contoso"
    assert not {"inbox.reply", "keys.manage", "privacy.manage", "workspace.manage"} & set(snapshot["permissions"])
    entered = await audited(database_urls, "workspace.entered")
    assert [one[0] for one in entered] == [0, foreign.workspace_id]
    assert REASON in entered[1][2]
    connection = await asyncpg.connect(database_urls.owner_url)
    await connection.execute("SET row_security = off")
    mails = await connection.fetch("SELECT recipient FROM system_mail WHERE template = 'operator_entered'")
    told = await connection.fetchval("SELECT count(*) FROM notice WHERE detail = 'operator_entered'")
    await connection.close()
    assert ([one["recipient"] for one in mails], told) == ([foreign.email], 1)
    assert (await operator.delete("/api/v1/entered")).status_code == 204
    assert (await operator.get("/api/v1/session")).json()["login"]["email"] == OWNER_EMAIL
    assert (await operator.get(f"{base}/snapshot")).status_code == 403


async def test_stay_opens_nothing_else(operator, tenant, foreign):
    """Not the operator's own workspace, nor the panel, nor what is the member's own or about security and keys."""
    await enter(operator, foreign.workspace_id)
    base = f"/api/v1/workspaces/{foreign.workspace_id}"
    for method, path in (
        ("GET", f"/api/v1/workspaces/{tenant.workspace_id}/snapshot"),
        ("GET", f"{PANEL}/workspaces"),
        ("GET", "/api/v1/factors"),
        ("POST", "/api/v1/workspaces"),
        ("POST", "/api/v1/socket-tickets"),
        ("GET", f"{base}/api-keys"),
        ("PATCH", base),
        ("PUT", f"{base}/operators"),
        ("PUT", f"{base}/security"),
    ):
        answer = await operator.request(method, path, json={} if method != "GET" else None)
        assert answer.status_code == 403, (method, path)


async def test_every_audit_row_of_a_stay_names_the_operator(operator, tenant, foreign, database_urls):
    """What an operator changes as a member is logged with the operator's login."""
    await enter(operator, foreign.workspace_id)
    made = await operator.post(f"/api/v1/workspaces/{foreign.workspace_id}/inboxes", json={"name": "Mended"})
    assert made.status_code == 201, made.text
    rows = await audited(database_urls, "inbox.made") or await audited(database_urls, "inbox.created")
    assert rows
    assert re.search(rf'"operator_id":\s*"{tenant.login_id}"', rows[0][2])


async def test_owner_ends_and_refuses_stays(operator, parts, foreign):
    """An owner sees the stay, ends it at once, and lets nobody in any more."""
    base = f"/api/v1/workspaces/{foreign.workspace_id}"
    await enter(operator, foreign.workspace_id)
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        (stay,) = (await bob.get(f"{base}/operators")).json()["entered"]
        assert (await bob.delete(f"{base}/operators/entered/{stay['session_id']}")).status_code == 204
        assert (await operator.get(f"{base}/snapshot")).status_code == 401
        assert (await bob.put(f"{base}/operators", json={"allowed": False})).json()["allowed"] is False
    operator.cookies.delete("hub_entered")
    assert (await enter(operator, foreign.workspace_id)).status_code == 403


async def stays(urls) -> list[tuple[bool, bool]]:
    """Of each stay: whether it has ended, and whether its session has."""
    connection = await asyncpg.connect(urls.owner_url)
    try:
        await connection.execute("SET row_security = off")
        rows = await connection.fetch(
            "SELECT e.ended_at IS NOT NULL, s.revoked_at IS NOT NULL FROM entered_session e"
            " JOIN login_session s ON s.id = e.session_id ORDER BY e.began_at"
        )
    finally:
        await connection.close()
    return [tuple(row) for row in rows]


async def test_signing_out_during_a_stay_ends_both(operator, foreign, database_urls):
    """Whoever says "sign out" is gone: from the workspace, noted in both logs, and from their own session."""
    await enter(operator, foreign.workspace_id)
    kept = dict(operator.cookies)
    assert (await operator.delete("/api/v1/session")).status_code == 204
    assert await stays(database_urls) == [(True, True)]
    assert [one[0] for one in await audited(database_urls, "workspace.left")] == [0, foreign.workspace_id]
    for name, value in kept.items():
        operator.cookies.clear()
        answer = await operator.get("/api/v1/session", headers={"cookie": f"{name}={value}"})
        assert answer.status_code == 401, name


async def test_signing_in_during_a_stay_ends_it(operator, tenant, foreign, database_urls):
    """The cookie goes, so the session behind it goes as well."""
    await enter(operator, foreign.workspace_id)
    await sign_in(operator)
    assert await stays(database_urls) == [(True, True)]
    assert (await operator.get("/api/v1/session")).json().get("entered") is None


async def test_stay_says_when_it_ended(operator, parts, foreign, database_urls):
    """It ran out, its member's sessions were ended, or its operator is none any more: the owners' list tells."""
    connection = await asyncpg.connect(database_urls.owner_url)
    base = f"/api/v1/workspaces/{foreign.workspace_id}"
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        await enter(operator, foreign.workspace_id)
        assert (await bob.get(f"{base}/operators")).json()["entered"][0]["ended_at"] is None
        ran_out = "began_at = now() - interval '9 min', expires_at = now() - interval '5 min'"
        await connection.execute(f"UPDATE entered_session SET {ran_out}")
        stay = (await bob.get(f"{base}/operators")).json()["entered"][0]
        assert stay["ended_at"] == stay["expires_at"]

        operator.cookies.delete("hub_entered")
        await enter(operator, foreign.workspace_id)
        assert (await bob.delete("/api/v1/sessions")).status_code == 200
        assert (await bob.get(f"{base}/operators")).json()["entered"][0]["ended_at"] is not None
        assert (await operator.get("/api/v1/session")).status_code == 401

        operator.cookies.delete("hub_entered")
        assert (await enter(operator, foreign.workspace_id)).status_code == 201
        await set_operator(parts.database, OWNER_EMAIL, is_operator=False)
        assert (await bob.get(f"{base}/operators")).json()["entered"][0]["ended_at"] is not None
        assert (await operator.get("/api/v1/session")).status_code == 401
    await connection.close()


async def test_stay_hears_on_the_socket_and_may_not_write(operator, parts, foreign):
    """The stay's socket opens that workspace only, and its grant may not reply, also when it is read again."""
    await enter(operator, foreign.workspace_id)
    ports = SocketPorts(replace(parts, routes=_Routes()))
    handshake = Handshake(address="127.0.0.1", cookie_token=operator.cookies["hub_entered"])
    grant = await ports.authorise(Hello(protocol=1, workspace_id=foreign.workspace_id), handshake)
    (again,) = await ports.refresh([grant])
    assert (grant.may_reply, again.may_reply) == (False, False)


async def test_usage_counts_calls_and_sockets(operator, parts, tenant):
    """Calls of the API are counted by day, sockets at their most; what was counted twice is added."""
    counts = UsageCounts(parts.database, "one", lambda: {tenant.workspace_id: 3})
    for _ in range(5):
        counts.note_call(tenant.workspace_id)
    await counts.flush()
    counts.note_call(tenant.workspace_id)
    await counts.flush()
    usage = (await operator.get(f"/api/v1/workspaces/{tenant.workspace_id}/usage")).json()
    today = usage["days"][-1]
    assert (len(usage["days"]), today["day"], today["api_calls"]) == (30, clock.now().date().isoformat(), 6)
    assert (today["most_sockets"], usage["sockets"], usage["members"]) == (3, 3, 1)
