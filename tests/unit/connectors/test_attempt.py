"""What becomes of one delivery, for everything a vendor can answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
import structlog

from connectors.attempt import Attempts
from connectors.base import Account, Connector, Limit
from connectors.buckets import MemoryBuckets
from hub.envelope import DeliveryStatus, SendResult
from hub.errors import ErrorClass, NotFound, Unavailable
from hub.inbox.wanted import WantedAct
from tests.fake_outbox import ACCOUNT, FakeClock, FakeOutbox, Row, ScriptedVendor, make_account, refuse


class Bench:
    """An outbox with one queued message, a scripted vendor, and time that moves when told."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.outbox = FakeOutbox(self.clock)
        self.vendor = ScriptedVendor()
        self.buckets = MemoryBuckets(lambda: self.clock.time.timestamp())
        self.keys = {"token": "old"}
        self.fresh_keys = self.keys
        self.is_missing = False
        self.attempts = Attempts(self.outbox, self.buckets, self._open, self.clock, missing_for_s=0.05)
        self.row = self.outbox.add("Hi")

    async def _open(self, channel_account_id: UUID, *, fresh: bool = False) -> tuple[Account, Connector]:
        if self.is_missing:
            raise NotFound("channel account")
        keys = self.fresh_keys if fresh else self.keys
        return make_account(channel_account_id, **keys), self.vendor.connector()

    async def step(self) -> bool:
        """Carry out what is due; False when nothing was."""
        wanted = await self.outbox.due(self.clock(), 10, ())
        return bool([await self.attempts.deliver(one) for one in wanted])

    def wait(self, row: Row | None = None) -> float:
        """Seconds until the row is due."""
        return ((row or self.row).due_at - self.clock()).total_seconds()


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_sending_is_committed_before_the_call(bench):
    """When the vendor is called, the outbox already says so; afterwards it says sent, with the vendor's id."""
    seen = []
    bench.vendor.before_send = lambda _message: seen.append((bench.row.state, bench.row.lease_until is not None))
    await bench.step()
    assert seen == [("sending", True)]
    assert (bench.row.state, bench.row.result) == ("sent", SendResult((f"vendor-{bench.row.due.message_id}",)))
    assert bench.attempts.counters.sent == 1


@pytest.mark.parametrize(
    "klass",
    [
        ErrorClass.PERMISSION,
        ErrorClass.WINDOW_CLOSED,
        ErrorClass.RECIPIENT,
        ErrorClass.CONTENT,
        ErrorClass.UNSUPPORTED,
        ErrorClass.PERMANENT,
    ],
)
async def test_refusals_fail_with_the_reason(bench, klass):
    """A refusal is final, and its words are kept."""
    bench.vendor.answers = [refuse(klass)]
    await bench.step()
    assert bench.row.state == "failed"
    assert bench.row.info is not None
    assert bench.row.info.message == f"Because of {klass.value}."
    bench.clock.move(days=2)
    assert not await bench.step()


async def test_retryable_is_tried_again_with_growing_pauses(bench):
    """Pauses double from a second to ten minutes, jittered, each try charged; the message goes out in the end."""
    pauses = []
    bench.vendor.answers = [refuse(ErrorClass.RETRYABLE) for _ in range(14)]
    for _ in range(14):
        await bench.step()
        assert bench.row.state == "queued"
        pauses.append(bench.wait())
        assert not await bench.step()
        bench.clock.move(seconds=bench.wait())
    await bench.step()
    assert bench.row.state == "sent"
    assert bench.row.outbound.attempt == 15
    for number, pause in enumerate(pauses):
        assert max(1.0, min(600, 2**number) / 2) <= pause <= min(600, 2**number)


async def test_retryable_waits_as_long_as_the_vendor_says(bench):
    """Retry-After of a 503 is obeyed."""
    bench.vendor.answers = [refuse(ErrorClass.RETRYABLE, after_s=42)]
    await bench.step()
    assert bench.wait() == 42


async def test_retryable_gives_up_after_a_day(bench):
    """A message is not sent a day late."""
    bench.clock.move(hours=23, minutes=59, seconds=59.5)
    bench.vendor.answers = [refuse(ErrorClass.RETRYABLE)]
    await bench.step()
    assert bench.row.state == "failed"


async def test_throttle_drains_the_bucket_and_charges_no_attempt(bench):
    """ "Too fast" holds back everybody of that bucket, and does not count as a try."""
    bench.vendor.limits = (Limit(rate=100, per_s=1, burst=100),)
    bench.vendor.answers = [refuse(ErrorClass.RATE_LIMITED, after_s=30)]
    other = bench.outbox.add("Other", thread="u")
    first = await bench.outbox.due(bench.clock(), 1, ())
    await bench.attempts.deliver(first[0])
    assert (bench.row.state, bench.row.charged) == ("queued", 0)
    assert 30 <= bench.wait() <= 33
    await bench.step()
    assert bench.vendor.sent == ["Hi"]
    assert 30 <= bench.wait(other) <= 33
    bench.clock.move(seconds=34)
    await bench.step()
    assert bench.outbox.states() == ["sent", "sent"]
    assert bench.row.outbound.attempt == 1


async def test_throttle_of_a_named_bucket_leaves_the_others(bench):
    """Only the bucket the vendor named is drained."""
    bench.vendor.limits = (Limit(rate=100, per_s=1, burst=100),)
    bench.vendor.answers = [refuse(ErrorClass.RATE_LIMITED, after_s=30, bucket="another")]
    await bench.step()
    bench.outbox.add("Other", thread="u")
    await bench.step()
    assert bench.vendor.sent == ["Hi", "Other"]


async def test_throttle_without_a_time_waits_longer_each_time(bench):
    """1, 2, 4 … at most 60 seconds; a success starts over."""
    bench.vendor.limits = (Limit(rate=100, per_s=1, burst=100),)
    bench.vendor.answers = [refuse(ErrorClass.RATE_LIMITED) for _ in range(8)]
    waits = []
    for _ in range(8):
        await bench.step()
        waits.append(bench.wait())
        bench.clock.move(seconds=bench.wait())
    for wait, expected in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert expected <= wait <= expected * 1.1
    await bench.step()
    assert bench.row.state == "sent"


async def test_empty_bucket_puts_bulk_back_uncharged(bench):
    """Bulk does not hold a place while it waits for tokens."""
    bench.vendor.limits = (Limit(rate=1, per_s=100, burst=1),)
    await bench.step()
    bulk = bench.outbox.add("Bulk", thread="u", priority="bulk")
    await bench.step()
    assert (bulk.state, bulk.charged, bench.vendor.sent) == ("queued", 0, ["Hi"])
    assert 100 <= bench.wait(bulk) <= 110


async def test_interactive_waits_a_moment_for_its_token():
    """A member's reply is not put off for a wait of milliseconds."""
    bench = Bench()
    bench.vendor.limits = (Limit(rate=20, per_s=1, burst=1),)
    bench.attempts = Attempts(bench.outbox, MemoryBuckets(), bench._open, bench.clock)
    bench.outbox.add("Second", thread="u")
    await bench.step()
    assert bench.outbox.states() == ["sent", "sent"]


@pytest.mark.parametrize("error", [refuse(ErrorClass.AMBIGUOUS), TimeoutError(), KeyError("sid"), ValueError("html")])
async def test_ambiguous_is_unknown_and_never_repeated(bench, error):
    """A lost answer, or any surprise, is called unknown; asked about, but not sent again."""
    bench.vendor.answers = [error]
    await bench.step()
    assert bench.row.state == "unknown"
    for _ in range(20):
        bench.clock.move(seconds=30)
        await bench.step()
    assert bench.vendor.sent == ["Hi"]
    assert bench.row.state == "left"
    assert bench.attempts.counters.left_unknown == 1


async def test_unknown_is_asked_about_then_left_after_two_minutes(bench):
    """First after 20 seconds, last at 120; then a person decides."""
    bench.vendor.answers = [refuse(ErrorClass.AMBIGUOUS)]
    await bench.step()
    started = bench.clock()
    assert bench.wait() == 20
    bench.clock.move(seconds=20)
    await bench.step()
    assert (bench.row.state, bench.row.due_at - started) == ("unknown", timedelta(seconds=120))
    bench.clock.move(seconds=100)
    await bench.step()
    assert (bench.row.state, bench.vendor.asked) == ("left", ["Hi", "Hi"])


async def test_unknown_blocks_its_thread_until_it_is_left(bench):
    """The next message of the thread waits, another thread does not."""
    bench.vendor.answers = [refuse(ErrorClass.AMBIGUOUS)]
    await bench.step()
    bench.outbox.add("Next")
    bench.outbox.add("Elsewhere", thread="u")
    await bench.step()
    assert bench.vendor.sent == ["Hi", "Elsewhere"]
    for _ in range(3):
        bench.clock.move(seconds=120)
        await bench.step()
    assert bench.vendor.sent == ["Hi", "Elsewhere", "Next"]


async def test_unknown_that_the_vendor_has_is_sent(bench):
    """The vendor's word settles it."""
    bench.vendor.answers, bench.vendor.found = [refuse(ErrorClass.AMBIGUOUS)], [SendResult(("v1",))]
    await bench.step()
    bench.clock.move(seconds=20)
    await bench.step()
    assert (bench.row.state, bench.row.result) == ("sent", SendResult(("v1",)))
    assert bench.attempts.counters.reconciled == 1


async def test_unknown_that_the_vendor_failed_is_failed(bench):
    """The vendor says it did not work."""
    bench.vendor.answers = [refuse(ErrorClass.AMBIGUOUS)]
    bench.vendor.found = [SendResult(("v1",), DeliveryStatus.FAILED)]
    await bench.step()
    bench.clock.move(seconds=20)
    await bench.step()
    assert bench.row.state == "failed"


async def test_unknown_that_is_another_message_of_ours_is_left(bench):
    """The vendor's id is already another message's: no false tick."""
    bench.vendor.answers, bench.vendor.found = [refuse(ErrorClass.AMBIGUOUS)], [SendResult(("v1",))]
    bench.outbox.taken_external_ids.add("v1")
    await bench.step()
    bench.clock.move(seconds=20)
    await bench.step()
    assert bench.row.state == "left"


async def test_unknown_is_asked_longer_while_the_vendor_is_away(bench):
    """Not being able to ask is no answer: asked each minute for a quarter of an hour."""
    bench.vendor.answers = [refuse(ErrorClass.AMBIGUOUS)]
    bench.vendor.found = [refuse(ErrorClass.RETRYABLE) for _ in range(5)] + [SendResult(("v1",))]
    await bench.step()
    bench.clock.move(seconds=20)
    for _ in range(6):
        await bench.step()
        bench.clock.move(seconds=60)
    assert bench.row.state == "sent"
    late = bench.outbox.add("Late")
    bench.vendor.answers, bench.vendor.found = [refuse(ErrorClass.AMBIGUOUS)], [refuse(ErrorClass.RETRYABLE)]
    await bench.step()
    bench.clock.move(minutes=15)
    await bench.step()
    assert late.state == "left"


async def test_unknown_of_a_channel_that_may_repeat_is_sent_again(bench):
    """Where the vendor drops doubles itself, an unknown goes out again."""
    bench.vendor.policy = "at_least_once"
    bench.vendor.answers = [refuse(ErrorClass.AMBIGUOUS)]
    await bench.step()
    bench.clock.move(seconds=120)
    await bench.step()
    assert bench.row.state == "queued"
    await bench.step()
    assert (bench.row.state, bench.vendor.sent) == ("sent", ["Hi", "Hi"])


async def test_expired_lease_is_unknown_not_sent_again(bench):
    """The sender before us vanished in the middle of the call."""
    await bench.outbox.claim(bench.row.due, 60)
    bench.clock.move(seconds=61)
    await bench.step()
    assert (bench.row.state, bench.vendor.sent) == ("unknown", [])


@pytest.mark.parametrize("klass", [ErrorClass.AUTH, ErrorClass.ACCOUNT])
async def test_refused_keys_stop_the_account_and_keep_its_queue(bench, klass):
    """The account says why in words; its messages wait, uncharged, and go out once it works again."""
    bench.vendor.answers = [refuse(klass)]
    bench.outbox.add("Next", thread="u")
    await bench.attempts.deliver(bench.row.due)
    assert bench.outbox.stopped == {ACCOUNT: f"Because of {klass.value}."}
    assert (bench.row.state, bench.row.charged) == ("queued", 0)
    bench.clock.move(hours=1)
    assert not await bench.step()
    bench.outbox.stopped.clear()
    await bench.step()
    assert bench.outbox.states() == ["sent", "sent"]


async def test_refused_keys_that_were_just_mended_stop_nothing(bench):
    """Only our cache was old: the message goes out with the new keys."""
    bench.vendor.answers = [refuse(ErrorClass.AUTH)]
    bench.fresh_keys = {"token": "new"}
    await bench.step()
    assert (bench.outbox.stopped, bench.row.state) == ({}, "queued")
    await bench.step()
    assert bench.row.state == "sent"


async def test_what_cannot_be_rendered_fails_without_a_call(bench):
    """Refused by the channel's own rules, or by a bug in them: that message fails, nothing is sent."""
    bench.vendor.render_error = refuse(ErrorClass.CONTENT)
    await bench.step()
    bench.vendor.render_error = KeyError("phone_number")
    second = bench.outbox.add("Second")
    await bench.step()
    assert bench.vendor.sent == []
    assert (bench.row.state, second.state) == ("failed", "failed")


async def test_outcome_is_recorded_once_the_database_is_back(bench):
    """A database that is away for a moment does not turn a sent message into an unknown one."""
    bench.outbox.away_records = 2
    await bench.step()
    assert (bench.row.state, bench.vendor.sent) == ("sent", ["Hi"])


async def test_missing_account_fails_only_after_a_while(bench):
    """An account just connected may be missing from a cache; one that stays missing was removed."""
    bench.is_missing = True
    with pytest.raises(Unavailable):
        await bench.attempts.deliver(bench.row.due)
    assert bench.row.state == "queued"
    await asyncio.sleep(0.06)
    await bench.attempts.deliver(bench.row.due)
    assert bench.row.state == "failed"
    assert bench.row.info is not None
    assert bench.row.info.message == "The channel account was removed."


async def test_vendor_that_is_away_is_one_line_and_so_is_its_return(bench):
    """However many messages wait for a vendor, the log says once that it is away and once that it is back."""
    away = [refuse(ErrorClass.RETRYABLE), refuse(ErrorClass.AMBIGUOUS), refuse(ErrorClass.RETRYABLE)]
    others = [bench.outbox.add(f"Me too {number}") for number in range(2)]
    bench.vendor.answers = [*away, *[refuse(ErrorClass.RETRYABLE) for _ in range(5)]]
    with structlog.testing.capture_logs() as lines:
        for _ in range(4):
            await bench.step()
            bench.clock.move(seconds=30)
        assert [line["event"] for line in lines] == ["channel_unavailable"]
        bench.vendor.answers = []
        for _ in range(30):
            await bench.step()
            bench.clock.move(minutes=1)
        assert [line["event"] for line in lines] == ["channel_unavailable", "channel_available_again"]
    assert {line["log_level"] for line in lines} == {"warning"}
    assert {line["channel_account_id"] for line in lines} == {str(ACCOUNT)}
    assert "Me too" not in str(lines)
    assert {row.state for row in others} <= {"sent", "unknown"}


async def test_vendor_that_refuses_one_message_is_there(bench):
    """A refused message says nothing about the vendor's health, and ends an outage."""
    other = bench.outbox.add("Me too")
    bench.vendor.answers = [refuse(ErrorClass.RETRYABLE), refuse(ErrorClass.CONTENT)]
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await bench.step()
            bench.clock.move(minutes=1)
    warned = [line["event"] for line in lines if line["log_level"] == "warning"]
    assert warned == ["channel_unavailable", "channel_available_again"]
    assert other.state in ("failed", "sent")


# ── edits, deletions, reactions, reading marks ──────────────────────────────────────────────────────────────────


def want_edit(bench, *, external_id: str = "m1") -> None:
    """Make the queued row an edit instead of a send."""
    bench.row.act = WantedAct(id=bench.row.due.id, kind="edit", text="Two", external_id=external_id)


async def test_act_is_done_instead_of_a_send(bench):
    """The connector gets what is to be done and where; nothing is sent."""
    want_edit(bench)

    await bench.step()

    (act,) = bench.vendor.acts
    assert (act.kind, act.text, act.external_id, act.thread_key) == ("edit", "Two", "m1", "t")
    assert (bench.row.state, bench.vendor.sent) == ("sent", [])


@pytest.mark.parametrize(
    ("klass", "state"),
    [
        (ErrorClass.PERMANENT, "failed"),
        (ErrorClass.UNSUPPORTED, "failed"),
        (ErrorClass.RETRYABLE, "queued"),
        (ErrorClass.RATE_LIMITED, "queued"),
        (ErrorClass.AMBIGUOUS, "queued"),
        (ErrorClass.AUTH, "queued"),
    ],
)
async def test_act_follows_the_error_classes(bench, klass, state):
    """Refused for good it fails; doubt means again, and refused keys keep it until somebody mends them."""
    want_edit(bench)
    bench.vendor.answers = [refuse(klass)]

    await bench.step()

    assert bench.row.state == state
    assert (ACCOUNT in bench.outbox.stopped) is (klass is ErrorClass.AUTH)


async def test_act_about_a_message_the_vendor_does_not_know_fails(bench):
    """A message that never got out cannot be edited there: no call is made."""
    want_edit(bench, external_id="")

    await bench.step()

    assert (bench.row.state, bench.row.info.code, bench.vendor.acts) == ("failed", "never_sent", [])


async def test_a_channels_schedule_replaces_growing_pauses_and_then_it_fails(bench):
    """Each pause as the manifest says, the last failure in words; an old message is not cut short by the day's limit."""
    bench.vendor.retry_after_s = (5, 300, 90_000)
    bench.vendor.answers = [refuse(ErrorClass.RETRYABLE) for _ in range(4)]
    for pause_s in (5, 300, 90_000):
        await bench.step()
        assert bench.wait() == pause_s
        bench.clock.move(seconds=pause_s)
    await bench.step()
    assert bench.row.state == "failed"
    assert bench.row.info.message == "Because of retryable. Given up after 4 tries."


async def test_a_vendor_that_keeps_failing_is_shown_as_away_until_it_answers(bench):
    """Members are told once the breaker opens, and when the vendor answered."""
    bench.vendor.answers = [refuse(ErrorClass.RETRYABLE) for _ in range(5)]
    for _ in range(5):
        assert bench.outbox.reached == {}
        await bench.step()
        bench.clock.move(seconds=bench.wait())
    assert bench.outbox.reached == {ACCOUNT: False}
    assert bench.attempts.breaker.waiting() == [ACCOUNT]
    await bench.step()
    assert bench.outbox.reached == {ACCOUNT: True}
    assert bench.attempts.breaker.waiting() == []


async def test_a_window_that_closed_in_the_queue_fails_with_words_and_sends_nothing(bench):
    """The vendor is not asked: a message that waited too long fails here."""
    bench.vendor.window_s = 86_400
    await bench.step()
    assert bench.vendor.sent == []
    assert bench.row.state == "failed"
    assert bench.row.info.klass is ErrorClass.WINDOW_CLOSED
