"""What members do to written messages, from the click to the vendor's answer, on a real Postgres."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hub import clock
from hub.envelope import DeliveryStatus, ItemKind, SendResult
from hub.errors import Conflict, ConnectorErrorInfo, ErrorClass, Forbidden
from hub.inbox import actions, acts, change_store, deliveries, replies, store
from hub.inbox.acts import Allowed, Doer, Place
from hub.inbox.marks import shown
from hub.inbox.model import MessageKind
from tests.factories import make_item, received
from tests.verify_action import verify_action

pytestmark = pytest.mark.postgres

ABLE = Allowed(edit=True, delete=True, react=True)
REFUSED = ConnectorErrorInfo(ErrorClass.PERMANENT, "too_old", "The message is too old.")


class Desk:
    """A conversation with one reply of Priya's, and the vendor's part played by hand."""

    def __init__(self, database, workspace):
        self.database, self.workspace = database, workspace
        self.me = Doer(id=workspace.agent_id)

    async def reply(self, text="On its way.", kind=MessageKind.MESSAGE):
        (first,) = await self.receive(make_item(external_id=clock.new_id().hex))
        async with self.transaction() as conn:
            draft = replies.Draft(client_message_id=clock.new_id(), kind=kind, text=text)
            sent = await replies.queue_message(
                conn, self.workspace.id, first.conversation_id, self.workspace.author(), draft
            )
        return Place(self.workspace.id, sent.conversation_id, sent.message_id), first.message_id

    async def sent_reply(self, text="On its way."):
        place, inbound = await self.reply(text)
        await self.done(SendResult((place.message_id.hex,)))
        return place, inbound

    async def receive(self, *items):
        async with self.transaction() as conn:
            return await actions.receive(conn, [received(self.workspace, one) for one in items])

    async def claim(self):
        async with self.database.across() as conn:
            (due,) = await deliveries.due(conn, clock.now(), 5)
        async with self.transaction() as conn:
            return await deliveries.claim(conn, due, 30)

    async def done(self, result=None):
        claimed = await self.claim()
        async with self.transaction() as conn:
            if claimed.act is None:
                await deliveries.mark_sent(conn, claimed, result)
            else:
                await acts.mark_done(conn, claimed)
        return claimed

    async def refused(self):
        claimed = await self.claim()
        async with self.transaction() as conn:
            await acts.mark_failed(conn, claimed, REFUSED)

    async def run(self, action, place, *args, **options):
        async with self.transaction() as conn:
            return await action(conn, place, *args, **options)

    async def message(self, place):
        async with self.transaction() as conn:
            return await store.get_message(conn, self.workspace.id, place.message_id)

    def transaction(self):
        return self.database.transaction([self.workspace.id])


@pytest.fixture
def desk(database, workspace):
    return Desk(database, workspace)


async def test_edit_waits_for_the_vendor_and_then_holds(desk):
    """Members see at once that it waits; the text changes when the vendor has it, and the former one is kept."""
    place, _ = await desk.sent_reply()
    async with verify_action(desk.database, desk.workspace.actor(), events_expected=1):
        await desk.run(acts.edit_message, place, "On its way!", desk.me, ABLE)
    waiting = await desk.message(place)

    async with verify_action(desk.database, desk.workspace.actor(), events_expected=1):
        claimed = await desk.done()

    assert (waiting.text, waiting.change.kind, waiting.change.state) == ("On its way.", "edit", "waiting")
    assert (claimed.act.kind, claimed.act.text, claimed.act.external_id) == ("edit", "On its way!", waiting.external_id)
    after = await desk.message(place)
    assert (after.text, after.change, after.edited_at is not None) == ("On its way!", None, True)
    async with desk.transaction() as conn:
        assert [one.text for one in await change_store.list_versions(conn, place.workspace_id, place.message_id)] == [
            "On its way."
        ]


async def test_refused_edit_leaves_the_text_and_says_why(desk):
    """What was shown stays, with the vendor's words; dismissing them leaves the message as it was."""
    place, _ = await desk.sent_reply()
    await desk.run(acts.edit_message, place, "On its way!", desk.me, ABLE)

    async with verify_action(desk.database, desk.workspace.actor(), events_expected=1):
        await desk.refused()

    row = await desk.message(place)
    assert (row.text, row.change.state, row.change.error) == ("On its way.", "failed", "The message is too old.")
    await desk.run(acts.dismiss_change, place)
    assert (await desk.message(place)).change is None


async def test_edit_of_an_unsent_reply_is_what_is_sent(desk):
    """Nobody outside saw the first text: there is no history, no mark and no act."""
    place, _ = await desk.reply()

    await desk.run(acts.edit_message, place, "Tomorrow.", desk.me, Allowed())

    claimed = await desk.claim()
    row = await desk.message(place)
    assert (claimed.act, claimed.outbound.text, row.edited_at) == (None, "Tomorrow.", None)


async def test_reply_goes_out_with_its_authors_name_and_picture(desk):
    """For channels that show them; as they are when it goes out."""
    async with desk.transaction() as conn:
        await conn.execute(
            "UPDATE member SET avatar = 'abc' WHERE workspace_id = $1 AND id = $2", desk.workspace.id, desk.me.id
        )
        name = await conn.fetchval(
            "SELECT name FROM member WHERE workspace_id = $1 AND id = $2", desk.workspace.id, desk.me.id
        )
    await desk.reply()
    claimed = await desk.claim()
    assert (claimed.outbound.author_name, claimed.outbound.author_avatar) == (name, "abc")


async def test_deleting_an_unsent_reply_keeps_it_here(desk):
    """It never leaves, on any channel, and cannot be sent again."""
    place, _ = await desk.reply("a secret")

    async with verify_action(desk.database, desk.workspace.actor(), events_expected=1):
        await desk.run(acts.delete_message, place, desk.me, Allowed())

    async with desk.database.across() as conn:
        assert await deliveries.due(conn, clock.now(), 5) == []
    row = await desk.message(place)
    assert (row.text, row.deleted_at is not None, row.status) == ("", True, DeliveryStatus.FAILED)
    async with desk.transaction() as conn:
        with pytest.raises(Conflict):
            await replies.retry_message(
                conn, place.workspace_id, place.conversation_id, place.message_id, actor_id=desk.me.id
            )
        assert not await conn.fetchval("SELECT count(*) FROM event e WHERE e.data::text LIKE '%a secret%'")


async def test_acts_keep_the_order_of_the_thread(desk):
    """An edit never overtakes its message, nor a deletion an edit that is under way."""
    place, _ = await desk.reply()
    first = await desk.claim()
    await desk.run(acts.edit_message, place, "Two", desk.me, ABLE)
    async with desk.database.across() as conn:
        assert await deliveries.due(conn, clock.now(), 5) == []
    async with desk.transaction() as conn:
        await deliveries.mark_sent(conn, first, SendResult(("m1",)))

    edit = await desk.claim()
    await desk.run(acts.delete_message, place, desk.me, ABLE)
    async with desk.transaction() as conn:
        await acts.mark_done(conn, edit)
    await desk.done()

    row = await desk.message(place)
    assert (edit.act.external_id, row.text, row.deleted_at is not None) == ("m1", "", True)


async def test_later_edit_replaces_one_that_was_not_begun(desk):
    """Two edits in a row are one call to the vendor."""
    place, _ = await desk.sent_reply()
    await desk.run(acts.edit_message, place, "Two", desk.me, ABLE)
    await desk.run(acts.edit_message, place, "Three", desk.me, ABLE)

    claimed = await desk.done()

    assert claimed.act.text == "Three"
    async with desk.database.across() as conn:
        assert await deliveries.due(conn, clock.now(), 5) == []
    assert (await desk.message(place)).text == "Three"


async def test_act_whose_holder_vanished_is_done_again(desk):
    """Done twice it comes to the same, so nobody has to ask what became of it."""
    place, _ = await desk.sent_reply()
    await desk.run(acts.delete_message, place, desk.me, ABLE)
    await desk.claim()
    async with desk.transaction() as conn:
        await conn.execute("UPDATE delivery SET lease_until = $1 WHERE act IS NOT NULL", clock.now())

    again = await desk.done()

    assert (again.was_sending, again.act.kind) == (False, "delete")
    assert (await desk.message(place)).deleted_at is not None


async def test_reaction_is_shown_at_once_and_confirmed(desk):
    """A member's reaction to the customer's message waits visibly; refused, it goes away with the reason."""
    place, inbound = await desk.sent_reply()
    theirs = Place(place.workspace_id, place.conversation_id, inbound)
    await desk.run(acts.set_reaction, theirs, "👍", desk.me, ABLE)
    (waiting,) = shown((await desk.message(theirs)).reactions)

    await desk.done()
    (confirmed,) = shown((await desk.message(theirs)).reactions)
    await desk.run(acts.set_reaction, theirs, "❤️", desk.me, ABLE)
    await desk.refused()

    assert (waiting.waiting, confirmed.waiting, confirmed.author_id) == (True, False, desk.me.id)
    row = await desk.message(theirs)
    assert [one.emoji for one in shown(row.reactions)] == ["👍"]
    assert (row.change.kind, row.change.state) == ("react", "failed")


async def test_reaction_taken_back_at_once_tells_the_vendor_nothing(desk):
    """A slip of the finger makes no call."""
    place, inbound = await desk.sent_reply()
    theirs = Place(place.workspace_id, place.conversation_id, inbound)

    await desk.run(acts.set_reaction, theirs, "👍", desk.me, ABLE)
    async with verify_action(desk.database, desk.workspace.actor()):
        await desk.run(acts.set_reaction, theirs, "👍", desk.me, ABLE, removed=True)

    async with desk.database.across() as conn:
        assert await deliveries.due(conn, clock.now(), 5) == []
    assert shown((await desk.message(theirs)).reactions) == ()


async def test_notes_change_without_any_vendor(desk):
    """Notes are ours: edited and deleted on every channel, with their history."""
    place, _ = await desk.reply("todo", MessageKind.NOTE)

    changed = await desk.run(acts.edit_message, place, "done", desk.me, Allowed())
    deleted = await desk.run(acts.delete_message, place, desk.me, Allowed())

    assert (changed.at_once, changed.message.text, changed.message.edited_at is not None) == (True, "done", True)
    assert (deleted.at_once, deleted.message.text) == (True, "")


@pytest.mark.parametrize(
    ("who", "allowed", "age_s", "error"),
    [
        ("colleague", ABLE, 0, Forbidden),
        ("author", Allowed(), 0, Conflict),
        ("author", Allowed(edit=True, edit_within_s=900), 901, Conflict),
        ("moderator", Allowed(edit=True, edit_within_s=900), 899, None),
    ],
)
async def test_who_may_edit_and_when(desk, who, allowed, age_s, error):
    """Authors and who manages inboxes, where the channel can, while it lets them."""
    place, _ = await desk.sent_reply()
    async with desk.transaction() as conn:
        await conn.execute(
            "UPDATE message SET created_at = $1 WHERE direction = 'outbound'", clock.now() - timedelta(seconds=age_s)
        )
    doer = desk.me if who == "author" else Doer(id=desk.workspace.owner_id, is_moderator=who == "moderator")

    if error is None:
        await desk.run(acts.edit_message, place, "x", doer, allowed)
        assert (await desk.message(place)).change is not None
    else:
        with pytest.raises(error):
            await desk.run(acts.edit_message, place, "x", doer, allowed)


async def test_echo_of_our_edit_before_its_answer_is_the_same_edit(desk):
    """The vendor's own notice of the edit we made adds no second version."""
    place, _ = await desk.sent_reply()
    await desk.run(acts.edit_message, place, "Two", desk.me, ABLE)
    external_id = (await desk.message(place)).external_id
    now = clock.now()
    await desk.receive(
        make_item(kind=ItemKind.EDIT, target_external_id=external_id, external_id=None, text="Two", occurred_at=now)
    )

    await desk.done()

    row = await desk.message(place)
    assert (row.text, row.change) == ("Two", None)
    async with desk.transaction() as conn:
        assert len(await change_store.list_versions(conn, place.workspace_id, place.message_id)) == 1


async def test_reading_is_told_once(desk):
    """The vendor hears of the newest message a member read, once, whoever reads after."""
    place, inbound = await desk.sent_reply()
    for _ in range(2):
        async with desk.transaction() as conn:
            await acts.queue_read(conn, place.workspace_id, place.conversation_id, 100)

    claimed = await desk.done()

    assert (claimed.act.kind, claimed.message.id) == ("mark_read", inbound)
    async with desk.database.across() as conn:
        assert await deliveries.due(conn, clock.now(), 5) == []
