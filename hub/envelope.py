"""
What connectors and the hub exchange: frozen structs, no IO, no vendor's words.

Connectors make them (``split``, ``parse``) and take them (``render``, ``send``); ``connectors/intake.py`` and
``connectors/dispatch.py`` carry them to and from the store. Vendors send *items*; the hub's own log has *events*.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

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


class Party(msgspec.Struct, frozen=True):
    """Somebody a message came from or goes to; ``name`` may be empty."""

    name: str
    address: str


class Addressing(msgspec.Struct, frozen=True):
    """Subject and people a member chose for a message, on channels that have them; None and empty: as the hub would."""

    subject: str | None = None
    to: tuple[Party, ...] = ()
    cc: tuple[Party, ...] = ()
    bcc: tuple[Party, ...] = ()


class AttachmentRef(msgspec.Struct, frozen=True):
    """
    A file at a vendor, fetched later by the connector.

    Attributes:
        ref: Where, opaque to the hub.
        kind: ``image``, ``audio``, ``video`` or ``file``, as declared; the hub looks at the bytes itself.
        filename: As declared, without a path.
        mime: As declared.
        size_bytes: As declared.
        inline_cid: For pictures inside an HTML text: the Content-ID that the text names, without brackets.
    """

    ref: str
    kind: str
    filename: str | None = None
    mime: str | None = None
    size_bytes: int | None = None
    inline_cid: str | None = None


class ThreadHints(msgspec.Struct, frozen=True, kw_only=True):
    """
    Which conversation an item may belong to, on channels where the vendor has no threads of its own (mail).

    The store believes none of them alone: workspace, channel account and participants must fit too.

    Attributes:
        root: ``thread_key`` of the conversation it opens when it belongs to none, 1-320 characters.
        conversation_ids: Ids of conversations (UUID text) that our own signature proves, best first.
        references: Vendor's ids of earlier messages, newest first.
        subject: Normalised subject, only where the text says it is a reply or a forward; else empty.
    """

    root: str
    conversation_ids: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    subject: str = ""


class Receipt(msgspec.Struct, frozen=True):
    """A vendor's word on a message we sent."""

    status: DeliveryStatus
    error: ConnectorErrorInfo | None = None


class CallState(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a telephone call stands, as one of the vendor's words or all of them joined say it.

    Attributes:
        outcome: ``asked``: by a member, nothing is known yet; ``waiting``: until a member is
            free; ``missed``: nobody took it (so far); ``failed``: it could
            not be made.
        member: Whose telephone rings, or who spoke, by name; empty while nobody's.
        answered_at: When the two were put through.
        ended_at: When it was over.
        talk_s: How long they spoke.
    """

    outcome: Literal["asked", "ringing", "waiting", "answered", "missed", "failed"]
    member: str = ""
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_s: int | None = None


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
        subject: On channels that have one.
        html: The formatted text as it came, NOT sanitised, at most 1 MiB.
        quoted: What ``text`` quoted from earlier messages, cut from it; shown folded.
        to: Whom it was addressed to, ourselves included.
        cc: Who got a copy.
        thread: On channels without threads of their own: where it may belong.
        attachments: Files to fetch.
        target_external_id: The message that is edited, deleted, reacted to or receipted.
        reply_to_external_id: For ``MESSAGE``: the one it answers, shown as a quote.
        reaction: For ``REACTION``: the emoji, in Unicode where the vendor gives a name and we know it.
        removed: For ``REACTION``: taken back; with no emoji, all of this sender's.
        revision: For ``EDIT``: orders the edits of one message; 0 means by ``occurred_at``.
        watermark: For ``RECEIPT`` without a target: everything we sent in this thread up to then.
        unreadable: For ``MESSAGE``: why there is no text, in words, e.g. "Encrypted message: open it in X."
        correlation_id: Our message id (UUID text), where the vendor echoes it.
        client_message_id: The sending client's own id (UUID text), on channels where the client is ours.
        receipt: For ``RECEIPT``.
        consent: For ``CONSENT``: ``"stop"`` or ``"start"``; a message may carry it too.
        auto_submitted: Sent by a machine: never answered automatically.
        opens_window: For ``MESSAGE``: whether the channel lets us answer freely because of it.
        window_expires_at: Until when, where the vendor says so; else the channel's ``window_s`` after ``occurred_at``.
        call: For ``MESSAGE``: it is a telephone call; for ``EDIT`` of one: how it stands, joined to what is known.
    """

    kind: ItemKind
    key: str
    occurred_at: datetime
    thread_key: str = ""
    direction: Direction = Direction.INBOUND
    sender: Identity | None = None
    external_id: str | None = None
    text: str = ""
    subject: str = ""
    html: str | None = None
    quoted: str = ""
    to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    thread: ThreadHints | None = None
    attachments: tuple[AttachmentRef, ...] = ()
    target_external_id: str | None = None
    correlation_id: str | None = None
    client_message_id: str | None = None
    receipt: Receipt | None = None
    consent: str | None = None
    auto_submitted: bool = False
    reply_to_external_id: str | None = None
    reaction: str = ""
    removed: bool = False
    revision: int = 0
    watermark: datetime | None = None
    unreadable: str = ""
    opens_window: bool = True
    window_expires_at: datetime | None = None
    call: CallState | None = None


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
        reference: Id (UUID text) of the ``raw_item`` row that holds the bytes; ``body`` is empty then.
        trace: The W3C traceparent of the call it came in with; empty when that is not traced.
        hint: The vendor only said that there is something: ``expand`` fetches it.
        historical: From before the account was connected: told to nobody, unread by nobody.
    """

    workspace_id: int
    channel_account_id: str
    channel: str
    key: str
    body: bytes
    received_at_ms: int
    reference: str = ""
    trace: str = ""
    hint: bool = False
    historical: bool = False


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """
    A text the vendor approved, the only kind it takes once a window has closed.

    Attributes:
        name: The vendor's name of it.
        language: As the vendor writes it, e.g. ``de`` or ``en_US``.
        text: With each variable as ``{{name}}``.
        variables: Their names, in the order they are asked for.
        id: Where the vendor sends by id, not by name.
        status: ``approved`` where it may be sent.
    """

    name: str
    language: str
    text: str
    variables: tuple[str, ...] = ()
    id: str = ""
    status: str = "approved"


class TemplateUse(msgspec.Struct, frozen=True, kw_only=True):
    """A template with what a member put into it; ``variables`` has a text for each of the template's."""

    name: str
    language: str
    id: str = ""
    variables: Mapping[str, str] = {}


class OutboundAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """
    A file to send, its bytes checked and stored; ``Account.read_file`` gives them.

    Attributes:
        id: UUID text.
        kind: ``image``, ``audio``, ``video`` or ``file``, by what the bytes are.
        filename: Without a path or control characters.
        mime: By what the bytes are.
        url: Signed address a vendor may fetch it from for some hours; empty where we have no public address.
        inline_cid: Set for pictures that belong into the HTML text.
    """

    id: str
    kind: str
    filename: str
    mime: str
    size_bytes: int
    url: str = ""
    inline_cid: str | None = None


class OutboundMessage(msgspec.Struct, frozen=True, kw_only=True):
    """
    One message a connector must send.

    Attributes:
        message_id: Ours; idempotency and correlation key, UUID text.
        to: The contact's identity on this channel account.
        thread_key: The vendor's thread.
        text: Plain text, not longer than the channel's limit.
        reply_to_external_id: The vendor's id of the newest inbound message, where threading needs it.
        quoted_external_id: The vendor's id of the message its author chose to answer; None where they chose none.
        conversation_id: Where it belongs, UUID text; channels without threads of their own sign it into the message.
        subject: On channels that have one.
        also_to: Who else it is addressed to, on channels where that can be several.
        cc: Who gets a copy.
        bcc: Who gets a copy unseen by the others.
        references: Vendor's ids of the messages it follows, oldest first.
        quoted: Text of the message it answers, quoted below.
        attachments: Files to send with it.
        author_is_human: False for AI and automations.
        author_name: Of the member who wrote it; empty for everything else.
        author_avatar: Their picture is at ``/avatars/{author_avatar}``; empty where there is none.
        template: Set where it is sent as a template; ``text`` is then how it reads.
        window_expires_at: Until when the channel takes free text in this conversation; None where it has no windows.
        attempt: 1 for the first try.
        attempted_at: When the newest try began, by our clock; tells ``reconcile`` where to look. None before any.
    """

    message_id: str
    to: Identity
    thread_key: str
    text: str
    reply_to_external_id: str | None = None
    quoted_external_id: str | None = None
    conversation_id: str = ""
    subject: str = ""
    also_to: tuple[Identity, ...] = ()
    cc: tuple[Identity, ...] = ()
    bcc: tuple[Identity, ...] = ()
    references: tuple[str, ...] = ()
    quoted: str = ""
    attachments: tuple[OutboundAttachment, ...] = ()
    author_is_human: bool = True
    author_name: str = ""
    author_avatar: str = ""
    template: TemplateUse | None = None
    window_expires_at: datetime | None = None
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
