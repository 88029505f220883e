"""Who is rung when somebody is busy or away, and what callers hear who wait."""

from __future__ import annotations

from itertools import permutations
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.twiml.voice_response import VoiceResponse

from connectors.base import LiveCall, Staff
from connectors.voice.reply import asks_staff, reply
from connectors.voice.test_voice import CALL, ET, URL, make_account, make_request, read, spoken
from hub.envelope import CallState
from hub.inbox.calls import join_states

LINES = "+15551230077 Anna <anna@example.com>\n+15551230078 Ben\n+15551230079 Cleo <cleo@example.com>"
OTHER, THIRD = "CA" + "1" * 32, "CA" + "2" * 32


def ask(url: str = URL, staff: Staff | None = None, settings: dict[str, str] | None = None, **fields: str):
    account = make_account(ring_numbers=LINES, press_one="no", **(settings or {}))
    request = make_request(url, **fields)
    answer = reply(request, account) if staff is None else reply(request, account, staff)
    return list(ET.fromstring(answer.body))


def live(outcome: str, member: str = "", external_id: str = OTHER) -> LiveCall:
    return LiveCall(external_id=external_id, outcome=outcome, member=member)


def rung(verbs) -> str:
    return verbs[-1][0].text if verbs[-1].tag == "Dial" else ""


@pytest.mark.parametrize("outcome", ["ringing", "answered"])
def test_who_is_on_the_telephone_is_passed_over(outcome):
    """Also whose telephone rings for somebody else; our own call keeps nobody busy."""
    busy = Staff(calls=(live(outcome, "Anna"),))
    assert rung(ask(staff=busy)) == "+15551230078"
    assert rung(ask(staff=Staff(calls=(live(outcome, "Anna", CALL),)))) == "+15551230077"
    after = ask(f"{URL}?step=dialed&n=0", Staff(calls=(live(outcome, "Ben"),)), DialCallStatus="no-answer")
    assert rung(after) == "+15551230079"


def test_who_is_away_is_passed_over_where_that_is_wanted():
    """Lines without an address ring always; where nobody knows who is here, everybody does."""
    here = Staff(here=frozenset({"cleo@example.com"}))
    wanted = {"only_present": "yes"}
    assert rung(ask(staff=here)) == "+15551230077"
    assert rung(ask(staff=here, settings=wanted)) == "+15551230078"
    after = ask(f"{URL}?step=dialed&n=1", here, wanted, DialCallStatus="no-answer")
    assert rung(after) == "+15551230079"
    assert rung(ask(staff=Staff(here=None), settings=wanted)) == "+15551230077"


def test_nobody_free_leads_to_the_mailbox_unless_there_is_a_queue():
    """Without the setting nobody waits."""
    busy = Staff(calls=tuple(live("answered", name, f"CA{name:0>32}") for name in ("Anna", "Ben", "Cleo")))
    assert [one.tag for one in ask(staff=busy)] == ["Say", "Record", "Hangup"]
    (redirect,) = ask(staff=busy, settings={"wait_seconds": "60"})
    assert (redirect.tag, redirect.text) == ("Redirect", f"{URL}?step=wait&r=1")


def test_queue_is_what_twilios_own_library_would_write():
    """A sentence with the caller's place, a pause, and once more round."""
    busy = Staff(calls=(live("waiting"), live("waiting", external_id=CALL)))
    theirs = VoiceResponse()
    theirs.say("You are number 2.", language="en-US")
    theirs.pause(length=10)
    theirs.redirect(f"{URL}?step=wait&r=2&rec=1", method="POST")
    account = make_account(wait_seconds="60", wait_sentence="You are number {place}.", ring_numbers="+15551230077 Anna")
    ours = reply(make_request(f"{URL}?step=wait&r=1&rec=1"), account, busy).body
    assert ET.canonicalize(ours.decode()) == ET.canonicalize(theirs.to_xml())


def test_caller_waits_as_long_as_they_may_and_hears_how_it_stands_now_and_then():
    """Five rounds for a minute; the sentence in the first and the fifth; then the mailbox, told once."""
    busy = Staff(calls=(live("answered", "Anna"), live("answered", "Ben"), live("answered", "Cleo")))
    heard, rounds, verbs = [], 0, ask(staff=busy, settings={"wait_seconds": "60"})
    while verbs[-1].tag == "Redirect":
        rounds += 1
        verbs = ask(verbs[-1].text, busy, {"wait_seconds": "60"}, CallStatus="in-progress")
        heard += spoken(verbs)
    assert rounds == 5
    assert [one.tag for one in verbs][-2:] == ["Record", "Hangup"]
    assert (len(heard), heard[-1]) == (3, "Please leave a message after the tone.")
    assert "number 1 in the queue" in heard[0]


def test_who_gets_free_is_rung_for_the_first_in_line():
    """One free member is the first caller's; two are the first two's; a newcomer goes to the end."""
    waiting = (
        live("waiting", external_id=OTHER),
        live("waiting", external_id=CALL),
        live("waiting", external_id=THIRD),
    )
    one_free = Staff(
        calls=(*waiting, live("answered", "Anna", "CA" + "8" * 32), live("answered", "Ben", "CA" + "9" * 32))
    )
    two_free = Staff(calls=(*waiting, live("answered", "Anna", "CA" + "8" * 32)))
    wants = {"wait_seconds": "600"}

    assert rung(ask(f"{URL}?step=wait&r=3", one_free, wants)) == ""
    assert rung(ask(f"{URL}?step=wait&r=3", one_free, wants, CallSid=OTHER)) == "+15551230079"
    assert rung(ask(f"{URL}?step=wait&r=3", two_free, wants)) == "+15551230079"
    newcomer = ask(staff=two_free, settings=wants, CallSid="CA" + "7" * 32)
    assert newcomer[-1].tag == "Redirect"


def test_turn_of_a_round_carries_the_round():
    """So that its news are ordered behind those of the round before."""
    (dial,) = ask(f"{URL}?step=wait&r=2", Staff(), {"wait_seconds": "60"}, CallStatus="in-progress")
    assert dict(parse_qsl(urlsplit(dial.get("action", "")).query))["r"] == "2"
    assert dict(parse_qsl(urlsplit(dial[0].get("statusCallback", "")).query))["r"] == "2"
    (again,) = ask(dial.get("action", ""), Staff(calls=(live("answered", "Ben"), live("answered", "Cleo"))),
                   {"wait_seconds": "60"}, DialCallStatus="busy")  # fmt: skip
    assert again.text == f"{URL}?step=wait&r=3"


def test_caller_who_hung_up_is_told_nothing():
    """The answer to a question about a call that is over is empty."""
    assert ask(f"{URL}?step=wait&r=2", Staff(), {"wait_seconds": "60"}, CallStatus="completed") == []


STORY = (
    ("?step=leg&n=0", {"CallStatus": "ringing", "SequenceNumber": "1", "ParentCallSid": CALL}),
    ("?step=dialed&n=0", {"DialCallStatus": "no-answer"}),
    ("?step=wait&r=1", {"CallStatus": "in-progress"}),
    ("?step=wait&r=2", {"CallStatus": "in-progress"}),
    ("", {"CallStatus": "completed", "SequenceNumber": "3", "CallbackSource": "call-progress-events"}),
)
TAKEN = (
    ("?step=leg&n=0&r=3", {"CallStatus": "ringing", "SequenceNumber": "1", "ParentCallSid": CALL}),
    ("?step=dialed&n=0&r=3", {"DialCallStatus": "completed", "DialCallDuration": "65"}),
)


def told(story) -> set[tuple[str, str]]:
    """Join the words on a call in every order they could come in; each must come to the same."""
    items = [item for url, fields in story for item in read(make_request(URL + url, **fields), ring_numbers=LINES)]
    found = set()
    for order in permutations(items):
        state, newest = CallState(outcome="ringing"), -1
        for item in order:
            assert item.call is not None
            state = join_states(state, item.call, is_newest=item.revision >= newest)
            newest = max(newest, item.revision)
        found.add((state.outcome, state.member))
    return found


def test_caller_who_hangs_up_in_the_queue_is_a_missed_call_in_whatever_order_the_news_come():
    """Only the end of the call says so: no turn ends."""
    assert told(STORY) == {("missed", "")}
    assert told(STORY[:-1]) == {("waiting", "")}


def test_caller_who_waited_and_was_answered_is_an_answered_call():
    """Whoever took it, whatever came before."""
    assert told((*STORY[1:], *TAKEN)) == {("answered", "Anna")}


@pytest.mark.parametrize(
    ("url", "fields", "asks"),
    [
        ("", {}, True),
        ("?step=dialed&n=0", {"DialCallStatus": "busy"}, True),
        ("?step=wait&r=1", {}, True),
        ("?step=leg&n=0", {"CallStatus": "ringing", "SequenceNumber": "1"}, False),
        ("", {"CallStatus": "completed", "SequenceNumber": "3"}, False),
        ("?step=recording", {"RecordingSid": "RE1"}, False),
        ("", {"CallSid": "nonsense"}, False),
    ],
    ids=str,
)
def test_who_is_free_is_asked_only_where_somebody_is_to_be_rung(url, fields, asks):
    """News of a call come often, and cost our stores nothing."""
    assert asks_staff(make_request(URL + url, **fields)) is asks
