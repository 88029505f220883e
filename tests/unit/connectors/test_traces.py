"""Traces on their way through intake and dispatch: each item keeps its own, sends find what queued them."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import UUID

import msgspec
import pytest

from connectors.batch_spans import BatchSpans
from connectors.traces import REMEMBERED, OutboundTraces
from hub import clock
from hub.events.model import LoggedEvent
from hub.inbox.batch import Outcome, OutcomeKind


class RecordingTracer:
    """Spans as dicts, in the order they began."""

    def __init__(self) -> None:
        self.spans: list[dict] = []

    def start(self, name, *, kind="internal", parent="", attributes=None):
        made = {"name": name, "parent": parent, "ended": False, "failed": ""}
        self.spans.append(made)
        return SimpleNamespace(
            traceparent=f"child-of-{parent}",
            set=lambda key, value: made.update({key: value}),
            fail=lambda reason: made.update(failed=reason),
            end=lambda: made.update(ended=True),
        )


def event(seq: int, **more) -> LoggedEvent:
    return LoggedEvent(workspace_id=1, seq=seq, type="message_received", data=b"{}", **more)


def entry(trace: str, items: int = 1):
    return SimpleNamespace(item=SimpleNamespace(trace=trace, channel="twilio_sms"), received=[None] * items)


def outcome(seq: int | None, kind: OutcomeKind = OutcomeKind.STORED) -> Outcome:
    return Outcome(kind=kind, seq=seq)


def test_each_event_goes_on_from_the_call_its_item_came_in_with():
    """Two traced entries, one of them two items, around one that is not traced; a duplicate names nobody's event."""
    tracer = RecordingTracer()
    spans = BatchSpans(tracer, [entry("a", 2), entry(""), entry("b")])
    conn = SimpleNamespace(notices=[event(5), event(6), event(7), msgspec.structs.replace(event(8))])
    items = [SimpleNamespace(workspace_id=1)] * 4
    with spans:
        spans.mark(conn, items, [outcome(5), outcome(6), outcome(7), outcome(5, OutcomeKind.DUPLICATE)])

    assert [one.trace for one in conn.notices] == ["child-of-a", "child-of-a", "", ""]
    assert [(one["parent"], one["hub.outcome"], one["ended"]) for one in tracer.spans] == [
        ("a", "stored", True),
        ("b", "duplicate", True),
    ]


def test_batch_without_traces_makes_no_span():
    """Tracing off, or nothing sampled: nothing is looked at."""
    tracer = RecordingTracer()
    spans = BatchSpans(tracer, [entry(""), entry("")])
    with spans:
        spans.mark(None, [], [])
    assert tracer.spans == []


def test_failed_batch_fails_its_spans_by_kind():
    """A transaction that rolled back shows as an error."""
    tracer = RecordingTracer()
    with pytest.raises(ValueError, match="x"), BatchSpans(tracer, [entry("a")]):
        raise ValueError("x")
    assert (tracer.spans[0]["failed"], tracer.spans[0]["ended"]) == ("ValueError", True)


def queued(message_id: UUID, trace: str) -> LoggedEvent:
    data = msgspec.json.encode({"type": "message_queued", "message": {"id": message_id, "text": "x"}})
    return LoggedEvent(workspace_id=1, seq=1, type="message_queued", data=data, trace=trace)


def test_send_finds_the_trace_of_what_queued_it_within_bounds():
    """Known by message; untraced, other and unreadable events are passed over; the oldest are forgotten."""
    traces = OutboundTraces()
    first, second = clock.new_ids(2)
    traces.note([queued(first, "t1"), queued(second, ""), event(3, trace="t3")])
    traces.note([LoggedEvent(workspace_id=1, seq=2, type="message_queued", data=b"{}", trace="t")])
    assert (traces.of(first), traces.of(second)) == ("t1", "")
    traces.note([queued(one, "later") for one in clock.new_ids(REMEMBERED)])
    assert traces.of(first) == ""
