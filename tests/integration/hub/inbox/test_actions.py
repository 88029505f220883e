"""What members do to conversations, on a real Postgres."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub import clock
from hub.envelope import DeliveryStatus, SendResult
from hub.errors import Conflict, InvalidInput, NotFound
from hub.events import store as events
from hub.inbox import actions, deliveries, replies, store
from hub.inbox.model import ConversationStatus, MessageKind
from tests.factories import make_item, make_receipt, make_workspace, received

pytestmark = pytest.mark.postgres


@pytest.fixture
async def conversation_id(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        (outcome,) = await actions.receive(conn, [received(workspace, make_item())])
    return outcome.conversation_id


def draft(text="On its way.", **overrides):
    fields = {"client_message_id": clock.new_id(), "kind": MessageKind.MESSAGE, "text": text}
    return replies.Draft(**(fields | overrides))


async def queue(database, workspace, conversation_id, one, author=None):
    async with database.transaction([workspace.id]) as conn:
        return await replies.queue_message(conn, workspace.id, conversation_id, author or workspace.author(), one)


async def event_types(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        return [one.type for one in await events.events_after(conn, workspace.id, 0, 100)]


async def test_queue_message_writes_message_event_and_delivery(database, workspace, conversation_id, notices):
    """A reply is one message, one event and one delivery, and dispatch is woken after COMMIT."""
    notices.clear()

    sent = await queue(database, workspace, conversation_id, draft())

    async with database.transaction([workspace.id]) as conn:
        message = await store.get_message(conn, workspace.id, sent.message_id)
        due = await conn.fetch("SELECT state, thread_key FROM delivery")
    assert (message.status, message.author_name, message.conversation_seq) == (DeliveryStatus.QUEUED, "Priya", 2)
    assert [(row["state"], row["thread_key"]) for row in due] == [("queued", "+15550001111")]
    assert sorted(type(one).__name__ for one in notices) == ["DeliveryQueued", "LoggedEvent"]


async def test_queue_message_same_client_id_twice_sends_once(database, workspace, conversation_id):
    """A client that resends after a lost answer gets the first message back; the vendor is called once."""
    one = draft()

    first = await queue(database, workspace, conversation_id, one)
    again = await queue(database, workspace, conversation_id, one)

    assert first == again
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM delivery") == 1


async def test_queue_note_has_no_delivery_and_is_hidden_from_the_visitor(database, workspace, conversation_id):
    """A note is for members only: no delivery, no number in the visitor's sequence."""
    sent = await queue(database, workspace, conversation_id, draft("Second damage", kind=MessageKind.NOTE))

    async with database.transaction([workspace.id]) as conn:
        message = await store.get_message(conn, workspace.id, sent.message_id)
        assert await conn.fetchval("SELECT count(*) FROM delivery") == 0
    assert (message.status, message.conversation_seq) == (None, None)


@pytest.mark.parametrize("text", ["", "   \n", "x" * 20_001])
async def test_queue_message_refuses_empty_and_too_long(database, workspace, conversation_id, text):
    """The error names the field, and nothing is written."""
    with pytest.raises(InvalidInput) as refused:
        await queue(database, workspace, conversation_id, draft(text))

    assert refused.value.field == "text"
    assert await event_types(database, workspace) == ["message_received"]


async def test_queue_message_on_an_old_view_is_refused_as_stale(database, workspace, conversation_id):
    """When a colleague replied after what the author saw, the send is refused until they look."""
    colleague = replies.Author(id=workspace.owner_id, name="Ola")
    await queue(database, workspace, conversation_id, draft("I have it"), colleague)

    with pytest.raises(Conflict) as refused:
        await queue(database, workspace, conversation_id, draft(seen_seq=1))
    await queue(database, workspace, conversation_id, draft(seen_seq=2))

    assert refused.value.code == "stale"
    assert Conflict("other").code != "stale"


async def test_queue_message_into_foreign_workspace_is_not_found(database, workspace, conversation_id):
    """A conversation of another workspace does not exist here."""
    other = await make_workspace(database, name="Other")

    with pytest.raises(NotFound):
        await queue(database, other, conversation_id, draft())


async def test_status_changes_follow_each_other(database, workspace, conversation_id):
    """Snooze, reopen, close, reopen, assign: each is one event, and repeating one adds none."""
    until = clock.now() + timedelta(hours=1)
    ids = (workspace.id, conversation_id)
    for change in (
        lambda conn: actions.snooze(conn, *ids, until, actor_id=workspace.agent_id),
        lambda conn: actions.snooze(conn, *ids, until, actor_id=workspace.agent_id),
        lambda conn: actions.reopen(conn, *ids, actor_id=workspace.agent_id),
        lambda conn: actions.close(conn, *ids, actor_id=workspace.agent_id),
        lambda conn: actions.close(conn, *ids, actor_id=workspace.agent_id),
        lambda conn: actions.reopen(conn, *ids, actor_id=workspace.agent_id),
        lambda conn: actions.assign(conn, *ids, workspace.owner_id, actor_id=workspace.agent_id),
        lambda conn: actions.assign(conn, *ids, workspace.owner_id, actor_id=workspace.agent_id),
    ):
        async with database.transaction([workspace.id]) as conn:
            row = await change(conn)

    assert (ConversationStatus.OPEN, workspace.owner_id) == (row.status, row.assignee_id)
    assert await event_types(database, workspace) == [
        "message_received",
        "conversation_snoozed",
        "conversation_reopened",
        "conversation_closed",
        "conversation_reopened",
        "conversation_assigned",
    ]


async def test_reopen_is_refused_beside_a_newer_live_conversation(database, workspace, conversation_id):
    """A thread has one live conversation: an older closed one cannot be opened beside it."""
    async with database.transaction([workspace.id]) as conn:
        await actions.close(conn, workspace.id, conversation_id, actor_id=None)
        await conn.execute("UPDATE conversation SET closed_at = now() - interval '30 days'")
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, make_item())])

    with pytest.raises(Conflict):
        async with database.transaction([workspace.id]) as conn:
            await actions.reopen(conn, workspace.id, conversation_id, actor_id=None)


async def test_snooze_due_wakes_once(database, workspace, conversation_id):
    """A snooze whose time has come opens the conversation, and only the first of two workers does it."""
    async with database.transaction([workspace.id]) as conn:
        until = clock.now() + timedelta(hours=1)
        await actions.snooze(conn, workspace.id, conversation_id, until, actor_id=None)
    async with database.transaction([workspace.id]) as conn:
        assert not await actions.wake_snoozed(conn, workspace.id, conversation_id)
        await conn.execute("UPDATE conversation SET snoozed_until = now() - interval '1 second'")

    async with database.across() as conn:
        due = await store.due_snoozes(conn, clock.now(), 10)
    woken = []
    for _ in range(2):
        async with database.transaction([workspace.id]) as conn:
            woken.append(await actions.wake_snoozed(conn, *due[0]))

    assert [(workspace.id, conversation_id)] == due
    assert woken == [True, False]


async def test_mark_read_moves_both_ways_and_tells_once(database, workspace, conversation_id):
    """A read mark moves forward and back (mark unread); setting the same again is no event."""
    marks = []
    for seq in (1, 1, 0, 99):
        async with database.transaction([workspace.id]) as conn:
            marks.append(await actions.mark_read(conn, workspace.id, conversation_id, workspace.agent_id, seq))

    assert marks == [2, None, 3, 4]
    async with database.transaction([workspace.id]) as conn:
        (mark,) = await store.list_read_marks(conn, workspace.id, workspace.agent_id, [conversation_id])
    assert mark.read_seq == 3


async def test_move_names_the_inbox_it_left(database, workspace, conversation_id):
    """The event of a move names both inboxes, so that both audiences can be told."""
    async with database.transaction([workspace.id]) as conn:
        await actions.move(conn, workspace.id, conversation_id, workspace.other_inbox_id, actor_id=None)
        (_, moved) = await events.events_after(conn, workspace.id, 0, 10)

    assert (workspace.other_inbox_id, workspace.inbox_id) == (moved.inbox_id, moved.former_inbox_id)


async def test_visitor_read_marks_our_messages_read(database, workspace, conversation_id):
    """What the visitor's client has shown becomes read; later messages do not."""
    first = await queue(database, workspace, conversation_id, draft())
    second = await queue(database, workspace, conversation_id, draft())
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE message SET status = 'sent' WHERE status = 'queued'")
        await actions.record_visitor_read(conn, workspace.id, conversation_id, 2)
        statuses = [(await store.get_message(conn, workspace.id, one.message_id)).status for one in (first, second)]

    assert statuses == [DeliveryStatus.READ, DeliveryStatus.SENT]


async def test_visitor_reads_before_the_delivery_was_taken_up(database, workspace, conversation_id):
    """A visitor's client shows a message at COMMIT: the read that comes first counts, and nothing is left to send."""
    queued = await queue(database, workspace, conversation_id, draft())
    async with database.transaction([workspace.id]) as conn:
        await actions.record_visitor_read(conn, workspace.id, conversation_id, 2)
    (wanted,) = await due(database)
    claimed = await claim(database, wanted)

    async with database.transaction([workspace.id]) as conn:
        status = (await store.get_message(conn, workspace.id, queued.message_id)).status
    assert (status, claimed, await due(database)) == (DeliveryStatus.READ, None, [])


async def due(database):
    async with database.across() as conn:
        return await deliveries.due(conn, clock.now(), 10)


async def claim(database, wanted):
    async with database.transaction([wanted.workspace_id]) as conn:
        return await deliveries.claim(conn, wanted, 30)


async def test_only_the_first_delivery_of_a_thread_is_due(database, workspace, conversation_id):
    """A later message waits until the earlier one of its thread is finished; a claimed one is not due again."""
    first = await queue(database, workspace, conversation_id, draft())
    second = await queue(database, workspace, conversation_id, draft())

    (wanted,) = await due(database)
    claimed = await claim(database, wanted)
    again = await claim(database, wanted)
    while_sending = await due(database)
    async with database.transaction([workspace.id]) as conn:
        await deliveries.mark_sent(conn, claimed, SendResult(("SM1",)))
    (following,) = await due(database)

    assert (first.message_id, second.message_id) == (wanted.message_id, following.message_id)
    assert again is None
    assert while_sending == []
    assert (
        claimed.outbound.to.value,
        claimed.outbound.text,
        claimed.outbound.attempt,
    ) == ("+15550001111", "On its way.", 1)


async def test_expired_sending_lease_comes_back_as_was_sending(database, workspace, conversation_id):
    """A sender that vanished in the middle of the call leaves an unknown, never a second send."""
    await queue(database, workspace, conversation_id, draft())
    (wanted,) = await due(database)
    await claim(database, wanted)
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE delivery SET lease_until = now() - interval '1 second'")

    (again,) = await due(database)
    claimed = await claim(database, again)

    assert (claimed.was_sending, claimed.outbound.attempt) == (True, 1)


async def test_opted_out_contact_is_not_sent_to(database, workspace, conversation_id):
    """After STOP the message fails with the reason in words, without a vendor call."""
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, make_item(text="STOP", consent="stop"))])
    sent = await queue(database, workspace, conversation_id, draft())

    (wanted,) = await due(database)
    claimed = await claim(database, wanted)

    async with database.transaction([workspace.id]) as conn:
        message = await store.get_message(conn, workspace.id, sent.message_id)
    assert claimed is None
    assert (message.status, message.error_code) == (DeliveryStatus.FAILED, "opted_out")


async def test_retry_queues_a_failed_message_anew(database, workspace, conversation_id):
    """Send again: the same message goes back to queued with a new delivery; a delivered one is refused."""
    sent = await queue(database, workspace, conversation_id, draft())
    (wanted,) = await due(database)
    claimed = await claim(database, wanted)
    async with database.transaction([workspace.id]) as conn:
        await deliveries.mark_failed(conn, claimed, deliveries.STOPPED)
    ids = (workspace.id, conversation_id, sent.message_id)

    async with database.transaction([workspace.id]) as conn:
        await replies.retry_message(conn, *ids, actor_id=workspace.agent_id)
    (again,) = await due(database)
    with pytest.raises(Conflict):
        async with database.transaction([workspace.id]) as conn:
            await replies.retry_message(conn, *ids, actor_id=workspace.agent_id)

    assert (sent.message_id, "queued") == (again.message_id, again.state)
    assert wanted.id != again.id


async def test_late_receipt_settles_an_unknown_delivery(database, workspace, conversation_id):
    """Word from the vendor turns "not confirmed" into sent, and the delivery is finished."""
    sent = await queue(database, workspace, conversation_id, draft())
    (wanted,) = await due(database)
    claimed = await claim(database, wanted)
    async with database.transaction([workspace.id]) as conn:
        await deliveries.mark_unknown(conn, claimed, clock.now() + timedelta(seconds=120), deliveries.STOPPED)
    receipt = make_receipt("SMx", DeliveryStatus.SENT, correlation_id=str(sent.message_id))
    async with database.transaction([workspace.id]) as conn:
        await actions.receive(conn, [received(workspace, receipt)])
        state = await conn.fetchval("SELECT state FROM delivery")
        message = await store.get_message(conn, workspace.id, sent.message_id)

    assert (state, message.status, message.error_code) == ("sent", DeliveryStatus.SENT, None)


async def test_snapshot_transaction_sees_one_moment(database, workspace, conversation_id):
    """The cursor of a snapshot belongs to the rows read with it, whatever commits meanwhile."""
    async with database.snapshot([workspace.id]) as conn:
        before = await events.workspace_head(conn, workspace.id)
        await queue(database, workspace, conversation_id, draft())
        rows = await store.list_messages(conn, workspace.id, conversation_id, None, 10)
        after = await events.workspace_head(conn, workspace.id)

    assert (before, after, len(rows)) == (1, 1, 1)


async def test_reading_without_a_tenant_sees_nothing(database, workspace, conversation_id):
    """A transaction that named no workspace, or another one, sees no tenant rows."""
    other = await make_workspace(database, name="Other")
    async with database.across() as conn:
        assert await conn.fetch("SELECT id FROM conversation") == []
    async with database.transaction([other.id]) as conn:
        with pytest.raises(NotFound):
            await store.get_conversation(conn, workspace.id, conversation_id)
