"""Keeps Gmail publishing what happens in the mailbox: a watch, made anew every day, which Google asks for."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from connectors.base import Account, Maintained
from connectors.gmail.api import ME, Gmail
from connectors.gmail.errors import failure, harmless
from hub.errors import ConnectorError, ErrorClass

# A watch ends after seven days; Google asks to make it anew every day.
# Source: developers.google.com/gmail/api/guides/push, as the reference notes it, read 2026-11-23.
EVERY: Final = timedelta(days=1)
LOOK_SELDOM: Final = timedelta(hours=12)
_TOPIC_WORDS: Final = (
    "Google does not publish to this topic: check its name, and that gmail-api-push@system.gserviceaccount.com may "
    "publish to it."
)


class _Watch(msgspec.Struct, frozen=True):
    expiration: str = "0"


async def maintain(account: Account, now: datetime) -> Maintained:
    """
    See that Gmail tells the topic of new mail, where there is one.

    Args:
        account: ``topic`` names it; without one the mailbox is asked every few minutes, and an old watch is ended.
        now: Aware.

    Raises:
        ConnectorError: Gmail cannot be asked, or refuses; ``AUTH`` where only a sign-in helps.
    """
    gmail = Gmail(account)
    topic = account.settings.get("topic", "").strip()
    if not topic:
        if not account.settings.get("watched_until"):
            return Maintained(next_at=now + LOOK_SELDOM)
        with harmless():
            await gmail.ask(lambda users: users.stop(userId=ME), dict[str, object])
        return Maintained(next_at=now + LOOK_SELDOM, settings={"watched_until": ""})
    try:
        with harmless():
            made = await gmail.ask(lambda users: users.watch(userId=ME, body={"topicName": topic}), _Watch)
    except ConnectorError as error:
        if error.info.klass not in (ErrorClass.PERMANENT, ErrorClass.PERMISSION):
            raise
        raise failure(ErrorClass.RETRYABLE, "topic", _TOPIC_WORDS) from error
    until = now + EVERY
    with contextlib.suppress(ValueError, OverflowError, OSError):
        until = datetime.fromtimestamp(int(made.expiration) / 1000, UTC)
    next_at = now + min(EVERY, max((until - now) / 2, timedelta(minutes=5)))
    return Maintained(next_at=next_at, settings={"watched_until": until.isoformat()})
