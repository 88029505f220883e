"""Cuts notifications into hints, and reads fetched mails. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.mime.mailbox import own_addresses
from connectors.mime.model import MailContext
from connectors.mime.parse import parse_mail
from hub.envelope import InboundItem
from hub.errors import MalformedPayload, UnsupportedPayload

# Keys of raw items: what a notification said, and mails by the folder they were in.
NOTE: Final = "note:"
SENT: Final = "sent:"
INBOX: Final = "inbox:"
_CHANGES: Final = frozenset({"created", "updated", "deleted"})
_LIFECYCLE: Final = frozenset({"reauthorizationRequired", "subscriptionRemoved", "missed"})
_MESSAGE: Final = "#microsoft.graph.message"
_KEY_LIMIT_CHARS: Final = 300
# What deep nesting and broken text come to.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Resource(msgspec.Struct, frozen=True):
    """What changed."""

    id: str
    kind: str = msgspec.field(default="", name="@odata.type")
    etag: str = msgspec.field(default="", name="@odata.etag")


class Note(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One item of a notification, without its secret."""

    subscription_id: str
    subscription_expiration_date_time: str = ""
    change_type: str = ""
    lifecycle_event: str = ""
    resource_data: Resource | None = None

    @property
    def is_hint(self) -> bool:
        """Whether it says that there is something to fetch, or that the subscription needs us."""
        if self.lifecycle_event:
            return self.lifecycle_event in _LIFECYCLE
        of_mail = self.resource_data is not None and self.resource_data.kind.lower() in ("", _MESSAGE)
        return self.change_type in _CHANGES and of_mail


class _Call(msgspec.Struct, frozen=True):
    value: tuple[msgspec.Raw, ...]


_calls = msgspec.json.Decoder(_Call)
_notes = msgspec.json.Decoder(Note)


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Cut a notification into items; what is said twice in it is one.

    Args:
        request: Verified.

    Raises:
        MalformedPayload: This is no notification.
    """
    try:
        values = _calls.decode(request.body).value
    except UNREADABLE as error:
        raise MalformedPayload("no list of notifications") from error
    items: dict[str, RawItem] = {}
    for value in values:
        body, is_hint = _without_secret(bytes(value))
        key = NOTE + hashlib.sha256(body).hexdigest()
        items.setdefault(key, RawItem(key=key, body=body, hint=is_hint))
    return list(items.values())


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one mail, or a notification that was no hint.

    Args:
        body: RFC 5322 as fetched, or an item of a notification.
        context: Its key says which, and of a mail in which folder it was: only in Sent Items does the From line prove
            that it is ours.

    Raises:
        MalformedPayload: Neither.
        UnsupportedPayload: A notification of something we do not read, or a mail that asks for nothing.
    """
    if context.key.startswith(NOTE):
        if not read_note(body).is_hint:
            raise UnsupportedPayload("a notification of something else than mail")
        return ()
    return parse_mail(
        body,
        MailContext(
            addresses=own_addresses(context.settings),
            signing_key=context.signing_key,
            workspace_id=context.workspace_id,
            account_id=context.account_id,
            received_at=context.received_at,
            key=context.key,
            trust_own_from=context.key.startswith(SENT),
        ),
    )


def read_note(body: bytes) -> Note:
    """Read an item of a notification; ``MalformedPayload`` where it is none."""
    try:
        return _notes.decode(body)
    except UNREADABLE as error:
        raise MalformedPayload("no notification") from error


def mail_key(prefix: str, message_id: str) -> str:
    """Return the dedupe key of a mail in a folder; Graph's ids have no length one could rely on."""
    key = prefix + message_id
    if len(key) <= _KEY_LIMIT_CHARS:
        return key
    return prefix + hashlib.sha256(message_id.encode("utf-8", "replace")).hexdigest()


def _without_secret(value: bytes) -> tuple[bytes, bool]:
    """Return what is kept of an item, and whether it is a hint."""
    try:
        note = _notes.decode(value)
    except UNREADABLE:
        return _stripped(value), False
    if note.is_hint:
        return msgspec.json.encode(note), True
    return _stripped(value), False


def _stripped(value: bytes) -> bytes:
    try:
        fields = msgspec.json.decode(value, type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return b"{}"
    fields.pop("clientState", None)
    return msgspec.json.encode(fields)
