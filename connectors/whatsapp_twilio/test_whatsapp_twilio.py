"""WhatsApp through Twilio: what is rendered, and what the emulated Twilio makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import msgspec
import pytest

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.whatsapp_twilio import CONNECTOR
from connectors.whatsapp_twilio.client import SANDBOX, WhatsAppClient, read_template
from connectors.whatsapp_twilio.render import charges, render
from hub.envelope import Identity, OutboundAttachment, OutboundMessage, TemplateUse
from hub.errors import ConnectorError, ErrorClass, InvalidInput
from scripts.emulators.http1 import Answer, Request, listen
from scripts.emulators.twilio import Emulator

ACCOUNT_SID, TOKEN, NUMBER = "AC" + "0" * 31 + "1", "emulated-token", "+15559870002"
ANN = Identity("phone", "+16505551234")
CONTENT_SID = "HX" + "0" * 32
URL = "https://hub.example.com/webhooks/whatsapp_twilio/1"
APPROVED = {
    "sid": CONTENT_SID,
    "account_sid": ACCOUNT_SID,
    "friendly_name": "Order update",
    "language": "en",
    "variables": {"1": "Ann", "2": "chair"},
    "types": {"twilio/text": {"body": "Hello {{1}}, your {{2}} left today."}},
    "approval_requests": {"name": "order_update", "category": "UTILITY", "status": "approved"},
}


def make_account(base_url: str = "", **settings: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"account_sid": ACCOUNT_SID, "auth_token": TOKEN},
        settings={"phone_number": NUMBER} | settings,
        webhook_url=URL,
        base_url=base_url,
    )


def make_message(text: str = "Hello", **more: object) -> OutboundMessage:
    message_id = "0190b0a0-1111-7000-8000-000000000001"
    return OutboundMessage(**{"message_id": message_id, "to": ANN, "thread_key": ANN.value, "text": text} | more)


def make_file(mime: str = "image/jpeg", size_bytes: int = 1000) -> OutboundAttachment:
    url = "https://hub.example.com/files/token"
    return OutboundAttachment(id="f", kind="file", filename="a.bin", mime=mime, size_bytes=size_bytes, url=url)


@contextlib.asynccontextmanager
async def running():
    """Give the emulator in this process, with one WhatsApp sender, and an account of it."""
    emulator = Emulator(ACCOUNT_SID, TOKEN, [f"whatsapp:{NUMBER}", "+15550001111"], [])
    async with listen(emulator.handle) as listener:
        yield emulator, make_account(f"http://127.0.0.1:{listener.port}")


async def send(account: Account, message: OutboundMessage):
    return await CONNECTOR.send(account, message, CONNECTOR.render(message, account))


def test_addresses_are_whatsapps():
    """Sender and recipient carry the channel's prefix; a messaging service chooses the sender itself."""
    (call,) = render(make_message(), make_account())
    (by_service,) = render(make_message(), make_account(messaging_service_sid="MG1"))

    assert call.fields == {
        "To": "whatsapp:+16505551234",
        "From": "whatsapp:+15559870002",
        "Body": "Hello",
        "StatusCallback": f"{URL}?mid=0190b0a0-1111-7000-8000-000000000001",
    }
    assert by_service.fields["MessagingServiceSid"] == "MG1"
    assert "From" not in by_service.fields


@pytest.mark.parametrize(
    ("message", "klass"),
    [
        (make_message(" "), ErrorClass.CONTENT),
        (make_message("x" * 1601), ErrorClass.CONTENT),
        (make_message(attachments=(make_file(), make_file())), ErrorClass.CONTENT),
        (make_message(attachments=(make_file("image/tiff"),)), ErrorClass.CONTENT),
        (make_message(attachments=(make_file("image/jpeg", 5_000_001),)), ErrorClass.CONTENT),
        (make_message("listen", attachments=(make_file("audio/ogg"),)), ErrorClass.CONTENT),
        (make_message(to=Identity("phone", "12345")), ErrorClass.RECIPIENT),
        (make_message(to=Identity("bsuid", "US.1")), ErrorClass.RECIPIENT),
    ],
)
def test_what_whatsapp_does_not_take_is_refused_with_words(message, klass):
    """Empty, long, two files, wrong kinds and sizes, text with a sound, somebody without a number."""
    with pytest.raises(ConnectorError) as caught:
        render(message, make_account())
    assert caught.value.info.klass is klass


def test_rate_is_the_senders_own():
    """The buckets of the WhatsApp sender and of the SMS number of the same digits are two."""
    sender, account = charges(make_account(messages_per_second="20"), make_message(), CONNECTOR.manifest.limits)
    assert sender.key == f"twilio:sender:{ACCOUNT_SID}:whatsapp:{NUMBER}"
    assert (sender.limits[0].rate, account.key) == (20.0, f"twilio:account:{ACCOUNT_SID}")


async def test_message_is_sent_and_found_again():
    """Twilio takes it to the WhatsApp address, and a lost answer is found by what was sent."""
    began = datetime.now(UTC) - timedelta(seconds=1)
    async with running() as (emulator, account):
        result = await send(account, make_message())
        found = await CONNECTOR.reconcile(account, make_message(attempted_at=began))
        other = await CONNECTOR.reconcile(account, make_message("another", attempted_at=began))

    (row,) = emulator.messages
    assert (row["to"], row["from"], row["body"]) == (f"whatsapp:{ANN.value}", f"whatsapp:{NUMBER}", "Hello")
    assert result.external_ids == (row["sid"],)
    assert found is not None
    assert found.external_ids == result.external_ids
    assert other is None


async def test_template_is_listed_and_sent_by_its_sid():
    """Approved contents are offered, others are not; values go along by name."""
    waiting = APPROVED | {"sid": "HX" + "1" * 32, "approval_requests": {"name": "w", "status": "pending"}}
    card = APPROVED | {"sid": "HX" + "2" * 32, "types": {"twilio/location": {"latitude": 1.0, "longitude": 2.0}}}
    async with running() as (emulator, account):
        emulator.whatsapp.contents += [APPROVED, waiting, card]
        (template,) = await WhatsAppClient().list_templates(account)
        use = TemplateUse(name=template.name, language="en", id=template.id, variables={"1": "Ann", "2": "chair"})
        await send(account, make_message(template=use))
        with pytest.raises(ConnectorError) as caught:
            await send(account, make_message(template=msgspec.structs.replace(use, variables={"1": "Ann"})))

    assert (template.name, template.id, template.variables) == ("order_update", CONTENT_SID, ("1", "2"))
    assert emulator.messages[0]["body"] == "Hello Ann, your chair left today."
    assert (caught.value.info.klass, caught.value.info.code) == (ErrorClass.CONTENT, "21656")


def test_content_of_an_unknown_form_is_left_out():
    """What cannot be read does not keep the other templates away."""
    assert read_template(SimpleNamespace(**APPROVED | {"types": None})) is None


async def test_closed_window_fails_with_words():
    """Twilio takes free text and says later that the window was closed."""
    told: asyncio.Queue[Request] = asyncio.Queue()

    async def take(request: Request) -> Answer:
        await told.put(request)
        return Answer(200, b"")

    async with listen(take) as ours, running() as (emulator, account):
        emulator.whatsapp.closed.add(f"whatsapp:{ANN.value}")
        account = msgspec.structs.replace(account, webhook_url=f"http://127.0.0.1:{ours.port}/w")
        await send(account, make_message())
        calls = [await asyncio.wait_for(told.get(), 5) for _ in range(2)]

    request = WebhookRequest(method="POST", url=URL, headers={}, body=calls[-1].body, received_at=datetime.now(UTC))
    (raw,) = CONNECTOR.split(request)
    (item,) = CONNECTOR.parse(raw.body, ParseContext(received_at=request.received_at, key=raw.key, settings={}))
    assert item.receipt.error.klass is ErrorClass.WINDOW_CLOSED


async def test_keys_and_sender_are_checked_before_they_are_saved():
    """The sender's SID comes back with what is to be set; a number without WhatsApp, wrong keys, a sender offline."""
    async with running() as (emulator, account):
        found = await CONNECTOR.check(account)
        emulator.numbers[f"whatsapp:{NUMBER}"]["sms_url"] = URL
        quiet = await CONNECTOR.check(account)
        sandbox = await CONNECTOR.check(make_account(account.base_url, phone_number=SANDBOX))
        with pytest.raises(InvalidInput) as number:
            await CONNECTOR.check(make_account(account.base_url, phone_number="+15550001111"))
        wrong = msgspec.structs.replace(account, credentials={"account_sid": ACCOUNT_SID, "auth_token": "other"})
        with pytest.raises(ConnectorError) as keys:
            await CONNECTOR.check(wrong)
        emulator.whatsapp.sender_status = "OFFLINE"
        with pytest.raises(ConnectorError) as offline:
            await CONNECTOR.check(account)

    assert found.external_ref.startswith("XE")
    assert URL in found.warnings[0]
    assert quiet.warnings == ()
    assert sandbox.external_ref == SANDBOX
    assert number.value.field == "phone_number"
    assert keys.value.info.klass is ErrorClass.AUTH
    assert offline.value.info.klass is ErrorClass.ACCOUNT


async def test_number_of_another_channel_is_refused_by_the_emulator():
    """WhatsApp to an SMS number, or from a number that is no sender: Twilio's own codes."""
    async with running() as (_, account):
        codes = []
        recipient = f"whatsapp:{ANN.value}"
        for sender in ("+15550001111", "whatsapp:+15550001111"):
            async with httpx.AsyncClient(trust_env=False, auth=(ACCOUNT_SID, TOKEN)) as http:
                form = {"From": sender, "To": recipient, "Body": "x"}
                answer = await http.post(
                    f"{account.base_url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json", data=form
                )
            codes.append(json.loads(answer.content)["code"])

    assert codes == [21910, 63007]
