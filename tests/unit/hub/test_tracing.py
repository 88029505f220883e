"""The tracing port: contexts travel as text, nest by task, and cost next to nothing while off."""

from __future__ import annotations

import asyncio
import timeit

import msgspec
import pytest

from hub import tracing
from hub.config import read_settings
from hub.envelope import StreamItem
from hub.events.model import LoggedEvent
from hub.tracing import NO_TRACER, CurrentSpan, format_traceparent, parse


class RecordedSpan:
    def __init__(self, traceparent: str) -> None:
        self.traceparent = traceparent
        self.failed: list[str] = []
        self.ended = 0

    def set(self, name, value):
        pass

    def fail(self, reason):
        self.failed.append(reason)

    def end(self):
        self.ended += 1


def test_traceparent_is_read_back_and_anything_else_is_none():
    """What we write we read; unsampled, zero, foreign and broken ones begin no child."""
    text = format_traceparent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    assert text == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert parse(text) == (0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331)
    for bad in ("", "x", text[:-1] + "0", text.replace("b7ad6b7169203331", "0" * 16), "01" + text[2:], text + "-00"):
        assert parse(bad) is None


async def test_current_span_is_that_of_this_task():
    """Blocks nest and end; another task has its own."""
    outer, inner = RecordedSpan("outer"), RecordedSpan("inner")
    seen: list[str] = []

    async def other() -> None:
        await asyncio.sleep(0)
        seen.append(tracing.current())

    task = asyncio.create_task(other())
    with CurrentSpan(outer):
        await task
        with CurrentSpan(inner):
            seen.append(tracing.current())
        seen.append(tracing.current())
    assert seen == ["", "inner", "outer"]
    assert tracing.current() == ""
    assert (outer.ended, inner.ended) == (1, 1)


def test_span_that_is_left_by_an_error_is_failed_by_its_kind_alone():
    """The text of an error may quote a customer; its kind does not."""
    span = RecordedSpan("x")
    with pytest.raises(ValueError, match="secret"), CurrentSpan(span):
        raise ValueError("secret +15550001111")
    assert (span.failed, span.ended) == (["ValueError"], 1)


def test_tracing_that_is_off_costs_a_few_microseconds_at_most():
    """A span, an attribute and the question for the current one, together."""

    def once() -> None:
        with NO_TRACER.span("x", kind="server", attributes={"a": 1}) as span:
            span.set("b", 2)
        tracing.current()

    best_s = min(timeit.repeat(once, number=10_000, repeat=5)) / 10_000
    assert best_s < 5e-6


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, ""),
        ({"HUB_OTLP_URL": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp"}, "https://c/otlp/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c/in"}, "https://c/in"),
        ({"HUB_OTLP_URL": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_collector_is_found_by_our_variable_or_the_standard_ones(environ, url):
    """Our own variable, OpenTelemetry's general and its traces one, and its off switch."""
    assert read_settings(environ).otlp_traces_url == url


def test_entries_and_hints_of_older_versions_still_decode():
    """What a former version wrote to the streams and the broker has no trace: it is read all the same, and the other way."""
    old_item = {
        "workspace_id": 1,
        "channel_account_id": "a",
        "channel": "c",
        "key": "k",
        "body": b"",
        "received_at_ms": 1,
    }
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(old_item), type=StreamItem).trace == ""
    old_event = {"workspace_id": 1, "seq": 2, "type": "t", "data": b"{}", "inbox_id": None, "conversation_seq": None}
    event = msgspec.msgpack.decode(msgspec.msgpack.encode(old_event), type=LoggedEvent)
    assert (event.trace, event.appended_at_ms) == ("", 0)
