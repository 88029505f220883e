"""Makes the activities of one message, and says what they take from the rate buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Act, Call, Charge, Limit
from connectors.teams.places import activity_of
from hub.envelope import OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SEND: Final = "activities"
TEXT_LIMIT_CHARS: Final = 20_000


class Picture(msgspec.Struct, frozen=True, rename="camel"):
    content_type: str
    content_url: str
    name: str


class Activity(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """``POST …/activities``; ``type`` is always written."""

    type: str | None = None
    text: str = ""
    text_format: str = ""
    reply_to_id: str = ""
    attachments: tuple[Picture, ...] = ()


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:  # noqa: ARG001  the shape all channels share
    """
    Make the request that sends a message: its text with its pictures.

    Args:
        message: At most 20,000 characters; files are pictures with an address.
        account: Whose bot sends.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long text, or a file Teams could not fetch; ``RECIPIENT``.
    """
    if not message.text.strip() and not message.attachments:
        raise _refused(ErrorClass.CONTENT, "empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; Teams takes {TEXT_LIMIT_CHARS:,}."
        raise _refused(ErrorClass.CONTENT, "too_long", words)
    if message.to.scheme != "teams":
        raise _refused(ErrorClass.RECIPIENT, "recipient", "This is nobody on Teams.")
    activity = Activity(
        type="message",
        text=message.text,
        text_format="plain" if message.text else "",
        reply_to_id=activity_of(message.quoted_external_id) if message.quoted_external_id else "",
        attachments=tuple(_picture(one) for one in message.attachments),
    )
    return [Call(operation=SEND, fields={"body": msgspec.json.encode(activity).decode()})]


def render_edit(wanted: Act) -> bytes:
    """Make the activity that takes the place of one that was sent."""
    return msgspec.json.encode(Activity(type="message", text=wanted.text, text_format="plain"))


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:
    """
    Say what a message takes: of what one conversation and one tenant are sent.

    Args:
        account: Whose bot sends.
        message: What is sent.
        limits: The manifest's, by name.
    """
    app = account.credentials.get("client_id", "")
    return (
        Charge(key=thread_bucket(account, message.thread_key), limits=limits["thread"]),
        Charge(key=f"teams:tenant:{app}:{account.settings.get('tenant_id', '')}", limits=limits["tenant"]),
    )


def thread_bucket(account: Account, thread_key: str) -> str:
    """Return the key of the bucket of one conversation."""
    return f"teams:thread:{account.credentials.get('client_id', '')}:{thread_key}"


def _picture(file: OutboundAttachment) -> Picture:
    if file.kind != "image":
        raise _refused(ErrorClass.CONTENT, "kind", f"A bot can send pictures only; {file.filename} is none.")
    if not file.url:
        words = "Teams fetches pictures from us: that needs a public address (HUB_PUBLIC_URL)."
        raise _refused(ErrorClass.CONTENT, "no_address", words)
    return Picture(file.mime, file.url, file.filename)


def _refused(klass: ErrorClass, code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(klass, code, words))
