"""Cuts notifications into hints, and reads fetched mails. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.base import ParseContext, RawItem, WebhookRequest
from connectors.mime.mailbox import own_addresses
from connectors.mime.model import MailContext
from connectors.mime.parse import parse_mail
from connectors.payloads import read
from hub.envelope import InboundItem, clean_text
from hub.errors import MalformedPayload, UnsupportedPayload

# Keys of raw items: what a notification said, and mails by whether they are ours.
NOTE: Final = "note:"
SENT: Final = "sent:"
INBOX: Final = "inbox:"
_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,200}")
_ADDRESS_CHARS: Final = 320


class _Message(msgspec.Struct, frozen=True, rename="camel"):
    data: str = ""
    message_id: str = ""


class Push(msgspec.Struct, frozen=True):
    """A call of Pub/Sub's."""

    message: _Message
    subscription: str = ""


class Note(msgspec.Struct, frozen=True, rename="camel"):
    """What Gmail publishes; ``historyId`` comes as a number or as text, and is no cursor."""

    email_address: str
    history_id: int | str


def split(request: WebhookRequest) -> Sequence[RawItem]:
    """
    Read whose mailbox a call speaks of.

    Args:
        request: Verified.

    Returns:
        One hint, for the account of that mailbox: one subscription serves all mailboxes of a project.

    Raises:
        MalformedPayload: Not a message of Pub/Sub's.
    """
    push = read(request.body, Push)
    told = push.message.message_id
    key = told if _ID.fullmatch(told) else hashlib.sha256(request.body).hexdigest()
    try:
        note = read_note(request.body)
    except (MalformedPayload, UnsupportedPayload):
        return [RawItem(key=NOTE + key, body=request.body)]
    address = clean_text(note.email_address).strip().lower()[:_ADDRESS_CHARS]
    return [RawItem(key=NOTE + key, body=request.body, account_ref=address, hint=True)]


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:
    """
    Read one mail, or a notification that was no hint.

    Args:
        body: RFC 5322 as fetched, or a call of Pub/Sub's.
        context: Its key says which, and of a mail whether Gmail filed it under Sent: only then does the From line
            prove that it is ours.

    Raises:
        MalformedPayload: Neither.
        UnsupportedPayload: A message of the topic that Gmail did not publish, or a mail that asks for nothing.
    """
    if context.key.startswith(NOTE):
        read_note(body)
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
    """
    Read what Gmail published.

    Raises:
        MalformedPayload: Not a call of Pub/Sub's.
        UnsupportedPayload: Something else was published to the topic.
    """
    push = read(body, Push)
    text = push.message.data
    try:
        data = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
        return read(data, Note)
    except (binascii.Error, ValueError, MalformedPayload) as error:
        raise UnsupportedPayload("a message of the topic that is not Gmail's") from error
