"""One delivery, from claim to outcome: what is sent, what is retried, what nobody knows. Called by dispatch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from connectors.base import Account, Charge, Connector
from connectors.buckets import Buckets
from connectors.outbox import DeliveryStore
from connectors.outcomes import (
    ASK_AGAIN,
    CALL_TIMEOUT_S,
    HOLD_S,
    LAST_RECHECK,
    LEASE_S,
    LOST,
    NOT_RENDERED,
    RECORD_AGAIN_S,
    REMOVED,
    STOP_ASKING_AFTER,
    WAIT,
    Counters,
    Outcomes,
    Step,
    throttle_wait_s,
)
from connectors.reach import Reach
from connectors.traces import OutboundTraces
from hub import clock, log
from hub.errors import (
    ConnectorError,
    ConnectorErrorInfo,
    ErrorClass,
    HubError,
    NotFound,
    Unavailable,
)
from hub.inbox.deliveries import Claimed, Due
from hub.metrics import Distribution
from hub.tracing import NO_TRACER, Attributes, Tracer


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


class Attempts:
    """
    Carries out deliveries; holds nothing of a delivery between two of them.

    Args:
        store: Where deliveries are claimed and settled.
        buckets: Rate limits.
        open_account: Finds account and connector.
        now: The wall clock; tests move it.
        missing_for_s: How long an account must be unknown before its messages fail.
        tracer: Follows each delivery.

    Attributes:
        traces: Of what queued the messages, where the process hears of it.
    """

    def __init__(
        self,
        store: DeliveryStore,
        buckets: Buckets,
        open_account: OpenAccount,
        now: Callable[[], datetime] = clock.now,
        missing_for_s: float = 120.0,
        *,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._missing_for_s = missing_for_s
        self.counters = Counters()
        self.traces = OutboundTraces()
        self._tracer = tracer
        self._outcomes = Outcomes(store, now, self.counters)
        self._store = store
        self._buckets = buckets
        self._open_account = open_account
        self._now = now
        # How often in a row a vendor said "too fast" without saying for how long, by bucket.
        self._throttled: dict[str, int] = {}
        self._missing_since_s: dict[UUID, float] = {}
        self._log = log.get_logger("dispatch")
        self._reach = Reach(self._log, clock.monotonic_s)

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
        attributes: Attributes = {"hub.channel": wanted.channel, "hub.message_id": str(wanted.message_id)}
        parent = self.traces.of(wanted.message_id)
        with self._tracer.span("dispatch", kind="consumer", parent=parent, attributes=attributes):
            if claimed.was_sending:
                step = self._outcomes.lose(claimed, LOST)
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
            return self._outcomes.conclude(claimed, error.info)
        except Exception as error:  # loop: nothing was sent, so this one message fails and the others go on
            self._note(claimed, "render failed", type(error).__name__)
            return self._outcomes.conclude(claimed, NOT_RENDERED)
        wait_s = await self._take(charges, may_hold=claimed.due.priority == "interactive")
        if wait_s > 0:
            return self._outcomes.put_back(claimed, wait_s, WAIT)
        try:
            with self._call(claimed.due.channel):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    result = await connector.send(account, claimed.outbound, calls)
        except Exception as error:  # loop: whatever a vendor's SDK raises is an outcome of this message
            info = connector.classify(error)
            if not self._reach.failed(claimed.due, info):
                self._note(claimed, "send refused", f"{info.klass.value} {info.code}")
            if info.klass is ErrorClass.RATE_LIMITED:
                return self._outcomes.put_back(claimed, await self._penalise(info, charges), info)
            if info.klass is ErrorClass.AUTH and await self._has_newer_keys(account, claimed):
                return self._outcomes.put_back(claimed, 0.0, info)
            return self._outcomes.conclude(claimed, info)
        self._reach.answered(claimed.due)
        for charge in charges:
            self._throttled.pop(charge.key, None)
        self.counters.sent += 1
        return lambda: self._store.mark_sent(claimed, result)

    @contextmanager
    def _call(self, channel: str) -> Iterator[None]:
        """Time one call to a vendor, and make it a step of the trace."""
        began_s = clock.monotonic_s()
        try:
            with self._tracer.span("vendor.send", kind="client", attributes={"hub.channel": channel}):
                yield
        finally:
            taken_s = clock.monotonic_s() - began_s
            self.counters.call_seconds.setdefault(channel, Distribution()).observe(taken_s)

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
        wait_s = throttle_wait_s(streak, info.retry_after_s)
        for key in keys:
            self._throttled[key] = streak
            await self._buckets.penalise(key, wait_s)
        return wait_s

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
                return self._outcomes.stop_account(claimed, info)
            if age < STOP_ASKING_AFTER:
                return self._outcomes.ask_again(claimed, ASK_AGAIN)
            return self._outcomes.apply_policy(claimed, connector)
        if result is not None:
            return self._outcomes.believe(claimed, result)
        if age < LAST_RECHECK:
            return self._outcomes.ask_again(claimed, LAST_RECHECK - age)
        return self._outcomes.apply_policy(claimed, connector)

    async def _drop(self, wanted: Due) -> bool:
        """End a delivery whose account is gone; one just connected may be missing from a cache for a minute."""
        since_s = self._missing_since_s.setdefault(wanted.channel_account_id, clock.monotonic_s())
        if clock.monotonic_s() - since_s < self._missing_for_s:
            raise Unavailable("The channel account is not known here.")
        claimed = await self._store.claim(wanted, LEASE_S)
        if claimed is None:
            return False
        if claimed.was_sending or claimed.was_unknown:
            await self._store.leave_unknown(claimed, REMOVED)
        else:
            await self._outcomes.fail(claimed, REMOVED)()
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
