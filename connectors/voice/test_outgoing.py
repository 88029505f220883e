"""What the fixtures cannot say about calls members make: whose telephone rings, what is said, any order of words."""

from __future__ import annotations

import random
from urllib.parse import parse_qsl, urlsplit
from xml.etree import ElementTree as ET

import pytest
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

from connectors.base import CallOrder, WebhookRequest
from connectors.voice.outgoing import render_call
from connectors.voice.reply import reply
from connectors.voice.sealed import open_caller, seal_caller
from connectors.voice.steps import split
from connectors.voice.test_voice import KEY, LEG, URL, ask, make_account, make_request, read, spoken
from hub.envelope import CallState, Identity, InboundItem
from hub.errors import InvalidInput, MalformedPayload
from hub.inbox.calls import join_states

MESSAGE_ID = "0190b0a0-1111-7000-8000-000000000001"
M = MESSAGE_ID.replace("-", "")
NORA = Identity("phone", "+15551230001")
SEALED = seal_caller(KEY, NORA)
PHONES = "+15551230077 Anna <anna@example.com>\n+15551230078 Ben\n+15551230079 Anna <other@example.com>"
BRIDGE = f"{URL}?step=bridge&n=0&m={M}&to={SEALED}"


def order(name: str = "Anna", email: str = "anna@example.com", to: Identity = NORA) -> CallOrder:
    return CallOrder(message_id=MESSAGE_ID, to=to, member_name=name, member_email=email)


def begin(who: CallOrder, **settings: str) -> dict[str, str]:
    return dict(render_call(who, make_account(ring_numbers=PHONES, **settings)).fields)


def carried(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


@pytest.mark.parametrize(
    ("name", "email", "number"),
    [
        ("Anna", "Anna@Example.com", "+15551230077"),
        ("Somebody", "other@example.com", "+15551230079"),
        ("ben", "ben@example.com", "+15551230078"),
    ],
)
def test_own_telephone_rings(name, email, number):
    """The address finds the line; the name does where the line has no address."""
    assert begin(order(name, email))["to"] == number


def test_name_alone_is_nobody_elses_telephone():
    """Members choose their names: a line with an address rings for that address only."""
    for who in (order("Anna", "mallory@example.com"), order("+15551230077", "x@example.com"), order("", "")):
        with pytest.raises(InvalidInput, match="No telephone of yours") as caught:
            begin(who)
        assert caught.value.field == "member"


@pytest.mark.parametrize(
    "to", [Identity("external", "withheld:CA1"), Identity("sip", "sip:a@b"), Identity("phone", "5")]
)
def test_nobody_can_be_called_without_a_number(to):
    """A withheld number, another kind of address, and what is no number."""
    with pytest.raises(InvalidInput, match="number is not known"):
        begin(order(to=to))


def test_request_carries_the_row_and_the_customer_sealed():
    """The addresses name our row, the place of the telephone, whether it is recorded, and nobody's number."""
    fields = begin(order(), record_calls="yes", ring_seconds="25")
    asked = carried(fields["url"])

    assert (fields["to"], fields["from_"], fields["timeout"]) == ("+15551230077", "+15559870002", "25")
    assert {key: asked[key] for key in ("step", "n", "m", "rec")} == {"step": "bridge", "n": "0", "m": M, "rec": "1"}
    assert open_caller(KEY, asked["to"]) == NORA
    assert carried(fields["status_callback"]) == {"step": "near", "n": "0", "m": M}
    assert "5551230001" not in fields["url"] + fields["status_callback"]


def test_member_presses_one_and_is_put_through():
    """The question first, then the customer's telephone with our number shown; another key ends it."""
    account = make_account(ring_numbers=PHONES)
    gather, end = ask(account, BRIDGE, CallStatus="in-progress")
    action = gather.get("action", "")
    (dial,) = ask(account, action, CallStatus="in-progress", Digits="1")

    assert (gather[0].text, end.tag) == ("Your call is ready. Press 1 to be put through.", "Hangup")
    assert [one.tag for one in ask(account, action, CallStatus="in-progress", Digits="2")] == ["Hangup"]
    assert (dial.get("callerId"), dial[0].text, dial[0].get("url")) == ("+15559870002", "+15551230001", None)
    assert not [name for name in dial.attrib if name.startswith("record")]
    assert [one.tag for one in ask(make_account(press_one="no"), BRIDGE, CallStatus="in-progress")] == ["Dial"]


def test_both_are_told_of_the_recording_before_they_hear_each_other():
    """The member is told, the customer is told on their side, and only a call that began so is recorded."""
    account = make_account(ring_numbers=PHONES, record_calls="no", recording_sentence="We record.")
    say, dial = ask(account, f"{URL}?step=connect&n=0&m={M}&to={SEALED}&rec=1", CallStatus="in-progress", Digits="1")
    told = ask(account, dial[0].get("url", ""), CallSid=LEG, CallStatus="in-progress")

    assert (say.text, spoken(told), len(told)) == ("We record.", ["We record."], 1)
    assert dial.get("record") == "record-from-answer-dual"
    assert open_caller(KEY, carried(dial.get("recordingStatusCallback", ""))["caller"]) == NORA


def test_answers_are_what_twilios_own_library_would_write():
    """Verbs, attributes and their spelling, of the question and of the dial."""
    account = make_account(ring_numbers=PHONES, customer_ring_seconds="40")
    theirs = VoiceResponse()
    gather = Gather(num_digits=1, timeout=8, action=f"{URL}?step=connect&n=0&m={M}&to={SEALED}", method="POST")
    gather.say("Your call is ready. Press 1 to be put through.", language="en-US")
    theirs.append(gather)
    theirs.hangup()
    dialled = VoiceResponse()
    dial = Dial(
        answer_on_bridge=True,
        caller_id="+15559870002",
        timeout=40,
        action=f"{URL}?step=bridged&n=0&m={M}",
        method="POST",
    )
    dial.number(
        "+15551230001",
        status_callback=f"{URL}?step=far&n=0&m={M}",
        status_callback_event="initiated ringing answered completed",
        status_callback_method="POST",
    )
    dialled.append(dial)

    for url, expected in ((BRIDGE, theirs), (f"{URL}?step=connect&n=0&m={M}&to={SEALED}", dialled)):
        ours = reply(make_request(url, CallStatus="in-progress", Digits="1"), account).body
        assert ET.canonicalize(ours.decode()) == ET.canonicalize(expected.to_xml())


@pytest.mark.parametrize("to", ["", "&to=", "&to=AAAA", f"&to={seal_caller(b'other', NORA)}"])
def test_customer_sealed_for_another_account_is_never_dialled(to):
    """Without a customer of this account's own nobody is rung."""
    verbs = ask(make_account(), f"{URL}?step=connect&n=0&m={M}{to}", CallStatus="in-progress", Digits="1")
    assert [one.tag for one in verbs] == ["Hangup"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"DialCallStatus": "no-answer"}, ["The call was not answered."]),
        ({"DialCallStatus": "completed"}, []),
        ({"DialCallStatus": "completed", "CallStatus": "completed"}, []),
    ],
    ids=str,
)
def test_member_hears_that_nobody_answered(fields, said):
    """And nothing where they spoke, or hung up."""
    asked = {"CallStatus": "in-progress"} | fields
    verbs = ask(make_account(), f"{URL}?step=bridged&n=0&m={M}", **asked)
    assert (spoken(verbs), verbs[-1].tag) == (said, "Hangup")


def story() -> list[WebhookRequest]:
    """Return Twilio's calls about a call: Anna picks up, Nora takes it after a while, and they talk."""
    progress = {"CallbackSource": "call-progress-events"}

    def word(step: str, status: str, number: int, second: int) -> WebhookRequest:
        sid = {"CallSid": LEG} if step == "far" else {}
        at = {"Timestamp": f"Mon, 23 Nov 2026 12:00:{second:02} +0000", "SequenceNumber": str(number)}
        direction = {"Direction": "outbound-dial" if step == "far" else "outbound-api", "CallDuration": "70"}
        url = f"{URL}?step={step}&n=0&m={M}"
        return make_request(url, **progress, **sid, **at, **direction, CallStatus=status)

    ended = {"DialCallStatus": "completed", "DialCallDuration": "65", "Direction": "outbound-api"}
    return [
        word("near", "initiated", 0, 0),
        word("near", "ringing", 1, 1),
        word("near", "in-progress", 2, 5),
        word("far", "initiated", 0, 8),
        word("far", "ringing", 1, 9),
        word("far", "in-progress", 2, 15),
        word("far", "completed", 3, 50),
        make_request(f"{URL}?step=bridged&n=0&m={M}", CallStatus="in-progress", **ended),
        word("near", "completed", 3, 51),
    ]


def joined(items: list[InboundItem]) -> tuple[str, CallState]:
    """Join words as the store does."""
    state, place, text = CallState(outcome="asked", member="Anna"), (0, None), "Outgoing call"
    for one in items:
        assert one.call is not None
        is_newest = place[1] is None or (one.revision, one.occurred_at) >= place
        state = join_states(state, one.call, is_newest=is_newest)
        if is_newest:
            place, text = (one.revision, one.occurred_at), one.text
    return text, state


@pytest.mark.parametrize("seed", range(20))
def test_any_order_of_words_ends_in_the_same_row(seed):
    """Shuffled and doubled: who called, since when, how long, and each word names our row."""
    chance = random.Random(seed)
    calls = story() * 2
    chance.shuffle(calls)
    items = [item for call in calls for item in read(call, ring_numbers=PHONES)]
    text, state = joined(items)

    assert text == "Outgoing call by Anna, 1:05"
    assert (state.outcome, state.member, state.talk_s) == ("answered", "Anna", 65)
    assert state.answered_at is not None
    assert state.answered_at.second == 15
    assert {one.correlation_id for one in items} == {MESSAGE_ID}
    assert len({split(call)[0].key for call in calls}) == len(story())


def test_words_say_what_is_so_at_each_moment():
    """Her own telephone, the customer's, the talk, its length."""
    seen = [
        joined([item for call in story()[: n + 1] for item in read(call, ring_numbers=PHONES)])[0] for n in range(9)
    ]
    assert list(dict.fromkeys(seen)) == [
        "Outgoing call", "Outgoing call, ringing Anna", "Outgoing call, ringing the customer",
        "Outgoing call by Anna", "Outgoing call by Anna, 1:10", "Outgoing call by Anna, 1:05",
    ]  # fmt: skip


def test_word_that_names_no_row_of_ours_is_refused():
    """An address of ours always has one."""
    with pytest.raises(MalformedPayload):
        read(make_request(f"{URL}?step=near&n=0", CallStatus="ringing", SequenceNumber="1"))
