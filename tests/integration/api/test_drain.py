"""A deploy: one of two real serve processes ends while events flow, and its sockets go on at the other one."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import time

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from hub import clock
from hub.channels.sealing import Sealer, read_keys
from hub.realtime.resume import ResumeTickets
from tests.crowds import SECRET, make_crowd
from tests.integration.api.test_storm import append_to_each
from tests.processes import HubProcesses
from tests.waiting import wait_until

pytestmark = pytest.mark.postgres

MEMBERS, HEAD = 24, 3


class Client:
    """A member's client: one cursor, one ticket, whichever process it is connected to."""

    def __init__(self, ticket, epoch):
        self.ticket, self.epoch = ticket, epoch
        self.seen, self.byes, self.welcomes = [], [], []

    async def stay(self, urls):
        """Be connected to each of these in turn, until the last one closes."""
        for url in urls:
            async with connect(url, compression=None) as ws:
                cursor = {"epoch": self.epoch, "seq": self.seen[-1] if self.seen else HEAD}
                hello = {"type": "hello", "protocol": 1, "resume_ticket": self.ticket, "cursor": cursor}
                await ws.send(json.dumps(hello))
                try:
                    async for text in ws:
                        self.take(json.loads(text))
                except ConnectionClosed:
                    pass

    def take(self, frame):
        match frame["type"]:
            case "welcome":
                self.ticket = frame["resume_ticket"]
                self.welcomes.append((frame["recovered"], time.monotonic()))
            case "event":
                self.seen.append(frame["seq"])
            case "bye":
                self.byes.append((frame["code"], frame["retry_after_s"], time.monotonic()))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture
def processes(tmp_path, database_urls, redis_durable, redis_ephemeral):
    started = []
    for name in ("one", "other"):
        environ = {
            "DATABASE_URL": database_urls.database_url,
            "REDIS_URL": redis_durable,
            "REDIS_EPHEMERAL_URL": redis_ephemeral,
            "HUB_PORT": str(free_port()),
            "HUB_SECRET_KEY": SECRET,
            "HUB_DRAIN_S": "11",
        }
        process = HubProcesses(tmp_path / name, environ)
        started.append((process, process.start("serve")))
    yield started
    for process, _ in started:
        process.stop()


async def test_sockets_of_a_process_that_ends_go_on_at_another_without_loss(processes, database):
    """Sent away over seconds, each with a time to come back, resumed by ticket; every event arrives once, in order."""
    (one, popen), (other, _) = processes
    crowd = await make_crowd(database, workspaces=1, members=MEMBERS, visitors=1, events=HEAD)
    for process in (one, other):
        await asyncio.to_thread(process.wait_ready)
    keys = Sealer(read_keys(SECRET)).derive_keys("resume ticket")
    issuer = ResumeTickets(keys[max(keys)], clock.now)
    clients = [Client(issuer.issue(grant, database.epoch), database.epoch) for grant in crowd.members]
    urls = [f"ws://127.0.0.1:{process.port}/ws" for process in (one, other)]
    tasks = [asyncio.create_task(client.stay(urls)) for client in clients]
    await wait_until(lambda: all(client.welcomes for client in clients), 20)

    popen.send_signal(signal.SIGTERM)
    last = HEAD
    while popen.poll() is None or not all(len(client.welcomes) == 2 for client in clients):
        (event,) = await append_to_each(database, crowd.workspace_ids)
        last = event.seq
        await asyncio.sleep(0.1)
    await wait_until(lambda: all(client.seen[-1:] == [last] for client in clients), 20)

    assert popen.returncode == 0
    for client in clients:
        assert client.seen == list(range(HEAD + 1, last + 1))
        assert [recovered for recovered, _ in client.welcomes] == [True, True]
        ((code, retry_after_s, _),) = client.byes
        assert code == 4000
        assert 0 <= retry_after_s <= 3
    moments = sorted(at for client in clients for _, _, at in client.byes)
    assert moments[-1] - moments[0] > 3
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
