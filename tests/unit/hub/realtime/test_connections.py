"""The bounded buffer, the joined write, deadlines, and sockets that misbehave."""

import asyncio
from uuid import uuid4

from hub.realtime.connections import (
    BUFFER_BYTES,
    BUFFER_FRAMES,
    FLUSH_PER_TURN,
    PING_FRAME,
    Connection,
    Connections,
    Counters,
)
from hub.realtime.ports import Grant, Handshake
from hub.realtime.protocol import text_frame
from hub.realtime.session import Phase
from hub.realtime.wheel import Wheel
from tests.realtime_fakes import FakeSink

FRAME = text_frame(b'{"type":"event","seq":1}')


class Bench:
    """Connections with a loop that turns by hand."""

    def __init__(self):
        self.turns = []
        self.lost = []
        self.wheel = Wheel(0.0)
        self.counters = Counters()
        self.connections = Connections(self.turns.append, self.wheel, self.counters, self.lost.append)

    def open(self, now_s=0.0, phase=Phase.LIVE):
        sink = FakeSink()
        connection = Connection(self.connections, sink, Handshake(), now_s)
        connection.phase = phase
        self.connections.add(connection)
        return connection, sink

    def turn(self):
        turns, self.turns[:] = list(self.turns), []
        for callback in turns:
            callback()


def test_frames_of_one_turn_leave_as_one_write():
    """What a loop turn owes a socket is joined; nothing is written before its end."""
    bench = Bench()
    connection, sink = bench.open()
    assert all(connection.write(FRAME) for _ in range(5))
    assert sink.writes == []
    bench.turn()
    assert sink.writes == [FRAME * 5]
    assert bench.counters.frames_out == 5
    assert bench.counters.bytes_out == 5 * len(FRAME)


def test_what_is_held_leaves_at_once_without_a_turn():
    """A lone message pays for no turn of the loop; nothing is owed or asked for afterwards."""
    bench = Bench()
    connection, sink = bench.open()
    bench.connections.hold()
    connection.write(FRAME)
    connection.write(FRAME)
    assert sink.writes == []
    bench.connections.let_go()
    assert sink.writes == [FRAME * 2]
    assert bench.turns == []
    connection.write(FRAME)
    bench.turn()
    assert sink.writes == [FRAME * 2, FRAME]


def test_nothing_is_held_where_a_flush_is_due():
    """What is queued then leaves with what waits already, as one write."""
    bench = Bench()
    connection, sink = bench.open()
    connection.write(FRAME)
    bench.connections.hold()
    connection.write(FRAME)
    bench.connections.let_go()
    assert sink.writes == []
    bench.turn()
    assert sink.writes == [FRAME * 2]


def test_what_is_held_is_written_within_the_bounds_of_a_turn():
    """More sockets than one turn is for: the rest follows, in turns of the loop."""
    bench = Bench()
    sockets = [bench.open() for _ in range(FLUSH_PER_TURN + 7)]
    bench.connections.hold()
    for connection, _ in sockets:
        connection.write(FRAME)
    bench.connections.let_go()
    assert sum(bool(sink.writes) for _, sink in sockets) == FLUSH_PER_TURN
    bench.turn()
    assert all(sink.writes == [FRAME] for _, sink in sockets)


def test_one_turn_writes_to_a_bounded_number_of_sockets():
    """More sockets than the bound are finished in the turns that follow."""
    bench = Bench()
    sockets = [bench.open() for _ in range(FLUSH_PER_TURN + 7)]
    for connection, _ in sockets:
        connection.write(FRAME)
    bench.turn()
    assert sum(bool(sink.writes) for _, sink in sockets) == FLUSH_PER_TURN
    bench.turn()
    assert all(sink.writes == [FRAME] for _, sink in sockets)


def test_a_reader_that_keeps_up_never_gets_a_gap():
    """More than 256 frames in one turn are written out early when the socket takes bytes."""
    bench = Bench()
    connection, sink = bench.open()
    assert all(connection.write(FRAME) for _ in range(1_000))
    bench.turn()
    assert len(sink.frames) == 1_000


def test_a_slow_reader_loses_its_queue_and_gets_one_gap():
    """256 frames wait for a socket that takes none; then they are dropped and one gap is all that is sent."""
    bench = Bench()
    connection, sink = bench.open()
    bench.connections.pause(connection, 0.0)
    assert all(connection.write(FRAME) for _ in range(BUFFER_FRAMES - 1))
    assert connection.write(FRAME) is False
    assert connection.phase is Phase.WAITING
    for _ in range(3 * BUFFER_FRAMES):
        connection.write(FRAME)
        assert connection.queued_bytes <= BUFFER_BYTES
    bench.connections.resume(connection)
    bench.turn()
    assert sink.frames[0] == {"type": "gap", "reason": "slow"}
    assert sum(frame["type"] == "gap" for frame in sink.frames) == 1
    assert bench.counters.gaps["slow"] == 1


def test_the_buffer_is_bounded_by_bytes_too():
    """A few large frames fill the megabyte before 256 frames do."""
    bench = Bench()
    connection, _ = bench.open()
    bench.connections.pause(connection, 0.0)
    large = text_frame(b"x" * (BUFFER_BYTES // 4))
    assert [connection.write(large) for _ in range(4)] == [True, True, True, False]


def test_a_socket_that_raises_costs_nobody_else_a_frame():
    """A dead transport is dropped in the flush and its neighbours get everything."""
    bench = Bench()
    bad, bad_sink = bench.open()
    good, good_sink = bench.open()
    bad_sink.error = RuntimeError("transport is closed")
    bad.write(FRAME)
    good.write(FRAME)
    bench.turn()
    assert good_sink.writes == [FRAME]
    assert bad.closed
    assert bench.lost == [bad]
    assert bad.write(FRAME) is False
    assert list(bench.connections.all) == [good]


def test_close_says_bye_after_what_was_queued():
    """The frames before a close still leave, bye is the last one."""
    bench = Bench()
    connection, sink = bench.open()
    connection.write(FRAME)
    bench.connections.close(connection, 4000, "drain", retry_after_s=3.5)
    assert [frame["type"] for frame in sink.frames] == ["event", "bye"]
    assert sink.frames[-1]["retry_after_s"] == 3.5
    assert sink.closed_with == (4000, "drain")
    bench.connections.close(connection, 4001, "again")
    assert dict(bench.counters.closes) == {4000: 1}
    assert bench.counters.connections["opening"] == 0


def test_hello_must_come_within_five_seconds():
    """A socket that says nothing is closed with 4503, not before."""
    bench = Bench()
    _, sink = bench.open(phase=Phase.HELLO)
    bench.wheel.turn(4.9)
    assert sink.closed_with is None
    bench.wheel.turn(5.1)
    assert sink.closed_with[0] == 4503


def test_silence_of_sixty_seconds_closes_with_4001():
    """Every sign of life puts the deadline off."""
    bench = Bench()
    connection, sink = bench.open()
    for second in range(5, 100, 5):
        bench.wheel.turn(second)
    assert sink.closed_with[0] == 4001

    connection, sink = bench.open(now_s=100.0)
    for second in range(100, 400):
        if second % 50 == 0:
            connection.heard_at_s = float(second)
        bench.wheel.turn(second)
    assert sink.closed_with is None


def test_a_silent_socket_is_pinged_once_and_closed_within_a_minute():
    """The shared ping goes out after 25 to 30 s of silence; without an answer the socket is closed by 60 s, not before 58."""
    bench = Bench()
    for _ in range(8):  # whatever their spread
        bench.open()
    connection, sink = bench.open()
    pinged_at, closed_at = [], []
    for second in range(1, 70):
        before = len(sink.writes)
        bench.wheel.turn(second)
        if len(sink.writes) > before and sink.writes[-1] is PING_FRAME:
            pinged_at.append(second)
        if connection.closed and not closed_at:
            closed_at.append(second)
    assert len(pinged_at) == 1
    assert 25 <= pinged_at[0] <= 30
    assert 58 <= closed_at[0] <= 60
    assert bench.counters.pings == 9
    assert bench.counters.closes[4001] == 9


def test_a_socket_that_answers_pings_stays_and_is_looked_at_twice_a_minute():
    """A browser in the background only answers pings: an hour of it costs some 120 pings and no gap in the timer."""
    bench = Bench()
    connection, sink = bench.open()
    for second in range(1, 3_601):
        before = bench.counters.pings
        bench.wheel.turn(second)
        if bench.counters.pings > before:
            connection.heard_at_s = float(second)
    assert not connection.closed
    assert 120 <= bench.counters.pings <= 144
    assert set(sink.writes) == {PING_FRAME}
    assert bench.counters.frames_out == 0


def test_a_client_that_speaks_every_25_seconds_is_never_pinged():
    """Clients by docs/protocol.md section 7 cost no pings, however they fall into the seconds."""
    bench = Bench()
    opened = [bench.open(now_s=number / 10)[0] for number in range(10)]
    for tenth in range(10, 6_000):
        now_s = tenth / 10
        for number, connection in enumerate(opened):
            if (tenth - number) % 250 == 0:
                connection.heard_at_s = bench.connections.second(now_s)
        if tenth % 10 == 3:
            bench.wheel.turn(now_s)
    assert bench.counters.pings == 0
    assert not any(connection.closed for connection in opened)


async def test_a_catch_up_goes_on_when_the_socket_takes_bytes_again():
    """Also where the write that filled the socket was the queue's last, so that nothing is left to write."""
    bench = Bench()
    connection, sink = bench.open()
    waiter = connection.drained = asyncio.get_running_loop().create_future()
    sink.write = lambda one, _: bench.connections.pause(one, 1.0)
    connection.write(FRAME)
    bench.turn()
    assert not waiter.done()
    bench.connections.resume(connection)
    assert waiter.done()
    assert connection.drained is None


def test_a_ping_comes_after_what_was_queued_and_not_to_an_unwritable_socket():
    """Order is kept, and nothing piles up behind a full socket."""
    bench = Bench()
    queued, queued_sink = bench.open()
    stuck, stuck_sink = bench.open()
    queued.write(FRAME)
    bench.connections.pause(stuck, 0.0)
    for connection in (queued, stuck):
        bench.connections.ping(connection)
    assert queued_sink.writes == [FRAME, PING_FRAME]
    assert stuck_sink.writes == []
    assert bench.counters.pings == 1


def test_a_ping_to_a_dead_socket_costs_only_that_socket():
    """The wheel turns on."""
    bench = Bench()
    dead, dead_sink = bench.open()
    _, alive_sink = bench.open()
    dead_sink.error = OSError("gone")
    for second in range(1, 32):
        bench.wheel.turn(second)
    assert dead.closed
    assert alive_sink.writes == [PING_FRAME]
    assert list(bench.wheel) == list(bench.connections.all)


def test_a_connection_knows_its_sign_in_from_another_id():
    """Only the session's id counts, not the same bytes as somebody's member id; before hello it is nobody's."""
    bench = Bench()
    connection, _ = bench.open()
    session_id, member_id = uuid4(), uuid4()
    assert not connection.has_session(session_id)
    connection.grant = Grant(kind="member", workspace_id=1, subject_id=member_id, session_id=session_id)
    assert connection.has_session(session_id)
    assert not connection.has_session(member_id)
    assert not connection.has_session(uuid4())
    assert connection.handshake is None


def test_connections_have_names_of_their_own_and_share_the_seconds():
    """No two ids are equal; whoever was heard in one second holds the same object."""
    bench = Bench()
    opened = [bench.open(now_s=7.1 + number / 10_000)[0] for number in range(1_000)]
    assert len({connection.id for connection in opened}) == 1_000
    assert len({id(connection.heard_at_s) for connection in opened}) == 1


def test_unwritable_for_fifteen_seconds_closes_with_4002():
    """A socket that takes nothing is closed; one that took something in between starts its 15 s anew."""
    bench = Bench()
    stuck, stuck_sink = bench.open()
    slow, slow_sink = bench.open()
    bench.wheel.turn(6)
    for connection in (stuck, slow):
        bench.connections.pause(connection, 6.0)
    bench.wheel.turn(15)
    bench.connections.resume(slow)
    bench.connections.pause(slow, 15.0)
    for second in range(16, 29):
        bench.wheel.turn(second)
    assert stuck_sink.closed_with[0] == 4002
    assert slow_sink.closed_with is None


def test_pausing_often_does_not_fill_the_wheel():
    """A socket that flaps has one entry that counts; stale ones stay a handful."""
    bench = Bench()
    connection, sink = bench.open()
    for step in range(6_000):
        now_s = step / 100
        connection.heard_at_s = now_s
        bench.connections.pause(connection, now_s)
        bench.connections.resume(connection)
        bench.wheel.turn(now_s)
    assert len(list(bench.wheel)) <= 2
    assert sink.closed_with is None
