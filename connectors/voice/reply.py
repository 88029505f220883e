"""
What becomes of a caller: the answers to Twilio's questions during a call. Pure.

Greeting and consent first; in opening hours the telephone of each member who is free in turn; where nobody took it a
queue, if there is one; then the mailbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.base import Account, Staff, WebhookReply, WebhookRequest
from connectors.voice.bridge import answer_bridge, answer_client
from connectors.voice.hours import is_open, read_members
from connectors.voice.parse import read_caller, was_reached
from connectors.voice.question import RECORDING_SENTENCE, Question
from connectors.voice.queue import ROUND_S, next_turn, place_of
from connectors.voice.softphone import identity_of
from connectors.voice.steps import ENDED, is_status, read_request
from connectors.voice.twiml import document, inside, verb
from hub.errors import MalformedPayload, UnsupportedPayload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

CONTENT_TYPE: Final = "text/xml"
CLOSED_SENTENCE: Final = "We are closed right now."
MAILBOX_SENTENCE: Final = "Please leave a message after the tone."
UNAVAILABLE_SENTENCE: Final = "Nobody can take your call right now. Please call again later."
SCREEN_SENTENCE: Final = "You have a call. Press 1 to take it."
WAIT_SENTENCE: Final = "Everybody is on the telephone. You are number {place} in the queue; please stay on the line."
NOBODY_KNOWN: Final = Staff()
_PRESS_WITHIN_S: Final = "8"
# Of a round; with the sentence and Twilio's own time it is about ``ROUND_S``.
_PAUSE_S: Final = "10"
_SAID_EVERY: Final = 4
_SILENCE_S: Final = "5"


def reply(request: WebhookRequest, account: Account, staff: Staff = NOBODY_KNOWN) -> WebhookReply:
    """
    Say what Twilio is to do next with a call.

    Args:
        request: A verified call, its items stored.
        account: Its settings say who is rung when; they are read anew each time.
        staff: Who could take the call.

    Returns:
        TwiML, empty where nothing is to be done.

    Raises:
        MalformedPayload: Not a call of Twilio's about a telephone call.
    """
    try:
        verbs = _verbs(request, account, staff)
    except UnsupportedPayload:
        verbs = []
    return WebhookReply(content_type=CONTENT_TYPE, body=document(verbs))


def asks_staff(request: WebhookRequest) -> bool:
    """Say whether somebody is about to be rung because of a call: news of a call ring nobody."""
    try:
        fields = read_request(request)
    except (MalformedPayload, UnsupportedPayload):
        return False
    return fields["step"] in ("dialed", "wait") or (fields["step"] == "" and not is_status(fields))


def _verbs(request: WebhookRequest, account: Account, staff: Staff) -> Sequence[Element]:
    fields = read_request(request)
    match fields["step"]:
        case "dialed":
            caller = Question(account=account, fields=fields, is_recorded=fields["rec"] == "1")
            return _after_turn(caller, staff)
        case "wait":
            return _wait(Question(account=account, fields=fields, is_recorded=fields["rec"] == "1"), staff)
        case "screen":
            return _screen(Question(account=account, fields=fields, is_recorded=False))
        case "accept":
            # Nothing more to say: the two are put through.
            return [] if fields.get("Digits") == "1" else [verb("Hangup")]
        case "recorded":
            return [verb("Hangup")]
        case "client":
            return answer_client(account, fields, request.received_at)
        case "bridge" | "connect" | "consent" | "bridged":
            return answer_bridge(Question(account=account, fields=fields, is_recorded=fields["rec"] == "1"))
        case "":
            if is_status(fields) or fields.get("Direction", "inbound") != "inbound":
                return []
            caller = Question(account=account, fields=fields, is_recorded=account.settings.get("record_calls") == "yes")
            return _begin(caller, is_open(account.settings, request.received_at), staff)
        case _:
            return []


def _begin(caller: Question, is_open_now: bool, staff: Staff) -> Sequence[Element]:  # noqa: FBT001  one of two
    said = [caller.say(text) for text in (caller.setting("greeting"),) if text]
    if not is_open_now:
        return [*said, caller.say(caller.setting("closed_sentence", CLOSED_SENTENCE)), *_mailbox(caller)]
    if not read_members(caller.account.settings):
        return [*said, *_mailbox(caller)]
    if caller.is_recorded:
        said.append(caller.say(caller.setting("recording_sentence", RECORDING_SENTENCE)))
    turn = next_turn(caller, staff)
    return [*said, *(_wait_or_mailbox(caller) if turn is None else [_dial(caller, turn)])]


def _after_turn(caller: Question, staff: Staff) -> Sequence[Element]:
    fields = caller.fields
    if fields.get("CallStatus", "") in ENDED:
        return []
    if was_reached(fields):
        return [verb("Hangup")]
    turn = next_turn(caller, staff, after=int(fields["n"] or "0"))
    return _wait_or_mailbox(caller) if turn is None else [_dial(caller, turn)]


def _wait(caller: Question, staff: Staff) -> Sequence[Element]:
    """Try those who are free anew, or say how it stands and wait a little more."""
    if caller.fields.get("CallStatus", "") in ENDED:
        return []
    turn = next_turn(caller, staff)
    if turn is not None:
        return [_dial(caller, turn)]
    spoken = []
    if (caller.round - 1) % _SAID_EVERY == 0:
        sentence = caller.setting("wait_sentence", WAIT_SENTENCE)
        spoken = [caller.say(sentence.replace("{place}", str(place_of(caller, staff) + 1)))]
    return [*spoken, verb("Pause", {"length": _PAUSE_S}), *_wait_or_mailbox(caller)]


def _wait_or_mailbox(caller: Question) -> Sequence[Element]:
    """Send the caller round once more, or to the mailbox where they have waited as long as they may."""
    rounds = -(-int(caller.setting("wait_seconds", "0")) // ROUND_S)
    if caller.round >= rounds:
        return _mailbox(caller)
    recorded = "1" if caller.is_recorded else ""
    return [verb("Redirect", {"method": "POST"}, caller.address("wait", r=str(caller.round + 1), rec=recorded))]


def _dial(caller: Question, turn: int) -> Element:
    """Ring one member; the caller hears it ring until that member takes the call."""
    member = read_members(caller.account.settings)[turn]
    n, r, recorded = str(turn), str(caller.round or ""), "1" if caller.is_recorded else ""
    # Nobody's mailbox picks up in a browser.
    is_screened = caller.setting("press_one", "yes") == "yes" and not member.is_browser
    dial = {
        "answerOnBridge": "true",
        "timeout": caller.setting("ring_seconds", "20"),
        "action": caller.address("dialed", n=n, r=r, rec=recorded),
        "method": "POST",
    }
    if caller.is_recorded:
        dial |= {"record": "record-from-answer-dual"} | caller.recording(read_caller(caller.fields))
    number = {
        "statusCallback": caller.address("leg", n=n, r=r, call=caller.call_sid, screened="1" if is_screened else ""),
        "statusCallbackEvent": "initiated ringing answered completed",
        "statusCallbackMethod": "POST",
        "url": caller.address("screen", n=n, r=r, call=caller.call_sid) if is_screened else "",
        "method": "POST" if is_screened else "",
    }
    if member.is_browser:
        identity = identity_of(caller.account.signing_key, member.email)
        return inside(verb("Dial", dial), verb("Client", number, identity))
    return inside(verb("Dial", dial), verb("Number", number, member.number))


def _screen(caller: Question) -> Sequence[Element]:
    """Ask the member to press 1, so that a member's own mailbox does not answer."""
    fields = caller.fields
    action = caller.address("accept", n=fields["n"], r=fields["r"], call=fields["call"])
    gather = {"numDigits": "1", "timeout": _PRESS_WITHIN_S, "action": action, "method": "POST"}
    sentence = caller.say(caller.setting("screen_sentence", SCREEN_SENTENCE))
    return [inside(verb("Gather", gather), sentence), verb("Hangup")]


def _mailbox(caller: Question) -> Sequence[Element]:
    if caller.setting("voicemail", "yes") != "yes":
        return [caller.say(caller.setting("unavailable_sentence", UNAVAILABLE_SENTENCE)), verb("Hangup")]
    record = {
        "maxLength": caller.setting("voicemail_seconds", "120"),
        "timeout": _SILENCE_S,
        "playBeep": "true",
        "action": caller.address("recorded"),
        "method": "POST",
    } | caller.recording(read_caller(caller.fields))
    if caller.setting("transcribe") == "yes":
        record |= {"transcribe": "true", "transcribeCallback": caller.address("transcript")}
    sentence = caller.say(caller.setting("voicemail_sentence", MAILBOX_SENTENCE))
    return [sentence, verb("Record", record), verb("Hangup")]
