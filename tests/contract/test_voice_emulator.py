"""The emulated exchange is as strict as Twilio, and the channel's own client gets on with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from xml.etree.ElementTree import fromstring

import msgspec
import pytest

from connectors.base import Account, Call, CallOrder, LiveCall, ParseContext, Staff, WebhookRequest
from connectors.voice import CONNECTOR
from connectors.voice.softphone import identity_of
from hub.envelope import AttachmentRef, CallState, Identity
from hub.errors import ConnectorError, ErrorClass, InvalidInput
from hub.inbox.calls import join_states
from scripts.emulators.http1 import Answer, Request, listen
from scripts.emulators.twilio_line import Line, Person, PhoneMember, check_twiml
from scripts.emulators.twilio_outgoing import read_new_call
from scripts.emulators.twilio_softphone import BrowserLine, read_token
from scripts.emulators.twilio_voice import API_KEY_SECRET, API_KEY_SID, APP_SID, Exchange

SID, TOKEN, NUMBER = "AC" + "0" * 32, "token", "+15559870042"
RECORDING = "RE" + "0" * 32
KEYS = {"api_key_sid": API_KEY_SID, "api_key_secret": API_KEY_SECRET}
BROWSER = {"twiml_app_sid": APP_SID, "ring_numbers": "browser Anna <anna@example.com>"}
MESSAGE_ID = "0190b0a0-1111-7000-8000-000000000001"


@dataclass
class Running:
    exchange: Exchange
    base_url: str

    def account(self, *, token: str = TOKEN, **settings: str) -> Account:
        return Account(
            id="1",
            workspace_id=1,
            credentials={"account_sid": SID, "auth_token": token} | (KEYS if "twiml_app_sid" in settings else {}),
            signing_key=b"k" * 32,
            settings={"phone_number": NUMBER, "ring_numbers": "+15551230077 Anna"} | settings,
            webhook_url="http://127.0.0.1:9/webhooks/voice/1",
            base_url=self.base_url,
        )


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    exchange = Exchange(SID, TOKEN, NUMBER)
    async with listen(exchange.handle) as listener:
        yield Running(exchange, f"http://127.0.0.1:{listener.port}")


async def read_all(account: Account, sid: str = RECORDING) -> bytes:
    async def no_raw() -> bytes:
        return b""

    ref = AttachmentRef(ref=f"{account.base_url}/2010-04-01/Accounts/{SID}/Recordings/{sid}.mp3", kind="audio")
    assert CONNECTOR.fetch is not None
    return b"".join([piece async for piece in CONNECTOR.fetch(account, ref, no_raw)])


async def test_check_points_the_number_to_us_when_it_may(running):
    """Without leave a sentence says what to set; with it both addresses are set, and nothing is left to say."""
    before = await CONNECTOR.check(running.account())
    after = await CONNECTOR.check(running.account(configure_webhook="yes"))

    assert "A call comes in" in before.warnings[0]
    assert (after.warnings, after.external_ref) == ((), running.exchange.number["sid"])
    ours = running.account().webhook_url
    assert (running.exchange.number["voice_url"], running.exchange.number["status_callback"]) == (ours, ours)
    assert not [one for one in running.exchange.requests if "refused" in one]


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"phone_number": "+15559870099"}, "phone_number"),
        ({"phone_number": "call us"}, "phone_number"),
        ({"time_zone": "Nowhere/Else"}, "time_zone"),
        ({"ring_numbers": "Anna"}, "ring_numbers"),
        ({"ring_numbers": NUMBER}, "ring_numbers"),
    ],
    ids=str,
)
async def test_check_refuses_what_cannot_work(running, settings, field):
    """A number of nobody, a zone that is none, a telephone that is none or would call itself."""
    with pytest.raises(InvalidInput) as caught:
        await CONNECTOR.check(running.account(**settings))
    assert caught.value.field == field


async def test_refused_keys_are_said_to_be_keys(running):
    """Of the check and of a recording."""
    for question in (CONNECTOR.check(running.account(token="other")), read_all(running.account(token="other"))):
        with pytest.raises(ConnectorError) as caught:
            await question
        assert caught.value.info.klass is ErrorClass.AUTH


async def test_number_that_takes_no_calls_is_refused(running):
    """One for messages only is no number for this channel."""
    running.exchange.number["capabilities"]["voice"] = False
    with pytest.raises(InvalidInput, match="takes no calls"):
        await CONNECTOR.check(running.account())


async def test_recording_that_is_not_there_yet_is_asked_for_again(running):
    """Twilio tells of a recording before it can be fetched: not gone, only later."""
    running.exchange.recordings.add(RECORDING)
    running.exchange.steer("late_recordings", {"times": 1})
    with pytest.raises(ConnectorError) as caught:
        await read_all(running.account())

    assert caught.value.info.klass is ErrorClass.RETRYABLE
    assert await read_all(running.account()) == Exchange.MP3


async def test_nothing_is_sent_to_a_caller(running):
    """The queue hears of content, once; Twilio hears nothing."""
    with pytest.raises(ConnectorError) as caught:
        await CONNECTOR.send(running.account(), None, [Call(operation="x", fields={})])  # type: ignore[arg-type]  # never read
    assert caught.value.info.klass is ErrorClass.CONTENT
    assert running.exchange.requests == []


@pytest.mark.parametrize(
    "body", [b"VoiceUrl=x", b"VoiceUrl=x&VoiceMethod=POST&StatusCallback=x&StatusCallbackMethod=POST&Voice=1", b""]
)
async def test_emulator_refuses_missing_and_unknown_fields(running, body):
    """In Twilio's own shape."""
    authorization = "Basic QUMwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDp0b2tlbg=="
    headers = {"authorization": authorization, "content-type": "application/x-www-form-urlencoded"}
    path = f"/2010-04-01/Accounts/{SID}/IncomingPhoneNumbers/{running.exchange.number['sid']}.json"
    answer = await running.exchange.handle(Request("POST", path, [], headers, body))

    assert isinstance(answer, Answer)
    assert (answer.status, set(json.loads(answer.body))) == (400, {"code", "message", "more_info", "status"})
    assert running.exchange.number["voice_url"] == ""


@pytest.mark.parametrize("twiml", ["<Dail/>", "<Dial tmeout='1'/>", "<Dial><Number url='' color='red'/></Dial>"])
def test_emulator_obeys_only_verbs_twilio_has(twiml):
    """A misspelt verb or attribute is an error there."""
    with pytest.raises(ValueError, match=r"is not a verb|has no attribute"):
        check_twiml(fromstring(f"<Response>{twiml}</Response>"))


def order(number: str = "+15551230001", email: str = "anna@example.com") -> CallOrder:
    to = Identity(scheme="phone", value=number)
    return CallOrder(message_id=MESSAGE_ID, to=to, member_name="Anna", member_email=email)


async def begin(account: Account) -> str:
    assert CONNECTOR.render_call is not None
    assert CONNECTOR.call is not None
    return await CONNECTOR.call(account, CONNECTOR.render_call(order(), account))


async def test_call_is_asked_for_once_and_names_nobody_in_its_addresses(running):
    """One request: the member's telephone, our number, and addresses in which the customer's number is sealed."""
    sid = await begin(running.account())

    (request,) = running.exchange.requests
    assert running.exchange.facts()["asked_for"] == [sid]
    new = running.exchange.asked_for[sid]
    assert (new.to, new.sender, new.ring_s) == ("+15551230077", NUMBER, 20)
    assert set(new.events) == {"initiated", "ringing", "answered", "completed"}
    assert UUID(MESSAGE_ID).hex in new.url
    assert UUID(MESSAGE_ID).hex in new.status_url
    assert "5551230001" not in request["body"]


async def test_refused_call_is_told_in_words_about_calls(running):
    """A number that is not ours to show, keys, an outage: class and words say what to do, and nothing is repeated."""
    with pytest.raises(ConnectorError) as caught:
        await begin(running.account(phone_number="+15550000000"))
    assert "may not be shown" in caught.value.info.message
    with pytest.raises(ConnectorError) as caught:
        await begin(running.account(token="other"))
    assert caught.value.info.klass is ErrorClass.AUTH

    running.exchange._planned.append({"kind": "html", "status": 502})
    before = len(running.exchange.requests)
    with pytest.raises(ConnectorError) as caught:
        await begin(running.account())
    assert (caught.value.info.klass, len(running.exchange.requests)) == (ErrorClass.AMBIGUOUS, before + 1)
    assert "the telephone may ring" in caught.value.info.message


@pytest.mark.parametrize(
    "body", ["To=%2B15551230077&From=x", "To=a&From=b&Url=https://x&Colour=red", "To=a&From=b&Url=ftp://x", "To=a&To=b"]
)
def test_emulator_refuses_calls_twilio_would_refuse(body):
    """Missing, unknown and doubled fields, and addresses that are none."""
    with pytest.raises(ValueError, match=r"missing|unknown|address"):
        read_new_call(body.encode())


async def test_check_points_the_app_to_us_when_it_may(running):
    """Without leave a sentence says what to set; with it the app asks us; an app of nobody is refused."""
    before = await CONNECTOR.check(running.account(**BROWSER))
    after = await CONNECTOR.check(running.account(configure_webhook="yes", **BROWSER))

    assert "Request URL" in before.warnings[-1]
    assert after.warnings == ()
    assert running.exchange.app["voice_url"] == f"{running.account().webhook_url}?step=client"
    with pytest.raises(InvalidInput) as caught:
        await CONNECTOR.check(running.account(**BROWSER | {"twiml_app_sid": "AP" + "1" * 32}))
    assert caught.value.field == "twiml_app_sid"


async def test_line_in_a_browser_without_a_key_is_refused(running):
    """It would ring nowhere."""
    with pytest.raises(InvalidInput) as caught:
        await CONNECTOR.check(running.account(ring_numbers=BROWSER["ring_numbers"]))
    assert (caught.value.field, running.exchange.requests) == ("api_key_sid", [])


async def test_token_is_one_the_emulator_lets_in_and_others_are_not(running):
    """Claim by claim: the key, the account, the app, the time."""
    assert CONNECTOR.pass_softphone is not None
    now, account = datetime.now(UTC), running.account(**BROWSER)
    given = CONNECTOR.pass_softphone(account, "anna@example.com", now)

    assert read_token(running.exchange.keys, given.token) == given.identity
    for changed in ("key_sid", "key_secret", "account_sid", "app_sid"):
        keys = msgspec.structs.replace(running.exchange.keys, **{changed: "x" * 34})
        with pytest.raises(ValueError, match="201"):
            read_token(keys, given.token)
    old = CONNECTOR.pass_softphone(account, "anna@example.com", now - timedelta(hours=2))
    with pytest.raises(ValueError, match=r"20107|20104"):
        read_token(running.exchange.keys, old.token)


async def test_browser_that_signed_in_calls_whom_we_sealed(running):
    """The emulated exchange asks us as Twilio would: the customer is dialled with our number, and told of the recording."""
    assert CONNECTOR.connect_softphone is not None
    account = running.account(record_calls="yes", **BROWSER)
    sealed = CONNECTOR.connect_softphone(order(), account, datetime.now(UTC))

    async def ask(item: dict[str, Any]) -> dict[str, Any]:
        assert CONNECTOR.reply is not None
        body = urlencode(item["fields"]).encode()
        request = WebhookRequest(method="POST", url=item["url"], headers={}, body=body, received_at=datetime.now(UTC))
        answer = CONNECTOR.reply(request, account, Staff())
        return {"status": answer.status, "content_type": answer.content_type, "body": answer.body.decode()}

    def line(identity: str) -> BrowserLine:
        return BrowserLine(SID, (identity, NUMBER), PhoneMember(does="takes", talk_s=30), {"Order": sealed}, ask)

    ours, theirs = line(identity_of(account.signing_key, "anna@example.com")), line("m0")
    for one in (ours, theirs):
        await one.run(f"{account.webhook_url}?step=client")

    assert (ours.rung[-1], ours.shown, ours.told) == ("+15551230001", NUMBER, ["This call is recorded."])
    assert (theirs.shown, theirs.heard) == ("", ["This call cannot be made. Please call again from the conversation."])


async def test_caller_waits_for_who_is_free_is_rung_and_answered(running):
    """The emulated exchange obeys pauses and redirects as Twilio would; what it tells of the call comes to one state."""
    account = running.account(wait_seconds="60", press_one="no")
    busy, asked = [LiveCall(external_id="CA" + "9" * 32, outcome="answered", member="Anna")], []

    async def ask(item: dict[str, Any]) -> dict[str, Any]:
        assert CONNECTOR.reply is not None
        asked.append(item)
        if len(asked) == 4:
            busy.clear()
        body = urlencode(item["fields"]).encode()
        request = WebhookRequest(method="POST", url=item["url"], headers={}, body=body, received_at=datetime.now(UTC))
        answer = CONNECTOR.reply(request, account, Staff(calls=tuple(busy)))
        return {"status": answer.status, "content_type": answer.content_type, "body": answer.body.decode()}

    line = Line(SID, (Person("+15551230001"), NUMBER), [PhoneMember(does="takes", talk_s=65)], ask)
    await line.run(account.webhook_url, account.webhook_url)

    assert (line.rung, line.paused_s) == (["+15551230077"], 20)
    assert line.heard == ["Everybody is on the telephone. You are number 1 in the queue; please stay on the line."]
    state, newest = CallState(outcome="ringing"), -1
    for item in [*line.asked, *line.news]:
        request = WebhookRequest(
            method="POST",
            url=item["url"],
            headers={},
            body=urlencode(item["fields"]).encode(),
            received_at=datetime.now(UTC),
        )
        assert CONNECTOR.split is not None
        for raw in CONNECTOR.split(request):
            context = ParseContext(received_at=datetime.now(UTC), key=raw.key, settings=account.settings)
            for word in CONNECTOR.parse(raw.body, context):
                if word.call is not None:
                    state = join_states(state, word.call, is_newest=word.revision >= newest)
                    newest = max(newest, word.revision)
    assert (state.outcome, state.member, state.talk_s) == ("answered", "Anna", 65)


async def test_caller_without_patience_hangs_up_in_the_queue(running):
    """Nothing is asked any more, and nobody is rung."""
    account = running.account(wait_seconds="600")
    anna = Staff(calls=(LiveCall(external_id="CA" + "9" * 32, outcome="answered", member="Anna"),))

    async def ask(item: dict[str, Any]) -> dict[str, Any]:
        assert CONNECTOR.reply is not None
        body = urlencode(item["fields"]).encode()
        request = WebhookRequest(method="POST", url=item["url"], headers={}, body=body, received_at=datetime.now(UTC))
        answer = CONNECTOR.reply(request, account, anna)
        return {"status": answer.status, "content_type": answer.content_type, "body": answer.body.decode()}

    line = Line(SID, (Person("+15551230001"), NUMBER), [], ask)
    line.patience_s = 25
    await line.run(account.webhook_url, account.webhook_url)

    assert (line.rung, line.paused_s) == ([], 30)
    assert line.news[-1]["fields"]["CallStatus"] == "completed"
