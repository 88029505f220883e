"""What a listener is told of the messages of other processes: in order, within a turn's time, whatever it raises."""

import msgspec
import pytest

from hub.events.model import LoggedEvent
from hub.realtime.broker_backend import GAP_CHANNEL
from hub.realtime.hints import ALL_CHANNEL, TURN_S, HintReader, encode_hints

US, OTHER = b"us", b"other"


def event(seq, workspace_id=1):
    return LoggedEvent(workspace_id=workspace_id, seq=seq, type="note_added", data=b'{"type":"note_added"}')


def message(*events, signals=(), origin=OTHER, channel="hub:{1}"):
    return (channel, encode_hints(origin, events, signals))


class Recorder:
    """Notes what it is told; may raise at a seq or a signal."""

    def __init__(self):
        self.told = []
        self.fails_at = None

    def _note(self, what):
        if self.fails_at is not None and self.fails_at in what:
            self.fails_at = None
            raise RuntimeError("a bug above")
        self.told.append(what)

    def on_events(self, events):
        self._note([one.seq for one in events])

    def on_signal(self, workspace_id, data):
        self._note([data])

    def on_gap(self):
        self._note(["gap"])


class SlowClock:
    """Each look takes as long as it is told."""

    def __init__(self):
        self.now_s = self.step_s = 0.0

    def __call__(self):
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def rig():
    """A reader that wants the workspaces 1 and 2, its listener, and its clock."""
    listener, clock = Recorder(), SlowClock()
    return HintReader(listener, US, {1: 1, 2: 1}, hears_all=False, monotonic_s=clock), listener, clock


def test_messages_of_one_packet_are_told_together(rig):
    """A listener delivers them in one go; the process's own and unwanted ones are left out."""
    reader, listener, _ = rig
    packet = [
        message(event(1), event(2)),
        message(event(9), origin=US),
        message(event(8, 3)),
        message(event(3), event(7, 3), event(4, 2)),
    ]
    assert reader.take(packet) == 4
    assert listener.told == [[1, 2, 3, 4]]
    assert reader.ignored == 1


def test_what_everybody_is_told_counts_whoever_is_wanted(rig):
    """The channel for all is heard for workspaces nobody here has a socket of."""
    reader, listener, _ = rig
    reader.take([message(event(1, 3), signals=[(3, b"s")], channel=ALL_CHANNEL)])
    assert listener.told == [[1], [b"s"]]


def test_gaps_and_signals_keep_their_place_among_events(rig):
    """What came before a gap or a signal is told before it, what came after it after it."""
    reader, listener, _ = rig
    nonsense = ("hub:{1}", b"\xc1")
    later = encode_hints(OTHER, [event("not a number")], [])
    gap = (GAP_CHANNEL, b"")
    packet = [
        message(event(1)),
        gap,
        message(event(2), signals=[(1, b"a"), (3, b"no"), (2, b"b")]),
        message(event(3)),
        nonsense,
        ("hub:{1}", later),
        message(event(4)),
    ]
    assert reader.take(packet) == len(packet)
    assert listener.told == [[1], ["gap"], [2], [b"a"], [b"b"], [3], ["gap"], ["gap"], [4]]


@pytest.mark.parametrize("fails_at", [1, b"a", "gap"])
def test_a_listener_that_raises_loses_only_what_it_was_told(rig, fails_at):
    """Everything after it in the same packet, and in the next one, is told as ever."""
    reader, listener, _ = rig
    listener.fails_at = fails_at
    packet = [message(event(1), signals=[(1, b"a")]), (GAP_CHANNEL, b""), message(event(2))]
    assert reader.take(packet) == 3
    reader.take([message(event(3))])
    assert listener.told == [one for one in ([1], [b"a"], ["gap"], [2], [3]) if fails_at not in one]


def test_a_turn_ends_when_its_time_is_over(rig):
    """However large the packet: what was read is told, the rest is for the next turn. A message alone is always read."""
    reader, listener, clock = rig
    clock.step_s = TURN_S
    packet = [message(event(seq)) for seq in range(1, 2_001)]
    taken = reader.take(packet)
    assert 0 < taken < 100
    assert listener.told == [list(range(1, taken + 1))]
    at = taken
    while at < len(packet):
        at += reader.take(packet[at:])
    assert [seq for told in listener.told for seq in told] == list(range(1, 2_001))
    clock.step_s = 100 * TURN_S
    assert reader.take([message(*map(event, range(1, 2_001)))]) == 1


def test_unknown_fields_of_another_version_do_no_harm(rig):
    """A message with more parts than ours is read as far as we know it."""
    reader, listener, _ = rig
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(message(event(1))[1]), "new"])
    reader.take([("hub:{1}", longer)])
    assert listener.told == [[1]]
