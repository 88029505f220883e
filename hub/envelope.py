"""
What connectors and the hub exchange: frozen structs, no IO, no vendor's words.

Connectors make them (``split``, ``parse``) and take them (``render``, ``send``); ``connectors/intake.py`` and
``connectors/dispatch.py`` carry them to and from the store. Vendors send *items*; the hub's own log has *events*.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from hub.errors import ConnectorErrorInfo


class Direction(StrEnum):
    """``OUTBOUND`` marks an echo: something our side sent from elsewhere (a vendor's own app)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class ItemKind(StrEnum):
    MESSAGE = "message"
    EDIT = "edit"
    DELETE = "delete"
    REACTION = "reaction"
    RECEIPT = "receipt"
    TYPING = "typing"
    THREAD = "thread"
    ACCOUNT = "account"
    CALL = "call"
    CONSENT = "consent"
    UNSUPPORTED = "unsupported"


class DeliveryStatus(StrEnum):
    """States of one outbound message; order and exceptions are in ``advance`` of ``hub/inbox/model.py``."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Identity(msgspec.Struct, frozen=True):
    """
    One address of one contact, never merged by a connector.

    Attributes:
        scheme: ``phone``, ``email``, ``visitor``, ``external`` or a vendor's own kind of id.
        value: Canonical form, 1-320 characters: E.164 for phones, lower-case addr-spec for mail.
        scope: What makes ``value`` unique where the scheme alone does not (a page, a team); else empty.
        display_name: A name the vendor gave, if any.
        verified: Whether somebody proved that the address is theirs.
        aliases: Other identities of the same contact seen in the same item.
    """

    scheme: str
    value: str
    scope: str = ""
    display_name: str | None = None
    aliases: tuple[Identity, ...] = ()
    verified: bool = False


class AttachmentRef(msgspec.Struct, frozen=True):
    """A file at a vendor, fetched later by the connector; ``ref`` is opaque to the hub."""

    ref: str
    kind: str
    filename: str | None = None
    mime: str | None = None
    size_bytes: int | None = None


class Receipt(msgspec.Struct, frozen=True):
    """A vendor's word on a message we sent."""

    status: DeliveryStatus
    error: ConnectorErrorInfo | None = None


class InboundItem(msgspec.Struct, frozen=True, kw_only=True):
    """
    One thing a vendor told us, parsed.

    Attributes:
        kind: What happened.
        key: Dedupe key, unique per (channel account, kind), stable over the vendor's retries, 1-300 characters.
        occurred_at: The vendor's clock, UTC.
        thread_key: The vendor's thread; empty means the sender's identity value.
        direction: ``OUTBOUND`` for echoes.
        sender: Who it is about on the customer's side (for echoes: who received it).
        external_id: The vendor's message id.
        text: Plain text, ``""`` allowed when there are attachments.
        attachments: Files to fetch.
        target_external_id: The message that is edited, deleted, reacted to or receipted.
        correlation_id: Our message id (UUID text), where the vendor echoes it.
        client_message_id: The sending client's own id (UUID text), on channels where the client is ours.
        receipt: For ``RECEIPT``.
        consent: For ``CONSENT``: ``"stop"`` or ``"start"``; a message may carry it too.
        auto_submitted: Sent by a machine: never answered automatically.
    """

    kind: ItemKind
    key: str
    occurred_at: datetime
    thread_key: str = ""
    direction: Direction = Direction.INBOUND
    sender: Identity | None = None
    external_id: str | None = None
    text: str = ""
    attachments: tuple[AttachmentRef, ...] = ()
    target_external_id: str | None = None
    correlation_id: str | None = None
    client_message_id: str | None = None
    receipt: Receipt | None = None
    consent: str | None = None
    auto_submitted: bool = False


class StreamItem(msgspec.Struct, frozen=True, kw_only=True):
    """
    A raw item on an ingress stream: routing facts, the dedupe key and the vendor's bytes.

    Attributes:
        workspace_id: Tenant.
        channel_account_id: Which connected instance, UUID text.
        channel: Kind, e.g. ``twilio_sms``; finds the connector whose ``parse`` reads ``body``.
        key: Dedupe key made by ``split``.
        body: The vendor's bytes as received, 64 KiB at most (larger ones travel by reference).
        received_at_ms: Our clock at the edge, milliseconds since 1970.
        trace: The W3C traceparent of the call it came in with; empty when that is not traced.
    """

    workspace_id: int
    channel_account_id: str
    channel: str
    key: str
    body: bytes
    received_at_ms: int
    trace: str = ""


class OutboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message a connector must send.

    Attributes:
        message_id: Ours; idempotency and correlation key, UUID text.
        to: The contact's identity on this channel account.
        thread_key: The vendor's thread.
        text: Plain text, not longer than the channel's limit.
        reply_to_external_id: The vendor's id of the newest inbound message, where threading needs it.
        author_is_human: False for AI and automations.
        attempt: 1 for the first try.
        attempted_at: When the newest try began, by our clock; tells ``reconcile`` where to look. None before any.
    """

    message_id: str
    to: Identity
    thread_key: str
    text: str
    reply_to_external_id: str | None = None
    author_is_human: bool = True
    attempt: int = 1
    attempted_at: datetime | None = None


class SendResult(msgspec.Struct, frozen=True):
    """
    A vendor took the message.

    Attributes:
        external_ids: The vendor's ids, one a part.
        status: ``SENT`` unless the vendor already says more.
    """

    external_ids: tuple[str, ...]
    status: DeliveryStatus = DeliveryStatus.SENT


def clean_text(text: str) -> str:
    """
    Make any text storable: NUL and lone surrogates become U+FFFD.

    Args:
        text: Text of any length, from outside.

    Returns:
        Text that Postgres and UTF-8 accept; right-to-left marks stay.

    Source:
        PostgreSQL 15 manual, section 8.3: the character with code zero cannot be stored.
    """
    replaced = text.replace("\x00", "�")
    if replaced.isascii():
        return replaced
    try:
        replaced.encode()
    except UnicodeEncodeError:
        # Pairs of surrogates become the character they stand for, single ones U+FFFD.
        return replaced.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return replaced
