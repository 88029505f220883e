"""scripts/run in a fresh copy of the repository, with a data folder, a home and a port of its own.

The copy runs the real installer against the real registries, so a first run needs the network.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = re.compile(
    r"\[1/4\] Python packages    [ \d]{4} s\n"
    r"\[2/4\] Building the inbox (?:[ \d]{4} s|skipped: this copy has no frontend/package\.json)\n"
    r"\[3/4\] Database and streams ready   (?P<data>\S+)\n"
    r"\[4/4\] Hub ready\n"
    r"  Open   http://localhost:(?P<port>\d+)/(?:setup#(?P<token>[\w-]{43}))?\n"
    r"  Stop   Ctrl-C      Logs   (?P<logs>\S+)\n"
)


class Run:
    """One `scripts/run` and what it printed."""

    def __init__(self, copy, environ):
        self.out = copy.parent / f"out-{time.monotonic_ns()}"
        with self.out.open("wb") as file:
            self.process = subprocess.Popen(
                ("./scripts/run",), cwd=copy, env=environ, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_for(self, text, timeout_s):
        deadline_s = time.monotonic() + timeout_s
        while text not in self.out.read_text():
            assert self.process.poll() is None, self.out.read_text()
            assert time.monotonic() < deadline_s, self.out.read_text()
            time.sleep(0.02)
        return self.out.read_text()

    def end(self):
        self.process.wait(60)
        return self.out.read_text()

    def interrupt(self):
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the working tree as git sees it, without any environment or build in it."""
    top = tmp_path_factory.mktemp("run") / "copy"
    listed = subprocess.run(
        ("git", "ls-files", "-co", "--exclude-standard", "-z"), cwd=ROOT, capture_output=True, check=True
    )
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (top / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, top / name)
    return top


@pytest.fixture
def environ(tmp_path):
    """An environment with no trace of the developer's own: no hub variables, no virtual environment."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "DATABASE_", "REDIS_"))}
    kept.pop("VIRTUAL_ENV", None)
    return {**kept, "HUB_DATA_DIR": str(tmp_path / "data"), "PYTHON": sys.executable}


@pytest.fixture
def start(copy, environ):
    runs = []

    def start_one(**extra):
        runs.append(Run(copy, {**environ, **extra}))
        return runs[-1]

    yield start_one
    for run in runs:
        if run.process.poll() is None:
            run.interrupt()


def _offline(environ):
    """Point every client at an address where nobody answers."""
    nowhere = "http://127.0.0.1:9"
    return {
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "NO_PROXY": "localhost,127.0.0.1",
        "PIP_RETRIES": "1",
        "PIP_NO_CACHE_DIR": "1",
        "npm_config_fetch_retries": "0",
    }


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_run_from_a_fresh_copy(copy, environ, start, tmp_path):
    """Offline the registry is named; then the same copy installs, starts, restarts offline in 5 s and stops clean."""
    refused = start(**_offline(environ)).end()
    assert "cannot be reached" in refused.splitlines()[-1]
    assert "run ./scripts/run again" in refused.splitlines()[-1]

    first = start()
    shown = LINES.fullmatch(first.wait_for("Logs", 400))
    assert shown, first.out.read_text()
    assert shown["data"] == environ["HUB_DATA_DIR"]
    assert shown["logs"] == f"{environ['HUB_DATA_DIR']}/logs"
    assert shown["token"]

    second = start()
    assert second.process.wait(60) == 0
    assert second.out.read_text().endswith(f"http://localhost:{shown['port']}/setup#{shown['token']}\n")

    pids = json.loads((tmp_path / "data" / "hub.json").read_text())
    assert first.interrupt() == 0
    assert LINES.fullmatch(first.out.read_text()), "Ctrl-C printed something"
    for pid in (pids["pid"], *pids["children"].values()):
        assert not Path(f"/proc/{pid}").exists()
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()

    started_s = time.monotonic()
    offline = start(**_offline(environ))
    offline.wait_for("Logs", 120)
    took_s = time.monotonic() - started_s
    # Five seconds of an idle machine: while other work shares the processors each of us gets its part of them.
    allowed_s = 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert took_s < allowed_s, f"started in {took_s:.1f} s, {allowed_s:.1f} s allowed under this load"
    assert LINES.fullmatch(offline.out.read_text())

    os.kill(json.loads((tmp_path / "data" / "hub.json").read_text())["pid"], signal.SIGKILL)
    offline.process.wait(10)
    recovered = start()
    recovered.wait_for("Logs", 120)
    assert recovered.interrupt() == 0


@pytest.mark.processes
def test_run_names_the_package_for_an_old_python(start, tmp_path):
    """A Python that is too old is refused in words that name what to install."""
    old = tmp_path / "python-old"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    last = start(PYTHON=str(old)).end().splitlines()[-1]

    assert last.startswith("Python 3.11 or newer was not found")
    assert re.search(r"apt install python3|dnf install python3|brew install python|Debian: python3-venv", last)


@pytest.mark.processes
def test_run_names_the_package_for_a_python_without_venv(start, tmp_path):
    """Debian's Python comes without venv; the package that has it is named."""
    python = tmp_path / "python-bare"
    python.write_text(f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)

    last = start(PYTHON=str(python)).end().splitlines()[-1]

    assert "has no venv module" in last
    assert re.search(r"python3-venv|dnf install python3|brew install python", last)


@pytest.mark.processes
def test_run_points_windows_to_wsl2(start, tmp_path):
    """Git's shell on Windows is not a place to run the hub; WSL2 is named."""
    uname = tmp_path / "bin" / "uname"
    uname.parent.mkdir()
    uname.write_text("#!/bin/sh\necho MINGW64_NT-10.0\n")
    uname.chmod(0o755)

    run = start(PATH=f"{uname.parent}:{os.environ['PATH']}")

    assert "WSL2" in run.end()
    assert run.process.returncode == 1
