"""What follows from a vendor's answer: the step that records it, and when the delivery is looked at again."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from connectors.base import Connector
from connectors.outbox import DeliveryStore
from hub.envelope import DeliveryStatus, SendResult
from hub.errors import Conflict, ConnectorErrorInfo, ErrorClass
from hub.inbox.deliveries import Claimed
from hub.metrics import Distribution

# Longer than everything between claim and record: waiting for a token, the call, a database that is away for a while.
LEASE_S = 120
CALL_TIMEOUT_S = 40.0
HOLD_S = 5.0
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 600.0
LONGEST_THROTTLE_S = 60.0
GIVE_UP_AFTER = timedelta(hours=24)
FIRST_RECHECK = timedelta(seconds=20)
LAST_RECHECK = timedelta(seconds=120)
RECORD_AGAIN_S = 0.5
REST_S = 2.0
ASK_AGAIN = timedelta(seconds=60)
STOP_ASKING_AFTER = timedelta(minutes=15)

LOST = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "interrupted", "Sending was interrupted; it may have been sent.")
NOT_CONFIRMED = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "not_confirmed", "The channel did not confirm the message.")
REFUSED_LATER = ConnectorErrorInfo(ErrorClass.PERMANENT, "failed", "The channel says that the message failed.")
REMOVED = ConnectorErrorInfo(ErrorClass.ACCOUNT, "removed", "The channel account was removed.")
NOT_RENDERED = ConnectorErrorInfo(ErrorClass.PERMANENT, "render", "The message could not be prepared for this channel.")
WAIT = ConnectorErrorInfo(ErrorClass.RATE_LIMITED, "bucket", "Waiting for the channel's rate limit.")


# Records one outcome; made once, run until the database has it.
Step = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Counters:
    """Since the process began, for /metrics; ``call_seconds``: how long vendors took, by channel."""

    sent: int = 0
    failed: int = 0
    retried: int = 0
    rate_limited: int = 0
    unknown: int = 0
    reconciled: int = 0
    left_unknown: int = 0
    accounts_stopped: int = 0
    errors: int = 0
    call_seconds: dict[str, Distribution] = field(default_factory=dict)


class Outcomes:
    """
    Makes the steps that record outcomes.

    Args:
        store: Where they are recorded.
        now: The wall clock.
        counters: Counts them.
    """

    def __init__(self, store: DeliveryStore, now: Callable[[], datetime], counters: Counters) -> None:
        self._store = store
        self._now = now
        self._counters = counters

    def conclude(self, claimed: Claimed, info: ConnectorErrorInfo, schedule_s: Sequence[int] = ()) -> Step:
        """Do with a refused message what its error class asks for; ``schedule_s`` is the channel's, if it has one."""
        match info.klass:
            case ErrorClass.RETRYABLE if schedule_s:
                return self._retry_on_schedule(claimed, info, schedule_s)
            case ErrorClass.RETRYABLE:
                return self.retry(claimed, info)
            case ErrorClass.RATE_LIMITED:
                return self.put_back(claimed, info.retry_after_s or FIRST_RETRY_S, info)
            case ErrorClass.AMBIGUOUS:
                return self.lose(claimed, info)
            case ErrorClass.AUTH | ErrorClass.ACCOUNT:
                return self.stop_account(claimed, info)
            case _:
                return self.fail(claimed, info)

    def fail(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        """End it, with the reason."""
        self._counters.failed += 1
        return lambda: self._store.mark_failed(claimed, info)

    def retry(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        """Try again with doubling, jittered pauses; certainly not sent, so this is safe."""
        pause_s = retry_pause_s(claimed.outbound.attempt, info.retry_after_s)
        if self._is_too_old(claimed, pause_s):
            return self.fail(claimed, info)
        self._counters.retried += 1
        due_at = self._now() + timedelta(seconds=pause_s)
        return lambda: self._store.retry_later(claimed, due_at, info, charge_attempt=True)

    def _retry_on_schedule(self, claimed: Claimed, info: ConnectorErrorInfo, schedule_s: Sequence[int]) -> Step:
        """Try again when the channel's schedule says so; nothing was sent. After its last pause the message fails."""
        tries = claimed.outbound.attempt
        if tries > len(schedule_s):
            words = f"{info.message} Given up after {tries} tries."
            return self.fail(claimed, msgspec.structs.replace(info, message=words))
        self._counters.retried += 1
        due_at = self._now() + timedelta(seconds=max(schedule_s[tries - 1], info.retry_after_s or 0.0))
        return lambda: self._store.retry_later(claimed, due_at, info, charge_attempt=True)

    def put_back(self, claimed: Claimed, wait_s: float, info: ConnectorErrorInfo) -> Step:
        """Wait without charging an attempt: the vendor, or our own bucket, only said "later"."""
        if self._is_too_old(claimed, wait_s):
            return self.fail(claimed, info)
        self._counters.rate_limited += 1
        due_at = self._now() + timedelta(seconds=spread_s(wait_s))
        return lambda: self._store.retry_later(claimed, due_at, info, charge_attempt=False)

    def lose(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        """Call it unknown, and ask the vendor soon unless a receipt comes first."""
        self._counters.unknown += 1
        recheck_at = self._now() + FIRST_RECHECK
        return lambda: self._store.mark_unknown(claimed, recheck_at, info)

    def stop_account(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        """Keep the message for when the account works again; until then nothing of it is due."""
        self._counters.accounts_stopped += 1
        due_at = self._now()

        async def step() -> None:
            await self._store.stop_account(claimed.due, info)
            if claimed.was_unknown:
                await self._store.mark_unknown(claimed, due_at, info)
            else:
                await self._store.retry_later(claimed, due_at, info, charge_attempt=False)

        return step

    def ask_again(self, claimed: Claimed, pause: timedelta) -> Step:
        """Leave it unknown for now."""
        recheck_at = self._now() + pause
        return lambda: self._store.mark_unknown(claimed, recheck_at, NOT_CONFIRMED)

    def believe(self, claimed: Claimed, result: SendResult) -> Step:
        """Take the vendor's later word on an unknown message."""
        self._counters.reconciled += 1
        if result.status is DeliveryStatus.FAILED:
            return self.fail(claimed, REFUSED_LATER)

        async def step() -> None:
            try:
                await self._store.mark_sent(claimed, result)
            except Conflict:
                # What the vendor has is another message of ours with the same text.
                await self._store.leave_unknown(claimed, NOT_CONFIRMED)

        return step

    def apply_policy(self, claimed: Claimed, connector: Connector) -> Step:
        """Nobody knows: a channel whose vendor drops doubles sends again, any other leaves it to a person."""
        schedule_s, tries = connector.manifest.retry_after_s, claimed.outbound.attempt
        may_repeat = tries <= len(schedule_s) if schedule_s else not self._is_too_old(claimed, 0.0)
        if may_repeat and connector.manifest.unknown_policy == "at_least_once":
            self._counters.retried += 1
            begun_at = claimed.outbound.attempted_at or self._now()
            due_at = begun_at + timedelta(seconds=schedule_s[tries - 1]) if schedule_s else self._now()
            return lambda: self._store.retry_later(claimed, due_at, NOT_CONFIRMED, charge_attempt=True)
        self._counters.left_unknown += 1
        return lambda: self._store.leave_unknown(claimed, NOT_CONFIRMED)

    def _is_too_old(self, claimed: Claimed, pause_s: float) -> bool:
        return self._now() + timedelta(seconds=pause_s) - claimed.queued_at > GIVE_UP_AFTER


def retry_pause_s(attempt: int, retry_after_s: float | None) -> float:
    """
    Say how long to wait before the next try.

    Args:
        attempt: Tries so far, 1 or more.
        retry_after_s: What the vendor asked for; never undercut.

    Returns:
        Seconds: doubling from 1 to 600, spread over the upper half so that a vendor's return is no stampede.
    """
    longest_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempt - 1, 20))
    return max(FIRST_RETRY_S, longest_s * random.uniform(0.5, 1.0), retry_after_s or 0.0)  # noqa: S311  no secret


def throttle_wait_s(streak: int, retry_after_s: float | None) -> float:
    """
    Say how long a bucket is closed.

    Args:
        streak: How often in a row the vendor said "too fast", 1 or more.
        retry_after_s: What the vendor asked for, if it did.

    Returns:
        Seconds: the vendor's, else doubling from 1 to 60.
    """
    return min(LONGEST_THROTTLE_S, 2.0 ** min(streak - 1, 10)) if retry_after_s is None else retry_after_s


def spread_s(wait_s: float) -> float:
    """Lengthen a wait by up to a tenth, so that all who wait for one bucket do not come back at once."""
    return wait_s * random.uniform(1.0, 1.1)  # noqa: S311  no secret
