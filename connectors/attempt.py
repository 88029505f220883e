"""One delivery, from claim to outcome: what is sent, what is retried, what nobody knows. Called by dispatch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from connectors.base import Account, Charge, Connector
from connectors.buckets import Buckets
from connectors.outbox import DeliveryStore
from hub import clock, log
from hub.envelope import DeliveryStatus, SendResult
from hub.errors import (
    Conflict,
    ConnectorError,
    ConnectorErrorInfo,
    ErrorClass,
    HubError,
    NotFound,
    Unavailable,
)
from hub.inbox.deliveries import Claimed, Due

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
ASK_AGAIN = timedelta(seconds=60)
STOP_ASKING_AFTER = timedelta(minutes=15)

_LOST = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "interrupted", "Sending was interrupted; it may have been sent.")
_NOT_CONFIRMED = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "not_confirmed", "The channel did not confirm the message.")
_REFUSED_LATER = ConnectorErrorInfo(ErrorClass.PERMANENT, "failed", "The channel says that the message failed.")
_REMOVED = ConnectorErrorInfo(ErrorClass.ACCOUNT, "removed", "The channel account was removed.")
_NOT_RENDERED = ConnectorErrorInfo(
    ErrorClass.PERMANENT, "render", "The message could not be prepared for this channel."
)
_WAIT = ConnectorErrorInfo(ErrorClass.RATE_LIMITED, "bucket", "Waiting for the channel's rate limit.")


# Records one outcome; made once, run until the database has it.
Step = Callable[[], Awaitable[None]]


class OpenAccount(Protocol):
    """Opens a channel account for the length of a call."""

    def __call__(self, channel_account_id: UUID, *, fresh: bool = False) -> Awaitable[tuple[Account, Connector]]:
        """
        Open an account.

        Args:
            channel_account_id: Which one.
            fresh: Read it anew, not from a cache.

        Returns:
            The account with its secrets, and its connector.

        Raises:
            NotFound: It was removed, or is so new that it is not known here yet.
        """
        ...


@dataclass(slots=True)
class Counters:
    """Since the process began, for /metrics."""

    sent: int = 0
    failed: int = 0
    retried: int = 0
    rate_limited: int = 0
    unknown: int = 0
    reconciled: int = 0
    left_unknown: int = 0
    accounts_stopped: int = 0
    errors: int = 0


class Attempts:
    """
    Carries out deliveries; holds nothing of a delivery between two of them.

    Args:
        store: Where deliveries are claimed and settled.
        buckets: Rate limits.
        open_account: Finds account and connector.
        now: The wall clock; tests move it.
        missing_for_s: How long an account must be unknown before its messages fail.
    """

    def __init__(
        self,
        store: DeliveryStore,
        buckets: Buckets,
        open_account: OpenAccount,
        now: Callable[[], datetime] = clock.now,
        missing_for_s: float = 120.0,
    ) -> None:
        self._missing_for_s = missing_for_s
        self.counters = Counters()
        self._store = store
        self._buckets = buckets
        self._open_account = open_account
        self._now = now
        # How often in a row a vendor said "too fast" without saying for how long, by bucket.
        self._throttled: dict[str, int] = {}
        self._missing_since_s: dict[UUID, float] = {}
        self._log = log.get_logger("dispatch")

    async def deliver(self, wanted: Due) -> bool:
        """
        Claim one delivery and bring it one step further.

        Args:
            wanted: A due delivery; whoever else takes it first has it.

        Returns:
            Whether it was ours; then the next one of its thread may be due.

        Raises:
            HubError: It could not be claimed, or its account not be opened, for now.
        """
        try:
            account, connector = await self._open_account(wanted.channel_account_id)
        except NotFound:
            return await self._drop(wanted)
        self._missing_since_s.pop(wanted.channel_account_id, None)
        claimed = await self._store.claim(wanted, LEASE_S)
        if claimed is None:
            return False
        lease_ends_s = clock.monotonic_s() + LEASE_S
        if claimed.was_sending:
            step = self._lose(claimed, _LOST)
        elif claimed.was_unknown:
            step = await self._ask(claimed, account, connector)
        else:
            step = await self._send(claimed, account, connector)
        await self._record(claimed, step, lease_ends_s)
        return True

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send(self, claimed: Claimed, account: Account, connector: Connector) -> Step:
        """Send a claimed message at most once; returns the step that records what came of it."""
        try:
            calls = connector.render(claimed.outbound, account)
            charges = tuple(connector.charges(account, claimed.outbound))
        except ConnectorError as error:
            return self._conclude(claimed, error.info)
        except Exception as error:  # loop: nothing was sent, so this one message fails and the others go on
            self._note(claimed, "render failed", type(error).__name__)
            return self._conclude(claimed, _NOT_RENDERED)
        wait_s = await self._take(charges, may_hold=claimed.due.priority == "interactive")
        if wait_s > 0:
            return self._put_back(claimed, wait_s, _WAIT)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                result = await connector.send(account, claimed.outbound, calls)
        except Exception as error:  # loop: whatever a vendor's SDK raises is an outcome of this message
            info = connector.classify(error)
            self._note(claimed, "send refused", f"{info.klass.value} {info.code}")
            if info.klass is ErrorClass.RATE_LIMITED:
                return self._put_back(claimed, await self._penalise(info, charges), info)
            if info.klass is ErrorClass.AUTH and await self._has_newer_keys(account, claimed):
                return self._put_back(claimed, 0.0, info)
            return self._conclude(claimed, info)
        for charge in charges:
            self._throttled.pop(charge.key, None)
        self.counters.sent += 1
        return lambda: self._store.mark_sent(claimed, result)

    async def _has_newer_keys(self, account: Account, claimed: Claimed) -> bool:
        """Say whether the refused keys were only our cache's: a member may just have mended them."""
        try:
            fresh, _ = await self._open_account(claimed.due.channel_account_id, fresh=True)
        except HubError:
            return False
        return fresh.credentials != account.credentials

    async def _take(self, charges: Sequence[Charge], *, may_hold: bool) -> float:
        """Take the tokens; a member's reply waits a little for them, bulk goes back into the queue at once."""
        give_up_s = clock.monotonic_s() + (HOLD_S if may_hold else 0.0)
        while (wait_s := await self._buckets.take(charges)) > 0:
            if clock.monotonic_s() + wait_s > give_up_s:
                return wait_s
            await asyncio.sleep(wait_s)
        return 0.0

    async def _penalise(self, info: ConnectorErrorInfo, charges: Sequence[Charge]) -> float:
        """Drain the bucket the vendor named, or all that were charged; returns the seconds to wait."""
        keys = [info.bucket] if info.bucket else [charge.key for charge in charges]
        streak = 1 + max((self._throttled.get(key, 0) for key in keys), default=0)
        wait_s = info.retry_after_s
        if wait_s is None:
            wait_s = min(LONGEST_THROTTLE_S, 2.0 ** min(streak - 1, 10))
        for key in keys:
            self._throttled[key] = streak
            await self._buckets.penalise(key, wait_s)
        return wait_s

    # ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────

    def _conclude(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        match info.klass:
            case ErrorClass.RETRYABLE:
                return self._retry(claimed, info)
            case ErrorClass.RATE_LIMITED:
                return self._put_back(claimed, info.retry_after_s or FIRST_RETRY_S, info)
            case ErrorClass.AMBIGUOUS:
                return self._lose(claimed, info)
            case ErrorClass.AUTH | ErrorClass.ACCOUNT:
                return self._stop_account(claimed, info)
            case _:
                return self._fail(claimed, info)

    def _fail(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        self.counters.failed += 1
        return lambda: self._store.mark_failed(claimed, info)

    def _retry(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        """Try again with doubling, jittered pauses; certainly not sent, so this is safe."""
        longest_s = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(claimed.outbound.attempt - 1, 20))
        pause_s = max(FIRST_RETRY_S, longest_s * random.uniform(0.5, 1.0), info.retry_after_s or 0.0)  # noqa: S311  no secret
        if self._is_too_old(claimed, pause_s):
            return self._fail(claimed, info)
        self.counters.retried += 1
        due_at = self._now() + timedelta(seconds=pause_s)
        return lambda: self._store.retry_later(claimed, due_at, info, charge_attempt=True)

    def _put_back(self, claimed: Claimed, wait_s: float, info: ConnectorErrorInfo) -> Step:
        """Wait without charging an attempt: the vendor, or our own bucket, only said "later"."""
        if self._is_too_old(claimed, wait_s):
            return self._fail(claimed, info)
        self.counters.rate_limited += 1
        due_at = self._now() + timedelta(seconds=wait_s * random.uniform(1.0, 1.1))  # noqa: S311  no secret
        return lambda: self._store.retry_later(claimed, due_at, info, charge_attempt=False)

    def _lose(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        self.counters.unknown += 1
        recheck_at = self._now() + FIRST_RECHECK
        return lambda: self._store.mark_unknown(claimed, recheck_at, info)

    def _stop_account(self, claimed: Claimed, info: ConnectorErrorInfo) -> Step:
        """Keep the message for when the account works again; until then nothing of it is due."""
        self.counters.accounts_stopped += 1
        due_at = self._now()

        async def step() -> None:
            await self._store.stop_account(claimed.due, info)
            if claimed.was_unknown:
                await self._store.mark_unknown(claimed, due_at, info)
            else:
                await self._store.retry_later(claimed, due_at, info, charge_attempt=False)

        return step

    def _is_too_old(self, claimed: Claimed, pause_s: float) -> bool:
        return self._now() + timedelta(seconds=pause_s) - claimed.queued_at > GIVE_UP_AFTER

    # ── messages nobody confirmed ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, claimed: Claimed, account: Account, connector: Connector) -> Step:
        """Ask the vendor about an unknown message; after the last time its channel's policy decides."""
        age = self._now() - (claimed.outbound.attempted_at or claimed.queued_at)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                result = await connector.reconcile(account, claimed.outbound)
        except Exception as error:  # loop: a vendor that cannot be asked is asked again
            info = connector.classify(error)
            self._note(claimed, "reconcile failed", f"{info.klass.value} {info.code}")
            if info.klass in (ErrorClass.AUTH, ErrorClass.ACCOUNT):
                return self._stop_account(claimed, info)
            if age < STOP_ASKING_AFTER:
                return self._ask_again(claimed, ASK_AGAIN)
            return self._apply_policy(claimed, connector)
        if result is not None:
            return self._believe(claimed, result)
        if age < LAST_RECHECK:
            return self._ask_again(claimed, LAST_RECHECK - age)
        return self._apply_policy(claimed, connector)

    def _ask_again(self, claimed: Claimed, pause: timedelta) -> Step:
        recheck_at = self._now() + pause
        return lambda: self._store.mark_unknown(claimed, recheck_at, _NOT_CONFIRMED)

    def _believe(self, claimed: Claimed, result: SendResult) -> Step:
        self.counters.reconciled += 1
        if result.status is DeliveryStatus.FAILED:
            return self._fail(claimed, _REFUSED_LATER)

        async def step() -> None:
            try:
                await self._store.mark_sent(claimed, result)
            except Conflict:
                # What the vendor has is another message of ours with the same text.
                await self._store.leave_unknown(claimed, _NOT_CONFIRMED)

        return step

    def _apply_policy(self, claimed: Claimed, connector: Connector) -> Step:
        may_repeat = connector.manifest.unknown_policy == "at_least_once" and not self._is_too_old(claimed, 0.0)
        if may_repeat:
            self.counters.retried += 1
            due_at = self._now()
            return lambda: self._store.retry_later(claimed, due_at, _NOT_CONFIRMED, charge_attempt=True)
        self.counters.left_unknown += 1
        return lambda: self._store.leave_unknown(claimed, _NOT_CONFIRMED)

    async def _drop(self, wanted: Due) -> bool:
        """End a delivery whose account is gone; one just connected may be missing from a cache for a minute."""
        since_s = self._missing_since_s.setdefault(wanted.channel_account_id, clock.monotonic_s())
        if clock.monotonic_s() - since_s < self._missing_for_s:
            raise Unavailable("The channel account is not known here.")
        claimed = await self._store.claim(wanted, LEASE_S)
        if claimed is None:
            return False
        if claimed.was_sending or claimed.was_unknown:
            await self._store.leave_unknown(claimed, _REMOVED)
        else:
            await self._fail(claimed, _REMOVED)()
        return True

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _record(self, claimed: Claimed, step: Step, lease_ends_s: float) -> None:
        """Record an outcome, over a database that is away; past the lease it is somebody else's, as unknown."""
        while True:
            try:
                await step()
            except Unavailable as error:
                if clock.monotonic_s() > lease_ends_s:
                    self._note(claimed, "outcome not recorded", error.message)
                    return
                await asyncio.sleep(RECORD_AGAIN_S)
            else:
                return

    def _note(self, claimed: Claimed, event: str, reason: str) -> None:
        self._log.info(
            event,
            workspace_id=claimed.due.workspace_id,
            delivery_id=str(claimed.due.id),
            channel=claimed.due.channel,
            reason=reason,
        )
