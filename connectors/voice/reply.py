"""
What becomes of a caller: the answers to Twilio's questions during a call. Pure.

Greeting and consent first; in opening hours each member's telephone in turn; then the mailbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.base import Account, WebhookReply, WebhookRequest
from connectors.voice.bridge import answer_bridge, answer_client
from connectors.voice.hours import is_open, read_members
from connectors.voice.parse import read_caller, was_reached
from connectors.voice.question import RECORDING_SENTENCE, Question
from connectors.voice.softphone import identity_of
from connectors.voice.steps import ENDED, is_status, read_request
from connectors.voice.twiml import document, inside, verb
from hub.errors import UnsupportedPayload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from xml.etree.ElementTree import Element

CONTENT_TYPE: Final = "text/xml"
CLOSED_SENTENCE: Final = "We are closed right now."
MAILBOX_SENTENCE: Final = "Please leave a message after the tone."
UNAVAILABLE_SENTENCE: Final = "Nobody can take your call right now. Please call again later."
SCREEN_SENTENCE: Final = "You have a call. Press 1 to take it."
_PRESS_WITHIN_S: Final = "8"
_SILENCE_S: Final = "5"


def reply(request: WebhookRequest, account: Account) -> WebhookReply:
    """
    Say what Twilio is to do next with a call.

    Args:
        request: A verified call, its items stored.
        account: Its settings say who is rung when; they are read anew each time.

    Returns:
        TwiML, empty where nothing is to be done.

    Raises:
        MalformedPayload: Not a call of Twilio's about a telephone call.
    """
    try:
        verbs = _verbs(request, account)
    except UnsupportedPayload:
        verbs = []
    return WebhookReply(content_type=CONTENT_TYPE, body=document(verbs))


def _verbs(request: WebhookRequest, account: Account) -> Sequence[Element]:
    fields = read_request(request)
    match fields["step"]:
        case "dialed":
            caller = Question(account=account, fields=fields, is_recorded=fields["rec"] == "1")
            return _after_turn(caller)
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
            return _begin(caller, is_open(account.settings, request.received_at))
        case _:
            return []


def _begin(caller: Question, is_open_now: bool) -> Sequence[Element]:  # noqa: FBT001  one of two beginnings
    said = [caller.say(text) for text in (caller.setting("greeting"),) if text]
    if not is_open_now:
        return [*said, caller.say(caller.setting("closed_sentence", CLOSED_SENTENCE)), *_mailbox(caller)]
    if not read_members(caller.account.settings):
        return [*said, *_mailbox(caller)]
    if caller.is_recorded:
        said.append(caller.say(caller.setting("recording_sentence", RECORDING_SENTENCE)))
    return [*said, _dial(caller, 0)]


def _after_turn(caller: Question) -> Sequence[Element]:
    fields = caller.fields
    if fields.get("CallStatus", "") in ENDED:
        return []
    if was_reached(fields):
        return [verb("Hangup")]
    turn = int(fields["n"] or "0") + 1
    if turn < len(read_members(caller.account.settings)):
        return [_dial(caller, turn)]
    return _mailbox(caller)


def _dial(caller: Question, turn: int) -> Element:
    """Ring one member; the caller hears it ring until that member takes the call."""
    member = read_members(caller.account.settings)[turn]
    n, recorded = str(turn), "1" if caller.is_recorded else ""
    # Nobody's mailbox picks up in a browser.
    is_screened = caller.setting("press_one", "yes") == "yes" and not member.is_browser
    dial = {
        "answerOnBridge": "true",
        "timeout": caller.setting("ring_seconds", "20"),
        "action": caller.address("dialed", n=n, rec=recorded),
        "method": "POST",
    }
    if caller.is_recorded:
        dial |= {"record": "record-from-answer-dual"} | caller.recording(read_caller(caller.fields))
    number = {
        "statusCallback": caller.address("leg", n=n, call=caller.call_sid, screened="1" if is_screened else ""),
        "statusCallbackEvent": "initiated ringing answered completed",
        "statusCallbackMethod": "POST",
        "url": caller.address("screen", n=n, call=caller.call_sid) if is_screened else "",
        "method": "POST" if is_screened else "",
    }
    if member.is_browser:
        identity = identity_of(caller.account.signing_key, member.email)
        return inside(verb("Dial", dial), verb("Client", number, identity))
    return inside(verb("Dial", dial), verb("Number", number, member.number))


def _screen(caller: Question) -> Sequence[Element]:
    """Ask the member to press 1, so that a member's own mailbox does not answer."""
    action = caller.address("accept", n=caller.fields["n"], call=caller.fields["call"])
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
