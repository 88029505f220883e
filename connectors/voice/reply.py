"""
What becomes of a caller: the answers to Twilio's questions during a call. Pure.

Greeting and consent first; in opening hours each member's telephone in turn; then the mailbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from connectors.base import Account, WebhookReply, WebhookRequest
from connectors.voice.hours import is_open, read_members
from connectors.voice.parse import read_caller, was_reached
from connectors.voice.sealed import seal_caller
from connectors.voice.steps import ENDED, address, is_status, read_request
from connectors.voice.twiml import document, inside, verb
from hub.errors import UnsupportedPayload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from xml.etree.ElementTree import Element

CONTENT_TYPE: Final = "text/xml"
RECORDING_SENTENCE: Final = "This call is recorded."
CLOSED_SENTENCE: Final = "We are closed right now."
MAILBOX_SENTENCE: Final = "Please leave a message after the tone."
UNAVAILABLE_SENTENCE: Final = "Nobody can take your call right now. Please call again later."
SCREEN_SENTENCE: Final = "You have a call. Press 1 to take it."
_PRESS_WITHIN_S: Final = "8"
_SILENCE_S: Final = "5"


class _Caller(msgspec.Struct, frozen=True, kw_only=True):
    """
    One question of Twilio's, and whose account it is about.

    Attributes:
        is_recorded: Decided when the call began, and carried in the addresses: a setting changed meanwhile does not
            begin to record somebody who was not told.
    """

    account: Account
    fields: Mapping[str, str]
    is_recorded: bool

    @property
    def call_sid(self) -> str:
        return self.fields["CallSid"]

    def setting(self, name: str, default: str = "") -> str:
        return self.account.settings.get(name, "").strip() or default

    def address(self, step: str, **carried: str) -> str:
        return address(self.account, step, **carried)


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
            caller = _Caller(account=account, fields=fields, is_recorded=fields["rec"] == "1")
            return _after_turn(caller)
        case "screen":
            return _screen(_Caller(account=account, fields=fields, is_recorded=False))
        case "accept":
            # Nothing more to say: the two are put through.
            return [] if fields.get("Digits") == "1" else [verb("Hangup")]
        case "recorded":
            return [verb("Hangup")]
        case "":
            if is_status(fields) or fields.get("Direction", "inbound") != "inbound":
                return []
            caller = _Caller(account=account, fields=fields, is_recorded=account.settings.get("record_calls") == "yes")
            return _begin(caller, is_open(account.settings, request.received_at))
        case _:
            return []


def _begin(caller: _Caller, is_open_now: bool) -> Sequence[Element]:  # noqa: FBT001  one of two beginnings
    said = [_say(caller, text) for text in (caller.setting("greeting"),) if text]
    if not is_open_now:
        return [*said, _say(caller, caller.setting("closed_sentence", CLOSED_SENTENCE)), *_mailbox(caller)]
    if not read_members(caller.account.settings):
        return [*said, *_mailbox(caller)]
    if caller.is_recorded:
        said.append(_say(caller, caller.setting("recording_sentence", RECORDING_SENTENCE)))
    return [*said, _dial(caller, 0)]


def _after_turn(caller: _Caller) -> Sequence[Element]:
    fields = caller.fields
    if fields.get("CallStatus", "") in ENDED:
        return []
    if was_reached(fields):
        return [verb("Hangup")]
    turn = int(fields["n"] or "0") + 1
    if turn < len(read_members(caller.account.settings)):
        return [_dial(caller, turn)]
    return _mailbox(caller)


def _dial(caller: _Caller, turn: int) -> Element:
    """Ring one member; the caller hears it ring until that member takes the call."""
    member = read_members(caller.account.settings)[turn]
    n, recorded = str(turn), "1" if caller.is_recorded else ""
    is_screened = caller.setting("press_one", "yes") == "yes"
    dial = {
        "answerOnBridge": "true",
        "timeout": caller.setting("ring_seconds", "20"),
        "action": caller.address("dialed", n=n, rec=recorded),
        "method": "POST",
    }
    if caller.is_recorded:
        dial |= {"record": "record-from-answer-dual"} | _recording_callback(caller)
    number = {
        "statusCallback": caller.address("leg", n=n, call=caller.call_sid, screened="1" if is_screened else ""),
        "statusCallbackEvent": "initiated ringing answered completed",
        "statusCallbackMethod": "POST",
        "url": caller.address("screen", n=n, call=caller.call_sid) if is_screened else "",
        "method": "POST" if is_screened else "",
    }
    return inside(verb("Dial", dial), verb("Number", number, member.number))


def _screen(caller: _Caller) -> Sequence[Element]:
    """Ask the member to press 1, so that a member's own mailbox does not answer."""
    action = caller.address("accept", n=caller.fields["n"], call=caller.fields["call"])
    gather = {"numDigits": "1", "timeout": _PRESS_WITHIN_S, "action": action, "method": "POST"}
    sentence = _say(caller, caller.setting("screen_sentence", SCREEN_SENTENCE))
    return [inside(verb("Gather", gather), sentence), verb("Hangup")]


def _mailbox(caller: _Caller) -> Sequence[Element]:
    if caller.setting("voicemail", "yes") != "yes":
        return [_say(caller, caller.setting("unavailable_sentence", UNAVAILABLE_SENTENCE)), verb("Hangup")]
    record = {
        "maxLength": caller.setting("voicemail_seconds", "120"),
        "timeout": _SILENCE_S,
        "playBeep": "true",
        "action": caller.address("recorded"),
        "method": "POST",
    } | _recording_callback(caller)
    if caller.setting("transcribe") == "yes":
        record |= {"transcribe": "true", "transcribeCallback": caller.address("transcript")}
    sentence = _say(caller, caller.setting("voicemail_sentence", MAILBOX_SENTENCE))
    return [sentence, verb("Record", record), verb("Hangup")]


def _recording_callback(caller: _Caller) -> dict[str, str]:
    """Twilio's call about a recording does not say whose it is: its address does, sealed."""
    sealed = seal_caller(caller.account.signing_key, read_caller(caller.fields))
    return {
        "recordingStatusCallback": caller.address("recording", caller=sealed),
        "recordingStatusCallbackEvent": "completed absent",
        "recordingStatusCallbackMethod": "POST",
    }


def _say(caller: _Caller, text: str) -> Element:
    return verb("Say", {"language": caller.setting("language", "en-US")}, text)
