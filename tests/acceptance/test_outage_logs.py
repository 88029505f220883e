"""What an operator reads after each store hung for a while: when it went and when it was back, once; all of it JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from tests.acceptance.running import RunningHub

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(240)]


def family(pid: int) -> list[int]:
    """A process and its children: Postgres' own serve on while their parent is frozen."""
    found = [pid]
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if path.read_text().rsplit(")", 1)[1].split()[1] == str(pid):
                found.append(int(path.parent.name))
    return found


def lines(hub: RunningHub, name: str) -> list[dict]:
    return [json.loads(line) for line in hub.log(name).splitlines()]


def told(hub: RunningHub, name: str, event: str) -> Counter[str]:
    return Counter(line["dependency"] for line in lines(hub, name) if line["event"] == event)


async def freeze(hub: RunningHub, server: str, seconds: float) -> None:
    """Hang a server as a full disk or a swapping machine does; its supervisor sees nothing."""
    pid = next(pid for command, pid in hub.child_pids().items() if server in command)
    frozen = family(pid)
    for one in frozen:
        os.kill(one, signal.SIGSTOP)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # Somebody asks all the time, so that there would be plenty to repeat.
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient(timeout=2) as client:
                await client.get(f"{hub.base_url}/api/v1/setup")
        await asyncio.sleep(0.2)
    for one in frozen:
        os.kill(one, signal.SIGCONT)


async def wait_until_back(hub: RunningHub) -> None:
    deadline = time.monotonic() + 60
    while (
        any(told(hub, name, "dependency_lost") != told(hub, name, "dependency_back") for name in ("serve", "work"))
        or (await asyncio.to_thread(httpx.get, f"{hub.base_url}/readyz")).status_code != 200
    ):
        assert time.monotonic() < deadline, [hub.log("serve"), hub.log("work")]
        await asyncio.sleep(0.5)


async def test_each_outage_is_told_once_when_it_begins_and_once_when_it_ends():
    """Postgres, then each Redis, hang for 12 s: each process says so in a handful of lines, not one a second."""
    hub = await asyncio.to_thread(RunningHub)
    try:
        hub.set_up()
        for server in ("/postgres ", "valkey-streams", "valkey-ephemeral"):
            await freeze(hub, server, 12)
            await wait_until_back(hub)
        lost = {name: told(hub, name, "dependency_lost") for name in ("serve", "work")}
        everything = {name: lines(hub, name) for name in ("serve", "work")}
        doctor = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "hub.cli",
            "doctor",
            "--json",
            env={**os.environ, "HUB_DATA_DIR": hub.folder.name},
            stdout=-1,
        )
        report = json.loads((await doctor.communicate())[0])
    finally:
        await asyncio.to_thread(hub.stop)

    for name, wanted in (("serve", {"postgres"}), ("work", {"postgres", "ingress_redis", "broker_subscription"})):
        assert wanted <= set(lost[name]), (name, lost)
        # A busy machine takes a store for lost more than once in an outage: 3 times were seen.
        assert max(lost[name].values()) <= 5, (name, lost)
        assert len(everything[name]) < 20, everything[name]
        assert all({"event", "level", "timestamp", "process"} <= set(line) for line in everything[name])
    # The doctor finds an embedded hub by its folder alone, all of its stores included.
    titles = {one["title"]: one["level"] for one in report["findings"]}
    assert titles["Work processes are alive"] == titles["Durable and ephemeral Redis are two"] == "ok"
    assert {title for title, level in titles.items() if level != "ok"} <= {"The pages are not built"}
