"""Sessions of phones, over HTTP: short access tokens, refresh tokens good once, and what happens when one comes twice."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from api.ws_ports import SocketPorts
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer
from hub.errors import NotSignedIn
from hub.realtime.ports import Handshake
from hub.realtime.protocol import Hello
from tests.factors import Records, add_totp, code_of
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in
from tests.system_mails import queued_mails

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

REFRESH = "/api/v1/session/refresh"


@pytest.fixture
def parts(parts):
    sealer = Sealer({1: bytes(32)})
    return replace(parts, sealer=sealer, routes=ChannelRoutes(parts.database, sealer))


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
async def phone(client, tenant):
    """What a phone got by signing in."""
    body = {"email": OWNER_EMAIL, "password": PASSWORD, "bearer": True, "refresh": True}
    answer = await client.post("/api/v1/session", json=body)
    assert answer.status_code == 200, answer.text
    assert "set-cookie" not in answer.headers
    return answer.json()


async def refresh(client, token):
    return await client.post(REFRESH, json={"refresh_token": token})


async def opens(client, token) -> bool:
    headers = {"authorization": f"Bearer {token}"}
    return (await client.get("/api/v1/session", headers=headers)).status_code == 200


async def greets(parts, tenant, token) -> bool:
    """Whether a socket's ``hello`` with this token is let in."""
    handshake = Handshake(cookie_token=None, origin=None, address="127.0.0.1", user_agent="phone")
    try:
        await SocketPorts(parts).authorise(
            Hello(protocol=1, client="phone", bearer=token, workspace_id=tenant.workspace_id), handshake
        )
    except NotSignedIn:
        return False
    return True


async def test_access_token_is_good_for_a_quarter_of_an_hour(client, parts, phone, tenant, owner):
    """For calls and for ``hello``; after that nothing opens before it is renewed, and the session is still there."""
    assert phone["expires_in_s"] == 900
    assert await opens(client, phone["token"])
    assert await greets(parts, tenant, phone["token"])
    left = await owner.fetchval("SELECT extract(epoch FROM token_expires_at - now()) FROM login_session")
    assert 890 < left <= 900
    await owner.execute("UPDATE login_session SET token_expires_at = now() - interval '1 second'")
    assert not await opens(client, phone["token"])
    assert not await greets(parts, tenant, phone["token"])
    renewed = (await refresh(client, phone["refresh_token"])).json()
    assert await opens(client, renewed["token"])
    assert await greets(parts, tenant, renewed["token"])


async def test_refreshing_changes_both_tokens_and_keeps_the_session(client, phone, owner):
    """The old access token is worth nothing at once; the list shows one session, the same as before."""
    before = await owner.fetchval("SELECT id FROM login_session")
    renewed = (await refresh(client, phone["refresh_token"])).json()
    assert set(renewed) == {"token", "expires_in_s", "refresh_token"}
    assert not {renewed["token"], renewed["refresh_token"]} & {phone["token"], phone["refresh_token"]}
    assert not await opens(client, phone["token"])
    headers = {"authorization": f"Bearer {renewed['token']}"}
    [session] = (await client.get("/api/v1/sessions", headers=headers)).json()["sessions"]
    assert (session["id"], session["is_this"]) == (str(before), True)


async def test_phone_that_slept_a_week_is_still_signed_in(client, phone, owner):
    """Twelve hours unused end a browser's session, not one with refresh tokens; thirty days do."""
    await owner.execute(
        "UPDATE login_session SET used_at = now() - interval '7 days', token_expires_at = now() - interval '6 days'"
    )
    renewed = (await refresh(client, phone["refresh_token"])).json()
    assert await opens(client, renewed["token"])
    await owner.execute(
        "UPDATE refresh_token SET created_at = now() - interval '31 days', expires_at = now() - interval '1 day'"
    )
    assert (await refresh(client, renewed["refresh_token"])).status_code == 401


async def test_refresh_token_that_comes_twice_ends_the_session(client, phone, owner, database):
    """Two have it, nobody knows who is the thief: both are out, everything of the family is void, the owner is told."""
    renewed = (await refresh(client, phone["refresh_token"])).json()
    await owner.execute("UPDATE refresh_token SET used_at = used_at - interval '11 seconds'")
    assert (await refresh(client, phone["refresh_token"])).status_code == 401
    assert not await opens(client, renewed["token"])
    assert (await refresh(client, renewed["refresh_token"])).status_code == 401
    assert await owner.fetchval("SELECT count(*) FROM login_session WHERE revoked_at IS NULL") == 0
    assert (await queued_mails(database))[-1][:2] == (OWNER_EMAIL, "security_changed")
    assert await owner.fetchval("SELECT count(*) FROM audit_entry WHERE action = 'session.refresh_reused'") == 1


async def test_lost_answer_is_asked_for_again(client, phone):
    """Within ten seconds, and not with the same child; the child that is used first voids the other."""
    lost = (await refresh(client, phone["refresh_token"])).json()
    second = (await refresh(client, phone["refresh_token"])).json()
    assert lost["refresh_token"] != second["refresh_token"]
    assert await opens(client, second["token"])
    third = await refresh(client, second["refresh_token"])
    assert third.status_code == 200
    # Whoever got the other child is found out the moment they use it.
    assert (await refresh(client, lost["refresh_token"])).status_code == 401
    assert not await opens(client, third.json()["token"])


async def test_parent_is_not_taken_once_a_child_was_used(client, phone):
    """Within the grace as well: an answer whose child is in use was not lost."""
    renewed = (await refresh(client, phone["refresh_token"])).json()
    assert (await refresh(client, renewed["refresh_token"])).status_code == 200
    assert (await refresh(client, phone["refresh_token"])).status_code == 401


async def test_two_refreshes_at_once_leave_the_client_signed_in(client, phone):
    """Two windows of one client: both are answered, no child is given twice, and either may go on."""
    first, second = await asyncio.gather(*(refresh(client, phone["refresh_token"]) for _ in range(2)))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json()["refresh_token"] != second.json()["refresh_token"]
    assert sum([await opens(client, one.json()["token"]) for one in (first, second)]) == 1
    assert (await refresh(client, first.json()["refresh_token"])).status_code == 200


async def test_grace_is_no_tap(client, phone):
    """A token presented again and again is no lost answer."""
    answers = [(await refresh(client, phone["refresh_token"])).status_code for _ in range(6)]
    assert answers == [200, 200, 200, 200, 401, 401]


async def test_revoked_session_is_not_renewed(client, parts, phone):
    """Ended from another device, or by its own sign-out, the refresh token is worth nothing."""
    async with browser(parts) as other:
        await sign_in(other)
        listed = (await other.get("/api/v1/sessions")).json()["sessions"]
        [session] = [one for one in listed if not one["is_this"]]
        assert (await other.delete(f"/api/v1/sessions/{session['id']}")).status_code == 204
    assert not await opens(client, phone["token"])
    assert (await refresh(client, phone["refresh_token"])).status_code == 401


async def test_unknown_token_says_nothing(client, tenant):
    """No session ends by a token that was never one; an access token renews nothing."""
    assert (await refresh(client, "never-one")).status_code == 401
    assert (await refresh(client, "")).status_code == 401


async def test_refresh_needs_bearer(client, tenant):
    """A browser's token stays in its cookie, out of reach of scripts."""
    body = {"email": OWNER_EMAIL, "password": PASSWORD, "refresh": True}
    answer = await client.post("/api/v1/session", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, "refresh")


async def test_second_factor_comes_first(client, parts, tenant, database_urls):
    """No tokens before it; then what was asked for."""
    async with browser(parts) as first:
        await sign_in(first)
        secret, _ = await add_totp(first)
    await Records(database_urls.owner_url).forget_steps()
    body = {"email": OWNER_EMAIL, "password": PASSWORD, "bearer": True, "refresh": True}
    half = (await client.post("/api/v1/session", json=body)).json()
    assert "refresh_token" not in half
    finish = {"challenge": half["challenge"], "method": "totp", "code": code_of(secret)}
    done = (await client.post("/api/v1/session/second-factor", json=finish)).json()
    assert done["expires_in_s"] == 900
    assert (await refresh(client, done["refresh_token"])).status_code == 200


async def test_proof_gives_a_phone_another_token_that_runs_out_as_well(client, phone, owner):
    """Step-up does not turn a short-lived token into a long-lived one."""
    headers = {"authorization": f"Bearer {phone['token']}"}
    proved = (await client.post("/api/v1/session/proof", json={"password": PASSWORD}, headers=headers)).json()
    assert await opens(client, proved["token"])
    await owner.execute("UPDATE login_session SET token_expires_at = now() - interval '1 second'")
    assert not await opens(client, proved["token"])
