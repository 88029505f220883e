"""Tracing over OpenTelemetry: spans leave in batches from a thread of their own, by OTLP/HTTP. Loaded only when on."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from hub.log import Dependency, get_logger
from hub.tracing import CurrentSpan, current, format_traceparent, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan

    from hub.tracing import Attributes, Kind, Span

# Beyond this spans are dropped: a collector that is away costs this much memory (about 1 KiB each) and no time.
QUEUE_SPANS: Final = 8192
EXPORT_EVERY_MS: Final = 1000
EXPORT_TIMEOUT_S: Final = 5.0
CLOSE_WITHIN_S: Final = 2.0

_NONE: Attributes = {}
_KINDS: Final = {
    "internal": trace.SpanKind.INTERNAL,
    "server": trace.SpanKind.SERVER,
    "client": trace.SpanKind.CLIENT,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}


class OtlpTracer:
    """
    See ``hub.tracing.Tracer``; sampling is the library's (``OTEL_TRACES_SAMPLER``), and so are its headers.

    Args:
        url: Whole address of the collector's trace intake, ``…/v1/traces``.
        process: Put on every span's resource.
    """

    def __init__(self, url: str, process: str) -> None:
        # The library says the same thing once a batch while the collector is away; ``_Telling`` says it once.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        resource = Resource.create({"hub.process": process})
        if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "hub"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = _Telling(OTLPSpanExporter(endpoint=url, timeout=EXPORT_TIMEOUT_S))
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=QUEUE_SPANS, schedule_delay_millis=EXPORT_EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("hub")

    def start(self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Attributes = _NONE) -> Span:
        """Start a span."""
        return _OtlpSpan(
            self._tracer.start_span(name, context=_context(parent), kind=_KINDS[kind], attributes=dict(attributes))
        )

    def span(
        self, name: str, *, kind: Kind = "internal", parent: str = "", attributes: Attributes = _NONE
    ) -> AbstractContextManager[Span]:
        """Run a block as a span."""
        return CurrentSpan(self.start(name, kind=kind, parent=parent or current(), attributes=attributes))

    def record(self, name: str, *, parent: str, began_ns: int, attributes: Attributes = _NONE) -> None:
        """Note a span that ends now."""
        span = self._tracer.start_span(name, context=_context(parent), start_time=began_ns, attributes=dict(attributes))
        span.end(max(began_ns, time.time_ns()))

    async def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for."""
        # A thread of its own and not the loop's: the loop would wait for it at its end, however long it takes.
        done = threading.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            done.set()

        threading.Thread(target=shut_down, name="tracing-close", daemon=True).start()
        deadline_s = time.monotonic() + CLOSE_WITHIN_S
        while not done.is_set() and time.monotonic() < deadline_s:  # noqa: ASYNC110  another thread sets it
            await asyncio.sleep(0.02)


class _OtlpSpan:
    """A span of the library behind our port."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        context = span.get_span_context()
        # What the sampler left out is nobody's parent: it costs nothing further down.
        self.traceparent = format_traceparent(context.trace_id, context.span_id) if span.is_recording() else ""

    def set(self, name: str, value: str | int) -> None:
        """Add an attribute."""
        self._span.set_attribute(name, value)

    def fail(self, reason: str) -> None:
        """Mark it as failed."""
        self._span.set_status(trace.StatusCode.ERROR, reason)

    def end(self) -> None:
        """End it."""
        self._span.end()


class _Telling(SpanExporter):
    """Says once that the collector went away, and once that it is back."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self._collector = Dependency("trace_collector", get_logger("hub.tracing"))

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export a batch; what cannot be sent is dropped."""
        result = self._inner.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._collector.found()
        else:
            self._collector.lost(spans=len(spans))
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._inner.shutdown()


def _context(parent: str) -> Context:
    found = parse(parent)
    if found is None:
        return trace.set_span_in_context(trace.INVALID_SPAN)
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.set_span_in_context(
        trace.NonRecordingSpan(trace.SpanContext(found[0], found[1], is_remote=True, trace_flags=flags))
    )
