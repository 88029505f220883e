"""Reads Twilio's calls about WhatsApp messages. Pure: the bytes in, our structs out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from connectors.base import ParseContext
from connectors.twilio.callbacks import (
    is_inbound,
    read_fields,
    read_media,
    read_number,
    read_receipt,
    read_sid,
)
from connectors.twilio.past import is_sent, moment_of, read_sent
from hub.envelope import InboundItem, ItemKind
from hub.errors import MalformedPayload

PREFIX: Final = "whatsapp:"
_MAP: Final = "https://www.google.com/maps?q="
_DEGREES: Final = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,20})?")
_SID: Final = re.compile(r"[A-Za-z0-9]{2,64}")
_NAME_CHARS: Final = 200


def parse(body: bytes, context: ParseContext) -> list[InboundItem]:
    """
    Read one item.

    Args:
        body: As ``split`` made it.
        context: When it came, and its key. Twilio's calls have no time of their own; its list does.

    Returns:
        One message or one receipt; of a message of ours from Twilio's list both.

    Raises:
        MalformedPayload: Not what Twilio sends.
        UnsupportedPayload: Something Twilio sends that is not WhatsApp: an SMS, a call, an unknown status.
    """
    fields = read_fields(body)
    if is_sent(fields):
        return read_sent(fields, read_number(fields, "To", PREFIX), context)
    if is_inbound(fields):
        return [_read_message(fields, context)]
    return [read_receipt(fields, read_number(fields, "To", PREFIX), context)]


def _read_message(fields: Mapping[str, str], context: ParseContext) -> InboundItem:
    sender = read_number(fields, "From", PREFIX)
    name = fields.get("ProfileName", "").strip()[:_NAME_CHARS]
    attachments, text = read_media(fields), _text(fields)
    if not text and not attachments and "Body" not in fields:
        raise MalformedPayload("no Body", field="Body")
    replied = fields.get("OriginalRepliedMessageSid", "")
    return InboundItem(
        kind=ItemKind.MESSAGE,
        key=context.key,
        occurred_at=moment_of(fields, context),
        thread_key=sender.value,
        sender=msgspec.structs.replace(sender, display_name=name or None),
        external_id=read_sid(fields),
        text=text,
        quoted=_advertisement(fields),
        attachments=attachments,
        reply_to_external_id=replied if _SID.fullmatch(replied) else None,
        consent={"STOP": "stop", "START": "start"}.get(fields.get("OptOutType", "").upper()),
    )


def _text(fields: Mapping[str, str]) -> str:
    """What was written or tapped; of a place its name, address and a map."""
    written = fields.get("Body") or fields.get("ButtonText") or fields.get("ListTitle") or ""
    latitude, longitude = fields.get("Latitude", ""), fields.get("Longitude", "")
    if not (_DEGREES.fullmatch(latitude) and _DEGREES.fullmatch(longitude)):
        return written
    lines = [written, fields.get("Label", ""), fields.get("Address", ""), f"{_MAP}{latitude},{longitude}"]
    # Twilio repeats the place's name as the text.
    return "\n".join(dict.fromkeys(line for line in lines if line))


def _advertisement(fields: Mapping[str, str]) -> str:
    names = ("ReferralHeadline", "ReferralBody", "ReferralSourceUrl")
    return "\n".join(fields[name] for name in names if fields.get(name))
