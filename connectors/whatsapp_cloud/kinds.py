"""What each kind of WhatsApp message says: its text and files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from connectors.whatsapp_cloud.shapes import Message
from hub.envelope import AttachmentRef, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

_MEDIA: Final = {"image": "image", "video": "video", "audio": "audio", "document": "file", "sticker": "image"}
_NOT_SHOWN: Final = "WhatsApp does not hand this kind of message on. Ask the sender to send it another way."
_REF_CHARS: Final = 200
_MAP: Final = "https://www.google.com/maps?q="


class Content(msgspec.Struct, frozen=True):
    """What a message says; ``quoted`` is the advertisement it came from."""

    text: str = ""
    attachments: tuple[AttachmentRef, ...] = ()
    unreadable: str = ""
    quoted: str = ""


def read_content(message: Message) -> Content:
    """
    Say what a message says.

    Raises:
        MalformedPayload: The part its type names is missing.
        UnsupportedPayload: A type we do not know.
    """
    reader = _READERS.get(message.type)
    if reader is None:
        raise UnsupportedPayload("a kind of message we do not know")
    return msgspec.structs.replace(reader(message), quoted=_advertisement(message))


def _text(message: Message) -> Content:
    if message.text is None:
        raise _missing(message)
    return Content(clean_text(message.text.body))


def _media(message: Message) -> Content:
    found = {
        "image": message.image,
        "video": message.video,
        "audio": message.audio,
        "document": message.document,
        "sticker": message.sticker,
    }[message.type]
    if found is None or not 0 < len(found.id) <= _REF_CHARS:
        raise _missing(message)
    name = clean_text(found.filename or "").replace("\\", "/").rpartition("/")[2][:200]
    # "audio/ogg; codecs=opus": the parameter is no part of the type.
    mime = clean_text(found.mime_type).partition(";")[0].strip()[:100]
    ref = AttachmentRef(ref=clean_text(found.id), kind=_MEDIA[message.type], filename=name or None, mime=mime or None)
    return Content(clean_text(found.caption or ""), (ref,))


def _location(message: Message) -> Content:
    if message.location is None:
        raise _missing(message)
    place = message.location
    lines = [place.name or "", place.address or "", f"{_MAP}{place.latitude},{place.longitude}"]
    return Content(clean_text("\n".join(line for line in lines if line)))


def _contacts(message: Message) -> Content:
    if not message.contacts:
        raise _missing(message)
    cards = [
        "\n".join(
            line
            for line in (
                one.name.formatted_name,
                one.org.company,
                *(phone.phone for phone in one.phones),
                *(email.email for email in one.emails),
            )
            if line
        )
        for one in message.contacts
    ]
    return Content(clean_text("\n\n".join(cards)) or "A contact without a name")


def _interactive(message: Message) -> Content:
    if message.interactive is None:
        raise _missing(message)
    answer = message.interactive
    if chosen := answer.button_reply or answer.list_reply:
        return Content(clean_text("\n".join(line for line in (chosen.title, chosen.description) if line)))
    if answer.nfm_reply is not None:
        return Content(clean_text(answer.nfm_reply.body) or "Filled in a form")
    raise UnsupportedPayload("an answer to a menu of a kind we do not know")


def _button(message: Message) -> Content:
    if message.button is None:
        raise _missing(message)
    return Content(clean_text(message.button.text))


def _order(message: Message) -> Content:
    if message.order is None:
        raise _missing(message)
    lines = [message.order.text] if message.order.text else []
    for one in message.order.product_items:
        price = f", {one.item_price} {one.currency}".rstrip() if one.item_price != "" else ""
        lines.append(f"{one.quantity} × {one.product_retailer_id}{price}")
    return Content(clean_text("\n".join(lines)) or "An empty order")


def _unsupported(_message: Message) -> Content:
    return Content(unreadable=_NOT_SHOWN)


def _advertisement(message: Message) -> str:
    found = message.referral
    return "" if found is None else clean_text("\n".join(filter(None, (found.headline, found.body, found.source_url))))


def _missing(message: Message) -> MalformedPayload:
    return MalformedPayload("a message without what its type names", field=clean_text(message.type)[:50])


_READERS: Final[Mapping[str, Callable[[Message], Content]]] = {
    "text": _text,
    **dict.fromkeys(_MEDIA, _media),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "unsupported": _unsupported,
}
