"""Signing in with a second factor over HTTP: what a right password opens, and what goes on with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.channels.sealing import Sealer
from tests.factors import Records, add_totp, code_of
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
async def app(client, tenant, records):
    """The owner's authenticator app: its secret and recovery codes. They are signed out again."""
    await sign_in(client)
    secret, codes = await add_totp(client)
    await records.forget_steps()
    await client.delete("/api/v1/session")
    return secret, codes


async def begin(client, **more):
    """Sign in by password; the challenge it is answered with."""
    answer = await client.post("/api/v1/session", json={"email": OWNER_EMAIL, "password": PASSWORD} | more)
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    assert "set-cookie" not in answer.headers
    assert answer.json()["methods"] == ["totp", "recovery_code"]
    return answer.json()["challenge"]


async def finish(client, challenge, code):
    return await client.post(FINISH, json={"challenge": challenge, "code": code})


async def test_a_code_finishes_the_sign_in(client, app):
    """With the cookie a browser needs; before it, nothing is open."""
    challenge = await begin(client)
    assert (await client.get("/api/v1/session")).status_code == 401
    done = await finish(client, challenge, code_of(app[0]))
    assert (done.status_code, done.json()["login"]["email"]) == (200, OWNER_EMAIL)
    assert (await client.get("/api/v1/session")).status_code == 200


async def test_a_client_without_cookies_gets_the_token_it_asked_for(client, app):
    """What was asked for with the password is remembered; no cookie is set."""
    done = await finish(client, await begin(client, bearer=True), code_of(app[0]))
    assert "set-cookie" not in done.headers
    bearer = {"authorization": f"Bearer {done.json()['token']}"}
    assert (await client.get("/api/v1/session", headers=bearer)).status_code == 200


async def test_a_recovery_code_finishes_it_once(client, app):
    """The phone is lost; the same code never works again."""
    code = app[1][0]
    assert (await finish(client, await begin(client), code)).status_code == 200
    again = await finish(client, await begin(client), code)
    assert (again.status_code, again.json()["field"]) == (422, "code")


async def test_a_challenge_is_good_for_one_sign_in(parts, client, app, records):
    """Who copied it has nothing once its owner is in; nor does a code of the same step."""
    challenge = await begin(client)
    assert (await finish(client, challenge, code_of(app[0]))).status_code == 200
    await records.forget_steps()
    async with browser(parts) as thief:
        again = await finish(thief, challenge, code_of(app[0]))
    assert (again.status_code, again.json()["field"]) == (422, "challenge")


async def test_a_challenge_runs_out(client, app, records):
    """After ten minutes the password is asked for again."""
    challenge = await begin(client)
    await records.run(
        "UPDATE login_challenge SET created_at = now() - interval '1 hour', expires_at = now() - interval '1 second'"
    )
    assert (await finish(client, challenge, code_of(app[0]))).json()["field"] == "challenge"


async def test_wrong_codes_are_counted(client, app):
    """Five at a challenge, and five in a quarter of an hour for the login: a new challenge does not help."""
    challenge = await begin(client)
    guesses = [(await finish(client, challenge, f"{n:06}")).status_code for n in range(5)]
    assert guesses == [422] * 5
    assert (await finish(client, challenge, code_of(app[0]))).json()["field"] == "challenge"
    assert (await finish(client, await begin(client), code_of(app[0]))).status_code == 429


@pytest.mark.parametrize("body", [{}, {"code": "123456", "assertion": {}}, {"challenge": "x", "code": 7}])
async def test_a_body_that_makes_no_sense_is_refused(client, app, body):
    """By name, before anything is looked up."""
    answer = await client.post(FINISH, json={"challenge": await begin(client)} | body)
    assert answer.status_code == 422
