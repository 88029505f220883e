"""The migrated schema: tenancy, roles, prepared statements."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from hub.db import Database, load_queries
from hub.errors import Unavailable
from hub.events import store as events
from hub.migrations import runner

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).parents[3]
QUERY_FILES = sorted(
    path
    for folder in ("hub", "connectors", "api")
    for path in (ROOT / folder).rglob("*.sql")
    if path.parent.name != "versions"
)
NOT_TENANT = {
    "installation",
    "login",
    "login_session",
    "login_link",
    "login_avatar",
    "system_mail",
    "mail_key",
    "push_subscription",
    "push_key",
    "registration",
    "login_challenge",
    "login_totp",
    "login_recovery_code",
    "login_passkey",
    "passkey_ceremony",
    "issuer_identity",
    "issuer_attempt",
    "issuer_link",
    "refresh_token",
    "address_change",
    "partition_lease",
    "intake_worker",
    "alembic_version",
}


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


async def test_every_tenant_table_forces_row_security(owner):
    """Every table but the listed ones is under FORCEd row-level security with a tenant policy for hub_app."""
    rows = await owner.fetch(
        "SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity AS forced,"
        " EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'tenant') AS has_policy"
        " FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
    )
    unprotected = {row["relname"] for row in rows if not (row["forced"] and row["has_policy"])}
    assert unprotected == NOT_TENANT


async def test_every_tenant_key_starts_with_the_workspace(owner):
    """Primary keys of tenant tables start with workspace_id, so that the tables can be distributed by it."""
    rows = await owner.fetch(
        "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]"
        " WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace"
    )
    others = {row["relname"] for row in rows if row["attname"] != "workspace_id"}
    assert NOT_TENANT | {"workspace"} == others


async def test_application_role_owns_nothing(owner):
    """hub_app owns no object and is neither superuser nor exempt from row security; nor is hub_router."""
    owned = await owner.fetchval(
        "SELECT count(*) FROM pg_class WHERE relowner = 'hub_app'::regrole AND relnamespace = 'public'::regnamespace"
    )
    roles = await owner.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname IN ('hub_app', 'hub_router')"
        " AND NOT rolsuper AND NOT rolbypassrls AND NOT rolcanlogin"
    )
    assert owned == 0
    assert {"hub_app", "hub_router"} == {row["rolname"] for row in roles}


async def test_functions_across_workspaces_are_the_listed_ones(owner):
    """Exactly the hub_… functions run as hub_router, with a fixed search path, closed to PUBLIC."""
    rows = await owner.fetch(
        "SELECT proname, prosecdef, proowner::regrole::text AS owner, proconfig, proacl::text AS acl"
        " FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    )
    definers = [row for row in rows if row["prosecdef"]]
    assert all(row["proname"].startswith("hub_") and row["owner"] == "hub_router" for row in definers)
    assert all(row["proconfig"] == ["search_path=public, pg_temp"] for row in definers)
    assert all(
        "=X/hub_router" not in row["acl"].replace("hub_app=X/hub_router", "") or "{=X" not in row["acl"]
        for row in definers
    )
    assert {"events_lock", "usage_count_messages", "workspace_rights_are_told"} == {
        row["proname"] for row in rows if not row["prosecdef"]
    }


@pytest.mark.parametrize("path", QUERY_FILES, ids=lambda path: str(path.relative_to(ROOT)))
async def test_every_statement_can_be_prepared(database_urls, path):
    """Every named statement fits the migrated schema, as the application's role."""
    connection = await asyncpg.connect(database_urls.database_url, server_settings={"role": "hub_app"})
    try:
        for name, sql in load_queries(path).items():
            try:
                await connection.prepare(sql)
            except asyncpg.PostgresError as error:
                pytest.fail(f"{name}: {error}")
    finally:
        await connection.close()


async def test_events_cannot_be_changed(database, workspace):
    """The log is append-only for the application."""
    for sql in ("UPDATE event SET type = 'x'", "DELETE FROM event"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.transaction([workspace.id]) as conn:
                await conn.execute(sql)


async def test_migrating_twice_changes_nothing(database_urls):
    """A migrated database is left as it is."""
    before = await runner.schema_state(database_urls.owner_url)
    after = await runner.upgrade(database_urls.owner_url, "hub")
    assert before == after
    assert after.is_current


async def test_newer_schema_is_refused(database_urls, owner):
    """A database migrated by a newer version is not touched, and the text says what to do."""
    await owner.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(runner.SchemaMismatch) as refused:
        await runner.upgrade(database_urls.owner_url, "hub")

    assert "9999" in refused.value.message


async def test_epoch_changes_when_the_database_is_another_copy(database_urls, owner):
    """A restored or failed-over database gets a new epoch, once."""
    await owner.execute("UPDATE installation SET system_identifier = 'elsewhere'")

    epochs = []
    for _ in range(2):
        opened = await Database.open(database_urls.database_url, lambda _: None, max_size=2)
        epochs.append(opened.epoch)
        await opened.close()

    assert epochs == [2, 2]


async def test_lock_held_too_long_is_unavailable(database, workspace):
    """Whoever waits longer than the lock timeout for a workspace is told to try again."""

    async with database.transaction([workspace.id]) as first:
        await events.lock(first, [workspace.id])
        with pytest.raises(Unavailable):
            async with database.transaction([workspace.id]) as second:
                await events.lock(second, [workspace.id])
