"""The load generator's processes: built from scripts/benchmarks/wsload, told what to do, their figures added up."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

SOURCES = Path(__file__).parents[1] / "wsload"
# A process may open 20,000 descriptors on many machines; connections under way and the loop need some.
MOST_CLIENTS = 19_500
POLL_S = 0.25


class LoadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one group of clients does.

    Attributes:
        hellos: A JSON line a client.
        clients: How many, from the first line on.
        first_line: Which line is the first client's.
        mode: ``good``, ``slow`` (reads a byte a second), ``half`` (half-open) or ``churn`` (leaves once it is welcome).
        per_s: New connections a second, of all processes.
        ping_s: The protocol's ping this often; 0 never.
        comes_back: Whether a client that was closed or refused comes back as docs/protocol.md asks.
        keeps_tickets: Whether it comes back with its newest resume ticket.
        first_retry_s: Its first retry comes after a random time up to this.
        receive_bytes: SO_RCVBUF; 0 leaves the system's.
        commits: The writer's file of commit times.
    """

    port: int
    hellos: Path
    clients: int
    first_line: int = 0
    processes: int = 1
    mode: str = "good"
    per_s: float = 1000.0
    ping_s: float = 25.0
    comes_back: bool = True
    keeps_tickets: bool = False
    first_retry_s: float = 20.0
    receive_bytes: int = 0
    key: str = "t="
    commits: Path | None = None


class Report(msgspec.Struct):
    """What the processes of a group say; see scripts/benchmarks/wsload/tally.c."""

    clients: int = 0
    live: int = 0
    failed: int = 0
    begun: int = 0
    cpu_s: float = 0.0
    events: int = 0
    other: int = 0
    bytes: int = 0
    pings: int = 0
    pongs: int = 0
    hellos: int = 0
    signed_in_again: int = 0
    opened: int = 0
    closed: int = 0
    caught_up: int = 0
    unstamped: int = 0
    duplicated: int = 0
    gapped: int = 0
    snapshots: int = 0
    latency_us: dict[str, int] = {}
    after_commit_us: dict[str, int] = {}
    catch_up_ms: dict[str, int] = {}
    reasons: dict[str, int] = {}

    def add(self, other: Report) -> None:
        """Add another process's."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            both = dict(Counter(mine) + Counter(theirs)) if isinstance(mine, dict) else mine + theirs
            setattr(self, name, both)


class Row(NamedTuple):
    """How one client stands: its cursor, and the events it applied, dropped as known, or found missing before."""

    is_live: bool
    cursor: int
    applied: int
    duplicated: int
    gapped: int
    snapshots: int


class Loaders:
    """Running processes of one group."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]], folder: Path) -> None:
        self._processes = processes
        self._folder = folder

    def connect(self) -> None:
        """Begin to connect, at the plan's rate."""
        self._tell("connect")

    def stop_connecting(self) -> None:
        """Begin no new connection."""
        self._tell("stop")

    def reset(self) -> None:
        """Count from now on; what a single client has seen stays counted."""
        self._tell("reset")
        self._answers()

    def report(self) -> Report:
        """Ask all processes."""
        self._tell("report")
        total = Report()
        for answer in self._answers():
            total.add(msgspec.json.decode(answer, type=Report))
        return total

    def wait_until(self, is_done: Callable[[Report], bool], within_s: float, *, progress_s: float = 1e9) -> Report:
        """
        Poll until something holds.

        Args:
            is_done: Looks at each report.
            within_s: Longest wait; the last report is returned then, too.
            progress_s: Gives up earlier when nothing was opened, closed or received for so long.
        """
        ends_at_s = time.monotonic() + within_s
        report = self.report()
        moved_at_s = time.monotonic()
        while not is_done(report) and time.monotonic() < ends_at_s:
            time.sleep(POLL_S)
            before, report = report, self.report()
            if _activity(before) != _activity(report):
                moved_at_s = time.monotonic()
            elif time.monotonic() - moved_at_s > progress_s:
                break
        return report

    def table(self) -> list[Row]:
        """Ask how each client stands, in the order of the hello file's lines."""
        paths = [self._folder / f"table-{number}" for number in range(len(self._processes))]
        for process, path in zip(self._processes, paths, strict=True):
            _say(process, f"table {path}")
        if any(b"true" not in answer for answer in self._answers()):
            raise RuntimeError("the load generator could not write its table")
        rows = []
        for path in paths:
            for line in path.read_text().splitlines():
                live, *counts = map(int, line.split())
                rows.append(Row(bool(live), *counts))
        return rows

    def _tell(self, command: str) -> None:
        for process in self._processes:
            _say(process, command)

    def _answers(self) -> list[bytes]:
        answers = []
        for process in self._processes:
            answer = process.stdout.readline() if process.stdout is not None else ""
            if not answer:
                raise RuntimeError(f"a load generator ended with code {process.wait(5)}")
            answers.append(answer.encode())
        return answers


@contextlib.contextmanager
def loaders(plan: LoadPlan) -> Iterator[Loaders]:
    """Run a group's processes; they end with the block, or with this process. Call it on the main thread."""
    count = max(plan.processes, -(-plan.clients // MOST_CLIENTS))
    program = built_wsload()
    processes: list[subprocess.Popen[str]] = []
    with tempfile.TemporaryDirectory(prefix="hub-bench-load-") as folder:
        try:
            for number in range(count):
                first = plan.clients * number // count
                clients = plan.clients * (number + 1) // count - first
                if clients:
                    processes.append(_start(program, plan, plan.first_line + first, clients, count))
            yield Loaders(processes, Path(folder))
        finally:
            for process in processes:
                process.kill()
            for process in processes:
                process.wait()
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None:
                        with contextlib.suppress(BrokenPipeError):
                            pipe.close()


def built_wsload() -> Path:
    """
    Return the load generator, compiled where this source has not been yet.

    Raises:
        RuntimeError: There is no C compiler, or it found fault.
    """
    sources = sorted(SOURCES.glob("*.[ch]"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hub-bench"
    program = cache / f"wsload-{digest}"
    if program.exists():
        return program
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise RuntimeError(
            "The load generator is written in C: install a compiler (Debian: apt-get install gcc libc6-dev)."
        )
    cache.mkdir(parents=True, exist_ok=True)
    fresh = cache / f"wsload-{digest}.{os.getpid()}"
    code = [str(path) for path in sources if path.suffix == ".c"]
    done = subprocess.run(
        [compiler, "-O2", "-Wall", "-Wextra", "-o", str(fresh), *code], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"The load generator does not compile:\n{done.stderr}")
    return fresh.rename(program)


def reasons_of(report: Report) -> dict[str, float]:
    """Return why sockets were refused, closed or asked again, as figures named ``reason_<why>``."""
    return {"reason_" + re.sub(r"[^a-z0-9]+", "_", why.lower()): times for why, times in report.reasons.items()}


def percentile_of(histogram: Mapping[str, int], share: float) -> float:
    """Return the upper edge of the bucket below which ``share`` (0-1) of the values lie; 0 for none."""
    wanted, seen = share * sum(histogram.values()), 0
    for edge in sorted(histogram, key=int):
        seen += histogram[edge]
        if seen >= wanted:
            return float(edge)
    return 0.0


def _start(program: Path, plan: LoadPlan, first_line: int, clients: int, count: int) -> subprocess.Popen[str]:
    options: dict[str, object] = {
        "-f": plan.hellos,
        "-o": first_line,
        "-n": clients,
        "-p": plan.port,
        "-m": plan.mode,
        "-r": plan.per_s / count,
        "-c": max(8, 512 // count),
        "-b": plan.ping_s,
        "-J": plan.first_retry_s,
        "-B": plan.receive_bytes,
        "-k": plan.key,
        "-X": f"Origin: http://127.0.0.1:{plan.port}",
    }
    if plan.commits is not None:
        options["-C"] = plan.commits
    flags = [*(["-R"] if plan.comes_back else []), *(["-T"] if plan.keeps_tickets else [])]
    command = [str(program), *(str(word) for pair in options.items() for word in pair), *flags]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)


def _say(process: subprocess.Popen[str], command: str) -> None:
    if process.stdin is not None:
        process.stdin.write(command + "\n")
        process.stdin.flush()


def _activity(report: Report) -> tuple[int, ...]:
    return report.events, report.opened, report.closed, report.hellos
