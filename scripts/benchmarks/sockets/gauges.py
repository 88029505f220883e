"""What processes hold and use, from /proc: memory, time of all threads, descriptors, TCP's buffers. Linux."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LISTENING = "0A"


class Holdings(msgspec.Struct, frozen=True):
    """
    What some processes hold at one moment.

    Attributes:
        pss_kb: Proportional set size: pages shared by several processes are counted once.
        rss_kb: Resident set size, shared pages in each process.
        descriptors: Open ones.
        tcp_kb: Buffers of all TCP sockets of this machine, both ends of each connection.
    """

    pss_kb: int
    rss_kb: int
    descriptors: int
    tcp_kb: int


def tree(top: int) -> list[int]:
    """Return a process and everything below it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [top]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, [])
    return found


def holdings(pids: Iterable[int]) -> Holdings:
    """Measure processes; those that have ended count nothing."""
    pss_kb = rss_kb = descriptors = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            descriptors += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # 20,000 names: no Path for each
        except OSError:
            continue
        pss_kb += _kilobytes(rollup, "Pss:")
        rss_kb += _kilobytes(rollup, "Rss:")
    return Holdings(pss_kb, rss_kb, descriptors, _tcp_kb())


def thread_seconds(pids: Iterable[int]) -> float:
    """Return the time every living thread of these processes has run, to the nanosecond."""
    total_ns = 0
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total_ns += int(path.read_text().split()[0])
            except OSError:
                continue
    return total_ns / 1e9


def listeners(port: int) -> int:
    """Count the sockets that listen on a port; each worker has its own."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    fields = (line.split(maxsplit=4) for line in lines)
    return sum(1 for one in fields if one[3] == _LISTENING and int(one[1].rpartition(":")[2], 16) == port)


def _tcp_kb() -> int:
    for line in Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            return int(line.split()[-1]) * _PAGE_BYTES // 1024
    return 0


def _kilobytes(rollup: str, name: str) -> int:
    return next((int(line.split()[1]) for line in rollup.splitlines() if line.startswith(name)), 0)
