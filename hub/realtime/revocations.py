"""
Which sign-ins ended lately: what resume tickets are checked against, and what closes open sockets at once.

A ticket outlives its session by at most its own life and the time in which open sockets hear of a revocation, so that
long is remembered. Nothing is said before the first answer of the store, nor when its last one is too old.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.errors import HubError, Unavailable
from hub.log import get_logger
from hub.realtime.resume import RESUME_TICKET_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from hub.realtime.ports import Ports

INTERVAL_S = 3.0
# Open sockets hear of a revocation within a minute: they may be given tickets until then.
REACH_S = 60.0
# A transaction that revokes may commit some seconds after the moment it wrote.
SLACK_S = 60.0
WINDOW_S = RESUME_TICKET_S + REACH_S + SLACK_S
# What was asked longer ago does not vouch for a ticket.
TRUSTED_S = 20.0

_log = get_logger("realtime")


class Revocations:
    """The sessions revoked within ``WINDOW_S``; ``run`` keeps them fresh."""

    def __init__(
        self, ports: Ports, on_revoked: Callable[[frozenset[UUID]], None], monotonic_s: Callable[[], float]
    ) -> None:
        self._ports = ports
        self._on_revoked = on_revoked
        self._monotonic_s = monotonic_s
        self._sessions: frozenset[UUID] = frozenset()
        self._asked_at_s: float | None = None
        self._wake = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    def is_trusted(self) -> bool:
        """Say whether what is known is young enough to vouch for a ticket."""
        return self._asked_at_s is not None and self._monotonic_s() - self._asked_at_s <= TRUSTED_S

    def holds(self, session_id: UUID | None) -> bool:
        """Say whether a session is known to be revoked."""
        return session_id in self._sessions

    def want(self) -> None:
        """Ask again soon: somebody signed out."""
        self._wake.set()

    async def trust(self) -> None:
        """
        Return when what is known vouches for tickets.

        Raises:
            Unavailable: The store could not be asked.
        """
        while not self.is_trusted():
            if self._asking is None:
                self._asking = asyncio.get_running_loop().create_task(self._ask_once())
                self._asking.add_done_callback(_take_note)
            await asyncio.shield(self._asking)

    async def refresh(self) -> None:
        """
        Ask once, and tell of those not known before.

        Raises:
            Unavailable: The store did not answer; what is known grows old.
        """
        asked_at_s = self._monotonic_s()
        sessions = frozenset(await self._ports.revoked_sessions(WINDOW_S))
        new, self._sessions, self._asked_at_s = sessions - self._sessions, sessions, asked_at_s
        if new:
            self._on_revoked(new)

    async def run(self) -> None:
        """Ask for ever: every few seconds, and when wanted."""
        while True:
            try:
                await self.refresh()
            except HubError as error:
                _log.debug("revocations_unreadable", code=error.code)
            except Exception:  # loop: the next round asks again
                _log.exception("revocations_failed")
            try:
                async with asyncio.timeout(INTERVAL_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _ask_once(self) -> None:
        try:
            await self.refresh()
            if not self.is_trusted():
                raise Unavailable("Sign-ins cannot be checked right now.", retry_after_s=2.0)
        finally:
            self._asking = None


def _take_note(done: asyncio.Task[None]) -> None:
    """Mark a failure as seen: everybody who waited for it may be gone."""
    if not done.cancelled():
        done.exception()
