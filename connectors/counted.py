"""Counts what became of deliveries, by channel: a store before the store, so only what COMMITTED is counted."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from connectors.outbox import DeliveryStore
    from hub.envelope import SendResult
    from hub.errors import ConnectorErrorInfo
    from hub.inbox.deliveries import Claimed, Due


class CountedDeliveries:
    """
    See ``connectors.outbox.DeliveryStore``.

    Args:
        store: Does the work.

    Attributes:
        outcomes: Recorded outcomes by channel and what it was.
    """

    def __init__(self, store: DeliveryStore) -> None:
        self._store = store
        self.outcomes: Counter[tuple[str, str]] = Counter()

    async def due(self, now: datetime, limit: int, busy_accounts: Sequence[UUID]) -> Sequence[Due]:
        """Return deliveries to look at now."""
        return await self._store.due(now, limit, busy_accounts)

    async def claim(self, wanted: Due, lease_s: int) -> Claimed | None:
        """Take one."""
        return await self._store.claim(wanted, lease_s)

    async def mark_sent(self, claimed: Claimed, result: SendResult) -> None:
        """Record that the vendor took it."""
        await self._store.mark_sent(claimed, result)
        self._count(claimed.due, "sent")

    async def mark_failed(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        """Record that it will not be sent."""
        await self._store.mark_failed(claimed, info)
        self._count(claimed.due, "failed")

    async def retry_later(
        self, claimed: Claimed, due_at: datetime, info: ConnectorErrorInfo, *, charge_attempt: bool
    ) -> None:
        """Put it back into the queue."""
        await self._store.retry_later(claimed, due_at, info, charge_attempt=charge_attempt)
        self._count(claimed.due, "retried" if charge_attempt else "put_back")

    async def mark_unknown(self, claimed: Claimed, recheck_at: datetime, info: ConnectorErrorInfo) -> None:
        """Record that the vendor may have it."""
        await self._store.mark_unknown(claimed, recheck_at, info)
        self._count(claimed.due, "unknown")

    async def leave_unknown(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        """Stop asking about it."""
        await self._store.leave_unknown(claimed, info)
        self._count(claimed.due, "left_unknown")

    async def stop_account(self, wanted: Due, info: ConnectorErrorInfo) -> None:
        """Mark its channel account as needing attention."""
        await self._store.stop_account(wanted, info)
        self._count(wanted, "account_stopped")

    async def note_reach(self, wanted: Due, *, is_reached: bool) -> None:
        """Note whether the vendor can be reached."""
        await self._store.note_reach(wanted, is_reached=is_reached)

    def _count(self, due: Due, outcome: str) -> None:
        self.outcomes[due.channel, outcome] += 1
