"""Rings: what is held, in which order it goes, and what the rights of a feed are known to be."""

from hub.events.model import LoggedEvent
from hub.realtime.feed import RightsVersion
from hub.realtime.ring import EVENT_OVERHEAD_BYTES, RING_EVENTS, Ring, RingBudget


def event(seq, workspace_id=1, size=100):
    return LoggedEvent(workspace_id=workspace_id, seq=seq, type="x", data=b"x" * size)


def filled(budget, seqs, **fields):
    ring = Ring(budget)
    for seq in seqs:
        ring.append(event(seq, **fields))
    return ring


def seqs_after(ring, seq, last, limit=1_000):
    held = ring.after(seq, last, limit)
    return None if held is None else [one.seq for one in held]


def test_a_ring_answers_only_what_it_holds_without_a_hole():
    """Nothing where the cursor is at the end, None where an event in between is gone, the rest in order."""
    ring = filled(RingBudget(), range(5, 11))
    assert seqs_after(ring, 10, 10) == []
    assert seqs_after(ring, 4, 10) == [5, 6, 7, 8, 9, 10]
    assert seqs_after(ring, 6, 10, limit=2) == [7, 8]
    assert seqs_after(ring, 3, 10) is None
    assert seqs_after(Ring(RingBudget()), 3, 10) is None


def test_older_events_are_taken_only_where_they_fit():
    """A range that ends elsewhere, or is too long, is left alone; one that fits is in front afterwards."""
    ring = filled(RingBudget(), range(5, 8))
    ring.prepend([event(1), event(2)], 7)
    ring.prepend([event(seq) for seq in range(5 - RING_EVENTS, 5)], 7)
    assert ring.first(7) == 5
    ring.prepend([event(3), event(4)], 7)
    assert seqs_after(ring, 2, 7) == [3, 4, 5, 6, 7]
    empty = Ring(RingBudget())
    empty.prepend([event(1), event(2)], 3)
    assert empty.first(3) == 4
    empty.prepend([event(2), event(3)], 3)
    assert seqs_after(empty, 1, 3) == [2, 3]


def test_all_rings_together_stay_within_the_budget_and_the_unused_give_first():
    """The ring that was used longest ago loses its oldest events; what is held is counted exactly."""
    one_event = 100 + EVENT_OVERHEAD_BYTES
    budget = RingBudget(10 * one_event)
    first, second = filled(budget, range(1, 6)), filled(budget, range(1, 6))
    first.after(0, 5, 1)  # used: the second one is older now
    third = filled(budget, range(1, 4))
    assert (first.first(5), second.first(5), third.first(3)) == (1, 4, 1)
    assert budget.held_bytes == 10 * one_event
    for ring in (first, second, third):
        ring.clear()
    assert budget.held_bytes == 0


def test_a_budget_of_nothing_holds_nothing():
    """HUB_RING_MIB=0."""
    budget = RingBudget(0)
    ring = filled(budget, range(1, 5))
    ring.prepend([event(4)], 4)
    assert (ring.first(4), budget.held_bytes) == (5, 0)


def test_one_busy_workspace_keeps_no_more_than_anybody_can_resume_from():
    """A thousand events, whatever the budget has room for."""
    assert filled(RingBudget(), range(1, RING_EVENTS + 51)).first(RING_EVENTS + 50) == 51


def test_rights_are_known_only_from_an_answer_younger_than_the_last_doubt():
    """An event that may have changed them makes even the newest known version doubtful until the store was asked."""
    rights = RightsVersion()
    rights.learn(3, 10)
    assert rights.are(3)
    assert not rights.are(2)
    assert not rights.are(4)
    rights.doubt(11)
    assert not rights.are(3)
    rights.learn(3, 10)  # asked before the event
    assert not rights.are(3)
    rights.learn(4, 11)
    assert rights.are(4)
    assert not rights.are(3)
