"""hub doctor over real stores: each fault is planted in them, seen, named, and comes with what to do."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import redis.asyncio

from hub import clock
from hub.channels.sealing import Sealer
from hub.config import read_settings
from hub.doctor import examine as examining
from hub.doctor import postgres, redis_servers
from hub.doctor.examine import examine
from hub.doctor.model import Level, Patient
from hub.doctor.shown import as_json, as_text, exit_code
from tests.acceptance.running import free_port
from tests.processes import ROOT, SECRET_KEY

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


class Looking:
    """The doctor on this test's stores."""

    def __init__(self, environ: dict[str, str], folder: Path) -> None:
        self.environ = {"HUB_DATA_DIR": str(folder / "data"), "HUB_SECRET_KEY": SECRET_KEY, **environ}
        self.frontend_dir = folder

    async def findings(self, **environ: str):
        settings = read_settings(self.environ | environ)
        return await examine(Patient(settings, self.frontend_dir, lambda channel: channel == "twilio_sms"))

    async def bad(self, **environ: str) -> dict[str, Level]:
        """What needs doing by title, machine and test server's own left out; all of it says what to do."""
        findings = [one for one in await self.findings(**environ) if one.level is not Level.OK]
        assert all(one.what_to_do for one in findings)
        return {one.title: one.level for one in findings if one.title not in ORDINARY}


# What is true of the servers tests run on, and of a data folder without a frontend.
ORDINARY = {
    "Postgres may lose what it acknowledged",
    "The pages are not built",
    "No work process is alive",
    "The disk is filling up",
    "Few files may be open: each connection is one",
}


@pytest.fixture
def looking(database_urls, redis_durable, redis_ephemeral, tmp_path) -> Looking:
    environ = {
        "DATABASE_URL": database_urls.database_url,
        "REDIS_URL": redis_durable,
        "REDIS_EPHEMERAL_URL": redis_ephemeral,
    }
    return Looking(environ, tmp_path)


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
async def durable(redis_durable):
    client = redis.asyncio.Redis.from_url(redis_durable, decode_responses=True)
    yield client
    await client.aclose()


async def test_whole_examination_is_quick_and_finds_what_is_planted_by_the_run(looking):
    """Servers without fsync and nobody at work: two faults, everything else well, far below ten seconds."""
    began_s = time.monotonic()
    findings = await looking.findings()
    taken_s = time.monotonic() - began_s

    titles = {one.title: one for one in findings}
    assert await looking.bad() == {}
    assert titles["Postgres may lose what it acknowledged"].level is Level.FAULT
    assert "fsync" in titles["Postgres may lose what it acknowledged"].detail
    assert titles["No work process is alive"].level is Level.FAULT
    assert len(findings) >= 35
    assert taken_s < 10


@pytest.mark.parametrize(
    ("statement", "title"),
    [
        ("ALTER ROLE hub_app BYPASSRLS", "Row-level security does not hold for hub_app"),
        ("ALTER ROLE hub_app SUPERUSER", "Row-level security does not hold for hub_app"),
        ("UPDATE alembic_version SET version_num = '0000'", "The database is behind"),
        ("UPDATE alembic_version SET version_num = '9999'", "The database is of a newer version"),
        ("DROP TABLE alembic_version", "The database is empty"),
    ],
)
async def test_database_faults_are_told(looking, owner, statement, title):
    """Roles above row-level security, schemas behind, ahead and missing."""
    await owner.execute(statement)
    try:
        assert (await looking.bad())[title] is Level.FAULT
    finally:
        # Roles belong to the whole cluster, which other tests share.
        await owner.execute("ALTER ROLE hub_app NOSUPERUSER NOBYPASSRLS")


async def test_superuser_login_is_told(looking, database_urls):
    """Signing in as the owner works, and is not how it should be."""
    bad = await looking.bad(DATABASE_URL=database_urls.owner_url)
    assert bad == {"DATABASE_URL signs in as a superuser": Level.WARNING}


async def test_unreachable_stores_are_told(looking, database_urls):
    """Nobody listens, the database is missing, a server that never answers: each in its own words and in time."""
    nobody = f"redis://127.0.0.1:{free_port()}"
    missing = database_urls.database_url.replace(database_urls.name, "no_such_database")
    bad = await looking.bad(
        DATABASE_URL=f"postgresql://hub@127.0.0.1:{free_port()}/hub", REDIS_URL=nobody, REDIS_EPHEMERAL_URL=nobody
    )
    assert bad == {
        "Postgres cannot be reached": Level.FAULT,
        "The durable Redis cannot be reached": Level.FAULT,
        "The ephemeral Redis cannot be reached": Level.FAULT,
    }
    assert "The database does not exist" in await looking.bad(DATABASE_URL=missing)


async def test_server_that_accepts_and_never_answers_is_told_in_time(looking):
    """A hung server costs its own look only, and less than ten seconds in all."""

    async def hang(reader, writer):
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    began_s = time.monotonic()
    bad = await looking.bad(
        DATABASE_URL=f"postgresql://hub@127.0.0.1:{port}/hub?sslmode=disable", REDIS_URL=f"redis://127.0.0.1:{port}"
    )
    taken_s = time.monotonic() - began_s
    server.close()

    assert bad["Postgres does not answer in time"] is Level.FAULT
    assert bad["The durable Redis does not answer in time"] is Level.FAULT
    assert taken_s < 10


async def test_refused_passwords_are_told(looking, owner, durable, database_urls):
    """A login that may not sign in, and a Redis that wants a password we do not give."""
    await owner.execute("CREATE ROLE locked_out NOLOGIN")
    try:
        bad = await looking.bad(DATABASE_URL=database_urls.database_url.replace("//hub@", "//locked_out@"))
    finally:
        await owner.execute("DROP ROLE locked_out")
    assert bad == {"Postgres refuses the login": Level.FAULT}

    await durable.config_set("requirepass", "secret")
    try:
        bad = await looking.bad()
    finally:
        await durable.execute_command("AUTH", "secret")
        await durable.config_set("requirepass", "")
    assert bad["The durable Redis refuses the password"] is Level.FAULT


@pytest.mark.parametrize(
    ("name", "value", "title", "level"),
    [
        ("appendfsync", "everysec", "The durable Redis may lose the last seconds", Level.FAULT),
        ("appendonly", "no", "The durable Redis keeps nothing on disk", Level.FAULT),
        ("maxmemory-policy", "allkeys-lru", "The durable Redis drops data when it is full", Level.FAULT),
        ("maxmemory", "0", "The durable Redis has no memory limit", Level.WARNING),
        ("maxmemory", "5000000", "The durable Redis is nearly full", Level.FAULT),
    ],
)
async def test_durable_redis_settings_are_told(looking, durable, name, value, title, level):
    """Each setting that breaks the promise of an acknowledged webhook."""
    (before,) = (await durable.config_get(name)).values()
    if value == "5000000":
        await durable.set("filler", "x" * 4_500_000)
    await durable.config_set(name, value)
    try:
        bad = await looking.bad()
    finally:
        await durable.config_set(name, before)
        await durable.delete("filler")
    assert bad[title] is level


async def test_one_redis_for_both_is_told_whatever_the_address(looking, redis_durable):
    """Another spelling of the same server is seen through."""
    bad = await looking.bad(REDIS_EPHEMERAL_URL=f"{redis_durable}?db=0")
    assert bad["REDIS_URL and REDIS_EPHEMERAL_URL are one server"] is Level.WARNING


async def test_standing_items_and_strange_entries_are_told(looking, durable):
    """An entry a minute old that nobody read, one read and never stored, and one that is not ours."""
    old_ms = clock.now_ms() - 120_000
    await durable.xgroup_create("in:{3}", "intake", id="0", mkstream=True)
    await durable.xadd("in:{3}", {"item": "x"}, id=f"{old_ms}-0")
    assert (await looking.bad())["Received items are not being stored"] is Level.FAULT
    await durable.xreadgroup("intake", "leaseholder", {"in:{3}": ">"})
    assert (await looking.bad())["Received items are not being stored"] is Level.FAULT
    await durable.xack("in:{3}", "intake", f"{old_ms}-0")
    await durable.xadd("in:{3}:unreadable", {"item": "x"})
    assert await looking.bad() == {"Entries on the streams are not ours": Level.WARNING}


async def test_backlogs_and_accounts_are_told(looking, owner, workspace):
    """A reply due for an hour, one nobody confirmed, a dead letter, a spooled item, an account that must sign in."""
    hour_ago = clock.now() - timedelta(hours=1)
    await owner.execute("ALTER TABLE delivery DROP CONSTRAINT delivery_workspace_id_message_id_fkey")
    for state in ("queued", "unknown"):
        await owner.execute(
            "INSERT INTO delivery (workspace_id, id, message_id, conversation_id, channel_account_id, channel, thread_key,"
            " state, position, due_at, created_at) VALUES ($1, $2, $2, $2, $2, 'twilio_sms', 't', $3, 1, $4, $4)",
            workspace.id,
            clock.new_id(),
            state,
            hour_ago,
        )
    await owner.execute(
        "INSERT INTO dead_letter (workspace_id, id, channel_account_id, channel, key, body, error, stream, entry_id,"
        " received_at, created_at) VALUES ($1, $2, $2, 'twilio_sms', 'k', '', 'e', 's', '1-1', $3, $3)",
        workspace.id,
        clock.new_id(),
        hour_ago,
    )
    await owner.execute(
        "INSERT INTO intake_spool (workspace_id, id, partition, item, created_at) VALUES ($1, $2, 1, '', $3)",
        workspace.id,
        clock.new_id(),
        hour_ago,
    )
    await owner.execute("UPDATE channel_account SET status = 'needs_sign_in' WHERE channel = 'twilio_sms'")

    bad = await looking.bad()

    assert bad == {
        "Replies are not being sent": Level.FAULT,
        "Some replies are not confirmed": Level.WARNING,
        "Some received items could not be read": Level.WARNING,
        "Items wait in Postgres for the durable Redis": Level.WARNING,
        "An account must be connected again": Level.WARNING,
        "Vendors cannot call this hub": Level.WARNING,
    }
    assert "Vendors cannot call this hub" not in await looking.bad(HUB_PUBLIC_URL="https://hub.example.com")


async def test_other_secret_key_is_told(looking, owner, workspace):
    """Credentials sealed under one key and started with another cannot be read, and nothing says so until they are used."""
    wrapped = Sealer({1: SECRET_KEY}).new_data_key(workspace.id, 1)
    await owner.execute("DELETE FROM workspace_key")
    await owner.execute(
        "INSERT INTO workspace_key (workspace_id, id, key_version, wrapped, created_at) VALUES ($1, 1, 1, $2, now())",
        workspace.id,
        wrapped.wrapped,
    )
    await owner.execute("DELETE FROM channel_account")
    title = "The secret key is not the one credentials were sealed with"
    assert title not in await looking.bad()
    assert (await looking.bad(HUB_SECRET_KEY="another-key-another-key-another-key"))[title] is Level.FAULT


async def test_items_that_stay_in_the_spool_are_a_fault(looking, owner, workspace):
    """What was spooled two minutes ago, with Redis there, will not leave by itself: its id tells when it came."""
    born_ms = clock.now_ms() - 120_000
    old_id = UUID(int=(born_ms << 80) | (0x7 << 76) | (0b10 << 62) | 1)
    await owner.execute(
        "INSERT INTO intake_spool (workspace_id, id, partition, item, created_at) VALUES ($1, $2, 1, '', now())",
        workspace.id,
        old_id,
    )
    assert await looking.bad(HUB_PUBLIC_URL="https://hub.example.com") == {"Items do not leave the spool": Level.FAULT}


async def test_accounts_that_cannot_be_read_are_told(looking, owner, workspace):
    """A mailbox with an error is counted by its channel; one that was read, or is paused, is not."""
    await owner.execute(
        "INSERT INTO channel_cursor (workspace_id, channel_account_id, error) VALUES ($1, $2, NULL)",
        workspace.id,
        workspace.sms_id,
    )
    public = {"HUB_PUBLIC_URL": "https://hub.example.com"}
    assert await looking.bad(**public) == {}
    await owner.execute("UPDATE channel_cursor SET error = 'The mail server does not answer.'")
    assert await looking.bad(**public) == {"Accounts cannot be read": Level.WARNING}
    assert "does not answer" not in str(await looking.findings(**public))
    await owner.execute("UPDATE channel_account SET status = 'paused'")
    assert await looking.bad(**public) == {}


async def test_workers_and_partitions_are_counted(looking, owner):
    """A live worker with a few partitions is a warning, with all of them nothing."""
    await owner.execute("INSERT INTO intake_worker VALUES ('here/0', gen_random_uuid(), now() + interval '1 minute')")
    titles = {one.title for one in await looking.findings()}
    assert "Some partitions are read by nobody" in titles
    await owner.execute(
        "INSERT INTO partition_lease SELECT n, 'here/0', now() + interval '1 minute' FROM generate_series(0, 15) n"
    )
    assert "Work processes are alive" in {one.title for one in await looking.findings()}


def test_versions_connections_and_clocks_are_judged():
    """What a test cannot plant in a server is judged from its figures."""
    assert postgres.judge_version(140_011).level is Level.FAULT
    assert postgres.judge_version(150_000).level is Level.OK
    assert [postgres.judge_connections(used, 97).level.value for used in (10, 80, 96)] == ["ok", "warning", "fault"]
    assert [postgres.judge_skew("x", s).level.value for s in (0.1, -5, 90)] == ["ok", "warning", "fault"]
    assert redis_servers.judge_version("durable", {"redis_version": "6.2.14"}).level is Level.FAULT
    assert redis_servers.judge_disk({"aof_last_write_status": "err"}).level is Level.FAULT
    full = {"maxmemory": "1000000", "maxmemory_policy": "noeviction"}
    assert redis_servers.judge_eviction("ephemeral", full).level is Level.WARNING


async def test_look_that_breaks_is_a_finding_and_not_the_end(looking, monkeypatch):
    """A bug in one look leaves the others standing."""

    async def broken(connection):
        raise KeyError("secret")

    monkeypatch.setattr(postgres, "LOOKS", (broken, *postgres.LOOKS))
    findings = await looking.findings()
    assert [one.detail for one in findings if one.title == "Something could not be looked at"] == ["KeyError"]
    assert any(one.title == "The schema is current" for one in findings)


def test_command_prints_words_json_and_exit_codes(looking):
    """Real process: no colours where nobody looks, JSON for programs, 2 for faults."""
    environ = {**os.environ, **looking.environ, "HUB_FRONTEND_DIR": str(looking.frontend_dir)}
    command = (sys.executable, "-m", "hub.cli", "doctor")
    shown = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    told = subprocess.run((*command, "--json"), cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert (shown.returncode, told.returncode) == (2, 2)
    assert "\x1b" not in shown.stdout
    assert "FAULT    No work process is alive" in shown.stdout
    assert "→ Start `hub work`" in shown.stdout
    report = json.loads(told.stdout)
    assert report["faults"] == sum(one["level"] == "fault" for one in report["findings"]) > 0
    assert SECRET_KEY not in shown.stdout + told.stdout


def test_report_in_words_ends_with_what_needs_doing():
    """Good news first, faults last where a terminal shows them; colours only when asked for; 0, 1 and 2."""
    good, poor, broken = (
        examining.ok("All well"),
        examining.warning("Soon full", "Free some."),
        examining.fault("Down", "Start it.", "5 s"),
    )
    assert [exit_code(some) for some in ([good], [good, poor], [broken, poor])] == [0, 1, 2]
    text = as_text([broken, good, poor], in_colour=False)
    assert text.splitlines() == [
        "ok       All well",
        "WARNING  Soon full",
        "         → Free some.",
        "FAULT    Down (5 s)",
        "         → Start it.",
        "",
        "1 fault, 1 warning. 1 looks found all well.",
    ]
    assert "\x1b[31mFAULT" in as_text([broken], in_colour=True)
    assert json.loads(as_json([good]))["findings"][0]["level"] == "ok"
