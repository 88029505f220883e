"""The fan-out benchmark's table: ratios within a run, cells without figures."""

from __future__ import annotations

import pytest

from scripts.benchmarks.fanout.run import Table
from scripts.benchmarks.results import summarise


def test_ratio_compares_servers_of_the_same_run():
    """A slow minute slows both: the median of the runs' ratios is not the ratio of medians."""
    table = Table()
    for number, (ours, floor) in enumerate([(6.0, 5.0), (14.0, 10.0), (9.0, 9.0)]):
        table.note(("S1", "w1", "hub"), number, {"cpu_us_per_frame": ours})
        table.note(("S1", "w1", "floor"), number, {"cpu_us_per_frame": floor})

    figures = summarise(table.runs_of(("S1", "w1", "hub")))

    assert figures == {"cpu_us_per_frame": 9.0, "ratio_floor": pytest.approx(1.2)}


def test_ratio_needs_the_other_server_in_that_run():
    """A peer that failed once leaves no ratio rather than one of another run."""
    table = Table()
    for number in (0, 1):
        table.note(("S1", "w1", "hub"), number, {"cpu_us_per_frame": 6.0})
    table.note(("S1", "w1", "nchan"), 1, {"cpu_us_per_frame": 9.0})

    assert "ratio_nchan" not in summarise(table.runs_of(("S1", "w1", "hub")))


def test_cell_nobody_measured_is_empty():
    """A server that was not installed has no runs."""
    assert Table().runs_of(("S2", "w16", "channels")) == []
