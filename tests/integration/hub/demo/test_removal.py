"""Taking a demo away: nothing of it stays, everything else does, and clients are told."""

from __future__ import annotations

import asyncpg
import msgspec
import pytest

from api.snapshot import read_snapshot
from hub import clock
from hub.audit.model import ActorKind, Caller
from hub.demo import actions as demo
from hub.demo import store
from hub.envelope import Identity
from hub.errors import NotFound
from hub.events import store as events
from hub.inbox import actions, replies
from hub.inbox.batch import ReceivedItem
from hub.inbox.model import MessageKind
from tests.apply_event import apply_event
from tests.factories import make_item, make_workspace, received
from tests.verify_action import as_seen, read_state, verify_action

pytestmark = pytest.mark.postgres

TABLES = (
    "channel_account", "conversation", "conversation_participant", "conversation_read", "message", "message_html",
    "attachment", "delivery", "contact", "contact_identity", "suppression", "consent", "dead_letter", "raw_item",
    "pending_reference", "channel_cursor",
)  # fmt: skip


@pytest.fixture
async def demo_id(database, workspace):
    """A demo account beside the workspace's own."""
    account_id = clock.new_id()
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, created_at, demo)"
            " VALUES ($1, $2, $3, 'twilio_sms', 'Demo', 'connected', $4, true)",
            workspace.id,
            account_id,
            workspace.inbox_id,
            clock.now(),
        )
    return account_id


def demo_item(workspace, demo_id, number, **overrides):
    sender = f"+1555777{number:04d}"
    fields = {"thread_key": sender, "sender": Identity(scheme="phone", value=sender), "text": f"demo text {number}"}
    item = make_item(**(fields | overrides))
    return ReceivedItem(workspace_id=workspace.id, channel_account_id=demo_id, channel="twilio_sms", item=item)


async def receive(database, workspace, batch):
    async with database.transaction([workspace.id]) as conn:
        return await actions.receive(conn, batch)


async def fill(database, workspace, demo_id, amount):
    for start in range(0, amount, 100):
        await receive(
            database, workspace, [demo_item(workspace, demo_id, n) for n in range(start, min(start + 100, amount))]
        )


async def counts(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        return {table: await conn.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}


async def leave_traces(database, workspace, account_id, outcome):
    """Put a row into every table a conversation can fill."""
    rows = [
        ("INSERT INTO attachment (workspace_id, id, message_id, conversation_id, channel_account_id, state, kind,"
         " filename, mime, blob_key, created_at) VALUES ($1, gen_random_uuid(), $2, $3, $4, 'ready', 'image', 'a.png',"
         " 'image/png', 'blob/' || $2::uuid::text, now())", (outcome.message_id, outcome.conversation_id, account_id)),
        ("INSERT INTO message_html (workspace_id, message_id, html) VALUES ($1, $2, 'x')", (outcome.message_id,)),
        ("INSERT INTO dead_letter (workspace_id, id, channel_account_id, channel, key, body, error, stream, entry_id,"
         " received_at, created_at) VALUES ($1, gen_random_uuid(), $2, 'twilio_sms', 'k', 'b', 'e', 'in', $2::uuid::text, now(), now())",
         (account_id,)),
        ("INSERT INTO raw_item (workspace_id, id, channel_account_id, key, body, created_at)"
         " VALUES ($1, gen_random_uuid(), $2, 'k', 'b', now())", (account_id,)),
        ("INSERT INTO pending_reference (workspace_id, id, channel_account_id, reference, dedupe_key, item, created_at)"
         " VALUES ($1, gen_random_uuid(), $2, 'r', $2::uuid::text, 'i', now())", (account_id,)),
        ("INSERT INTO channel_cursor (workspace_id, channel_account_id) VALUES ($1, $2)", (account_id,)),
        ("INSERT INTO conversation_participant (workspace_id, conversation_id, contact_id, added_at)"
         " SELECT workspace_id, id, contact_id, now() FROM conversation WHERE workspace_id = $1 AND id = $2",
         (outcome.conversation_id,)),
    ]  # fmt: skip
    async with database.transaction([workspace.id]) as conn:
        for sql, arguments in rows:
            await conn.execute(sql, workspace.id, *arguments)
    draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text="our answer")
    async with database.transaction([workspace.id]) as conn:
        await replies.queue_message(conn, workspace.id, outcome.conversation_id, workspace.author(), draft)
    async with database.transaction([workspace.id]) as conn:
        await actions.mark_read(conn, workspace.id, outcome.conversation_id, workspace.agent_id, 1)


async def test_removed_demo_leaves_every_table_as_it_was(database, workspace, demo_id):
    """Rows of the demo go from every table; the rest of the workspace, and its contacts who also wrote there, stay."""
    shared = Identity(scheme="phone", value="+15550001111")
    (own,) = await receive(database, workspace, [received(workspace, make_item(sender=shared))])
    await leave_traces(database, workspace, workspace.sms_id, own)
    before = await counts(database, workspace)
    outcomes = await receive(
        database,
        workspace,
        [demo_item(workspace, demo_id, 1), demo_item(workspace, demo_id, 2, sender=shared, consent="stop")],
    )
    await leave_traces(database, workspace, demo_id, outcomes[0])
    assert (await counts(database, workspace))["message"] > before["message"]

    removed = await demo.remove_demo(database, workspace.id, Caller(ActorKind.MEMBER, workspace.owner_id))

    assert removed == 2
    assert await counts(database, workspace) == before | {"channel_account": before["channel_account"] - 1}
    async with database.transaction([workspace.id]) as conn:
        keys = [row["blob_key"] for row in await conn.fetch("SELECT blob_key FROM blob_trash")]
    assert keys == [f"blob/{outcomes[0].message_id}"]


async def test_removal_is_told_and_fits_the_snapshot(database, workspace, demo_id):
    """A client that held everything and applies the events holds what a fresh snapshot says."""
    await receive(database, workspace, [received(workspace, make_item())])
    await fill(database, workspace, demo_id, 3)

    async with verify_action(database, workspace.actor(), events_expected=5):
        await demo.remove_demo(database, workspace.id)


async def test_removal_of_many_goes_in_chunks_and_can_be_broken_off(database, workspace, demo_id, monkeypatch):
    """More conversations than a chunk go in several transactions; after a break a second call finishes."""
    monkeypatch.setattr(demo, "CHUNK_CONVERSATIONS", 7)
    monkeypatch.setattr(demo, "CHUNK_EVENTS", 10)
    await fill(database, workspace, demo_id, 30)
    async with database.transaction([workspace.id]) as conn:
        assert await demo.remove_some(conn, workspace.id) == 7

    assert await demo.remove_demo(database, workspace.id) == 23

    assert (await counts(database, workspace))["conversation"] == 0
    with pytest.raises(NotFound):
        await demo.remove_demo(database, workspace.id)


async def test_removed_texts_are_out_of_the_log_which_stays_gapless(database, workspace, demo_id):
    """The log says nothing of the demo any more; its numbers run on, and the rest of it is as it was."""
    await receive(database, workspace, [received(workspace, make_item(text="ours stays"))])
    await fill(database, workspace, demo_id, 4)
    async with database.transaction([workspace.id]) as conn:
        kept = (await events.events_after(conn, workspace.id, 0, 1))[0]

    await demo.remove_demo(database, workspace.id)

    async with database.transaction([workspace.id]) as conn:
        rows = await events.events_after(conn, workspace.id, 0, 100)
    assert [one.seq for one in rows] == list(range(1, len(rows) + 1))
    assert rows[0] == kept
    assert [one.type for one in rows[1:5]] == ["event_erased"] * 4
    assert not any(b"demo text" in one.data or b"+1555777" in one.data for one in rows)


async def test_client_behind_the_removal_starts_from_a_snapshot(database, workspace, demo_id):
    """Counts cannot be kept over erased events: cursors from before the last chunk are void."""
    await fill(database, workspace, demo_id, 2)

    await demo.remove_demo(database, workspace.id)

    async with database.transaction([workspace.id]) as conn:
        row = await conn.fetchrow("SELECT rights_seq, event_seq FROM workspace WHERE id = $1", workspace.id)
    assert row["rights_seq"] == row["event_seq"]


async def test_every_seq_of_the_removal_keeps_a_live_client_right(database, workspace, demo_id):
    """Applied one by one to a client that held everything, counts never go below zero and end as the snapshot's."""
    await fill(database, workspace, demo_id, 3)
    async with database.transaction([workspace.id]) as conn:
        (row,) = await conn.fetch("SELECT id FROM conversation LIMIT 1")
        await actions.close(conn, workspace.id, row["id"], actor_id=workspace.owner_id)
    state = await read_state(database, workspace.actor())

    await demo.remove_demo(database, workspace.id)

    async with database.transaction([workspace.id]) as conn:
        for one in await events.events_after(conn, workspace.id, state["cursor"]["seq"], 100):
            frame = as_seen(workspace.actor(), one)
            assert frame is not None
            state = apply_event(state, frame["seq"], frame["event"])
            assert min(state["counts"].values()) >= 0
    async with database.snapshot([workspace.id]) as conn:
        fresh = await read_snapshot(conn, workspace.actor(), database.epoch, 50)
    assert state["counts"] == msgspec.to_builtins(fresh.counts)


async def test_demo_of_another_workspace_is_not_touched(database, workspace, demo_id):
    """Neither by removal, nor by asking to empty another workspace's events."""
    other = await make_workspace(database, name="Contoso")
    await receive(database, other, [received(other, make_item(text="theirs"))])
    await fill(database, workspace, demo_id, 1)

    await demo.remove_demo(database, workspace.id)

    assert (await counts(database, other))["conversation"] == 1
    with pytest.raises(NotFound):
        await demo.remove_demo(database, other.id)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction([workspace.id]) as conn:
            await store.erase_events(conn, other.id, 0, 100)


async def test_workspaces_with_a_demo_are_found(database, workspace, demo_id):
    """The commands find where a demo is; a workspace without one is not named."""
    await make_workspace(database, name="Contoso")
    assert await store.demo_workspaces(database) == [workspace.id]
