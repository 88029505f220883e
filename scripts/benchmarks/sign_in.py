"""`sign-in`: passwords checked a second with the shipped parameters, the memory it takes, bare argon2 as the floor."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from argon2 import PasswordHasher
from argon2.profiles import RFC_9106_LOW_MEMORY

from hub.accounts.passwords import Passwords
from scripts.benchmarks.cpu import machine_busy_s
from scripts.benchmarks.hub_processes import ROOT
from scripts.benchmarks.results import Figures, Result, percentile, summarise

_TYPED = "seven lanterns over Bergen"
# As many people at once as wait without being told to come back.
AT_ONCE = 20


class SignInOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure."""

    runs: int = 3
    seconds: float = 5.0


def sign_in(options: SignInOptions) -> Iterator[Result]:
    """Check passwords as the product does, and with bare argon2 in as many threads, each in a process of its own."""
    for case in ("product", "floor_argon2"):
        runs = [_in_a_process(case, options.seconds) for _ in range(options.runs)]
        yield Result(
            bench="sign-in", case=case, options={"seconds": options.seconds}, median=summarise(runs), runs=runs
        )


def _in_a_process(case: str, seconds: float) -> Figures:
    """Peak memory never shrinks within a process: each measurement has a fresh one."""
    command = [sys.executable, "-m", "scripts.benchmarks.sign_in", case, str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return msgspec.json.decode(done.stdout, type=dict[str, float])


async def _product(seconds: float) -> list[float]:
    passwords, waits = Passwords(), list[float]()
    stored = await passwords.make_hash(_TYPED)
    ends_s = time.monotonic() + seconds

    async def person() -> None:
        while time.monotonic() < ends_s:
            began_s = time.monotonic()
            assert await passwords.matches(stored, _TYPED)
            waits.append((time.monotonic() - began_s) * 1000)

    await asyncio.gather(*(person() for _ in range(AT_ONCE)))
    return waits


def _bare(seconds: float, threads: int) -> list[float]:
    hasher = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
    stored, waits, lock = hasher.hash(_TYPED), list[float](), threading.Lock()
    ends_s = time.monotonic() + seconds

    def person() -> None:
        while time.monotonic() < ends_s:
            began_s = time.monotonic()
            hasher.verify(stored, _TYPED)
            with lock:
                waits.append((time.monotonic() - began_s) * 1000)

    with ThreadPoolExecutor(threads) as pool:
        # Asked for its result: an error of a thread would only make the list shorter.
        for one in [pool.submit(person) for _ in range(threads)]:
            one.result()
    return waits


def _main(case: str, seconds: float) -> None:
    before_kb = _memory_kb("VmRSS")
    busy_s, began_s, cpu_s = machine_busy_s(), time.monotonic(), time.process_time()
    waits = asyncio.run(_product(seconds)) if case == "product" else _bare(seconds, 2)
    elapsed_s, used_s = time.monotonic() - began_s, time.process_time() - cpu_s
    figures = {
        "checks_per_s": len(waits) / elapsed_s,
        "cpu_ms_per_check": used_s / max(1, len(waits)) * 1000,
        "p50_ms": percentile(waits, 0.5),
        "p95_ms": percentile(waits, 0.95),
        "peak_mb": (_memory_kb("VmHWM") - before_kb) / 1024,
        "others_share": max(0.0, machine_busy_s() - busy_s - used_s) / (elapsed_s * (os.cpu_count() or 1)),
    }
    sys.stdout.write(msgspec.json.encode(figures).decode())


def _memory_kb(field: str) -> int:
    """Read a line of our own memory: what getrusage calls the peak may be the parent's, from before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


if __name__ == "__main__":
    _main(sys.argv[1], float(sys.argv[2]))
