"""
What becomes of a member who calls a customer: the member's telephone rings first, then the customer's. Pure.

The member presses 1 and is put through; where calls are recorded both are told before they hear each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connectors.voice.question import RECORDING_SENTENCE, Question
from connectors.voice.sealed import open_caller, seal_caller
from connectors.voice.softphone import customer_of, read_order
from connectors.voice.steps import ENDED
from connectors.voice.twiml import inside, verb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from xml.etree.ElementTree import Element

    from connectors.base import Account

READY_SENTENCE: Final = "Your call is ready. Press 1 to be put through."
REFUSED_SENTENCE: Final = "This call cannot be made. Please call again from the conversation."
NOT_REACHED_SENTENCE: Final = "The call was not answered."
_PRESS_WITHIN_S: Final = "8"


def answer_bridge(question: Question) -> Sequence[Element]:
    """Say what Twilio is to do next with a member's call to a customer, by its step."""
    match question.fields["step"]:
        case "bridge" if question.setting("press_one", "yes") == "yes":
            return _ask_member(question)
        case "bridge":
            return _dial_customer(question)
        case "connect":
            return _dial_customer(question) if question.fields.get("Digits") == "1" else [verb("Hangup")]
        case "consent":
            return [question.say(question.setting("recording_sentence", RECORDING_SENTENCE))]
        case "bridged":
            return _after(question)
        case _:
            return []


def answer_client(account: Account, fields: Mapping[str, str], at: datetime) -> Sequence[Element]:
    """Put a telephone in the browser through to whom its member may call; anybody else hears that it is not so."""
    order = read_order(account, fields.get("Order", ""), fields.get("From", ""), at)
    if order is None:
        question = Question(account=account, fields=fields, is_recorded=False)
        return [question.say(REFUSED_SENTENCE), verb("Hangup")]
    sealed = seal_caller(account.signing_key, customer_of(order))
    ordered = {**fields, "m": order.message_id, "n": order.place, "to": sealed}
    return _dial_customer(Question(account=account, fields=ordered, is_recorded=order.is_recorded))


def _ask_member(question: Question) -> Sequence[Element]:
    """So that the member's own mailbox is not put through to a customer."""
    gather = {"numDigits": "1", "timeout": _PRESS_WITHIN_S, "action": _next(question, "connect"), "method": "POST"}
    return [inside(verb("Gather", gather), question.say(READY_SENTENCE)), verb("Hangup")]


def _dial_customer(question: Question) -> Sequence[Element]:
    customer = open_caller(question.account.signing_key, question.fields["to"])
    if customer is None:
        return [verb("Hangup")]
    dial = {
        "answerOnBridge": "true",
        "callerId": question.setting("phone_number"),
        "timeout": question.setting("customer_ring_seconds", "30"),
        "action": _next(question, "bridged"),
        "method": "POST",
    }
    said = []
    if question.is_recorded:
        dial |= {"record": "record-from-answer-dual"} | question.recording(customer)
        said.append(question.say(question.setting("recording_sentence", RECORDING_SENTENCE)))
    number = {
        "statusCallback": _next(question, "far"),
        "statusCallbackEvent": "initiated ringing answered completed",
        "statusCallbackMethod": "POST",
        "url": _next(question, "consent") if question.is_recorded else "",
        "method": "POST" if question.is_recorded else "",
    }
    return [*said, inside(verb("Dial", dial), verb("Number", number, customer.value))]


def _after(question: Question) -> Sequence[Element]:
    fields = question.fields
    if fields.get("CallStatus", "") in ENDED or fields.get("DialCallStatus", "") in ("completed", "answered"):
        return [verb("Hangup")]
    return [question.say(NOT_REACHED_SENTENCE), verb("Hangup")]


def _next(question: Question, step: str) -> str:
    fields = question.fields
    # Whom to dial is needed no more once it was dialled.
    to = fields["to"] if step == "connect" else ""
    return question.address(step, n=fields["n"], m=fields["m"], to=to, rec="1" if question.is_recorded else "")
