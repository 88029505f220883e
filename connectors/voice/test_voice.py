"""What the fixtures cannot say about calls: what a caller hears, any order of events, mutations, hours, addresses."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit
from xml.etree import ElementTree as ET

import msgspec
import pytest
from twilio.twiml.voice_response import Dial, VoiceResponse

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.voice import CONNECTOR
from connectors.voice.client import fetch
from connectors.voice.hours import Member, is_open, read_members, read_zone, wrong_line
from connectors.voice.parse import parse
from connectors.voice.reply import reply
from connectors.voice.sealed import open_caller, seal_caller
from connectors.voice.steps import address, split
from hub.envelope import AttachmentRef, Identity, InboundItem, ItemKind
from hub.errors import ConnectorError, ErrorClass, MalformedPayload, UnsupportedPayload

FIXTURES = Path(__file__).parent / "fixtures"
# A Monday.
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://hub.example.com/webhooks/voice/1"
CALL, LEG, SECOND_LEG = (f"CA{n:032}" for n in (1, 2, 3))
KEY = b"k" * 32
MEMBERS = "+15551230077 Anna\n+15551230078 Ben"


def make_account(**settings: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"account_sid": "AC" + "0" * 32, "auth_token": "12345"},
        settings={"phone_number": "+15559870002", "ring_numbers": MEMBERS} | settings,
        webhook_url=URL,
        signing_key=KEY,
    )


def make_request(url: str = URL, at: datetime = NOON, **fields: str) -> WebhookRequest:
    sent = {"CallSid": CALL, "From": "+15551230001", "Direction": "inbound", "CallStatus": "ringing"} | fields
    return WebhookRequest(method="POST", url=url, headers={}, body=urlencode(sent).encode(), received_at=at)


def ask(account: Account, url: str = URL, at: datetime = NOON, **fields: str) -> list[ET.Element]:
    """Return the verbs of an answer."""
    answer = reply(make_request(url, at, **fields), account)
    assert (answer.status, answer.content_type) == (200, "text/xml")
    root = ET.fromstring(answer.body)
    assert root.tag == "Response"
    return list(root)


def spoken(verbs: list[ET.Element]) -> list[str]:
    return [one.text or "" for one in verbs if one.tag == "Say"]


def read(request: WebhookRequest, **settings: str) -> list[InboundItem]:
    (raw,) = split(request)
    account = make_account(**settings)
    context = ParseContext(
        received_at=request.received_at, key=raw.key, settings=account.settings, signing_key=account.signing_key
    )
    return parse(raw.body, context)


def test_call_in_hours_rings_the_first_member_and_records_nobody():
    """Without any setting beside the numbers: the first telephone rings, nothing is said and nothing recorded."""
    (dial,) = ask(make_account())

    assert (dial.tag, dial[0].tag, dial[0].text) == ("Dial", "Number", "+15551230077")
    assert dial.get("answerOnBridge") == "true"
    assert not [name for name in dial.attrib if name.startswith("record")]


def test_answer_is_what_twilios_own_library_would_write():
    """Verbs, attributes and their spelling are those of Twilio's library, for a dial with all we use."""
    account = make_account(record_calls="yes", greeting="Hello & welcome", ring_seconds="15", language="de-DE")
    sealed = seal_caller(KEY, Identity("phone", "+15551230001"))
    theirs = VoiceResponse()
    theirs.say("Hello & welcome", language="de-DE")
    theirs.say("This call is recorded.", language="de-DE")
    dial = Dial(
        answer_on_bridge=True,
        timeout=15,
        action=f"{URL}?step=dialed&n=0&rec=1",
        method="POST",
        record="record-from-answer-dual",
        recording_status_callback=f"{URL}?step=recording&caller={sealed}",
        recording_status_callback_event="completed absent",
        recording_status_callback_method="POST",
    )
    dial.number(
        "+15551230077",
        status_callback=f"{URL}?step=leg&n=0&call={CALL}&screened=1",
        status_callback_event="initiated ringing answered completed",
        status_callback_method="POST",
        url=f"{URL}?step=screen&n=0&call={CALL}",
        method="POST",
    )
    theirs.append(dial)

    ours = reply(make_request(), account).body
    assert ET.canonicalize(ours.decode()) == ET.canonicalize(theirs.to_xml())


def test_whole_road_of_a_call_nobody_takes():
    """Each member in turn, then the mailbox; every address Twilio is given is ours and reads back."""
    account = make_account(press_one="no", transcribe="yes")
    (first,) = ask(account)
    (second,) = ask(account, first.get("action", ""), CallStatus="in-progress", DialCallStatus="no-answer")
    say, record, end = ask(account, second.get("action", ""), CallStatus="in-progress", DialCallStatus="busy")

    assert [one[0].text for one in (first, second)] == ["+15551230077", "+15551230078"]
    assert (say.text, record.tag, end.tag) == ("Please leave a message after the tone.", "Record", "Hangup")
    assert record.get("transcribe") == "true"
    assert [one.tag for one in ask(account, record.get("action", ""), CallStatus="completed")] == ["Hangup"]
    sealed = dict(parse_qsl(urlsplit(record.get("recordingStatusCallback", "")).query))["caller"]
    assert open_caller(KEY, sealed) == Identity("phone", "+15551230001")
    assert "1555123" not in reply(make_request(second.get("action", ""), DialCallStatus="busy"), account).body.decode()


@pytest.mark.parametrize(
    ("fields", "tags"),
    [
        ({"DialCallStatus": "completed", "DialBridged": "true"}, ["Hangup"]),
        ({"DialCallStatus": "completed"}, ["Hangup"]),
        ({"DialCallStatus": "completed", "DialBridged": "false"}, ["Dial"]),
        ({"DialCallStatus": "failed"}, ["Dial"]),
        ({"DialCallStatus": "canceled", "CallStatus": "completed"}, []),
    ],
    ids=str,
)
def test_next_member_is_rung_unless_one_spoke_or_the_caller_has_gone(fields, tags):
    """A member's mailbox that picked up is no member; a caller who hung up gets nothing more."""
    asked = {"CallStatus": "in-progress"} | fields
    assert [one.tag for one in ask(make_account(), f"{URL}?step=dialed&n=0", **asked)] == tags


def test_member_who_presses_one_is_put_through_and_nobody_else():
    """The question is asked on the member's side only; any other key ends that leg."""
    gather, end = ask(make_account(), f"{URL}?step=screen&n=0&call={CALL}", CallSid=LEG)
    action = gather.get("action", "")

    assert (gather[0].text, end.tag) == ("You have a call. Press 1 to take it.", "Hangup")
    assert ask(make_account(), action, CallSid=LEG, Digits="1") == []
    assert [one.tag for one in ask(make_account(), action, CallSid=LEG, Digits="2")] == ["Hangup"]


def test_outside_the_hours_nobody_is_rung():
    """The greeting, that it is closed, and the mailbox; or, without one, the end."""
    closed = {"hours_monday": "09:00-11:00", "greeting": "Hello."}
    verbs = ask(make_account(**closed))
    without = ask(make_account(**closed, voicemail="no"))

    assert spoken(verbs) == ["Hello.", "We are closed right now.", "Please leave a message after the tone."]
    assert [one.tag for one in verbs][-2:] == ["Record", "Hangup"]
    assert [one.tag for one in without] == ["Say", "Say", "Say", "Hangup"]


def test_recording_is_decided_when_the_call_begins():
    """Switched on during a call, the next member is not recorded; switched off, the caller was told and stays so."""
    later = {"CallStatus": "in-progress", "DialCallStatus": "no-answer"}
    (unrecorded,) = ask(make_account(record_calls="yes"), f"{URL}?step=dialed&n=0", **later)
    (recorded,) = ask(make_account(record_calls="no"), f"{URL}?step=dialed&n=0&rec=1", **later)

    assert unrecorded.get("record") is None
    assert recorded.get("record") == "record-from-answer-dual"
    assert spoken(ask(make_account(record_calls="yes"))) == ["This call is recorded."]


def test_words_of_a_setting_cannot_break_the_answer():
    """Angle brackets and characters XML does not have are said or dropped, never obeyed."""
    (say, dial) = ask(make_account(greeting="</Say><Dial>+1900\x00\x0b & co"))
    assert (say.text, dial.tag) == ("</Say><Dial>+1900 & co", "Dial")


def story() -> list[WebhookRequest]:
    """Return Twilio's calls about a call: Anna's mailbox picks up, Ben takes it and talks for two minutes."""
    progress = {"CallbackSource": "call-progress-events"}
    legs = progress | {"ParentCallSid": CALL, "Direction": "outbound-dial"}

    def anna(status: str, number: int) -> WebhookRequest:
        fields = legs | {"CallSid": LEG, "CallStatus": status, "SequenceNumber": str(number)}
        return make_request(f"{URL}?step=leg&n=0&call={CALL}&screened=1", **fields)

    def ben(status: str, number: int) -> WebhookRequest:
        fields = legs | {"CallSid": SECOND_LEG, "CallStatus": status, "SequenceNumber": str(number)}
        return make_request(f"{URL}?step=leg&n=1&call={CALL}&screened=1", **fields, CallDuration="130")

    def turn(number: int, bridged: str) -> WebhookRequest:
        fields = {"DialCallStatus": "completed", "DialBridged": bridged, "DialCallDuration": "125"}
        return make_request(f"{URL}?step=dialed&n={number}", CallStatus="in-progress", **fields)

    return [
        make_request(),
        anna("initiated", 0),
        anna("ringing", 1),
        anna("in-progress", 2),
        anna("completed", 3),
        turn(0, "false"),
        ben("ringing", 1),
        make_request(f"{URL}?step=accept&n=1&call={CALL}", CallSid=SECOND_LEG, Digits="1", CallStatus="in-progress"),
        ben("completed", 3),
        turn(1, "true"),
        make_request(CallStatus="completed", SequenceNumber="3", CallDuration="150", **progress),
    ]


def shown(items: list[InboundItem]) -> dict[str, str]:
    """Return what the rows say in the end: of each row's edits the one with the highest revision."""
    texts = {one.external_id or "": one.text for one in items if one.kind is ItemKind.MESSAGE}
    edits = sorted((one for one in items if one.kind is ItemKind.EDIT), key=lambda one: (one.revision, one.occurred_at))
    return texts | {one.target_external_id or "": one.text for one in edits}


def test_after_each_event_the_row_says_what_is_so():
    """In order: ringing Anna, missed, ringing Ben, answered by Ben, how long; the end of the call changes nothing."""
    items: list[InboundItem] = []
    seen = []
    for request in story():
        items += read(request)
        seen.append(shown(items)[CALL].removeprefix("Incoming call, "))

    assert list(dict.fromkeys(seen)) == [
        "Incoming call", "ringing Anna", "Missed call", "ringing Ben", "answered by Ben", "answered by Ben, 2:05",
    ]  # fmt: skip
    assert seen[-1] == "answered by Ben, 2:05"


@pytest.mark.parametrize("seed", range(30))
def test_any_order_and_any_repeats_end_in_the_same_row(seed):
    """Twilio's calls shuffled and doubled: one row, the same words; equal calls have equal keys, others do not."""
    chance = random.Random(seed)
    calls = story() * 2
    chance.shuffle(calls)
    items = [item for call in calls for item in read(call)]

    assert shown(items) == {CALL: "Incoming call, answered by Ben, 2:05"}
    assert len({split(call)[0].key for call in calls}) == len(story())
    assert len({one.key for one in items if one.kind is ItemKind.MESSAGE}) == 1
    revisions = {one.key: one.revision for one in items if one.kind is ItemKind.EDIT}
    assert len(set(revisions.values())) == len(revisions)


def test_caller_who_hangs_up_while_it_rings_is_missed():
    """Whatever Twilio still sends after that, the row says so."""
    requests = [
        make_request(),
        make_request(
            f"{URL}?step=leg&n=0&call={CALL}&screened=1", CallSid=LEG, CallStatus="ringing", SequenceNumber="1"
        ),
        make_request(
            f"{URL}?step=leg&n=0&call={CALL}&screened=1", CallSid=LEG, CallStatus="canceled", SequenceNumber="2"
        ),
        make_request(CallStatus="completed", SequenceNumber="2", CallbackSource="call-progress-events"),
    ]
    assert shown([item for one in requests for item in read(one)]) == {CALL: "Missed call"}


def test_recording_sealed_for_another_account_is_nobodys():
    """A token of another account, a changed one or none opens nothing, and no contact is made of it."""
    caller = Identity("phone", "+15551230001")
    sealed = seal_caller(KEY, caller)
    url = address(make_account(), "recording", caller=sealed)
    recording = {
        "RecordingSid": "RE" + "0" * 32,
        "RecordingUrl": "https://api.twilio.com/r",
        "RecordingStatus": "completed",
    }

    assert read(make_request(url, **recording))[0].sender == caller
    assert seal_caller(KEY, caller) == sealed != seal_caller(b"other", caller)
    for token in (seal_caller(b"other", caller), sealed[:-2] + "xx", "a", "€", "", "A" * 5000):
        assert open_caller(KEY, token) is None
    with pytest.raises(UnsupportedPayload):
        read(make_request(f"{URL}?step=recording&caller={sealed[::-1]}", **recording))


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        ({}, "2026-11-23T03:00:00", True),
        ({"hours_monday": "09:00-12:00, 13:00-17:30"}, "2026-11-23T09:00:00", True),
        ({"hours_monday": "09:00-12:00, 13:00-17:30"}, "2026-11-23T12:00:00", False),
        ({"hours_monday": "09:00-12:00, 13:00-17:30"}, "2026-11-23T17:29:59", True),
        ({"hours_monday": "09:00-12:00"}, "2026-11-24T10:00:00", False),
        ({"hours_monday": "22:00-06:00"}, "2026-11-24T05:59:00", True),
        ({"hours_monday": "22:00-06:00"}, "2026-11-23T05:59:00", False),
        ({"hours_sunday": "22:00-06:00"}, "2026-11-23T05:59:00", True),
        ({"hours_monday": "00:00-24:00"}, "2026-11-23T23:59:00", True),
        ({"hours_monday": "09:00-17:00", "time_zone": "America/New_York"}, "2026-11-23T13:30:00", False),
        ({"hours_monday": "09:00-17:00", "time_zone": "America/New_York"}, "2026-11-23T14:30:00", True),
        ({"hours_monday": "09:00-17:00", "time_zone": "Asia/Tokyo"}, "2026-11-22T23:59:00", False),
        ({"hours_monday": "09:00-17:00", "time_zone": "Asia/Tokyo"}, "2026-11-23T00:00:00", True),
    ],
    ids=str,
)
def test_hours_are_meant_where_the_account_is(hours, at, expected):
    """Spans of a weekday in the account's zone, over midnight too; no hours at all are open."""
    assert is_open(hours, datetime.fromisoformat(at).replace(tzinfo=UTC)) is expected


def test_ring_list_reads_what_people_write():
    """Spaces and punctuation in numbers, names or none, empty lines; what is no number is found at its line."""
    text = "+1 (555) 123-0077 Anna\n\n+15551230078, Ben\n+15551230079\nCarla"
    assert read_members({"ring_numbers": text}) == (
        Member("+15551230077", "Anna"), Member("+15551230078", "Ben"), Member("+15551230079", "+15551230079"),
    )  # fmt: skip
    assert (wrong_line({"ring_numbers": text}), wrong_line({"ring_numbers": MEMBERS}), wrong_line({})) == (5, 0, 0)
    assert len(read_members({"ring_numbers": "\n".join(f"+1555123{n:04}" for n in range(30))})) == 10
    assert [read_zone({"time_zone": zone}) for zone in ("Nowhere/Else", "../../etc/passwd", "")] == [None, None, UTC]


@pytest.mark.parametrize(
    "host", ["evil.example", "bucket.s3.amazonaws.com", "api.twilio.com.evil.example", "127.0.0.1", "www.twilio.com"]
)
async def test_keys_go_to_twilios_api_alone(host):
    """A recording said to be elsewhere is refused before anybody is connected to."""

    async def no_raw() -> bytes:
        return b""

    with pytest.raises(ConnectorError) as caught:
        async for _ in fetch(make_account(), AttachmentRef(ref=f"https://{host}/r.mp3", kind="audio"), no_raw):
            pass
    assert caught.value.info.klass is ErrorClass.PERMANENT


def mutate(chance: random.Random, body: bytes) -> bytes:
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(pairs))
        name, value = pairs[place]
        odd = chance.choice(["", "\x00", "\ud800", "💥" * 400, "-1", "9" * 40, "٣", "1e9", value[::-1], "{}", "<a>"])
        pairs[place] = (name, odd) if chance.random() < 0.7 else (odd or name, value)
        if chance.random() < 0.3 and len(pairs) > 1:
            del pairs[chance.randrange(len(pairs))]
    changed = bytearray(urlencode(pairs, errors="surrogatepass").encode())
    if chance.random() < 0.3 and changed:
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def test_mutated_calls_are_read_or_refused_and_always_answered():
    """Whatever is in a call, only our two errors leave the reader, and an answer is TwiML or a refusal."""
    chance = random.Random(11)
    account = make_account()
    recorded = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.in.json"))]
    for _ in range(25):
        for one in recorded:
            body, url = mutate(chance, one["body"].encode()), URL + one["query"]
            request = msgspec.structs.replace(make_request(url), body=body)
            try:
                for item in read(request):
                    item.text.encode()
                    assert 1 <= len(item.key) <= 300
            except (MalformedPayload, UnsupportedPayload):
                pass
            with suppress(MalformedPayload):
                ET.fromstring(reply(request, account).body)


def test_nothing_can_be_sent():
    """The channel says so itself, whatever the text."""
    assert CONNECTOR.manifest.capabilities.text_limit == 0
    assert not CONNECTOR.manifest.capabilities.start_conversation
