"""What a worker told people: reactions, mails of the hub's own, pushes. Read by /metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from hub.metrics.exchange import counter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.telling import Telling


class TellingMetrics(Collector):
    """Counts of this process."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling

    def collect(self) -> Iterator[Metric]:
        """Read the counters."""
        reactor, postman = self._telling.reactor.metrics, self._telling.postman
        events = {"reacted": reactor.reacted, "passed_over": reactor.passed_over}
        rows = (((room, how), float(n)) for how, held in events.items() for room, n in held.items())
        yield counter("hub_reactor_events", "Events rooms dealt with, or gave up.", ("room", "outcome"), rows)
        fates = {
            "sent": postman.sent,
            "refused": postman.refused,
            "put_off": postman.put_off,
            "dropped": postman.dropped,
        }
        mails = (((template, how), float(n)) for how, held in fates.items() for template, n in held.items())
        yield counter("hub_mails", "Mails of the hub's own, by what became of them.", ("template", "outcome"), mails)
        pushes = (((fate,), float(n)) for fate, n in self._telling.pushing.fates.items())
        yield counter("hub_pushes", "Web pushes, by what became of them.", ("outcome",), pushes)
