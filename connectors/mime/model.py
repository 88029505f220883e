"""What the mail package is told and what it returns: frozen structs and its limits. No IO."""

from __future__ import annotations

from datetime import datetime

import msgspec

from hub.envelope import AttachmentRef

# A mail server takes 25-50 MB; what is larger is a mistake or an attack.
MAIL_LIMIT_BYTES = 64 * 1024 * 1024
TEXT_LIMIT_CHARS = 400_000
HTML_LIMIT_BYTES = 1024 * 1024
SUBJECT_LIMIT_CHARS = 1000
NAME_LIMIT_CHARS = 200
ADDRESS_LIMIT_CHARS = 320
ID_LIMIT_CHARS = 250


class MailContext(msgspec.Struct, frozen=True, kw_only=True):
    """
    What reading a mail may know besides its bytes.

    Attributes:
        addresses: The mailbox's own addresses and aliases; ours are recognised with any plus tag.
        signing_key: HMAC key of the channel account.
        workspace_id: Tenant; part of every signature.
        account_id: Channel account, UUID text; part of every signature.
        received_at: When it came, UTC; stands in for a broken date.
        key: Dedupe key of the raw item; used where a mail can be told by nothing else.
        trust_own_from: Whether a mail from one of our addresses is ours. False for folders strangers write to,
            where the From line proves nothing: then only our signed Message-ID makes it an echo.
    """

    addresses: tuple[str, ...]
    signing_key: bytes
    workspace_id: int
    account_id: str
    received_at: datetime
    key: str
    trust_own_from: bool = True


class MailSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    The sending side of a mailbox.

    Attributes:
        address: What stands in From, one addr-spec; its domain is the domain of our Message-IDs.
        name: Shown beside the address, may be empty.
        signing_key: HMAC key of the channel account.
        workspace_id: Tenant; part of every signature.
        account_id: Channel account, UUID text.
        date: For the Date header, aware. A retry of the same message passes the same one.
        plus_addressing: Whether answers may go to ``local+token@domain``; only where the server delivers such mail.
        body_marker: Whether the signed reference stands at the end of the text.
    """

    address: str
    signing_key: bytes
    workspace_id: int
    account_id: str
    date: datetime
    name: str = ""
    plus_addressing: bool = False
    body_marker: bool = True


class MailFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an outgoing mail with its bytes; ``inline_cid`` where the HTML shows it."""

    filename: str
    mime: str
    content: bytes
    inline_cid: str | None = None


class ComposedMail(msgspec.Struct, frozen=True, kw_only=True):
    """
    A mail ready for SMTP.

    Attributes:
        message_id: Without angle brackets; the vendor's id of the message.
        sender: For MAIL FROM.
        recipients: For RCPT TO: To, Cc and Bcc, each once.
        content: The whole message, ASCII, CRLF lines of at most 998 octets.
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a mail's parts say.

    Attributes:
        text: Readable text, whole.
        html: The HTML as sent, not sanitised; None where there is none or it is longer than 1 MiB.
        attachments: Files, in order.
        notes: Lines of ours about what cannot be read here.
    """

    text: str = ""
    html: str | None = None
    attachments: tuple[AttachmentRef, ...] = ()
    notes: tuple[str, ...] = ()
