"""One server a path for all these tests, and what must be true after each of them."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest
import structlog

from tests.integration.conformance.hosted import PATHS, Hosted, assert_serves, descriptors, eventually, ping_is_answered
from tests.integration.conformance.peer import request


@pytest.fixture(scope="session")
def servers():
    """A server of each path."""
    with contextlib.ExitStack() as stack:
        made = {path: stack.enter_context(Hosted(path)) for path in PATHS}
        for server in made.values():
            assert_serves(server)
            with server.peer() as first:
                # The event loop keeps a descriptor in reserve from its first transport on.
                first.send(request(path="/elsewhere", without=("Upgrade", "Connection")))
                assert first.response()[0] == 200
            eventually(server.is_idle, "the first client is still held")
        yield made


@pytest.fixture(params=PATHS)
def server(request, servers):
    """The server of each path in turn."""
    return servers[request.param]


@pytest.fixture
def hosted(server, caplog):
    """
    The server, with a good client on it: whatever the test does, that client is served on.

    Afterwards nothing is left: no connection, no descriptor, no error in the log.
    """
    before = descriptors() if Path("/proc/self/fd").is_dir() else None
    with structlog.testing.capture_logs() as events:
        with server.peer() as good:
            good.open()
            yield server
            assert ping_is_answered(good)
            assert server.connections >= 1
        assert_serves(server)
        eventually(server.is_idle, f"{server.connections} connections are left, {server.held} held")
        if before is not None:
            eventually(lambda: descriptors() <= before, "descriptors are left")
    assert [one for one in events if one["log_level"] in ("error", "critical")] == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
