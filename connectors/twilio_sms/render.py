"""Makes the one request of a message, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Account, Call, Charge, Limit
from connectors.twilio.numbers import is_e164
from connectors.twilio.senders import (
    CREATE,
    account_bucket,
    callback_fields,
    media_fields,
    sender_bucket,
    sender_fields,
)
from connectors.twilio_sms.media import MEDIA_TYPES
from connectors.twilio_sms.segments import segments
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

TEXT_LIMIT_CHARS = 1600
MEDIA_LIMIT_COUNT = 10
MEDIA_LIMIT_BYTES = 5_000_000
# Carriers are sent a picture message as a few segments.
_MEDIA_COST = 3.0


def render(message: OutboundMessage, account: Account) -> list[Call]:
    """
    Make the request that sends a message.

    Args:
        message: Plain text of at most 1600 characters to a phone number; none only with files, 10 of 5 MB together.
        account: Whose number or messaging service sends.

    Returns:
        One call.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long text or files Twilio refuses, ``RECIPIENT`` for what is
            not a phone number, ``PERMANENT`` for files where Twilio cannot reach us to fetch them.
    """
    if not message.text.strip() and not message.attachments:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, "21602", "The message has no text."))
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; an SMS holds {TEXT_LIMIT_CHARS:,}."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, "21617", words))
    if not _can_receive(message.to.value):
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.RECIPIENT, "21211", "This is not a phone number."))
    fields = {"To": message.to.value} | sender_fields(account)
    if message.text.strip():
        fields["Body"] = message.text
    if message.attachments:
        fields |= _media(account, message)
    return [Call(operation=CREATE, fields=fields | callback_fields(account, message.message_id))]


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> tuple[Charge, ...]:
    """
    Say what a message takes: its segments from the sender's bucket, one request from the account's.

    Args:
        account: Its ``segments_per_second`` setting overrides the sender's rate.
        message: What is sent.
        limits: The manifest's.

    Returns:
        Two charges, both needed. Accounts with the same SID or sender share a bucket.
    """
    sender = limits["sender"]
    if rate := _rate(account.settings.get("segments_per_second", "")):
        sender = (Limit(rate=rate, per_s=1.0, burst=max(10, int(rate))),)
    return (
        Charge(key=sender_bucket(account), limits=sender, cost=_cost(message)),
        Charge(key=account_bucket(account), limits=limits["account"]),
    )


def takes(mime: str) -> bool:
    """Say whether Twilio takes a file of this type."""
    return mime in MEDIA_TYPES


def _cost(message: OutboundMessage) -> float:
    return _MEDIA_COST if message.attachments else float(segments(message.text).count)


def _media(account: Account, message: OutboundMessage) -> dict[str, str]:
    files = message.attachments
    if len(files) > MEDIA_LIMIT_COUNT or sum(one.size_bytes for one in files) > MEDIA_LIMIT_BYTES:
        words = f"An MMS takes {MEDIA_LIMIT_COUNT} files of 5 MB together."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, "11751", words))
    if wrong := next((one for one in files if not takes(one.mime)), None):
        words = f"{wrong.filename} is of a kind that MMS does not take ({wrong.mime})."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, "12300", words))
    return media_fields(account, message)


def _can_receive(number: str) -> bool:
    """A short code may write to us; Twilio says itself whether it takes an answer."""
    return is_e164(number) or (number.isascii() and number.isdigit() and 3 <= len(number) <= 8)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        return 0.0
    return rate if 0 < rate < 10_000 else 0.0
