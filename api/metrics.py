"""Collects what the parts of a serve process counted into Prometheus families."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hub.metrics.distribution import histogram, histograms
from hub.metrics.exchange import counter, gauge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.listener import WorkerListener
    from api.webhooks import WebhookMetrics, WebhookTiming
    from hub.access.cache import AccessCache
    from hub.keys.rates import CallRates
    from hub.realtime.broker_redis import RedisBroker
    from hub.realtime.connections import Counters
    from hub.realtime.hub import RealtimeHub
    from hub.throttle import Throttle


class SocketMetrics(Collector):
    """Connections, frames, gaps and closes of this process."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._counters
        yield gauge("hub_connections", "Open sockets by what they are.", "kind", held.connections.items())
        yield CounterMetricFamily("hub_socket_frames_in", "Frames received.", value=held.frames_in)
        yield CounterMetricFamily("hub_socket_frames_out", "Frames written.", value=held.frames_out)
        yield CounterMetricFamily("hub_socket_pings", "WebSocket pings to silent clients.", value=held.pings)
        yield CounterMetricFamily("hub_socket_bytes_out", "Bytes of frames written.", value=held.bytes_out)
        yield CounterMetricFamily("hub_events_applied", "Events passed on to local sockets.", value=held.events_applied)
        text = "From an event's number to its last frame in the sockets' buffers."
        yield histogram("hub_fanout_seconds", text, held.fanout_seconds)
        yield CounterMetricFamily("hub_event_holes", "Holes filled from the database.", value=held.holes)
        yield CounterMetricFamily("hub_heals", "Healing rounds that found unhinted events.", value=held.heals)
        yield _counter("hub_socket_gaps", "Gaps sent, by reason.", "reason", held.gaps)
        yield _counter("hub_socket_closes", "Sockets closed, by code; 0: the client went.", "code", held.closes)
        yield _counter("hub_socket_resumes", "Hellos answered, recovered or with a snapshot.", "how", held.resumes)
        yield _counter("hub_socket_refused", "Frames refused, by error code.", "code", held.refused)


class ListenerMetrics(Collector):
    """How full this worker is, and whether it takes connections."""

    def __init__(self, listener: WorkerListener) -> None:
        self._listener = listener

    def collect(self) -> Iterator[Metric]:
        """Read the listener."""
        held = self._listener
        yield GaugeMetricFamily("hub_socket_limit", "Most sockets of a worker.", value=held.room.most_sockets)
        yield GaugeMetricFamily("hub_listener_open", "Whether a worker takes connections.", value=held.is_open)
        yield CounterMetricFamily("hub_listener_closes", "Times a worker was full and stopped.", value=held.closes)
        text = "Connections sent away unread: no descriptor left."
        yield CounterMetricFamily("hub_connections_refused", text, value=held.refused)


class PresenceMetrics(Collector):
    """What members of this process were shown of each other, and what the broker sends here."""

    def __init__(self, hub: RealtimeHub, broker: RedisBroker) -> None:
        self._hub = hub
        self._broker = broker

    def collect(self) -> Iterator[Metric]:
        """Read them."""
        shown = self._hub.presence.frames
        yield CounterMetricFamily("hub_presence_frames", "Frames that say who is online or looks on.", value=shown)
        yield _counter("hub_handshakes_refused", "Sockets refused, by reason.", "reason", self._hub.handshakes_refused)
        text = "Shards of the broker this process listens to."
        yield GaugeMetricFamily("hub_broker_shards", text, value=self._broker.shards)
        text = "Messages of workspaces without connections here."
        yield CounterMetricFamily("hub_broker_ignored", text, value=self._broker.ignored)


class EdgeMetrics(Collector):
    """Webhooks answered by this process."""

    def __init__(self, counted: WebhookMetrics, timing: WebhookTiming) -> None:
        self._counted = counted
        self._timing = timing

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        calls = {
            name: getattr(self._counted, name) for name in self._counted.__slots__ if name not in ("items", "unrouted")
        }
        yield _counter("hub_webhook_calls", "Webhook calls by what became of them.", "outcome", calls)
        answers = (((channel, str(status)), float(n)) for (channel, status), n in self._timing.calls.items())
        yield counter("hub_webhook_answers", "Webhook calls by channel and status.", ("channel", "status"), answers)
        yield histograms("hub_webhook_seconds", "Time to answer a webhook.", "channel", self._timing.seconds)
        text = "Items of accounts that nobody connected here."
        yield CounterMetricFamily("hub_webhook_unrouted", text, value=self._counted.unrouted)
        yield CounterMetricFamily("hub_webhook_items", "Items put on the ingress streams.", value=self._counted.items)


class ThrottleMetrics(Collector):
    """Attempts refused by this process."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        yield _counter("hub_throttle_refused", "Attempts refused, by what was tried.", "kind", self._throttle.refused)
        alone = self._throttle.counting.failures
        yield CounterMetricFamily("hub_throttle_fallbacks", "Attempts counted without Redis.", value=alone)


class CallRateMetrics(Collector):
    """Calls a minute: counted, refused, counted without Redis."""

    def __init__(self, rates: CallRates) -> None:
        self._rates = rates

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._rates
        yield _counter("hub_call_rates", "Calls of members and keys by what the limits said.", "outcome", held.counts)
        alone = held.counting.failures
        yield CounterMetricFamily("hub_call_rate_fallbacks", "Calls counted without Redis.", value=alone)


class AccessMetrics(Collector):
    """How often who calls was known without asking Postgres."""

    def __init__(self, access: AccessCache) -> None:
        self._access = access

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        held = self._access
        text = "Look-ups of who calls: hit, or why Postgres was asked."
        yield _counter("hub_access_lookups", text, "outcome", held.outcomes)
        text = "Times the cache's Redis did not answer in time."
        yield CounterMetricFamily("hub_access_redis_failures", text, value=held.line.redis.failures)
        text = "Endings that Redis could not be told at the first try."
        yield CounterMetricFamily("hub_access_ending_failures", text, value=held.endings.failures)


def _counter(name: str, text: str, label: str, values: Mapping[str, int] | Mapping[int, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], value)
    return family
