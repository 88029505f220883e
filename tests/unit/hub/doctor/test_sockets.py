"""What `hub doctor` says of how full the workers are."""

from __future__ import annotations

import pytest

from hub.doctor.model import Level
from hub.doctor.sockets import Fill, judge_fill, read_fill
from hub.metrics.exchange import Family, Page, Sample


def page(process, *, held=0, full=0, is_open=1.0, limit=1000.0):
    """What one process left."""

    def family(name, *samples):
        return Family(name, "gauge", "", [Sample(name, labels, value) for labels, value in samples])

    families = [
        family("hub_connections", ({"kind": "member"}, held / 2), ({"kind": "visitor"}, held / 2)),
        family("hub_socket_limit", ({}, limit)),
        family("hub_listener_open", ({}, is_open)),
        family("hub_handshakes_refused_total", ({"reason": "full"}, full), ({"reason": "origin"}, 7.0)),
    ]
    return Page(process, "m/1/0", 0, families)


def test_workers_are_added_up():
    """All serve workers, and nothing else; refusals only where there was no room."""
    pages = [page("serve", held=300, full=4), page("serve", held=100, is_open=0.0), page("work", held=9)]
    assert read_fill(pages) == Fill(workers=2, held=400, most=2000, full=4, closed=1)


@pytest.mark.parametrize(
    ("fill", "level", "said"),
    [
        (Fill(), Level.OK, ""),
        (Fill(workers=2, held=400, most=2000), Level.OK, ""),
        (Fill(workers=2, held=1700, most=2000), Level.WARNING, "--workers 3"),
        (Fill(workers=2, held=1200, most=2000, closed=1), Level.WARNING, "takes no connections"),
        (Fill(workers=2, held=1990, most=2000, full=50), Level.FAULT, "--workers 3"),
        (Fill(workers=7, held=100_000, most=7 * 16_000), Level.WARNING, "--workers 8"),
        (Fill(workers=2, held=100, most=2000, full=50), Level.OK, ""),
    ],
)
def test_full_workers_are_told_and_how_many_to_start(fill, level, said):
    """Nothing to do below 80 %, even where there was a storm earlier; a number of workers above it."""
    finding = judge_fill(fill)
    assert finding.level is level
    assert said in finding.title + finding.what_to_do
