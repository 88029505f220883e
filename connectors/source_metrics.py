"""The counts of where items and files come from: ingress, spool, polled accounts, channels. Reads, counts nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from hub.metrics.exchange import counter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from connectors.drain import SpoolDrain
    from connectors.images import ImageFetcher
    from connectors.ingress import IngressMetrics
    from connectors.polling import Polling
    from connectors.registry import ConnectorRegistry
    from connectors.renewal import RenewalMetrics
    from hub.attachments.keeping import KeepingMetrics


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


class DrainCollector(Collector):
    """What this process moved out of the spool."""

    def __init__(self, drain: SpoolDrain) -> None:
        self._drain = drain

    def collect(self) -> Iterator[Metric]:
        """Read the counter."""
        moved = self._drain.drained
        yield CounterMetricFamily("hub_spool_drained", "Items moved from the spool to their streams.", value=moved)


class FileMetrics(Collector):
    """Bytes of files stored by this process, and what their checks found."""

    def __init__(self, counted: KeepingMetrics) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counted
        yield CounterMetricFamily("hub_file_bytes_stored", "Bytes put into the file store.", value=held.stored_bytes)
        checked = {"ready": held.ready, "failed": held.failed, "unreadable": held.unreadable}
        rows = (((outcome,), float(amount)) for outcome, amount in checked.items())
        yield counter("hub_files_checked", "Files checked; unreadable ones are ready too.", ("outcome",), rows)


class ImageMetrics(Collector):
    """What became of the images that mails name."""

    def __init__(self, images: ImageFetcher) -> None:
        self._images = images

    def collect(self) -> Iterator[Metric]:
        """Read the counter."""
        rows = (((outcome,), float(amount)) for outcome, amount in self._images.counted.items())
        yield counter("hub_images", "Remote images asked for, by outcome.", ("outcome",), rows)


class PollingCollector(Collector):
    """How this process reads polled accounts."""

    def __init__(self, polling: Polling) -> None:
        self._polling = polling

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._polling.metrics
        yield CounterMetricFamily("hub_polling_batches", "Batches read, their cursors saved.", value=held.batches)
        yield CounterMetricFamily("hub_polling_items", "Items of them, put on the streams.", value=held.items)
        yield CounterMetricFamily("hub_polling_failures", "Times an account could not be read.", value=held.failures)
        text = "Accounts whose keys were refused, each time."
        yield CounterMetricFamily("hub_polling_signed_out", text, value=held.signed_out)
        yield GaugeMetricFamily("hub_polled_accounts", "Accounts read by this worker.", value=len(self._polling.held))
        text = "Accounts of this worker that cannot be read now."
        yield GaugeMetricFamily("hub_polled_accounts_down", text, value=len(held.down))


class RenewalCollector(Collector):
    """Tokens this process renewed."""

    def __init__(self, counted: RenewalMetrics) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counted
        done = {"renewed": held.renewed, "put_off": held.failed, "signed_out": held.signed_out, "waited": held.waited}
        rows = (((outcome,), float(amount)) for outcome, amount in done.items())
        yield counter(
            "hub_token_renewals", "Tokens renewed, and why not; waited: for another worker.", ("outcome",), rows
        )


class ChannelCollector(Collector):
    """What channels count in this process by themselves."""

    def __init__(self, registry: ConnectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Read every channel's counters."""
        rows: list[tuple[tuple[str, str], float]] = []
        for manifest in self._registry.manifests():
            counts = self._registry.get(manifest.id).counts()
            rows += [((manifest.id, what), float(amount)) for what, amount in counts.items()]
        yield counter("hub_channel_counts", "What a channel counts by itself.", ("channel", "what"), rows)
