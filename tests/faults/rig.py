"""What the runs of this folder share: workspaces, the generator's process, recorders, draining, and the auditor's verdict."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from hub import clock
from hub.accounts import actions, store
from hub.accounts.model import Role
from hub.db import Database
from tests.acceptance.running import EMAIL, ROOT, RunningHub
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER
from tests.faults.generator import Load, Sent, WebhookOrder
from tests.faults.recorder import Recorder

SERVERS = ("postgres", "valkey-streams", "valkey-ephemeral")
COMMANDS = ("serve", "work")
START_WITHIN_S = 60.0


class Verdict(msgspec.Struct, frozen=True):
    """What the auditor said: its exit code, its lines, and {kind of wrong: [what]}."""

    exit_code: int
    text: str
    faults: dict[str, list[str]]


class Rig:
    """
    One run over a hub that is up and has its owner.

    Args:
        hub: `hub up`, or our own processes with a bug in them.
        place: For the ledger and the frames.
    """

    def __init__(self, hub: RunningHub, place: Path) -> None:
        self.hub = hub
        self.place = place
        self.urls: dict[int, str] = {}
        self.recorders: list[Recorder] = []
        self._recording: list[asyncio.Task[None]] = []

    async def make_workspaces(self, count: int) -> None:
        """Give the owner ``count`` workspaces in all, each with the same SMS number."""
        first = self.hub.workspace_id
        ids = [first, *[await add_workspace(self.hub, f"Tenant {number}") for number in range(2, count + 1)]]
        for workspace_id in ids:
            self.hub.workspace_id = workspace_id
            account = await asyncio.to_thread(self.hub.connect_sms, None, NUMBER)
            self.urls[workspace_id] = account["webhook_url"]
        self.hub.workspace_id = first

    async def start_recorders(self) -> None:
        """Connect one client a workspace, and wait until each is welcome."""
        for workspace_id in self.urls:
            path = self.place / f"frames-{workspace_id}"
            recorder = Recorder(self.hub.base_url, workspace_id, self.hub.token, path)
            self.recorders.append(recorder)
            self._recording.append(asyncio.create_task(recorder.run()))
        await until(lambda: all(one.welcomes for one in self.recorders), 20)

    async def stop_recorders(self) -> None:
        for task in self._recording:
            task.cancel()
        await asyncio.gather(*self._recording, return_exceptions=True)

    async def generate(self, rate_per_s: float, duration_s: float, *, seed: int = 1) -> Sent:
        """Run the generator in a process of its own; appends to the ledger."""
        load = Load(rate_per_s=rate_per_s, duration_s=duration_s, workspace_ids=list(self.urls), seed=seed)
        order = WebhookOrder(load=load, urls=self.urls, auth_token=AUTH_TOKEN, account_sid=ACCOUNT_SID, number=NUMBER)
        path = self.place / "order.json"
        path.write_bytes(msgspec.json.encode(order))
        command = (sys.executable, "-m", "tests.faults.generator", str(path), str(self.place / "ledger"))
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        return msgspec.json.decode(out, type=Sent)

    async def wait_stored(self, timeout_s: float) -> float:
        """Wait until no stream holds anything that is not stored; returns the seconds it took."""
        started_s = time.monotonic()
        while not await self._is_stored():
            assert time.monotonic() - started_s < timeout_s, "the backlog does not drain"
            await asyncio.sleep(0.1)
        return time.monotonic() - started_s

    async def wait_seen(self, timeout_s: float) -> bool:
        """Wait until every client has applied its workspace's newest event; False when one has not."""
        deadline_s = time.monotonic() + timeout_s
        heads = await self._heads()
        while any(one.seq < heads[one.workspace_id] for one in self.recorders):
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(0.05)
        return True

    async def audit(self) -> Verdict:
        """Let the auditor, a process of its own, compare the ledger, Postgres and the frames."""
        frames = [str(path) for path in sorted(self.place.glob("frames-*"))]
        owner_url = environ_of(self.hub)["DATABASE_OWNER_URL"]
        command = (sys.executable, "-m", "tests.faults.auditor", str(self.place / "ledger"), owner_url, *frames)
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=subprocess.PIPE)
        out, _ = await process.communicate()
        assert process.returncode in (0, 1), "the auditor did not come to a verdict"
        text, _, last = out.decode().strip().rpartition("\n")
        return Verdict(process.returncode, text, json.loads(last))

    async def _is_stored(self) -> bool:
        try:
            async with Redis.from_url(environ_of(self.hub)["REDIS_URL"], protocol=2) as redis:
                for key in [one async for one in redis.scan_iter("in:{*}")]:
                    groups = await redis.xinfo_groups(key) if await redis.type(key) == b"stream" else []
                    length = await redis.xlen(key) if not groups else 0
                    if length or any(one["pending"] or one["lag"] for one in groups):
                        return False
        except (RedisError, OSError):
            return False
        return True

    async def _heads(self) -> dict[int, int]:
        connection = await asyncpg.connect(environ_of(self.hub)["DATABASE_OWNER_URL"])
        try:
            return dict(await connection.fetch("SELECT id, event_seq FROM workspace"))
        finally:
            await connection.close()


async def add_workspace(hub: RunningHub, name: str) -> int:
    """Make another workspace of the same owner, as the set-up does it."""
    database = await Database.open(environ_of(hub)["DATABASE_URL"], lambda _: None, max_size=2)
    try:
        async with database.across() as conn:
            workspace_id = await store.create_workspace(conn, name, clock.now())
        await actions.add_member_by_email(database, EMAIL, role=Role.OWNER, workspace_id=workspace_id)
        async with database.transaction([workspace_id]) as conn:
            await store.add_first_inbox(conn, workspace_id, clock.new_id(), "Inbox", clock.now())
    finally:
        await database.close()
    return workspace_id


def environ_of(hub: RunningHub) -> dict[str, str]:
    """Return the environment that `hub up` gave to its processes: where the stores answer."""
    if not hasattr(hub, "given_environ"):
        pid = find_process(hub, "serve")
        assert pid is not None, "serve does not run"
        raw = Path(f"/proc/{pid}/environ").read_bytes().decode()
        hub.given_environ = dict(one.split("=", 1) for one in raw.split("\0") if "=" in one)  # type: ignore[attr-defined]
    return hub.given_environ  # type: ignore[attr-defined,no-any-return]


def find_process(hub: RunningHub, name: str) -> int | None:
    """Return the process id of one that `hub up` keeps running, None while there is none."""
    for command, pid in hub.child_pids().items():
        with contextlib.suppress(OSError):
            if name in COMMANDS and command.rstrip().endswith(f"hub.cli {name}"):
                return pid
            if name in SERVERS and Path(f"/proc/{pid}/cwd").readlink().name == name:
                return pid
    return None


async def until(condition: Any, timeout_s: float) -> None:
    """Wait for a condition, with a deadline."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come true in time"
        await asyncio.sleep(0.05)


def is_ready(base_url: str) -> bool:
    """Whether the hub says that it is ready."""
    try:
        return httpx.get(f"{base_url}/readyz", timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
