"""Makes the one request of a message, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

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
from connectors.whatsapp_twilio.parse import PREFIX
from hub.envelope import OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

TEXT_LIMIT_CHARS: Final = 1600
# Source: twilio.com/docs/whatsapp/guidance-whatsapp-media-messages, as the reference notes it, read 2026-11-23.
MEDIA_TYPES: Final = frozenset(
    {
        *("image/jpeg", "image/png"),
        *("audio/ogg", "audio/amr", "audio/3gpp", "audio/aac", "audio/mpeg", "audio/mp4"),
        *("video/mp4", "application/pdf", "application/msword", "text/vcard"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }
)
MEDIA_LIMIT_BYTES: Final = 16_000_000
IMAGE_LIMIT_BYTES: Final = 5_000_000


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:
    """
    Make the request that sends a message.

    Args:
        message: Text of at most 1,600 characters, a file with or without one, or a template.
        account: Whose WhatsApp sender or messaging service sends.

    Returns:
        One call.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long text or a file WhatsApp does not take, ``RECIPIENT`` for
            what is not a phone number, ``PERMANENT`` for a file where Twilio cannot reach us to fetch it.
    """
    if not is_e164(message.to.value) or message.to.scheme != "phone":
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.RECIPIENT, "21211", "This is not a phone number."))
    fields = {"To": f"{PREFIX}{message.to.value}"} | sender_fields(account, PREFIX)
    fields |= _template(message) if message.template is not None else _content(account, message)
    return [Call(operation=CREATE, fields=fields | callback_fields(account, message.message_id))]


def charges(account: Account, _message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:
    """
    Say what a message takes: one of the sender's rate, one request of the account's.

    Args:
        account: Its ``messages_per_second`` stands before the manifest's rate.
        _message: Each costs the same.
        limits: The manifest's, by name.
    """
    sender = limits["sender"]
    if (rate := account.settings.get("messages_per_second", "")).isdigit() and int(rate) > 0:
        sender = (Limit(float(rate), 1.0, int(rate)),)
    return (
        Charge(key=sender_bucket(account, PREFIX), limits=sender),
        Charge(key=account_bucket(account), limits=limits["account"]),
    )


def _content(account: Account, message: OutboundMessage) -> dict[str, str]:
    if not message.text.strip() and not message.attachments:
        raise _refusal("21602", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; WhatsApp by Twilio takes {TEXT_LIMIT_CHARS:,}."
        raise _refusal("21617", words)
    if len(message.attachments) > 1:
        raise _refusal("21623", "WhatsApp by Twilio takes one file a message.")
    for one in message.attachments:
        _check_file(one, with_text=bool(message.text.strip()))
    body = {"Body": message.text} if message.text.strip() else {}
    return body | media_fields(account, message)


def _check_file(file: OutboundAttachment, *, with_text: bool) -> None:
    if file.mime not in MEDIA_TYPES:
        raise _refusal("12300", f"{file.filename} is of a kind that WhatsApp does not take ({file.mime}).")
    limit_bytes = IMAGE_LIMIT_BYTES if file.mime.startswith("image/") else MEDIA_LIMIT_BYTES
    if file.size_bytes > limit_bytes:
        raise _refusal("63019", f"{file.filename} is larger than the {limit_bytes // 1_000_000} MB WhatsApp takes.")
    if with_text and file.mime.startswith("audio/"):
        raise _refusal("63021", "WhatsApp shows no text with a sound. Send them one after the other.")


def _template(message: OutboundMessage) -> dict[str, str]:
    if message.template is None or message.attachments:
        raise _refusal("template_files", "A template is sent without files of its own.")
    fields = {"ContentSid": message.template.id}
    if message.template.variables:
        fields["ContentVariables"] = json.dumps(dict(message.template.variables), ensure_ascii=False)
    return fields


def _refusal(code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, code, words))
