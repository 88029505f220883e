"""Whatever order a message, its edits, reactions and its end come in, and however often, one row is left, in one state."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from hub import clock
from hub.envelope import Identity, InboundItem, ItemKind
from hub.inbox.batch import Clockwork, Known, ReceivedItem, ids_needed
from hub.inbox.marks import shown
from hub.inbox.receive import Planner
from hub.inbox.rows import AccountRow

WORKSPACE, ACCOUNT, INBOX = 7, UUID(int=1), UUID(int=2)
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
ANN = Identity("external", "ann")


def item(kind, second, **fields):
    fields = {"target_external_id": "m1", "sender": ANN} | fields
    key = f"{kind}{second}"
    return InboundItem(kind=kind, key=key, occurred_at=START + timedelta(seconds=second), thread_key="ann", **fields)


CREATE = item(ItemKind.MESSAGE, 0, external_id="m1", target_external_id=None, text="helo")
FIRST_EDIT = item(ItemKind.EDIT, 1, text="hello", revision=1)
SECOND_EDIT = item(ItemKind.EDIT, 2, text="hello!", revision=2)
REACT = item(ItemKind.REACTION, 3, reaction="👍")
UNREACT = item(ItemKind.REACTION, 4, reaction="👍", removed=True)
HEART = item(ItemKind.REACTION, 5, reaction="❤️")
DELETE = item(ItemKind.DELETE, 9)
CHANGES = [CREATE, FIRST_EDIT, SECOND_EDIT, REACT, UNREACT, HEART]


def plan(items):
    account = AccountRow(WORKSPACE, ACCOUNT, INBOX, "fake", "connected", 7)
    known = Known(accounts={(WORKSPACE, ACCOUNT): account})
    batch = [
        ReceivedItem(workspace_id=WORKSPACE, channel_account_id=ACCOUNT, channel="fake", item=one) for one in items
    ]
    planner = Planner(known, {WORKSPACE: 0}, Clockwork(START, clock.new_ids(sum(map(ids_needed, batch)))))
    planner.plan(batch)
    return planner.writes


def shuffled(items):
    return st.lists(st.sampled_from(items), max_size=4).flatmap(lambda more: st.permutations([*items, *more]))


@settings(max_examples=200, deadline=None)
@given(shuffled(CHANGES))
def test_any_order_of_edits_and_reactions_ends_the_same(items):
    """One row with the newest text, both former texts in the history, and the reaction that was not taken back."""
    writes = plan(items)

    (row,) = writes.messages.values()
    assert (row.text, row.edited_at, row.edit_revision) == ("hello!", SECOND_EDIT.occurred_at, 2)
    assert [one.emoji for one in shown(row.reactions)] == ["❤️"]
    # An edit that came after the newest one is kept all the same.
    assert {one.text for one in writes.versions.values()} == {"helo", "hello"}
    (conversation,) = writes.conversations.values()
    assert conversation.preview == "hello!"
    assert (writes.pending, writes.statuses) == ([], {})


@settings(max_examples=200, deadline=None)
@given(shuffled([*CHANGES, DELETE]))
def test_any_order_with_a_deletion_leaves_a_tombstone(items):
    """Nothing of what it said is left in any row, whatever came after the deletion."""
    writes = plan(items)

    (row,) = writes.messages.values()
    assert (row.text, row.deleted_at, row.attachments) == ("", DELETE.occurred_at, ())
    assert shown(row.reactions) == ()
    assert writes.versions == {}
    assert set(writes.deleted) == {(WORKSPACE, row.id)}
    (conversation,) = writes.conversations.values()
    assert conversation.preview == "Message deleted"
    seqs = [one.type for one in writes.events]
    assert seqs.count("message_received") == seqs.count("message_deleted") == 1


@settings(max_examples=50, deadline=None)
@given(shuffled(CHANGES))
def test_each_event_carries_the_next_number(items):
    """Versions of rows are the numbers of their events: clients keep the higher one."""
    writes = plan(items)

    (row,) = writes.messages.values()
    assert row.version <= len(writes.events)
    keys = [one.dedupe_key for one in writes.events if one.dedupe_key]
    assert len(keys) == len(set(keys))
