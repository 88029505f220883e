"""A workspace that asks everybody for a second factor, and members who lost theirs, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from api.step_up import require_proof
from api.ws_ports import SocketPorts
from hub import clock
from hub.accounts import actions, sessions, store
from hub.accounts.model import AccessChanged, NewMember, Role, SignedIn
from hub.channels.sealing import Sealer
from hub.errors import Forbidden, NotFound, SecondFactorNeeded
from hub.realtime.feed import RIGHTS_EVENTS
from hub.realtime.ports import Handshake
from hub.realtime.protocol import Hello
from hub.signin.factors import insisting
from tests.factors import Records, add_totp
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PRIYA = "priya@example.com"


@pytest.fixture
def parts(parts):
    return replace(parts, sealer=Sealer({1: bytes(32)}))


@pytest.fixture
def records(database_urls):
    return Records(database_urls.owner_url)


@pytest.fixture
async def owner(client, tenant):
    """The owner's browser, with an authenticator app."""
    await sign_in(client)
    await add_totp(client)
    return client


async def add_member(parts, workspace_id: int, email: str = PRIYA, role: Role = Role.AGENT):
    async with parts.database.transaction([workspace_id]) as conn:
        member, token = await actions.add_member(conn, workspace_id, NewMember(email=email, role=role))
    password_hash = await parts.passwords.make_hash(PASSWORD)
    async with parts.database.across() as conn:
        used = await actions.consume_link(conn, token, password_hash)
    return member, used.login_id


def security(tenant) -> str:
    return f"/api/v1/workspaces/{tenant.workspace_id}/security"


async def insist(owner, tenant, *, on: bool = True):
    return await owner.put(security(tenant), json={"requires_second_factor": on})


async def test_member_without_a_factor_is_shut_out_until_they_add_one(parts, owner, tenant):
    """From the moment it is on: every route of the workspace is closed to whoever has none, and opens with the first."""
    member, _ = await add_member(parts, tenant.workspace_id)
    async with browser(parts) as priya:
        await sign_in(priya, PRIYA)
        inside = f"/api/v1/workspaces/{tenant.workspace_id}/conversations"
        assert (await priya.get(inside)).status_code == 200
        turned_on = await insist(owner, tenant)
        assert turned_on.json() == {"requires_second_factor": True, "members_without": [str(member.id)]}
        refused = await priya.get(inside)
        assert (refused.status_code, refused.json()["code"]) == (403, "second_factor_needed")
        assert (await priya.get("/api/v1/session")).status_code == 200
        await add_totp(priya)
        assert (await priya.get(inside)).status_code == 200
    assert (await owner.get(security(tenant))).json()["members_without"] == []


async def test_sockets_of_whoever_has_none_are_closed_too(parts, owner, tenant):
    """No ticket, no hello by ticket or bearer, and open sockets lose their grant when rights are read again."""
    _, login_id = await add_member(parts, tenant.workspace_id)
    async with browser(parts) as priya:
        await sign_in(priya, PRIYA)
        token = priya.cookies["hub_session"]
        await insist(owner, tenant)
        ticket = await priya.post("/api/v1/socket-tickets", json={"workspace_id": tenant.workspace_id})
        assert (ticket.status_code, ticket.json()["code"]) == (403, "second_factor_needed")
    with pytest.raises(SecondFactorNeeded):
        await store.find_actor(parts.database, sessions.token_hash(token), tenant.workspace_id)
    async with parts.database.across() as conn:
        with pytest.raises(SecondFactorNeeded):
            await store.load_actor(conn, tenant.workspace_id, login_id)
    async with parts.database.across() as conn:
        wanted = [(tenant.workspace_id, login_id), (tenant.workspace_id, tenant.login_id)]
        assert set(await store.load_actors(conn, wanted)) == {wanted[1]}


async def test_open_socket_loses_its_grant(parts, owner, tenant):
    """A socket that is open when it is turned on is refused at the next look, and may come in again with a factor."""
    await add_member(parts, tenant.workspace_id)
    ports = SocketPorts(replace(parts, routes=object()))
    async with browser(parts) as priya:
        await sign_in(priya, PRIYA)
        hello = Hello(protocol=1, bearer=priya.cookies["hub_session"], workspace_id=tenant.workspace_id)
        grant = await ports.authorise(hello, Handshake())
        await insist(owner, tenant)
        assert await ports.refresh([grant]) == [None]
        with pytest.raises(SecondFactorNeeded):
            await ports.authorise(hello, Handshake())
        await add_totp(priya)
        assert (await ports.authorise(hello, Handshake())).subject_id == grant.subject_id
        assert await ports.refresh([grant]) != [None]


async def test_turning_it_on_is_a_change_of_rights(parts, owner, tenant, notices):
    """Processes with open sockets hear of it by an event that makes them read rights again; resume tickets grow old."""
    async with parts.database.across() as conn:
        before = await store.load_actor(conn, tenant.workspace_id, tenant.login_id)
    notices.clear()
    await insist(owner, tenant)
    async with parts.database.across() as conn:
        after = await store.load_actor(conn, tenant.workspace_id, tenant.login_id)
    assert after.rights_version == before.rights_version + 1
    events = [one for one in notices if not isinstance(one, AccessChanged)]
    assert {one.type for one in events} <= RIGHTS_EVENTS
    assert (len(events), len(notices)) == (1, 2)
    await insist(owner, tenant)
    assert len(notices) == 2


async def test_other_workspaces_are_not_touched(parts, owner, tenant, foreign):
    """What one workspace asks of its members closes no other to anybody."""
    await insist(owner, tenant)
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        assert (await bob.get(f"/api/v1/workspaces/{foreign.workspace_id}/members")).status_code == 200


async def test_owner_without_a_factor_cannot_turn_it_on(client, tenant):
    """Nobody shuts themselves out."""
    await sign_in(client)
    assert (await insist(client, tenant)).status_code == 409


async def test_last_factor_stays_while_it_is_asked_for(owner, tenant, records):
    """Whoever must have a factor cannot remove the only one; afterwards they can."""
    await insist(owner, tenant)
    refused = await owner.delete("/api/v1/factors/totp")
    assert (refused.status_code, "Northwind" in refused.json()["message"]) == (409, True)
    assert (await owner.get("/api/v1/factors")).json()["recovery_codes_left"] == 10
    await insist(owner, tenant, on=False)
    assert (await owner.delete("/api/v1/factors/totp")).status_code == 204
    rows = await records.run(
        "SELECT action, details::text FROM audit_entry WHERE workspace_id = $1 AND action LIKE '%required' ORDER BY id",
        tenant.workspace_id,
    )
    assert [tuple(row) for row in rows] == [
        ("workspace.second_factor_required", '{"on": true}'),
        ("workspace.second_factor_required", '{"on": false}'),
    ]


async def test_only_owners_with_a_fresh_proof_turn_it_on(parts, owner, tenant, records):
    """An admin may not, and an owner only after proving who they are."""
    await add_member(parts, tenant.workspace_id, role=Role.ADMIN)
    async with browser(parts) as admin:
        await sign_in(admin, PRIYA)
        await add_totp(admin)
        assert (await insist(admin, tenant)).json()["code"] == "forbidden"
    await records.age_proofs(11)
    assert (await insist(owner, tenant)).json()["code"] == "proof_needed"


async def test_owner_resets_a_member_who_lost_everything(parts, owner, tenant, records):
    """Their factors and sessions go, a mail tells them, the log says who did it."""
    member, _ = await add_member(parts, tenant.workspace_id)
    path = f"/api/v1/workspaces/{tenant.workspace_id}/members/{member.id}/factors"
    async with browser(parts) as priya:
        await sign_in(priya, PRIYA)
        assert (await owner.delete(path)).status_code == 404
        await add_totp(priya)
        assert (await owner.delete(path)).status_code == 204
        assert (await priya.get("/api/v1/session")).status_code == 401
        await sign_in(priya, PRIYA)
        assert (await priya.get("/api/v1/factors")).json()["methods"] == ["password"]
    (entry,) = await records.run("SELECT * FROM audit_entry WHERE action = 'member.factors_reset'")
    assert (entry["workspace_id"], entry["actor_id"], entry["target_id"]) == (
        tenant.workspace_id,
        tenant.member_id,
        str(member.id),
    )
    assert entry["address"] == "127.0.0.1"
    to, what = (await records.mails())[-1]
    assert to == PRIYA
    assert "removed by somebody who runs your workspace" in what


async def test_member_of_two_workspaces_is_the_operators(parts, owner, tenant, foreign, records):
    """One workspace's owner does not weaken a sign-in that another relies on; the operator can."""
    async with parts.database.transaction([tenant.workspace_id]) as conn:
        shared, _ = await actions.add_member(conn, tenant.workspace_id, NewMember(email=foreign.email, role=Role.AGENT))
    async with browser(parts) as bob:
        await sign_in(bob, foreign.email)
        await add_totp(bob)
        path = f"/api/v1/workspaces/{tenant.workspace_id}/members/{shared.id}/factors"
        refused = await owner.delete(path)
        assert (refused.status_code, "operator" in refused.json()["message"]) == (403, True)
        assert (await bob.get("/api/v1/session")).status_code == 200
        async with parts.database.across() as conn:
            await insisting.reset_login(conn, foreign.email)
        assert (await bob.get("/api/v1/session")).status_code == 401
    (entry,) = await records.run("SELECT * FROM audit_entry WHERE action = 'login.factors_reset'")
    assert (entry["workspace_id"], entry["actor_kind"]) == (0, "operator")
    assert (await records.mails())[-1][0] == foreign.email


async def test_operator_hears_when_there_is_nothing_to_reset(parts, tenant):
    """A mistyped address or a login without factors is said, not passed over."""
    for email in ("nobody@example.com", OWNER_EMAIL):
        async with parts.database.across() as conn:
            with pytest.raises(NotFound):
                await insisting.reset_login(conn, email)


async def test_admin_resets_no_owner_and_nobody_themselves(parts, owner, tenant):
    """Whoever could reset an owner could become one."""
    admin_member, _ = await add_member(parts, tenant.workspace_id, role=Role.ADMIN)
    base = f"/api/v1/workspaces/{tenant.workspace_id}/members"
    async with browser(parts) as admin:
        await sign_in(admin, PRIYA)
        await add_totp(admin)
        for member_id in (tenant.member_id, admin_member.id):
            refused = await admin.delete(f"{base}/{member_id}/factors")
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await owner.get("/api/v1/factors")).json()["totp_since"] is not None


async def test_member_of_another_workspace_is_not_found(owner, tenant, foreign):
    """An owner reaches their own members only."""
    path = f"/api/v1/workspaces/{tenant.workspace_id}/members/{foreign.member_id}/factors"
    assert (await owner.delete(path)).status_code == 404


async def test_key_never_passes_a_dangerous_route(parts, tenant):
    """What calls with an id that is no live session's, such as an API key, is refused whatever its permissions."""
    key = SignedIn(uuid4(), tenant.login_id, "", "A key", clock.now())
    with pytest.raises(Forbidden, match="not a key"):
        await require_proof(parts.database, key)
