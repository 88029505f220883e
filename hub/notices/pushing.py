"""
Sends queued pushes: each is taken off the queue and COMMITted before it leaves, so none is sent twice.

A push that a service wants later, or that found nobody, is queued again a few times. Run by ``connectors/telling.py``.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from hub import clock
from hub.errors import Unavailable
from hub.log import get_logger
from hub.notices import store
from hub.notices.model import Kind
from hub.notices.phrases import say
from hub.push import store as subscriptions
from hub.push.model import Push
from hub.push.sending import Answer, Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from hub.db import TenantConn
    from hub.notices.store import DuePush, PushedNotice
    from hub.push.model import Target

    class Transactions(Protocol):
        """What is needed of ``hub.db.Database``."""

        def transaction(self, workspace_ids: Sequence[int]) -> AbstractAsyncContextManager[TenantConn]: ...
        def across(self) -> AbstractAsyncContextManager[TenantConn]: ...


DUE_LIMIT: Final = 200
BACKOFF_S: Final[Sequence[float]] = (10, 60, 300, 900)
PREVIEW_CHARS: Final = 120

_log = get_logger("hub.notices")


class Sending(Protocol):
    """What is needed of ``hub.push.sending.PushSender``."""

    async def send(self, target: Target, push: Push) -> Answer: ...


class Payload(msgspec.Struct, frozen=True):
    """
    What our service worker shows.

    Attributes:
        title: The line; without names unless the member chose otherwise.
        body: How the newest message begins, only where the member chose so.
        path: What a click opens.
        tag: Replaces what is shown of the same notice.
    """

    title: str
    body: str
    path: str
    tag: str
    workspace_id: int


class Pushing:
    """
    Sends what is due.

    Attributes:
        fates: Counts by what became of them, for /metrics.
    """

    def __init__(self, database: Transactions, sender: Sending, *, now: Callable[[], datetime] = clock.now) -> None:
        self._database = database
        self._sender = sender
        self._now = now
        self.fates: Counter[str] = Counter()

    async def run_due(self) -> int:
        """Send every push that is due; returns how many were looked at."""
        async with self._database.across() as conn:
            due = await store.due_pushes(conn, self._now(), DUE_LIMIT)
        for one in due:
            try:
                await self._send(one)
            except Unavailable:
                raise
            except Exception as error:  # loop: one push must not keep the others from being sent
                _log.error("push_failed", error=type(error).__name__)
        return len(due)

    async def _send(self, due: DuePush) -> None:
        async with self._database.transaction([due.workspace_id]) as conn:
            attempt = await store.claim_push(conn, due, self._now())
            pushed = await store.pushed_notice(conn, due) if attempt is not None else None
            target = await subscriptions.target(conn, due.subscription_id) if pushed is not None else None
        if attempt is None or pushed is None or target is None:
            return
        answer = await self._sender.send(target, _push(due, pushed))
        self.fates[answer.fate.value] += 1
        if answer.fate is Fate.GONE:
            async with self._database.across() as conn:
                await subscriptions.forget(conn, due.subscription_id)
        elif answer.fate is Fate.REFUSED:
            _log.warning("push_refused", reason=answer.code)
        elif answer.fate is Fate.LATER and attempt < len(BACKOFF_S):
            pause_s = BACKOFF_S[attempt] if answer.retry_after_s is None else answer.retry_after_s
            async with self._database.transaction([due.workspace_id]) as conn:
                await store.push_later(conn, due, self._now() + timedelta(seconds=pause_s), attempt + 1)


def _push(due: DuePush, pushed: PushedNotice) -> Push:
    notice = pushed.notice
    at_conversation = f"/c/{notice.conversation_id}" if notice.conversation_id is not None else "/"
    says = pushed.shows_text and notice.kind in (Kind.MESSAGE, Kind.CONVERSATION)
    payload = Payload(
        title=say(notice, pushed.language, names=pushed.shows_text),
        body=notice.preview[:PREVIEW_CHARS] if says else "",
        path=at_conversation,
        tag=str(notice.id),
        workspace_id=due.workspace_id,
    )
    # 32 hexadecimal digits: exactly what a topic may have.
    return Push(payload=msgspec.json.encode(payload), topic=notice.id.hex, is_urgent=notice.kind is Kind.SECURITY)
