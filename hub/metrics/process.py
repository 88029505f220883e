"""What is true of any process of ours: memory, descriptors, version, and how late its event loop is."""

from __future__ import annotations

import asyncio
from importlib import metadata
from typing import TYPE_CHECKING, Final

from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hub import clock
from hub.metrics.distribution import Distribution, histogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

LOOK_EVERY_S: Final = 0.25
_PACKAGE: Final = "clientcontact-hub"


class LoopLag:
    """How much later than asked a timer of this event loop fires: what everything else waits for, too."""

    def __init__(self) -> None:
        self.seconds = Distribution()

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            wanted_s = clock.monotonic_s() + LOOK_EVERY_S
            await asyncio.sleep(LOOK_EVERY_S)
            self.seconds.observe(clock.monotonic_s() - wanted_s)


class ProcessMetrics(Collector):
    """
    The figures of this process.

    Args:
        lag: Kept running beside the process's work.
        schema: Revision of the schema this version needs.
    """

    def __init__(self, lag: LoopLag, schema: str) -> None:
        self._lag = lag
        self._schema = schema

    def collect(self) -> Iterator[Metric]:
        """Read them."""
        yield histogram("hub_loop_lag_seconds", "How late timers of the event loop fire.", self._lag.seconds)
        build = GaugeMetricFamily("hub_build_info", "1; the version as labels.", labels=["version", "schema"])
        build.add_metric([version(), self._schema], 1)
        yield build


def register_process(registry: CollectorRegistry, lag: LoopLag, schema: str) -> None:
    """Register our figures and the usual ``process_…`` ones (Linux)."""
    registry.register(ProcessMetrics(lag, schema))
    ProcessCollector(registry=registry)


def version() -> str:
    """Return the installed version."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"
