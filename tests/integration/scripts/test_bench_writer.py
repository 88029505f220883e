"""The benchmark's writer: its standard output is its reports and nothing else."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from hub import clock
from scripts.benchmarks.sockets.crowd import Voice
from scripts.benchmarks.sockets.writer import Order, WriterPlan, WriterReport
from tests.acceptance.running import free_port


def test_warnings_never_stand_among_the_reports(database_urls, workspace):
    """A broker that is away is warned of on standard error; what the benchmark reads stays reports."""
    voice = Voice(workspace.id, workspace.livechat_id, clock.new_id(), inbox=0)
    plan = WriterPlan(database_urls.database_url, f"redis://127.0.0.1:{free_port()}/0", voices=[voice])
    asked = msgspec.json.encode(plan) + b"\n" + msgspec.json.encode(Order(per_s=20.0, seconds=1.0)) + b"\n"

    done = subprocess.run(
        [sys.executable, "-m", "scripts.benchmarks.sockets.writer_process"],
        input=asked,
        capture_output=True,
        timeout=60,
        check=False,
    )

    reports = [msgspec.json.decode(line, type=WriterReport) for line in done.stdout.splitlines()]
    assert (done.returncode, len(reports)) == (0, 2), done.stderr
    assert reports[1].messages == 20
    assert b"dependency_lost" in done.stderr
