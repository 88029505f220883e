"""Who sees what of an event."""

from uuid import uuid4

from hub.realtime.audience import Audience, AudienceKey, payload_for
from tests.realtime_fakes import FakePorts, parse_frames

SALES, SUPPORT = uuid4(), uuid4()


def audience(inboxes, head=0):
    return Audience(AudienceKey(1, inboxes, 1), head)


def test_prev_is_the_seq_before_that_the_audience_may_see():
    """prev skips what the audience does not see, and is the same for every audience that sees the same."""
    ports, one, other = FakePorts(), audience(frozenset({SALES})), audience(frozenset({SALES}))
    events = [ports.append(inbox_id=inbox) for inbox in (SALES, SUPPORT, SUPPORT, SALES, None)]
    frames = [frame for event in events if (frame := one.advance(event, ports)) is not None]
    assert [(f["seq"], f["prev"]) for frame in frames for f in parse_frames(frame)] == [(1, 0), (4, 1), (5, 4)]
    assert [other.advance(event, ports) for event in events] == [frames[0], None, None, frames[1], frames[2]]


def test_a_move_is_shown_by_what_each_audience_sees():
    """Both inboxes: the event; only the old one: a removal; only the new one: an arrival; neither: nothing."""
    ports = FakePorts()
    moved = ports.append(inbox_id=SUPPORT, former_inbox_id=SALES, type_="conversation_moved")
    assert payload_for(None, moved, ports) == moved.data
    assert payload_for(frozenset({SALES, SUPPORT}), moved, ports) == moved.data
    assert payload_for(frozenset({SALES}), moved, ports) == ports.removal(moved)
    assert payload_for(frozenset({SUPPORT}), moved, ports) == ports.arrival(moved)
    assert payload_for(frozenset({uuid4()}), moved, ports) is None


def test_events_of_no_inbox_are_for_every_member():
    """A member without any inbox still hears of members and contacts."""
    ports = FakePorts()
    assert payload_for(frozenset(), ports.append(), ports) is not None
    assert payload_for(frozenset(), ports.append(inbox_id=SALES), ports) is None
