"""Makes the calls of one message, and says what they take from the rate buckets. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Act, Call, Charge, Limit
from connectors.whatsapp_cloud import outgoing
from connectors.whatsapp_cloud.templates import components_of
from hub.envelope import Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SEND: Final = "messages"
UPLOAD: Final = "media"
TEXT_LIMIT_CHARS: Final = 4096
CAPTION_LIMIT_CHARS: Final = 1024
# Stands in a rendered call until the file is uploaded; ids of Meta's are digits.
FILE_PLACE: Final = "uploaded-file"
# What goes as a picture, a film or a sound, and up to which size; everything else, and larger ones, as a document.
# Source: developers.facebook.com/documentation/business-messaging/whatsapp, page Media of December 2025.
_SHOWN: Final = {
    "image": (frozenset({"image/jpeg", "image/png"}), 5 * 1024 * 1024),
    "video": (frozenset({"video/mp4", "video/3gpp"}), 16 * 1024 * 1024),
    "audio": (frozenset({"audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"}), 16 * 1024 * 1024),
}
_DOCUMENT_LIMIT_BYTES: Final = 100 * 1024 * 1024
_LINK: Final = re.compile(r"https?://")
_PHONE: Final = re.compile(r"\+[0-9]{5,17}")


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:
    """
    Make the requests that send a message: one for a text or template, one for each file.

    Args:
        message: At most 4,096 characters; a short text goes as the first file's caption.
        account: Whose number sends.

    Returns:
        Calls in order; those that upload a file name it by its id.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long text or a file WhatsApp refuses, ``RECIPIENT`` for somebody
            who is not on WhatsApp.
    """
    if not message.text.strip() and not message.attachments and message.template is None:
        raise _content("empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS and message.template is None:
        words = f"The text has {len(message.text):,} characters; WhatsApp takes {TEXT_LIMIT_CHARS:,}."
        raise _content("too_long", words)
    first = _blank(message)
    if message.template is not None:
        return [_call(account, _template(message, first))]
    later = msgspec.structs.replace(first, context=None)
    text, calls = message.text, list[Call]()
    if text.strip() and (not message.attachments or not _takes_caption(message)):
        body = outgoing.Text(text, _LINK.search(text) is not None)
        calls.append(_call(account, msgspec.structs.replace(first, type="text", text=body)))
        first, text = later, ""
    for one in message.attachments:
        calls.append(_upload(account, first, one, text.strip()))
        first, text = later, ""
    return calls


def render_act(wanted: Act) -> bytes:
    """Make the body of a reaction, of one taken back, or of "read"."""
    if wanted.kind == "mark_read":
        return msgspec.json.encode(outgoing.Read(wanted.external_id))
    number, scoped = _recipient(wanted.to)
    body = outgoing.Message(
        messaging_product="whatsapp",
        recipient_type="individual",
        to=number,
        recipient=scoped,
        type="reaction",
        reaction=outgoing.Reaction(wanted.external_id, wanted.emoji if wanted.kind == "react" else ""),
    )
    return msgspec.json.encode(body)


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:
    """
    Say what a message takes: of the number's rate, and of what one person may be sent.

    Args:
        account: Its ``messages_per_second`` stands before the manifest's rate.
        message: What is sent.
        limits: The manifest's, by name.
    """
    number = limits["number"]
    if (rate := account.settings.get("messages_per_second", "")).isdigit() and int(rate) > 0:
        number = (Limit(float(rate), 1.0, int(rate)),)
    alone = 1 if message.attachments and message.text.strip() and not _takes_caption(message) else 0
    cost = float(max(1, len(message.attachments) + alone))
    return (
        Charge(key=number_bucket(account), limits=number, cost=cost),
        Charge(key=pair_bucket(account, message.to), limits=limits["pair"], cost=cost),
    )


def number_bucket(account: Account) -> str:
    """Return the key of the bucket of our number."""
    return f"whatsapp:number:{account.settings.get('phone_number_id', '')}"


def pair_bucket(account: Account, to: Identity) -> str:
    """Return the key of the bucket of one person at our number."""
    return f"whatsapp:pair:{account.settings.get('phone_number_id', '')}:{to.value}"


def _blank(message: OutboundMessage) -> outgoing.Message:
    number, scoped = _recipient(message.to)
    return outgoing.Message(
        messaging_product="whatsapp",
        recipient_type="individual",
        to=number,
        recipient=scoped,
        type="text",
        context=outgoing.Context(message.quoted_external_id) if message.quoted_external_id else None,
        biz_opaque_callback_data=message.message_id,
    )


def _recipient(to: Identity) -> tuple[str, str]:
    """Return the number, or the business-scoped id, of whom it goes to; the other one is empty."""
    if to.scheme == "bsuid":
        return "", to.value
    if to.scheme == "phone" and _PHONE.fullmatch(to.value):
        return to.value.removeprefix("+"), ""
    raise ConnectorError(ConnectorErrorInfo(ErrorClass.RECIPIENT, "recipient", "This is nobody on WhatsApp."))


def _template(message: OutboundMessage, blank: outgoing.Message) -> outgoing.Message:
    if message.template is None or message.attachments:
        raise _content("template_files", "A template is sent without files.")
    used = message.template
    body = outgoing.Template(used.name, outgoing.Language(used.language), components_of(used.variables))
    return msgspec.structs.replace(blank, type="template", template=body)


def _upload(account: Account, blank: outgoing.Message, file: OutboundAttachment, caption: str) -> Call:
    if file.size_bytes > _DOCUMENT_LIMIT_BYTES:
        raise _content("131053", f"{file.filename} is larger than the 100 MB WhatsApp takes.")
    kind = _kind_of(file)
    name = file.filename if kind == "document" else ""
    body = outgoing.File(FILE_PLACE, "" if kind == "audio" else caption, name)
    call = _call(account, msgspec.structs.replace(blank, type=kind, **{kind: body}))
    return Call(operation=UPLOAD, fields={**call.fields, "file": file.id, "filename": file.filename, "mime": file.mime})


def _takes_caption(message: OutboundMessage) -> bool:
    return len(message.text) <= CAPTION_LIMIT_CHARS and _kind_of(message.attachments[0]) != "audio"


def _kind_of(file: OutboundAttachment) -> str:
    for kind, (mimes, limit_bytes) in _SHOWN.items():
        if file.mime in mimes and file.size_bytes <= limit_bytes:
            return kind
    return "document"


def _call(account: Account, message: outgoing.Message) -> Call:
    number = account.settings.get("phone_number_id", "")
    return Call(operation=SEND, fields={"number": number, "body": msgspec.json.encode(message).decode()})


def _content(code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, code, words))
