"""
What Twilio's REST API takes and refuses, for the resources the product uses for messages. Pure.

The field sets are written by hand from the vendor's published description; a test compares them with it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from scripts.emulators.http1 import Answer, Request, as_json


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Source: github.com/twilio/twilio-oai, spec/json/twilio_api_v2010.json of 2026-04-14 (MIT).
MESSAGE_FIELDS = _names(
    """
    To StatusCallback ApplicationSid MaxPrice ProvideFeedback Attempt ValidityPeriod ForceDelivery ContentRetention
    AddressRetention SmartEncoded PersistentAction TrafficType ShortenUrls ScheduleType SendAt SendAsMms
    ContentVariables RiskCheck From FallbackFrom MessagingServiceSid Body MediaUrl ContentSid
    """
)
MESSAGE_LISTS = frozenset({"MediaUrl", "PersistentAction"})
MESSAGE_FILTERS = frozenset({"To", "From", "DateSent", "DateSent<", "DateSent>", "PageSize", "Page", "PageToken"})
MEDIA_FILTERS = frozenset({"DateCreated", "DateCreated<", "DateCreated>", "PageSize", "Page", "PageToken"})
NUMBER_FIELDS = _names(
    """
    AccountSid ApiVersion FriendlyName SmsApplicationSid SmsFallbackMethod SmsFallbackUrl SmsMethod SmsUrl
    StatusCallback StatusCallbackMethod VoiceApplicationSid VoiceCallerIdLookup VoiceFallbackMethod VoiceFallbackUrl
    VoiceMethod VoiceUrl EmergencyStatus EmergencyAddressSid TrunkSid VoiceReceiveMode IdentitySid AddressSid
    BundleSid
    """
)
NUMBER_FILTERS = frozenset({"Beta", "FriendlyName", "PhoneNumber", "Origin", "PageSize", "Page", "PageToken"})

BODY_LIMIT_CHARS = 1600
# Before the addresses of WhatsApp; those of SMS have nothing before them.
WHATSAPP = "whatsapp:"
MEDIA_LIMIT = 10
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_SHORT_CODE = re.compile(r"[0-9]{3,8}")
_FORM = "application/x-www-form-urlencoded"

Fields = dict[str, list[str]]


class Refused(Exception):
    """A request Twilio refuses; carries its answer."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.answer = error(status, code, message)


def error(status: int, code: int, message: str) -> Answer:
    """Make an error in Twilio's own shape."""
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return as_json(status, {"code": code, "message": message, "more_info": more_info, "status": status})


def check_credentials(request: Request, account_sid: str, auth_token: str) -> None:
    """Refuse anything but HTTP Basic with the account's SID and token."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
    if scheme.lower() != "basic" or encoded != expected:
        raise Refused(401, 20003, "Authenticate")


def read_form(request: Request, known: frozenset[str], lists: frozenset[str] = frozenset()) -> Fields:
    """Read a form strictly: right content type, only known fields, repeated only where the field is a list."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refused(415, 20415, "Content type must be application/x-www-form-urlencoded")
    if not request.body:
        return {}
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError as reason:
        raise Refused(400, 20001, "The body is not a form in UTF-8") from reason
    return _gather(pairs, known, lists)


def read_query(request: Request, known: frozenset[str]) -> Fields:
    """Read query parameters strictly."""
    return _gather(request.query, known, frozenset())


def _gather(pairs: Sequence[tuple[str, str]], known: frozenset[str], lists: frozenset[str]) -> Fields:
    fields: Fields = {}
    for name, value in pairs:
        if name not in known:
            raise Refused(400, 20001, f"Unexpected parameter '{name}'")
        if name in fields and name not in lists:
            raise Refused(400, 20001, f"Parameter '{name}' is given twice")
        fields.setdefault(name, []).append(value)
    return fields


def first(fields: Fields, name: str) -> str:
    """Return a field's value, or the empty text."""
    return fields.get(name, [""])[0]


def check_message(fields: Fields, numbers: set[str], services: set[str], opted_out: set[str]) -> None:
    """Refuse what Twilio refuses of a new message, with its codes."""
    to, sender, service = first(fields, "To"), first(fields, "From"), first(fields, "MessagingServiceSid")
    if not to:
        raise Refused(400, 21604, "A 'To' phone number is required.")
    if not sender and not service:
        raise Refused(400, 21603, "A 'From' phone number is required.")
    if not first(fields, "Body") and not fields.get("MediaUrl") and not first(fields, "ContentSid"):
        raise Refused(400, 21619, "A text message body or media urls must be specified.")
    _check_addresses(to, sender, numbers)
    if service and service not in services:
        raise Refused(404, 20404, "The requested messaging service was not found")
    if len(first(fields, "Body")) > BODY_LIMIT_CHARS:
        raise Refused(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    if to in opted_out:
        raise Refused(400, 21610, "Attempt to send to unsubscribed recipient")
    _check_media(fields.get("MediaUrl", []), 1 if to.startswith(WHATSAPP) else MEDIA_LIMIT)
    callback = first(fields, "StatusCallback")
    if callback and not re.fullmatch(r"https?://[^\s/]+\S*", callback):
        raise Refused(400, 21609, f"The StatusCallback URL {callback} is not a valid URL.")


def _check_addresses(to: str, sender: str, numbers: set[str]) -> None:
    bare = to.removeprefix(WHATSAPP)
    if not _E164.fullmatch(bare) and (bare != to or not _SHORT_CODE.fullmatch(to)):
        raise Refused(400, 21211, f"Invalid 'To' Phone Number: {to}")
    if not sender:
        return
    if not _E164.fullmatch(sender.removeprefix(WHATSAPP)):
        raise Refused(400, 21212, f"Invalid 'From' Phone Number: {sender}")
    if sender.startswith(WHATSAPP) != to.startswith(WHATSAPP):
        raise Refused(400, 21910, "Invalid From and To pair. From and To should be of the same channel")
    if sender.startswith(WHATSAPP) and sender not in numbers:
        raise Refused(400, 63007, "Twilio could not find a Channel with the specified From address")
    if sender not in numbers:
        raise Refused(400, 21659, f"'From' {sender} is not a Twilio phone number or short code country mismatch")


def _check_media(urls: Sequence[str], most: int) -> None:
    if len(urls) > most:
        raise Refused(400, 21623, "Number of media files exceeds allowed limit")
    if any(not re.fullmatch(r"https?://[^\s/]+\S*", url) for url in urls):
        raise Refused(400, 21620, "Invalid media URL(s)")
