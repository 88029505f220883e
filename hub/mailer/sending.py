"""
Sends queued mails, one at a time: claimed and COMMITted as being sent, handed over, forgotten.

A mail that was perhaps handed over is sent again only where its template may come twice; its Message-ID is the same, so
most mailboxes show it once. See docs/notifications.md. Run by ``connectors/work.py``.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import timedelta
from email.utils import parseaddr
from typing import TYPE_CHECKING, Final

from hub import clock
from hub.errors import ConfigurationError, HubError, Unavailable
from hub.log import get_logger
from hub.mailer import store
from hub.mailer.letters import compose
from hub.mailer.model import REPEATABLE, Template
from hub.mailer.smtp import Fate, NotTaken, connected, send

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from typing import Protocol

    import aiosmtplib

    from hub.config import MailServer
    from hub.db import TenantConn
    from hub.mailer.model import QueuedMail
    from hub.mailer.vault import Vault

    class Transactions(Protocol):
        """What is needed of ``hub.db.Database``."""

        def across(self) -> AbstractAsyncContextManager[TenantConn]: ...


TICK_S: Final = 1.0
SWEEP_EVERY_S: Final = 30.0
# Longer than the slowest exchange with the server; after it a mail counts as lost on the way.
LEASE: Final = timedelta(seconds=120)
# A link to a new password lives for half an hour: the first tries follow each other soon.
BACKOFF_S: Final[Sequence[float]] = (5, 15, 60, 180, 600, 1800)
# A run ends now and then, so that the sweep gets its turn and the server a fresh connection.
MOST_A_RUN: Final = 100

_log = get_logger("hub.mailer")


class Postman:
    """
    Sends what is due, until stopped.

    Attributes:
        sent, refused, put_off, dropped: Counts by template, for /metrics.
    """

    def __init__(
        self,
        database: Transactions,
        vault: Vault,
        server: MailServer | None,
        *,
        tls: ssl.SSLContext | None = None,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._database = database
        self._vault = vault
        self._server = server
        self._tls = tls
        self._now = now
        self._is_down = False
        self._sweep_at_s = 0.0
        self.sent: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.put_off: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until ``stop`` is set; a mail in hand is finished first."""
        while not stop.is_set():
            pause_s = TICK_S
            try:
                await self._sweep_now_and_then()
                pause_s = 0.0 if await self.send_due(stop) >= MOST_A_RUN else TICK_S
                # A server that is away is asked with one mail now and then, not with all of them.
                pause_s = BACKOFF_S[0] if self._is_down else pause_s
            except Unavailable:
                pause_s = 2 * TICK_S
            except Exception as error:  # loop: the next tick tries again
                _log.error("mail_run_failed", error=type(error).__name__)
                pause_s = 5 * TICK_S
            try:
                await asyncio.wait_for(stop.wait(), pause_s)
            except TimeoutError:
                continue

    async def send_due(self, stop: asyncio.Event | None = None) -> int:
        """Send what is due over one connection; returns how many mails were claimed."""
        if self._server is None:
            return 0
        mail = await self._claim()
        if mail is None:
            return 0
        claimed = 1
        try:
            async with connected(self._server, self._tls) as client:
                while mail is not None:
                    await self._send_one(client, mail)
                    if claimed >= MOST_A_RUN or (stop is not None and stop.is_set()):
                        return claimed
                    mail = await self._claim()
                    claimed += mail is not None
        except NotTaken as problem:
            # The connection is no good, and this mail was not sent.
            if mail is not None:
                await self._put_off(mail, problem.code, BACKOFF_S[1])
            if not self._is_down:
                _log.warning("mail_server_down", reason=problem.code)
            self._is_down = True
            return claimed
        return claimed

    async def sweep(self) -> None:
        """Take back mails whose sender died, and drop those that have run out."""
        async with self._database.across() as conn:
            for template, is_queued in await store.free_lapsed(conn, self._now()):
                _log.warning("mail_not_confirmed", template=template, sent_again=is_queued)
                if not is_queued:
                    self.dropped[template] += 1
            for template in await store.expire(conn, self._now()):
                self.dropped[template] += 1
                _log.warning("mail_expired", template=template)

    async def _sweep_now_and_then(self) -> None:
        if clock.monotonic_s() >= self._sweep_at_s:
            self._sweep_at_s = clock.monotonic_s() + SWEEP_EVERY_S * random.uniform(0.9, 1.1)  # noqa: S311
            await self.sweep()

    async def _claim(self) -> QueuedMail | None:
        async with self._database.across() as conn:
            return next(iter(await store.claim(conn, self._now(), LEASE, 1)), None)

    async def _send_one(self, client: aiosmtplib.SMTP, mail: QueuedMail) -> None:
        """Send a claimed mail and write down what became of it; ``NotTaken`` where the connection is no good."""
        assert self._server is not None
        try:
            fields = self._vault.open(mail.id, mail.key_version, mail.sealed)
            message = compose(mail, fields, self._server.sender)
        except (ConfigurationError, HubError, KeyError, ValueError) as error:
            # Nobody will ever be able to read it, or this version does not know the template.
            _log.error("mail_not_readable", template=mail.template, error=type(error).__name__)
            await self._finish(mail, self.dropped)
            return
        try:
            await send(client, message, parseaddr(self._server.sender)[1], mail.recipient)
        except NotTaken as problem:
            await self._note(mail, problem)
            return
        await self._finish(mail, self.sent)
        self._is_down = False

    async def _note(self, mail: QueuedMail, problem: NotTaken) -> None:
        if problem.fate is Fate.SERVER_DOWN:
            raise problem
        if problem.fate is Fate.REFUSED:
            _log.warning("mail_refused", template=mail.template, reason=problem.code)
            await self._finish(mail, self.refused)
        elif problem.fate is Fate.LATER or Template(mail.template) in REPEATABLE:
            await self._put_off(mail, problem.code, BACKOFF_S[min(mail.attempt, len(BACKOFF_S)) - 1])
        else:
            _log.warning("mail_not_confirmed", template=mail.template, sent_again=False)
            await self._finish(mail, self.dropped)

    async def _finish(self, mail: QueuedMail, counted: Counter[str]) -> None:
        counted[mail.template] += 1
        async with self._database.across() as conn:
            await store.finish(conn, mail.id)

    async def _put_off(self, mail: QueuedMail, code: str, pause_s: float) -> None:
        self.put_off[mail.template] += 1
        pause_s *= random.uniform(0.8, 1.2)  # noqa: S311
        async with self._database.across() as conn:
            await store.put_off(conn, mail.id, self._now() + timedelta(seconds=pause_s), code)
