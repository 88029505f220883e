"""Where a socket benchmark runs: durable stores, `hub serve` workers, a seeded crowd, and what they use."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.migrations import runner
from scripts.benchmarks.cpu import cpu_seconds, machine_busy_s
from scripts.benchmarks.hub_processes import HubProcesses, hub_processes
from scripts.benchmarks.services import Services, run_alone, start_services
from scripts.benchmarks.sockets.crowd import Crowd, CrowdPlan, seed_crowd
from scripts.benchmarks.sockets.gauges import Holdings, holdings, thread_seconds, tree
from scripts.benchmarks.sockets.ledger import Due, read_dues
from scripts.benchmarks.sockets.writer import COMMITS, Writer, WriterPlan, writing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts.benchmarks.sockets.loaders import Loaders


class Share(msgspec.Struct):
    """
    Whose the processors were.

    Attributes:
        writers_s: To be filled in: what the writers say they used.
        others: Of the machine's whole time (0-1), what went to nobody of ours.
    """

    writers_s: float = 0.0
    others: float = 0.0


class SocketBed(msgspec.Struct):
    """Running stores, and the hub's processes over them; see ``socket_bed``."""

    services: Services
    hub: HubProcesses
    folder: Path
    crowds: int = 0

    def seed(self, plan: CrowdPlan) -> Crowd:
        """Add a crowd to the database."""
        self.crowds += 1
        hellos = self.folder / f"hellos-{self.crowds}.jsonl"
        return run_alone(seed_crowd(self.services, self.hub.environ["HUB_SECRET_KEY"], plan, hellos))

    def serve(self, workers: int, *, rest_s: float) -> None:
        """Start the workers and let them come to rest."""
        self.hub.start_serve(workers)
        time.sleep(rest_s)

    def writer(self, crowd: Crowd, *, text_chars: int = 120) -> contextlib.AbstractContextManager[Writer]:
        """Start a process that writes as the crowd's visitors."""
        with crowd.commits.open("wb") as file:
            file.truncate(8 * COMMITS)
        services = self.services
        urls = (services.database_url, services.redis_ephemeral_url)
        return writing(WriterPlan(*urls, crowd.voices, text_chars, str(crowd.commits)))

    def holdings(self) -> Holdings:
        """What the serve processes hold."""
        return holdings(tree(self.hub.pids["serve"]))

    def serve_cpu_s(self) -> float:
        """What the serve processes have used."""
        return thread_seconds(tree(self.hub.pids["serve"]))

    def stores_cpu_s(self) -> float:
        """What Postgres and both Valkeys have used."""
        return sum(cpu_seconds(self.services.pids).values())

    @contextlib.contextmanager
    def shared(self, groups: Sequence[Loaders]) -> Iterator[Share]:
        """See what everybody else takes of the machine in a block: ``others`` is known at its end."""
        share = Share()
        ours_s = self.serve_cpu_s() + self.stores_cpu_s() + sum(one.report().cpu_s for one in groups)
        busy_s, began_s = machine_busy_s(), time.monotonic()
        yield share
        all_s = (time.monotonic() - began_s) * (os.cpu_count() or 1)
        ours_s = self.serve_cpu_s() + self.stores_cpu_s() + sum(one.report().cpu_s for one in groups) - ours_s
        share.others = max(0.0, machine_busy_s() - busy_s - ours_s - share.writers_s) / all_s

    def counted(self, metric: str, label: str) -> dict[str, float]:
        """Read a metric by one of its labels, added up over all processes; seconds old for the other workers."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.hub.port}/metrics", timeout=20) as answer:
            lines = answer.read().decode().splitlines()
        found: dict[str, float] = {}
        for line in lines:
            if line.startswith(metric + "{"):
                name = line.partition(f'{label}="')[2].partition('"')[0]
                found[name] = found.get(name, 0.0) + float(line.split()[-1])
        return found

    def dues(self, crowd: Crowd) -> list[Due]:
        """What every seat of a crowd must have received by now."""
        return run_alone(read_dues(self.services, crowd))


@contextlib.contextmanager
def socket_bed(*, fast: bool = False) -> Iterator[SocketBed]:
    """
    Make a bed with an empty, migrated database; call it outside a running event loop.

    Args:
        fast: True turns fsync off: for tests, which judge no figure.
    """
    services = start_services(fast=fast)
    try:
        run_alone(runner.upgrade(services.owner_url, services.login_role))
        with (
            hub_processes(services) as hub,
            tempfile.TemporaryDirectory(prefix="hub-bench-sockets-") as folder,
        ):
            yield SocketBed(services, hub, Path(folder))
    finally:
        services.stop()
