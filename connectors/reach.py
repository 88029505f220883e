"""Says once that a channel account's vendor is away, and once that it is back. Asked after each send by ``attempt``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from hub.errors import ErrorClass

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.errors import ConnectorErrorInfo
    from hub.inbox.deliveries import Due
    from hub.log import Logger

_AWAY = frozenset({ErrorClass.RETRYABLE, ErrorClass.AMBIGUOUS})


class Reach:
    """
    Which accounts' vendors this process could not reach at their last send.

    Args:
        log: Where the lines go.
        now_s: A clock that never steps.
    """

    def __init__(self, log: Logger, now_s: Callable[[], float]) -> None:
        self._log = log
        self._now_s = now_s
        self._away_since_s: dict[UUID, float] = {}

    def failed(self, wanted: Due, info: ConnectorErrorInfo) -> bool:
        """
        Take note of a send that failed.

        Returns:
            Whether that says the vendor is away; a vendor that refuses a message is there.
        """
        account = wanted.channel_account_id
        if info.klass not in _AWAY:
            self.answered(wanted)
            return False
        if account not in self._away_since_s:
            self._away_since_s[account] = self._now_s()
            self._log.warning("channel_unavailable", reason=info.code, **_facts(wanted))
        return True

    def answered(self, wanted: Due) -> None:
        """Take note that the vendor answered."""
        since_s = self._away_since_s.pop(wanted.channel_account_id, None)
        if since_s is not None:
            self._log.warning("channel_available_again", away_s=round(self._now_s() - since_s), **_facts(wanted))


def _facts(wanted: Due) -> dict[str, object]:
    return {
        "workspace_id": wanted.workspace_id,
        "channel": wanted.channel,
        "channel_account_id": str(wanted.channel_account_id),
    }
