"""Telephone calls as rows: one row, whatever order the vendor's words on it come in, on a real Postgres."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hub import clock
from hub.envelope import CallState, Identity, ItemKind
from hub.inbox import actions, store
from hub.inbox.batch import OutcomeKind
from hub.inbox.model import MessageKind
from tests.factories import make_item, received
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres

ANN = Identity(scheme="phone", value="+15550001111")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BEGUN = make_item(
    key="CA1", external_id="CA1", sender=ANN, text="Incoming call", occurred_at=NOON, call=CallState(outcome="ringing")
)


def at(second):
    return NOON + timedelta(seconds=second)


def word(revision, second, text, **state):
    return make_item(
        kind=ItemKind.EDIT,
        key=f"CA1-{revision}",
        external_id=None,
        sender=None,
        target_external_id="CA1",
        occurred_at=at(second),
        revision=revision,
        text=text,
        call=CallState(**state),
    )


STORY = (
    word(1001, 2, "ringing Anna", outcome="ringing", member="Anna"),
    word(1900, 9, "Missed call", outcome="missed"),
    word(2500, 15, "answered by Ben", outcome="answered", member="Ben", answered_at=at(15)),
    word(2900, 81, "answered by Ben, 1:05", outcome="answered", member="Ben", ended_at=at(81), talk_s=65),
    word(4, 80, "Missed call", outcome="missed", ended_at=at(80)),
)


async def receive(database, workspace, *items):
    async with database.transaction([workspace.id]) as conn:
        return await actions.receive(conn, [received(workspace, one) for one in items])


async def rows(database, workspace, conversation_id):
    async with database.transaction([workspace.id]) as conn:
        return await store.list_messages(conn, workspace.id, conversation_id, None, 50)


async def test_call_is_a_row_of_its_own_kind(database, workspace):
    """It opens a conversation, is unread by everybody, and its first word is that it rings."""
    (outcome,) = await receive(database, workspace, BEGUN)
    (row,) = await rows(database, workspace, outcome.conversation_id)

    assert (row.kind, row.direction, row.status, row.text) == (MessageKind.CALL, "inbound", None, "Incoming call")
    assert row.view().call == CallState(outcome="ringing")


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::7], ids=str)
async def test_words_in_any_order_come_to_the_same_row(database, workspace, order):
    """Who spoke, since when, how long, and the end: the same from every order, one by one and told twice."""
    (outcome,) = await receive(database, workspace, BEGUN)
    for number in order:
        await receive(database, workspace, STORY[number])
    again = await receive(database, workspace, *STORY)
    (row,) = await rows(database, workspace, outcome.conversation_id)

    assert row.text == "answered by Ben, 1:05"
    assert row.call == CallState(outcome="answered", member="Ben", answered_at=at(15), ended_at=at(81), talk_s=65)
    assert {one.kind for one in again} <= {OutcomeKind.DUPLICATE, OutcomeKind.UNCHANGED}
    assert row.view().edited_at is None


async def test_word_before_the_call_waits_for_it(database, workspace):
    """Twilio's calls overtake each other: the row is made in its last state."""
    (early,) = await receive(database, workspace, STORY[2])
    (outcome,) = await receive(database, workspace, BEGUN)
    (row,) = await rows(database, workspace, outcome.conversation_id)

    assert early.kind is OutcomeKind.PENDING
    assert (row.text, row.call.member) == ("answered by Ben", "Ben")


async def test_members_are_told_of_each_state(database, workspace):
    """What a client holds after the events is what the store says; the list shows the newest words."""
    await receive(database, workspace, BEGUN)
    async with verify_action(database, workspace.actor()):
        await receive(database, workspace, *STORY)

    async with database.transaction([workspace.id]) as conn:
        (row,) = await store.list_conversations(conn, workspace.id, store.ConversationFilter(inbox_ids=None, limit=5))
    assert row.preview == "answered by Ben, 1:05"


async def test_word_on_a_call_changes_no_message(database, workspace):
    """An id that a message has is not a call's: nothing of it is changed but its words."""
    await receive(database, workspace, make_item(external_id="CA1", sender=ANN))
    (outcome,) = await receive(database, workspace, STORY[0])
    found = [one for one in await rows(database, workspace, outcome.conversation_id) if one.external_id == "CA1"]

    assert [(one.kind, one.call) for one in found] == [(MessageKind.MESSAGE, None)]


QUEUED = (
    word(1900, 20, "Missed call", outcome="missed"),
    word(20_000, 21, "Incoming call, waiting", outcome="waiting"),
    word(40_000, 33, "Incoming call, waiting", outcome="waiting"),
    word(4, 40, "Missed call", outcome="missed", ended_at=at(40)),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5], ids=str)
async def test_caller_who_hung_up_while_waiting_was_missed(database, workspace, order):
    """Whatever comes last: the words on the row and how it stands agree."""
    (outcome,) = await receive(database, workspace, BEGUN)
    for number in order:
        await receive(database, workspace, QUEUED[number])
    (row,) = await rows(database, workspace, outcome.conversation_id)

    assert (row.text, row.call) == ("Missed call", CallState(outcome="missed", ended_at=at(40)))


async def test_calls_that_go_on_are_listed_the_longest_first(database, workspace):
    """Those of one channel account, not older than asked, and none that is over."""
    now = clock.now()
    states = {"CA1": ("waiting", 60), "CA2": ("answered", 120), "CA3": ("missed", 10), "CA4": ("ringing", 90_000)}
    for name, (outcome, seconds) in states.items():
        state = CallState(outcome=outcome, member="Anna" if outcome == "answered" else "")
        begun = now - timedelta(seconds=seconds)
        item = make_item(key=name, external_id=name, sender=Identity("phone", f"+1555000{name[2:]:0>4}"), call=state)
        await receive(database, workspace, msgspec.structs.replace(item, occurred_at=begun, thread_key=name))
    done = CallState(outcome="answered", talk_s=3)
    await receive(database, workspace, make_item(key="CA5", external_id="CA5", sender=ANN, occurred_at=now, call=done))

    since = now - timedelta(hours=4)
    async with database.transaction([workspace.id]) as conn:
        found = await store.live_calls(conn, workspace.id, workspace.sms_id, since)
        elsewhere = await store.live_calls(conn, workspace.id, clock.new_id(), since)
    assert found == [("CA2", "answered", "Anna"), ("CA1", "waiting", "")]
    assert elsewhere == []
