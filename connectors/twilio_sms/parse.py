"""Reads Twilio's calls about text messages. Pure: the bytes in, our structs out."""

from __future__ import annotations

from collections.abc import Mapping

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

# Source: twilio.com/docs/messaging/tutorials/advanced-opt-out (default keywords), read 2026-11-22.
_STOP_WORDS = frozenset({"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout"})
_START_WORDS = frozenset({"start", "yes", "unstop"})


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
        UnsupportedPayload: Something Twilio sends that is not an SMS: a call, another channel, an unknown status.
    """
    fields = read_fields(body)
    if is_sent(fields):
        return read_sent(fields, read_number(fields, "To"), context)
    if is_inbound(fields):
        return [_read_message(fields, context)]
    return [read_receipt(fields, read_number(fields, "To"), context)]


def _read_message(fields: Mapping[str, str], context: ParseContext) -> InboundItem:
    sender = read_number(fields, "From")
    attachments = read_media(fields)
    text = fields.get("Body")
    if text is None and not attachments:
        raise MalformedPayload("no Body", field="Body")
    return InboundItem(
        kind=ItemKind.MESSAGE,
        key=context.key,
        occurred_at=moment_of(fields, context),
        thread_key=sender.value,
        sender=sender,
        external_id=read_sid(fields),
        text=text or "",
        attachments=attachments,
        consent=_consent(fields.get("OptOutType", ""), text or ""),
    )


def _consent(opt_out_type: str, text: str) -> str | None:
    """Twilio's own word where Advanced Opt-Out is on; otherwise the default keywords, when they are the whole text."""
    if opt_out_type:
        return {"STOP": "stop", "START": "start"}.get(opt_out_type.upper())
    word = text.strip().casefold()
    if word in _STOP_WORDS:
        return "stop"
    return "start" if word in _START_WORDS else None
