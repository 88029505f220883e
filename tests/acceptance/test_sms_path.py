"""A customer's SMS from the signed webhook to the frame, the typed reply to the vendor, and its ticks: real processes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.acceptance.running import ProtocolClient, RunningHub
from tests.emulators import NUMBER, EmulatedTwilio

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def hub(twilio_process: EmulatedTwilio) -> Iterator[RunningHub]:
    twilio_process.control("clear")
    started = RunningHub(HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url)
    started.set_up()
    account = started.connect_sms(twilio_process, NUMBER)
    started.webhook_url = account["webhook_url"]  # type: ignore[attr-defined]  # handed to the tests
    yield started
    started.stop()


async def snapshot_cursor(hub: RunningHub) -> dict[str, int]:
    with hub.api() as client:
        answer = client.get("snapshot").json()
    return {"epoch": answer["epoch"], "seq": answer["seq"]}


async def text_in(twilio: EmulatedTwilio, hub: RunningHub, text: str, sender: str = "+15550001111") -> None:
    await asyncio.to_thread(
        twilio.control, "inbound", url=hub.webhook_url, **{"from": sender, "to": NUMBER, "body": text}
    )


async def test_sms_arrives_is_answered_and_ticked(hub, twilio_process):
    """Webhook → frame → reply over the socket → request at the vendor → callbacks → delivered."""
    client = ProtocolClient(hub, cursor=await snapshot_cursor(hub))
    await client.open()
    await text_in(twilio_process, hub, "Where is my parcel?")
    await client.wait_for(lambda c: "message_received" in c.types())
    received = client.events[-1]["event"]
    reply_id = await client.send(received["conversation"]["id"], "On its way.")

    def last_status(c: ProtocolClient) -> str | None:
        statuses = [one["event"]["status"] for one in c.events if one["event"]["type"] == "message_status_changed"]
        return statuses[-1] if statuses else None

    await client.wait_for(lambda c: last_status(c) == "delivered", 30)

    assert received["message"]["text"] == "Where is my parcel?"
    assert reply_id in [one.get("client_message_id") for one in client.other if one["type"] == "ack"]
    sends = await asyncio.to_thread(twilio_process.sends)
    assert [(one["form"]["To"], one["form"]["Body"]) for one in sends] == [("+15550001111", "On its way.")]
    await client.cut()
