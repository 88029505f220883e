"""The ``store`` spans of one batch: each is a child of the call its item came in with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

from hub.events.model import LoggedEvent
from hub.inbox.batch import OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.entries import Parsed
    from hub.db import Notice, TenantConn
    from hub.inbox.batch import Outcome, ReceivedItem
    from hub.tracing import Attributes, Span, Tracer


class BatchSpans:
    """
    Runs the block that stores a batch; costs nothing where no item is traced.

    Args:
        tracer: Makes the spans.
        group: What is stored in one transaction.
    """

    def __init__(self, tracer: Tracer, group: Sequence[Parsed]) -> None:
        self._tracer = tracer
        self._group = group if any(one.item.trace for one in group) else ()
        # One for each traced entry, None for the others; in the order of the group.
        self._spans: list[Span | None] = []

    def __enter__(self) -> None:
        self._spans = [self._start(one) if one.item.trace else None for one in self._group]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for span in self._spans:
            if span is not None:
                if kind is not None:
                    span.fail(kind.__name__)
                span.end()

    def mark(self, conn: TenantConn, items: Sequence[ReceivedItem], outcomes: Sequence[Outcome]) -> None:
        """Give the events of traced items the trace to go on with; the transaction has not committed yet."""
        if not self._spans:
            return
        spans = [span for one, span in zip(self._group, self._spans, strict=True) for _ in one.received]
        traces: dict[tuple[int, int], str] = {}
        for span, item, outcome in zip(spans, items, outcomes, strict=True):
            if span is not None:
                span.set("hub.outcome", outcome.kind.value)
                if outcome.kind is OutcomeKind.STORED and outcome.seq is not None:
                    traces[item.workspace_id, outcome.seq] = span.traceparent
        conn.notices[:] = [_traced(one, traces) for one in conn.notices]

    def _start(self, parsed: Parsed) -> Span:
        attributes: Attributes = {"hub.channel": parsed.item.channel, "hub.batch": len(self._group)}
        return self._tracer.start("store", kind="consumer", parent=parsed.item.trace, attributes=attributes)


def _traced(notice: Notice, traces: dict[tuple[int, int], str]) -> Notice:
    if not isinstance(notice, LoggedEvent):
        return notice
    trace = traces.get((notice.workspace_id, notice.seq))
    return structs.replace(notice, trace=trace) if trace else notice
