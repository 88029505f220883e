"""What ingress, spool, polling, files and channels count, as Prometheus reads it."""

from __future__ import annotations

from types import SimpleNamespace

from connectors.imap_smtp import make_connector
from connectors.imap_smtp.poll import Poller
from connectors.imap_smtp.send import Sender
from connectors.ingress import IngressMetrics
from connectors.polled_account import PollingMetrics
from connectors.source_metrics import ChannelCollector, IngressCollector, PollingCollector
from hub import clock


def samples(collector) -> dict[str, float]:
    found = [sample for family in collector.collect() for sample in family.samples]
    return {one.name: float(one.value) for one in found if not one.name.endswith("_created")}


def test_polling_counts_accounts_and_those_that_are_down():
    """Held and unreachable accounts are gauges: an alert asks how long one of them is above 0."""
    metrics = PollingMetrics(batches=3, items=40, failures=2, signed_out=1, down={clock.new_id()})
    polling = SimpleNamespace(metrics=metrics, held={clock.new_id(), clock.new_id()})
    assert samples(PollingCollector(polling)) == {
        "hub_polling_batches_total": 3,
        "hub_polling_items_total": 40,
        "hub_polling_failures_total": 2,
        "hub_polling_signed_out_total": 1,
        "hub_polled_accounts": 2,
        "hub_polled_accounts_down": 1,
    }


def test_ingress_shows_an_outage_and_its_end():
    """The switch is up while items go into the spool; what went there stays counted."""
    metrics = IngressMetrics(spooled=7, outages=1, is_spooling=True)
    during = samples(IngressCollector(metrics))
    metrics.is_spooling = False
    after = samples(IngressCollector(metrics))
    assert (during["hub_ingress_spooling"], after["hub_ingress_spooling"]) == (1, 0)
    assert during["hub_ingress_spooled_total"] == after["hub_ingress_spooled_total"] == 7


def test_channels_own_counts_carry_their_channel():
    """Mail says how many copies it lost; a channel that counts nothing has no sample."""
    sender = Sender()
    sender.copies_lost = 2
    connectors = {"imap_smtp": make_connector(Poller(), sender), "quiet": SimpleNamespace(counts=dict)}
    registry = SimpleNamespace(
        manifests=lambda: [SimpleNamespace(id=name) for name in connectors], get=connectors.__getitem__
    )
    (family,) = ChannelCollector(registry).collect()
    assert [(one.labels, one.value) for one in family.samples] == [({"channel": "imap_smtp", "what": "copies_lost"}, 2)]
