"""
The port to tracing: spans that follow one message through every process, or nothing at all.

Off unless an address is configured; ``hub/tracing_otlp.py``, the only importer of the library, is loaded then. A trace
context travels as a W3C ``traceparent`` in ``StreamItem`` and ``LoggedEvent``; whoever calls us cannot bring one.
Attributes name kinds, channels and ids of ours: never text, addresses or tokens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Literal, Protocol

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from types import TracebackType

    from hub.config import Settings

Attributes = Mapping[str, str | int]
Kind = Literal["internal", "server", "client", "producer", "consumer"]

_SET_BY = "HUB_OTLP_URL"
_NONE: Attributes = {}
# Source: W3C Trace Context, level 1 (23 November 2021), section 3.2.
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_current: ContextVar[str] = ContextVar("traceparent", default="")


class Span(Protocol):
    """
    One step of a trace.

    Attributes:
        traceparent: What makes another span its child, in any process; empty when this trace is not recorded.
    """

    traceparent: str

    def set(self, name: str, value: str | int) -> None:
        """Add an attribute."""
        ...

    def fail(self, reason: str) -> None:
        """Mark it as failed; ``reason`` is a code or the name of an error, never its text."""
        ...

    def end(self) -> None:
        """End it now."""
        ...


class Tracer(Protocol):
    """Makes spans; one per process. Nothing here blocks, waits for the network or raises."""

    def start(self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Attributes = _NONE) -> Span:
        """Start a span; ``parent`` is a traceparent, empty for the first of a trace."""
        ...

    def span(
        self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Attributes = _NONE
    ) -> AbstractContextManager[Span]:
        """Run a block as a span, current in this task; without ``parent`` it is the child of the current one."""
        ...

    def record(self, name: str, *, parent: str, began_ns: int, attributes: Attributes = _NONE) -> None:
        """Note a span that began at ``began_ns`` (nanoseconds since 1970) and ends now."""
        ...

    async def close(self) -> None:
        """Send what is left, for two seconds at most."""
        ...


def current() -> str:
    """Return the traceparent of the span this task is in, empty outside of any."""
    return _current.get()


def parse(traceparent: str) -> tuple[int, int] | None:
    """
    Read a traceparent.

    Args:
        traceparent: As made by ``format_traceparent``; anything else is treated as none.

    Returns:
        Trace id and span id, None when it is not recorded or not readable.

    Source:
        W3C Trace Context, level 1 (23 November 2021), section 3.2.
    """
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or not int(found[3], 16) & 1:
        return None
    trace_id, span_id = int(found[1], 16), int(found[2], 16)
    return (trace_id, span_id) if trace_id and span_id else None


def format_traceparent(trace_id: int, span_id: int) -> str:
    """Write a recorded trace's context: 128-bit trace id, 64-bit span id."""
    return f"00-{trace_id:032x}-{span_id:016x}-01"


class CurrentSpan(AbstractContextManager[Span]):
    """A span as a block: current inside it, ended after it, failed by what leaves it as an error."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[str] | None = None

    def __enter__(self) -> Span:
        self._token = _current.set(self._span.traceparent)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _current.reset(self._token)
        if kind is not None:
            self._span.fail(kind.__name__)
        self._span.end()


class _NoSpan:
    """What every call gets while tracing is off."""

    __slots__ = ()
    traceparent = ""

    def set(self, name: str, value: str | int) -> None:
        """Do nothing."""

    def fail(self, reason: str) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


_NO_SPAN = _NoSpan()


class NoTracer:
    """See ``Tracer``: does nothing, at the price of a call."""

    def start(self, *_: object, **__: object) -> Span:
        """Return a span of nothing."""
        return _NO_SPAN

    def span(self, *_: object, **__: object) -> AbstractContextManager[Span]:
        """Return a block of nothing."""
        return _NO_SPAN

    def record(self, *_: object, **__: object) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""


NO_TRACER: Tracer = NoTracer()


def open_tracer(settings: Settings, process: str) -> Tracer:
    """
    Make the tracer of this process.

    Args:
        settings: Where spans go; without an address nothing is loaded.
        process: What this process is, as on its log lines.

    Raises:
        ConfigurationError: There is an address and the packages are not installed.
    """
    if not settings.otlp_traces_url:
        return NO_TRACER
    try:
        from hub.tracing_otlp import OtlpTracer
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"Traces are on ({_SET_BY}), but their packages are missing: pip install -r requirements-tracing.txt",
            field=_SET_BY,
        ) from error
    return OtlpTracer(settings.otlp_traces_url, process)
