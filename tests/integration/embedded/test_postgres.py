"""EmbeddedPostgres over the wheel and over the Postgres on PATH, as the user running the tests (often root)."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
from pathlib import Path

import asyncpg
import pytest

from hub.embedded.postgres import EmbeddedPostgres, PostgresOptions
from hub.embedded.postmaster import read_postmaster
from hub.embedded.process import is_alive
from hub.errors import ConfigurationError, Unavailable
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.processes]


@pytest.fixture
async def make(postgres_binaries, place):
    """Make instances over one folder; each is stopped at the end."""
    made = []

    def make_one(**options):
        postgres = EmbeddedPostgres(
            postgres_binaries,
            place / "postgres",
            place / "run",
            place / "logs" / "postgres.log",
            PostgresOptions(**options),
        )
        made.append(postgres)
        return postgres

    yield make_one
    for postgres in made:
        await postgres.stop()


async def _value(url, query, *arguments):
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query, *arguments)
    finally:
        await connection.close()


async def _execute(url, statement):
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_start_offers_a_login_role_that_owns_nothing(make):
    """The application's role is no superuser, cannot bypass row security and owns no database."""
    urls = await make().start()

    query = (
        "SELECT array[rolsuper, rolbypassrls, rolcreatedb, rolcreaterole] FROM pg_roles WHERE rolname = current_user"
    )
    assert await _value(urls.database_url, "SELECT current_user::text") == "hub"
    assert await _value(urls.database_url, query) == [False] * 4
    owned = "SELECT count(*) FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE r.rolname = 'hub'"
    assert await _value(urls.owner_url, owned) == 0
    assert await _value(urls.owner_url, "SELECT current_user::text") == "hub_owner"


async def test_start_is_durable_with_checksums_and_utf8(make):
    """What is committed is synced, pages are checked, text is UTF-8 and sorts by code point on every machine."""
    urls = await make().start()

    for setting, wanted in (
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", ""),
    ):
        assert await _value(urls.database_url, "SELECT current_setting($1)", setting) == wanted, setting
    assert await _value(urls.database_url, "SELECT 'Z' < 'a'") is True


async def test_start_keeps_folder_and_socket_private(make, place):
    """Only our own user may enter the data and the socket, the one door to a server that trusts its callers."""
    await make().start()

    for path in (place / "postgres", place / "run"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    assert stat.S_IMODE((place / "run" / ".s.PGSQL.5432").stat().st_mode) == 0o700


async def test_log_keeps_no_private_text_of_a_failing_statement(make, place):
    """A statement that fails on a customer's address leaves neither the address nor the statement in the log."""
    urls = await make().start()
    await _execute(urls.owner_url, "CREATE TABLE t (a text UNIQUE); INSERT INTO t VALUES ('maria@example.org')")

    with pytest.raises(asyncpg.UniqueViolationError):
        await _execute(urls.owner_url, "INSERT INTO t VALUES ('maria@example.org')")
    with pytest.raises(asyncpg.DataError):
        await _execute(urls.owner_url, "SELECT 'maria@example.org'::int")

    log = (place / "logs" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "maria" not in log


async def test_stop_and_start_keep_data(make, place):
    """A stop is clean (no recovery at the next start) and a row is still there afterwards."""
    first = make()
    urls = await first.start()
    await _execute(urls.owner_url, "CREATE TABLE kept AS SELECT 7 AS n")
    await first.stop()

    urls = await make().start()

    assert await _value(urls.owner_url, "SELECT n FROM kept") == 7
    assert "automatic recovery" not in (place / "logs" / "postgres.log").read_text()


async def test_kill_of_the_postmaster_loses_no_committed_row(make, place):
    """After kill -9 amid commits the same instance starts again and every acknowledged row is there."""
    postgres = make()
    urls = await postgres.start()
    await _execute(urls.owner_url, "CREATE TABLE acked (n int)")
    acked = []

    async def write():
        connection = await asyncpg.connect(urls.owner_url)
        try:
            for number in range(100_000):
                await connection.execute("INSERT INTO acked VALUES ($1)", number)
                acked.append(number)
        finally:
            connection.terminate()

    writer = asyncio.create_task(write())
    await wait_until(lambda: len(acked) >= 100)
    os.kill(postgres.process.pid, signal.SIGKILL)
    assert isinstance((await asyncio.gather(writer, return_exceptions=True))[0], Exception)

    urls = await postgres.start()

    connection = await asyncpg.connect(urls.owner_url)
    rows = {row["n"] for row in await connection.fetch("SELECT n FROM acked")}
    await connection.close()
    assert set(acked) <= rows
    assert len(rows) <= len(acked) + 1
    assert "automatic recovery" in (place / "logs" / "postgres.log").read_text()


async def test_start_adopts_the_server_a_former_hub_left(make):
    """A second start on the folder takes over the running server, same process, and can stop it."""
    first = make(dies_with_us=False)
    urls = await first.start()
    await _execute(urls.owner_url, "CREATE TABLE kept AS SELECT 7 AS n")
    pid = first.process.pid
    child = first.process
    first.abandon()

    second = make()
    urls = await second.start()

    assert (second.process.pid, second.process.is_adopted) == (pid, True)
    assert await _value(urls.owner_url, "SELECT n FROM kept") == 7
    await second.stop()
    assert not is_alive(pid)
    assert await child.wait(5)
    assert child.exit_code == 0


async def test_start_survives_a_pid_file_whose_number_a_stranger_has(make, place):
    """A pid file from before a reboot may name a process that is not Postgres; it is cleared, the stranger unharmed."""
    first = make()
    await first.start()
    text = (place / "postgres" / "postmaster.pid").read_text().splitlines()
    await first.stop()
    (place / "postgres" / "postmaster.pid").write_text("\n".join([str(os.getpid()), *text[1:]]) + "\n")

    urls = await make().start()

    assert await _value(urls.owner_url, "SELECT 1") == 1
    assert read_postmaster(place / "postgres").pid != os.getpid()


async def test_start_refuses_a_folder_in_use(make):
    """Two hubs never share a folder: the second is told which process has it, the first goes on."""
    urls = await make().start()

    with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()}"):
        await make().start()

    assert await _value(urls.database_url, "SELECT 1") == 1


async def test_start_refuses_another_major_with_steps(make, place, postgres_binaries):
    """A folder of another Postgres version is left as it is, and the error says what to do."""
    first = make()
    await first.start()
    await first.stop()
    (place / "postgres" / "PG_VERSION").write_text("12\n")

    with pytest.raises(ConfigurationError, match=r"made by Postgres 12.*Nothing was changed.*pg_dump of version 12"):
        await make().start()

    (place / "postgres" / "PG_VERSION").write_text(f"{postgres_binaries.major}\n")
    await make().start()


async def test_start_refuses_a_folder_of_other_files(make, place):
    """A folder with something else in it is not overwritten."""
    (place / "postgres").mkdir()
    (place / "postgres" / "thesis.txt").write_text("mine")

    with pytest.raises(ConfigurationError, match="holds files but no Postgres cluster"):
        await make().start()

    assert (place / "postgres" / "thesis.txt").read_text() == "mine"


async def test_start_says_why_the_server_does_not_come_up(make, place):
    """A server that ends at once is reported with its own words, and the folder is free again."""
    first = make()
    await first.start()
    await first.stop()
    (place / "postgres" / "postgresql.auto.conf").write_text("no_such_setting = 1\n")

    with pytest.raises(Unavailable, match="no_such_setting"):
        await make().start()

    (place / "postgres" / "postgresql.auto.conf").write_text("")
    await make().start()


async def test_half_made_cluster_is_made_anew(make, place):
    """An initdb killed half-way leaves a folder that is thrown away, not served."""
    (place / "postgres.new").mkdir()
    (place / "postgres.new" / "PG_VERSION").write_text("99\n")

    urls = await make().start()

    assert await _value(urls.owner_url, "SELECT 1") == 1
    assert not (place / "postgres.new").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root changes its user")
async def test_root_without_namespaces_runs_as_another_user_below_a_closed_folder(make, place):
    """Where user namespaces are forbidden, root's Postgres runs as nobody, its data below a folder nobody may enter."""
    place.chmod(0o700)
    first = make(has_namespaces=False)
    urls = await first.start()
    await _execute(urls.owner_url, "CREATE TABLE kept AS SELECT 7 AS n")

    assert (place / "postgres").stat().st_uid == 65534
    assert Path(f"/proc/{first.process.pid}").stat().st_uid == 65534  # noqa: ASYNC240
    os.kill(first.process.pid, signal.SIGKILL)
    urls = await first.start()
    assert await _value(urls.owner_url, "SELECT n FROM kept") == 7
    await first.stop()

    urls = await make().start()
    assert await _value(urls.owner_url, "SELECT n FROM kept") == 7
    assert (place / "postgres").stat().st_uid == 0


async def test_server_ends_with_the_process_that_started_it(postgres_binaries, place):
    """kill -9 of the hub leaves no Postgres behind (Linux)."""
    script = f"""
import asyncio, sys
from pathlib import Path
from hub.embedded.binaries import probe_postgres
from hub.embedded.postgres import EmbeddedPostgres

async def main():
    place = Path({str(place)!r})
    postgres = EmbeddedPostgres(
        probe_postgres(Path({str(postgres_binaries.bin_dir)!r})), place / "postgres", place / "run", place / "log"
    )
    await postgres.start()
    print(postgres.process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
    hub = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    pid = int(await hub.stdout.readline())
    assert is_alive(pid)

    hub.kill()
    await hub.wait()

    await wait_until(lambda: not is_alive(pid))
    assert "database system is shut down" in (place / "log").read_text()
