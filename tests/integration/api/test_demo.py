"""The one click that ends a demo."""

from __future__ import annotations

import pytest

from hub import clock
from tests.integration.api.conftest import sign_in

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def test_delete_demo_removes_it_once(client, tenant, database):
    """204 and the accounts are gone from the snapshot; a second call finds nothing."""
    await sign_in(client)
    async with database.transaction([tenant.workspace_id]) as conn:
        inbox_id = await conn.fetchval("SELECT id FROM inbox LIMIT 1")
        for demo in (True, False):
            await conn.execute(
                "INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, created_at, demo)"
                " VALUES ($1, $2, $3, 'livechat', 'Chat', 'connected', $4, $5)",
                tenant.workspace_id,
                clock.new_id(),
                inbox_id,
                clock.now(),
                demo,
            )
    url = f"/api/v1/workspaces/{tenant.workspace_id}"

    removed = await client.delete(f"{url}/demo")

    snapshot = (await client.get(f"{url}/snapshot")).json()
    assert removed.status_code == 204
    assert [one["demo"] for one in snapshot["channel_accounts"]] == [False]
    assert (await client.delete(f"{url}/demo")).status_code == 404
