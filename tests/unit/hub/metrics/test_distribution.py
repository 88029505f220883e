"""Our histogram says what Prometheus' own would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from hub.metrics.distribution import LATENCY_S, Distribution, histogram


@given(st.lists(st.floats(0, 100, allow_nan=False)))
def test_distribution_counts_as_the_library_does(values):
    """The same values give the same cumulative buckets, count and sum, bounds included."""
    ours, registry = Distribution(), CollectorRegistry()
    theirs = Histogram("h", "h", buckets=LATENCY_S, registry=registry)
    for value in values:
        ours.observe(value)
        theirs.observe(value)

    shown = {(one.name, one.labels.get("le")): one.value for one in histogram("h", "h", ours).samples}
    wanted = {
        (one.name, one.labels.get("le")): one.value
        for family in registry.collect()
        for one in family.samples
        if not one.name.endswith("_created")
    }
    assert shown == wanted
    assert ours.count == len(values)


def test_negative_values_count_as_nothing():
    """Another machine's clock may be ahead: that is no negative latency."""
    ours = Distribution((1.0,))
    ours.observe(-5.0)
    assert ours.buckets() == ([("1.0", 1.0), ("+Inf", 1.0)], 0.0)
