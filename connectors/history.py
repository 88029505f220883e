"""
Reads an account's history once, beside what is live: its own cursor, its items marked as historical.

Started by ``connectors/polled_account.py`` under the account's lease. One batch at a time and with a rest after each,
so that what is live never waits behind more than one of them.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Final, cast

import asyncpg

from connectors import upkeep
from hub.errors import ConnectorErrorInfo, HubError
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
    from uuid import UUID

    from connectors.base import Account, Connector, PolledBatch, RawItem
    from connectors.cursors import Poll
    from connectors.polled_account import PollingDatabase

# The member's answer to the checkbox of this name in the connect form; a channel without it has nothing to bring in.
SETTING: Final = "bring_in_history"
REST_S: Final = 0.2
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0

_log = get_logger("connectors.history")


def is_wanted(settings: Mapping[str, str]) -> bool:
    """Say whether a member asked for an account's history."""
    return settings.get(SETTING, "") in ("true", "1", "on", "yes")


class HistoryReader:
    """
    One account's history.

    Args:
        database: Keeps how far it was read.
        poll: The lease it is read under.
        open_account: Opens the account.
        append: Takes an item for good, marked as historical.
        rest_s: After each batch.
        pause_s: First and longest pause after a failure.
    """

    def __init__(
        self,
        database: PollingDatabase,
        poll: Poll,
        open_account: Callable[[UUID], Awaitable[tuple[Account, Connector]]],
        append: Callable[[RawItem], Awaitable[None]],
        *,
        rest_s: float = REST_S,
        pause_s: tuple[float, float] = (FIRST_PAUSE_S, LONGEST_PAUSE_S),
    ) -> None:
        self._database = database
        self._poll = poll
        self._open_account = open_account
        self._append = append
        self._rest_s = rest_s
        self._pause_s = pause_s

    async def run(self) -> None:
        """Read until all is there, the lease has gone, or cancelled; failures are said and waited out."""
        failures = 0
        while True:
            before: str | None = None
            try:
                async with self._database.transaction([self._poll.workspace_id]) as conn:
                    has_more, before = await upkeep.unread_history(conn, self._poll)
                if not has_more or await self._read(before):
                    return
            except Exception as error:  # loop: classified, kept and waited out
                failures += 1
                await self._say(error, failures)
                first_s, longest_s = self._pause_s
                limit_s = min(longest_s, first_s * 2.0 ** min(failures - 1, 20))
                await asyncio.sleep(limit_s * random.uniform(0.5, 1.0))  # noqa: S311  no secret

    async def _read(self, cursor: str | None) -> bool:
        """Read on from a cursor; True when there is nothing more to do here."""
        account, connector = await self._open_account(self._poll.account_id)
        if connector.backfill is None:
            return True
        progress = None
        batches = cast("AsyncGenerator[PolledBatch, None]", connector.backfill(account, cursor))
        async with aclosing(batches):
            async for batch in batches:
                for raw in batch.items:
                    await self._append(raw)
                progress = batch.progress
                async with self._database.transaction([self._poll.workspace_id]) as conn:
                    if not await upkeep.save_history(conn, self._poll, batch.cursor, progress, is_done=False):
                        return True
                await asyncio.sleep(self._rest_s)
        async with self._database.transaction([self._poll.workspace_id]) as conn:
            await upkeep.save_history(conn, self._poll, None, progress, is_done=True)
        return True

    async def _say(self, error: Exception, failures: int) -> None:
        info = await self._describe(error)
        if failures == 1:
            _log.warning(
                "history_not_read",
                workspace_id=self._poll.workspace_id,
                channel_account_id=str(self._poll.account_id),
                reason=info[0],
            )
        with suppress(HubError, asyncpg.PostgresError):
            async with self._database.transaction([self._poll.workspace_id]) as conn:
                await upkeep.save_history_error(conn, self._poll, info[1])

    async def _describe(self, error: Exception) -> tuple[str, str]:
        if isinstance(error, HubError):
            known = getattr(error, "info", None)
            return (known.code, known.message) if isinstance(known, ConnectorErrorInfo) else (error.code, error.message)
        try:
            _, connector = await self._open_account(self._poll.account_id)
        except HubError as problem:
            return problem.code, problem.message
        info = connector.classify(error)
        return info.code, info.message
