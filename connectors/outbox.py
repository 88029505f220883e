"""What dispatch needs of the delivery store, and its Postgres form: every step is a transaction of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import asyncpg
import msgspec

from connectors import upkeep
from hub.channels.actions import mark_needs_sign_in, mark_paused
from hub.db import Database
from hub.envelope import SendResult
from hub.errors import Conflict, ConnectorErrorInfo, ErrorClass, NotFound
from hub.inbox import acts, deliveries
from hub.inbox.deliveries import Claimed, Due


class DeliveryStore(Protocol):
    """Queued sends: found, claimed under a lease, settled. Each call has COMMITTED when it returns."""

    async def due(self, now: datetime, limit: int, busy_accounts: Sequence[UUID]) -> Sequence[Due]:
        """Return deliveries to look at now, interactive first, none of the busy accounts."""
        ...

    async def claim(self, wanted: Due, lease_s: int) -> Claimed | None:
        """Take one for ``lease_s`` seconds; None when it is not to be had or was settled without us."""
        ...

    async def mark_sent(self, claimed: Claimed, result: SendResult) -> None:
        """Record that the vendor took it. Raises Conflict when the vendor's id belongs to another message."""
        ...

    async def mark_failed(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        """Record that it will not be sent, and why."""
        ...

    async def retry_later(
        self, claimed: Claimed, due_at: datetime, info: ConnectorErrorInfo, *, charge_attempt: bool
    ) -> None:
        """Put it back into the queue."""
        ...

    async def mark_unknown(self, claimed: Claimed, recheck_at: datetime, info: ConnectorErrorInfo) -> None:
        """Record that the vendor may have it; looked at again later."""
        ...

    async def leave_unknown(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        """Stop asking: it stays "not confirmed" until a receipt or a member decides."""
        ...

    async def stop_account(self, wanted: Due, info: ConnectorErrorInfo) -> None:
        """Stop its channel account, with the words: paused for ACCOUNT, else to be signed in; its queue stays."""
        ...

    async def note_reach(self, wanted: Due, *, is_reached: bool) -> None:
        """Note whether the vendor of its account can be reached, for members to see."""
        ...


class PostgresDeliveries:
    """
    The store over ``hub.inbox.deliveries``.

    Args:
        database: The process's pool.
        file_address: Gives a vendor the address of a file (workspace, id); None where no files are sent.
    """

    def __init__(self, database: Database, file_address: Callable[[int, str], str] | None = None) -> None:
        self._database = database
        self._file_address = file_address

    async def due(self, now: datetime, limit: int, busy_accounts: Sequence[UUID]) -> Sequence[Due]:
        """Return deliveries to look at now."""
        async with self._database.across() as conn:
            return await deliveries.due(conn, now, limit, busy_accounts)

    async def claim(self, wanted: Due, lease_s: int) -> Claimed | None:
        """Take one, and commit that it is being sent."""
        async with self._database.transaction([wanted.workspace_id]) as conn:
            claimed = await deliveries.claim(conn, wanted, lease_s)
        return claimed if claimed is None or self._file_address is None else self._addressed(claimed)

    def _addressed(self, claimed: Claimed) -> Claimed:
        """Give each file an address; made anew for every try, so that it outlives the vendor's queue."""
        assert self._file_address is not None
        files = tuple(
            msgspec.structs.replace(one, url=self._file_address(claimed.due.workspace_id, one.id))
            for one in claimed.outbound.attachments
        )
        outbound = msgspec.structs.replace(claimed.outbound, attachments=files)
        return msgspec.structs.replace(claimed, outbound=outbound)

    async def mark_sent(self, claimed: Claimed, result: SendResult) -> None:
        """Record that the vendor took it."""
        try:
            async with self._database.transaction([claimed.due.workspace_id]) as conn:
                if claimed.act is not None:
                    await acts.mark_done(conn, claimed)
                else:
                    await deliveries.mark_sent(conn, claimed, result)
        except asyncpg.UniqueViolationError as error:
            raise Conflict("The vendor's id belongs to another message.") from error

    async def mark_failed(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        """Record that it will not be sent."""
        async with self._database.transaction([claimed.due.workspace_id]) as conn:
            if claimed.act is not None:
                await acts.mark_failed(conn, claimed, info)
            else:
                await deliveries.mark_failed(conn, claimed, info)

    async def retry_later(
        self, claimed: Claimed, due_at: datetime, info: ConnectorErrorInfo, *, charge_attempt: bool
    ) -> None:
        """Put it back into the queue."""
        async with self._database.transaction([claimed.due.workspace_id]) as conn:
            await deliveries.retry_later(conn, claimed, due_at, info, charge_attempt=charge_attempt)

    async def mark_unknown(self, claimed: Claimed, recheck_at: datetime, info: ConnectorErrorInfo) -> None:
        """Record that the vendor may have it."""
        async with self._database.transaction([claimed.due.workspace_id]) as conn:
            await deliveries.mark_unknown(conn, claimed, recheck_at, info)

    async def leave_unknown(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        """Stop asking about it."""
        async with self._database.transaction([claimed.due.workspace_id]) as conn:
            await deliveries.leave_unknown(conn, claimed, info)

    async def note_reach(self, wanted: Due, *, is_reached: bool) -> None:
        """Note whether the vendor can be reached."""
        async with self._database.transaction([wanted.workspace_id]) as conn:
            await upkeep.note_reach(conn, wanted.workspace_id, wanted.channel_account_id, is_reached=is_reached)

    async def stop_account(self, wanted: Due, info: ConnectorErrorInfo) -> None:
        """Mark its channel account as needing attention; one removed meanwhile needs none."""
        with contextlib.suppress(NotFound):
            async with self._database.transaction([wanted.workspace_id]) as conn:
                mark = mark_paused if info.klass is ErrorClass.ACCOUNT else mark_needs_sign_in
                await mark(conn, wanted.workspace_id, wanted.channel_account_id, info.message)
