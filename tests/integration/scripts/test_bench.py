"""`scripts/bench` runs, counts what was acknowledged, and says so in one line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from connectors.registry import ConnectorRegistry

ROOT = Path(__file__).parents[3]


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_bench_ingest_loses_nothing_and_prints_one_line_a_result():
    """Two seconds of signed webhooks, and a filled stream, end in the database once each; no figure is judged."""
    command = ["scripts/bench", "ingest", "--seconds", "2", "--runs", "1", "--workspaces", "1"]

    done = subprocess.run(
        [*command, "--stream-items", "500", "--json"], cwd=ROOT, capture_output=True, text=True, timeout=280
    )

    assert done.returncode == 0, done.stderr
    http, stream = [json.loads(line) for line in done.stdout.splitlines()]
    assert (http["case"], stream["case"]) == ("http_to_commit", "stream_to_commit")
    for result in (http, stream):
        assert (result["lost"], result["duplicated"]) == (0, 0)
        assert result["median"]["messages_per_s"] > 0
        assert result["median"]["floor_insert_per_s"] > 0
        assert result["machine"]["processors"] > 0
        assert result["command"].startswith("scripts/bench ingest")
    assert http["median"]["messages"] > 0
    assert stream["median"]["messages"] == 500


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_bench_outage_loses_nothing():
    """A second of calls while Redis hangs are acknowledged, spooled and stored once each; no figure is judged."""
    command = ["scripts/bench", "outage", "--seconds", "1", "--runs", "1", "--workspaces", "1", "--json"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)

    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["lost"], result["duplicated"], result["median"]["refused"]) == (0, 0, 0)
    assert result["median"]["spooled"] >= result["median"]["messages"] > 0


def test_bench_names_what_it_can_measure():
    """Without a name it explains itself, and ``--list`` has every benchmark."""
    listed = subprocess.run(["scripts/bench", "--list"], cwd=ROOT, capture_output=True, text=True, check=True)
    helped = subprocess.run(["scripts/bench"], cwd=ROOT, capture_output=True, text=True, check=True)

    names = [line.split()[0] for line in listed.stdout.splitlines()]
    assert names == [
        "ingest",
        "webhooks",
        "latency",
        "outage",
        "mail-parse",
        "attachments",
        "api",
        "sign-in",
        "sockets",
        "start",
    ]
    assert "--list" in helped.stdout


def test_bench_attachments_tells_its_share_of_the_floor():
    """One line with throughput both ways, the floor of the same run, and no file that came back different."""
    command = ["scripts/bench", "attachments", "--runs", "1", "--files", "1", "--megabytes", "9", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    (result,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert result["lost"] == 0
    assert result["median"]["up_mb_per_s"] > 0
    assert result["median"]["floor_down_mb_per_s"] > 0


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_bench_api_answers_every_call():
    """A second of ten members' calls is answered with 2xx by the floor and by the hub, with its memory and without."""
    command = ["scripts/bench", "api", "--seconds", "1", "--runs", "1", "--members", "10", "--conversations", "5"]

    done = subprocess.run(
        [*command, "--think-s", "0.1", "--json"], cwd=ROOT, capture_output=True, text=True, timeout=280
    )

    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["case"] for one in results] == ["floor_starlette", "cache_on", "cache_off"]
    assert all(one["median"]["refused"] == 0 and one["median"]["calls"] > 30 for one in results)


@pytest.mark.processes
@pytest.mark.slow
def test_bench_sign_in_tells_its_memory():
    """Half a second of passwords is checked by the product and by bare argon2; each takes its 64 MiB a check."""
    command = ["scripts/bench", "sign-in", "--seconds", "0.5", "--runs", "1", "--json"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        figures = json.loads(line)["median"]
        assert figures["checks_per_s"] > 0
        assert figures["peak_mb"] > 60


@pytest.mark.processes
@pytest.mark.slow
def test_bench_webhooks_has_every_channel_that_is_called():
    """Half a second of each channel's recorded message is taken, none refused, beside bare appends."""
    command = ["scripts/bench", "webhooks", "--seconds", "0.3", "--runs", "1", "--json"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr
    results = {one["case"]: one["median"] for one in map(json.loads, done.stdout.splitlines())}
    registry = ConnectorRegistry.load()
    called = {one.id for one in registry.manifests() if registry.get(one.id).split is not None}
    assert results.keys() == called
    assert all(figures["calls_per_s"] > 0 for figures in results.values())
