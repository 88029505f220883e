"""The whole door with and without the cache: what was ended is refused by the very next call, in every process."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.access.cache import AccessCache
from hub.access.line import Line
from tests.integration.api.conftest import browser, sign_in

pytestmark = pytest.mark.redis


@pytest.fixture(params=["cached", "uncached"])
def processes(request, parts):
    """Two serve processes over one Postgres and one Redis."""
    if request.param == "uncached":
        return [parts, parts]
    redis = parts.redis_ephemeral
    caches = [AccessCache(redis, b"k" * 32, line=Line(redis, patience_s=10.0)) for _ in range(2)]
    # What the fixture's one pool commits, the first process committed.
    parts.database._on_commit = caches[0].on_commit
    return [replace(parts, access=one) for one in caches]


async def test_ended_session_is_refused_everywhere(processes, tenant):
    """Calls go on until the session is ended; then both processes refuse it."""
    async with browser(processes[0]) as here, browser(processes[1]) as there:
        await sign_in(here, tenant.email)
        there.cookies = here.cookies
        url = f"/api/v1/workspaces/{tenant.workspace_id}/inboxes"
        for client in (here, here, here, there):
            assert (await client.get(url)).status_code == 200
        cookies = dict(here.cookies)
        assert (await here.delete("/api/v1/session")).status_code == 204
        for client in (here, there):
            client.cookies.clear()
            client.cookies.update(cookies)
            assert (await client.get(url)).status_code == 401
        if processes[0].access is not None:
            assert processes[0].access.outcomes["hit"] >= 1
            assert processes[1].access.outcomes["hit"] >= 1
