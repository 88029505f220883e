"""Live-chat visitors: their own sequence, their first message, and what never reaches them."""

from uuid import uuid4

from hub.realtime.rights import THOROUGH_EVERY
from tests.realtime_fakes import Rig, events_of, of_type, settle, until

INBOX = uuid4()


async def open_visitor(rig, conversation_id, cursor=0, ticket="v"):
    if ticket not in rig.ports.grants:
        rig.ports.visitor(ticket, conversation_id=conversation_id)
    connection, sink = rig.connect()
    rig.hello(connection, visitor_token=ticket, cursor=cursor)
    await until(lambda: of_type(sink, "welcome") or sink.closed_with)
    await settle()
    return connection, sink


async def test_a_visitor_hears_one_conversation_numbered_for_them_alone():
    """Workspace seqs, notes and other conversations never reach a visitor; prev is always seq - 1."""
    async with Rig() as rig:
        mine, other = uuid4(), uuid4()
        rig.ports.append(conversation_id=mine, inbox_id=INBOX, visitor=True)
        _, sink = await open_visitor(rig, mine)
        rig.commit(conversation_id=other, inbox_id=INBOX, visitor=True)
        rig.commit(conversation_id=mine, inbox_id=INBOX, type_="note_added")
        rig.commit(conversation_id=mine, inbox_id=INBOX, visitor=True)
        await until(lambda: events_of(sink) == [1, 2])
        assert [(frame["prev"], frame["event"]["type"]) for frame in of_type(sink, "event")] == [
            (0, "message_added"),
            (1, "message_added"),
        ]
        assert of_type(sink, "welcome")[0]["conversation_id"] == str(mine)
        assert of_type(sink, "welcome")[0]["member_id"] is None


async def test_a_visitor_resumes_within_the_window_only():
    """A cursor at the end is fine; beyond it, without one, or of another epoch needs a snapshot."""
    async with Rig() as rig:
        mine = uuid4()
        for _ in range(3):
            rig.ports.append(conversation_id=mine, inbox_id=INBOX, visitor=True)
        for cursor, recovered, expected in ((3, True, []), (1, True, [2, 3]), (4, False, []), (None, False, [])):
            _, sink = await open_visitor(rig, mine, cursor)
            welcome = of_type(sink, "welcome")[0]
            assert (welcome["recovered"], welcome["head"], events_of(sink)) == (recovered, 3, expected)


async def test_a_visitor_is_attached_by_their_first_message_in_every_tab():
    """The tab that sent and the other one hear the new conversation from its first event."""
    async with Rig() as rig:
        one, one_sink = await open_visitor(rig, None)
        _, two_sink = await open_visitor(rig, None)
        rig.say(one, "send", client_message_id=str(uuid4()), text="Hello?")
        await until(lambda: of_type(one_sink, "ack"))
        await until(lambda: events_of(one_sink) == [1] and events_of(two_sink) == [1])
        conversation_id = one.grant.conversation_id
        rig.commit(conversation_id=conversation_id, inbox_id=INBOX, visitor=True)
        await until(lambda: events_of(one_sink) == [1, 2] and events_of(two_sink) == [1, 2])


async def test_a_visitor_whose_conversation_began_elsewhere_is_attached_by_the_next_sweep():
    """A tab held by another process learns of the conversation when grants are read again."""
    async with Rig() as rig:
        _, sink = await open_visitor(rig, None)
        mine = uuid4()
        rig.ports.append(conversation_id=mine, inbox_id=INBOX, visitor=True)
        rig.ports.visitors[rig.ports.grants["v"].subject_id] = mine
        await rig.hub.rights.poll()
        await until(lambda: events_of(sink) == [1])


async def sweep(rig):
    """Let one whole sweep pass: its slices, and the empty one at its end."""
    swept = rig.hub.rights._sweeps
    while rig.hub.rights._sweeps == swept:
        await rig.hub.rights.go_on()


async def test_each_sweep_closes_visitors_of_a_closed_live_chat_without_reading_their_tokens():
    """One look at each live chat: a thousand visitors share it."""
    async with Rig() as rig:
        open_chat, closed_chat = uuid4(), uuid4()
        rig.ports.visitor("v", account_id=open_chat)
        rig.ports.visitor("w", account_id=closed_chat)
        staying = await open_visitor(rig, None)
        going = [await open_visitor(rig, None, ticket="w") for _ in range(2)]
        rig.ports.calls.clear()
        await sweep(rig)
        assert not any(connection.closed for connection, _ in (staying, *going))
        rig.ports.closed_accounts.add(closed_chat)
        await sweep(rig)
        assert [connection.closed for connection, _ in (staying, *going)] == [False, True, True]
        assert going[0][1].closed_with[0] == 4501
        assert {call[0] for call in rig.ports.calls} == {"takes_visitors"}


async def test_conversations_are_looked_for_in_every_sixth_sweep_and_after_a_gap_of_the_broker():
    """The signal of a new conversation may have been lost with the broker's connection."""
    async with Rig() as rig:
        rig.ports.visitor("v", account_id=uuid4())
        await open_visitor(rig, None)

        async def is_thorough():
            rig.ports.calls.clear()
            await sweep(rig)
            return any(call[0] == "visitor_conversations" for call in rig.ports.calls)

        sweeps = [await is_thorough() for _ in range(2 * THOROUGH_EVERY)]
        assert sweeps == ([False] * (THOROUGH_EVERY - 1) + [True]) * 2
        rig.hub.on_gap()
        assert [await is_thorough() for _ in range(3)] == [True, True, False]


async def test_a_visitor_who_starts_another_conversation_starts_from_a_snapshot():
    """The numbers of the old conversation are void: gap{rights}, then hello with the new cursor."""
    async with Rig() as rig:
        mine = uuid4()
        rig.ports.append(conversation_id=mine, inbox_id=INBOX, visitor=True)
        connection, sink = await open_visitor(rig, mine, cursor=1)
        rig.say(connection, "send", client_message_id=str(uuid4()), conversation_id=str(uuid4()), text="Again")
        await until(lambda: of_type(sink, "gap"))
        assert of_type(sink, "gap")[0]["reason"] == "rights"
        rig.hello(connection, cursor=0)
        await until(lambda: events_of(sink) == [1])


async def test_a_visitor_may_not_add_notes_or_say_what_they_view():
    """What members only may do is refused, the socket stays."""
    async with Rig() as rig:
        connection, sink = await open_visitor(rig, uuid4())
        rig.say(connection, "send", client_message_id=str(uuid4()), text="x", kind="note")
        rig.say(connection, "viewing", conversation_id=str(uuid4()))
        await until(lambda: len(of_type(sink, "error")) == 2)
        assert {frame["code"] for frame in of_type(sink, "error")} == {"forbidden"}


async def test_an_event_that_cannot_be_shown_keeps_its_place():
    """A bug in the view of one event neither stops the stream nor opens a hole in it."""
    async with Rig() as rig:
        mine = uuid4()
        _, sink = await open_visitor(rig, mine)
        view, rig.ports.visitor_view = rig.ports.visitor_view, lambda event: 1 // 0
        rig.commit(conversation_id=mine, inbox_id=INBOX, visitor=True)
        await until(lambda: events_of(sink) == [1])
        rig.ports.visitor_view = view
        rig.commit(conversation_id=mine, inbox_id=INBOX, visitor=True)
        await until(lambda: events_of(sink) == [1, 2])
        assert of_type(sink, "event")[0]["event"] == {"type": "unshowable"}
