"""The demo as people start it: ten minutes of its own time unattended, answered by a member, and taken away again."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.running import ROOT, RunningHub, free_port

# Ten minutes of the customers in half a minute of ours.
SPEED = 20
DEMO_S = 600
# Somebody sends a picture on every channel in the first minute.
SEED = "33"
# Nobody can write there.
CALLS = "voice"
ANSWER = "Thank you, I am looking into it right now."
# A fresh data folder has no consumer groups yet, which intake says once.
EXPECTED_WARNINGS = {"ingress_groups_created"}
# The memory of who calls waits 50 ms for Redis and asks Postgres then; a busy machine is slower now and then.
IN_A_HURRY = "access_redis"

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def hub() -> Iterator[RunningHub]:
    started = RunningHub("--demo", "--demo-speed", str(SPEED), "--demo-seed", SEED)
    email, password = re.search(r"sign in as (\S+), password (\S+)", started.said).groups()  # type: ignore[union-attr]
    started.sign_in(email, password)
    yield started
    started.stop()


@pytest.fixture
def api(hub: RunningHub) -> Iterator[httpx.Client]:
    with hub.api() as client:
        yield client


def test_demo_lives_ten_minutes_and_is_taken_away(hub, api):
    """Alive at the first look, answered on every channel without an error in any log, and gone without a trace."""
    check_first_look(api)
    live_ten_minutes(hub, api)
    remove_it(hub, api)


def test_hub_in_use_is_left_alone_unless_a_workspace_is_named():
    """In a data folder somebody set up, the demo does not start by itself, and says how it could."""
    with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
        environ = os.environ | {"HUB_DATA_DIR": folder, "HUB_PORT": str(free_port())}
        owner = ("--workspace", "Northwind", "--email", "ola@northwind.example", "--password", "correct horse battery")
        assert run(environ, "setup", *owner).returncode == 0

        done = run(environ, "up", "--demo")

        assert done.returncode == 2
        assert "--demo-workspace" in done.stderr
        assert run(environ, "demo", "remove").returncode == 1


def check_first_look(api: httpx.Client) -> None:
    """The first page has conversations of the past days on every connected channel, all of them badged."""
    snapshot = api.get("snapshot").json()
    accounts = snapshot["channel_accounts"]
    assert len(snapshot["conversations"]) >= 8
    assert accounts
    assert all(one["demo"] for one in accounts)
    assert {one["channel"] for one in snapshot["conversations"]} <= {one["channel"] for one in accounts}
    assert snapshot["counts"]["closed"] >= 5


def live_ten_minutes(hub: RunningHub, api: httpx.Client) -> None:
    """Customers come on every channel, react to answers, send pictures; no process logs an error or a warning."""
    began = api.get("snapshot").json()
    channels = {one["channel"] for one in began["channel_accounts"]} - {CALLS}
    ends_s = time.monotonic() + DEMO_S / SPEED
    while time.monotonic() < ends_s:
        answer_everybody(api)
        time.sleep(0.5)

    rows = api.get("conversations", params={"limit": 200}).json()["conversations"]
    live = [one for one in rows if one["last_inbound_seq"] > began["seq"]]
    threads = {one["id"]: messages(api, one["id"]) for one in live}
    # Answered by us, and then by the customer, who had heard us.
    in_turn = {one["id"]: count_turns(threads[one["id"]], began["seq"]) for one in live}
    assert {one["channel"] for one in live} == channels | {CALLS}
    assert {one["channel"] for one in live if in_turn[one["id"]] >= 1} == channels
    assert sum(in_turn.values()) >= 5
    assert [row["status"] for thread in threads.values() for row in thread if row["status"] == "failed"] == []
    check_pictures(api, live, channels)
    assert troubles(hub) == []


def remove_it(hub: RunningHub, api: httpx.Client) -> None:
    """One call takes accounts, conversations and contacts; a chat of the workspace's own stays, and the processes end."""
    own = hub.connect_chat()
    with httpx.Client(base_url=hub.base_url) as visitor:
        assert visitor.post(f"/api/v1/livechat/{own}/visitors", json={}).status_code == 200
    before = {one["id"] for one in api.get("snapshot").json()["channel_accounts"]}
    assert len(before) > 1

    assert api.delete("demo").status_code == 204

    snapshot = api.get("snapshot").json()
    assert [one["id"] for one in snapshot["channel_accounts"]] == [own]
    assert snapshot["counts"] == {"open": 0, "pending": 0, "snoozed": 0, "closed": 0}
    assert api.get("contacts").json()["contacts"] == []
    assert api.delete("demo").status_code == 404
    deadline_s = time.monotonic() + 30
    while emulators_of(hub):
        assert time.monotonic() < deadline_s, emulators_of(hub)
        time.sleep(0.2)
    time.sleep(1)
    assert "hub.cli demo" not in " ".join(hub.child_pids())
    assert troubles(hub) == []
    assert run(dict(hub.environ), "demo", "remove").returncode == 1


def check_pictures(api: httpx.Client, live: list[dict[str, Any]], channels: set[str]) -> None:
    """Wait until every picture and recording has been fetched, and look at what became of it."""
    deadline_s = time.monotonic() + 30
    while True:
        pictures = [
            (one["channel"], file) for one in live for row in messages(api, one["id"]) for file in row["attachments"]
        ]
        if all(file["state"] != "pending" for _, file in pictures):
            break
        assert time.monotonic() < deadline_s, pictures
        time.sleep(0.3)
    assert {channel for channel, _ in pictures} == channels | {CALLS}
    kinds = {(channel == CALLS, file["kind"], file["state"]) for channel, file in pictures}
    assert kinds == {(False, "image", "ready"), (True, "audio", "ready")}


def answer_everybody(api: httpx.Client) -> None:
    """Reply to every conversation whose newest message is the contact's, as a diligent member would."""
    for one in api.get("snapshot", params={"limit": 200}).json()["conversations"]:
        if one["channel"] != CALLS and one["last_inbound_seq"] > one["last_outbound_seq"]:
            body = {"client_message_id": str(uuid.uuid4()), "kind": "message", "text": ANSWER, "attachments": []}
            answer = api.post(f"conversations/{one['id']}/messages", json=body)
            # Somebody who wrote days ago on WhatsApp can only be sent a template.
            is_late = answer.status_code == 409 and answer.json()["code"] == "window_closed"
            assert answer.status_code == 201 or is_late, answer.text


def messages(api: httpx.Client, conversation_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = api.get(f"conversations/{conversation_id}/messages").json()["messages"]
    return rows


def count_turns(thread: list[dict[str, Any]], since_seq: int) -> int:
    """Count how often the customer wrote after one of our answers."""
    ways = [row["direction"] for row in thread if row["seq"] > since_seq]
    return sum(one == "outbound" and then == "inbound" for one, then in itertools.pairwise(ways))


def troubles(hub: RunningHub) -> list[str]:
    """Return what any process logged as a warning, an error or a traceback."""
    found = []
    for path in sorted((Path(hub.folder.name) / "logs").glob("*.log")):
        for line in path.read_text(errors="replace").splitlines():
            if path.name.startswith(("postgres", "valkey")):
                is_trouble = bool(re.search(r"\b(ERROR|FATAL|PANIC|WARNING)\b", line)) and "overcommit" not in line
            elif line.startswith("{") and '"level"' in line:
                entry = json.loads(line)
                is_expected = entry["event"] in EXPECTED_WARNINGS or entry.get("dependency") == IN_A_HURRY
                is_trouble = entry["level"] not in ("info", "debug") and not is_expected
            else:
                is_trouble = bool(re.match(r"warning:|Traceback|.*(Error|Exception)\b", line))
            if is_trouble:
                found.append(f"{path.name}: {line[:300]}")
    return found


def emulators_of(hub: RunningHub) -> list[str]:
    """Return the kit's processes that belong to this hub: children of its ``hub demo``."""
    demo = [pid for line, pid in hub.child_pids().items() if "hub.cli demo" in line]
    if not demo:
        return []
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rsplit(")", 1)[1].split()[1])
            if parent == demo[0]:
                found.append((path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub.cli", *arguments],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
