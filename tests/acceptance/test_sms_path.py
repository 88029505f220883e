"""A customer's SMS from the signed webhook to the frame, the typed reply to the vendor, and its ticks: real processes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qs

import httpx
import pytest

from tests.acceptance.running import ProtocolClient, RunningHub
from tests.emulators import NUMBER, EmulatedTwilio

# As long as a tunnel, or a lift.
CUT_S = 60

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


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
    forms = [parse_qs(one["body"]) for one in sends]
    assert [form["Body"] for form in forms if form["To"] == ["+15550001111"]] == [["On its way."]]
    await client.cut()


async def test_client_cut_off_amid_500_events_misses_none(hub, twilio_process):
    """A client written from the protocol page alone is cut for 60 s while 500 messages come in, and resumes with all."""
    client = ProtocolClient(hub, cursor=await snapshot_cursor(hub))
    await client.open()
    await client.wait_for(lambda c: any(one["type"] == "welcome" for one in c.other))
    before = client.cursor["seq"]

    async def flood() -> None:
        for batch in range(50):
            await asyncio.gather(
                *(text_in(twilio_process, hub, f"n {batch * 10 + n}", f"+1555100{n:04d}") for n in range(10))
            )
            await asyncio.sleep(max(0, (CUT_S + 5) / 50 - 0.1))

    flooding = asyncio.create_task(flood())
    await client.wait_for(lambda c: len(c.events) >= 20, 30)
    await client.cut()
    seen = len(client.events)
    await asyncio.sleep(CUT_S)
    await client.open()
    await flooding
    await client.wait_for(lambda c: len(c.events) >= 500, 60)

    welcome = [one for one in client.other if one["type"] == "welcome"][-1]
    texts = [one["event"]["message"]["text"] for one in client.events]
    assert seen < 500
    assert welcome["recovered"] is True
    assert sorted(f"n {n}" for n in range(500)) == sorted(texts)
    assert list(range(before + 1, before + 501)) == [one["seq"] for one in client.events]
    await client.cut()


async def test_reply_from_the_api_and_the_same_send_twice_is_one_vendor_call(hub, twilio_process):
    """The same client_message_id over HTTP twice reaches the vendor once."""
    await text_in(twilio_process, hub, "Once only", "+15550007777")
    with hub.api() as api:
        await wait_for_conversation(api, "Once only")
        conversation = conversation_with(api, "Once only")
        body = {"client_message_id": str(uuid.uuid4()), "kind": "message", "text": "Just once", "attachments": []}
        answers = [api.post(f"conversations/{conversation}/messages", json=body).json() for _ in range(3)]
        deadline = time.monotonic() + 30
        while True:
            (message,) = [
                one
                for one in api.get(f"conversations/{conversation}/messages").json()["messages"]
                if one["text"] == "Just once"
            ]
            if message["status"] == "delivered":
                break
            assert time.monotonic() < deadline, message
            await asyncio.sleep(0.2)

    assert len({one["message_id"] for one in answers}) == 1
    sends = [parse_qs(one["body"])["Body"] for one in await asyncio.to_thread(twilio_process.sends)]
    assert sends.count(["Just once"]) == 1


def conversation_with(api: httpx.Client, preview: str) -> str | None:
    rows = api.get("conversations").json()["conversations"]
    return next((row["id"] for row in rows if row["preview"] == preview), None)


async def wait_for_conversation(api: httpx.Client, preview: str) -> None:
    deadline = time.monotonic() + 20
    while conversation_with(api, preview) is None:
        assert time.monotonic() < deadline, "the message did not arrive"
        await asyncio.sleep(0.1)
