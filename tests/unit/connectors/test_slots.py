"""Worker slots: one name a live worker, the same name after a restart."""

from __future__ import annotations

import subprocess
import sys

import pytest

from connectors import slots
from connectors.slots import worker_slot
from hub.errors import ConfigurationError

HOLD = """
import sys, pathlib
from connectors.slots import worker_slot
with worker_slot(pathlib.Path(sys.argv[1]), "m") as name:
    print(name, flush=True)
    sys.stdin.read()
"""


def test_slots_of_one_folder_differ(tmp_path):
    """Two live workers never share a name; a freed one is used again."""
    with worker_slot(tmp_path, "m") as first:
        with worker_slot(tmp_path, "m") as second:
            assert (first, second) == ("m/0", "m/1")
        with worker_slot(tmp_path, "m") as third:
            assert third == "m/1"


def test_slot_of_a_killed_worker_is_free_at_once(tmp_path):
    """After kill -9 the successor gets the same name, and with it the same leases."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "m/0\n"
        process.kill()
        process.wait(10)

    with worker_slot(tmp_path, "m") as name:
        assert name == "m/0"


def test_slots_run_out(tmp_path, monkeypatch):
    """A limit keeps a runaway supervisor from filling the table of workers."""
    monkeypatch.setattr(slots, "MOST_WORKERS", 1)

    with worker_slot(tmp_path), pytest.raises(ConfigurationError), worker_slot(tmp_path):
        pytest.fail("a second slot was given out")
