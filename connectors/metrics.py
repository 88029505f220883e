"""The counts of intake, dispatch, jobs and what every process shares, as Prometheus families. Reads, counts nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from hub.metrics.distribution import histogram, histograms
from hub.metrics.exchange import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from connectors.buckets import RedisBuckets
    from connectors.counted import CountedDeliveries
    from connectors.dispatch import Dispatcher
    from connectors.entries import IntakeMetrics
    from connectors.leases import Leases
    from hub.db import Database
    from hub.jobs import JobMetrics
    from hub.realtime.broker_redis import RedisBroker
    from hub.streams import IngressStreams, StreamMetrics

_INTAKE_COUNTS = (
    ("batches", "Batches stored."),
    ("hints", "Entries that only said that there is something, noted."),
    ("failures", "Entries that failed by an error of their own, each time."),
    ("put_off", "Times a locked workspace was left for later."),
    ("orphaned", "Entries of workspaces that are gone, acknowledged."),
    ("loaded", "Bodies that travelled by reference, read from Postgres."),
    ("unreadable", "Alarm: entries that are not stream items, set aside."),
    ("unsupported", "Items of a kind that is not handled, acknowledged."),
    ("unavailable", "Times Postgres or Redis was waited for."),
)


class StoreMetrics(Collector):
    """What any process sees of Postgres and both Redis."""

    def __init__(self, database: Database, broker: RedisBroker, streams: IngressStreams) -> None:
        self._database = database
        self._broker = broker
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        used, opened, most = self._database.connections
        rows = (("in_use", float(used)), ("open", float(opened)), ("most", float(most)))
        yield gauge("hub_postgres_pool", "Connections of this process's pool.", "state", rows)
        usage = self._database.usage
        yield histogram("hub_postgres_pool_wait_seconds", "Time a caller waited for a connection.", usage.waited)
        yield CounterMetricFamily("hub_postgres_errors", "Times Postgres did not answer.", value=usage.server.failures)
        yield CounterMetricFamily(
            "hub_postgres_busy", "Times a lock or a slow statement was in the way.", value=usage.busy
        )
        errors = (
            (("durable",), float(self._streams.server.failures)),
            (("ephemeral",), float(self._broker.wire.failures)),
        )
        yield counter("hub_redis_errors", "Times a Redis did not answer.", ("redis",), errors)
        lost = self._broker.dropped
        yield CounterMetricFamily(
            "hub_broker_dropped", "Hints and signals not sent; healing finds the events.", value=lost
        )
        again = self._broker.reconnects
        yield CounterMetricFamily("hub_broker_reconnects", "Times listening for hints began anew.", value=again)


class AppendMetrics(Collector):
    """What this process put on the ingress streams."""

    def __init__(self, streams: StreamMetrics) -> None:
        self._streams = streams

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._streams
        yield CounterMetricFamily("hub_ingress_appended", "Items whose durable reply came.", value=held.appended)
        yield CounterMetricFamily("hub_ingress_append_batches", "Writes that carried them.", value=held.append_batches)
        yield CounterMetricFamily("hub_ingress_append_refused", "Items Redis did not take.", value=held.append_refused)


class IntakeCollector(Collector):
    """What intake did in this process."""

    def __init__(self, counted: IntakeMetrics, streams: StreamMetrics, leases: Leases) -> None:
        self._counted = counted
        self._streams = streams
        self._leases = leases

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counted
        outcomes = (((name,), float(amount)) for name, amount in held.outcomes.items())
        yield counter("hub_intake_items", "Items by what became of them.", ("outcome",), outcomes)
        for name, text in _INTAKE_COUNTS:
            yield CounterMetricFamily(f"hub_intake_{name}", text, value=getattr(held, name))
        yield CounterMetricFamily("hub_intake_dead_letters", "Items kept as dead letters.", value=held.dead_letters)
        yield histogram("hub_intake_seconds", "From the edge to COMMIT, of each batch's oldest item.", held.seconds)
        lags = ((str(partition), lag_s) for partition, lag_s in held.lag_s.items())
        yield gauge("hub_intake_lag_seconds", "The same, of the last batch.", "partition", lags)
        yield GaugeMetricFamily("hub_intake_stopped", "Alarm: partitions at a standstill.", value=len(held.stopped))
        yield GaugeMetricFamily("hub_intake_partitions", "Partitions leased.", value=len(self._leases.held()))
        alarms = {"groups_missing": self._streams.groups_missing, "entries_lost": self._streams.entries_lost}
        rows = (((kind,), float(amount)) for kind, amount in alarms.items())
        yield counter("hub_ingress_alarms", "Signs that acknowledged items were lost.", ("kind",), rows)
        yield CounterMetricFamily("hub_ingress_trimmed", "Stored entries removed.", value=self._streams.trimmed)


class DispatchCollector(Collector):
    """What dispatch did in this process."""

    def __init__(self, dispatcher: Dispatcher, deliveries: CountedDeliveries, buckets: RedisBuckets) -> None:
        self._dispatcher = dispatcher
        self._deliveries = deliveries
        self._buckets = buckets

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._dispatcher.attempts.counters
        outcomes = (((channel, outcome), float(n)) for (channel, outcome), n in self._deliveries.outcomes.items())
        labels = ("channel", "outcome")
        yield counter("hub_dispatch_deliveries", "Steps of deliveries by what was recorded.", labels, outcomes)
        yield histograms("hub_dispatch_call_seconds", "Calls to vendors.", "channel", held.call_seconds)
        yield GaugeMetricFamily("hub_dispatch_in_flight", "Deliveries under way.", value=self._dispatcher.in_flight)
        yield CounterMetricFamily("hub_dispatch_errors", "Deliveries put off by an error of ours.", value=held.errors)
        breaker = self._dispatcher.attempts.breaker
        accounts, channels = breaker.count_open()
        text = "Vendors left alone for now, by what of theirs does not answer."
        rows = (("account", float(accounts)), ("channel", float(channels)))
        yield gauge("hub_dispatch_breakers_open", text, "of", rows)
        yield CounterMetricFamily("hub_dispatch_breakers_opened", "Times a breaker opened.", value=breaker.opened)
        yield CounterMetricFamily("hub_dispatch_reconciled", "Unknown ones a vendor knew.", value=held.reconciled)
        fallbacks = self._buckets.fallbacks
        yield CounterMetricFamily(
            "hub_dispatch_bucket_fallbacks", "Rate limits counted without Redis.", value=fallbacks
        )


class JobCollector(Collector):
    """What background jobs did in this process."""

    def __init__(self, counted: JobMetrics) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counted
        for name, text, values in (
            ("hub_job_runs", "Runs of a job.", held.runs),
            ("hub_job_done", "Things a job did.", held.done),
            ("hub_job_failures", "Runs that failed.", held.failed),
        ):
            yield counter(name, text, ("job",), (((job,), float(amount)) for job, amount in values.items()))
        succeeded = held.succeeded_at_s.items()
        yield gauge("hub_job_last_success_timestamp_seconds", "When a job last went through.", "job", succeeded)


def machine() -> str:
    """Return what tells machines apart in metrics: the host's name."""
    return socket.gethostname()


def worker_name(*parts: str | int) -> str:
    """Return a worker's name: the machine and what tells it from others there; the process id where nothing does."""
    return "/".join([machine(), *map(str, parts)]) if parts else f"{machine()}/{os.getpid()}"
