"""run_up with the real stores and migrations; serve and work are tiny stand-ins that record what they are given."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from http.client import HTTPConnection
from pathlib import Path

import asyncpg
import pytest
import structlog

from hub.cli import has_owner
from hub.config import read_settings
from hub.embedded.ports import choose_port
from hub.embedded.process import is_alive
from hub.embedded.runfile import read_run_file
from hub.embedded.up import Steps, run_up
from hub.errors import SchemaMismatch, Unavailable
from hub.migrations.runner import schema_state, upgrade
from tests.waiting import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.processes]

SERVE = """
import json, os
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({name: os.environ.get(name) for name in os.environ}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
HTTPServer((os.environ["HUB_HOST"], int(os.environ["HUB_PORT"])), Handler).serve_forever()
"""
WORK = "import time; time.sleep(600)"


class Hub:
    """One run_up in the background, and what it announced."""

    def __init__(self, data_dir, scripts=None, **steps):
        self.data_dir = data_dir
        self.lines = []
        self.settings = read_settings({"HUB_DATA_DIR": str(data_dir)})
        scripts = {"serve": SERVE, "work": WORK, **(scripts or {})}
        self.steps = Steps(
            **{
                "schema_state": schema_state,
                "upgrade": upgrade,
                "has_owner": has_owner,
                "announce": self.lines.append,
                "log": structlog.get_logger(),
                "command": lambda name: (sys.executable, "-c", scripts[name]),
                **steps,
            }
        )
        self.task = None

    async def start(self):
        self.task = asyncio.create_task(run_up(self.settings, self.steps))
        await wait_until(lambda: self.task.done() or any("Logs" in line for line in self.lines), timeout_s=40)
        if self.task.done():
            await self.task

    @property
    def run(self):
        return read_run_file(self.data_dir / "hub.json")

    async def environ(self):
        def get():
            connection = HTTPConnection("127.0.0.1", self.run.port, timeout=5)
            connection.request("GET", "/")
            body = connection.getresponse().read()
            connection.close()
            return json.loads(body)

        return await asyncio.to_thread(get)

    async def stop(self):
        os.kill(os.getpid(), signal.SIGINT)
        await self.task


@pytest.fixture
async def make_hub(place):
    made = []

    def make(**options):
        hub = Hub(place / "data", **options)
        made.append(hub)
        return hub

    with structlog.testing.capture_logs():
        yield make
        for hub in made:
            if hub.task is not None and not hub.task.done():
                await hub.stop()


async def test_up_announces_the_setup_address_and_stops_on_ctrl_c(make_hub):
    """From an empty folder to the four lines; after Ctrl-C no process and no run file is left."""
    hub = make_hub()
    await hub.start()
    run, environ = hub.run, await hub.environ()

    token = environ["HUB_SETUP_TOKEN"]
    assert hub.lines == [
        f"[3/4] Database and streams ready   {hub.data_dir}",
        "[4/4] Hub ready",
        f"  Open   http://localhost:{run.port}/setup#{token}",
        f"  Stop   Ctrl-C      Logs   {hub.data_dir}/logs",
    ]
    assert len(token) >= 43
    await hub.stop()
    assert not (hub.data_dir / "hub.json").exists()
    assert [pid for pid in run.children.values() if is_alive(pid)] == []
    assert not (hub.data_dir / "postgres" / "postmaster.pid").exists()


async def test_up_gives_its_processes_everything_they_need(make_hub):
    """serve gets the addresses, the key and its port; the database is migrated and its role may use it."""
    hub = make_hub()
    await hub.start()
    environ = await hub.environ()

    assert environ["HUB_SECRET_KEY"] == (hub.data_dir / "secret.key").read_text().strip()
    assert environ["HUB_PORT"] == str(hub.run.port)
    assert environ["REDIS_URL"] != environ["REDIS_EPHEMERAL_URL"]
    assert environ["DATABASE_URL"] != environ["DATABASE_OWNER_URL"]
    assert (await schema_state(environ["DATABASE_OWNER_URL"])).is_current
    connection = await asyncpg.connect(environ["DATABASE_URL"], server_settings={"role": "hub_app"})
    assert await connection.fetchval("SELECT count(*) FROM workspace") == 0
    await connection.close()


@pytest.mark.parametrize("name", ["serve", "work", "postgres", "valkey-streams", "valkey-ephemeral"])
async def test_up_survives_kill_of_any_process(make_hub, name):
    """kill -9 of any one process brings back that one, at the same address, while the hub stays up."""
    hub = make_hub()
    await hub.start()
    environ = await hub.environ()
    pid = _pid_of(hub, name)

    os.kill(pid, signal.SIGKILL)

    await wait_until(lambda: _pid_of(hub, name) not in {None, pid}, timeout_s=30)
    connection = await _connect_eventually(environ["DATABASE_URL"])
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()
    await wait_until(lambda: _answers(hub.run.port))
    assert not hub.task.done()
    assert (await hub.environ())["REDIS_URL"] == environ["REDIS_URL"]


async def test_up_is_already_running_prints_the_address(make_hub):
    """A second start on the folder shows where the first answers and ends well."""
    first = make_hub()
    await first.start()

    second = make_hub()
    await asyncio.wait_for(run_up(second.settings, second.steps), 10)

    assert second.lines == [f"  Already running   {first.run.setup_url}"]
    assert not first.task.done()


async def test_up_shows_no_token_once_there_is_an_owner(make_hub):
    """Somebody who set the hub up before is not sent to the set-up page."""

    async def somebody(_url):
        return True

    hub = make_hub(has_owner=somebody)
    await hub.start()

    assert hub.lines[2] == f"  Open   http://localhost:{hub.run.port}/"


async def test_up_renews_the_token_each_start(make_hub):
    """A set-up address seen yesterday does not open today's hub."""
    hub = make_hub()
    await hub.start()
    first = (await hub.environ())["HUB_SETUP_TOKEN"]
    await hub.stop()

    again = make_hub()
    await again.start()

    assert (await again.environ())["HUB_SETUP_TOKEN"] != first


async def test_up_shows_the_log_of_what_does_not_come_up(make_hub):
    """A serve that cannot start ends the hub with its own last words, and nothing is left running."""
    hub = make_hub(scripts={"serve": "raise SystemExit('no such colour')"})

    with pytest.raises(Unavailable, match=r"(?s)no such colour.*`hub serve` does not come up"):
        await hub.start()

    assert not (hub.data_dir / "postgres" / "postmaster.pid").exists()


async def test_up_backs_up_before_it_migrates(make_hub):
    """A schema behind this version's is dumped first; a fresh database is not."""
    hub = make_hub()
    await hub.start()
    await hub.stop()
    assert not (hub.data_dir / "backups").exists()
    seen = []

    async def behind(url):
        state = await schema_state(url)
        return type("State", (), {"current": state.current, "is_newer": False, "is_current": False})()

    async def record(url, login):
        seen.append(sorted(file.name for file in (hub.data_dir / "backups").iterdir()))

    again = make_hub(schema_state=behind, upgrade=record)
    await again.start()

    (names,) = seen
    assert len(names) == 1
    assert (hub.data_dir / "backups" / names[0]).read_bytes().startswith(b"PGDMP")


async def test_up_refuses_a_newer_schema_with_the_steps(make_hub):
    """A database of a newer version is left alone and its stores are stopped again."""
    hub = make_hub()
    await hub.start()
    owner_url = (await hub.environ())["DATABASE_OWNER_URL"]
    connection = await asyncpg.connect(owner_url)
    await connection.execute("UPDATE alembic_version SET version_num = '9999'")
    await connection.close()
    await hub.stop()

    again = make_hub()
    with pytest.raises(SchemaMismatch, match="9999"):
        await again.start()

    assert not (hub.data_dir / "backups").exists()
    assert not (hub.data_dir / "postgres" / "postmaster.pid").exists()


async def test_up_ends_what_a_killed_hub_left_serving(make_hub):
    """Processes of a former hub that outlived it are ended before the new ones start."""
    hub = make_hub()
    await hub.start()
    await hub.stop()
    left = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; 'hub.cli'; time.sleep(600)")
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(600)")
    (hub.data_dir / "hub.json").write_text(
        json.dumps(
            {
                "pid": 2**22 + 1,
                "host": "127.0.0.1",
                "port": 1,
                "url": "",
                "setup_url": "",
                "children": {"serve": left.pid, "work": stranger.pid},
            }
        )
    )

    again = make_hub()
    await again.start()

    assert await left.wait() == -signal.SIGTERM
    assert stranger.returncode is None
    stranger.kill()
    await stranger.wait()


async def test_up_takes_the_next_port_when_the_first_is_taken(make_hub):
    """Whatever else runs here, the announced address is the hub's own."""
    port = choose_port("127.0.0.1", 8000, is_set=False)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", port)

    hub = make_hub()
    await hub.start()

    assert hub.run.port > port
    assert f"http://localhost:{hub.run.port}/" in hub.lines[2]
    server.close()
    await server.wait_closed()


def _pid_of(hub, name):
    if name in {"serve", "work"}:
        return hub.run.children[name]
    if name == "postgres":
        path = hub.data_dir / "postgres" / "postmaster.pid"
        return int(path.read_text().split()[0]) if path.exists() else None
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{hub.data_dir}/run/{name}.sock" in path.read_text():
                return int(path.parent.name)
        except OSError:
            continue
    return None


def _answers(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


async def _connect_eventually(url):
    async with asyncio.timeout(30):
        while True:
            try:
                return await asyncpg.connect(url)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.05)
