"""When a vendor that fails is left alone, for how long, and what a probe decides."""

from __future__ import annotations

from uuid import UUID

import pytest

from connectors.breaker import ACCOUNTS, FAILURES, FIRST_PAUSE_S, LONGEST_PAUSE_S, WINDOW_S, Breaker

ONE = UUID(int=1)


class Bench:
    """A breaker whose clock moves when told."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.breaker = Breaker(lambda: self.now_s, lambda _low, high: high)

    def fail(self, account: UUID = ONE, times: int = FAILURES) -> list[bool]:
        return [self.breaker.failed(account, "sms") for _ in range(times)]

    def may(self, account: UUID = ONE) -> bool:
        return self.breaker.may_call(account, "sms")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_opens_once_after_failures_in_a_row(bench):
    """The fifth failure opens it, said once; until then, and for other accounts, calls go on."""
    assert bench.fail(times=FAILURES - 1) == [False] * (FAILURES - 1)
    assert bench.may()
    assert bench.fail(times=2) == [True, False]
    assert not bench.may()
    assert bench.may(UUID(int=2))
    assert (bench.breaker.waiting(), bench.breaker.count_open()) == ([ONE], (1, 0))


def test_failures_far_apart_do_not_open_it(bench):
    """An answer between them, or more than the window, and they are no outage."""
    for _ in range(FAILURES * 3):
        bench.now_s += WINDOW_S / (FAILURES - 1) + 1
        assert bench.fail(times=1) == [False]
    bench.fail(UUID(int=2), FAILURES - 1)
    bench.breaker.answered(UUID(int=2), "sms")
    assert bench.fail(UUID(int=2), FAILURES - 1) == [False] * (FAILURES - 1)


def test_one_probe_after_the_pause_decides(bench):
    """After the pause one call begins and others wait; its failure doubles the pause, its answer closes the breaker."""
    bench.fail()
    for pause_s in (FIRST_PAUSE_S, FIRST_PAUSE_S * 2, FIRST_PAUSE_S * 4):
        bench.now_s += pause_s - 1
        assert not bench.may()
        bench.now_s += 1
        assert bench.may()
        bench.breaker.began(ONE, "sms")
        assert not bench.may()
        bench.fail(times=1)
        bench.breaker.ended(ONE, "sms")
        assert not bench.may()
    bench.now_s += FIRST_PAUSE_S * 8
    bench.breaker.began(ONE, "sms")
    bench.breaker.answered(ONE, "sms")
    bench.breaker.ended(ONE, "sms")
    assert bench.may()
    assert bench.breaker.count_open() == (0, 0)


def test_pause_has_a_longest(bench):
    """However long a vendor is away, it is tried again every five minutes."""
    bench.fail()
    for _ in range(20):
        bench.now_s += LONGEST_PAUSE_S
        assert bench.may()
        bench.fail(times=1)


def test_calls_under_way_when_it_opened_do_not_lengthen_the_pause(bench):
    """Eight calls that fail together count as one outage, not as eight pauses."""
    bench.fail(times=FAILURES + 8)
    bench.now_s += FIRST_PAUSE_S
    assert bench.may()


def test_many_accounts_alike_open_the_channel(bench):
    """Accounts that never failed are spared too; one that is answered closes it for all."""
    for number in range(ACCOUNTS):
        bench.fail(UUID(int=10 + number))
    assert not bench.may(ONE)
    assert bench.breaker.may_call(ONE, "mail")
    assert bench.breaker.count_open() == (ACCOUNTS, 1)
    bench.now_s += FIRST_PAUSE_S
    bench.breaker.answered(UUID(int=10), "sms")
    assert bench.may(ONE)


def test_a_probe_that_taught_nothing_frees_the_place(bench):
    """A probe that was put back by a rate limit does not hold the account for ever."""
    bench.fail()
    bench.now_s += FIRST_PAUSE_S
    bench.breaker.began(ONE, "sms")
    bench.breaker.ended(ONE, "sms")
    assert bench.may()
