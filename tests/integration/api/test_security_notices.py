"""What happened to one's own account is told in the app and by mail, and what one's account is used with as well."""

from __future__ import annotations

from dataclasses import replace

import asyncpg
import pytest

from hub.accounts import actions as accounts
from hub.accounts.model import NewMember, Role
from hub.channels.sealing import Sealer
from hub.mailer import actions as mailer
from hub.mailer import vault
from hub.mailer.vault import Vault
from tests.authenticator import Authenticator
from tests.factors import add_passkey
from tests.integration.api.conftest import OWNER_EMAIL, PASSWORD, sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0"


@pytest.fixture
async def parts(parts):
    sealer = Sealer({1: bytes(32)})
    async with parts.database.across() as conn:
        await mailer.keep_key(conn, Vault(sealer.derive_keys(vault.PURPOSE)).newest)
    return replace(parts, sealer=sealer)


@pytest.fixture
async def told(database_urls):
    """Read what was told: notices by detail with how often, and templates of mails."""
    connection = await asyncpg.connect(database_urls.owner_url)
    await connection.execute("SET row_security = off")

    async def read() -> tuple[dict[str, int], list[tuple[str, str]]]:
        rows = await connection.fetch(
            "SELECT detail, sum(amount)::bigint AS amount FROM notice WHERE kind = 'security' GROUP BY detail"
        )
        mails = await connection.fetch("SELECT template, recipient FROM system_mail ORDER BY created_at, id")
        return {one["detail"]: one["amount"] for one in rows}, [tuple(one) for one in mails]

    yield read
    await connection.close()


async def test_new_device_is_told_of_once(parts, client, tenant, told):
    """Not at the first sign-in of an account, not for a newer version of a known browser."""
    for version, expected in ((132, {}), (133, {})):
        client.headers["user-agent"] = FIREFOX.format(version, version)
        await sign_in(client)
        assert await told() == (expected, [])
    client.headers["user-agent"] = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/131.0 Safari/537.36"
    for _ in range(2):
        await sign_in(client)
        assert await told() == ({"signed_in": 1}, [("sign_in_notice", OWNER_EMAIL)])
    listed = (await client.get(f"/api/v1/workspaces/{tenant.workspace_id}/notices")).json()["notices"]
    assert [(one["kind"], one["detail"]) for one in listed] == [("security", "signed_in")]


async def test_changes_of_an_account_are_told(parts, client, tenant, told):
    """A passkey that comes and goes, a password, a token: each in the app and by mail."""
    await sign_in(client)
    passkey_id = (await add_passkey(client, Authenticator())).json()["passkey"]["id"]
    assert (await client.delete(f"/api/v1/passkeys/{passkey_id}")).status_code == 204
    base = f"/api/v1/workspaces/{tenant.workspace_id}"
    assert (await client.post(f"{base}/personal-tokens", json={"name": "Script"})).status_code == 201
    body = {"old": PASSWORD, "new": "quite-another-heron-27"}
    assert (await client.put("/api/v1/password", json=body)).status_code == 200
    notices, mails = await told()
    assert notices == {"factor_added": 1, "factor_removed": 1, "key_made": 1, "password_changed": 1}
    assert mails == [*[("security_changed", OWNER_EMAIL)] * 3, ("password_changed", OWNER_EMAIL)]


async def test_mail_about_an_account_is_in_its_owner_s_language(parts, client, tenant, database_urls):
    """Somebody whose pages are German gets the mail in German, whatever was changed."""
    connection = await asyncpg.connect(database_urls.owner_url)
    await connection.execute("SET row_security = off")
    await connection.execute("UPDATE login SET locale = 'de-AT' WHERE email = $1", OWNER_EMAIL)
    await sign_in(client)
    base = f"/api/v1/workspaces/{tenant.workspace_id}"
    assert (await client.post(f"{base}/personal-tokens", json={"name": "Script"})).status_code == 201
    locale = await connection.fetchval("SELECT locale FROM system_mail WHERE template = 'security_changed'")
    await connection.close()
    assert locale == "de-AT"


async def test_key_of_the_workspace_is_told_to_those_in_charge(parts, client, tenant, told):
    """Its maker and every owner and admin; the mail goes to the maker."""
    async with parts.database.transaction([tenant.workspace_id]) as conn:
        for email, role in (("cy@example.com", Role.ADMIN), ("di@example.com", Role.AGENT)):
            await accounts.add_member(conn, tenant.workspace_id, NewMember(email=email, role=role))
    await sign_in(client)
    base = f"/api/v1/workspaces/{tenant.workspace_id}"
    key = {"name": "Export", "scopes": ["inbox.read"]}
    assert (await client.post(f"{base}/api-keys", json=key)).status_code == 201
    assert await told() == ({"key_made": 2}, [("security_changed", OWNER_EMAIL)])
