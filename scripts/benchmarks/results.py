"""What a benchmark says: one line a case, with the machine, the command and every run's own figure."""

from __future__ import annotations

import os
import platform
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Figures = dict[str, float]


class Result(msgspec.Struct, kw_only=True):
    """
    One case of one benchmark.

    Attributes:
        bench: ``attachments``, ``ingest``, ``latency``, ``mail-parse``, ``outage``, ``sockets-…`` or ``start``.
        case: What was measured, e.g. ``http_to_commit``.
        options: What it was measured with: workspaces, seconds, rate …
        median: Each figure's median over the runs; names carry units.
        runs: Each run's figures, in order.
        lost: Acknowledged ids that are not in the database, over all runs.
        duplicated: Ids that are there more than once, over all runs.
        command: What was typed.
        machine: Where.
    """

    bench: str
    case: str
    options: dict[str, float | str]
    median: Figures
    runs: list[Figures]
    lost: int = 0
    duplicated: int = 0
    command: str = ""
    machine: dict[str, str | int | float] = {}


def summarise(runs: Sequence[Figures]) -> Figures:
    """Return the median of each figure that every run has."""
    return {
        name: round(statistics.median(run[name] for run in runs), 4)
        for name in runs[0]
        if all(name in run for run in runs)
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0-1) of the values lie; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def describe_machine() -> dict[str, str | int | float]:
    """Name the machine and how busy it was at the moment of asking."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in _read("/proc/cpuinfo").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_kb = next((int(line.split()[1]) for line in _read("/proc/meminfo").splitlines() if "MemTotal" in line), 0)
    return {
        "cpu": model,
        "processors": os.cpu_count() or 0,
        "memory_gib": round(memory_kb / 1024 / 1024, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def as_table(result: Result) -> str:
    """Lay a result out for a person: each figure's median, then its lowest and highest run."""
    options = ", ".join(f"{name} {value}" for name, value in result.options.items())
    lines = [f"{result.bench} {result.case}   ({options}; median of {len(result.runs)})"]
    for name, middle in result.median.items():
        values = [run[name] for run in result.runs]
        lines.append(f"  {name:34} {middle:>12,.2f}   {min(values):>12,.2f} … {max(values):,.2f}")
    if result.bench not in ("start", "mail-parse"):
        lines.append(f"  lost {result.lost}, duplicated {result.duplicated}")
    return "\n".join(lines)


def _read(path: str) -> str:
    place = Path(path)
    return place.read_text() if place.exists() else ""
