"""`hub serve` and `hub work` over services that a test can take away, for as long as it likes, and bring back."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg

from hub.embedded.binaries import find_postgres, find_valkey
from hub.embedded.postgres import EmbeddedPostgres, PostgresOptions
from hub.embedded.valkey import EPHEMERAL_MAXMEMORY_BYTES, EmbeddedValkey, ValkeyOptions
from hub.migrations import runner
from tests.acceptance.running import ROOT, RunningHub, free_port
from tests.faults.rig import START_WITHIN_S, is_ready


class Services:
    """Postgres and two Valkeys in a folder of their own; addresses stay the same over a restart."""

    def __init__(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="hub-outage-"))
        logs, run = self.top / "logs", self.top / "run"
        self.postgres = EmbeddedPostgres(
            find_postgres(), self.top / "postgres", run, logs / "postgres.log", PostgresOptions(is_durable=True)
        )
        self.durable = EmbeddedValkey(
            find_valkey(), self.top / "valkey-streams", run, logs / "streams.log", ValkeyOptions(is_durable=True)
        )
        self.ephemeral = EmbeddedValkey(
            find_valkey(),
            self.top / "valkey-ephemeral",
            run,
            logs / "ephemeral.log",
            ValkeyOptions(is_durable=False, maxmemory_bytes=EPHEMERAL_MAXMEMORY_BYTES),
        )

    async def start(self) -> dict[str, str]:
        """Start everything, migrate, and return the environment of our processes."""
        urls, durable, ephemeral = await asyncio.gather(
            self.postgres.start(), self.durable.start(), self.ephemeral.start()
        )
        await runner.upgrade(urls.owner_url, urls.login_role)
        return {
            "DATABASE_URL": urls.database_url,
            "DATABASE_OWNER_URL": urls.owner_url,
            "REDIS_URL": durable,
            "REDIS_EPHEMERAL_URL": ephemeral,
        }

    async def kill(self, server: EmbeddedPostgres | EmbeddedValkey) -> None:
        """Kill -9, and wait until it has gone."""
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        await server.process.wait(10)
        server.abandon()

    async def stop(self) -> None:
        await asyncio.gather(self.postgres.stop(), self.durable.stop(), self.ephemeral.stop())
        shutil.rmtree(self.top, ignore_errors=True)


class OutageHub(RunningHub):
    """`hub serve` and `hub work`, each started, killed and started again by the test."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="hub-outage-data-")
        self.port = free_port()
        self.base_url = f"http://localhost:{self.port}"
        self.setup_token = secrets.token_urlsafe(16)
        own = {
            "HUB_DATA_DIR": self.folder.name,
            "HUB_PORT": str(self.port),
            "HUB_SECRET_KEY": secrets.token_urlsafe(48),
            "HUB_SETUP_TOKEN": self.setup_token,
        }
        self.given_environ = self.environ = os.environ | own | environ
        self.environ.pop("HUB_PUBLIC_URL", None)
        self.workspace_id = 0
        self.token = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, command: str) -> None:
        with (Path(self.folder.name) / f"{command}.log").open("ab") as log:
            self.processes[command] = subprocess.Popen(
                [sys.executable, "-m", "hub.cli", command], cwd=ROOT, env=self.environ, stdout=log, stderr=log
            )

    def wait_ready(self) -> None:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not is_ready(self.base_url):
            assert time.monotonic() < deadline_s, self.log("serve")[-2000:]
            time.sleep(0.05)

    def kill(self, command: str) -> None:
        process = self.processes.pop(command)
        process.kill()
        process.wait()

    def terminate(self, command: str) -> int:
        """Ask it to end, as an operator does; returns its exit code."""
        process = self.processes.pop(command)
        process.terminate()
        return process.wait(30)

    def log(self, name: str) -> str:
        path = Path(self.folder.name) / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def stop(self) -> None:
        for command in list(self.processes):
            self.kill(command)
        self.folder.cleanup()


async def spool_depth(owner_url: str) -> int:
    """Return how many items are in the spool."""
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("SET row_security = off")
        return int(await owner.fetchval("SELECT count(*) FROM intake_spool"))
    finally:
        await owner.close()
