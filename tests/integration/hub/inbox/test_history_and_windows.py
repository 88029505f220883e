"""History that is brought in, and windows, on a real Postgres."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from hub import clock
from hub.envelope import DeliveryStatus, Direction, ItemKind, Receipt
from hub.errors import Conflict
from hub.events import store as events
from hub.inbox import actions, deliveries, replies, store
from hub.inbox.batch import OutcomeKind
from hub.inbox.model import ConversationStatus, MessageKind
from hub.inbox.windows import Rules
from hub.notices.reactions import _BODIES, tellings_of
from tests.factories import make_item, received

pytestmark = pytest.mark.postgres


async def receive(database, *items):
    async with database.transaction([one.workspace_id for one in items]) as conn:
        return await actions.receive(conn, items)


async def conversation(database, workspace, conversation_id):
    async with database.snapshot([workspace.id]) as conn:
        return await store.get_conversation(conn, workspace.id, conversation_id)


def past(workspace, days: int, text: str):
    item = make_item(text=text)
    at = clock.now() - timedelta(days=days)
    return msgspec.structs.replace(received(workspace, msgspec.structs.replace(item, occurred_at=at)), historical=True)


async def test_history_is_one_closed_conversation_that_nobody_is_told_of(database, workspace):
    """Old messages of a thread stay together, closed at their own time, unread by nobody; a live one afterwards counts."""
    old = [past(workspace, 40, "first"), past(workspace, 30, "second"), past(workspace, 35, "between")]
    outcomes = [(await receive(database, one))[0] for one in old]
    assert len({one.conversation_id for one in outcomes}) == 1
    row = await conversation(database, workspace, outcomes[0].conversation_id)
    assert (row.status, row.last_inbound_seq, row.preview) == (ConversationStatus.CLOSED, 0, "second")
    assert (row.last_activity_at, row.closed_at) == (old[1].item.occurred_at, old[1].item.occurred_at)

    (live,) = await receive(database, received(workspace, make_item(text="now")))
    row = await conversation(database, workspace, live.conversation_id)
    assert row.status is ConversationStatus.OPEN
    assert row.last_inbound_seq == live.seq
    await receive(database, past(workspace, 20, "late history"))
    again = await conversation(database, workspace, live.conversation_id)
    assert (again.status, again.preview, again.last_inbound_seq) == (ConversationStatus.OPEN, "now", live.seq)

    async with database.transaction([workspace.id]) as conn:
        logged = await events.events_after(conn, workspace.id, 0, 100)
    happened = [(one, _BODIES.decode(one.data)) for one in logged if one.type == "message_received"]
    assert [bool(body.conversation and body.conversation.last_inbound_seq == one.seq) for one, body in happened] == [
        False,
        False,
        False,
        True,
        False,
    ]
    assert tellings_of(happened[0][0], happened[0][1]) == []


async def test_the_latest_opening_message_decides_until_when_free_text_goes(database, workspace):
    """A message that opens nothing, or an older one that came late, shortens nothing; after the moment a send is refused."""
    until = clock.now() + timedelta(hours=3)
    opening = msgspec.structs.replace(make_item(text="Hi"), window_expires_at=until)
    (first,) = await receive(database, received(workspace, opening))
    reaction = msgspec.structs.replace(
        make_item(text="ad"), opens_window=False, window_expires_at=until + timedelta(days=1)
    )
    late = msgspec.structs.replace(make_item(text="late"), window_expires_at=until - timedelta(hours=2))
    await receive(database, received(workspace, reaction), received(workspace, late))
    row = await conversation(database, workspace, first.conversation_id)
    assert row.window_expires_at == until
    assert row.view().window_expires_at == until

    def draft(rules: Rules) -> replies.Draft:
        return replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text="Hello", rules=rules)

    author = replies.Author(id=UUID(int=5), name="Ana")
    async with database.transaction([workspace.id]) as conn:
        await replies.queue_message(conn, workspace.id, row.id, author, draft(Rules(window_s=3600)))
    async with database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE conversation SET window_expires_at = now() - interval '1 minute'")
    async with database.transaction([workspace.id]) as conn:
        with pytest.raises(Conflict) as caught:
            await replies.queue_message(conn, workspace.id, row.id, author, draft(Rules(window_s=3600, templates=True)))
    assert caught.value.code == "window_closed"
    assert "template" in caught.value.message
    async with database.transaction([workspace.id]) as conn:
        await replies.queue_message(
            conn, workspace.id, row.id, author, draft(Rules(window_s=3600, human_window_s=7200))
        )


def echo(workspace, text: str, days: float, sid: str):
    made = past(workspace, 0, text)
    at = clock.now() - timedelta(days=days)
    item = msgspec.structs.replace(
        made.item, direction=Direction.OUTBOUND, occurred_at=at, external_id=sid, key=sid, text=text
    )
    return msgspec.structs.replace(made, item=item)


async def begin_sending(database, workspace, conversation_id, text: str) -> UUID:
    draft = replies.Draft(client_message_id=clock.new_id(), kind=MessageKind.MESSAGE, text=text)
    async with database.transaction([workspace.id]) as conn:
        sent = await replies.queue_message(conn, workspace.id, conversation_id, workspace.author(), draft)
    async with database.across() as conn:
        (due,) = await deliveries.due(conn, clock.now(), 1)
    async with database.transaction([workspace.id]) as conn:
        await deliveries.claim(conn, due, 30)
    return sent.message_id


async def test_old_answer_in_the_same_words_is_not_the_copy_of_one_that_is_being_sent(database, workspace):
    """What was said weeks ago is a message of its own; the one under way stays under way."""
    (opened,) = await receive(database, received(workspace, make_item(text="now")))
    sent = await begin_sending(database, workspace, opened.conversation_id, "Of course.")
    (old,) = await receive(database, echo(workspace, "Of course.", 20, "SM-old"))
    (new,) = await receive(database, echo(workspace, "Of course.", 0, "SM-new"))
    async with database.snapshot([workspace.id]) as conn:
        rows = await store.list_messages(conn, workspace.id, opened.conversation_id, None, 10)

    assert (old.kind, new.message_id) == (OutcomeKind.STORED, sent)
    assert {one.id: one.external_id for one in rows if one.direction == "outbound"} == {
        old.message_id: "SM-old",
        sent: "SM-new",
    }


async def test_history_tells_nothing_new_of_a_message_that_failed(database, workspace):
    """Its vendor lists it as ours; that it failed has been told, and stays."""
    first = echo(workspace, "Of course.", 20, "SM-1")
    failed = msgspec.structs.replace(
        first.item,
        kind=ItemKind.RECEIPT,
        key="SM-1:failed",
        target_external_id="SM-1",
        text="",
        receipt=Receipt(status=DeliveryStatus.FAILED),
    )
    told = msgspec.structs.replace(first, item=failed)
    (stored, _) = await receive(database, first, told)
    again = msgspec.structs.replace(first, item=msgspec.structs.replace(first.item, key="SM-1-again"))
    outcomes = await receive(database, again, told)
    async with database.snapshot([workspace.id]) as conn:
        (row,) = await store.list_messages(conn, workspace.id, stored.conversation_id, None, 10)

    assert [one.kind for one in outcomes] == [OutcomeKind.DUPLICATE, OutcomeKind.DUPLICATE]
    assert row.status is DeliveryStatus.FAILED
