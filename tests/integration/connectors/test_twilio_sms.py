"""The SMS channel against the emulator process, through the vendor's own SDK."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import msgspec
import pytest

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.twilio_sms import make_connector
from connectors.twilio_sms.client import TwilioClient
from hub.envelope import DeliveryStatus, Identity, InboundItem, OutboundMessage, SendResult
from hub.errors import ConnectorError, ErrorClass, InvalidInput, SignatureRejected
from hub.inbox.model import advance
from scripts.emulators.http1 import Answer, Cut, Request, listen
from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER, SERVICE_SID, EmulatedTwilio
from tests.waiting import wait_until

pytestmark = pytest.mark.processes

CONNECTOR = make_connector(TwilioClient(timeout_s=0.5))
CUSTOMER = "+15551230001"
HOOK = "https://hub.example.com/webhooks/twilio_sms/1"
MESSAGE_ID = "0190b0a0-1111-7000-8000-000000000001"


def make_account(base_url: str, webhook_url: str = HOOK, **settings: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN},
        settings={"phone_number": NUMBER} | settings,
        webhook_url=webhook_url,
        base_url=base_url,
    )


def make_message(text: str = "Hällo – 5 €", to: str = CUSTOMER) -> OutboundMessage:
    return OutboundMessage(
        message_id=MESSAGE_ID,
        to=Identity("phone", to),
        thread_key=to,
        text=text,
        attempted_at=datetime.now(UTC),
    )


async def send(account: Account, message: OutboundMessage) -> SendResult:
    return await CONNECTOR.send(account, message, CONNECTOR.render(message, account))


async def refusal(account: Account, message: OutboundMessage):
    with pytest.raises(ConnectorError) as caught:
        await send(account, message)
    return caught.value.info


@pytest.fixture
def account(twilio: EmulatedTwilio) -> Account:
    twilio.control("callbacks", order=[])
    return make_account(twilio.base_url)


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_send_makes_one_request_the_vendor_accepts(twilio, account):
    """One POST with exactly our fields; the answer's SID comes back."""
    result = await send(account, make_message())
    (request,) = twilio.sends()
    assert parse_qs(request["body"]) == {
        "To": [CUSTOMER],
        "From": [NUMBER],
        "Body": ["Hällo – 5 €"],
        "StatusCallback": [f"{HOOK}?mid={MESSAGE_ID}"],
    }
    assert result == SendResult((twilio.state()["messages"][0]["sid"],), DeliveryStatus.SENT)


async def test_send_through_a_messaging_service(twilio):
    """With a messaging service there is no From, and the vendor's "accepted" is our sent."""
    twilio.control("callbacks", order=[])
    result = await send(make_account(twilio.base_url, messaging_service_sid=SERVICE_SID), make_message())
    assert result.status is DeliveryStatus.SENT
    assert "From" not in parse_qs(twilio.sends()[0]["body"])


@pytest.mark.parametrize(
    ("answer", "klass", "retry_after_s"),
    [
        ({"kind": "status", "status": 429, "code": 20429, "headers": {"Retry-After": "7"}}, ErrorClass.RATE_LIMITED, 7),
        ({"kind": "status", "status": 429, "code": 20429}, ErrorClass.RATE_LIMITED, None),
        ({"kind": "html", "status": 429}, ErrorClass.RATE_LIMITED, None),
        ({"kind": "status", "status": 500, "code": 20500}, ErrorClass.AMBIGUOUS, None),
        ({"kind": "html", "status": 502}, ErrorClass.AMBIGUOUS, None),
        ({"kind": "html", "status": 201}, ErrorClass.AMBIGUOUS, None),
        ({"kind": "status", "status": 503, "headers": {"Retry-After": "3"}}, ErrorClass.RETRYABLE, 3),
        ({"kind": "status", "status": 503}, ErrorClass.AMBIGUOUS, None),
        ({"kind": "hold"}, ErrorClass.AMBIGUOUS, None),
        ({"kind": "reset"}, ErrorClass.AMBIGUOUS, None),
        ({"kind": "status", "status": 401, "code": 20003}, ErrorClass.AUTH, None),
    ],
    ids=str,
)
async def test_bad_answers_are_classified_and_never_repeated(twilio, account, answer, klass, retry_after_s):
    """Whatever the vendor answers, one request went out, and what may have been taken is called ambiguous."""
    twilio.control("next", answers=[answer])
    info = await refusal(account, make_message())
    assert (info.klass, info.retry_after_s) == (klass, retry_after_s)
    assert len(twilio.sends()) == 1
    assert CUSTOMER not in info.message


async def test_throttle_names_the_bucket(twilio, account):
    """An account's throttle drains the account's bucket, a full number's queue the number's."""
    twilio.control("next", answers=[{"kind": "status", "status": 429, "code": 20429}])
    assert (await refusal(account, make_message())).bucket == f"twilio:account:{ACCOUNT_SID}"
    twilio.control("next", answers=[{"kind": "status", "status": 400, "code": 21611}])
    assert (await refusal(account, make_message())).bucket == f"twilio:sender:{ACCOUNT_SID}:{NUMBER}"


async def test_refused_connection_is_certainly_not_sent():
    """Nobody listens: safe to try again."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        info = await refusal(make_account(f"http://127.0.0.1:{closed.getsockname()[1]}"), make_message())
    assert info.klass is ErrorClass.RETRYABLE


async def test_failed_tls_is_certainly_not_sent(twilio):
    """The handshake failed, so no byte of the message left."""
    info = await refusal(make_account(f"https://127.0.0.1:{twilio.port}"), make_message())
    assert info.klass is ErrorClass.RETRYABLE


async def test_unknown_host_is_certainly_not_sent():
    """The name has no address: safe to try again."""
    assert (await refusal(make_account("http://nowhere.invalid"), make_message())).klass is ErrorClass.RETRYABLE


async def test_silent_host_that_took_the_connection_only_is_ambiguous():
    """Connected and written, then nothing: it may have been read."""

    async def swallow(_request: Request) -> Cut:
        return Cut.HOLD

    async with listen(swallow) as listener:
        info = await refusal(make_account(f"http://127.0.0.1:{listener.port}"), make_message())
    assert info.klass is ErrorClass.AMBIGUOUS


async def test_opted_out_recipient_is_refused(twilio, account):
    """The vendor's 21610 is the recipient's will."""
    twilio.control("opt_out", number=CUSTOMER)
    info = await refusal(account, make_message())
    assert (info.klass, info.code) == (ErrorClass.RECIPIENT, "21610")


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_check_says_what_to_set_at_the_vendor(twilio, account):
    """Good keys whose number points elsewhere: a warning with our address."""
    twilio.control("number", phone_number=NUMBER, sms_url="https://old.example.com")
    checked = await CONNECTOR.check(account)
    assert checked.external_ref.startswith("PN")
    assert len(checked.warnings) == 1
    assert HOOK in checked.warnings[0]


async def test_check_sets_the_webhook_when_asked(twilio):
    """With the setting on, the number points to us afterwards and nothing is left to say."""
    twilio.control("number", phone_number=NUMBER, sms_url="https://old.example.com")
    checked = await CONNECTOR.check(make_account(twilio.base_url, configure_webhook="yes"))
    assert checked.warnings == ()
    assert (await CONNECTOR.check(make_account(twilio.base_url))).warnings == ()


async def test_check_refuses_wrong_keys(twilio, account):
    """A wrong token and a wrong SID are told before saving."""
    for name, value in (("auth_token", "wrong"), ("account_sid", "AC" + "f" * 32)):
        wrong = msgspec.structs.replace(account, credentials=dict(account.credentials) | {name: value})
        with pytest.raises(ConnectorError) as caught:
            await CONNECTOR.check(wrong)
        assert caught.value.info.klass is ErrorClass.AUTH
        assert caught.value.info.message == "Twilio did not accept the Account SID and Auth Token."


async def test_check_refuses_a_number_that_is_not_there_or_cannot_send(twilio, account):
    """The field is named."""
    elsewhere = msgspec.structs.replace(account, settings={"phone_number": "+15550009999"})
    twilio.control("number", phone_number="+15550008888", sms=False)
    voice_only = msgspec.structs.replace(account, settings={"phone_number": "+15550008888"})
    no_number = msgspec.structs.replace(account, settings={"phone_number": "my number"})
    for one in (elsewhere, voice_only, no_number):
        with pytest.raises(InvalidInput) as caught:
            await CONNECTOR.check(one)
        assert caught.value.field == "phone_number"


async def test_check_refuses_a_suspended_account(twilio, account):
    """Keys that open a closed account do not help."""
    twilio.control("account", status="suspended")
    with pytest.raises(ConnectorError) as caught:
        await CONNECTOR.check(account)
    twilio.control("account", status="active")
    assert caught.value.info.klass is ErrorClass.ACCOUNT


async def test_check_of_an_unreachable_vendor_is_retryable(account):
    """No answer is not a wrong key."""
    away = msgspec.structs.replace(account, base_url="http://127.0.0.1:1")
    with pytest.raises(ConnectorError) as caught:
        await CONNECTOR.check(away)
    assert caught.value.info.klass is ErrorClass.RETRYABLE


# ── a send nobody confirmed ─────────────────────────────────────────────────────────────────────────────────────────


async def test_reconcile_finds_the_message_whose_answer_was_lost(twilio, account):
    """Accepted, then the line broke: the one message there is ours."""
    twilio.control("next", answers=[{"kind": "reset"}])
    message = make_message()
    assert (await refusal(account, message)).klass is ErrorClass.AMBIGUOUS
    found = await CONNECTOR.reconcile(account, message)
    assert found == SendResult((twilio.state()["messages"][0]["sid"],), DeliveryStatus.SENT)


async def test_reconcile_does_not_guess(twilio, account):
    """None, two, another text, another time, or no time of ours: nothing is claimed."""
    message = make_message()
    assert await CONNECTOR.reconcile(account, message) is None
    await send(account, message)
    assert await CONNECTOR.reconcile(account, make_message("Other")) is None
    assert await CONNECTOR.reconcile(account, make_message(to="+15551230002")) is None
    assert await CONNECTOR.reconcile(account, msgspec.structs.replace(message, attempted_at=None)) is None
    for shift in (timedelta(minutes=5), timedelta(minutes=-5)):
        moved = msgspec.structs.replace(message, attempted_at=datetime.now(UTC) + shift)
        assert await CONNECTOR.reconcile(account, moved) is None
    await send(account, message)
    assert await CONNECTOR.reconcile(account, message) is None


async def test_reconcile_tells_when_the_vendor_gave_up(twilio, account):
    """A message the vendor took and failed is found as failed."""
    twilio.control("callbacks", order=["failed"], delay_s=0)
    message = make_message()
    await send(account, message)
    await wait_until(lambda: bool(twilio.state()["callbacks"]))
    found = await CONNECTOR.reconcile(account, message)
    assert found is not None
    assert found.status is DeliveryStatus.FAILED


async def test_reconcile_of_an_unreachable_vendor_raises(account):
    """Not being able to ask is not an answer."""
    away = msgspec.structs.replace(account, base_url="http://127.0.0.1:1")
    with pytest.raises(ConnectorError):
        await CONNECTOR.reconcile(away, make_message())


# ── calls from the vendor ───────────────────────────────────────────────────────────────────────────────────────────


class Hook:
    """Our side of the webhook: verifies, splits, parses, and keeps what it understood."""

    def __init__(self) -> None:
        self.url = ""
        self.items: list[InboundItem] = []
        self.keys: list[str] = []
        self.rejected = 0

    def account(self, base_url: str) -> Account:
        return make_account(base_url, self.url)

    async def answer(self, request: Request) -> Answer:
        assert CONNECTOR.verify is not None
        assert CONNECTOR.split is not None
        query = "?" + "&".join(f"{name}={value}" for name, value in request.query) if request.query else ""
        call = WebhookRequest(
            method=request.method,
            url=self.url + query,
            headers=request.headers,
            body=request.body,
            received_at=datetime.now(UTC),
        )
        try:
            CONNECTOR.verify(call, self.account(""))
        except SignatureRejected:
            self.rejected += 1
            return Answer(401, b"")
        for raw in CONNECTOR.split(call):
            context = ParseContext(received_at=call.received_at, key=raw.key, settings={})
            self.keys.append(raw.key)
            self.items.extend(CONNECTOR.parse(raw.body, context))
        return Answer(200, CONNECTOR.stored_reply.body, CONNECTOR.stored_reply.content_type)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    async with listen(hook.answer) as listener:
        hook.url = f"http://127.0.0.1:{listener.port}/webhooks/twilio_sms/1"
        yield hook


async def test_status_callbacks_in_every_order_end_delivered(twilio, hook):
    """Sent through the SDK, reported in each of 24 orders, every one doubled: delivered, and known as ours."""
    for order in itertools.permutations(("queued", "sending", "sent", "delivered")):
        hook.items.clear()
        twilio.control("callbacks", order=order, delay_s=0, times=2)
        result = await send(hook.account(twilio.base_url), make_message())
        await wait_until(lambda: len(hook.items) == 8)
        state = result.status
        for item in hook.items:
            assert item.receipt is not None
            assert (item.correlation_id, item.target_external_id) == (MESSAGE_ID, result.external_ids[0])
            state = advance(state, item.receipt.status)
        assert state is DeliveryStatus.DELIVERED
    assert hook.rejected == 0


async def test_status_callback_tells_why_it_failed(twilio, hook):
    """The carrier's reason arrives in words."""
    twilio.control("callbacks", order=["undelivered"], delay_s=0, error_code=30007)
    await send(hook.account(twilio.base_url), make_message())
    await wait_until(lambda: bool(hook.items))
    receipt = hook.items[0].receipt
    assert receipt is not None
    assert receipt.error is not None
    assert (receipt.status, receipt.error.klass) == (DeliveryStatus.FAILED, ErrorClass.CONTENT)


async def test_callback_may_come_before_the_answer_and_late(twilio, hook):
    """A held callback arrives when released, long after the send."""
    twilio.control("callbacks", order=["delivered"], delay_s=0, hold=True)
    await send(hook.account(twilio.base_url), make_message())
    assert hook.items == []
    twilio.control("release")
    await wait_until(lambda: bool(hook.items))


async def test_incoming_messages_are_read_once_signed(twilio, hook):
    """The emulator's signed message is read, a repeat has the same key, a wrong or missing signature is refused."""
    order = {"from": CUSTOMER, "body": "Ärger & Co + 50 % = ?\n👍", "url": hook.url}
    delivered = await asyncio.to_thread(twilio.control, "inbound", times=2, **order)
    assert [answer["status"] for answer in delivered["answers"]] == [200, 200]
    assert delivered["answers"][0]["content_type"] == "text/xml"
    assert hook.keys == [delivered["sid"]] * 2
    assert hook.items[0].text == order["body"]
    for sign in ("wrong", "none"):
        refused = await asyncio.to_thread(twilio.control, "inbound", sign=sign, **order)
        assert refused["answers"][0]["status"] == 401
    assert hook.rejected == 2


async def test_incoming_stop_and_files_are_understood(twilio, hook):
    """STOP with the vendor's own word, and a picture without text."""
    media = [{"url": "https://api.twilio.com/ME1", "content_type": "image/png"}]
    await asyncio.to_thread(
        twilio.control, "inbound", **{"from": CUSTOMER, "body": "enough", "url": hook.url, "opt_out_type": "STOP"}
    )
    await asyncio.to_thread(twilio.control, "inbound", **{"from": CUSTOMER, "url": hook.url, "media": media})
    assert hook.items[0].consent == "stop"
    assert (hook.items[1].text, hook.items[1].attachments[0].ref) == ("", "https://api.twilio.com/ME1")
