"""Receiving batches on a real Postgres."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from hub import clock
from hub.db import Database
from hub.envelope import DeliveryStatus, Identity
from hub.events import store as events
from hub.events.model import LoggedEvent
from hub.inbox import actions, replies, store
from hub.inbox.batch import OutcomeKind
from hub.inbox.model import ConversationStatus, MessageKind
from tests.factories import WorkspaceFacts, make_item, make_receipt, make_workspace, received

pytestmark = pytest.mark.postgres


async def receive(database: Database, *items):
    async with database.transaction([one.workspace_id for one in items]) as conn:
        return await actions.receive(conn, items)


async def read_events(database: Database, workspace_id: int) -> list[LoggedEvent]:
    async with database.transaction([workspace_id]) as conn:
        return await events.events_after(conn, workspace_id, 0, 1000)


async def test_receive_makes_contact_conversation_message_and_event(database, workspace, notices):
    """A first message from a new number opens a conversation with one event, handed on after COMMIT."""
    item = make_item(text="Where is my parcel?", sender=Identity("phone", "+15550001111", display_name="Ana"))

    (outcome,) = await receive(database, received(workspace, item))

    assert outcome.kind is OutcomeKind.STORED
    logged = await read_events(database, workspace.id)
    body = msgspec.json.decode(logged[0].data)
    assert [one.seq for one in logged] == [1]
    assert (
        body["type"],
        body["previous_status"],
        body["conversation"]["status"],
    ) == ("message_received", None, "open")
    assert (body["message"]["text"], body["contact"]["name"]) == ("Where is my parcel?", "Ana")
    assert [one.seq for one in notices] == [1]


async def test_receive_same_item_twice_stores_one(database, workspace):
    """A vendor may deliver the same item again, in one batch or later; the conversation shows it once."""
    item = received(workspace, make_item())

    first = await receive(database, item, item)
    (again,) = await receive(database, item)

    assert [one.kind for one in first] == [OutcomeKind.STORED, OutcomeKind.DUPLICATE]
    assert (OutcomeKind.DUPLICATE, first[0].message_id, 1) == (again.kind, again.message_id, again.seq)
    assert len(await read_events(database, workspace.id)) == 1


async def test_receive_batch_keeps_order_and_one_conversation(database, workspace):
    """Two hundred messages of one contact become one conversation with gapless seqs in the order given."""
    batch = [received(workspace, make_item(text=str(n))) for n in range(200)]

    outcomes = await receive(database, *batch)

    async with database.transaction([workspace.id]) as conn:
        rows = await store.list_messages(conn, workspace.id, outcomes[0].conversation_id, None, 500)
    assert [str(n) for n in range(200)] == [row.text for row in rows]
    assert list(range(1, 201)) == [row.seq for row in rows] == [row.conversation_seq for row in rows]
    assert len({one.conversation_id for one in outcomes}) == 1


async def test_receive_racing_on_new_identity_makes_one_contact(database, workspace):
    """Two writers that meet the same new number at once agree on one contact and one conversation."""
    results = await asyncio.gather(*(receive(database, received(workspace, make_item())) for _ in range(8)))

    assert len({one.conversation_id for (one,) in results}) == 1
    async with database.transaction([workspace.id]) as conn:
        contacts = await conn.fetch("SELECT id FROM contact WHERE workspace_id = $1", workspace.id)
    assert len(contacts) == 1


async def test_receive_racing_with_close_never_loses_a_message(database, workspace):
    """A message that meets a close either comes before it or reopens the conversation; none is left unseen."""
    for _ in range(10):
        (first,) = await receive(database, received(workspace, make_item()))

        async def close(first=first) -> None:
            async with database.transaction([workspace.id]) as conn:
                await actions.close(conn, workspace.id, first.conversation_id, actor_id=workspace.agent_id)

        (late,), _ = await asyncio.gather(receive(database, received(workspace, make_item())), close())

        types = [one.type for one in await read_events(database, workspace.id)]
        async with database.transaction([workspace.id]) as conn:
            row = await store.get_conversation(conn, workspace.id, late.conversation_id)
        expected = ConversationStatus.CLOSED if types[-1] == "conversation_closed" else ConversationStatus.OPEN
        assert expected is row.status
        assert late.conversation_id == first.conversation_id


@pytest.mark.parametrize(("closed_days_ago", "same"), [(6, True), (8, False)])
async def test_receive_after_close_reopens_within_the_inbox_days(database, workspace, closed_days_ago, same):
    """Within the inbox's seven days a message reopens the conversation; later it starts a new one."""
    (first,) = await receive(database, received(workspace, make_item()))
    async with database.transaction([workspace.id]) as conn:
        await actions.close(conn, workspace.id, first.conversation_id, actor_id=None)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "UPDATE conversation SET closed_at = $2 WHERE workspace_id = $1",
            workspace.id,
            clock.now() - timedelta(days=closed_days_ago),
        )

    (second,) = await receive(database, received(workspace, make_item()))

    assert same == (second.conversation_id == first.conversation_id)
    body = msgspec.json.decode((await read_events(database, workspace.id))[-1].data)
    assert ("closed" if same else None) == body["previous_status"]


async def test_receive_wakes_a_snoozed_conversation(database, workspace):
    """Any message from the contact ends a snooze."""
    (first,) = await receive(database, received(workspace, make_item()))
    async with database.transaction([workspace.id]) as conn:
        until = clock.now() + timedelta(hours=3)
        await actions.snooze(conn, workspace.id, first.conversation_id, until, actor_id=None)

    await receive(database, received(workspace, make_item()))

    async with database.transaction([workspace.id]) as conn:
        row = await store.get_conversation(conn, workspace.id, first.conversation_id)
    assert (row.status, row.snoozed_until) == (ConversationStatus.OPEN, None)


async def test_receive_same_identifiers_in_two_workspaces_never_cross(database, workspace):
    """The same number, thread and message id in another workspace is another contact and conversation."""
    other = await make_workspace(database, name="Other")
    item = make_item()

    outcomes = await receive(database, received(workspace, item), received(other, item))

    assert [one.kind for one in outcomes] == [OutcomeKind.STORED, OutcomeKind.STORED]
    assert outcomes[0].conversation_id != outcomes[1].conversation_id
    for one, facts in zip(outcomes, (workspace, other), strict=True):
        async with database.transaction([facts.id]) as conn:
            rows = await conn.fetch("SELECT id FROM conversation")
        assert [one.conversation_id] == [row["id"] for row in rows]


async def test_receive_text_postgres_refuses_is_stored_with_marks(database, workspace):
    """NUL and lone surrogates become U+FFFD, right-to-left marks stay; neighbours are unharmed."""
    texts = ["a\x00b", "c\ud83dd", "\u202eabc", "👩‍👩‍👧"]

    outcomes = await receive(database, *(received(workspace, make_item(text=text)) for text in texts))

    async with database.transaction([workspace.id]) as conn:
        rows = await store.list_messages(conn, workspace.id, outcomes[0].conversation_id, None, 10)
    assert [row.text for row in rows] == ["a�b", "c�d", "\u202eabc", "👩‍👩‍👧"]


async def test_receive_stop_suppresses_and_start_undoes(database, workspace):
    """STOP suppresses the number for this account, START lifts it, and both are kept as consent."""
    await receive(database, received(workspace, make_item(text="STOP", consent="stop")))
    async with database.transaction([workspace.id]) as conn:
        stopped = await conn.fetchval("SELECT count(*) FROM suppression")
    await receive(database, received(workspace, make_item(text="START", consent="start")))
    async with database.transaction([workspace.id]) as conn:
        started = await conn.fetchval("SELECT count(*) FROM suppression")
        consents = await conn.fetch("SELECT state FROM consent ORDER BY id")

    assert (stopped, started) == (1, 0)
    assert [row["state"] for row in consents] == ["stop", "start"]


async def queue(database: Database, workspace: WorkspaceFacts, conversation_id, text="On its way."):
    async with database.transaction([workspace.id]) as conn:
        draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text=text)
        return await replies.queue_message(conn, workspace.id, conversation_id, workspace.author(), draft)


STATUSES = [DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.READ]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1), (0, 2, 1), (1, 2, 0)])
async def test_receive_receipts_in_any_order_end_at_the_furthest(database, workspace, order):
    """Receipts come in any order, repeated; the message ends as read and never goes back."""
    (first,) = await receive(database, received(workspace, make_item()))
    sent = await queue(database, workspace, first.conversation_id)

    for at in (*order, *order):
        receipt = make_receipt("SMout", STATUSES[at], correlation_id=str(sent.message_id))
        await receive(database, received(workspace, receipt))

    async with database.transaction([workspace.id]) as conn:
        row = await store.get_message(conn, workspace.id, sent.message_id)
    assert (row.status, row.external_id) == (DeliveryStatus.READ, "SMout")
    statuses = [
        STATUSES.index(msgspec.json.decode(one.data)["status"])
        for one in await read_events(database, workspace.id)
        if one.type == "message_status_changed"
    ]
    assert sorted(statuses) == statuses


async def test_receive_receipt_of_another_workspace_changes_nothing(database, workspace):
    """A receipt that names our message from a foreign workspace or account changes nothing: it waits for its own."""
    other = await make_workspace(database, name="Other")
    (first,) = await receive(database, received(workspace, make_item()))
    sent = await queue(database, workspace, first.conversation_id)
    receipt = make_receipt("SMout", DeliveryStatus.READ, correlation_id=str(sent.message_id))

    outcomes = await receive(database, received(other, receipt), received(workspace, receipt, channel="livechat"))

    assert [one.kind for one in outcomes] == [OutcomeKind.PENDING, OutcomeKind.PENDING]
    async with database.transaction([workspace.id]) as conn:
        row = await store.get_message(conn, workspace.id, sent.message_id)
    assert (row.status, row.external_id) == (DeliveryStatus.QUEUED, None)


async def test_receive_message_and_its_receipt_in_one_batch(database, workspace):
    """An echo and its receipt may share a batch; the row is written once, in its last state."""
    echo = make_item(direction="outbound", external_id="SMecho", key="SMecho")

    await receive(database, received(workspace, echo), received(workspace, make_receipt("SMecho", STATUSES[1])))

    async with database.transaction([workspace.id]) as conn:
        rows = await conn.fetch("SELECT status FROM message")
    assert [row["status"] for row in rows] == ["delivered"]
