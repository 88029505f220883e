"""Two workers are killed in turn under load, so that leases change hands: nothing acknowledged is lost, doubled or gapped."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from pathlib import Path

import pytest

from hub.clock import monotonic_s
from hub.envelope import StreamItem
from hub.errors import Unavailable
from hub.streams import PARTITIONS, IngressStreams
from tests import factories
from tests.faults.auditor import audit, read_store
from tests.faults.generator import Load, generate
from tests.faults.ledger import Ledger, read_ledger

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

ROOT = Path(__file__).parents[2]


class Rig:
    """Two workers that are killed in turn while items come in, and what is left afterwards."""

    def __init__(self, database_urls, redis_url: str, place: Path, workspaces) -> None:
        self.urls = database_urls
        self.redis_url = redis_url
        self.place = place
        self.workspaces = {one.id: one for one in workspaces}
        self.streams = IngressStreams(redis_url)
        self.workers: list[asyncio.subprocess.Process] = []
        self.kills = 0

    async def start_worker(self) -> None:
        self.workers.append(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.faults.worker"),
                *(self.urls.database_url, self.redis_url, str(self.place)),
                cwd=ROOT,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )

    async def kill_one(self) -> None:
        victim = self.workers.pop(0)
        victim.kill()
        await victim.wait()
        self.kills += 1

    async def send(self, workspace_id: int, item_id: str) -> bool:
        item = StreamItem(
            workspace_id=workspace_id,
            channel_account_id=str(self.workspaces[workspace_id].sms_id),
            channel="twilio_sms",
            key=item_id,
            body=item_id.encode(),
            received_at_ms=0,
        )
        try:
            await self.streams.append(item)
        except Unavailable:
            return False
        return True

    async def run(self, seconds: float) -> None:
        ledger = Ledger(self.place / "ledger")
        load = Load(rate_per_s=200, duration_s=seconds, workspace_ids=list(self.workspaces))
        await self.streams.create_groups()
        await self.start_worker()
        await self.start_worker()
        trouble = asyncio.create_task(self.make_trouble())
        await generate(load, self.send, ledger)
        trouble.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await trouble
        ledger.close()
        if len(self.workers) < 2:
            await self.start_worker()
        await self.wait_drained()
        while self.workers:
            await self.kill_one()

    async def make_trouble(self) -> None:
        chance = random.Random(7)
        while True:
            await asyncio.sleep(chance.uniform(0.3, 1.2))
            await self.kill_one()
            await self.start_worker()

    async def wait_drained(self) -> None:
        deadline_s = monotonic_s() + 60
        partitions = {one % PARTITIONS for one in self.workspaces}
        while True:
            backlogs = [await self.streams.backlog(one) for one in partitions]
            if all(one.pending == 0 and not one.undelivered for one in backlogs):
                return
            assert monotonic_s() < deadline_s, "not drained in a minute"
            await asyncio.sleep(0.1)

    async def end(self) -> None:
        while self.workers:
            await self.kill_one()
        await self.streams.close()


@pytest.fixture
async def run_rig(database, database_urls, redis_durable, tmp_path):
    workspaces = [await factories.make_workspace(database, name=f"Tenant {number}") for number in range(8)]
    rigs: list[Rig] = []

    async def run(seconds: float = 10.0):
        rig = Rig(database_urls, redis_durable, tmp_path, workspaces)
        rigs.append(rig)
        await rig.run(seconds)
        return rig, audit(read_ledger(tmp_path / "ledger"), await read_store(database_urls.owner_url))

    yield run
    for rig in rigs:
        await rig.end()


async def test_killed_workers_lose_nothing(run_rig):
    """Lost 0, duplicated 0, gapped 0 over a run with a worker killed every second, repeats included."""
    rig, report = await run_rig()

    assert rig.kills >= 5
    assert report.acknowledged > 1000
    assert report.faults == {}, report.describe()
