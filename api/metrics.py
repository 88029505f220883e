"""Collects what the parts of a serve process counted, and what the stores know, into Prometheus families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.webhooks import WebhookMetrics
    from connectors.ingress import IngressMetrics
    from hub.attachments.keeping import KeepingMetrics
    from hub.realtime.connections import Counters
    from hub.streams import IngressStreams


class SocketMetrics(Collector):
    """Connections, frames, gaps and closes of this process."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counters
        yield _gauge("hub_connections", "Open sockets by what they are.", "kind", held.connections)
        yield CounterMetricFamily("hub_socket_frames_in", "Frames received.", value=held.frames_in)
        yield CounterMetricFamily("hub_socket_frames_out", "Frames written.", value=held.frames_out)
        yield CounterMetricFamily("hub_socket_bytes_out", "Bytes of frames written.", value=held.bytes_out)
        yield CounterMetricFamily("hub_events_applied", "Events passed on to local sockets.", value=held.events_applied)
        yield CounterMetricFamily("hub_event_holes", "Holes filled from the database.", value=held.holes)
        yield CounterMetricFamily("hub_heals", "Healing rounds that found unhinted events.", value=held.heals)
        yield _counter("hub_socket_gaps", "Gaps sent, by reason.", "reason", held.gaps)
        yield _counter("hub_socket_closes", "Sockets closed, by code; 0: the client went.", "code", held.closes)
        yield _counter("hub_socket_resumes", "Hellos answered, recovered or with a snapshot.", "how", held.resumes)
        yield _counter("hub_socket_refused", "Frames refused, by error code.", "code", held.refused)


class EdgeMetrics(Collector):
    """Webhooks answered by this process."""

    def __init__(self, counted: WebhookMetrics) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        calls = {name: getattr(self._counted, name) for name in self._counted.__slots__ if name != "items"}
        yield _counter("hub_webhook_calls", "Webhook calls by what became of them.", "outcome", calls)
        yield CounterMetricFamily("hub_webhook_items", "Items put on the ingress streams.", value=self._counted.items)


class IngressCollector(Collector):
    """Where items went that this process took."""

    def __init__(self, counted: IngressMetrics) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counted
        yield CounterMetricFamily("hub_ingress_large", "Items whose bodies went to Postgres.", value=held.large)
        yield CounterMetricFamily("hub_ingress_spooled", "Items spooled while Redis was away.", value=held.spooled)
        yield CounterMetricFamily("hub_ingress_refused", "Items neither Redis nor Postgres took.", value=held.refused)
        yield CounterMetricFamily("hub_ingress_outages", "Times Redis was found away.", value=held.outages)
        yield GaugeMetricFamily("hub_ingress_spooling", "1 while items go into the spool.", value=held.is_spooling)


class FileMetrics(Collector):
    """Bytes of files stored, and what their checks found."""

    def __init__(self, counted: KeepingMetrics) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        counted = self._counted
        yield CounterMetricFamily("hub_file_bytes_stored", "Bytes put into the file store.", value=counted.stored_bytes)
        checked = {"ready": counted.ready, "failed": counted.failed, "unreadable": counted.unreadable}
        yield _counter("hub_files_checked", "Files checked; unreadable ones are ready too.", "outcome", checked)


async def ingress_families(streams: IngressStreams, partitions: int) -> list[Metric]:
    """Measure the ingress streams now; no families while their Redis is away (readyz says so)."""
    length = GaugeMetricFamily("hub_ingress_length", "Entries on the stream.", labels=["partition"])
    lag = GaugeMetricFamily("hub_ingress_lag", "Items no worker has read yet.", labels=["partition"])
    pending = GaugeMetricFamily("hub_ingress_pending", "Items read and not yet stored.", labels=["partition"])
    try:
        for partition in range(partitions):
            backlog = await streams.backlog(partition)
            length.add_metric([str(partition)], backlog.length)
            lag.add_metric([str(partition)], backlog.undelivered or 0)
            pending.add_metric([str(partition)], backlog.pending)
    except HubError:
        return []
    alarms = CounterMetricFamily("hub_ingress_alarms", "Signs that acknowledged items were lost.", labels=["kind"])
    alarms.add_metric(["groups_missing"], streams.metrics.groups_missing)
    alarms.add_metric(["entries_lost"], streams.metrics.entries_lost)
    return [length, lag, pending, alarms]


def _gauge(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _counter(name: str, text: str, label: str, values: Mapping[str, int] | Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
