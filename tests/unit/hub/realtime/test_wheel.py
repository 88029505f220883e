"""The one timer: deadlines to the second, bounded work in one call, and everybody who is entered."""

from hub.realtime.wheel import SLOTS, Wheel


class Item:
    """Notes when it was looked at."""

    def __init__(self, every_s=None):
        self.every_s = every_s
        self.checks = []

    def check(self, now_s):
        self.checks.append(now_s)
        return None if self.every_s is None else now_s + self.every_s


def test_an_item_is_looked_at_in_the_second_after_its_deadline():
    """Not before, not twice."""
    wheel, item = Wheel(100.0), Item()
    wheel.schedule(item, 103.2)
    for now_s in (101, 102, 103.9, 104.1, 105, 200):
        wheel.turn(now_s)
    assert item.checks == [104.1]


def test_an_item_comes_again_when_it_says_so():
    """Also over more than a round of the wheel."""
    wheel, item = Wheel(0.0), Item(every_s=7)
    wheel.schedule(item, 7)
    for now_s in range(1, 3 * SLOTS):
        wheel.turn(now_s)
    assert item.checks == list(range(7, 3 * SLOTS, 7))


def test_a_deadline_beyond_the_round_is_looked_at_early():
    """At least once a round: who comes early puts itself off."""
    wheel, item = Wheel(0.0), Item()
    wheel.schedule(item, 10 * SLOTS)
    for now_s in range(1, SLOTS + 1):
        wheel.turn(now_s)
    assert item.checks == [SLOTS]


def test_a_wheel_that_was_not_turned_for_long_misses_nothing():
    """A process that was stopped for minutes looks at everything when it goes on."""
    wheel = Wheel(0.0)
    items = [Item() for _ in range(SLOTS)]
    for second, item in enumerate(items):
        wheel.schedule(item, second)
    wheel.turn(10_000)
    assert all(item.checks == [10_000] for item in items)


def test_what_is_due_at_once_is_looked_at_in_portions():
    """Ten thousand of one second: no call does more than it may, and in the end all had theirs."""
    wheel = Wheel(0.0)
    items = [Item() for _ in range(10_000)]
    for item in items:
        wheel.schedule(item, 5)
    calls = 1
    while wheel.turn(5, 256):
        calls += 1
        assert sum(len(item.checks) for item in items) == 256 * (calls - 1)
    assert calls == 40
    assert all(item.checks == [5] for item in items)


def test_who_is_entered_can_be_listed_and_taken_out_even_when_due():
    """A cancelled item is not looked at, be it waiting or already due."""
    wheel = Wheel(0.0)
    later, due, other = Item(), Item(), Item()
    slots = {item: wheel.schedule(item, at_s) for item, at_s in ((later, 20), (due, 3), (other, 3))}
    wheel.turn(3, 0)
    assert set(wheel) == {later, due, other}
    for item in (later, due, due):
        wheel.cancel(item, slots[item])
    assert list(wheel) == [other]
    wheel.turn(30)
    assert (later.checks, due.checks, other.checks) == ([], [], [30])
