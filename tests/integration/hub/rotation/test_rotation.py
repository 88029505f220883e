"""The installation's key is changed while the hub works: everything opens throughout, afterwards with the new key alone."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from hub import clock
from hub.audit import actions as audit
from hub.audit.chain import KEY_PURPOSE, HeadKeys
from hub.audit.heads_file import read_keys_file
from hub.channels import actions as channels
from hub.channels import store as channel_store
from hub.channels.sealing import Sealer
from hub.errors import ConfigurationError
from hub.inbox import actions as inbox
from hub.inbox import store as conversations
from hub.key_commands import describe
from hub.mailer import vault
from hub.mailer.vault import Vault
from hub.privacy.exporting import Exporting
from hub.push import keys as push_keys
from hub.push import store as push
from hub.push.sending import ensure_key
from hub.rotation import actions
from hub.rotation.actions import read_held, rotate
from hub.secret_keys import read_keys
from hub.signin.factors import sealing as factors
from hub.signin.factors.sealing import FactorSealer
from hub.texts import actions as texts
from hub.texts.keyring import Keyring
from tests.factories import make_item, make_workspace, received

pytestmark = pytest.mark.postgres

OLD, NEW = "o" * 32, "n" * 32
BEFORE = Sealer(read_keys(f"1:{OLD}"))
# Named everywhere before it writes anywhere: a process that was not restarted yet opens what the others wrap.
ANNOUNCED = Sealer(read_keys(f"1:{OLD}\n2:{NEW}"))
CHANGING = Sealer(read_keys(f"2:{NEW}\n1:{OLD}"))
AFTER = Sealer(read_keys(f"2:{NEW}"))
TOTP = "JBSWY3DPEHPK3PXP"


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


class Seeded:
    """What was sealed with the old key."""

    def __init__(self, workspaces, mail_id):
        self.workspaces, self.mail_id = workspaces, mail_id


@pytest.fixture
async def seeded(database, owner):
    workspaces = [await make_workspace(database, name=f"W{number}") for number in range(3)]
    database.keyring = Keyring(BEFORE)
    for one in workspaces:
        async with database.transaction([one.id]) as conn:
            await texts.set_sealed(conn, BEFORE, one.actor(), wanted=True)
        async with database.transaction([one.id]) as conn:
            key = await channels.data_key(conn, BEFORE, one.id)
            place = channel_store.credentials_place(one.id, one.sms_id)
            await owner.execute(
                "UPDATE channel_account SET credentials_sealed = $2 WHERE id = $1",
                one.sms_id, key.seal(place, b'{"auth_token":"t"}'),
            )  # fmt: skip
        await receive(database, one, "before")
        sealed = FactorSealer(BEFORE.derive_keys(factors.PURPOSE)).seal(one.login_id, one.owner_id, TOTP)
        await owner.execute(
            "INSERT INTO login_totp (login_id, id, secret_sealed, created_at) VALUES ($1, $2, $3, now())",
            one.login_id, one.owner_id, sealed,
        )  # fmt: skip
    # Queued by hand: the template's database knows another mail key.
    mail_id, key = clock.new_id(), Vault(BEFORE.derive_keys(vault.PURPOSE)).newest
    await owner.execute("DELETE FROM mail_key")
    await owner.execute(
        "INSERT INTO system_mail (id, recipient, template, locale, sealed, key_version, created_at, due_at, expires_at)"
        " VALUES ($1, 'a@example.org', 'digest', 'en', $2, 1, now(), now(), now() + interval '1 hour')",
        mail_id, key.seal(mail_id, {"url": "https://x"}),
    )  # fmt: skip
    async with database.across() as conn:
        await ensure_key(conn, BEFORE.derive_keys(push_keys.PURPOSE))
    await add_export(owner, workspaces[0])
    return Seeded(workspaces, mail_id)


async def add_export(owner, workspace):
    wrapped = BEFORE.new_data_key(workspace.id, 0)
    contact_id = await owner.fetchval("SELECT id FROM contact WHERE workspace_id = $1", workspace.id)
    await owner.execute(
        "INSERT INTO contact_export (workspace_id, id, contact_id, requested_by, state, part_keys, size_bytes, key_version,"
        " wrapped, created_at, expires_at)"
        " VALUES ($1, $2, $3, $4, 'ready', '{}', 0, $5, $6, now(), now() + interval '7 days')",
        workspace.id, workspace.owner_id, contact_id, workspace.owner_id, wrapped.key_version, wrapped.wrapped,
    )  # fmt: skip


async def receive(database, workspace, text):
    async with database.transaction([workspace.id]) as conn:
        return (await inbox.receive(conn, [received(workspace, make_item(text=text))]))[0]


async def read(database, workspace, message_id):
    async with database.snapshot([workspace.id]) as conn:
        return (await conversations.get_message(conn, workspace.id, message_id)).text


async def credentials(database, sealer, workspace):
    async with database.transaction([workspace.id]) as conn:
        return await channel_store.open_credentials(conn, sealer, workspace.id, workspace.sms_id)


async def test_everything_opens_while_the_key_changes_and_with_the_new_one_alone_afterwards(database, owner, seeded):
    """Processes that still write with the old key, and those that write with the new one, work all through it."""
    failures, rounds = [], 0
    rotated = asyncio.Event()

    async def work(sealer):
        nonlocal rounds
        while not rotated.is_set() or rounds < 6:
            for one in seeded.workspaces:
                # As after a restart: nothing is remembered.
                database.keyring = Keyring(sealer)
                text = f"round {rounds}"
                outcome = await receive(database, one, text)
                if await read(database, one, outcome.message_id) != text:
                    failures.append(text)
                assert await credentials(database, sealer, one) == {"auth_token": "t"}
            rounds += 1

    async def change():
        try:
            return await rotate(database, CHANGING, chunk_rows=1)
        finally:
            rotated.set()

    _, _, done = await asyncio.gather(work(ANNOUNCED), work(CHANGING), change())

    assert failures == []
    assert done == {
        "keys of workspaces": 6, "keys of exports": 1, "authenticator apps": 3, "mails that wait": 1, "push key": 1,
    }  # fmt: skip
    assert {one.version for one in await read_held(database)} == {2}
    assert describe(await read_held(database), CHANGING)[-1].startswith("Version 1 holds nothing that is stored")
    await open_all(database, owner, seeded, AFTER)
    with pytest.raises(ConfigurationError):
        await open_all(database, owner, seeded, BEFORE)
    again = await rotate(database, CHANGING)
    assert set(again.values()) == {0}


async def open_all(database, owner, seeded, sealer):
    database.keyring = Keyring(sealer)
    for one in seeded.workspaces:
        assert await credentials(database, sealer, one) == {"auth_token": "t"}
        outcome = await receive(database, one, "after")
        assert await read(database, one, outcome.message_id) == "after"
        sealed = await owner.fetchval("SELECT secret_sealed FROM login_totp WHERE login_id = $1", one.login_id)
        opened = FactorSealer(sealer.derive_keys(factors.PURPOSE)).open(one.login_id, one.owner_id, sealed)
        assert opened == TOTP
    row = await owner.fetchrow("SELECT sealed, key_version FROM system_mail WHERE id = $1", seeded.mail_id)
    fields = Vault(sealer.derive_keys(vault.PURPOSE)).open(seeded.mail_id, row["key_version"], row["sealed"])
    assert fields == {"url": "https://x"}
    async with database.across() as conn:
        kept = await push.sealed_key(conn)
    push_keys.PushKey.open(kept, sealer.derive_keys(push_keys.PURPOSE))
    exporting = Exporting(database, None, sealer)
    first = seeded.workspaces[0]
    assert [one async for one in await exporting.open(first.id, first.owner_id, clock.now())] == []


async def test_what_does_not_open_keeps_nothing_else_waiting(database, owner, seeded):
    """A damaged secret is left as it is, the others are changed, and the status says what is still needed."""
    broken = seeded.workspaces[0]
    await owner.execute(
        "UPDATE login_totp SET secret_sealed = substring(secret_sealed FROM 1 FOR 20) WHERE login_id = $1",
        broken.login_id,
    )
    await owner.execute("UPDATE workspace_key SET wrapped = 'x' WHERE workspace_id = $1 AND id = 1", broken.id)
    done = await rotate(database, CHANGING, chunk_rows=1)
    assert (done["keys of workspaces"], done["authenticator apps"]) == (5, 2)
    assert "Version 1 is still needed for: authenticator apps, keys of credentials." in describe(
        await read_held(database), CHANGING
    )


async def test_a_version_that_is_not_named_is_asked_for(database, seeded):
    """Who leaves the old key out too early is told, and nothing is lost."""
    done = await rotate(database, AFTER)
    assert done["keys of workspaces"] == 0
    assert "Version 1 is not named and is needed: put it into HUB_SECRET_KEYS_OLD." in describe(
        await read_held(database), AFTER
    )


async def test_heads_of_the_audit_log_are_signed_with_the_new_key(database, seeded, tmp_path):
    """After the change the newest entries are vouched for by a key that stays."""
    await audit.seal_all(database, 100)
    assert await actions.sign_heads(database, CHANGING, tmp_path) >= 3
    assert HeadKeys(AFTER.derive_keys(KEY_PURPOSE)).newest in read_keys_file(tmp_path)
