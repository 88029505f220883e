"""hub tail beside a whole hub whose Postgres is killed: it goes on, and shows every event once."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.acceptance.running import RunningHub
from tests.acceptance.test_sms_path import text_in
from tests.emulators import NUMBER
from tests.tailing import Tail, seqs

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]


async def test_tail_goes_on_after_postgres_was_killed(twilio_process):
    """kill -9 of Postgres between two messages: both are shown, and no number between is missing."""
    twilio_process.control("clear")
    hub = await asyncio.to_thread(RunningHub, HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url)
    shown = None
    try:
        hub.set_up()
        hub.webhook_url = hub.connect_sms(twilio_process, NUMBER)["webhook_url"]
        shown = Tail({"HUB_DATA_DIR": hub.folder.name, "HUB_PORT": str(hub.port)}, "--json", "--since", "10m")
        await text_in(twilio_process, hub, "before", "+15550001111")
        await shown.wait_for(lambda lines: any("message_received" in one for one in lines), 30)
        (pid,) = [pid for command, pid in hub.child_pids().items() if "/postgres " in command]
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        await text_in(twilio_process, hub, "after", "+15550001111")
        await shown.wait_for(lambda lines: sum("message_received" in one for one in lines) == 2, 60)
    finally:
        told = shown.stop() if shown is not None else ""
        await asyncio.to_thread(hub.stop)

    numbers = seqs(shown.lines)
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert told == ""
