"""One delivery, from claim to outcome: what is sent, what is retried, what nobody knows. Called by dispatch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
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

# Longer than everything between claim and record: waiting for a token, the call, and a database that is away for a while.
LEASE_S = 90
CALL_TIMEOUT_S = 40.0
HOLD_S = 5.0
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 600.0
LONGEST_THROTTLE_S = 60.0
GIVE_UP_AFTER = timedelta(hours=24)
FIRST_RECHECK = timedelta(seconds=20)
LAST_RECHECK = timedelta(seconds=120)
ASK_AGAIN = timedelta(seconds=60)
STOP_ASKING_AFTER = timedelta(minutes=15)

_LOST = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "interrupted", "We were interrupted while sending; it may have been sent.")
_NOT_CONFIRMED = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "not_confirmed", "The channel did not confirm the message.")
_REFUSED_LATER = ConnectorErrorInfo(ErrorClass.PERMANENT, "failed", "The channel says that the message failed.")
_REMOVED = ConnectorErrorInfo(ErrorClass.ACCOUNT, "removed", "The channel account was removed.")
_WAIT = ConnectorErrorInfo(ErrorClass.RATE_LIMITED, "bucket", "Waiting for the channel's rate limit.")


class OpenAccount(Protocol):
    """Opens a channel account for the length of a call."""

    def __call__(self, channel_account_id: UUID) -> Awaitable[tuple[Account, Connector]]:
        """Return the account with its secrets, and its connector. Raises NotFound when it was removed."""
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
    """

    def __init__(
        self,
        store: DeliveryStore,
        buckets: Buckets,
        open_account: OpenAccount,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self.counters = Counters()
        self._store = store
        self._buckets = buckets
        self._open_account = open_account
        self._now = now
        # How often in a row a vendor said "too fast" without saying for how long, by bucket.
        self._throttled: dict[str, int] = {}
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
        await self._record(wanted, step, lease_ends_s)
        return True

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send(self, claimed: Claimed, account: Account, connector: Connector) -> Callable[[], Awaitable[None]]:
        """Send a claimed message once; returns the step that records what came of it."""
        try:
            calls = connector.render(claimed.outbound, account)
        except ConnectorError as error:
            return self._conclude(claimed, error.info, ())
        charges = tuple(connector.charges(account, claimed.outbound))
        wait_s = await self._take(charges, may_hold=claimed.due.priority == "interactive")
        if wait_s > 0:
            return self._put_back(claimed, wait_s, _WAIT)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                result = await connector.send(account, claimed.outbound, calls)
        except Exception as error:  # loop: one vendor's surprise must not end dispatch
            info = connector.classify(error)
            self._log.info(
                "send refused", workspace_id=claimed.due.workspace_id, delivery_id=str(claimed.due.id),
                channel=claimed.due.channel, error_class=info.klass.value, code=info.code,
            )
            if info.klass is ErrorClass.RATE_LIMITED:
                wait_s = await self._penalise(info, charges)
                return self._put_back(claimed, wait_s, info)
            return self._conclude(claimed, info, charges)
        for charge in charges:
            self._throttled.pop(charge.key, None)
        self.counters.sent += 1
        return lambda: self._store.mark_sent(claimed, result)
