"""Several serve processes on one port: what members on different ones see of each other, and what a dead or full one does."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from redis.asyncio import Redis
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from hub.accounts import sessions
from hub.inbox import actions
from tests.acceptance.running import free_port
from tests.factories import make_item, received
from tests.processes import HubProcesses

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.processes, pytest.mark.timeout(180)]


class Member:
    """Somebody signed in, and how they open sockets."""

    def __init__(self, hub, workspace_id, member_id, token):
        self.hub, self.workspace_id, self.id, self.token = hub, workspace_id, str(member_id), token

    async def open(self, **hello):
        client = Client(self)
        await client.open(**hello)
        return client


class Client:
    """A socket by docs/protocol.md; comes back with its resume ticket when the connection breaks."""

    def __init__(self, member):
        self.member = member
        self.cursor, self.ticket, self.prevs = None, None, []
        self.frames, self.closed, self.opened = [], 0, 0
        self.stays_away = False

    async def open(self):
        self.socket = await connect(f"ws://127.0.0.1:{self.member.hub.port}/ws", compression=None, proxy=None)
        credential = (
            {"resume_ticket": self.ticket}
            if self.ticket
            else {"bearer": self.member.token, "workspace_id": self.member.workspace_id}
        )
        await self.say("hello", protocol=1, cursor=self.cursor, **credential)
        welcome = await self.next("welcome")
        if not welcome["recovered"]:
            assert not self.opened, "a client could not resume"
            self.cursor = {"epoch": welcome["epoch"], "seq": welcome["head"]}
            await self.say("hello", protocol=1, cursor=self.cursor)
            welcome = await self.next("welcome")
        self.ticket = welcome["resume_ticket"]
        self.opened += 1
        self.reading = asyncio.create_task(self._read())

    async def say(self, type_, **fields):
        await self.socket.send(json.dumps({"type": type_, **fields}))

    async def next(self, type_):
        async with asyncio.timeout(10):
            while (frame := json.loads(await self.socket.recv()))["type"] != type_:
                self._take(frame)
        return frame

    def of(self, type_):
        return [frame for frame in self.frames if frame["type"] == type_]

    @property
    def online(self):
        shown = self.of("presence")
        return shown[-1]["member_ids"] if shown else None

    async def close(self):
        self.stays_away = True
        self.reading.cancel()
        await asyncio.gather(self.reading, return_exceptions=True)
        await self.socket.close()

    async def _read(self):
        while True:
            try:
                async for text in self.socket:
                    self._take(json.loads(text))
            except ConnectionClosed:
                pass
            self.closed += 1
            if self.stays_away:
                return
            asyncio.get_running_loop().create_task(self._come_back())
            return

    async def _come_back(self):
        while True:
            # A connection can still be queued at the listener of a process that is being killed: it breaks unanswered.
            with contextlib.suppress(OSError, WebSocketException, TimeoutError):
                return await self.open()
            await asyncio.sleep(0.2)

    def _take(self, frame):
        self.frames.append(frame)
        if frame["type"] == "event" and frame["seq"] > self.cursor["seq"]:
            assert frame["prev"] <= self.cursor["seq"], "a hole"
            self.cursor = {**self.cursor, "seq": frame["seq"]}


@pytest.fixture
async def hub(database_urls, redis_durable, redis_ephemeral, tmp_path):
    """An installation without processes yet; the ones a test starts are ended."""
    running = HubProcesses(
        tmp_path / "data",
        {
            "DATABASE_URL": database_urls.database_url,
            "REDIS_URL": redis_durable,
            "REDIS_EPHEMERAL_URL": redis_ephemeral,
            "HUB_PORT": str(free_port()),
            "HUB_DRAIN_S": "5",
        },
    )
    yield running
    await asyncio.to_thread(running.stop)


@pytest.fixture
async def two_members(hub, database, workspace):
    """Ola, the owner, and Priya, who sees all inboxes too."""
    async with database.transaction([workspace.id]) as conn:
        login = await conn.fetchval(
            "SELECT login_id FROM member WHERE workspace_id = $1 AND id = $2", workspace.id, workspace.agent_id
        )
        await conn.execute("UPDATE member SET role = 'admin' WHERE workspace_id = $1", workspace.id)
    async with database.across() as conn:
        tokens = [(await sessions.start(conn, one)).token for one in (workspace.login_id, login)]
    ids = (workspace.owner_id, workspace.agent_id)
    return [Member(hub, workspace.id, *one) for one in zip(ids, tokens, strict=True)]


@pytest.fixture
async def conversation_id(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, make_item())])
        return str(await conn.fetchval("SELECT id FROM conversation WHERE workspace_id = $1", workspace.id))


async def wait_for(condition, within_s=20.0):
    """Wait for something that an await has to find out."""
    deadline_s = time.monotonic() + within_s
    while not (found := await condition()):
        assert time.monotonic() < deadline_s, "it did not come true in time"
        await asyncio.sleep(0.1)
    return found


async def figures(hub, name, **labels):
    """Return a metric by worker, as of up to 5 s ago."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{hub.base_url}/metrics", timeout=10)).text
    found = {}
    for told, value in re.findall(rf"^{name}{{(.*)}} (\S+)$", text, re.MULTILINE):
        on = dict(re.findall(r'(\w+)="([^"]*)"', told))
        if on["process"] == "serve" and all(on.get(key) == one for key, one in labels.items()):
            worker = int(on["worker"].rpartition("/")[2])
            found[worker] = found.get(worker, 0) + int(float(value))
    return found


async def listening(hub, workers):
    """Wait until every worker takes connections: one alone says ready, and would get all of them."""
    await asyncio.to_thread(hub.wait_ready)

    async def all_listen():
        return sum((await figures(hub, "hub_listener_open")).values()) == workers

    await wait_for(all_listen)


async def spread(hub, workers):
    """Wait until every worker tells that it has members."""

    async def is_spread():
        held = await figures(hub, "hub_connections", kind="member")
        return held if len([one for one in held.values() if one]) == workers else None

    return await wait_for(is_spread)


def workers_of(supervisor):
    """Return the workers' process ids by index."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == supervisor.pid:
                command = (path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if found_index := re.search(r"--worker-index=(\d+)", command):
                    found[int(found_index.group(1))] = int(path.parent.name)
    return found


async def test_members_on_different_workers_see_each_other(hub, two_members, conversation_id):
    """Messages, typing, who is online and who looks on: whichever worker a socket is on."""
    hub.start("serve", "--workers", "2")
    await listening(hub, 2)
    ola, priya = two_members
    olas = [await ola.open() for _ in range(7)]
    priyas = [await priya.open() for _ in range(7)]
    held = await spread(hub, 2)
    assert sum(held.values()) == 14

    both = sorted([ola.id, priya.id])
    await wait_for(lambda: all_true(one.online == both for one in (*olas, *priyas)))

    await olas[0].say("typing", conversation_id=conversation_id, on=True)
    await wait_for(lambda: all_true(one.of("typing") for one in priyas))
    await olas[0].say("viewing", conversation_id=conversation_id)
    for one in priyas:
        await one.say("viewing", conversation_id=conversation_id)
    await wait_for(
        lambda: all_true(
            one.of("viewing") and one.of("viewing")[-1]["member_ids"] == both for one in (*priyas, olas[0])
        )
    )
    assert not any(one.of("viewing") for one in olas[1:])

    for number, one in enumerate((olas[1], priyas[1])):
        await one.say(
            "send", client_message_id=str(uuid4()), conversation_id=conversation_id, kind="note", text=f"Note {number}"
        )
    await wait_for(lambda: all_true(len(one.of("event")) == 2 for one in (*olas, *priyas)))
    for one in (*olas, *priyas):
        await one.close()


async def all_true(claims):
    return all(claims)


async def test_a_killed_worker_costs_its_clients_a_reconnect_and_nobody_anything_else(
    hub, two_members, conversation_id, redis_ephemeral
):
    """Kill -9: its clients come back elsewhere and miss nothing, the others notice nothing, it is started again."""
    supervisor = hub.start("serve", "--workers", "3")
    await listening(hub, 3)
    ola, priya = two_members
    clients = [await ola.open() for _ in range(15)]
    # Priya's only socket, on whichever worker: that one is killed, and she stays away.
    watched = await priya.open()
    before = workers_of(supervisor)
    assert sorted(before) == [0, 1, 2]
    await spread(hub, 3)
    await wait_for(lambda: all_true(one.online == sorted([ola.id, priya.id]) for one in clients))
    watched.stays_away = True

    (killed,) = holders_of(watched, before.values())
    sender = next(one for one in clients if killed not in holders_of(one, before.values()))
    started_at = sender.cursor["seq"]
    os.kill(killed, signal.SIGKILL)
    for _ in range(20):
        await sender.say(
            "send", client_message_id=str(uuid4()), conversation_id=conversation_id, kind="note", text="Meanwhile"
        )
        await asyncio.sleep(0.05)

    async def everybody_has_everything():
        return all(one.cursor["seq"] >= started_at + 20 for one in clients)

    await wait_for(everybody_has_everything)
    assert len({one.cursor["seq"] for one in clients}) == 1
    assert not sender.closed
    broken = [one for one in clients if one.closed]
    assert len(broken) < len(clients)
    assert all(one.opened == 1 + one.closed for one in clients)

    async def is_back():
        now = workers_of(supervisor)
        return sorted(now) == [0, 1, 2] and killed not in now.values() and now

    now = await wait_for(is_back)
    assert {index: pid for index, pid in now.items() if pid != now.get(index_of(before, killed))} == {
        index: pid for index, pid in before.items() if pid != killed
    }

    # What the killed one said of Priya is believed for a minute; here that minute is over at once.
    redis = Redis.from_url(redis_ephemeral)
    key = f"presence:{{{ola.workspace_id}}}"
    for holder, entry in (await redis.hgetall(key)).items():
        until_ms, _, rest = entry.partition(b" ")
        await redis.hset(key, holder, b"%d %b" % (int(until_ms) - 60_000, rest))
    await redis.aclose()
    await wait_for(lambda: all_true(one.online == [ola.id] for one in clients), within_s=30)
    for one in clients:
        await one.close()


def index_of(workers, pid):
    return next(index for index, one in workers.items() if one == pid)


def holders_of(client, pids):
    """Return the processes that hold the other end of a client's socket (proc(5): local and remote address, inode)."""
    port = client.socket.local_address[1]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {row[9] for row in rows if int(row[2].rpartition(":")[2], 16) == port}
    wanted = {f"socket:[{inode}]" for inode in inodes}
    found = []
    for pid in pids:
        for one in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(one.readlink()) in wanted:
                    found.append(pid)
    return found


async def test_full_workers_refuse_sockets_with_words_and_go_on_answering(hub, two_members):
    """With 256 descriptors each: no crash, HTTP answers throughout, and when sockets have gone all of them listen again."""
    hub.start("serve", "--workers", "2", descriptor_limit=256)
    await listening(hub, 2)
    ola, _ = two_members
    clients, refusals = [], []
    async with httpx.AsyncClient() as http:
        while len(refusals) < 20:
            assert len(clients) < 512
            try:
                clients.append(await ola.open())
            except InvalidStatus as refused:
                refusals.append(refused.response)
            if len(clients) % 50 == 0:
                assert (await http.get(f"{hub.base_url}/healthz", timeout=10)).status_code == 200
    assert {one.status_code for one in refusals} == {503}
    assert all(1 <= int(one.headers["retry-after"]) <= 21 and one.body.strip() for one in refusals)
    # Each of these on a connection of its own: whichever worker still listens.
    for _ in range(20):
        assert (await asyncio.to_thread(httpx.get, f"{hub.base_url}/readyz", timeout=10)).status_code == 200
    assert sum((await wait_for(lambda: some_of(figures(hub, "hub_listener_closes_total")))).values()) >= 1
    limits = await figures(hub, "hub_socket_limit")
    assert limits == {0: 192, 1: 192}
    assert 2 * 192 - 2 * 60 <= len(clients) <= 2 * 192

    for one in clients:
        await one.close()

    async def all_listen():
        return await figures(hub, "hub_listener_open") == {0: 1, 1: 1}

    await wait_for(all_listen)
    again = [await ola.open() for _ in range(20)]
    await spread(hub, 2)
    for one in again:
        await one.close()
    for unwanted in ("Too many open files", "Traceback"):
        assert unwanted not in hub.log("serve")


async def some_of(asked):
    found = await asked
    return found if any(found.values()) else None


async def test_a_crew_that_cannot_start_says_why_and_ends(hub):
    """A worker that asks for a change of settings is not started over and over."""
    hub.environ["DATABASE_URL"] = ""
    crew = hub.start("serve", "--workers", "2")
    assert await asyncio.to_thread(crew.wait, 30) == 2
    assert "DATABASE_URL is missing" in hub.log("serve")


async def test_a_crew_ends_with_its_sockets_told(hub, two_members):
    """SIGTERM: every socket gets bye and a code to come back on, from each worker, within the time to drain."""
    crew = hub.start("serve", "--workers", "2")
    await listening(hub, 2)
    clients = [await two_members[0].open() for _ in range(12)]
    for one in clients:
        one.stays_away = True
    await spread(hub, 2)
    crew.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(crew.wait, 20) == 0
    await asyncio.gather(*(one.reading for one in clients))
    assert {one.of("bye")[0]["code"] for one in clients} == {4000}
