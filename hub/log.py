"""Structured logs: one JSON line an event, ids bound once, never message text, tokens, addresses or numbers."""

from __future__ import annotations

import logging
import sys
from typing import cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer

Logger = structlog.typing.FilteringBoundLogger


def configure(process: str, *, level: int = logging.INFO) -> None:
    """
    Set up logging for this process, to standard error.

    Args:
        process: Name put on each line: ``serve``, ``work``, ``up``.
        level: Lowest level written.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Local variables hold passwords and message text: a traceback names places only.
            structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(ensure_ascii=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)


def get_logger(name: str) -> Logger:
    """Return a logger whose lines carry ``component=name``."""
    return cast("Logger", structlog.get_logger(component=name))
