"""The end of a deleted workspace: no row, blob or entry of a stream is left, and only after 30 days."""

from __future__ import annotations

import asyncpg
import pytest

from hub.audit.verify import Fault
from hub.audit_commands import Wanted, sign, verify
from hub.blobs import new_key
from hub.config import read_settings
from hub.envelope import StreamItem
from hub.inbox import actions as inbox
from hub.privacy import actions
from hub.privacy.workspaces import end_workspace, end_workspaces
from hub.streams.model import partition_of
from tests.factories import make_item, make_workspace, received
from tests.sealed_texts import KEPT, keep_texts

pytestmark = [pytest.mark.postgres, pytest.mark.redis]


async def one_chunk(data):
    yield data


async def fill(database, workspace, streams, blobs):
    """Give a workspace rows in many tables."""
    ws = workspace.id
    async with database.transaction([ws]) as conn:
        (outcome,) = await inbox.receive(conn, [received(workspace, make_item())])
        contact_id = await conn.fetchval("SELECT id FROM contact")
        wanted = actions.NewConsent(purpose="newsletter", state="given", basis="consent", source="Form")
        await actions.record_consent(conn, workspace.actor(), contact_id, wanted)
        await actions.request_export(conn, workspace.actor(), contact_id)
        await actions.add_policy(
            conn, workspace.actor(), actions.NewPolicy(inbox_id=workspace.inbox_id, channel_account_id=None, days=3)
        )
        key = new_key(ws)
        await blobs.put(key, one_chunk(b"x"))
        for sql, values in (
            ("INSERT INTO attachment (workspace_id, id, message_id, conversation_id, state, kind, filename, mime, blob_key,"
             " created_at) VALUES ($1, gen_random_uuid(), $2, $3, 'ready', 'file', 'a', 'text/plain', $4, now())",
             (outcome.message_id, outcome.conversation_id, key)),
            ("INSERT INTO api_key (workspace_id, id, kind, name, hint, member_id, secret_hmac, pepper_version, created_at)"
             " VALUES ($1, gen_random_uuid(), 'personal', 'k', 'abcd', $2, sha256(''), 1, now())", (workspace.owner_id,)),
            ("INSERT INTO workspace_limits (workspace_id) VALUES ($1)", ()),
            ("INSERT INTO intake_spool (workspace_id, id, partition, item, created_at)"
             " VALUES ($1, gen_random_uuid(), 1, 'x', now())", ()),
            ("INSERT INTO idempotency_key (workspace_id, caller_id, route, key, id, request_hash, lease_until, created_at)"
             " VALUES ($1, gen_random_uuid(), 'r', 'k', gen_random_uuid(), sha256(''), now(), now())", ()),
            ("INSERT INTO notice_settings (workspace_id, member_id) VALUES ($1, $2)", (workspace.owner_id,)),
        ):  # fmt: skip
            await conn.execute(sql, ws, *values)
    item = StreamItem(
        workspace_id=ws, channel_account_id=str(workspace.sms_id), channel="x", key="k", body=b"b", received_at_ms=1
    )
    await streams.append(item)


async def rows_of(owner_url, workspace_id):
    """Count rows by table that knows workspaces."""
    owner = await asyncpg.connect(owner_url)
    try:
        tables = await owner.fetch(
            "SELECT c.table_name FROM information_schema.columns c JOIN information_schema.tables t"
            " USING (table_schema, table_name) WHERE t.table_schema = 'public' AND t.table_type = 'BASE TABLE'"
            " AND c.column_name = 'workspace_id'"
        )
        assert len(tables) > 30
        found = {
            row[0]: await owner.fetchval(f'SELECT count(*) FROM "{row[0]}" WHERE workspace_id = $1', workspace_id)
            for row in tables
        }
        found["workspace"] = await owner.fetchval("SELECT count(*) FROM workspace WHERE id = $1", workspace_id)
        return {name: amount for name, amount in found.items() if amount}
    finally:
        await owner.close()


async def delete(database, workspace, days):
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE workspace SET deleted_at = now() - make_interval(days => $1)", days)


@pytest.mark.parametrize("kept", KEPT)
async def test_nothing_of_an_ended_workspace_is_left(database, database_urls, workspace, streams, blobs, kept):
    """After 30 days no table, no blob and no stream knows it; another workspace keeps every row."""
    await keep_texts(database, workspace, kept)
    other = await make_workspace(database)
    await fill(database, workspace, streams, blobs)
    await fill(database, other, streams, blobs)
    before = await rows_of(database_urls.owner_url, other.id)
    assert len(await rows_of(database_urls.owner_url, workspace.id)) > 18
    await delete(database, workspace, 31)

    assert await end_workspaces(database, streams, blobs, 5) == 1

    assert await rows_of(database_urls.owner_url, workspace.id) == {}
    assert await blobs.keys(workspace.id) == []
    assert (await streams.backlog(partition_of(workspace.id))).length == 0
    assert await rows_of(database_urls.owner_url, other.id) == before
    assert len(await blobs.keys(other.id)) == 1
    assert (await streams.backlog(partition_of(other.id))).length == 1
    assert await end_workspaces(database, streams, blobs, 5) == 0


async def test_a_workspace_in_its_grace_is_left_alone(database, database_urls, workspace, streams, blobs):
    """29 days are too few, and a workspace that is not deleted cannot be ended, even by name."""
    await fill(database, workspace, streams, blobs)
    before = await rows_of(database_urls.owner_url, workspace.id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await end_workspace(database, streams, blobs, workspace.id)
    await delete(database, workspace, 29)

    assert await end_workspaces(database, streams, blobs, 5) == 0

    assert await rows_of(database_urls.owner_url, workspace.id) == before


async def test_the_chain_of_an_ended_workspace_is_not_missed(
    database, database_urls, workspace, streams, blobs, tmp_path
):
    """Signed heads outside the database know it; the installation's entry explains, and without it the chain is cut."""
    settings = read_settings(
        {
            "HOME": str(tmp_path),
            "HUB_DATA_DIR": str(tmp_path / "data"),
            "DATABASE_URL": database_urls.database_url,
            "HUB_SECRET_KEY": "s" * 40,
        }
    )
    await fill(database, workspace, streams, blobs)
    assert workspace.id in {one.workspace_id for one in await sign(settings)}
    await delete(database, workspace, 31)

    await end_workspaces(database, streams, blobs, 5)

    assert [one.findings async for one in verify(settings, Wanted()) if one.findings] == []
    owner = await asyncpg.connect(database_urls.owner_url)
    try:
        await owner.execute("DELETE FROM audit_entry WHERE action = 'workspace.erased'")
    finally:
        await owner.close()
    (cut,) = [one async for one in verify(settings, Wanted()) if one.findings]
    assert cut.workspace_id == workspace.id
    assert {one.fault for one in cut.findings} == {Fault.MISSING_HEAD, Fault.TRUNCATED}
