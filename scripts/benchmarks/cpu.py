"""Processor seconds of processes and everything below them, from /proc. Linux only."""

from __future__ import annotations

import os
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


def since(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return what was used between two measurements, as figures named ``cpu_<name>_s``."""
    return {f"cpu_{name.replace('-', '_')}_s": round(after[name] - before[name], 2) for name in after}


def _is_below(pid: int, top: int, parents: Mapping[int, int]) -> bool:
    while pid > 1:
        if pid == top:
            return True
        pid = parents.get(pid, 0)
    return False
