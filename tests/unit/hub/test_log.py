"""Logs: everything is one JSON line, nothing private is in it, an outage is two lines."""

from __future__ import annotations

import json
import subprocess
import sys

from hub.log import Dependency
from tests.processes import ROOT

CODE = """
import asyncio, logging, warnings
from hub import log
from hub.errors import InvalidInput
log.configure("serve")
logging.getLogger("uvicorn.error").warning("Invalid HTTP request from %s", "+15550001111")
logging.getLogger("asyncio").error("Task exception was never retrieved\\nfuture: <Task ValueError('+15550001111')>")
logging.getLogger("httpx").info("never shown")
warnings.warn("old thing", ResourceWarning)
try:
    raise ValueError("row has +15550001111")
except ValueError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application\\n")
    log.get_logger("ours").exception("failed")
try:
    raise InvalidInput("name", "This is too long.")
except InvalidInput:
    log.get_logger("ours").exception("refused")
"""


class Recorder:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict]] = []

    def warning(self, event: str, **facts: object) -> None:
        self.lines.append((event, facts))


def test_libraries_log_as_we_do_and_without_what_they_were_given():
    """Uvicorn, asyncio and warnings become JSON lines of their templates; errors are named, their texts are not told."""
    done = subprocess.run(
        (sys.executable, "-W", "default", "-c", CODE), cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [line["event"] for line in lines] == ["library"] * 4 + ["failed", "refused"]
    assert {line["process"] for line in lines} == {"serve"}
    assert [line["component"] for line in lines[:3]] == ["uvicorn.error", "asyncio", "py.warnings"]
    assert lines[0]["said"] == "Invalid HTTP request from %s"
    assert lines[1]["said"] == "Task exception was never retrieved"
    assert lines[3]["exception"][0]["exc_type"] == "ValueError"
    assert lines[4]["exception"][0]["frames"]
    assert lines[5]["exception"][0]["exc_value"] == "This is too long."
    assert "+1555" not in done.stderr


def test_lost_dependency_is_told_once_and_so_is_its_return():
    """A thousand failures are one line; so is each return."""
    told = Recorder()
    postgres = Dependency("postgres", told)
    postgres.found()
    for _ in range(1000):
        postgres.lost(error="ConnectionRefusedError")
    assert postgres.is_lost
    postgres.found()
    postgres.found()
    postgres.lost(error="TimeoutError")

    assert [event for event, _ in told.lines] == ["dependency_lost", "dependency_back", "dependency_lost"]
    assert told.lines[0][1] == {"dependency": "postgres", "error": "ConnectionRefusedError"}
    assert told.lines[1][1]["away_s"] >= 0
    assert postgres.failures == 1001
