"""Passkeys over HTTP, with a software authenticator: added, used, and every attack refused."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from hub.channels.sealing import Sealer
from tests.authenticator import Authenticator, tampered
from tests.factors import Records, add_passkey
from tests.integration.api.conftest import OWNER_EMAIL, browser, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

PROOF = "/api/v1/session/proof"
SIGN_IN = "/api/v1/session/passkey"


@pytest.fixture
def parts(parts):
    return replace(parts, sealer=Sealer({1: bytes(32)}))


@pytest.fixture
def records(database_urls):
    return Records(database_urls.owner_url)


@pytest.fixture
async def signed_in(client, tenant):
    await sign_in(client)
    return client


@pytest.fixture
def device():
    return Authenticator()


async def ask(client, path: str = f"{PROOF}/options") -> dict:
    answer = await client.post(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def prove(client, device: Authenticator, **more):
    return await client.post(PROOF, json={"assertion": device.get((await ask(client))["options"], **more)})


async def sign_in_by_passkey(client, device: Authenticator, **more):
    asked = await ask(client, f"{SIGN_IN}/options")
    body = {"ceremony": asked["ceremony"], "assertion": device.get(asked["options"]), **more}
    return await client.post(SIGN_IN, json=body)


async def test_passkey_is_added_with_recovery_codes(signed_in, device, records):
    """The first passkey is a factor at once and brings recovery codes; the second brings none."""
    first = await add_passkey(signed_in, device, " Ann's  laptop ")
    assert first.status_code == 201
    assert first.json()["passkey"]["name"] == "Ann's laptop"
    assert len(first.json()["recovery_codes"]) == 10
    second = await add_passkey(signed_in, Authenticator(), "Key")
    assert second.json()["recovery_codes"] == []
    found = (await signed_in.get("/api/v1/factors")).json()
    assert [one["name"] for one in found["passkeys"]] == ["Ann's laptop", "Key"]
    assert found["methods"] == ["passkey", "recovery_code"]
    assert await records.audited() == ["passkey.added", "passkey.added"]
    assert await records.mails() == [
        (OWNER_EMAIL, "The passkey “Ann's laptop” was added."),
        (OWNER_EMAIL, "The passkey “Key” was added."),
    ]


async def test_device_with_a_passkey_is_told(signed_in, device):
    """Options name the passkeys there are, so that a device does not make a second one."""
    await add_passkey(signed_in, device)
    options = (await ask(signed_in, "/api/v1/passkeys/options"))["options"]
    assert len(options["excludeCredentials"]) == 1
    with pytest.raises(AssertionError, match="made here already"):
        device.create(options)


async def test_passkey_is_renamed_and_removed(signed_in, device, records):
    """The owner tells passkeys apart and takes one away; it proves nothing afterwards."""
    passkey_id = (await add_passkey(signed_in, device)).json()["passkey"]["id"]
    assert (await signed_in.patch(f"/api/v1/passkeys/{passkey_id}", json={"name": "Old"})).status_code == 204
    assert (await signed_in.get("/api/v1/factors")).json()["passkeys"][0]["name"] == "Old"
    asked = (await ask(signed_in))["options"]
    assert (await signed_in.delete(f"/api/v1/passkeys/{passkey_id}")).status_code == 204
    assert (await signed_in.post(PROOF, json={"assertion": device.get(asked)})).status_code == 422
    assert (await signed_in.delete(f"/api/v1/passkeys/{passkey_id}")).status_code == 404
    assert (await signed_in.get("/api/v1/factors")).json()["methods"] == ["password"]
    assert (await records.audited())[-2:] == ["passkey.renamed", "passkey.removed"]


async def test_last_way_in_is_not_removed(signed_in, device, records, database_urls):
    """Whoever has no password and no linked account keeps their last passkey, with a sentence that says why."""
    first = (await add_passkey(signed_in, device)).json()["passkey"]["id"]
    second = (await add_passkey(signed_in, Authenticator(), "Key")).json()["passkey"]["id"]
    connection = await asyncpg.connect(database_urls.owner_url)
    await connection.execute("UPDATE login SET password_hash = NULL")
    await connection.close()
    assert (await signed_in.delete(f"/api/v1/passkeys/{first}")).status_code == 204
    refused = await signed_in.delete(f"/api/v1/passkeys/{second}")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "only way to sign in" in refused.json()["message"]
    assert [one["name"] for one in (await signed_in.get("/api/v1/factors")).json()["passkeys"]] == ["Key"]
    assert (await records.audited()).count("passkey.removed") == 1


async def test_foreign_passkey_is_out_of_reach(parts, signed_in, foreign, device):
    """Somebody else's passkey is not renamed, removed or seen."""
    async with browser(parts) as stranger:
        await sign_in(stranger, foreign.email)
        passkey_id = (await add_passkey(stranger, device)).json()["passkey"]["id"]
    assert (await signed_in.patch(f"/api/v1/passkeys/{passkey_id}", json={"name": "Mine"})).status_code == 404
    assert (await signed_in.delete(f"/api/v1/passkeys/{passkey_id}")).status_code == 404
    assert (await signed_in.get("/api/v1/factors")).json()["passkeys"] == []


async def test_passkey_is_registered_once(parts, signed_in, foreign, device):
    """A credential that belongs to one login cannot be registered by another, who made up the same id."""
    await add_passkey(signed_in, device)
    thief = Authenticator(next_id=device.credentials[0].id)
    async with browser(parts) as stranger:
        await sign_in(stranger, foreign.email)
        assert (await add_passkey(stranger, thief)).status_code == 409
        assert (await stranger.get("/api/v1/factors")).json()["methods"] == ["password"]
    assert (await prove(signed_in, device)).status_code == 200


async def test_registration_answers_its_session_only(parts, signed_in, tenant, device):
    """Options given to one session are worth nothing in another of the same person, nor twice."""
    options = (await ask(signed_in, "/api/v1/passkeys/options"))["options"]
    body = {"name": "Laptop", "attestation": device.create(options)}
    async with browser(parts) as other:
        await sign_in(other)
        assert (await other.post("/api/v1/passkeys", json=body)).status_code == 422
    assert (await signed_in.post("/api/v1/passkeys", json=body)).status_code == 201
    assert (await signed_in.post("/api/v1/passkeys", json=body)).status_code in (409, 422)
    assert len((await signed_in.get("/api/v1/factors")).json()["passkeys"]) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 101])
async def test_passkey_needs_a_name(signed_in, device, name):
    """Without a name nobody knows later which device to remove."""
    answer = await add_passkey(signed_in, device, name)
    assert (answer.status_code, answer.json()["field"]) == (422, "name")


async def test_most_passkeys(signed_in):
    """Twenty, and then the oldest ones have to go first."""
    for number in range(20):
        assert (await add_passkey(signed_in, Authenticator(), f"Key {number}")).status_code == 201
    assert (await signed_in.post("/api/v1/passkeys/options")).status_code == 409


async def test_passkey_proves_a_session(signed_in, device, records):
    """A passkey opens dangerous routes again, notes its use, and the token changes."""
    await add_passkey(signed_in, device)
    await records.age_proofs(11)
    before = signed_in.cookies["hub_session"]
    assert (await signed_in.post("/api/v1/factors/recovery-codes")).json()["methods"] == ["passkey", "recovery_code"]
    assert (await prove(signed_in, device)).status_code == 200
    assert signed_in.cookies["hub_session"] != before
    assert (await signed_in.post("/api/v1/factors/recovery-codes")).status_code == 200
    assert (await signed_in.get("/api/v1/factors")).json()["passkeys"][0]["last_used_at"] is not None


async def test_passkey_alone_signs_in(parts, signed_in, device, tenant):
    """Without a name or password typed: the passkey says who it is, and is two factors by itself."""
    await add_passkey(signed_in, device)
    async with browser(parts) as fresh:
        asked = await ask(fresh, f"{SIGN_IN}/options")
        assert asked["options"]["allowCredentials"] == []
        answer = await sign_in_by_passkey(fresh, device)
        assert answer.status_code == 200
        assert answer.json()["login"]["email"] == OWNER_EMAIL
        assert (await fresh.get(f"/api/v1/workspaces/{tenant.workspace_id}/members")).status_code == 200
    async with browser(parts) as script:
        answer = await sign_in_by_passkey(script, device, bearer=True)
        assert "set-cookie" not in answer.headers
        assert answer.json()["token"]


ATTACKS = {
    "other origin": {"origin": "https://hub.evil.example"},
    "other rp id": {"rp_id": "evil.example"},
    "user not verified": {"verifies": False},
    "frame of another site": {"cross_origin": True},
}


@pytest.mark.parametrize("how", ATTACKS.values(), ids=ATTACKS)
async def test_attacks_on_the_ceremony_are_refused(parts, signed_in, device, how):
    """A phishing page, another host's passkey, nobody's finger, a foreign frame: neither sign-in nor proof."""
    await add_passkey(signed_in, device)
    for name, value in how.items():
        setattr(device, name, value)
    assert (await prove(signed_in, device)).status_code == 422
    async with browser(parts) as fresh:
        assert (await sign_in_by_passkey(fresh, device)).status_code in (401, 422)
        assert (await fresh.get("/api/v1/session")).status_code == 401


async def test_replayed_answer_is_refused(parts, signed_in, device, records):
    """An answer seen on the wire works once: not again, not for another purpose, not from another browser."""
    await add_passkey(signed_in, device)
    device.counts = False
    async with browser(parts) as fresh, browser(parts) as thief:
        asked = await ask(fresh, f"{SIGN_IN}/options")
        body = {"ceremony": asked["ceremony"], "assertion": device.get(asked["options"])}
        theirs = await ask(thief, f"{SIGN_IN}/options")
        stolen = {"ceremony": theirs["ceremony"], "assertion": body["assertion"]}
        assert (await thief.post(SIGN_IN, json=stolen)).status_code == 401
        assert (await signed_in.post(PROOF, json={"assertion": body["assertion"]})).status_code == 422
        assert (await fresh.post(SIGN_IN, json=body)).status_code == 200
        assert (await fresh.post(SIGN_IN, json=body)).status_code == 401
        assert (await thief.post(SIGN_IN, json=body)).status_code == 401


async def test_challenge_is_good_for_one_try(signed_in, device):
    """After a failed try the same challenge does not take the right answer: there is nothing to try again and again."""
    await add_passkey(signed_in, device)
    options = (await ask(signed_in))["options"]
    right = device.get(options)
    assert (await signed_in.post(PROOF, json={"assertion": tampered(right)})).status_code == 422
    assert (await signed_in.post(PROOF, json={"assertion": right})).status_code == 422


async def test_challenge_of_another_session_is_refused(parts, signed_in, device, tenant):
    """A challenge given to one session proves no other of the same person."""
    await add_passkey(signed_in, device)
    async with browser(parts) as other:
        await sign_in_by_passkey(other, device)
        options = (await ask(other))["options"]
    assert (await signed_in.post(PROOF, json={"assertion": device.get(options)})).status_code == 422


async def test_challenge_runs_out(signed_in, device, records):
    """After five minutes an answer comes too late."""
    await add_passkey(signed_in, device)
    options = (await ask(signed_in))["options"]
    await records.run("UPDATE passkey_ceremony SET expires_at = now() - interval '1 second'")
    assert (await signed_in.post(PROOF, json={"assertion": device.get(options)})).status_code == 422


async def test_old_challenges_are_cleared_away(signed_in, device, records):
    """Challenges nobody answered do not pile up."""
    await add_passkey(signed_in, device)
    for _ in range(3):
        await ask(signed_in)
    await records.run("UPDATE passkey_ceremony SET expires_at = now() - interval '2 minutes'")
    assert (await prove(signed_in, device)).status_code == 200
    assert await records.run("SELECT FROM passkey_ceremony") == []


async def test_passkey_of_another_login_proves_nothing(parts, signed_in, foreign, device):
    """A passkey of somebody else, real and verified, does not prove this session."""
    await add_passkey(signed_in, Authenticator())
    async with browser(parts) as stranger:
        await sign_in(stranger, foreign.email)
        await add_passkey(stranger, device)
    assert (await prove(signed_in, device, credential=device.credentials[0])).status_code == 422


@pytest.mark.parametrize("part", ["authenticatorData", "clientDataJSON", "signature"])
async def test_tampered_answer_is_refused(parts, signed_in, device, part):
    """One changed bit anywhere, and nobody is signed in."""
    await add_passkey(signed_in, device)
    async with browser(parts) as fresh:
        asked = await ask(fresh, f"{SIGN_IN}/options")
        body = {"ceremony": asked["ceremony"], "assertion": tampered(device.get(asked["options"]), part=part)}
        assert (await fresh.post(SIGN_IN, json=body)).status_code in (401, 422)
        assert (await fresh.get("/api/v1/session")).status_code == 401


async def test_counter_that_goes_back_is_refused_and_told(signed_in, device, records):
    """A copied authenticator betrays itself by its counter: refused, in the audit log, and its owner hears of it."""
    await add_passkey(signed_in, device)
    device.credentials[0].sign_count = 40
    assert (await prove(signed_in, device)).status_code == 200
    device.credentials[0].sign_count = 40
    assert (await prove(signed_in, device)).status_code == 422
    assert (await records.audited())[-1] == "passkey.copy_suspected"
    assert "copy of it" in (await records.mails())[-1][1]
    device.credentials[0].sign_count = 100
    assert (await prove(signed_in, device)).status_code == 200


async def test_passkeys_that_do_not_count_work(signed_in):
    """Those kept in a cloud always say 0."""
    device = Authenticator(counts=False)
    await add_passkey(signed_in, device)
    assert [(await prove(signed_in, device)).status_code for _ in range(2)] == [200, 200]


async def test_refused_signature_is_in_the_audit_log(signed_in, device, records):
    """Somebody who tries a passkey and fails leaves a trace."""
    await add_passkey(signed_in, device)
    device.verifies = False
    await prove(signed_in, device)
    assert (await records.audited())[-1] == "second_factor.refused"


async def test_asking_without_end_is_throttled(client, tenant):
    """Whoever is not signed in makes at most sixty challenges in a quarter of an hour from one address."""
    statuses = [(await client.post(f"{SIGN_IN}/options")).status_code for _ in range(61)]
    assert statuses == [200] * 60 + [429]


async def test_passkey_keys_and_challenges_are_not_in_the_answer(signed_in, device, records):
    """The list of passkeys shows names and times, not what signatures are checked with."""
    await add_passkey(signed_in, device)
    (passkey,) = (await signed_in.get("/api/v1/factors")).json()["passkeys"]
    assert set(passkey) == {"id", "name", "backed_up", "created_at", "last_used_at"}
