"""
Meta's webhook payloads for WhatsApp, as far as we read them; fields we do not name are ignored. Pure.

Source: developers.facebook.com/documentation/business-messaging/whatsapp (webhooks, business-scoped user ids), as noted
in the reference, read 2026-11-23.
"""

from __future__ import annotations

import msgspec

Number = int | float | str


class Metadata(msgspec.Struct, frozen=True):
    phone_number_id: str = ""
    display_phone_number: str = ""


class Profile(msgspec.Struct, frozen=True):
    name: str | None = None
    username: str | None = None


class Contact(msgspec.Struct, frozen=True):
    """Who wrote: ``wa_id`` is a number without ``+`` and may be missing; ``user_id`` is business-scoped."""

    profile: Profile = Profile()
    wa_id: str | None = None
    user_id: str | None = None


class Text(msgspec.Struct, frozen=True):
    body: str


class Media(msgspec.Struct, frozen=True):
    id: str
    mime_type: str = ""
    caption: str | None = None
    filename: str | None = None


class Location(msgspec.Struct, frozen=True):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class SharedName(msgspec.Struct, frozen=True):
    formatted_name: str = ""


class SharedPhone(msgspec.Struct, frozen=True):
    phone: str = ""


class SharedEmail(msgspec.Struct, frozen=True):
    email: str = ""


class SharedOrganisation(msgspec.Struct, frozen=True):
    company: str = ""


class SharedContact(msgspec.Struct, frozen=True):
    name: SharedName = SharedName()
    phones: tuple[SharedPhone, ...] = ()
    emails: tuple[SharedEmail, ...] = ()
    org: SharedOrganisation = SharedOrganisation()


class Chosen(msgspec.Struct, frozen=True):
    title: str = ""
    description: str = ""


class FormAnswer(msgspec.Struct, frozen=True):
    body: str = ""


class Interactive(msgspec.Struct, frozen=True):
    type: str = ""
    button_reply: Chosen | None = None
    list_reply: Chosen | None = None
    nfm_reply: FormAnswer | None = None


class Button(msgspec.Struct, frozen=True):
    text: str


class Product(msgspec.Struct, frozen=True):
    product_retailer_id: str = ""
    quantity: Number = 1
    item_price: Number = ""
    currency: str = ""


class Order(msgspec.Struct, frozen=True):
    text: str = ""
    product_items: tuple[Product, ...] = ()


class System(msgspec.Struct, frozen=True):
    """Somebody changed their number or their id; which field is the new one differs by version."""

    type: str = ""
    body: str = ""
    wa_id: str | None = None
    new_wa_id: str | None = None
    user_id: str | None = None


class Reaction(msgspec.Struct, frozen=True):
    """Taken back, it has no emoji."""

    message_id: str
    emoji: str = ""


class Edit(msgspec.Struct, frozen=True):
    original_message_id: str
    message: msgspec.Raw


class Revoke(msgspec.Struct, frozen=True):
    original_message_id: str


class Context(msgspec.Struct, frozen=True):
    id: str | None = None


class Referral(msgspec.Struct, frozen=True):
    """The advertisement somebody tapped before they wrote."""

    headline: str | None = None
    body: str | None = None
    source_url: str | None = None


class Message(msgspec.Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """One of ``messages`` or ``message_echoes``; only the field named by ``type`` is there."""

    id: str
    type: str
    timestamp: str
    sender: str | None = None
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    group_id: str | None = None
    context: Context | None = None
    referral: Referral | None = None
    text: Text | None = None
    image: Media | None = None
    video: Media | None = None
    audio: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    location: Location | None = None
    contacts: tuple[SharedContact, ...] = ()
    interactive: Interactive | None = None
    button: Button | None = None
    order: Order | None = None
    system: System | None = None
    reaction: Reaction | None = None
    edit: Edit | None = None
    revoke: Revoke | None = None


class Error(msgspec.Struct, frozen=True):
    code: int = 0


class Status(msgspec.Struct, frozen=True):
    id: str
    status: str
    timestamp: str
    recipient_id: str | None = None
    recipient_user_id: str | None = None
    biz_opaque_callback_data: str | None = None
    errors: tuple[Error, ...] = ()


class Value(msgspec.Struct, frozen=True):
    """What a change holds, each part still as it came."""

    metadata: Metadata = Metadata()
    contacts: msgspec.Raw = msgspec.Raw(b"[]")
    messages: tuple[msgspec.Raw, ...] = ()
    statuses: tuple[msgspec.Raw, ...] = ()
    message_echoes: tuple[msgspec.Raw, ...] = ()


class Change(msgspec.Struct, frozen=True):
    field: str
    value: msgspec.Raw


class Entry(msgspec.Struct, frozen=True):
    changes: tuple[Change, ...]


class Call(msgspec.Struct, frozen=True):
    object: str
    entry: tuple[Entry, ...]
