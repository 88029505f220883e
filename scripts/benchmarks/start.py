"""`start`: `hub up` on a folder that was used before, until the inbox answers; and what the time goes into."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.config import read_settings
from hub.embedded.services import LocalServices
from hub.migrations import runner
from scripts.benchmarks.cpu import cpu_seconds
from scripts.benchmarks.hub_processes import ROOT, free_port
from scripts.benchmarks.results import Figures, Result, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hub.config import Settings

UP_WITHIN_S = 120.0


class StartOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How often to start."""

    runs: int = 5


def start(options: StartOptions) -> Iterator[Result]:
    """Start once to make the folder, then measure warm starts."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-up-") as folder:
        environ = _environ(Path(folder))
        _start_once(environ)
        runs = [_start_once(environ) | _parts(environ) for _ in range(options.runs)]
    yield Result(bench="start", case="hub_up_warm", options={}, median=summarise(runs), runs=runs)


def _environ(folder: Path) -> dict[str, str]:
    environ = os.environ | {"HUB_DATA_DIR": str(folder), "HUB_PORT": str(free_port())}
    for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "REDIS_EPHEMERAL_URL", "HUB_PUBLIC_URL"):
        environ.pop(name, None)
    return environ


def _start_once(environ: dict[str, str]) -> Figures:
    """Run `hub up` until it says where to open it, then stop it."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "hub.cli", "up"], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )
    figures: Figures = {}
    try:
        for line in process.stdout or ():
            if line.startswith("[3/4]"):
                figures["stores_ready_s"] = time.monotonic() - started
            elif line.startswith("[4/4]"):
                figures["inbox_ready_s"] = time.monotonic() - started
                # Of everything under `hub up`: what the start costs on a machine of any business.
                figures["cpu_s"] = cpu_seconds({"up": process.pid})["up"]
                break
        if "inbox_ready_s" not in figures:
            raise RuntimeError("hub up did not come up; what it said is above")
    finally:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(UP_WITHIN_S)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return figures


def _parts(environ: dict[str, str]) -> Figures:
    """Measure the pieces by themselves, one after the other; in `hub up` some of them overlap."""
    figures = {
        "import_cli_s": _import_seconds("hub.cli"),
        "import_serve_s": _import_seconds("api.serve"),
        "import_work_s": _import_seconds("connectors.work"),
    }
    return figures | asyncio.run(_stores(read_settings(environ)))


async def _stores(settings: Settings) -> Figures:
    services = LocalServices(settings)
    names = [f"{member.name.replace('-', '_')}_s" for member in services.members]
    figures: Figures = {}
    try:
        for name, member in zip(names, services.members, strict=True):
            started = time.monotonic()
            await member.start()
            figures[name] = time.monotonic() - started
        addresses = await services.start()
        started = time.monotonic()
        await runner.upgrade(addresses.database_owner_url, addresses.app_login)
        figures["migrate_check_s"] = time.monotonic() - started
    finally:
        await services.stop()
    return figures


def _import_seconds(module: str) -> float:
    """Import in a fresh interpreter and take off what an empty one needs."""
    return _run_seconds(f"import {module}") - _run_seconds("pass")


def _run_seconds(code: str) -> float:
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
    return time.monotonic() - started
