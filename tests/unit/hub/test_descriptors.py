"""How a limit of descriptors is shared out."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.descriptors import LONGEST_BACKLOG, SHORTEST_BACKLOG, Room, open_now


@pytest.mark.parametrize(("limit", "most_sockets"), [(20_000, 19_500), (65_536, 65_036), (1_024, 896), (256, 192)])
def test_some_are_kept_for_http_and_the_stores(limit, most_sockets):
    """500 of a large limit, an eighth of a small one."""
    assert Room(limit).most_sockets == most_sockets


@given(st.integers(64, 2_000_000), st.data())
def test_thresholds_are_in_order_and_a_backlog_fits_twice(limit, data):
    """Reopening comes well below closing, sending away above; whatever waits can be accepted, and doubled."""
    room = Room(limit)
    assert 0 < room.reopens_at < room.most_sockets < room.refuses_at < limit
    count = data.draw(st.integers(0, limit))
    backlog = room.backlog(count)
    assert SHORTEST_BACKLOG <= backlog <= LONGEST_BACKLOG
    assert backlog == SHORTEST_BACKLOG or 2 * backlog <= limit - count


def test_open_descriptors_are_counted():
    """One more for each socket, one less for each that closes."""
    before = open_now()
    sockets = [socket.socket() for _ in range(10)]
    assert open_now() == before + 10
    for one in sockets:
        one.close()
    assert open_now() == before


def test_soft_limit_is_raised_to_the_hard_one():
    """In a process of its own: limits are not given back."""
    program = (
        "import resource; from hub.descriptors import raise_limit;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300));"
        "print(raise_limit(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["300", "300"]
