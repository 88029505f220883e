"""Typing, and what may be viewed: who is told, who is not."""

from uuid import uuid4

import pytest
from msgspec import structs

from tests.realtime_fakes import Rig, of_type, settle, until

SALES, SUPPORT = uuid4(), uuid4()


@pytest.fixture
async def two():
    """Two processes on one bus and one log: Ann and Bob see sales, Cy sees support, Vi is the visitor."""
    async with Rig() as one, Rig(beside=one) as other:
        yield one, other


async def people(two):
    one, other = two
    ports = one.ports
    conversation = uuid4()
    ports.conversations[conversation] = SALES
    ports.append(conversation_id=conversation, inbox_id=SALES, visitor=True)
    ann = ports.member("ann", inboxes=frozenset({SALES}))
    bob = ports.member("bob", inboxes=None)
    ports.member("cy", inboxes=frozenset({SUPPORT}))
    ports.visitor("vi", conversation_id=conversation)
    opened = {"ann": await one.open("ann", 1), "bob": await other.open("bob", 1), "cy": await other.open("cy", 1)}
    connection, sink = other.connect()
    other.hello(connection, visitor_token="vi", cursor=1)
    await until(lambda: of_type(sink, "welcome"))
    opened["vi"] = (connection, sink)
    await settle()
    return opened, conversation, ann, bob


async def test_typing_reaches_those_who_see_the_inbox_and_the_visitor(two):
    """Not its author, not members of other inboxes; across processes."""
    one, other = two
    opened, conversation, ann, _ = await people(two)
    one.say(opened["ann"][0], "typing", conversation_id=str(conversation), on=True)
    shown = {
        "type": "typing",
        "conversation_id": str(conversation),
        "member_id": str(ann.subject_id),
        "on": True,
        "kind": "message",
    }
    await until(lambda: of_type(opened["bob"][1], "typing") and of_type(opened["vi"][1], "typing"))
    assert of_type(opened["bob"][1], "typing") == [shown]
    assert of_type(opened["vi"][1], "typing") == [shown]
    other.say(opened["vi"][0], "typing", on=True, kind="note")
    await until(lambda: of_type(opened["ann"][1], "typing"))
    assert of_type(opened["ann"][1], "typing")[0] == {**shown, "member_id": None}
    assert of_type(opened["cy"][1], "typing") == []


async def test_typing_of_a_note_never_reaches_the_visitor(two):
    """Colleagues see it, the visitor does not."""
    one, _ = two
    opened, conversation, *_ = await people(two)
    one.say(opened["ann"][0], "typing", conversation_id=str(conversation), on=True, kind="note")
    await until(lambda: of_type(opened["bob"][1], "typing"))
    await settle()
    assert of_type(opened["vi"][1], "typing") == []


async def test_typing_and_viewing_of_an_invisible_conversation_are_not_found(two):
    """Nothing tells whether the conversation exists; a move is known at once."""
    one, other = two
    opened, conversation, *_ = await people(two)
    connection, sink = opened["cy"]
    other.say(connection, "typing", conversation_id=str(conversation), on=True)
    other.say(connection, "viewing", conversation_id=str(conversation))
    other.say(connection, "typing", conversation_id=str(uuid4()), on=True)
    await until(lambda: len(of_type(sink, "error")) == 3)
    assert {frame["code"] for frame in of_type(sink, "error")} == {"not_found"}
    one.ports.conversations[conversation] = SUPPORT
    one.commit(conversation_id=conversation, inbox_id=SUPPORT, former_inbox_id=SALES)
    await until(lambda: of_type(sink, "event"))
    other.say(connection, "typing", conversation_id=str(conversation), on=True)
    await until(lambda: of_type(opened["bob"][1], "typing"))
    one.say(opened["ann"][0], "typing", conversation_id=str(conversation), on=True)
    await until(lambda: of_type(opened["ann"][1], "error"))


async def test_a_socket_that_dies_while_typing_stops_typing(two):
    """The others are told, rather than left to wait for six seconds."""
    one, _ = two
    opened, conversation, *_ = await people(two)
    one.say(opened["ann"][0], "typing", conversation_id=str(conversation), on=True)
    await until(lambda: of_type(opened["bob"][1], "typing"))
    one.hub.on_close(opened["ann"][0])
    await until(lambda: len(of_type(opened["bob"][1], "typing")) == 2)
    assert of_type(opened["bob"][1], "typing")[1]["on"] is False


async def test_a_change_of_rights_sends_to_a_snapshot_and_a_revoked_session_away():
    """Other inboxes: gap{rights} and the old cursor is void; same inboxes: nothing; revoked: 4501."""
    async with Rig() as rig:
        rig.ports.append(inbox_id=SALES)
        member = rig.ports.member(inboxes=frozenset({SALES}))
        connection, sink = await rig.open()
        key = ("member", member.subject_id)
        rig.ports.current[key] = structs.replace(member, rights_version=2)
        await rig.hub.rights.poll()
        rig.commit(inbox_id=SALES)
        await until(lambda: len(of_type(sink, "event")) == 2)
        assert of_type(sink, "gap") == []

        rig.ports.current[key] = structs.replace(member, rights_version=3, visible_inboxes=frozenset({SUPPORT}))
        rig.commit(type_="member_changed")  # also what wakes the poll
        await until(lambda: of_type(sink, "gap"))
        assert of_type(sink, "gap")[0]["reason"] == "rights"
        rig.commit(inbox_id=SALES)
        rig.commit(inbox_id=SUPPORT)
        await settle()
        rig.hello(connection, cursor=2)
        await until(lambda: len(of_type(sink, "welcome")) == 2)
        assert of_type(sink, "welcome")[1]["recovered"] is False
        rig.hello(connection, cursor=3)
        await until(lambda: of_type(sink, "event")[-1]["seq"] == 5)

        rig.ports.current[key] = None
        rig.hub.announce_rights(1)
        await until(lambda: sink.closed_with)
        assert sink.closed_with[0] == 4501
        assert 4 not in [frame["seq"] for frame in of_type(sink, "event")]
