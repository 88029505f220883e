"""With a bug planted, the same generator, clients and auditor must say so, and name the right kind of fault."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest

from tests.acceptance.running import ROOT, RunningHub, free_port
from tests.faults.generator import Sent
from tests.faults.rig import START_WITHIN_S, Rig, Verdict, is_ready

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

WORKSPACES = 4
RATE_PER_S = 60.0
DURATION_S = 6.0


class PlantedHub(RunningHub):
    """`hub serve` and `hub work` by themselves, each with the bug, over the services of the test run."""

    def __init__(self, bug: str, environ: dict[str, str]) -> None:
        self.bug = bug
        self.folder = tempfile.TemporaryDirectory(prefix="hub-planted-")
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
                [sys.executable, "-m", "tests.faults.planted", self.bug, command],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
            )

    def wait_ready(self) -> None:
        deadline_s = time.monotonic() + START_WITHIN_S
        while not is_ready(self.base_url):
            assert time.monotonic() < deadline_s, (Path(self.folder.name) / "serve.log").read_text()[-2000:]
            time.sleep(0.05)

    def kill(self, command: str) -> None:
        if command in self.processes:
            process = self.processes.pop(command)
            process.kill()
            process.wait()

    def stop(self) -> None:
        for command in list(self.processes):
            self.kill(command)
        self.folder.cleanup()


@pytest.fixture
async def start_planted(database_urls, redis_durable, redis_ephemeral, twilio, tmp_path):
    rigs: list[Rig] = []

    async def start(bug: str) -> Rig:
        hub = PlantedHub(
            bug,
            {
                "DATABASE_URL": database_urls.database_url,
                "DATABASE_OWNER_URL": database_urls.owner_url,
                "REDIS_URL": redis_durable,
                "REDIS_EPHEMERAL_URL": redis_ephemeral,
                "HUB_VENDOR_URL_TWILIO_SMS": twilio.base_url,
            },
        )
        rigs.append(Rig(hub, tmp_path))
        hub.start("serve")
        hub.start("work")
        await asyncio.to_thread(hub.wait_ready)
        await asyncio.to_thread(hub.set_up)
        await rigs[-1].make_workspaces(WORKSPACES)
        return rigs[-1]

    yield start
    for rig in rigs:
        await rig.stop_recorders()
        await asyncio.to_thread(rig.hub.stop)


async def kill_worker_often(rig: Rig, owner_url: str, generating: asyncio.Task[Sent]) -> int:
    """Kill each worker as soon as it has stored something and holds more; returns how many were killed."""
    kills = 0
    stored = await count_messages(owner_url)
    while not generating.done():
        await asyncio.sleep(0.1)
        if (now := await count_messages(owner_url)) > stored:
            stored = now
            rig.hub.kill("work")
            rig.hub.start("work")
            kills += 1
    return kills


async def count_messages(owner_url: str) -> int:
    owner = await asyncpg.connect(owner_url)
    try:
        await owner.execute("SET row_security = off")
        return await owner.fetchval("SELECT count(*) FROM message")
    finally:
        await owner.close()


async def finish(rig: Rig, seen_within_s: float = 10.0) -> Verdict:
    await rig.wait_stored(60)
    await rig.wait_seen(seen_within_s)
    return await rig.audit()


async def test_acknowledging_before_commit_is_found_as_lost(start_planted, database_urls):
    """XACK before COMMIT, and a worker that is killed: acknowledged messages have no row."""
    rig = await start_planted("ack_first")
    generating = asyncio.create_task(rig.generate(RATE_PER_S, DURATION_S))
    kills = await kill_worker_often(rig, database_urls.owner_url, generating)
    await generating

    verdict = await finish(rig)

    assert kills
    assert verdict.exit_code == 1
    assert set(verdict.faults) == {"lost"}, verdict.text


async def test_storing_without_dedupe_is_found_as_duplicated(start_planted, database_urls):
    """Neither the planner nor an index knows what was received: what vendors send twice is there twice."""
    rig = await start_planted("no_dedupe")
    owner = await asyncpg.connect(database_urls.owner_url)
    await owner.execute("DROP INDEX event_dedupe; DROP INDEX message_external")
    await owner.close()
    sent = await rig.generate(RATE_PER_S, DURATION_S)

    verdict = await finish(rig)

    assert sent.repeated > 0
    assert verdict.exit_code == 1
    assert set(verdict.faults) == {"duplicated"}, verdict.text


async def test_trimming_by_length_is_found_as_lost(start_planted):
    """XADD MAXLEN while no worker runs: the oldest acknowledged messages have gone."""
    rig = await start_planted("maxlen")
    rig.hub.kill("work")
    await rig.generate(RATE_PER_S, DURATION_S)
    rig.hub.start("work")

    verdict = await finish(rig)

    assert verdict.exit_code == 1
    assert set(verdict.faults) == {"lost"}, verdict.text


async def test_missing_healing_is_found_as_unseen(start_planted):
    """Hints are lost and nobody asks the log: a connected client misses events, though every row is there."""
    rig = await start_planted("no_healing")
    await rig.start_recorders()
    await rig.generate(RATE_PER_S, DURATION_S)

    verdict = await finish(rig, seen_within_s=5.0)

    assert verdict.exit_code == 1
    assert set(verdict.faults) == {"unseen"}, verdict.text


async def test_healing_makes_lost_hints_good(start_planted):
    """The same lost hints with the product's healing: nothing is wrong, so the run before found what it was meant to."""
    rig = await start_planted("lost_hints")
    await rig.start_recorders()
    await rig.generate(RATE_PER_S, DURATION_S)

    verdict = await finish(rig)

    assert verdict.exit_code == 0, verdict.text
    assert [one.snapshots for one in rig.recorders] == [1] * WORKSPACES
