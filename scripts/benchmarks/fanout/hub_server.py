"""
The hub in the fan-out benchmark: a real `hub serve` over Postgres, sockets with a real hello, messages at its broker.

Only the commit is left out: a message enters as the hint that a committing process would have given the broker. Its
numbers follow the workspace's head; no row is written, and the recent log that healing asks about is empty, so that
healing neither adds nor takes anything away as long as no hint is lost. One that is lost shows in the count of frames.
"""

from __future__ import annotations

import contextlib
import json
import urllib.request
from typing import TYPE_CHECKING

import asyncpg
import msgspec
from websockets.asyncio.client import connect

from hub import clock
from hub.accounts import actions as accounts
from hub.accounts import store
from hub.accounts.model import Member, Role, SetUp
from hub.accounts.passwords import Passwords
from hub.db import Database
from hub.events.model import LoggedEvent
from hub.migrations import runner
from hub.realtime.broker_redis import RedisBroker
from scripts.benchmarks.fanout.messages import MS_MARK, SEQ_MARK, Message, body_json, recording
from scripts.benchmarks.fanout.processes import cores, pin, tree
from scripts.benchmarks.fanout.servers import Client, Running
from scripts.benchmarks.hub_processes import HubProcesses, hub_processes
from scripts.benchmarks.seed import EMAIL, PASSWORD
from scripts.benchmarks.services import Services, run_alone, start_services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from scripts.benchmarks.fanout.servers import Stage


class Seeded(msgspec.Struct, frozen=True):
    """A workspace that the owner of all is a member of."""

    workspace_id: int
    inbox_id: UUID
    head: int


class HubServer:
    """See ``Server``; ``opened`` makes one with the services it needs."""

    name = "hub"
    client = Client(ready_text='"recovered":true', handshakes=128, heartbeat='{"type":"ping","cursor":0}')
    enters = "the hub's broker (a commit's hint), no commit"

    def __init__(self, hub: HubProcesses, workspaces: list[Seeded]) -> None:
        self._hub = hub
        self._workspaces = workspaces
        self._token = ""

    def check(self, stage: Stage) -> None:
        """See ``Server``: the hub is always here."""

    def messages(self, stage: Stage, topics: int) -> list[Message]:
        """See ``Server``: recorded from the hub's own broker, so that its format is the hub's own affair."""
        return run_alone(_record(stage, self._workspaces[:topics]))

    @contextlib.contextmanager
    def running(self, stage: Stage, topics: int) -> Iterator[Running]:  # noqa: ARG002
        """See ``Server``."""
        self._hub.start_serve()
        try:
            yield Running(self._hub.port, self._hub.pids["serve"], self._hellos(topics))
        finally:
            self._hub.stop("serve")

    def _hellos(self, topics: int) -> tuple[str, ...]:
        """Sign in once; one socket a workspace says hello with that, and brings what the others come with."""
        if not self._token:
            wanted = {"email": EMAIL, "password": PASSWORD, "bearer": True}
            self._token = _post(f"http://127.0.0.1:{self._hub.port}/api/v1/session", wanted)["token"]
        return tuple(run_alone(_welcomed(self._hub.port, self._token, self._workspaces[:topics])))


@contextlib.contextmanager
def opened(workspaces: int, redis_port: int) -> Iterator[HubServer]:
    """
    Start Postgres and the durable store, and seed workspaces; call it outside a running event loop.

    Args:
        workspaces: As many as topics.
        redis_port: Of the ephemeral Redis, which no other server is fed through.
    """
    services = start_services(fast=True)
    try:
        for pid in services.pids.values():
            pin(tree(pid), cores()[1])
        with hub_processes(services) as hub:
            hub.environ["REDIS_EPHEMERAL_URL"] = f"redis://127.0.0.1:{redis_port}/0"
            yield HubServer(hub, run_alone(_seed(services, workspaces)))
    finally:
        services.stop()


async def _seed(services: Services, workspaces: int) -> list[Seeded]:
    await runner.upgrade(services.owner_url, services.login_role)
    database = await Database.open(services.database_url, lambda _: None, max_size=2)
    try:
        wanted = SetUp(workspace="Northwind", name="Ola", email=EMAIL, password=PASSWORD)
        await accounts.set_up(database, Passwords(), wanted)
        for number in range(1, workspaces):
            await _add_workspace(database, f"Workspace {number}")
    finally:
        await database.close()
    admin = await asyncpg.connect(services.owner_url)
    try:
        # Healing asks for what was logged in the last seconds: set-up's own events would be the head it finds.
        await admin.execute("UPDATE event SET appended_at = appended_at - interval '1 hour'")
        rows = await admin.fetch(
            "SELECT w.id, w.event_seq, i.id AS inbox_id FROM workspace w JOIN inbox i ON i.workspace_id = w.id"
            " ORDER BY w.id"
        )
    finally:
        await admin.close()
    return [Seeded(row["id"], row["inbox_id"], row["event_seq"]) for row in rows]


async def _add_workspace(database: Database, name: str) -> None:
    """Make a workspace of the same owner, with an inbox and an empty log."""
    now = clock.now()
    async with database.across() as conn:
        login = await store.find_login(conn, EMAIL)
        assert login is not None
        workspace_id = await store.create_workspace(conn, name, now)
    async with database.transaction([workspace_id]) as conn:
        member = Member(id=clock.new_id(), name="Ola", email=EMAIL, role=Role.OWNER, active=True, version=0)
        await store.add_member(conn, workspace_id, login.id, member, now)
        await store.add_first_inbox(conn, workspace_id, clock.new_id(), "Inbox", now)


async def _record(stage: Stage, workspaces: list[Seeded]) -> list[Message]:
    data = body_json(stage.message_bytes)
    broker = RedisBroker(f"redis://127.0.0.1:{stage.redis_port}/0")
    await broker.start()
    messages = []
    async with recording(stage.redis_port) as recorder:
        for one in workspaces:
            event = LoggedEvent(
                workspace_id=one.workspace_id,
                seq=SEQ_MARK,
                type="message_received",
                data=data,
                inbox_id=one.inbox_id,
                conversation_id=clock.new_id(),
                conversation_seq=1,
                appended_at_ms=MS_MARK,
            )
            broker.publish([event])
            messages.append(Message(await recorder.next(), one.head + 1))
    await broker.stop()
    return messages


async def _welcomed(port: int, token: str, workspaces: list[Seeded]) -> list[str]:
    """Return a hello a workspace: a resume ticket and the head of its log, as a client that comes back has them."""
    hellos = []
    for one in workspaces:
        hello = {"type": "hello", "protocol": 1, "bearer": token, "workspace_id": one.workspace_id, "cursor": None}
        async with connect(f"ws://127.0.0.1:{port}/ws", compression=None, proxy=None) as socket:
            await socket.send(json.dumps(hello))
            welcome = json.loads(await socket.recv())
        if welcome["type"] != "welcome" or welcome["head"] != one.head:
            raise RuntimeError(f"not the welcome of an untouched workspace: {welcome}")
        cursor = {"epoch": welcome["epoch"], "seq": welcome["head"]}
        again = {"type": "hello", "protocol": 1, "resume_ticket": welcome["resume_ticket"], "cursor": cursor}
        hellos.append(json.dumps(again))
    return hellos


def _post(url: str, body: dict[str, object]) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  # our own http address
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return dict(json.load(answer))
