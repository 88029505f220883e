"""What Twilio's calls about a telephone call carry: their fields, and what we wrote into the address. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from connectors.base import Account, RawItem, WebhookRequest
from connectors.twilio.form import read_form
from hub.envelope import clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

# Calls that end, in Twilio's words.
ENDED: Final = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
STEPS: Final = frozenset(
    {"leg", "screen", "accept", "dialed", "wait", "recorded", "recording", "transcript"}
    # Of calls that members make: the member picked up, is put through, the customer is told, it is over; news of each.
    | {"bridge", "connect", "consent", "bridged", "near", "far"}
    # A telephone in the browser asks to be put through.
    | {"client"}
)
# What our addresses carry, with what it may look like; anything else in an address is not ours.
_OURS: Final = {
    "step": re.compile("|".join(sorted(STEPS))),
    "n": re.compile(r"[0-9]"),
    # How often everybody was tried anew.
    "r": re.compile(r"[1-9][0-9]{0,2}"),
    "call": re.compile(r"CA[0-9a-fA-F]{32}"),
    "rec": re.compile(r"1"),
    "screened": re.compile(r"1"),
    "caller": re.compile(r"[A-Za-z0-9_-]{1,1000}"),
    "to": re.compile(r"[A-Za-z0-9_-]{1,1000}"),
    "m": re.compile(r"[0-9a-f]{32}"),
}
_PREFIX: Final = "hub."
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-fA-F]{32}")
_WORD: Final = re.compile(r"[a-z-]{1,32}")


def split(request: WebhookRequest) -> list[RawItem]:
    """
    Make the one item of a call.

    Args:
        request: A verified call.

    Returns:
        One item: its key is made of SIDs, the sequence number and the state, all the same when Twilio calls again.

    Raises:
        MalformedPayload: The call has no body.
    """
    if not request.body:
        raise MalformedPayload("a call without a body")
    ours = read_address(request.url)
    # Fields that Twilio never sends, behind its own: the address is not kept, the item is.
    tail = "".join(f"&{_PREFIX}{name}={value}" for name, value in sorted(ours.items()))
    body = request.body + tail.encode()
    return [RawItem(key=_key(_fields(request.body) | ours, body), body=body)]


def read_step(body: bytes) -> Mapping[str, str]:
    """
    Read one item.

    Args:
        body: As ``split`` made it.

    Returns:
        Storable text by field; what our address carried under its plain name.

    Raises:
        MalformedPayload: Not what Twilio sends.
        UnsupportedPayload: Something Twilio sends about something else than a telephone call.
    """
    if body.lstrip()[:1] in (b"{", b"["):
        try:
            json.loads(body)
        except (ValueError, RecursionError):
            raise MalformedPayload("not JSON, though it begins so") from None
        raise UnsupportedPayload("a JSON call; calls come as forms")
    fields = _fields(body)
    found = {name: value for name, value in fields.items() if not name.startswith(_PREFIX)}
    for name in _OURS:
        # Only ``split`` writes these; a field of Twilio's by the plain name is not ours.
        found[name] = fields.get(_PREFIX + name, "")
    if not _SID.fullmatch(found.get("CallSid", "")):
        if found.get("AccountSid") and not found.get("CallSid"):
            raise UnsupportedPayload("a call about something else than a telephone call")
        raise MalformedPayload("no usable CallSid", field="CallSid")
    return found


def read_request(request: WebhookRequest) -> Mapping[str, str]:
    """Read a call as ``read_step`` reads its item."""
    (item,) = split(request)
    return read_step(item.body)


def read_address(url: str) -> dict[str, str]:
    """Return what an address of ours carries."""
    pairs = parse_qsl(urlsplit(url).query)
    return {name: value for name, value in pairs if name in _OURS and _OURS[name].fullmatch(value)}


def address(account: Account, step: str, **carried: str) -> str:
    """Write the address Twilio is to call for a step of a call; empty values are left out."""
    separator = "&" if "?" in account.webhook_url else "?"
    return account.webhook_url + separator + urlencode({"step": step} | {k: v for k, v in carried.items() if v})


def sequence_of(fields: Mapping[str, str]) -> int | None:
    """Return the place of a status event among those of its leg, from 0; None where Twilio gave none."""
    text = fields.get("SequenceNumber", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None


def is_status(fields: Mapping[str, str]) -> bool:
    """Say whether a call without a step is news of a call's state, not a caller waiting for what to do."""
    return fields.get("CallStatus", "") in ENDED or fields.get("CallbackSource") == "call-progress-events"


def _key(fields: Mapping[str, str], body: bytes) -> str:
    sid, step = fields.get("CallSid", ""), fields.get("step", "")
    parts: tuple[str, ...]
    match step:
        case "recording":
            parts = (fields.get("RecordingSid", ""), "recording", fields.get("RecordingStatus", ""))
        case "transcript":
            parts = (fields.get("TranscriptionSid", ""), "transcript")
        case "leg" | "near" | "far":
            parts = (sid, str(sequence_of(fields)), fields.get("CallStatus", ""))
        case "":
            parts = (
                (sid, str(sequence_of(fields)), fields.get("CallStatus", ""))
                if is_status(fields)
                else (sid, "incoming")
            )
        case _:
            digit = fields.get("Digits", "") if step in ("accept", "connect") else ""
            parts = (
                sid,
                step,
                fields.get("n", ""),
                fields.get("r", ""),
                digit if re.fullmatch(r"[0-9*#]{0,4}", digit) else "odd",
            )
    if not _SID.fullmatch(parts[0]):
        return f"sha256:{hashlib.sha256(body).hexdigest()}"
    return ":".join(_word(part) if n else part for n, part in enumerate(parts) if part)


def _word(text: str) -> str:
    """Return a state as it is, or its hash where it is none that Twilio would send."""
    if _WORD.fullmatch(text) or re.fullmatch(r"[0-9*#]{0,6}|None", text):
        return text
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _fields(body: bytes) -> dict[str, str]:
    return {
        clean_text(name.decode("utf-8", "replace")): clean_text(value.decode("utf-8", "replace"))
        for name, value in read_form(body)
    }
