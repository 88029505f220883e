"""
What we ask of ``POST /{phone_number_id}/messages``, as structs. Pure.

Source: Meta's OpenAPI description of the WhatsApp Business Messaging API, version 23; ``recipient`` for business-scoped
ids by its page of May 2026.
"""

from __future__ import annotations

import msgspec


class Context(msgspec.Struct, frozen=True):
    message_id: str


class Text(msgspec.Struct, frozen=True):
    body: str
    preview_url: bool


class File(msgspec.Struct, frozen=True, omit_defaults=True):
    id: str
    caption: str = ""
    filename: str = ""


class Reaction(msgspec.Struct, frozen=True):
    """No emoji takes it back."""

    message_id: str
    emoji: str


class Language(msgspec.Struct, frozen=True):
    code: str
    policy: str = "deterministic"


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    type: str
    text: str
    parameter_name: str = ""


class Component(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    type: str
    parameters: tuple[Parameter, ...]
    sub_type: str = ""
    index: str = ""


class Template(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    language: Language
    components: tuple[Component, ...] = ()


class Message(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One message: ``to`` a number or ``recipient`` a business-scoped id, and the part its ``type`` names."""

    messaging_product: str
    recipient_type: str
    type: str
    to: str = ""
    recipient: str = ""
    context: Context | None = None
    biz_opaque_callback_data: str = ""
    text: Text | None = None
    image: File | None = None
    video: File | None = None
    audio: File | None = None
    document: File | None = None
    reaction: Reaction | None = None
    template: Template | None = None


class Read(msgspec.Struct, frozen=True):
    """Says that a message was read, and with it all before it."""

    message_id: str
    messaging_product: str = "whatsapp"
    status: str = "read"
