"""The hub over fakes: opening, live events, resuming, sending, closing."""

import asyncio
import json
from uuid import uuid4

from msgspec import structs

from hub import clock
from hub.errors import InvalidInput
from hub.events.model import LoggedEvent
from hub.realtime.ports import Handshake
from hub.realtime.protocol import RESUME_LIMIT_EVENTS
from hub.realtime.session import Phase
from tests.realtime_fakes import FakePorts, Rig, events_of, of_type, settle, until

SALES, SUPPORT = uuid4(), uuid4()


async def test_hello_is_answered_with_the_events_after_the_cursor_and_live_ones():
    """The example of docs/protocol.md section 8."""
    async with Rig() as rig:
        member = rig.ports.member()
        for _ in range(3):
            rig.ports.append()
        _, sink = await rig.open(cursor=1)
        rig.commit()
        await until(lambda: events_of(sink) == [2, 3, 4])
        welcome = sink.frames[0]
        assert {**welcome, "connection_id": 0, "resume_ticket": 0} == {
            "type": "welcome",
            "connection_id": 0,
            "epoch": 1,
            "head": 3,
            "recovered": True,
            "resume_ticket": 0,
            "protocol": 1,
            "heartbeat_s": 25,
            "member_id": str(member.subject_id),
            "conversation_id": None,
        }
        assert [frame["prev"] for frame in of_type(sink, "event")] == [1, 2, 3]
        assert of_type(sink, "event")[0]["event"] == {"type": "conversation_closed", "n": 2}


async def test_a_cursor_that_cannot_be_resumed_gets_no_event_before_a_snapshot():
    """recovered:false, then silence until hello with the snapshot's cursor, then everything after it."""
    async with Rig() as rig:
        rig.ports.member()
        rig.ports.append()
        connection, sink = await rig.open(cursor=None)
        rig.commit()
        await settle()
        assert of_type(sink, "welcome")[0]["recovered"] is False
        assert events_of(sink) == []
        rig.hello(connection, cursor=1)
        await until(lambda: events_of(sink) == [2])
        assert of_type(sink, "welcome")[1]["recovered"] is True


async def test_other_epoch_beyond_head_and_too_far_behind_need_a_snapshot():
    """Each of the reasons of the welcome's table."""
    async with Rig() as rig:
        rig.ports.member()
        for _ in range(RESUME_LIMIT_EVENTS + 5):
            rig.ports.append()
        for cursor, epoch, recovered in (
            (4, 1, False),
            (5, 1, True),
            (1005, 1, True),
            (1006, 1, False),
            (1000, 2, False),
        ):
            connection, sink = rig.connect()
            rig.hello(connection, ticket="t", cursor=cursor, epoch=epoch)
            await until(lambda: of_type(sink, "welcome"))  # noqa: B023
            assert of_type(sink, "welcome")[0]["recovered"] is recovered, (cursor, epoch)
            if recovered:
                await until(lambda: events_of(sink) == list(range(cursor + 1, 1006)))  # noqa: B023


async def test_a_restricted_member_sees_its_inboxes_with_true_prevs():
    """Catching up from the log and hearing live give the same chain of prev."""
    async with Rig() as rig:
        rig.ports.member(inboxes=frozenset({SALES}))
        for inbox in (SALES, SUPPORT, SALES, SUPPORT, SUPPORT):
            rig.ports.append(inbox_id=inbox)
        _, sink = await rig.open(cursor=2)
        rig.commit(inbox_id=SUPPORT)
        rig.commit(inbox_id=SALES)
        rig.commit(inbox_id=SUPPORT, former_inbox_id=SALES)
        rig.commit(inbox_id=SALES, former_inbox_id=SUPPORT)
        await until(lambda: events_of(sink) == [3, 7, 8, 9])
        assert [frame["prev"] for frame in of_type(sink, "event")] == [1, 3, 7, 8]
        assert [frame["event"]["type"] for frame in of_type(sink, "event")][2:] == [
            "conversation_removed",
            "conversation_moved",
        ]


async def test_hints_lost_doubled_and_reordered_end_in_order():
    """A hole is read from the log once; what comes late is dropped."""
    async with Rig() as rig:
        rig.ports.member()
        _, sink = await rig.open()
        events = [rig.ports.append() for _ in range(6)]
        for index in (4, 1, 1, 5, 0, 3):  # number 3 (index 2) is lost
            rig.broker.publish([events[index]])
        await until(lambda: events_of(sink) == [1, 2, 3, 4, 5, 6])
        await asyncio.sleep(0.02)
        assert events_of(sink) == [1, 2, 3, 4, 5, 6]
        assert sum(call[0] == "event_ranges" for call in rig.ports.calls) == 1


async def test_healing_finds_an_event_without_a_hint_and_a_burst_beyond_one_batch():
    """A dead publisher costs one round of healing, however many events it left behind."""
    async with Rig() as rig:
        rig.ports.member()
        _, sink = await rig.open()
        for _ in range(450):
            rig.ports.append()
        await rig.hub.healing.tick()
        await until(lambda: events_of(sink) == list(range(1, 451)))


async def test_healing_asks_every_head_after_an_outage_and_after_a_gap_of_the_broker():
    """Ordinarily only recent heads are asked for; after a gap, or when the last round is too long ago, all."""
    async with Rig() as rig:
        rig.ports.member()
        await rig.open()

        def asked(name):
            return sum(call[0] == name for call in rig.ports.calls)

        before = asked("heads")
        await rig.hub.healing.tick()
        assert (asked("recent_heads"), asked("heads")) == (1, before)
        rig.clock.advance(9)
        await rig.hub.healing.tick()
        assert (asked("recent_heads"), asked("heads")) == (1, before + 1)
        rig.bus.mend()
        await until(lambda: asked("heads") == before + 2)


async def test_an_invented_hint_is_forgotten_and_real_events_go_on():
    """A hint beyond the log (another installation's, a restored database) is asked for once and dropped."""
    async with Rig() as rig:
        rig.ports.member()
        _, sink = await rig.open()
        false_hint = LoggedEvent(workspace_id=1, seq=50, type="x", data=b"{}")
        rig.broker.publish([false_hint])
        feed = rig.hub.feeds.get(1)
        await until(lambda: not feed.pending)
        rig.commit()
        await until(lambda: events_of(sink) == [1])


async def test_a_log_that_went_back_in_time_sends_everybody_to_a_snapshot():
    """After a restore the epoch is another: one gap, and the old cursor is not recovered."""
    async with Rig() as rig:
        rig.ports.member()
        for _ in range(5):
            rig.ports.append()
        connection, sink = await rig.open(cursor=5)
        del rig.ports.logs[1][3:]
        rig.ports.epoch_now = 2
        await rig.hub.healing.tick()
        await settle()
        assert [frame["reason"] for frame in of_type(sink, "gap")] == ["lost"]
        rig.hello(connection, cursor=5)
        await until(lambda: len(of_type(sink, "welcome")) == 2)
        assert of_type(sink, "welcome")[1]["recovered"] is False
        assert (of_type(sink, "welcome")[1]["epoch"], of_type(sink, "welcome")[1]["head"]) == (2, 3)


async def test_hello_waits_while_the_database_is_away_for_a_moment():
    """The socket stays and is answered when Postgres is back."""
    async with Rig() as rig:
        rig.ports.member()
        connection, sink = await rig.open()
        rig.ports.append()
        rig.hub.feeds.void(rig.hub.feeds.get(1))
        rig.ports.is_down = True
        rig.hello(connection, cursor=0)
        await asyncio.sleep(0.05)
        assert (len(of_type(sink, "welcome")), sink.closed_with) == (1, None)
        rig.ports.is_down = False
        await until(lambda: events_of(sink) == [1])


async def test_sends_are_worked_through_in_order_and_answered():
    """Each send has its ack, in order; the same client_message_id again gets the first answer."""
    async with Rig() as rig:
        rig.ports.member()
        connection, sink = await rig.open()
        ids = [str(uuid4()) for _ in range(5)]
        for number, one in enumerate([*ids, ids[0]]):
            rig.say(connection, "send", client_message_id=one, conversation_id=str(uuid4()), text=f"m{number}")
        await until(lambda: len(of_type(sink, "ack")) == 6)
        acks = of_type(sink, "ack")
        assert [ack["client_message_id"] for ack in acks] == [*ids, ids[0]]
        assert acks[0] == acks[5]
        assert [call[1] for call in rig.ports.calls if call[0] == "send"] == [f"m{number}" for number in range(6)]


async def test_a_refused_send_names_the_message_and_the_connection_stays():
    """Errors of the layers above reach the client by code; bugs are `internal` and say nothing else."""
    async with Rig() as rig:
        rig.ports.member()
        connection, sink = await rig.open()
        one = str(uuid4())
        for error, code in (
            (InvalidInput("text", "Too long."), "invalid_input"),
            (ZeroDivisionError("secret"), "internal"),
        ):
            rig.ports.send_error = error
            rig.say(connection, "send", client_message_id=one, conversation_id=one, text="x")
            await until(lambda: of_type(sink, "error"))
            answer = sink.take()[-1]
            assert (answer["code"], answer["client_message_id"]) == (code, one)
            assert "secret" not in json.dumps(answer)
            sink.writes.clear()
            sink._read = 0
        assert sink.closed_with is None


async def test_who_may_not_reply_is_refused_without_asking_above():
    """A viewer's send and typing are refused per message."""
    async with Rig() as rig:
        rig.ports.member(may_reply=False)
        connection, sink = await rig.open()
        one = str(uuid4())
        rig.say(connection, "send", client_message_id=one, conversation_id=one, text="x")
        rig.say(connection, "typing", conversation_id=one, on=True)
        await until(lambda: len(of_type(sink, "error")) == 2)
        assert {frame["code"] for frame in of_type(sink, "error")} == {"forbidden"}
        assert not any(call[0] == "send" for call in rig.ports.calls)


async def test_key_that_only_reads_has_nothing_on_screen():
    """Nor does it type; one that may reply says both. A person who only reads is still seen to look."""
    async with Rig() as rig:
        conversation = uuid4()
        rig.ports.conversations[conversation] = SALES
        key, where = uuid4(), {"conversation_id": str(conversation)}
        for changes, refused in (
            ({"login_id": key, "session_id": key, "may_reply": False}, 2),
            ({"login_id": key, "session_id": key, "may_reply": True}, 0),
            ({"may_reply": False}, 1),
        ):
            rig.ports.member(inboxes=None, **changes)
            connection, sink = await rig.open()
            rig.say(connection, "viewing", **where)
            rig.say(connection, "typing", on=True, **where)
            await until(lambda at=connection: at.worker is None)
            assert [frame["code"] for frame in of_type(sink, "error")] == ["forbidden"] * refused
            assert (connection.viewing is None) is (refused == 2)


async def test_ping_is_answered_with_the_visible_head_and_sometimes_a_fresh_ticket():
    """head counts only what the audience sees; the resume ticket is renewed before it grows old."""
    async with Rig() as rig:
        rig.ports.member(inboxes=frozenset({SALES}))
        rig.ports.append(inbox_id=SALES)
        rig.ports.append(inbox_id=SUPPORT)
        connection, sink = await rig.open(cursor=1)
        rig.say(connection, "ping", cursor=1)
        rig.clock.advance(121)
        rig.say(connection, "ping", cursor=1)
        rig.say(connection, "ping", cursor=1)
        await until(lambda: len(of_type(sink, "head")) == 3)
        heads = of_type(sink, "head")
        assert [head["seq"] for head in heads] == [1, 1, 1]
        assert ["resume_ticket" in head for head in heads] == [False, True, False]


async def resume(rig, ticket, cursor=0):
    """Come back with a resume ticket; returns the new socket, answered."""
    connection, sink = rig.connect()
    rig.hello(connection, resume_ticket=ticket, cursor=cursor)
    await until(lambda: of_type(sink, "welcome") or sink.closed_with)
    return sink


def asked(rig, *names):
    return sum(call[0] in names for call in rig.ports.calls)


async def test_a_resume_ticket_opens_without_a_question_until_its_session_is_revoked():
    """Neither a sign-in nor the grant is read; a session revoked meanwhile is 4501."""
    async with Rig() as rig:
        member = rig.ports.member(inboxes=frozenset({SALES}))
        _, sink = await rig.open()
        ticket = of_type(sink, "welcome")[0]["resume_ticket"]
        before = asked(rig, "authorise", "refresh")
        assert of_type(await resume(rig, ticket), "welcome")[0]["recovered"]
        rig.ports.revoked.append(member.session_id)
        await rig.hub.revocations.refresh()
        assert (await resume(rig, ticket)).closed_with[0] == 4501
        assert asked(rig, "authorise", "refresh") == before


async def test_a_resume_ticket_of_older_rights_is_read_again():
    """After a change of rights in the log: other inboxes are a snapshot, a member who left is 4501."""
    async with Rig() as rig:
        member = rig.ports.member(inboxes=frozenset({SALES}))
        _, sink = await rig.open()
        ticket = of_type(sink, "welcome")[0]["resume_ticket"]
        rig.commit(inbox_id=SALES)
        rig.broker.publish([rig.ports.change_rights(member, visible_inboxes=frozenset({SUPPORT}))])
        await until(lambda: rig.hub.feeds.get(1).last == 2)
        came_back = await resume(rig, ticket)
        assert of_type(came_back, "welcome")[0]["recovered"] is False
        assert events_of(came_back) == []
        rig.ports.current["member", member.subject_id] = None
        assert (await resume(rig, ticket)).closed_with[0] == 4501


async def test_a_ticket_of_before_this_process_is_compared_with_the_rights_of_the_log():
    """A process that starts after the change saw no event of it: the head of the log came with their version."""
    async with Rig() as rig:
        member = rig.ports.member(inboxes=frozenset({SALES}))
        _, sink = await rig.open()
        ticket = of_type(sink, "welcome")[0]["resume_ticket"]
        ports = rig.ports
    ports.append(inbox_id=SALES)
    ports.change_rights(member, visible_inboxes=frozenset({SUPPORT}))
    async with Rig(ports) as rig:
        came_back = await resume(rig, ticket)
        assert of_type(came_back, "welcome")[0]["recovered"] is False
        assert events_of(came_back) == []


async def test_resume_tickets_wait_until_revocations_are_known_and_young():
    """Before the first answer of the store, or 20 s after the last one, a ticket is not trusted; then it is."""
    async with Rig() as rig:
        rig.ports.member()
        _, sink = await rig.open()
        ticket = of_type(sink, "welcome")[0]["resume_ticket"]
        await settle()
        rig.ports.is_down = True
        rig.clock.advance(21)
        connection, sink = rig.connect()
        rig.hello(connection, resume_ticket=ticket, cursor=0)
        await settle(100)
        assert sink.frames == []
        rig.ports.is_down = False
        await until(lambda: of_type(sink, "welcome"))


async def test_a_spent_resume_ticket_falls_back_to_the_cookie():
    """A browser that slept longer than five minutes needs no extra round trip."""
    async with Rig() as rig:
        rig.ports.member(ticket="cookie")
        connection, sink = rig.connect(Handshake(cookie_token="cookie", origin="https://hub.example"))
        rig.hello(connection, resume_ticket="old", workspace_id=1)
        await until(lambda: of_type(sink, "welcome"))
        other, other_sink = rig.connect()
        rig.hello(other, resume_ticket="old", workspace_id=1)
        await until(lambda: other_sink.closed_with)
        assert other_sink.closed_with[0] == 4501


async def test_an_unknown_ticket_is_closed_with_4501_after_bye():
    """The client learns that coming back is of no use."""
    async with Rig() as rig:
        _, sink = await rig.open(ticket="nobody's")
        assert sink.closed_with[0] == 4501
        assert of_type(sink, "bye")[0]["code"] == 4501


async def test_drain_sends_everybody_away_spread_over_twenty_seconds():
    """Each connection gets bye 4000 and its own time to come back; the registry is empty afterwards."""
    async with Rig() as rig:
        rig.ports.member()
        sinks = [(await rig.open())[1] for _ in range(20)]
        await rig.hub.drain()
        waits = {of_type(sink, "bye")[0]["retry_after_s"] for sink in sinks}
        assert all(sink.closed_with[0] == 4000 for sink in sinks)
        assert len(waits) > 10
        assert all(0 <= wait <= 20 for wait in waits)
        assert not rig.hub.connections.all
        assert rig.hub.counters.connections["member"] == 0


async def test_a_slow_reader_resumes_in_place_without_loss():
    """Overflow costs a gap and one hello; nothing is lost or shown twice."""
    async with Rig() as rig:
        rig.ports.member()
        connection, sink = await rig.open()
        rig.hub.on_pause(connection)
        for _ in range(400):
            rig.commit()
        await until(lambda: connection.phase is Phase.WAITING)
        rig.hub.on_resume(connection)
        await until(lambda: of_type(sink, "gap"))
        assert events_of(sink) == []
        rig.hello(connection, cursor=0)
        await until(lambda: events_of(sink) == list(range(1, 401)))
        assert len(of_type(sink, "gap")) == 1


async def test_feeds_of_workspaces_nobody_listens_to_are_dropped():
    """Thirty seconds after the last connection a workspace costs nothing any more."""
    async with Rig() as rig:
        rig.ports.member()
        connection, _ = await rig.open()
        rig.hub.on_close(connection)
        for _ in range(3):
            await rig.hub.healing.tick()
            rig.clock.advance(31)
        assert rig.hub.feeds.all() == []
        assert not rig.hub.fanout.by_workspace


async def test_a_storm_of_reconnects_asks_the_database_in_batches():
    """A hundred sockets of one workspace that come back together cost a handful of queries."""
    async with Rig() as rig:
        rig.ports.member(inboxes=frozenset({SALES}))
        _, sink = await rig.open()
        ticket = of_type(sink, "welcome")[0]["resume_ticket"]
        rig.commit(inbox_id=SALES)
        await settle()
        rig.ports.calls.clear()
        sinks = []
        for _ in range(100):
            connection, sink = rig.connect()
            rig.hello(connection, resume_ticket=ticket, cursor=0)
            sinks.append(sink)
        await until(lambda: all(events_of(sink) == [1] for sink in sinks))
        assert len([call for call in rig.ports.calls if call[0] != "recent_heads"]) <= 3


class Held:
    """Answers of one port, taken when asked and, after ``hold``, given when released; made before the hub is."""

    def __init__(self, ports, name):
        self.released = asyncio.Event()
        self.released.set()
        self.asked = 0
        self._ask = getattr(ports, name)
        setattr(ports, name, self)

    def hold(self):
        self.released.clear()
        self.asked = 0

    async def __call__(self, *call):
        self.asked += 1
        answer = await self._ask(*call)
        await self.released.wait()
        return answer


async def test_events_that_come_while_the_visible_head_is_read_count_for_prev():
    """The head read from the log is as old as the question; what was applied since is added to it."""
    held = Held(ports := FakePorts(), "visible_heads")
    async with Rig(ports) as rig:
        rig.ports.member("all")
        rig.ports.member("sales", inboxes=frozenset({SALES}))
        rig.ports.append(inbox_id=SALES)
        _, other = await rig.open("all", 1)
        held.hold()
        _, sink = await rig.open("sales", 1, waits=False)
        await until(lambda: held.asked)
        rig.commit(inbox_id=SALES)
        rig.commit(inbox_id=SUPPORT)
        await until(lambda: events_of(other) == [2, 3])
        held.released.set()
        await until(lambda: events_of(sink) == [2])
        rig.commit(inbox_id=SALES)
        await until(lambda: events_of(sink) == [2, 4])
        assert [frame["prev"] for frame in of_type(sink, "event")] == [1, 2]
        assert of_type(sink, "welcome")[0]["head"] == 2


async def test_what_is_sent_after_welcome_counts_while_events_still_come():
    """A client speaks as soon as it is welcomed; that what it missed is still on its way is not its concern."""
    held = Held(ports := FakePorts(), "event_ranges")
    async with Rig(ports) as rig:
        rig.ports.member()
        for _ in range(3):
            rig.ports.append()
        held.hold()
        connection, sink = await rig.open(cursor=1, waits=False)
        await until(lambda: held.asked and of_type(sink, "welcome"))
        one = str(uuid4())
        rig.say(connection, "send", client_message_id=one, conversation_id=str(uuid4()), text="Of course!")
        await settle()
        held.released.set()
        await until(lambda: events_of(sink)[:2] == [2, 3])
        await until(lambda: of_type(sink, "ack") or of_type(sink, "error"))
        assert [frame["client_message_id"] for frame in of_type(sink, "ack")] == [one]
        assert of_type(sink, "error") == []


async def test_a_visitors_event_that_comes_while_the_log_is_read_is_not_missed():
    """The answer of the log may be older than the feed: it is asked again before the visitor goes live."""
    held = Held(ports := FakePorts(), "visitor_conversations")
    async with Rig(ports) as rig:
        chat = uuid4()
        rig.ports.member()
        rig.ports.visitor(conversation_id=chat)
        rig.ports.append(conversation_id=chat, inbox_id=SALES, visitor=True)
        _, other = await rig.open("t", 1)
        held.hold()
        connection, sink = rig.connect()
        rig.hello(connection, visitor_token="v", cursor=0)
        await until(lambda: held.asked)
        await settle()
        rig.commit(conversation_id=chat, inbox_id=SALES, visitor=True)
        await until(lambda: events_of(other) == [2])
        held.released.set()
        await until(lambda: events_of(sink) == [1, 2])
        assert of_type(sink, "gap") == []


async def test_a_hello_without_its_workspace_is_told_not_to_come_back():
    """What the layers above call invalid input ends a first hello with 4500."""
    async with Rig() as rig:

        async def refuse(hello, handshake):
            raise InvalidInput("workspace_id", "Name the workspace.")

        rig.ports.authorise = refuse
        _, sink = await rig.open()
        assert sink.closed_with[0] == 4500
        assert "workspace_id" in of_type(sink, "bye")[0]["reason"]


async def test_delay_is_counted_once_an_event_and_only_where_somebody_got_it():
    """From its number to the last of many sockets' buffers; events read from the log, or for nobody, count nothing."""
    async with Rig() as rig:
        rig.ports.member()
        sinks = [(await rig.open())[1] for _ in range(3)]
        event = structs.replace(rig.ports.append(), appended_at_ms=clock.now_ms() - 200)
        rig.broker.publish([event])
        await until(lambda: all(events_of(sink) == [1] for sink in sinks))
        await settle()
        buckets, sum_s = rig.hub.counters.fanout_seconds.buckets()
        rig.commit()
        await until(lambda: all(events_of(sink) == [1, 2] for sink in sinks))
        await settle()

        assert buckets[-1] == ("+Inf", 1.0)
        assert 0.2 <= sum_s < 5
        assert rig.hub.counters.fanout_seconds.count == 1
        assert rig.hub.counters.unwritten == []
