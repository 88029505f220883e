"""Signing in by way of an issuer, over HTTP: a hostile issuer on loopback, every answer of which is refused."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import asyncpg
import msgspec
import pytest

from hub.channels.sealing import Sealer
from hub.issuer_settings import IssuerSettings
from hub.signin.issuers.fetching import IssuerHttp, Reach
from hub.signin.issuers.provider import Issuers
from tests import oidc_issuer
from tests.certificates import make_certificate
from tests.factors import Records, add_totp, code_of
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in
from tests.oidc_issuer import Issuer
from tests.system_mails import queued_mails

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def _loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


@pytest.fixture
async def issuer(tmp_path):
    """One that looks like Clerk: no slash at its end."""
    started = Issuer(*make_certificate(tmp_path, "localhost"))
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def other(tmp_path, issuer):
    """A second one, which the operator set up as well; attackers run it. It looks like Auth0."""
    started = Issuer(issuer.certificate, issuer.key, path="/", client_id="other-client")
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
def parts(parts, issuer, other):
    """An installation with two issuers, closed to strangers."""
    listed = (
        IssuerSettings(slug="clerk", name="Clerk", url=issuer.url, client_id="our-client", client_secret="s"),
        IssuerSettings(slug="auth0", name="Auth0", url=other.url, client_id="other-client", client_secret="s"),
    )
    settings = msgspec.structs.replace(parts.settings, issuers=listed)
    tls = ssl.create_default_context(cafile=str(issuer.certificate))
    issuers = Issuers(settings, IssuerHttp(Reach(addresses=_loopback, tls=tls)))
    return replace(parts, settings=settings, issuers=issuers, sealer=Sealer({1: bytes(32)}))


@pytest.fixture
def open_parts(parts):
    """The same, where anybody may sign up."""
    return replace(parts, settings=msgspec.structs.replace(parts.settings, registration_open=True))


async def begin(client, slug="clerk") -> str:
    answer = await client.post(f"/api/v1/sign-in/issuers/{slug}")
    assert answer.status_code == 200, answer.text
    return answer.json()["url"]


async def come_back(client, returned, slug="clerk"):
    """Follow the issuer's redirect; returns the page we are sent to and what it is told."""
    answer = await client.get(f"/sign-in/callback/{slug}", params=returned)
    assert answer.status_code == 303, answer.text
    page, _, told = answer.headers["location"].partition("#")
    return page, dict(parse_qsl(told))


async def go_through(client, issuer, slug="clerk", **more):
    return await come_back(client, issuer.approve(await begin(client, slug)) | more, slug)


async def is_signed_in(client) -> bool:
    return (await client.get("/api/v1/session")).status_code == 200


async def test_whom_people_may_sign_in_with_is_told(client):
    """The page shows a button for each; no id, no secret, no address of an issuer is told."""
    answer = await client.get("/api/v1/sign-in/issuers")
    assert answer.json() == {"issuers": [{"slug": "clerk", "name": "Clerk"}, {"slug": "auth0", "name": "Auth0"}]}
    assert (await client.post("/api/v1/sign-in/issuers/unknown")).status_code == 404


@pytest.mark.parametrize("slug", ["clerk", "auth0"])
async def test_somebody_new_signs_up_and_comes_again(open_parts, issuer, other, slug):
    """Code, PKCE S256, state and nonce; the second time the account is known by issuer and subject alone."""
    chosen = {"clerk": issuer, "auth0": other}[slug]
    async with browser(open_parts) as client:
        url = await begin(client, slug)
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert query["code_challenge_method"] == "S256"
        assert (query["response_type"], query["redirect_uri"]) == (
            "code",
            f"http://localhost:8000/sign-in/callback/{slug}",
        )
        assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
        assert await come_back(client, chosen.approve(url), slug) == ("/", {})
        assert (await client.get("/api/v1/session")).json()["login"] == {
            "name": "Cleo Case",
            "email": "cleo@example.com",
            "time_zone": "",
        }
    chosen.claims = {"email": "moved@example.com", "email_verified": False}
    async with browser(open_parts) as client:
        assert await go_through(client, chosen, slug) == ("/", {})
        assert (await client.get("/api/v1/session")).json()["login"]["email"] == "cleo@example.com"


async def test_token_endpoint_knows_us_by_our_secret(open_parts, issuer):
    """By the Authorization header, as the discovery document allows; the secret is not in the form as well."""
    async with browser(open_parts) as client:
        await go_through(client, issuer)
    [form] = issuer.forms
    assert form["authorization"] == "Basic b3VyLWNsaWVudDpz"
    assert "client_secret" not in form


HOSTILE_CLAIMS = {
    "wrong nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "foreign iss": {"iss": "https://evil.example"},
    "wrong aud": {"aud": "somebody-else"},
    "two audiences without azp": {"aud": ["our-client", "somebody-else"]},
    "azp of another": {"aud": ["our-client", "somebody-else"], "azp": "somebody-else"},
    "expired": {"exp": int(time.time()) - 3600},
    "made long ago": {"iat": int(time.time()) - 7200},
    "made in the future": {"iat": int(time.time()) + 7200},
    "no exp": {"exp": None},
    "no sub": {"sub": None},
    "empty sub": {"sub": ""},
    "sub is a number": {"sub": 7},
    "at_hash of another token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("hostile", HOSTILE_CLAIMS.values(), ids=HOSTILE_CLAIMS.keys())
async def test_token_whose_claims_do_not_hold_is_refused(open_parts, issuer, hostile, owner):
    """Signed by the issuer's own key, and still not for us, not for this sign-in, or not for now."""
    issuer.claims = hostile
    async with browser(open_parts) as client:
        assert await go_through(client, issuer) == ("/sign-in", {"error": "issuer", "issuer": "clerk"})
        assert not await is_signed_in(client)
    assert await owner.fetchval("SELECT count(*) FROM login WHERE email = 'cleo@example.com'") == 0


HOSTILE_SIGNATURES = {
    "alg none": oidc_issuer.unsigned,
    "HS256 with the public key": oidc_issuer.signed_with_public_key,
    "a key of somebody else": oidc_issuer.signed_by_another,
    "an algorithm it does not use": lambda claims: oidc_issuer.signed(claims, alg="PS256"),
    "no token": lambda claims: "not-a-token",
    "changed after signing": lambda claims: oidc_issuer.signed(claims)[:-8] + "AAAAAAAA",
}


@pytest.mark.parametrize("sign", HOSTILE_SIGNATURES.values(), ids=HOSTILE_SIGNATURES.keys())
async def test_token_whose_signature_does_not_hold_is_refused(open_parts, issuer, sign):
    """Only public-key signatures, by a key of the issuer, by an algorithm it says it uses."""
    issuer.sign = sign
    async with browser(open_parts) as client:
        assert (await go_through(client, issuer))[1]["error"] == "issuer"
        assert not await is_signed_in(client)


async def test_state_is_good_once(open_parts, issuer):
    """A callback that is replayed signs nobody in, even in the same browser."""
    async with browser(open_parts) as client:
        returned = issuer.approve(await begin(client))
        assert (await come_back(client, returned))[0] == "/"
        await client.delete("/api/v1/session")
        issuer.approve((await begin(client)), "code-2")
        assert (await come_back(client, returned | {"code": "code-2"}))[1]["error"] == "expired"
        assert not await is_signed_in(client)


async def test_state_is_bound_to_the_browser(open_parts, issuer):
    """An attacker's own callback, opened by a victim, signs the victim in as nobody; nor does one without a cookie."""
    async with browser(open_parts) as attacker, browser(open_parts) as victim, browser(open_parts) as bare:
        returned = issuer.approve(await begin(attacker))
        await begin(victim)
        assert (await come_back(victim, returned))[1]["error"] == "expired"
        assert (await come_back(bare, returned))[1]["error"] == "expired"
        assert (await come_back(bare, {"code": "code-1"}))[1]["error"] == "expired"
        # It was not used up by them: the one who began it still can.
        assert (await come_back(attacker, returned))[0] == "/"


async def test_state_runs_out(open_parts, issuer, owner):
    """After ten minutes."""
    async with browser(open_parts) as client:
        returned = issuer.approve(await begin(client))
        await owner.execute(
            "UPDATE issuer_attempt SET created_at = now() - interval '11 minutes', expires_at = now() - interval '1 s'"
        )
        assert (await come_back(client, returned))[1]["error"] == "expired"


async def test_answer_of_one_issuer_is_not_taken_for_anothers(open_parts, issuer, other):
    """Mix-up: a code is only ever sent to the issuer the browser was sent to, by the address it comes back to."""
    async with browser(open_parts) as client:
        returned = issuer.approve(await begin(client, "clerk"))
        assert (await come_back(client, returned, "auth0"))[1]["error"] == "expired"
    assert other.forms == []
    assert issuer.forms == []


async def test_iss_of_the_answer_is_checked(open_parts, issuer):
    """RFC 9207: another's name is refused, so is none where the issuer says it gives one; no code is sent anywhere."""
    async with browser(open_parts) as client:
        assert (await go_through(client, issuer, iss="https://evil.example"))[1]["error"] == "issuer"
    issuer.metadata = {"authorization_response_iss_parameter_supported": True}
    tls = ssl.create_default_context(cafile=str(issuer.certificate))
    fresh = Issuers(open_parts.settings, IssuerHttp(Reach(addresses=_loopback, tls=tls)))
    async with browser(replace(open_parts, issuers=fresh)) as client:
        assert (await go_through(client, issuer))[1]["error"] == "issuer"
        assert issuer.forms == []
        assert (await go_through(client, issuer, iss=issuer.url))[0] == "/"


async def test_discovery_document_of_another_issuer_is_refused(open_parts, issuer):
    """A document that names another issuer could send codes to it."""
    issuer.metadata = {"issuer": "https://evil.example"}
    async with browser(open_parts) as client:
        assert (await client.post("/api/v1/sign-in/issuers/clerk")).status_code == 503


async def test_parameter_that_comes_twice_is_refused(open_parts, issuer):
    """Which of two states counts is not for readers to differ about."""
    async with browser(open_parts) as client:
        returned = issuer.approve(await begin(client))
        answer = await client.get(f"/sign-in/callback/clerk?state={returned['state']}&state=x&code=code-1")
        assert "error=issuer" in answer.headers["location"]


async def test_who_does_not_agree_is_told(open_parts, issuer):
    """Their own choice is not called an error of the issuer."""
    async with browser(open_parts) as client:
        state = issuer.approve(await begin(client))["state"]
        assert (await come_back(client, {"state": state, "error": "access_denied"}))[1]["error"] == "denied"


async def test_unverified_address_is_refused(open_parts, tenant, issuer, owner):
    """Neither linked to the account of its true owner, nor signed up."""
    for email in (OWNER_EMAIL, "nobody@example.com"):
        issuer.claims = {"email": email, "email_verified": False}
        async with browser(open_parts) as client:
            assert (await go_through(client, issuer))[1]["error"] == "unverified"
            assert not await is_signed_in(client)
    assert await owner.fetchval("SELECT count(*) FROM issuer_identity") == 0


async def test_unknown_address_stays_out_where_signing_up_is_closed(client, issuer, owner):
    """An issuer lets nobody in whom the operator did not."""
    assert (await go_through(client, issuer))[1]["error"] == "closed"
    assert await owner.fetchval("SELECT count(*) FROM login") == 0


async def test_known_address_is_linked_only_by_its_password(client, parts, tenant, issuer, database):
    """A verified address alone opens nothing; a wrong password neither; the right one links it, and its owner is told."""
    issuer.claims = {"email": OWNER_EMAIL.upper()}
    page, told = await go_through(client, issuer)
    assert (page, told["issuer"]) == ("/sign-in", "clerk")
    assert not await is_signed_in(client)
    token = told["link"]
    wrong = await client.post("/api/v1/sign-in/links", json={"token": token, "password": "not the password"})
    assert wrong.status_code == 401
    right = await client.post("/api/v1/sign-in/links", json={"token": token, "password": PASSWORD})
    assert (right.status_code, right.json()["login"]["email"]) == (200, OWNER_EMAIL)
    again = await client.post("/api/v1/sign-in/links", json={"token": token, "password": PASSWORD})
    assert (again.status_code, again.json()["field"]) == (422, "token")
    assert [one[:2] for one in await queued_mails(database)] == [(OWNER_EMAIL, "security_changed")]
    async with browser(parts) as fresh:
        assert await go_through(fresh, issuer) == ("/", {})


async def test_waiting_link_takes_five_tries(client, tenant, issuer):
    """It is no place to guess passwords."""
    issuer.claims = {"email": OWNER_EMAIL}
    token = (await go_through(client, issuer))[1]["link"]
    for _ in range(5):
        await client.post("/api/v1/sign-in/links", json={"token": token, "password": "not the password"})
    late = await client.post("/api/v1/sign-in/links", json={"token": token, "password": PASSWORD})
    assert (late.status_code, late.json()["field"]) == (422, "token")


async def test_second_factor_is_never_skipped(client, parts, tenant, issuer, database_urls, owner):
    """Asked for before an account is linked, and again at each sign-in with it."""
    records = Records(database_urls.owner_url)
    async with browser(parts) as first:
        await sign_in(first)
        secret, _ = await add_totp(first)
    issuer.claims = {"email": OWNER_EMAIL}
    token = (await go_through(client, issuer))[1]["link"]
    half = await client.post("/api/v1/sign-in/links", json={"token": token, "password": PASSWORD})
    assert (half.status_code, half.json()["code"]) == (401, "second_factor_required")
    assert await owner.fetchval("SELECT count(*) FROM issuer_identity") == 0
    await records.forget_steps()
    body = {"challenge": half.json()["challenge"], "method": "totp", "code": code_of(secret)}
    assert (await client.post("/api/v1/session/second-factor", json=body)).status_code == 200
    assert await owner.fetchval("SELECT count(*) FROM issuer_identity") == 1
    async with browser(parts) as fresh:
        page, told = await go_through(fresh, issuer)
        assert (page, told["methods"]) == ("/sign-in", "totp,recovery_code")
        assert not await is_signed_in(fresh)
        await records.forget_steps()
        body = {"challenge": told["challenge"], "method": "totp", "code": code_of(secret)}
        assert (await fresh.post("/api/v1/session/second-factor", json=body)).status_code == 200
        assert await is_signed_in(fresh)


async def test_own_account_is_linked_and_unlinked(client, parts, tenant, issuer, owner):
    """From one's settings, by a session that proved itself; what is linked is listed and can go."""
    await sign_in(client)
    await owner.execute("UPDATE login_session SET proved_at = now() - interval '1 hour'")
    assert (await client.post("/api/v1/identity-links/clerk")).json()["code"] == "proof_needed"
    await client.post("/api/v1/session/proof", json={"password": PASSWORD})
    url = (await client.post("/api/v1/identity-links/clerk")).json()["url"]
    assert await come_back(client, issuer.approve(url)) == ("/account/security", {"linked": "clerk"})
    [linked] = (await client.get("/api/v1/identities")).json()["identities"]
    assert (linked["slug"], linked["name"], linked["email"]) == ("clerk", "Clerk", "cleo@example.com")
    async with browser(parts) as fresh:
        assert await go_through(fresh, issuer) == ("/", {})
    assert (await client.delete(f"/api/v1/identities/{linked['id']}")).status_code == 204
    async with browser(parts) as fresh:
        assert (await go_through(fresh, issuer))[1]["error"] == "closed"


async def test_link_is_made_only_in_the_session_that_asked(client, parts, tenant, foreign, issuer):
    """Somebody else signed in to this browser meanwhile: their account gets nothing of it."""
    await sign_in(client)
    returned = issuer.approve((await client.post("/api/v1/identity-links/clerk")).json()["url"])
    await sign_in(client, foreign.email)
    assert await come_back(client, returned) == ("/account/security", {"error": "expired", "issuer": "clerk"})
    assert (await client.get("/api/v1/identities")).json() == {"identities": []}


async def test_account_opens_one_login_only(client, parts, tenant, foreign, issuer):
    """What opens one person's login cannot be taken over by another's."""
    await sign_in(client)
    url = (await client.post("/api/v1/identity-links/clerk")).json()["url"]
    await come_back(client, issuer.approve(url))
    async with browser(parts) as stranger:
        await sign_in(stranger, foreign.email)
        url = (await stranger.post("/api/v1/identity-links/clerk")).json()["url"]
        assert (await come_back(stranger, issuer.approve(url)))[1]["error"] == "taken"
        [identity] = (await client.get("/api/v1/identities")).json()["identities"]
        assert (await stranger.delete(f"/api/v1/identities/{identity['id']}")).status_code == 404


async def test_last_way_in_stays(open_parts, issuer):
    """Who has no password, no passkey and no other account there would be shut out."""
    async with browser(open_parts) as client:
        await go_through(client, issuer)
        [identity] = (await client.get("/api/v1/identities")).json()["identities"]
        refused = await client.delete(f"/api/v1/identities/{identity['id']}")
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")


async def test_address_that_only_userinfo_tells_is_asked_for(open_parts, issuer):
    """Thin ID tokens: the subject told there must be the token's own."""
    issuer.claims = {"email": None, "email_verified": None}
    issuer.userinfo = {"sub": "somebody-else", "email": "cleo@example.com", "email_verified": True}
    async with browser(open_parts) as client:
        assert (await go_through(client, issuer))[1]["error"] == "issuer"
        issuer.userinfo["sub"] = "user-1"
        assert (await go_through(client, issuer))[0] == "/"


async def test_keys_are_kept_and_read_again_when_they_change(open_parts, issuer):
    """Documents are asked for once; a token by a key nobody has seen makes them be read anew, not at every token."""
    now_s, issuer.keys = [0.0], [oidc_issuer.RSA]
    tls = ssl.create_default_context(cafile=str(issuer.certificate))
    http = IssuerHttp(Reach(addresses=_loopback, tls=tls))
    issuers = Issuers(open_parts.settings, http, now_s=lambda: now_s[0])
    async with browser(replace(open_parts, issuers=issuers)) as client:
        for _ in range(3):
            assert (await go_through(client, issuer))[0] == "/"
        assert issuer.asked.count("/jwks") == 1
        issuer.keys, issuer.sign = [oidc_issuer.EC], lambda claims: oidc_issuer.signed(claims, oidc_issuer.EC, "ES256")
        assert (await go_through(client, issuer))[1]["error"] == "issuer"
        assert issuer.asked.count("/jwks") == 1
        now_s[0] += 31
        assert (await go_through(client, issuer))[0] == "/"
        assert issuer.asked.count("/jwks") == 2


async def test_issuer_that_fails_is_said_to(open_parts, issuer):
    """A refused code and an issuer that is away are told apart."""
    async with browser(open_parts) as client:
        issuer.lost = True
        assert (await go_through(client, issuer))[1]["error"] == "issuer"
        returned = issuer.approve(await begin(client))
        await issuer.stop()
        assert (await come_back(client, returned))[1]["error"] == "unreachable"
        await issuer.start()
