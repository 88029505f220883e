"""`scripts/bench sockets fanout`, tiny: every frame is counted, and a peer that is not there is named."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOCKETS, TOPICS = 60, 3


def bench_fanout(*arguments: str) -> list[dict]:
    """Run it and return its lines."""
    command = ["scripts/bench", "sockets", "fanout", "--json", "--runs", "1", "--sockets", str(SOCKETS), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.processes
@pytest.mark.slow
def test_fanout_delivers_every_frame_once():
    """Hub, C floor and Starlette endpoint bring each message to each socket of its topic once, however deep the queue."""
    if shutil.which("cc") is None:
        assert os.environ.get("CI") != "true", "cc is not installed"
        pytest.skip("NOT RUN: the fan-out benchmark, its floor and its generator need a C compiler")

    lines = bench_fanout(
        *("--servers", "hub,floor,starlette", "--scenarios", "S2", "--loads", "w1,w16each,rate"),
        *("--topics", str(TOPICS), "--seconds", "0.3", "--rate", "6000"),
    )

    cells = {line["case"]: line for line in lines}
    loads, servers = ("w1", "w16each", "rate"), ("hub", "floor", "starlette")
    assert set(cells) == {f"s2_{load}_{server}" for load in loads for server in servers}
    for case, line in cells.items():
        figures = line["median"]
        assert "reason" not in line["options"], case
        assert figures["frames_received"] == figures["frames_expected"] > 0, case
        assert figures["frames_expected"] % (SOCKETS // TOPICS) == 0, case
        assert (figures["frames_missing"], figures["frames_extra"], figures["sockets_closed"]) == (0, 0, 0), case
        assert figures["cpu_us_per_frame"] > 0, case
        assert 0 < figures["p50_ms"] <= figures["p99_ms"], case
        assert (line["lost"], line["duplicated"]) == (0, 0)
    assert cells["s2_rate_floor"]["median"]["ratio_floor"] == 1
    assert cells["s2_rate_hub"]["median"]["ratio_floor"] > 0
    assert "ratio_nchan" not in cells["s2_rate_hub"]["median"]


@pytest.mark.processes
def test_fanout_names_a_peer_that_is_not_installed(tmp_path):
    """A peer that is missing has its lines, which say why, and no figures."""
    lines = bench_fanout(
        *("--servers", "channels", "--loads", "w1", "--seconds", "0.1"), *("--peers-folder", str(tmp_path / "none"))
    )

    assert [line["case"] for line in lines] == ["s1_w1_channels", "s2_w1_channels"]
    for line in lines:
        assert line["options"]["reason"].startswith("not installed: ")
        assert line["median"] == {}
