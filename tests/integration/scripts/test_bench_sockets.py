"""Each socket scenario, small: that everything is counted and said. No figure is judged."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from scripts.benchmarks.sockets.bed import socket_bed
from scripts.benchmarks.sockets.churn import ChurnOptions, churn_on
from scripts.benchmarks.sockets.slow import SlowOptions, slow_on
from scripts.benchmarks.sockets.storm import StormOptions, storm_on

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[3]
SMALL = {"connects_per_s": 300.0, "settle_s": 0.2, "warm_up_s": 0.2}
GOALS = {"sockets", "failed", "bytes_per_socket", "connect_cpu_ms", "frames_expected", "frames_received"} | {
    "p50_ms",
    "p99_ms",
    "server_cpu_s",
    "rss_mb",
}


@pytest.fixture(scope="module")
def bed():
    """One set of stores; each scenario seeds people of its own and starts its own workers."""
    with socket_bed(fast=True) as made:
        yield made


def test_hold_counts_every_frame():
    """The command prints a line a case with the promised keys; each committed message reached each socket it is for."""
    command = "scripts/bench sockets hold --sockets 120 --workers 2 --loaders 2 --frames-per-s 400 --seconds 1"
    done = subprocess.run(
        [*command.split(), "--connects-per-s", "300", "--settle-s", "0.2", "--warm-up-s", "0.2", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    at_rate, at_once = [json.loads(line) for line in done.stdout.splitlines()]
    for result in (at_rate, at_once):
        assert result.keys() >= GOALS
        assert (result["sockets"], result["failed"], result["lost"], result["duplicated"]) == (120, 0, 0, 0)
        assert result["frames_received"] == result["frames_expected"] > 0
        assert 0 < result["p50_ms"] <= result["p99_ms"]
        assert "COMMIT" in result["options"]["enters"]
    assert (at_rate["case"], at_once["case"]) == ("hold", "one_to_all")
    # 36 members of two workspaces, and the visitor who wrote in each.
    assert at_once["frames_expected"] == 38


def test_storm_loses_nothing(bed):
    """All come back to new processes with empty rings, each with every event that was committed meanwhile."""
    options = StormOptions(
        sockets=120, workers=1, loaders=2, frames_per_s=300, seconds=4, before_s=1, first_retry_s=1, **SMALL
    )

    figures = storm_on(bed, options)

    assert (figures["resumed"], figures["still_away"], figures["failed"]) == (120, 0, 0)
    assert (figures["lost"], figures["duplicated"], figures["behind"], figures["snapshots"]) == (0, 0, 0, 0)
    assert figures["events_committed"] > 0
    assert figures["frames_expected"] > figures["events_committed"]
    assert 0 < figures["to_99_s"] <= figures["to_100_s"]


def test_slow_readers_cost_nobody_else_a_frame(bed):
    """The good ones receive all; what the odd ones hold is told."""
    options = SlowOptions(
        sockets=60,
        slow=5,
        half_open=5,
        workers=1,
        loaders=1,
        frames_per_s=100,
        odd_frames_per_s=50,
        text_chars=4_000,
        seconds=1,
        **SMALL,
    )

    figures = slow_on(bed, options)

    assert (figures["sockets"], figures["failed"], figures["lost"], figures["duplicated"]) == (60, 0, 0, 0)
    assert figures["frames_expected"] > 0
    assert figures["p99_ratio"] > 0
    assert figures["rss_most_mb"] >= figures["rss_before_mb"] > 0


def test_churn_leaves_nobody_behind(bed):
    """Who came has gone, and is not shown as online any more."""
    figures = churn_on(bed, ChurnOptions(per_s=60, seconds=2, clients=60, workers=1, loaders=1, settle_s=0.2))

    assert figures["connects"] > 0
    assert (figures["failed"], figures["presence_left"], figures["sockets_left"]) == (0, 0, 0)
    assert figures["presence_begin"] + figures["presence_end"] > 0
