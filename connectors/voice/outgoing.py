"""A member's call to a customer: whose telephone rings first, what Twilio is asked, what it says of the call. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from connectors.base import Account, Call, CallOrder, ParseContext
from connectors.twilio.numbers import is_e164
from connectors.voice.hours import find_member, read_members
from connectors.voice.moments import length_text, read_moment, read_seconds
from connectors.voice.sealed import seal_caller
from connectors.voice.steps import ENDED, address, sequence_of
from hub.envelope import CallState, Identity, InboundItem, ItemKind
from hub.errors import InvalidInput, MalformedPayload, UnsupportedPayload

if TYPE_CHECKING:
    from collections.abc import Mapping

CREATE: Final = "calls.create"
# The words on the member's telephone come first, then those on the customer's, last how it ended.
_FAR, _LAST_EVENT, _ENDED = 1000, 499, 1900
_REACHED: Final = frozenset({"completed", "answered"})
_NO_PHONE: Final = (
    "No telephone of yours is named in this channel's settings. Whoever manages channels adds one under “Whose phones "
    "ring”, e.g. +15551230002 Anna <anna@example.com>."
)


def render_call(order: CallOrder, account: Account) -> Call:
    """
    Make the request that begins a call.

    Args:
        order: Who calls whom.
        account: Its settings name the members' telephones.

    Returns:
        Numbers and addresses as Twilio is to be asked.

    Raises:
        InvalidInput: ``conversation``: the customer's number is not known; ``member``: the member's is not.
    """
    if order.to.scheme != "phone" or not is_e164(order.to.value):
        raise InvalidInput("conversation", "This caller's number is not known, so nobody can call back.")
    found = find_member(account.settings, name=order.member_name, email=order.member_email)
    if found is None:
        raise InvalidInput("member", _NO_PHONE)
    place, member = found
    carried = {
        "n": str(place),
        "m": UUID(order.message_id).hex,
        "rec": "1" if account.settings.get("record_calls") == "yes" else "",
    }
    sealed = seal_caller(account.signing_key, Identity(order.to.scheme, order.to.value))
    fields = {
        "to": member.number,
        "from_": account.settings.get("phone_number", ""),
        "url": address(account, "bridge", to=sealed, **carried),
        "method": "POST",
        "status_callback": address(account, "near", n=carried["n"], m=carried["m"]),
        "status_callback_method": "POST",
        "timeout": account.settings.get("ring_seconds", "").strip() or "20",
    }
    return Call(operation=CREATE, fields=fields)


def read_outgoing(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    """
    Read one of Twilio's words on a member's call to a customer.

    Returns:
        The next state of the call's row; nothing for what says nothing new.

    Raises:
        MalformedPayload: A word on no call of ours.
        UnsupportedPayload: A state we do not know.
    """
    if not fields["m"]:
        raise MalformedPayload("a word on no call of ours", field="m")
    if fields["step"] == "bridged":
        return _read_end(fields, context)
    status, sequence = fields.get("CallStatus", ""), sequence_of(fields)
    if sequence is None:
        raise MalformedPayload("no SequenceNumber", field="SequenceNumber")
    if status not in ENDED | {"queued", "initiated", "ringing", "in-progress"}:
        raise UnsupportedPayload("a call in a state we do not know")
    is_far = fields["step"] == "far"
    state = _far_state(status, fields, context) if is_far else _near_state(status, fields, context)
    if state is None:
        return []
    return [_word(state, min(sequence, _LAST_EVENT) + (_FAR if is_far else 1), fields, context)]


def describe(state: CallState) -> str:
    """Say how a member's call to a customer stands."""
    match state.outcome:
        case "ringing":
            return f"Outgoing call, ringing {state.member or 'the customer'}"
        case "answered":
            length = "" if state.talk_s is None else f", {length_text(state.talk_s)}"
            return f"Outgoing call by {state.member}{length}"
        case _:
            return "Outgoing call, no answer"


def _near_state(status: str, fields: Mapping[str, str], context: ParseContext) -> CallState | None:
    """The member's telephone: that it was picked up says nothing of the customer."""
    if status == "ringing":
        return CallState(outcome="ringing", member=_member(fields, context))
    if status in ENDED:
        return CallState(outcome="missed", ended_at=read_moment(fields.get("Timestamp", ""), context.received_at))
    return None


def _far_state(status: str, fields: Mapping[str, str], context: ParseContext) -> CallState | None:
    at, member = read_moment(fields.get("Timestamp", ""), context.received_at), _member(fields, context)
    match status:
        case "queued" | "initiated":
            return None
        case "ringing":
            return CallState(outcome="ringing")
        case "in-progress":
            return CallState(outcome="answered", member=member, answered_at=at)
        case "completed":
            talked_s = read_seconds(fields.get("CallDuration", ""))
            return CallState(outcome="answered", member=member, ended_at=at, talk_s=talked_s)
        case _:
            return CallState(outcome="missed", ended_at=at)


def _read_end(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    at = read_moment(fields.get("Timestamp", ""), context.received_at)
    state = CallState(outcome="missed", ended_at=at)
    if fields.get("DialCallStatus", "") in _REACHED:
        talked_s = read_seconds(fields.get("DialCallDuration", ""))
        state = CallState(outcome="answered", member=_member(fields, context), ended_at=at, talk_s=talked_s)
    return [_word(state, _ENDED, fields, context)]


def _word(state: CallState, revision: int, fields: Mapping[str, str], context: ParseContext) -> InboundItem:
    return InboundItem(
        kind=ItemKind.EDIT,
        key=context.key,
        occurred_at=read_moment(fields.get("Timestamp", ""), context.received_at),
        correlation_id=str(UUID(fields["m"])),
        text=describe(state),
        revision=revision,
        call=state,
    )


def _member(fields: Mapping[str, str], context: ParseContext) -> str:
    members, number = read_members(context.settings), int(fields["n"] or "0")
    return members[number].name if number < len(members) else "a member"
