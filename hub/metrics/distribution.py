"""A histogram cheap enough for the paths that run per message: two additions and a binary search, no lock."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client.core import HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Upper bounds in seconds, from a fast commit to what nobody waits for.
LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Distribution:
    """
    Counts values by bucket; for one event loop.

    Args:
        bounds: Upper bounds of the buckets, rising; what is above the last one is counted too.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float] = LATENCY_S) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value; negative ones (clocks of two machines) count as 0."""
        value = max(0.0, value)
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self._counts)

    def buckets(self) -> tuple[list[tuple[str, float]], float]:
        """Return cumulative counts by upper bound, and the sum, as Prometheus wants them."""
        total = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            rows.append((bound, float(total)))
        return rows, self._sum


def histogram(name: str, text: str, values: Distribution) -> HistogramMetricFamily:
    """Make a family of one distribution."""
    family = HistogramMetricFamily(name, text)
    family.add_metric([], *values.buckets())
    return family


def histograms(name: str, text: str, label: str, values: Mapping[str, Distribution]) -> HistogramMetricFamily:
    """Make a family of distributions by one label."""
    return labelled_histograms(name, text, (label,), (((key,), one) for key, one in values.items()))


def labelled_histograms(
    name: str, text: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], Distribution]]
) -> HistogramMetricFamily:
    """Make a family of distributions by several labels."""
    family = HistogramMetricFamily(name, text, labels=list(labels))
    for key, one in values:
        family.add_metric(list(key), *one.buckets())
    return family
