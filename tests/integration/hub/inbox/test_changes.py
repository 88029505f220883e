"""Edits, deletions, reactions, echoes and reading marks of vendors, on a real Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hub import clock
from hub.envelope import DeliveryStatus, Direction, Identity, ItemKind, Receipt, SendResult
from hub.events import store as events
from hub.inbox import actions, change_store, deliveries, replies, store
from hub.inbox.batch import OutcomeKind
from hub.inbox.marks import shown
from hub.inbox.model import MessageKind
from tests.factories import make_item, received
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres

ANN = Identity(scheme="phone", value="+15550001111")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def receive(database, workspace, *items):
    async with database.transaction([workspace.id]) as conn:
        return await actions.receive(conn, [received(workspace, one) for one in items])


def change(kind, target, second, **fields):
    at = NOON + timedelta(seconds=second)
    key = f"{kind}-{target}-{second}"
    fields = {"sender": ANN, "external_id": None, "text": ""} | fields
    return make_item(kind=kind, key=key, target_external_id=target, occurred_at=at, **fields)


async def get(database, workspace, message_id):
    async with database.transaction([workspace.id]) as conn:
        return await store.get_message(conn, workspace.id, message_id)


async def log_text(database, workspace):
    async with database.transaction([workspace.id]) as conn:
        logged = await events.events_after(conn, workspace.id, 0, 1000)
    return "\n".join(one.data.decode() for one in logged)


async def send(database, workspace, text="On its way."):
    """Queue a reply and claim its delivery, as dispatch does before it calls the vendor."""
    (first,) = await receive(database, workspace, make_item())
    async with database.transaction([workspace.id]) as conn:
        draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text=text)
        sent = await replies.queue_message(conn, workspace.id, first.conversation_id, workspace.author(), draft)
    async with database.across() as conn:
        (due,) = await deliveries.due(conn, clock.now(), 1)
    async with database.transaction([workspace.id]) as conn:
        claimed = await deliveries.claim(conn, due, 30)
    return sent, claimed


async def test_edit_replaces_the_text_and_keeps_what_it_said(database, workspace):
    """Events tell a client exactly what the tables say; the former text is in the history and in no row."""
    (first,) = await receive(database, workspace, make_item(external_id="m1", text="helo"))
    edit = change(ItemKind.EDIT, "m1", 60, text="hello")

    async with verify_action(database, workspace.actor(), events_expected=1, name="message_edited"):
        await receive(database, workspace, edit)
    (again,) = await receive(database, workspace, edit)

    row = await get(database, workspace, first.message_id)
    assert (row.text, row.edited_at, again.kind) == ("hello", edit.occurred_at, OutcomeKind.DUPLICATE)
    async with database.transaction([workspace.id]) as conn:
        versions = await change_store.list_versions(conn, workspace.id, row.id)
        conversation = await store.get_conversation(conn, workspace.id, row.conversation_id)
    assert [(one.text, one.written_at) for one in versions] == [("helo", NOON)]
    assert conversation.preview == "hello"


async def test_deletion_leaves_nothing_of_the_message(database, workspace):
    """The words are gone from the row, its history, the quotes of it, the list and the whole log."""
    secret = "my card is 4242"
    (first,) = await receive(database, workspace, make_item(external_id="m1", text=secret))
    await receive(database, workspace, change(ItemKind.EDIT, "m1", 60, text=f"{secret} really"))
    async with database.transaction([workspace.id]) as conn:
        await actions.close(conn, workspace.id, first.conversation_id, actor_id=workspace.owner_id)
    (answer,) = await receive(database, workspace, make_item(text="and?", reply_to_external_id="m1"))
    quoting = await get(database, workspace, answer.message_id)
    assert quoting.reply_to.text == f"{secret} really"

    async with verify_action(database, workspace.actor(), events_expected=1, name="message_deleted"):
        await receive(database, workspace, change(ItemKind.DELETE, "m1", 90))

    row = await get(database, workspace, first.message_id)
    assert (row.text, row.deleted_at) == ("", NOON + timedelta(seconds=90))
    assert secret not in await log_text(database, workspace)
    async with database.transaction([workspace.id]) as conn:
        assert await change_store.list_versions(conn, workspace.id, row.id) == []
        for table in ("message", "conversation", "event", "message_version"):
            assert not await conn.fetchval(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%4242%'"), table


async def test_changes_before_their_message_wait_for_it(database, workspace):
    """An edit and a reaction that come first are applied with the message, in one transaction."""
    outcomes = await receive(
        database,
        workspace,
        change(ItemKind.EDIT, "m1", 60, text="hello"),
        change(ItemKind.REACTION, "m1", 61, reaction="👍"),
    )
    (first,) = await receive(database, workspace, make_item(external_id="m1", text="helo"))

    row = await get(database, workspace, first.message_id)
    assert {one.kind for one in outcomes} == {OutcomeKind.PENDING}
    assert (row.text, [one.emoji for one in shown(row.reactions)]) == ("hello", ["👍"])
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM pending_reference") == 0


async def test_reaction_before_the_vendors_answer_is_applied_with_it(database, workspace):
    """The customer's thumb on a reply of ours may overtake the answer to our send."""
    sent, claimed = await send(database, workspace)
    await receive(database, workspace, change(ItemKind.REACTION, "ours", 61, reaction="👍"))

    async with verify_action(database, workspace.actor()), database.transaction([workspace.id]) as conn:
        await deliveries.mark_sent(conn, claimed, SendResult(("ours",)))

    row = await get(database, workspace, sent.message_id)
    (thumb,) = shown(row.reactions)
    assert (thumb.emoji, thumb.author_kind, thumb.author_id is not None) == ("👍", "contact", True)


@pytest.mark.parametrize("state", ["sending", "unknown", "failed"])
async def test_echo_without_our_reference_is_our_message(database, workspace, state):
    """The vendor's copy of a send whose answer has not come, or was lost, makes no second row: the send was sent."""
    sent, claimed = await send(database, workspace)
    info = deliveries.STOPPED
    async with database.transaction([workspace.id]) as conn:
        if state == "unknown":
            await deliveries.mark_unknown(conn, claimed, clock.now() + timedelta(minutes=1), info)
        elif state == "failed":
            await deliveries.mark_failed(conn, claimed, info)
    echo = make_item(direction=Direction.OUTBOUND, external_id="m2", key="m2", text="On  its way. ")

    (outcome,) = await receive(database, workspace, echo)
    (again,) = await receive(database, workspace, make_item(direction="outbound", external_id="m2", key="other"))

    row = await get(database, workspace, sent.message_id)
    assert (outcome.message_id, row.status, row.external_id) == (row.id, DeliveryStatus.SENT, "m2")
    assert (again.kind, again.message_id) == (OutcomeKind.DUPLICATE, row.id)
    if state == "sending":
        async with database.transaction([workspace.id]) as conn:
            await deliveries.mark_sent(conn, claimed, SendResult(("m2",)))
    async with database.transaction([workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM message WHERE direction = 'outbound'") == 1
        assert await conn.fetchval("SELECT count(*) FROM delivery WHERE state IN ('queued', 'unknown')") == 0


async def test_echo_with_other_words_is_a_message_of_its_own(database, workspace):
    """What somebody wrote in the vendor's app while a send of ours is under way is not that send."""
    sent, _ = await send(database, workspace)

    (outcome,) = await receive(database, workspace, make_item(direction="outbound", text="Something else"))

    row = await get(database, workspace, outcome.message_id)
    assert (row.id != sent.message_id, row.author_id, row.status) == (True, None, DeliveryStatus.SENT)


async def test_watermark_reads_everything_sent_before_it(database, workspace):
    """One mark advances all our messages of the thread up to a moment, and none after it."""
    ids = []
    for number in range(3):
        sent, claimed = await send(database, workspace, f"Reply {number}")
        async with database.transaction([workspace.id]) as conn:
            await deliveries.mark_sent(conn, claimed, SendResult((f"o{number}",)))
        ids.append(sent.message_id)
    async with database.transaction([workspace.id]) as conn:
        times = await conn.fetch("SELECT attempted_at FROM delivery ORDER BY position")
    mark = make_item(
        kind=ItemKind.RECEIPT,
        key="read-1",
        external_id=None,
        watermark=times[1]["attempted_at"],
        receipt=Receipt(DeliveryStatus.READ),
    )

    async with verify_action(database, workspace.actor(), events_expected=2, name="watermark"):
        await receive(database, workspace, mark)
    (again,) = await receive(database, workspace, mark)

    rows = [await get(database, workspace, one) for one in ids]
    assert [one.status.value for one in rows] == ["read", "read", "sent"]
    assert again.kind is OutcomeKind.DUPLICATE


async def test_quote_and_placeholder_are_kept(database, workspace):
    """A message says what it answers; one that cannot be read says why."""
    await receive(database, workspace, make_item(external_id="m1", text="Which colour?"))
    (answer,) = await receive(
        database, workspace, make_item(text="", unreadable="Encrypted message.", reply_to_external_id="m1")
    )

    row = await get(database, workspace, answer.message_id)
    async with database.transaction([workspace.id]) as conn:
        conversation = await store.get_conversation(conn, workspace.id, row.conversation_id)
    assert (row.reply_to.text, row.unreadable) == ("Which colour?", "Encrypted message.")
    assert conversation.preview == "Encrypted message."


async def test_what_nobody_can_read_is_counted(database, workspace):
    """An item of an unsupported kind is told apart from one that means nothing to us."""
    outcomes = await receive(database, workspace, make_item(kind=ItemKind.UNSUPPORTED), make_item(kind=ItemKind.TYPING))

    assert [one.kind for one in outcomes] == [OutcomeKind.UNSUPPORTED, OutcomeKind.IGNORED]
