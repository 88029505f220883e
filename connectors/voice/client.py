"""Checks a telephone number at Twilio, fetches recordings, and begins calls. Nobody can write to a caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from connectors.accounts import is_loopback
from connectors.base import Account, Call, Checked, RawReader
from connectors.downloads import GONE, REFUSED
from connectors.twilio import files
from connectors.twilio.asking import ask, check_account
from connectors.twilio.numbers import canonical_number, is_e164
from connectors.voice.hours import read_members, read_zone, wrong_line
from connectors.voice.softphone import has_softphones
from connectors.voice.steps import address
from hub.envelope import AttachmentRef, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, InvalidInput

if TYPE_CHECKING:
    from twilio.rest import Client
    from twilio.rest.api.v2010.account.incoming_phone_number import IncomingPhoneNumberInstance

TIMEOUT_S: Final = 15.0
_NOTHING: Final = ConnectorErrorInfo(ErrorClass.CONTENT, "call", "Nobody can write to a caller; call back instead.")
# Source: twilio.com/docs/api/errors, read 2026-11-23.
_CALL_WORDS: Final = {
    "21211": "The telephone in the settings is no number Twilio can call.",
    "21210": "The number of this channel may not be shown to whom it calls: Twilio does not know it as ours.",
    "21215": "The Twilio account may not call this country; it is allowed under Voice, Settings, Geo permissions.",
    "21216": "Twilio does not call this number.",
    "21219": "A trial account of Twilio calls only numbers verified there.",
    "13227": "The Twilio account may not call this country; it is allowed under Voice, Settings, Geo permissions.",
}
_NOT_YET: Final = ConnectorErrorInfo(ErrorClass.RETRYABLE, "not_yet", "Twilio does not have the recording yet.")


@dataclass(frozen=True, slots=True)
class VoiceClient:
    """
    The functions of the connector that reach Twilio.

    Attributes:
        timeout_s: For connecting, and for each wait for bytes.
    """

    timeout_s: float = TIMEOUT_S

    async def check(self, account: Account) -> Checked:
        """
        Ask Twilio whether the keys open the account, and whether the number is there and points to us.

        Args:
            account: Not saved yet.

        Returns:
            The number's SID, and what is still to be set at Twilio or here, in words.

        Raises:
            ConnectorError: ``AUTH`` for wrong keys, ``ACCOUNT`` for a closed account, ``RETRYABLE`` without an answer.
            InvalidInput: The number is not one of this account or takes no calls, or a setting cannot be read.
        """
        number = canonical_number(account.settings.get("phone_number", ""))
        if not is_e164(number):
            raise InvalidInput("phone_number", "Enter the number with its country code, e.g. +15551230001.")
        if not account.credentials.get("auth_token", "").isascii():
            raise InvalidInput("auth_token", "An Auth Token has only letters and digits.")
        if read_zone(account.settings) is None:
            raise InvalidInput("time_zone", "There is no such time zone; enter one like Europe/Berlin.")
        if line := wrong_line(account.settings):
            raise InvalidInput("ring_numbers", f"Line {line} does not begin with a number with its country code.")
        if any(member.number == number for member in read_members(account.settings)):
            raise InvalidInput("ring_numbers", "The number itself cannot be rung: calls would come back to it.")
        _check_softphones(account)
        return await ask(account, self.timeout_s, lambda client: _check(client, account, number))

    async def send(self, account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:  # noqa: ARG002
        """Refuse: nobody can write to a caller."""
        raise ConnectorError(_NOTHING)

    async def call(self, account: Account, call: Call) -> str:
        """
        Begin a call: the member's telephone rings.

        Args:
            account: Pays for it.
            call: As ``render_call`` made it.

        Returns:
            Twilio's id of the call.

        Raises:
            ConnectorError: ``AMBIGUOUS`` where the telephone may ring all the same.
        """
        try:
            return await ask(account, self.timeout_s, lambda client: _create(client, call))
        except ConnectorError as error:
            raise ConnectorError(_about_calls(error.info)) from error


def render(message: OutboundMessage, account: Account) -> list[Call]:  # noqa: ARG001
    """Refuse: nobody can write to a caller."""
    raise ConnectorError(_NOTHING)


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a recording.

    Args:
        account: Whose keys open it; they go to Twilio's API alone.
        attachment: ``ref`` is the address that came with the recording.

    Raises:
        ConnectorError: ``PERMANENT`` for an address elsewhere, ``AUTH``, or ``RETRYABLE``: also where there is nothing
            yet, for Twilio tells of a recording some seconds before it can be fetched.
    """
    host = (urlsplit(attachment.ref).hostname or "").lower()
    if not account.base_url and not _is_api(host):
        raise ConnectorError(REFUSED)
    try:
        async with aclosing(files.fetch(account, attachment, _read_raw)) as pieces:  # type: ignore[type-var]  # a generator
            async for piece in pieces:
                yield piece
    except ConnectorError as error:
        if error.info is GONE:
            raise ConnectorError(_NOT_YET) from error
        raise


def _create(client: Client, call: Call) -> str:
    events = ["initiated", "ringing", "answered", "completed"]
    return client.calls.create(**call.fields, status_callback_event=events).sid or ""


def _about_calls(info: ConnectorErrorInfo) -> ConnectorErrorInfo:
    """Say it of a call, where the words of all of Twilio's channels speak of messages."""
    words = _CALL_WORDS.get(info.code)
    if words is None and info.klass is ErrorClass.AMBIGUOUS:
        words = "Twilio did not say whether it took the call; the telephone may ring."
    if words is None and info.klass is ErrorClass.PERMANENT:
        words = f"Twilio refused the call (error {info.code})."
    return info if words is None else msgspec.structs.replace(info, message=words)


def _is_api(host: str) -> bool:
    """Say whether a host is Twilio's API, here or in a region (``api.dublin.ie1.twilio.com``)."""
    return host == "api.twilio.com" or (host.startswith("api.") and host.endswith(".twilio.com"))


def _check(client: Client, account: Account, number: str) -> Checked:
    check_account(client, account.credentials.get("account_sid", ""))
    numbers = client.incoming_phone_numbers.list(phone_number=number, limit=5)
    found = next((one for one in numbers if one.phone_number == number), None)
    if found is None:
        raise InvalidInput("phone_number", "This Twilio account has no such number.")
    capabilities: object = found.capabilities  # the SDK's annotation says str; Twilio sends an object
    if isinstance(capabilities, dict) and capabilities.get("voice") is False:
        raise InvalidInput("phone_number", "This number takes no calls.")
    warnings = _point_to_us(found, account)
    if has_softphones(account):
        warnings += _point_app_to_us(client, account)
    if not read_members(account.settings):
        warnings += ("No telephone is named to ring: every caller gets the mailbox.",)
    return Checked(external_ref=found.sid or "", warnings=warnings)


def _check_softphones(account: Account) -> None:
    """Telephones in the browser need all three of a key, its secret and an app; and lines that ring there need them."""
    given = {
        "api_key_sid": account.credentials.get("api_key_sid", ""),
        "api_key_secret": account.credentials.get("api_key_secret", ""),
        "twiml_app_sid": account.settings.get("twiml_app_sid", ""),
    }
    wanted = any(given.values()) or any(one.is_browser for one in read_members(account.settings))
    missing = next((field for field, value in given.items() if not value), "")
    if wanted and missing:
        raise InvalidInput(missing, "Telephones in the browser need an API key, its secret and a TwiML app.")


def _point_app_to_us(client: Client, account: Account) -> tuple[str, ...]:
    """Set the TwiML app's address where the member asked for it; else say what to set."""
    from twilio.base.exceptions import TwilioRestException

    ours = address(account, "client")
    try:
        app = client.applications(account.settings["twiml_app_sid"]).fetch()
    except TwilioRestException as error:
        if error.status != 404:
            raise
        raise InvalidInput("twiml_app_sid", "This Twilio account has no such TwiML app.") from error
    if app.voice_url == ours:
        return ()
    if account.settings.get("configure_webhook") == "yes":
        app.update(voice_url=ours, voice_method="POST")
        return ()
    return (f"At Twilio, open the TwiML app and set its voice “Request URL” to {ours} (HTTP POST).",)


def _point_to_us(number: IncomingPhoneNumberInstance, account: Account) -> tuple[str, ...]:
    """Set the number's addresses where the member asked for it; else say what to set."""
    ours = account.webhook_url
    if is_loopback(ours) and not is_loopback(account.base_url):
        # Twilio must not be pointed to an address it cannot reach.
        return ("Twilio cannot reach this hub: calls need it at a public https address (HUB_PUBLIC_URL).",)
    if number.voice_url == ours and number.status_callback == ours and not number.voice_application_sid:
        return ()
    if account.settings.get("configure_webhook") == "yes":
        number.update(
            voice_url=ours,
            voice_method="POST",
            status_callback=ours,
            status_callback_method="POST",
            voice_application_sid="",
        )
        return ()
    return (f"At Twilio, open this number and set “A call comes in” and “Call status changes” to {ours} (HTTP POST).",)
