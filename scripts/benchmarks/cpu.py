"""Processor seconds of processes and everything below them, from /proc. Linux only."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Mapping[str, int]) -> dict[str, float]:
    """
    Measure each named process with its living descendants and those it has collected.

    Args:
        pids: Process ids by name.

    Returns:
        Seconds of user and system time by name, since the processes began.
    """
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_S
    return {name: sum(used[one] for one in used if _is_below(one, pid, parents)) for name, pid in pids.items()}


def machine_busy_s() -> float:
    """Return the processor seconds this machine has spent on anything since it started, steal included."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / _TICKS_PER_S


class Meter:
    """
    What some processes use while something is measured, and what everybody else takes meanwhile.

    Args:
        pids: Process ids by name.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids
        self._before = cpu_seconds(pids)
        self._busy_s = machine_busy_s()
        self._started_s = time.monotonic()

    def read(self, messages: int, generator_s: float = 0.0) -> dict[str, float]:
        """
        Return the figures since the meter was made.

        Args:
            messages: How many were handled.
            generator_s: What the load generator used: ours, too, but no cost of a message.
        """
        elapsed_s = (time.monotonic() - self._started_s) * (os.cpu_count() or 1)
        used = since(self._before, cpu_seconds(self._pids))
        ours_s = sum(used.values())
        others_s = max(0.0, machine_busy_s() - self._busy_s - ours_s - generator_s)
        return {
            **used,
            "cpu_generator_s": generator_s,
            "cpu_us_per_message": ours_s / max(1, messages) * 1e6,
            # Of the machine's whole time: what was left for the hub, its stores and the generator is the rest.
            "others_share": others_s / elapsed_s,
        }


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two measurements, as figures named ``cpu_<name>_s``."""
    return {f"cpu_{name.replace('-', '_')}_s": round(after[name] - before[name], 2) for name in after}


def _is_below(pid: int, top: int, parents: Mapping[int, int]) -> bool:
    while pid > 1:
        if pid == top:
            return True
        pid = parents.get(pid, 0)
    return False
