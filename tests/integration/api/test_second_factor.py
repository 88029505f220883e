"""Signing in with a second factor, over HTTP: asked for by every way in, shown once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hub.accounts import actions
from hub.accounts.model import LinkPurpose
from hub.channels.sealing import Sealer
from tests.authenticator import Authenticator
from tests.factors import Records, add_passkey, add_totp, code_of
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

FINISH = "/api/v1/session/second-factor"


@pytest.fixture
def parts(parts):
    return replace(parts, sealer=Sealer({1: bytes(32)}))


@pytest.fixture
def records(database_urls):
    return Records(database_urls.owner_url)


@pytest.fixture
async def enrolled(parts, tenant, records):
    """An owner with an authenticator app whose code of this moment is not used yet: the secret and recovery codes."""
    async with browser(parts) as first:
        await sign_in(first)
        secret, codes = await add_totp(first)
    await records.forget_steps()
    return secret, codes


async def finish(client, challenge: str, code: str, method: str = "totp"):
    return await client.post(FINISH, json={"challenge": challenge, "method": method, "code": code})


async def begin(client) -> str:
    answer = await sign_in(client)
    assert answer.status_code == 401, answer.text
    return answer.json()["challenge"]


async def test_password_alone_lets_nobody_in(client, enrolled):
    """The right password of somebody with a factor gives no session: no cookie, no token, a challenge instead."""
    answer = await sign_in(client)
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    assert answer.json()["methods"] == ["totp", "recovery_code"]
    assert "set-cookie" not in answer.headers
    assert (await client.get("/api/v1/session")).status_code == 401
    bearer = {"authorization": f"Bearer {answer.json()['challenge']}"}
    assert (await client.get("/api/v1/session", headers=bearer)).status_code == 401


async def test_wrong_password_says_nothing_of_factors(client, enrolled):
    """Nobody learns that an account has a second factor without its password."""
    wrong = await sign_in(client, password="not the password")
    unknown = await sign_in(client, "nobody@example.com", "not the password")
    assert wrong.json() == unknown.json()


async def test_code_lets_its_owner_in(client, enrolled, tenant):
    """Password, then code: the session is there, fresh enough for dangerous things."""
    secret, _ = enrolled
    answer = await finish(client, await begin(client), code_of(secret))
    assert (answer.status_code, answer.json()["login"]["email"]) == (200, OWNER_EMAIL)
    assert "token" not in answer.json()
    assert (await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")).status_code == 200
    assert (await client.post("/api/v1/factors/recovery-codes")).status_code == 200


async def test_bearer_client_gets_its_token_at_the_end(client, enrolled):
    """A client without cookies is asked as well, and gets what it asked for."""
    secret, _ = enrolled
    body = {"email": OWNER_EMAIL, "password": PASSWORD, "bearer": True}
    challenge = (await client.post("/api/v1/session", json=body)).json()["challenge"]
    answer = await finish(client, challenge, code_of(secret))
    assert "set-cookie" not in answer.headers
    headers = {"authorization": f"Bearer {answer.json()['token']}"}
    assert (await client.get("/api/v1/session", headers=headers)).status_code == 200


async def test_code_is_not_taken_a_second_time(parts, enrolled):
    """Whoever sees password and code typed, and types both at once elsewhere, does not get in (replay)."""
    secret, _ = enrolled
    code = code_of(secret)
    async with browser(parts) as owner, browser(parts) as thief:
        ours, theirs = await begin(owner), await begin(thief)
        answers = await asyncio.gather(finish(owner, ours, code), finish(thief, theirs, code))
        assert sorted(one.status_code for one in answers)[0] == 200
        assert sum(one.status_code == 200 for one in answers) == 1
        assert (await finish(thief, await begin(thief), code)).status_code == 422


async def test_challenge_is_used_up(client, enrolled):
    """After the sign-in its challenge starts no second session, with a fresh code or a recovery code."""
    secret, codes = enrolled
    challenge = await begin(client)
    assert (await finish(client, challenge, code_of(secret))).status_code == 200
    for method, code in (("totp", code_of(secret, 1)), ("recovery_code", codes[0])):
        assert (await finish(client, challenge, code, method)).json()["field"] == "challenge"


async def test_challenge_runs_out(client, enrolled, records):
    """Ten minutes later one signs in anew."""
    secret, _ = enrolled
    challenge = await begin(client)
    await records.run(
        "UPDATE login_challenge SET created_at = now() - interval '1 hour', expires_at = now() - interval '1 s'"
    )
    assert (await finish(client, challenge, code_of(secret))).json()["field"] == "challenge"


@pytest.mark.parametrize("challenge", ["", "x", "é" * 50, "x" * 100])
async def test_made_up_challenge_is_refused(client, enrolled, challenge):
    """Without the password's challenge a code opens nothing."""
    secret, _ = enrolled
    assert (await finish(client, challenge, code_of(secret))).json()["field"] == "challenge"


async def test_challenge_is_stored_as_a_hash(client, enrolled, records):
    """Whoever reads the table cannot go on with somebody's sign-in."""
    challenge = await begin(client)
    (row,) = await records.run("SELECT * FROM login_challenge")
    assert challenge not in str(dict(row))


async def test_wrong_code_may_be_mended_and_is_limited(client, enrolled, records):
    """A mistyped code does not end the sign-in; five do for a while, over any number of challenges and addresses."""
    secret, _ = enrolled
    challenge = await begin(client)
    statuses = [(await finish(client, challenge, "000000")).status_code for _ in range(3)]
    challenge = await begin(client)
    statuses += [(await finish(client, challenge, "000000")).status_code for _ in range(2)]
    assert statuses == [422] * 5
    refused = await finish(client, await begin(client), code_of(secret))
    assert (refused.status_code, refused.json()["retry_after_s"] > 0) == (429, True)
    assert (await records.audited()).count("second_factor.refused") == 5


async def test_guessing_for_a_day_is_limited(client, enrolled, parts):
    """Who waits out each quarter of an hour gets twenty guesses a day, and is then told to wait for hours."""
    secret, _ = enrolled
    for _ in range(4):
        challenge = await begin(client)
        assert [(await finish(client, challenge, "000000")).status_code for _ in range(5)] == [422] * 5
        async for key in parts.redis_ephemeral.scan_iter("throttle:second_factor:quarter:*"):
            await parts.redis_ephemeral.delete(key)
    refused = await finish(client, await begin(client), code_of(secret))
    assert (refused.status_code, refused.json()["retry_after_s"] > 80_000) == (429, True)


async def test_five_tries_end_a_challenge(client, enrolled, parts):
    """A challenge is good for five tries, also where nothing else counts them."""
    secret, _ = enrolled
    challenge = await begin(client)
    for _ in range(5):
        await finish(client, challenge, "000000")
    await parts.redis_ephemeral.flushall()
    refused = await finish(client, challenge, code_of(secret))
    assert (refused.status_code, refused.json()["field"]) == (422, "challenge")
    assert (await finish(client, await begin(client), code_of(secret))).status_code == 200


@pytest.mark.parametrize(
    "body", [{"method": "totp"}, {"method": "passkey", "code": "000000"}, {"method": "password", "code": "x"}]
)
async def test_method_and_proof_belong_together(client, enrolled, body):
    """What is sent must be what is said; a password is no second factor."""
    challenge = await begin(client)
    answer = await client.post(FINISH, json={"challenge": challenge, **body})
    assert (answer.status_code, answer.json()["field"]) == (422, "method")


async def test_code_of_another_kind_than_said_is_refused(client, enrolled):
    """A recovery code is not used up by somebody who meant to type the app's code."""
    _, codes = enrolled
    challenge = await begin(client)
    assert (await finish(client, challenge, codes[0], "totp")).status_code == 422
    assert (await finish(client, challenge, codes[0], "recovery_code")).status_code == 200


async def test_recovery_code_lets_in_and_the_app_can_go(client, enrolled, records):
    """Who lost the phone comes in by a recovery code and removes the app; a mail tells of both."""
    _, codes = enrolled
    assert (await finish(client, await begin(client), codes[0], "recovery_code")).status_code == 200
    assert (await client.delete("/api/v1/factors/totp")).status_code == 204
    assert [what for _, what in await records.mails()][-2:] == [
        "A recovery code was used. Codes left: 9.",
        "An authenticator app was removed.",
    ]


async def test_code_of_another_login_is_refused(parts, client, enrolled, foreign, records):
    """A challenge of one person is not answered by another's app."""
    async with browser(parts) as stranger:
        await sign_in(stranger, foreign.email)
        theirs, _ = await add_totp(stranger)
    await records.forget_steps()
    assert (await finish(client, await begin(client), code_of(theirs))).status_code == 422


async def test_passkey_is_a_second_factor(parts, client, tenant):
    """Password, then a passkey of this login: the options name its own, and the answer is bound to the challenge."""
    device = Authenticator()
    async with browser(parts) as first:
        await sign_in(first)
        await add_passkey(first, device)
    challenge = await begin(client)
    options = (await client.post(f"{FINISH}/options", json={"challenge": challenge})).json()["options"]
    assert len(options["allowCredentials"]) == 1
    assertion = device.get(options)
    other = await begin(client)
    for wrong in ({"challenge": other, "method": "passkey"}, {"challenge": challenge, "method": "totp"}):
        assert (await client.post(FINISH, json={**wrong, "assertion": assertion})).status_code == 422
    body = {"challenge": challenge, "method": "passkey", "assertion": assertion}
    assert (await client.post(FINISH, json=body)).status_code == 200
    assert (await client.post(FINISH, json=body)).json()["field"] == "challenge"


async def test_passkey_of_another_login_is_no_second_factor(parts, client, tenant, foreign):
    """A real passkey of somebody else does not finish this sign-in."""
    ours, theirs = Authenticator(), Authenticator()
    for email, device in ((OWNER_EMAIL, ours), (foreign.email, theirs)):
        async with browser(parts) as first:
            await sign_in(first, email)
            await add_passkey(first, device)
    challenge = await begin(client)
    options = (await client.post(f"{FINISH}/options", json={"challenge": challenge})).json()["options"]
    assertion = theirs.get(options, credential=theirs.credentials[0])
    body = {"challenge": challenge, "method": "passkey", "assertion": assertion}
    assert (await client.post(FINISH, json=body)).status_code == 422
    assert (await client.get("/api/v1/session")).status_code == 401


async def test_passkey_options_need_a_challenge(client, tenant):
    """Nobody learns of an account's passkeys without its password."""
    assert (await client.post(f"{FINISH}/options", json={"challenge": "x"})).status_code == 422


async def test_password_reset_asks_for_the_factor(client, enrolled, parts):
    """Who holds the mailbox sets a new password and still needs the second factor: no session comes of the link."""
    secret, _ = enrolled
    async with parts.database.across() as conn:
        (login_id,) = [row["id"] for row in await conn.fetch("SELECT id FROM hub_find_login($1)", OWNER_EMAIL)]
        token = await actions.create_link(conn, login_id, LinkPurpose.RESET)
    body = {"token": token, "password": "another-otter-95"}
    answer = await client.post("/api/v1/password-links", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    assert "set-cookie" not in answer.headers
    assert (await client.get("/api/v1/session")).status_code == 401
    assert (await finish(client, answer.json()["challenge"], code_of(secret))).status_code == 200
    assert (await client.get("/api/v1/factors")).json()["totp_since"] is not None


async def test_reset_of_factors_ends_waiting_sign_ins(client, enrolled, parts):
    """A challenge from before a reset is worth nothing after it."""
    from hub.signin.factors import insisting

    _, codes = enrolled
    challenge = await begin(client)
    async with parts.database.across() as conn:
        await insisting.reset_login(conn, OWNER_EMAIL)
    assert (await finish(client, challenge, codes[0], "recovery_code")).json()["field"] == "challenge"
    assert (await sign_in(client)).status_code == 200
