"""Medians and percentiles of the benchmarks."""

from __future__ import annotations

from scripts.benchmarks.results import Result, as_table, percentile, summarise


def test_summarise_takes_the_median_of_each_figure():
    """One slow run does not move a figure; a figure that a run lacks is left out."""
    runs = [{"a": 1.0, "b": 5.0}, {"a": 100.0}, {"a": 2.0, "b": 7.0}]

    assert summarise(runs) == {"a": 2.0}


def test_percentile_counts_from_below():
    """The 99th of a hundred values is the largest but none; nothing has a percentile of 0."""
    assert percentile([float(one) for one in range(100)], 0.99) == 99.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([], 0.5) == 0.0


def test_table_shows_what_was_lost():
    """A loss cannot hide in the readable form."""
    result = Result(bench="ingest", case="x", options={}, median={"a": 1.0}, runs=[{"a": 1.0}], lost=3)

    assert "lost 3" in as_table(result)
