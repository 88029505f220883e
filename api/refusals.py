"""Says on the log which calls were refused: what an attacker tries leaves a line. Called where routes are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from api.route import Route
    from hub.log import Logger

STATUSES: Final = (403, 429)
# Steps of ordinary use: a proof or a second factor is asked for, or the whole workspace is closed.
ORDINARY: Final = frozenset({"proof_needed", "second_factor_needed", "workspace_suspended"})
LINES_PER_MINUTE: Final = 60
_MINUTE_S: Final = 60.0


class _Code(msgspec.Struct, frozen=True):
    code: str = ""


class Refusals:
    """
    Lines of one process, few enough that nobody fills a disk by being refused.

    Args:
        logger: Where it is said.
        monotonic_s: The clock.
    """

    def __init__(self, *, logger: Logger | None = None, monotonic_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._logger = logger or get_logger("api.refusals")
        self._monotonic_s = monotonic_s
        self._began_s = monotonic_s()
        self._lines = 0
        self._left_out = 0

    def is_worth_a_line(self, response: Response) -> bool:
        """Say whether an answer is to be noted, and count it where this minute's lines are used up."""
        if response.status_code not in STATUSES or _code_of(response) in ORDINARY:
            return False
        now_s = self._monotonic_s()
        if now_s - self._began_s >= _MINUTE_S:
            if self._left_out:
                self._logger.warning("calls_refused", left_out=self._left_out)
            self._began_s, self._lines, self._left_out = now_s, 0, 0
        if self._lines >= LINES_PER_MINUTE:
            self._left_out += 1
            return False
        return True

    def note(self, route: Route, response: Response, who: dict[str, str]) -> None:
        """
        Write one line.

        Args:
            route: Its pattern is written, never the address called, which may hold a secret.
            response: The refusal.
            who: Ids of whoever called, as far as they are known; no addresses.
        """
        self._lines += 1
        self._logger.warning(
            "call_refused",
            method=route.method,
            route=route.path,
            status=response.status_code,
            code=_code_of(response),
            **who,
        )


def _code_of(response: Response) -> str:
    try:
        return msgspec.json.decode(response.body, type=_Code).code
    except msgspec.MsgspecError:
        return ""
