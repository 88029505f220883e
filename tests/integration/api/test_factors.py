"""Authenticator apps, recovery codes and proofs, over HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from hub.channels.sealing import Sealer
from tests.factors import Records, add_totp, code_of
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PROOF = "/api/v1/session/proof"


@pytest.fixture
def parts(parts):
    return replace(parts, sealer=Sealer({1: bytes(32)}))


@pytest.fixture
def records(database_urls):
    return Records(database_urls.owner_url)


@pytest.fixture
async def signed_in(client, tenant):
    """A browser of the owner's, just signed in."""
    await sign_in(client)
    return client


async def factors(client):
    return (await client.get("/api/v1/factors")).json()


async def test_new_login_has_no_factors(signed_in):
    """Nobody has a factor they did not add; the password is the way to prove oneself."""
    found = await factors(signed_in)
    assert (found["totp_since"], found["passkeys"], found["recovery_codes_left"]) == (None, [], 0)
    assert found["methods"] == ["password"]


async def test_app_counts_once_a_code_was_shown(signed_in, records):
    """A secret alone is no factor; its first code makes it one and brings ten recovery codes."""
    begun = (await signed_in.post("/api/v1/factors/totp")).json()
    assert begun["otpauth_url"].startswith("otpauth://totp/localhost:ann%40example.com?secret=")
    assert (await factors(signed_in))["methods"] == ["password"]
    done = await signed_in.post("/api/v1/factors/totp/confirm", json={"code": code_of(begun["secret"])})
    assert len(set(done.json()["recovery_codes"])) == 10
    found = await factors(signed_in)
    assert found["totp_since"] is not None
    assert (found["methods"], found["recovery_codes_left"]) == (["totp", "recovery_code"], 10)
    assert await records.audited() == ["totp.begun", "totp.confirmed"]
    assert await records.mails() == [(OWNER_EMAIL, "An authenticator app was added.")]


async def test_wrong_first_code_adds_nothing(signed_in, records):
    """Somebody whose app shows something else is not locked out by it."""
    secret = (await signed_in.post("/api/v1/factors/totp")).json()["secret"]
    wrong = f"{(int(code_of(secret)) + 1) % 1_000_000:06}"
    answer = await signed_in.post("/api/v1/factors/totp/confirm", json={"code": wrong})
    assert (answer.status_code, answer.json()["field"]) == (422, "code")
    assert (await factors(signed_in))["totp_since"] is None


async def test_secret_and_codes_are_not_readable_in_the_database(signed_in, records):
    """Whoever reads the tables can neither make codes nor use one."""
    secret, codes = await add_totp(signed_in)
    rows = [*await records.run("SELECT * FROM login_totp"), *await records.run("SELECT * FROM login_recovery_code")]
    text = str([dict(row) for row in rows]) + str([bytes(row["secret_sealed"]) for row in rows[:1]])
    assert len(rows) == 11
    assert secret not in text
    assert not any(code in text or code.replace("-", "") in text for code in codes)


async def test_second_app_is_refused(signed_in):
    """One app at a time: another secret does not silently replace the one in use."""
    await add_totp(signed_in)
    assert (await signed_in.post("/api/v1/factors/totp")).status_code == 409


async def test_unconfirmed_secret_is_replaced(signed_in):
    """Whoever closed the page begins anew, and the first secret is worth nothing."""
    first = (await signed_in.post("/api/v1/factors/totp")).json()["secret"]
    second = (await signed_in.post("/api/v1/factors/totp")).json()["secret"]
    assert first != second
    for secret, status in ((first, 422), (second, 200)):
        answer = await signed_in.post("/api/v1/factors/totp/confirm", json={"code": code_of(secret)})
        assert answer.status_code == status


async def test_code_is_taken_once(signed_in):
    """A code seen over a shoulder is worth nothing once used, at enrolment or after: the next one is needed (replay)."""
    secret, _ = await add_totp(signed_in)
    used, following = code_of(secret), code_of(secret, 1)
    assert (await signed_in.post(PROOF, json={"code": used})).status_code == 422
    assert (await signed_in.post(PROOF, json={"code": following})).status_code == 200
    assert (await signed_in.post(PROOF, json={"code": following})).status_code == 422


async def test_one_code_at_two_places_at_once_passes_once(parts, signed_in, tenant, records):
    """Two calls of the same moment with one code: exactly one proves anything."""
    secret, _ = await add_totp(signed_in)
    await records.forget_steps()
    token = signed_in.cookies["hub_session"]
    async with browser(parts) as other:
        other.cookies.set("hub_session", token)
        body = {"code": code_of(secret)}
        answers = await asyncio.gather(*(one.post(PROOF, json=body) for one in (signed_in, other) for _ in range(2)))
    assert sorted(one.status_code for one in answers).count(200) == 1


async def test_five_wrong_codes_close_the_door(parts, signed_in, records):
    """After five wrong codes the right one does not pass either, from another address too, and the wait is told."""
    secret, codes = await add_totp(signed_in)
    statuses = [(await signed_in.post(PROOF, json={"code": "000000"})).status_code for _ in range(5)]
    assert statuses == [422] * 5
    token = signed_in.cookies["hub_session"]
    async with browser(parts, address="203.0.113.5") as elsewhere:
        elsewhere.cookies.set("hub_session", token)
        for code in (code_of(secret, 1), codes[0]):
            refused = await elsewhere.post(PROOF, json={"code": code})
            assert refused.status_code == 429
            assert 0 < refused.json()["retry_after_s"] <= 900
    assert (await records.audited()).count("second_factor.refused") == 5


async def test_good_code_forgets_mistakes(signed_in, records):
    """Somebody who mistypes now and then is not shut out."""
    secret, _ = await add_totp(signed_in)
    for _ in range(2):
        await records.forget_steps()
        for _ in range(4):
            await signed_in.post(PROOF, json={"code": "000000"})
        assert (await signed_in.post(PROOF, json={"code": code_of(secret)})).status_code == 200


async def test_recovery_code_works_once(signed_in, records):
    """A recovery code proves its owner once, as typed on paper; the count goes down and a mail says so."""
    _, codes = await add_totp(signed_in)
    assert (await signed_in.post(PROOF, json={"code": codes[3].lower().replace("-", " ")})).status_code == 200
    assert (await factors(signed_in))["recovery_codes_left"] == 9
    assert (await signed_in.post(PROOF, json={"code": codes[3]})).status_code == 422
    assert (await signed_in.post(PROOF, json={"code": codes[4]})).status_code == 200
    assert "recovery_code.used" in await records.audited()
    assert (await records.mails())[-1] == (OWNER_EMAIL, "A recovery code was used. Codes left: 8.")


async def test_last_recovery_code_is_no_way_any_more(signed_in, records):
    """Without codes left they are not offered, and the mails before said so."""
    _, codes = await add_totp(signed_in)
    for code in codes:
        assert (await signed_in.post(PROOF, json={"code": code})).status_code == 200
    found = await factors(signed_in)
    assert (found["recovery_codes_left"], found["methods"]) == (0, ["totp"])
    assert (await records.mails())[-1][1].endswith("Codes left: 0. Make new ones soon.")


async def test_renewing_voids_the_old_codes(signed_in):
    """New codes in one go: no old one works, every new one does."""
    _, old = await add_totp(signed_in)
    new = (await signed_in.post("/api/v1/factors/recovery-codes")).json()["recovery_codes"]
    assert not set(new) & set(old)
    assert (await signed_in.post(PROOF, json={"code": old[0]})).status_code == 422
    assert (await signed_in.post(PROOF, json={"code": new[0]})).status_code == 200


async def test_codes_of_another_login_do_not_work(parts, signed_in, foreign):
    """A recovery code opens its owner's account only."""
    async with browser(parts) as stranger:
        await sign_in(stranger, foreign.email)
        _, theirs = await add_totp(stranger)
    await add_totp(signed_in)
    assert (await signed_in.post(PROOF, json={"code": theirs[0]})).status_code == 422


async def test_no_recovery_codes_without_a_device(signed_in):
    """Codes stand in for a device; alone they would be a second password."""
    assert (await signed_in.post("/api/v1/factors/recovery-codes")).status_code == 409


async def test_removing_the_last_device_voids_the_codes(signed_in, records):
    """Without app and passkeys nothing is left, and the person hears of it."""
    _, codes = await add_totp(signed_in)
    assert (await signed_in.delete("/api/v1/factors/totp")).status_code == 204
    found = await factors(signed_in)
    assert (found["totp_since"], found["recovery_codes_left"], found["methods"]) == (None, 0, ["password"])
    assert (await signed_in.post(PROOF, json={"code": codes[0]})).status_code == 422
    assert (await signed_in.delete("/api/v1/factors/totp")).status_code == 404
    assert (await records.mails())[-1] == (OWNER_EMAIL, "An authenticator app was removed.")


async def test_proof_is_needed_after_ten_minutes(signed_in, records):
    """A session left open for longer changes nothing dangerous until its owner proves who they are."""
    await records.age_proofs(9.9)
    assert (await signed_in.post("/api/v1/factors/totp")).status_code == 200
    await records.age_proofs(10.1)
    refused = await signed_in.post("/api/v1/factors/totp")
    assert (refused.status_code, refused.json()["code"], refused.json()["methods"]) == (
        403,
        "proof_needed",
        ["password"],
    )
    assert (await signed_in.get("/api/v1/session")).status_code == 200
    assert (await signed_in.post(PROOF, json={"password": PASSWORD})).status_code == 200
    assert (await signed_in.post("/api/v1/factors/totp")).status_code == 200


async def test_proof_rotates_the_token_and_keeps_the_session(signed_in, records):
    """A copy of the cookie from before the proof is worth nothing after it; the session's id stays (fixation)."""
    before = signed_in.cookies["hub_session"]
    session_ids = await records.run("SELECT id FROM login_session")
    answer = await signed_in.post(PROOF, json={"password": PASSWORD})
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "token" not in answer.json()
    assert signed_in.cookies["hub_session"] != before
    assert (await signed_in.get("/api/v1/session")).status_code == 200
    stolen = {"authorization": f"Bearer {before}"}
    assert (await signed_in.get("/api/v1/session", headers=stolen)).status_code == 401
    assert await records.run("SELECT id FROM login_session") == session_ids


async def test_bearer_client_gets_its_new_token(client, tenant):
    """A script proves itself and goes on with the token of the answer; no cookie is set."""
    made = await client.post("/api/v1/session", json={"email": OWNER_EMAIL, "password": PASSWORD, "bearer": True})
    headers = {"authorization": f"Bearer {made.json()['token']}"}
    answer = await client.post(PROOF, json={"password": PASSWORD}, headers=headers)
    assert "set-cookie" not in answer.headers
    fresh = {"authorization": f"Bearer {answer.json()['token']}"}
    assert (await client.get("/api/v1/session", headers=headers)).status_code == 401
    assert (await client.get("/api/v1/session", headers=fresh)).status_code == 200


async def test_password_is_no_proof_beside_a_factor(signed_in):
    """Who stole the session and knows the password still cannot take the factor away."""
    await add_totp(signed_in)
    refused = await signed_in.post(PROOF, json={"password": PASSWORD})
    assert (refused.status_code, refused.json()["code"]) == (403, "proof_needed")
    assert refused.json()["methods"] == ["totp", "recovery_code"]


async def test_wrong_password_proves_nothing_and_is_throttled(signed_in, records):
    """Guessing the password through the proof meets the same limit as codes, and renews nothing."""
    await records.age_proofs(11)
    statuses = [(await signed_in.post(PROOF, json={"password": "wrong guess"})).status_code for _ in range(6)]
    assert statuses == [422] * 5 + [429]
    assert (await signed_in.post("/api/v1/factors/totp")).status_code == 403


@pytest.mark.parametrize("body", [{}, {"password": PASSWORD, "code": "000000"}, {"code": None}])
async def test_proof_is_exactly_one(signed_in, body):
    """Nothing, or two things at once, is not a proof."""
    assert (await signed_in.post(PROOF, json=body)).status_code == 400


async def test_factors_are_closed_to_strangers(client, tenant):
    """Without a session there is nothing to see or to change."""
    for method, path in (("GET", "factors"), ("POST", "factors/totp"), ("POST", "session/proof")):
        assert (await client.request(method, f"/api/v1/{path}", json={})).status_code == 401
