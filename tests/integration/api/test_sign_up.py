"""Making an account by mail, and a new password by mail, over HTTP: what is answered, sent and kept from strangers."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import msgspec
import pytest

from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, browser, sign_in
from tests.system_mails import queued_mails

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

NEW_PASSWORD = "another-otter-95"


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
def open_parts(parts):
    """An installation where anybody may sign up."""
    return replace(parts, settings=msgspec.structs.replace(parts.settings, registration_open=True))


class CountingPasswords:
    """Counts the argon2 work of a call: what an attacker with a watch could tell apart."""

    def __init__(self, passwords):
        self._passwords = passwords
        self.work = 0

    def __getattr__(self, name):
        return getattr(self._passwords, name)

    async def make_hash(self, password):
        self.work += 1
        return await self._passwords.make_hash(password)

    async def matches(self, password_hash, password):
        self.work += 1
        return await self._passwords.matches(password_hash, password)


async def mails(database):
    """What was queued, oldest first: address, template, and the token at the end of its link."""
    return [
        (to, template, fields.get("url", "").partition("#")[2]) for to, template, fields in await queued_mails(database)
    ]


async def register(client, email="cleo@example.com", **more):
    return await client.post("/api/v1/registrations", json={"email": email, "name": "Cleo"} | more)


async def verify(client, token, **more):
    return await client.post("/api/v1/email-verifications", json={"token": token, "password": NEW_PASSWORD} | more)


async def test_somebody_signs_up_opens_the_mail_and_is_in(open_parts, owner, database):
    """The address is proved first, the password chosen behind the link; then they sign in as everybody does."""
    async with browser(open_parts) as client:
        answer = await register(client, "Cleo@Example.com ")
        assert (answer.status_code, answer.json()) == (202, {"email": "cleo@example.com"})
        assert (await sign_in(client, "cleo@example.com", NEW_PASSWORD)).status_code == 401
        [(to, template, token)] = await mails(database)
        assert (to, template) == ("cleo@example.com", "verify_email")
        done = await verify(client, token, name="Cleo Case")
        named = {"name": "Cleo Case", "email": "cleo@example.com", "time_zone": ""}
        assert (done.status_code, done.json()["login"]) == (200, named)
        assert done.json()["workspaces"] == []
        assert (await client.get("/api/v1/session")).status_code == 200
    async with browser(open_parts) as client:
        assert (await sign_in(client, "cleo@example.com", NEW_PASSWORD)).status_code == 200


async def test_signing_up_is_closed_unless_the_operator_opens_it(client, owner, database):
    """Nobody walks into somebody's own hub; the page is told before it asks."""
    assert (await client.get("/api/v1/registrations")).json() == {"is_open": False}
    assert (await register(client)).status_code == 403
    assert await mails(database) == []


async def test_a_known_address_is_answered_alike_and_told_by_mail(open_parts, tenant, owner, database):
    """Same status, same body, no argon2 in either: nobody finds out who has an account here."""
    counting = CountingPasswords(open_parts.passwords)
    async with browser(replace(open_parts, passwords=counting)) as client:
        known, unknown = await register(client, OWNER_EMAIL), await register(client, "nobody@example.com")
    assert (known.status_code, unknown.status_code, counting.work) == (202, 202, 0)
    assert known.json().keys() == unknown.json().keys()
    sent = await mails(database)
    assert [one[:2] for one in sent] == [(OWNER_EMAIL, "security_changed"), ("nobody@example.com", "verify_email")]
    assert await owner.fetchval("SELECT count(*) FROM registration") == 2


async def test_a_verification_link_works_once_and_kills_its_siblings(open_parts, owner, database):
    """Somebody asked twice: the first link used ends both; reading a link never uses it up."""
    async with browser(open_parts) as client:
        await register(client)
        await register(client)
        first, second = [token for *_, token in await mails(database)]
        assert (await client.get("/api/v1/email-verifications", params={"token": first})).status_code == 405
        assert (await verify(client, second)).status_code == 200
        for spent in (first, second):
            assert (await verify(client, spent)).json()["field"] == "token"


@pytest.mark.parametrize("password", ["short", "cleo@example.com", "password1234"])
async def test_a_refused_password_does_not_use_the_link_up(open_parts, owner, password, database):
    """Too short, one's own address, one of the first that attackers try."""
    async with browser(open_parts) as client:
        await register(client)
        [(*_, token)] = await mails(database)
        refused = await verify(client, token, password=password)
        assert (refused.status_code, refused.json()["field"]) == (422, "password")
        assert (await verify(client, token)).status_code == 200


async def test_a_link_that_has_run_out_opens_nothing(open_parts, owner, database):
    """After a day."""
    async with browser(open_parts) as client:
        await register(client)
        [(*_, token)] = await mails(database)
        await owner.execute(
            "UPDATE registration SET created_at = now() - interval '2 days', expires_at = now() - interval '1 second'"
        )
        assert (await verify(client, token)).json()["field"] == "token"
        assert await owner.fetchval("SELECT hub_sweep_sign_ins()") == 1


async def test_an_address_that_got_an_account_meanwhile_keeps_it(open_parts, owner, database):
    """Invited while the mail was under way: the other account stays as it is, the link is refused in words."""
    async with browser(open_parts) as client:
        await register(client)
        [(*_, token)] = await mails(database)
        await owner.execute(
            "INSERT INTO login (id, email, name, created_at) VALUES (gen_random_uuid(), 'cleo@example.com', 'C', now())"
        )
        refused = await verify(client, token)
    assert (refused.status_code, refused.json()["field"]) == (422, "token")
    assert await owner.fetchval("SELECT password_hash FROM login WHERE email = 'cleo@example.com'") is None


async def test_a_mailbox_is_not_filled_through_us(open_parts, owner, database):
    """Five mails an hour to one address, however many ask; the sixth is told when to come back."""
    async with browser(open_parts) as client:
        answers = [(await register(client)).status_code for _ in range(6)]
        late = await register(client)
    assert answers == [202] * 5 + [429]
    assert late.headers["retry-after"]
    assert len(await mails(database)) == 5


async def test_a_forgotten_password_is_chosen_anew_by_mail(client, tenant, owner, database):
    """The link works once, ends every session, and the owner is told; an unknown address is answered alike."""
    unknown = await client.post("/api/v1/password-resets", json={"email": "nobody@example.com"})
    known = await client.post("/api/v1/password-resets", json={"email": OWNER_EMAIL})
    assert (unknown.status_code, known.status_code) == (202, 202)
    assert known.json() == {"email": OWNER_EMAIL}
    [(to, template, token)] = await mails(database)
    assert (to, template) == (OWNER_EMAIL, "reset_password")
    assert (await sign_in(client)).status_code == 200
    done = await client.post("/api/v1/password-links", json={"token": token, "password": NEW_PASSWORD})
    assert done.status_code == 200
    assert (await client.post("/api/v1/password-links", json={"token": token, "password": PASSWORD})).status_code == 422
    assert len((await client.get("/api/v1/sessions")).json()["sessions"]) == 1
    assert (await mails(database))[-1][:2] == (OWNER_EMAIL, "password_changed")


async def test_a_reset_never_skips_the_second_factor(client, tenant, owner, database):
    """Who reads the mailbox has one factor: the new password holds, nobody is signed in."""
    await owner.execute("UPDATE login SET factors = '{totp}' WHERE email = $1", OWNER_EMAIL)
    await client.post("/api/v1/password-resets", json={"email": OWNER_EMAIL})
    [(*_, token)] = await mails(database)
    answer = await client.post("/api/v1/password-links", json={"token": token, "password": NEW_PASSWORD})
    assert (answer.status_code, answer.json()["code"]) == (401, "second_factor_required")
    assert answer.json()["methods"] == ["totp"]
    assert "set-cookie" not in answer.headers
    assert (await client.get("/api/v1/session")).status_code == 401
