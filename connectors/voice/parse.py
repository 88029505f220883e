"""
Reads Twilio's calls about telephone calls. Pure: bytes in, our structs out.

A call is one message under its CallSid, and what becomes of it are edits of that message: ``revision`` orders them by
whose telephone rang, then by Twilio's SequenceNumber, so that in whatever order they come the last state is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from connectors.base import ParseContext
from connectors.twilio.numbers import canonical_number, is_e164
from connectors.voice.hours import read_members
from connectors.voice.moments import length_text, read_moment, read_seconds
from connectors.voice.outgoing import read_outgoing
from connectors.voice.sealed import open_caller
from connectors.voice.steps import ENDED, is_status, read_step, sequence_of
from hub.envelope import AttachmentRef, CallState, Identity, InboundItem, ItemKind
from hub.errors import MalformedPayload, UnsupportedPayload

# Twilio's stand-ins for numbers that are withheld.
# Source: help.twilio.com, "Why am I getting calls from these strange numbers?", read 2026-11-23.
_WITHHELD: Final = frozenset(
    {"", "anonymous", "restricted", "unknown", "unavailable", "blocked", "private"}
    | {"+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253", "+464"}
)
_REACHED: Final = frozenset({"completed", "answered"})
_LIVE: Final = frozenset({"queued", "initiated", "ringing", "in-progress"})
# Of each member's turn: its status events, then that the member took the call, then how the turn ended. Of each time
# everybody is tried anew: that the caller waits, then the turns.
_TURN, _LAST_EVENT, _ACCEPTED, _TURN_ENDED, _ROUND = 1000, 499, 500, 900, 20_000
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_ADDRESS_LIMIT_CHARS: Final = 320
_NAME_LIMIT_CHARS: Final = 200
MISSED: Final = "Missed call"
_MISSED: Final = CallState(outcome="missed")


def parse(body: bytes, context: ParseContext) -> list[InboundItem]:
    """
    Read one item.

    Args:
        body: As ``split`` made it.
        context: Its settings name the members, its key opens who called.

    Returns:
        A call, its next state, a recording or its words; nothing for what says nothing new.

    Raises:
        MalformedPayload: Not what Twilio sends.
        UnsupportedPayload: A call that is not one of those we route.
    """
    if context.received_at.tzinfo is None:
        raise MalformedPayload("a time without a zone", field="received_at")
    fields = read_step(body)
    match fields["step"]:
        case "leg":
            return _read_leg(fields, context)
        case "dialed":
            return _read_turn(fields, context)
        case "accept":
            return _read_accepted(fields, context)
        case "recording":
            return _read_recording(fields, context)
        case "transcript":
            return _read_transcript(fields, context)
        case "near" | "far" | "bridged":
            return read_outgoing(fields, context)
        case "wait":
            waits = CallState(outcome="waiting")
            return [_state(fields["CallSid"], waits, _round(fields), (fields, context))]
        case "screen" | "recorded" | "bridge" | "connect" | "consent" | "client":
            return []
        case _:
            return _read_call(fields, context)


def read_caller(fields: Mapping[str, str]) -> Identity:
    """
    Say who calls; somebody who withholds the number is nobody we know, each call anew.

    Raises:
        UnsupportedPayload: One of our own softphones.
    """
    raw, name = fields.get("From", "").strip(), fields.get("CallerName", "").strip()[:_NAME_LIMIT_CHARS] or None
    if raw.startswith("client:"):
        raise UnsupportedPayload("a call from a softphone")
    if raw.lower() in _WITHHELD:
        return Identity(scheme="external", value=f"withheld:{fields['CallSid']}", display_name="Withheld number")
    if raw.startswith(("sip:", "sips:")):
        return Identity(scheme="sip", value=raw.lower()[:_ADDRESS_LIMIT_CHARS], display_name=name)
    value = canonical_number(raw)
    if not value or len(value) > _ADDRESS_LIMIT_CHARS:
        raise MalformedPayload("no usable From", field="From")
    return Identity(scheme="phone" if is_e164(value) else "external", value=value, display_name=name)


def was_reached(fields: Mapping[str, str]) -> bool:
    """Say whether the member whose turn ended spoke to the caller; a member who did not press 1 never did."""
    return fields.get("DialCallStatus", "") in _REACHED and fields.get("DialBridged", "").lower() != "false"


def _read_call(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    if fields.get("Direction", "inbound") != "inbound":
        raise UnsupportedPayload("a call we did not receive")
    status = fields.get("CallStatus", "")
    caller = read_caller(fields)
    if is_status(fields):
        if status not in ENDED:
            return []
        # Says that it ended, not whether anybody spoke: whatever a member's turn says goes before.
        revision = min((sequence_of(fields) or 0) + 1, _LAST_EVENT)
        ended = CallState(outcome="missed", ended_at=read_moment(fields.get("Timestamp", ""), context.received_at))
        return [_state(fields["CallSid"], ended, revision, (fields, context))]
    if status not in _LIVE:
        raise UnsupportedPayload("a call in a state we do not know")
    return [
        InboundItem(
            kind=ItemKind.MESSAGE,
            key=fields["CallSid"],
            occurred_at=read_moment(fields.get("Timestamp", ""), context.received_at),
            thread_key=caller.value,
            sender=caller,
            external_id=fields["CallSid"],
            text="Incoming call",
            call=CallState(outcome="ringing"),
        )
    ]


def _read_leg(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    """Read the state of the telephone of the member whose turn it is."""
    status, sequence, call_sid = fields.get("CallStatus", ""), sequence_of(fields), _parent(fields)
    if sequence is None:
        raise MalformedPayload("no SequenceNumber", field="SequenceNumber")
    if status not in _LIVE | ENDED:
        raise UnsupportedPayload("a call in a state we do not know")
    # A mailbox picks up too: where members press 1, only that says that one of them did.
    if status in ("queued", "initiated") or (fields["screened"] and status in ("in-progress", "completed")):
        return []
    member = _member(fields, context)
    at = read_moment(fields.get("Timestamp", ""), context.received_at)
    states = {
        "ringing": CallState(outcome="ringing", member=member),
        "in-progress": CallState(outcome="answered", member=member, answered_at=at),
        "completed": CallState(outcome="answered", member=member, talk_s=read_seconds(fields.get("CallDuration", ""))),
    }
    revision = _turn(fields) + min(sequence, _LAST_EVENT)
    return [_state(call_sid, states.get(status, _MISSED), revision, (fields, context))]


def _read_accepted(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    if fields.get("Digits") != "1":
        return []
    at = read_moment(fields.get("Timestamp", ""), context.received_at)
    state = CallState(outcome="answered", member=_member(fields, context), answered_at=at)
    return [_state(_parent(fields), state, _turn(fields) + _ACCEPTED, (fields, context))]


def _read_turn(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    """Read how a member's turn ended: the last word on it."""
    state = _MISSED
    if was_reached(fields):
        state = CallState(
            outcome="answered",
            member=_member(fields, context),
            ended_at=read_moment(fields.get("Timestamp", ""), context.received_at),
            talk_s=read_seconds(fields.get("DialCallDuration", "")),
        )
    return [_state(fields["CallSid"], state, _turn(fields) + _TURN_ENDED, (fields, context))]


def _read_recording(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    sid, url, status = fields.get("RecordingSid", ""), fields.get("RecordingUrl", ""), fields.get("RecordingStatus", "")
    if status in ("in-progress", "absent", "paused", "processing"):
        return []
    if status not in ("completed", ""):
        raise UnsupportedPayload("a recording in a state we do not know")
    if not _SID.fullmatch(sid):
        raise MalformedPayload("no RecordingSid", field="RecordingSid")
    if not url.startswith(("https://", "http://")):
        raise MalformedPayload("a recording without an address", field="RecordingUrl")
    caller = open_caller(context.signing_key, fields["caller"])
    if caller is None:
        raise UnsupportedPayload("a recording of a call we did not route")
    is_voicemail = fields.get("RecordingSource", "RecordVerb") == "RecordVerb"
    name = "Voicemail" if is_voicemail else "Call recording"
    length = read_seconds(fields.get("RecordingDuration", ""))
    file = AttachmentRef(
        # The address of the resource itself is JSON without this.
        ref=url if url.endswith((".mp3", ".wav")) else f"{url}.mp3",
        kind="audio",
        filename="voicemail.mp3" if is_voicemail else "recording.mp3",
        mime="audio/mpeg",
    )
    return [
        InboundItem(
            kind=ItemKind.MESSAGE,
            key=sid,
            occurred_at=read_moment(fields.get("RecordingStartTime", ""), context.received_at),
            thread_key=caller.value,
            sender=caller,
            external_id=sid,
            text=name if length is None else f"{name}, {length_text(length)}",
            reply_to_external_id=fields["CallSid"],
            attachments=(file,),
        )
    ]


def _read_transcript(fields: Mapping[str, str], context: ParseContext) -> list[InboundItem]:
    target = fields.get("RecordingSid", "")
    if not _SID.fullmatch(target):
        raise MalformedPayload("no RecordingSid", field="RecordingSid")
    words = fields.get("TranscriptionText", "").strip()
    if fields.get("TranscriptionStatus") != "completed" or not words:
        return []
    return [
        InboundItem(
            kind=ItemKind.EDIT,
            key=context.key,
            occurred_at=read_moment(fields.get("Timestamp", ""), context.received_at),
            target_external_id=target,
            text=f"Voicemail: {words}",
            revision=1,
        )
    ]


def _state(target: str, state: CallState, revision: int, said: tuple[Mapping[str, str], ParseContext]) -> InboundItem:
    fields, context = said
    return InboundItem(
        kind=ItemKind.EDIT,
        key=context.key,
        occurred_at=read_moment(fields.get("Timestamp", ""), context.received_at),
        target_external_id=target,
        text=describe(state),
        revision=revision,
        call=state,
    )


def describe(state: CallState) -> str:
    """Say how a caller's call stands."""
    match state.outcome:
        case "ringing":
            return f"Incoming call, ringing {state.member}"
        case "waiting":
            return "Incoming call, waiting"
        case "answered":
            length = "" if state.talk_s is None else f", {length_text(state.talk_s)}"
            return f"Incoming call, answered by {state.member}{length}"
        case _:
            return MISSED


def _parent(fields: Mapping[str, str]) -> str:
    found = fields["call"] or fields.get("ParentCallSid", "")
    if not _SID.fullmatch(found):
        raise MalformedPayload("a leg of no call", field="ParentCallSid")
    return found


def _turn(fields: Mapping[str, str]) -> int:
    return _round(fields) + (int(fields["n"] or "0") + 1) * _TURN


def _round(fields: Mapping[str, str]) -> int:
    return int(fields["r"] or "0") * _ROUND


def _member(fields: Mapping[str, str], context: ParseContext) -> str:
    members, number = read_members(context.settings), int(fields["n"] or "0")
    return members[number].name if number < len(members) else "a member"
