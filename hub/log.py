"""Structured logs: one JSON line an event, ids bound once, never message text, tokens, addresses or numbers.

What libraries say through ``logging`` goes the same way, reduced to its template: their arguments are not known to be
harmless.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from hub.errors import HubError

if TYPE_CHECKING:
    from structlog.typing import ExcInfo

Logger = structlog.typing.FilteringBoundLogger

_TEMPLATE_CHARS = 200


def configure(process: str, *, level: int = logging.INFO) -> None:
    """
    Set up logging for this process, to standard error.

    Args:
        process: Name put on each line: ``serve``, ``work``, ``up``.
        level: Lowest level written.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(_Traceback()),
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    for old in [one for one in root.handlers if isinstance(one, _Bridge)]:
        root.removeHandler(old)
    root.addHandler(_Bridge())
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    structlog.contextvars.bind_contextvars(process=process)


def get_logger(name: str) -> Logger:
    """Return a logger whose lines carry ``component=name``."""
    return cast("Logger", structlog.get_logger(component=name))


class Dependency:
    """
    Something a process needs and can lose: says once that it went away and once that it is back.

    Args:
        name: What it is, e.g. ``postgres``.
        logger: Where it is said.
    """

    def __init__(self, name: str, logger: Logger) -> None:
        self._name = name
        self._logger = logger
        self._lost_at_s: float | None = None
        # How often it was asked in vain, over all; for /metrics.
        self.failures = 0

    @property
    def is_lost(self) -> bool:
        """Whether it was away the last time it was asked."""
        return self._lost_at_s is not None

    def lost(self, **facts: str | int) -> None:
        """Note that it did not answer."""
        self.failures += 1
        if self._lost_at_s is None:
            self._lost_at_s = time.monotonic()
            self._logger.warning("dependency_lost", dependency=self._name, **facts)

    def found(self) -> None:
        """Note that it answered."""
        if self._lost_at_s is not None:
            away_s = round(time.monotonic() - self._lost_at_s, 1)
            self._lost_at_s = None
            self._logger.warning("dependency_back", dependency=self._name, away_s=away_s)


class _Traceback:
    """
    Names the places an error went through, and its kind.

    Local variables hold passwords and message text, and so do the texts of errors that are not ours: Postgres puts the
    row it refused into them.
    """

    def __init__(self) -> None:
        self._transform = ExceptionDictTransformer(show_locals=False)

    def __call__(self, exc_info: ExcInfo) -> list[dict[str, object]]:
        stacks = self._transform(exc_info)
        ours = {type(error).__name__ for error in _chain(exc_info[1]) if isinstance(error, HubError)}
        for stack in stacks:
            if stack["exc_type"] not in ours:
                stack["exc_value"] = ""
            stack.pop("exc_notes", None)
        return stacks


class _Bridge(logging.Handler):
    """Hands what libraries log to ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line: whose it is and the template of what was said, its first line."""
        logger = get_logger(record.name)
        try:
            logger.log(record.levelno, "library", said=_first_line(record), exc_info=record.exc_info or None)
        except Exception:  # edge: whoever logs must not fail by it
            self.handleError(record)


def _first_line(record: logging.LogRecord) -> str:
    """Return the head of the template; what follows in a finished text shows arguments, as asyncio's does."""
    return str(record.msg).partition("\n")[0][:_TEMPLATE_CHARS]


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = error.__cause__ or error.__context__
    return found
