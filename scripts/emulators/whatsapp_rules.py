"""
What WhatsApp takes and refuses: strict structs of requests, and its rules about them. Used by the emulator.

Source: Meta's OpenAPI description of the WhatsApp Business Messaging API, version 23, and its table of error codes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

MIMES = frozenset(
    {
        *("image/jpeg", "image/png", "image/webp", "video/mp4", "video/3gpp"),
        *("audio/aac", "audio/amr", "audio/mpeg", "audio/mp4", "audio/ogg"),
        *("text/plain", "application/pdf", "application/msword", "application/vnd.ms-excel", "application/zip"),
    }
)
_PLACE = re.compile(r"\{\{\w+\}\}")
_PARTS = ("text", "image", "video", "audio", "document", "reaction", "template")


class Wrong(Exception):
    """A request WhatsApp refuses, by its code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    appsecret_proof: str = ""


class Fields(Proof, forbid_unknown_fields=True):
    fields: str = ""


class OfNumber(Proof, forbid_unknown_fields=True):
    phone_number_id: str = ""


class Listing(Proof, forbid_unknown_fields=True):
    fields: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=250)] = 25
    after: str = ""


class Context(msgspec.Struct, forbid_unknown_fields=True):
    message_id: str


class Text(msgspec.Struct, forbid_unknown_fields=True):
    body: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    preview_url: bool = False


class Picture(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    caption: Annotated[str, msgspec.Meta(max_length=1024)] = ""


class Sound(msgspec.Struct, forbid_unknown_fields=True):
    id: str


class Document(Picture, forbid_unknown_fields=True):
    filename: str = ""


class Reaction(msgspec.Struct, forbid_unknown_fields=True):
    message_id: str
    emoji: str


class Language(msgspec.Struct, forbid_unknown_fields=True):
    code: str
    policy: Literal["deterministic"]


class Parameter(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["text"]
    text: Annotated[str, msgspec.Meta(min_length=1)]
    parameter_name: str = ""


class Component(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["header", "body", "button"]
    parameters: list[Parameter]
    sub_type: Literal["", "url"] = ""
    index: str = ""


class Template(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    language: Language
    components: list[Component] = []


class Typing(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["text"]


class Outgoing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A message, or "read"."""

    messaging_product: Literal["whatsapp"]
    recipient_type: Literal["individual"] = "individual"
    type: str = ""
    to: str = ""
    recipient: str = ""
    context: Context | None = None
    biz_opaque_callback_data: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    text: Text | None = None
    image: Picture | None = None
    video: Picture | None = None
    audio: Sound | None = None
    document: Document | None = None
    reaction: Reaction | None = None
    template: Template | None = None
    status: Literal["", "read"] = ""
    message_id: str = ""
    typing_indicator: Typing | None = None


def check_outgoing(
    body: Outgoing, files: Collection[str], templates: Sequence[Mapping[str, Any]], closed: Collection[str]
) -> None:
    """
    Hold a request to the rules its structs cannot say.

    Raises:
        Wrong: It breaks one.
    """
    named = [part for part in _PARTS if getattr(body, part) is not None]
    if body.status:
        if named or body.type or body.to or body.recipient or not body.message_id:
            raise Wrong(100, "A read receipt holds a message id alone")
        return
    if body.message_id or body.typing_indicator is not None:
        raise Wrong(100, "Unexpected key on a message")
    if bool(body.to) == bool(body.recipient):
        raise Wrong(131008, "Required parameter is missing: one of to, recipient")
    if body.to and not re.fullmatch(r"\d{5,17}", body.to):
        raise Wrong(131009, "Parameter value is not valid: to")
    if named != [body.type]:
        raise Wrong(131008, f"Required parameter is missing or one too many: {named} of type {body.type!r}")
    if (body.to or body.recipient) in closed and body.template is None:
        raise Wrong(131047, "Re-engagement message")
    if body.text is not None and not body.text.body.strip():
        raise Wrong(131009, "Parameter value is not valid: text body is blank")
    file = body.image or body.video or body.audio or body.document
    if file is not None and file.id not in files:
        raise Wrong(131009, "Parameter value is not valid: there is no such media id")
    if body.template is not None:
        _check_template(body.template, templates)


def _check_template(used: Template, templates: Sequence[Mapping[str, Any]]) -> None:
    found = [one for one in templates if (one["name"], one["language"]) == (used.name, used.language.code)]
    if not found or found[0]["status"] != "APPROVED":
        raise Wrong(132001, "Template name does not exist in the translation")
    wanted = {
        part["type"].lower(): len(set(_PLACE.findall(part.get("text", ""))))
        for part in found[0]["components"]
        if _PLACE.search(part.get("text", ""))
    }
    given = {one.type: len(one.parameters) for one in used.components if one.type != "button"}
    if wanted != given:
        raise Wrong(132000, "Number of parameters does not match the expected number of params")
