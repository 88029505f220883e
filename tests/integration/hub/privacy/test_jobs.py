"""The jobs as a worker runs them: what is due is found across workspaces and done once."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from connectors.privacy_jobs import privacy_jobs
from hub.channels.sealing import Sealer
from hub.inbox import actions as inbox
from hub.privacy import actions, store
from tests.factories import make_item, make_workspace, received

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def test_the_jobs_find_and_do_what_is_due(database, workspace, streams, blobs, redis_ephemeral):
    """In two workspaces: an export becomes ready, a policy queues an erasure, and erasures of both kinds end."""
    ephemeral = Redis.from_url(redis_ephemeral)
    jobs = {one.name: one for one in privacy_jobs(database, streams, blobs, Sealer({1: bytes(32)}), ephemeral)}
    other = await make_workspace(database)
    async with database.transaction([workspace.id]) as conn:
        await inbox.receive(conn, [received(workspace, make_item())])
        contact_id = await conn.fetchval("SELECT id FROM contact")
        export = await actions.request_export(conn, workspace.actor(), contact_id)
    async with database.transaction([other.id]) as conn:
        await inbox.receive(conn, [received(other, make_item())])
        await conn.execute("UPDATE conversation SET last_activity_at = now() - interval '9 days'")
        wanted = actions.NewPolicy(inbox_id=other.inbox_id, channel_account_id=None, days=3, closed_only=False)
        policy = await actions.add_policy(conn, other.actor(), wanted)

    assert await jobs["exports"].run() == 1
    assert await jobs["retention"].run() == 1
    assert await jobs["retention"].run() == 0, "looked at again tomorrow"
    async with database.transaction([workspace.id]) as conn:
        assert (await store.get_export(conn, workspace.id, export.id)).state == "ready"
        digest = (await store.extent(conn, workspace.id, [contact_id])).digest()
        await actions.request_erasure(conn, workspace.actor(), contact_id, digest)
    assert await jobs["erasures"].run() == 2
    assert await jobs["erasures"].run() == 0
    assert await jobs["ended_workspaces"].run() == 0
    await ephemeral.aclose()

    async with database.transaction([workspace.id, other.id]) as conn:
        kinds = {row["kind"]: row["phase"] for row in await conn.fetch("SELECT kind, phase FROM erasure")}
        assert kinds == {"contact": "done", "retention": "done"}
        assert await conn.fetchval("SELECT count(*) FROM conversation") == 0
        assert await conn.fetchval("SELECT count(*) FROM contact_export") == 0
        assert (await store.get_policy(conn, other.id, policy.id)).next_run_at > policy.next_run_at
    assert await blobs.keys(workspace.id) == [], "the sealed parts of the export went with the person"
