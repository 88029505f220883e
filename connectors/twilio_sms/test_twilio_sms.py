"""What the fixtures cannot say about the SMS channel: mutations, segments, error codes."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.base.exceptions import TwilioRestException

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.http import read_retry_after
from connectors.twilio.asking import classify
from connectors.twilio.callbacks import split
from connectors.twilio.errors import NoAnswer, describe_answer, describe_code
from connectors.twilio.numbers import canonical_number
from connectors.twilio_sms import CONNECTOR
from connectors.twilio_sms.parse import parse
from connectors.twilio_sms.render import charges, render
from connectors.twilio_sms.segments import segments
from hub.envelope import DeliveryStatus, Identity, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, MalformedPayload, UnsupportedPayload
from hub.inbox.model import advance

ROOT = Path(__file__).parents[2]
FIXTURES = Path(__file__).parent / "fixtures"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FORM = "application/x-www-form-urlencoded"
URL = "https://hub.example.com/webhooks/twilio_sms/1"
SID = "SM" + "0" * 32
CONTEXT = ParseContext(received_at=NOW, key="k", settings={})


def make_account(**credentials: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"account_sid": "AC" + "0" * 32, "auth_token": "12345"} | credentials,
        settings={"phone_number": "+15559870002"},
        webhook_url=URL,
    )


def make_request(body: bytes, signature: str, url: str = URL, **headers: str) -> WebhookRequest:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return WebhookRequest(
        method="POST",
        url=url,
        headers={"content-type": FORM, "x-twilio-signature": signature} | named,
        body=body,
        received_at=NOW,
    )


def make_message(text: str, to: str = "+15551230001") -> OutboundMessage:
    return OutboundMessage(
        message_id="0190b0a0-1111-7000-8000-000000000001", to=Identity("phone", to), thread_key=to, text=text
    )


# ── split and parse ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_split_refuses_a_call_without_a_body():
    """Nothing signed is still nothing."""
    with pytest.raises(MalformedPayload):
        split(make_request(b"", ""))


def test_split_keys_are_stable_over_retries_and_differ_by_status():
    """The same call twice has one key; each status of a message its own."""
    keys = [
        split(make_request(urlencode({"MessageSid": SID, "MessageStatus": status}).encode(), ""))[0].key
        for status in ("sent", "sent", "delivered")
    ]
    assert keys == [f"{SID}:sent", f"{SID}:sent", f"{SID}:delivered"]


@pytest.mark.parametrize("value", ["x" * 5000, "", "\x00", "SM 1", "ü"])
def test_split_makes_a_usable_key_of_any_sid(value):
    """A strange SID cannot make a key too long or empty."""
    (item,) = split(make_request(urlencode({"MessageSid": value, "MessageStatus": value}).encode() + b"&x=1", ""))
    assert 1 <= len(item.key) <= 300


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"Body=caf%E9", "caf�"),
        (b"Body=caf\xe9", "caf�"),
        (b"Body=%ED%A0%BD", "���"),
        (b"Body=a%00b", "a�b"),
        ("Body=grün 👍".encode(), "grün 👍"),
        (b"Body=%E2%80%8Fabc", "‏abc"),
    ],
)
def test_parse_reads_any_bytes_as_storable_text(body, text):
    """Wrong charsets, surrogates and NUL become U+FFFD; right-to-left marks stay."""
    (item,) = parse(f"MessageSid={SID}&From=%2B15551230001&".encode() + body, CONTEXT)
    assert item.text == text
    item.text.encode()


@pytest.mark.parametrize("word", ["STOP", "stopall", "Unsubscribe", "CANCEL", "End", "quit", "REVOKE", "OPTOUT"])
def test_parse_takes_the_default_stop_words(word):
    """A text that is exactly a stop word withdraws consent; as part of a sentence it does not."""
    assert _read(word).consent == "stop"
    assert _read(f"please {word} it").consent is None


@pytest.mark.parametrize("word", ["START", "yes", "Unstop"])
def test_parse_takes_the_default_start_words(word):
    """A text that is exactly a start word gives consent again."""
    assert _read(word).consent == "start"


def _read(text: str, **fields: str):
    form = {"MessageSid": SID, "From": "+15551230001", "Body": text} | fields
    (item,) = parse(urlencode(form).encode(), CONTEXT)
    return item


def test_mutated_bodies_leave_parse_only_with_our_two_errors():
    """Twenty thousand damaged calls: each is read, unsupported or malformed, and nothing else."""
    seeds = [json.loads(path.read_text())["body"].encode() for path in sorted(FIXTURES.glob("*.in.json"))]
    chance = random.Random(20261122)
    outcomes = {"read": 0, "unsupported": 0, "malformed": 0}
    for _ in range(20_000):
        body = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 6)):
            position = chance.randrange(len(body) + 1)
            match chance.randrange(5):
                case 0:
                    body[position:position] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 4)))
                case 1:
                    del body[position : position + chance.randint(1, 40)]
                case 2:
                    body[position : position + 1] = b"%" + bytes(chance.choices(b"0123456789abcdefgABCDEF%", k=2))
                case 3:
                    body[position:position] = chance.choice(
                        [b"&", b"=", b"%00", b"%ED%B0%80", b"[", b"{", b"&NumMedia=9"]
                    )
                case _:
                    body[position:] = chance.choice(seeds)[position:]
        outcomes[_outcome(bytes(body))] += 1
    assert min(outcomes.values()) > 100


def _outcome(body: bytes) -> str:
    try:
        for raw in split(make_request(body, "")):
            assert 1 <= len(raw.key) <= 300
            for item in parse(raw.body, msgspec.structs.replace(CONTEXT, key=raw.key)):
                msgspec.json.encode(item)
                assert "\x00" not in item.text
    except UnsupportedPayload:
        return "unsupported"
    except MalformedPayload:
        return "malformed"
    return "read"


@given(st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_any_bytes_leave_parse_only_with_our_two_errors(body):
    """The same for bytes that were never a call."""
    assert _outcome(body) in ("read", "unsupported", "malformed")


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("+15551230001", "+15551230001"),
        ("+1 (555) 123-0001", "+15551230001"),
        ("+4915112345678", "+4915112345678"),
        ("72345", "72345"),
        ("DHL Express", "DHLExpress"),
        ("+123", "+123"),
        ("", ""),
    ],
)
def test_canonical_number(raw, canonical):
    """Possible international numbers become E.164; everything else keeps its characters without punctuation."""
    assert canonical_number(raw) == canonical


# ── render, charges, segments ───────────────────────────────────────────────────────────────────────────────────────


def test_render_names_our_message_in_the_status_callback():
    """Receipts come back with our id, whatever the vendor's id will be."""
    (call,) = render(make_message("Hi"), make_account())
    assert call.fields == {
        "To": "+15551230001",
        "From": "+15559870002",
        "Body": "Hi",
        "StatusCallback": f"{URL}?mid=0190b0a0-1111-7000-8000-000000000001",
    }


def test_render_uses_the_messaging_service_when_there_is_one():
    """Then Twilio chooses the sender."""
    account = msgspec.structs.replace(
        make_account(), settings={"phone_number": "+15559870002", "messaging_service_sid": "MG1"}
    )
    (call,) = render(make_message("Hi"), account)
    assert call.fields["MessagingServiceSid"] == "MG1"
    assert "From" not in call.fields


def test_render_leaves_out_a_callback_twilio_would_refuse():
    """On a laptop without a public address messages still go out; an emulator can call us."""
    here = msgspec.structs.replace(make_account(), webhook_url="http://localhost:8000/webhooks/x")
    emulated = msgspec.structs.replace(here, base_url="http://127.0.0.1:9")
    regional = msgspec.structs.replace(here, base_url="https://api.dublin.ie1.twilio.com")
    assert "StatusCallback" not in render(make_message("Hi"), here)[0].fields
    assert "StatusCallback" not in render(make_message("Hi"), regional)[0].fields
    assert "StatusCallback" in render(make_message("Hi"), emulated)[0].fields


@pytest.mark.parametrize(
    ("text", "to", "klass"),
    [
        ("x" * 1601, "+15551230001", ErrorClass.CONTENT),
        ("  ", "+15551230001", ErrorClass.CONTENT),
        ("hi", "DHLExpress", ErrorClass.RECIPIENT),
        ("hi", "+0123", ErrorClass.RECIPIENT),
    ],
)
def test_render_refuses_what_cannot_be_sent(text, to, klass):
    """Refused before anything is sent, with the reason."""
    with pytest.raises(ConnectorError) as caught:
        render(make_message(text, to), make_account())
    assert caught.value.info.klass is klass


def test_charges_count_segments_and_take_the_accounts_own_rate():
    """A long text takes several tokens of its sender's bucket; the setting overrides the manifest's rate."""
    limits = CONNECTOR.manifest.limits
    sender, account = charges(make_account(), make_message("ü" * 161), limits)
    assert (sender.cost, account.cost) == (2.0, 1.0)
    assert sender.limits == limits["sender"]
    faster = msgspec.structs.replace(
        make_account(), settings={"phone_number": "+15559870002", "segments_per_second": "100"}
    )
    assert charges(faster, make_message("x"), limits)[0].limits[0].rate == 100.0


def test_charges_of_another_number_have_another_bucket():
    """Numbers do not share their rate, accounts of one SID share theirs."""
    other = msgspec.structs.replace(make_account(), settings={"phone_number": "+15559870003"})
    one, two = (charges(account, make_message("x"), CONNECTOR.manifest.limits) for account in (make_account(), other))
    assert one[0].key != two[0].key
    assert one[1].key == two[1].key


GOLDEN = json.loads((ROOT / "tests/golden/sms_segments.json").read_text())


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])
def test_segments_match_the_golden_vectors(vector):
    """The counter agrees with the vectors the composer's counter is held to."""
    counted = segments(vector["text"])
    assert msgspec.to_builtins(counted) == {name: vector[name] for name in ("encoding", "units", "count", "left")}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=900))
@settings(max_examples=200, deadline=None)
def test_segments_are_never_fewer_than_the_bits_need(text):
    """Counted the plain way, from bits and bytes, there are at least as many and at most a cut character more each."""
    counted = segments(text)
    single, part = (160, 153) if counted.encoding == "gsm7" else (70, 67)
    if counted.units <= single:
        assert counted.count == min(counted.units, 1)
    else:
        assert -(-counted.units // part) <= counted.count <= -(-counted.units // (part - 1))
        assert counted.encoding == "gsm7" or counted.units == len(text.encode("utf-16-le")) // 2


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("status", "code", "retry_after_s", "klass"),
    [
        (429, 20429, None, ErrorClass.RATE_LIMITED),
        (429, 429, 7.0, ErrorClass.RATE_LIMITED),
        (400, 21611, None, ErrorClass.RATE_LIMITED),
        (400, 30001, None, ErrorClass.RATE_LIMITED),
        (400, 30022, None, ErrorClass.RATE_LIMITED),
        (400, 63017, None, ErrorClass.RATE_LIMITED),
        (400, 63018, None, ErrorClass.RATE_LIMITED),
        (500, 20500, None, ErrorClass.AMBIGUOUS),
        (502, 502, None, ErrorClass.AMBIGUOUS),
        (503, 20503, None, ErrorClass.AMBIGUOUS),
        (503, 20503, 3.0, ErrorClass.RETRYABLE),
        (504, 504, 3.0, ErrorClass.AMBIGUOUS),
        (401, 20003, None, ErrorClass.AUTH),
        (403, 20008, None, ErrorClass.AUTH),
        (401, 401, None, ErrorClass.AUTH),
        (403, 403, None, ErrorClass.ACCOUNT),
        (400, 21211, None, ErrorClass.RECIPIENT),
        (400, 21614, None, ErrorClass.RECIPIENT),
        (400, 21610, None, ErrorClass.RECIPIENT),
        (400, 63024, None, ErrorClass.RECIPIENT),
        (400, 21606, None, ErrorClass.PERMANENT),
        (400, 21659, None, ErrorClass.PERMANENT),
        (400, 21408, None, ErrorClass.PERMISSION),
        (400, 21617, None, ErrorClass.CONTENT),
        (400, 63016, None, ErrorClass.WINDOW_CLOSED),
        (400, 99999, None, ErrorClass.PERMANENT),
        (307, 307, None, ErrorClass.PERMANENT),
    ],
)
def test_answers_are_classified(status, code, retry_after_s, klass):
    """Each refusal of the vendor leads to the right behaviour of the queue."""
    assert describe_answer(status, code, retry_after_s).klass is klass


@pytest.mark.parametrize(
    ("code", "klass"),
    [
        (30002, ErrorClass.ACCOUNT),
        (30003, ErrorClass.RECIPIENT),
        (30004, ErrorClass.RECIPIENT),
        (30005, ErrorClass.RECIPIENT),
        (30006, ErrorClass.RECIPIENT),
        (30007, ErrorClass.CONTENT),
        (30008, ErrorClass.PERMANENT),
        (0, ErrorClass.PERMANENT),
    ],
)
def test_receipt_codes_are_classified(code, klass):
    """Reasons of a failed delivery, with words a member can read."""
    info = describe_code(code)
    assert info.klass is klass
    assert info.message.endswith(".")


@pytest.mark.parametrize(
    ("error", "klass"),
    [
        (NoAnswer(body_left=False), ErrorClass.RETRYABLE),
        (NoAnswer(body_left=True), ErrorClass.AMBIGUOUS),
        (TwilioRestException(429, "/x", "m", 20429), ErrorClass.RATE_LIMITED),
        (TwilioRestException(400, "/x", "m", None), ErrorClass.PERMANENT),
        (requests.ReadTimeout(), ErrorClass.AMBIGUOUS),
        (TimeoutError(), ErrorClass.AMBIGUOUS),
        (KeyError("sid"), ErrorClass.AMBIGUOUS),
        (ConnectorError(describe_code(21610)), ErrorClass.RECIPIENT),
    ],
)
def test_errors_are_classified(error, klass):
    """Only what proves that nothing was taken may be sent again."""
    assert classify(error).klass is klass


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        (" 120 ", 120.0),
        ("99999999999999999999", 86_400.0),
        ("Sun, 22 Nov 2026 12:01:00 GMT", 60.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value, seconds):
    """Seconds or a date; anything else counts as absent."""
    assert read_retry_after(value, NOW) == seconds


def test_statuses_in_every_order_end_in_the_same_state():
    """However callbacks are shuffled, the last state is the furthest the vendor told."""

    def walk(statuses: tuple[str, ...]) -> DeliveryStatus:
        state = DeliveryStatus.SENDING
        for status in statuses:
            form = {"MessageSid": SID, "MessageStatus": status, "To": "+15551230001", "ErrorCode": "30003"}
            (item,) = parse(urlencode(form).encode(), CONTEXT)
            assert item.receipt is not None
            state = advance(state, item.receipt.status)
        return state

    assert {walk(order) for order in permutations(("queued", "sending", "sent", "delivered"))} == {"delivered"}
    assert {walk(order) for order in permutations(("queued", "sent", "undelivered"))} == {"failed"}
    assert {walk(order) for order in permutations(("accepted", "sent", "delivered", "failed"))} == {"delivered"}
    assert {walk(order) for order in permutations(("sent", "delivered", "read"))} == {"read"}
