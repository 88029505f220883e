"""Traces over real processes: one id from the vendor's call to the socket, and from a reply to the vendor."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time

import pytest

from tests.acceptance.running import ProtocolClient, RunningHub, free_port
from tests.acceptance.test_sms_path import snapshot_cursor, text_in
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER, EmulatedTwilio
from tests.otlp import Collector

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(240)]

TEXT, SENDER, REPLY = "Where is parcel seventeen?", "+15550001111", "It left on Tuesday."


@pytest.fixture
def collector():
    started = Collector()
    yield started
    started.stop()


def start(twilio: EmulatedTwilio, otlp_url: str) -> RunningHub:
    twilio.control("clear")
    hub = RunningHub(HUB_VENDOR_URL_TWILIO_SMS=twilio.base_url, HUB_OTLP_URL=otlp_url)
    hub.set_up()
    hub.webhook_url = hub.connect_sms(twilio, NUMBER)["webhook_url"]  # type: ignore[attr-defined]  # for text_in
    return hub


async def test_one_trace_follows_a_message_in_and_a_reply_out(twilio_process, collector):
    """Webhook, stream, store and socket share one trace over two processes; so do reply, dispatch and vendor call."""
    hub = await asyncio.to_thread(start, twilio_process, collector.url)
    try:
        client = ProtocolClient(hub, cursor=await snapshot_cursor(hub))
        await client.open()
        await text_in(twilio_process, hub, TEXT, SENDER)
        await client.wait_for(lambda c: "message_received" in c.types())
        conversation_id = client.events[-1]["event"]["conversation"]["id"]
        await client.send(conversation_id, REPLY)
        await client.wait_for(lambda c: c.types().count("message_status_changed") >= 1, 30)

        def complete(spans):
            names = {one.name for one in spans}
            return {
                "webhook",
                "stream.append",
                "store",
                "socket.write",
                "socket.send",
                "dispatch",
                "vendor.send",
            } <= names

        spans = await asyncio.to_thread(collector.wait_for, complete)
        await client.cut()
    finally:
        await asyncio.to_thread(hub.stop)
    spans = list(collector.spans)

    by_id = {one.span_id: one for one in spans}
    written = next(
        one for one in spans if one.name == "socket.write" and one.attributes["hub.event"] == "message_received"
    )
    inbound = [one for one in spans if one.trace_id == written.trace_id]
    assert {one.name for one in inbound} == {"webhook", "stream.append", "store", "socket.write"}
    store = by_id[written.parent_id]
    assert (store.name, by_id[store.parent_id].name, by_id[store.parent_id].parent_id) == ("store", "webhook", "")
    assert (store.process, written.process, store.attributes["hub.outcome"]) == ("work", "serve", "stored")
    assert by_id[store.parent_id].began_ns <= store.began_ns <= written.ended_ns

    call = next(one for one in spans if one.name == "vendor.send")
    outbound = [one for one in spans if one.trace_id == call.trace_id]
    assert {"socket.send", "dispatch", "vendor.send", "socket.write"} <= {one.name for one in outbound}
    assert call.trace_id != written.trace_id
    sending = by_id[call.parent_id]
    assert (sending.name, by_id[sending.parent_id].name) == ("dispatch", "socket.send")

    everything = b"".join(collector.bodies)
    for private in (TEXT, SENDER, REPLY, NUMBER, AUTH_TOKEN, ACCOUNT_SID, hub.token, "Ola"):
        assert private.encode() not in everything, private


async def test_collector_that_is_away_costs_intake_nothing_and_is_told_once(twilio_process):
    """Nobody listens at the collector's address: messages arrive, none waits for it, the log has one line a process."""
    hub = await asyncio.to_thread(start, twilio_process, f"http://127.0.0.1:{free_port()}")
    try:
        client = ProtocolClient(hub, cursor=await snapshot_cursor(hub))
        await client.open()
        taken_s = []
        for number in range(40):
            began_s = time.monotonic()
            await text_in(twilio_process, hub, f"n {number}", f"+1555200{number:04d}")
            taken_s.append(time.monotonic() - began_s)
        await client.wait_for(lambda c: c.types().count("message_received") == 40, 30)
        # Long enough for several exports to be given up.
        deadline = time.monotonic() + 30
        while "trace_collector" not in hub.log("serve") and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        await client.cut()
    finally:
        logs = {name: hub.log(name) for name in ("serve", "work")}
        began_s = time.monotonic()
        await asyncio.to_thread(hub.stop)
    stopping_s = time.monotonic() - began_s

    assert statistics.median(taken_s) < 0.5
    assert stopping_s < 12
    for log in logs.values():
        assert all(line.startswith("{") for line in log.splitlines()), log
        assert sum("opentelemetry" in line or "trace_collector" in line for line in log.splitlines()) <= 1
    assert logs["serve"].count("trace_collector") == 1


def test_adapter_is_not_loaded_and_nothing_of_ours_imports_the_library_while_off():
    """Without a collector every process starts where the packages are not installed; with one, words say what to do."""
    code = (
        "import sys; sys.modules['opentelemetry'] = None; import api.serve, connectors.work, hub.cli\n"
        "from hub.config import read_settings; from hub.errors import ConfigurationError\n"
        "from hub.tracing import NO_TRACER, open_tracer\n"
        "assert open_tracer(read_settings({}), 'serve') is NO_TRACER\n"
        "assert 'hub.tracing_otlp' not in sys.modules\n"
        "try: open_tracer(read_settings({'HUB_OTLP_URL': 'http://127.0.0.1:4318'}), 'serve')\n"
        "except ConfigurationError as error: print(error.message)"
    )
    done = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert "pip install -r requirements-tracing.txt" in done.stdout
