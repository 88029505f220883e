"""Makes the one call of a message, and says what it takes from the rate bucket. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from connectors.base import Account, Act, Call, Charge, Limit
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

TEXT_LIMIT_CHARS = 20_000


class SentFile(msgspec.Struct, frozen=True):
    id: str
    name: str
    mime: str
    size_bytes: int
    url: str


class SentTo(msgspec.Struct, frozen=True):
    id: str


class SentMessage(msgspec.Struct, frozen=True):
    """``data`` of a ``message.created`` to the member's program."""

    message_id: str
    conversation_id: str
    thread_id: str
    contact: SentTo
    text: str
    author: str
    reply_to: str | None
    attachments: tuple[SentFile, ...]


class SentEvent(msgspec.Struct, frozen=True):
    type: str
    data: SentMessage


class SentAct(msgspec.Struct, frozen=True, omit_defaults=True):
    """``data`` of what was done about a message; what does not belong to the type is left out."""

    id: str
    thread_id: str
    contact: SentTo
    text: str | None = None
    emoji: str | None = None
    removed: bool | None = None


class SentActEvent(msgspec.Struct, frozen=True):
    type: str
    data: SentAct


_TYPES = {
    "edit": "message.edited",
    "delete": "message.deleted",
    "react": "reaction.changed",
    "unreact": "reaction.changed",
    "mark_read": "message.read",
    "typing": "typing",
}


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:  # noqa: ARG001  the same for every account
    """
    Make the call that hands a message to the member's program.

    Args:
        message: What a member wrote.
        account: Who sends.

    Returns:
        One call; its ``id`` is our message's, the same whenever it is made again.

    Raises:
        ConnectorError: ``CONTENT`` for a blank or too long text.
    """
    if not message.text.strip() and not message.attachments:
        raise _content("blank", "There is nothing to send.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        raise _content("too_long", f"The text is longer than {TEXT_LIMIT_CHARS} characters.")
    if any(not one.url for one in message.attachments):
        raise _content("no_public_url", "Files need a public address of this hub: set HUB_PUBLIC_URL.")
    data = SentMessage(
        message_id=message.message_id,
        conversation_id=message.conversation_id,
        thread_id=message.thread_key,
        contact=SentTo(message.to.value),
        text=message.text,
        author="person" if message.author_is_human else "automation",
        reply_to=message.reply_to_external_id,
        attachments=tuple(
            SentFile(one.id, one.filename, one.mime, one.size_bytes, one.url) for one in message.attachments
        ),
    )
    body = msgspec.json.encode(SentEvent("message.created", data)).decode()
    return (Call(operation="post", fields={"id": message.message_id, "body": body}),)


def render_act(wanted: Act) -> bytes:
    """Make the event that tells of an act; ``id`` is the program's own of the message, or ours if it gave none."""
    data = SentAct(
        id=wanted.external_id,
        thread_id=wanted.thread_key,
        contact=SentTo(wanted.to.value),
        text=wanted.text if wanted.kind == "edit" else None,
        emoji=wanted.emoji or None,
        removed=True if wanted.kind == "unreact" else None,
    )
    return msgspec.json.encode(SentActEvent(_TYPES[wanted.kind], data))


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:  # noqa: ARG001  each message costs one
    """
    Say what a message takes from which rate bucket.

    Args:
        account: Its own setting of calls a second stands before the manifest's.
        message: What is sent.
        limits: The manifest's, by name.
    """
    chosen = limits["endpoint"]
    if (wanted := account.settings.get("calls_per_second", "")).isdigit() and int(wanted) > 0:
        chosen = (Limit(float(wanted), 1.0, int(wanted)),)
    return (Charge(key=f"api:{account.id}", limits=chosen),)


def _content(code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, code, words))
