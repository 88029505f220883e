"""Makes the request of one message that a person sends now, and says what it takes from the limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Call, Charge, Limit
from connectors.linkedin.parse import SCHEME
from connectors.linkedin.products import require_writing
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SEND: Final = "messages"
TEXT_LIMIT_CHARS: Final = 8000


class Body(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """
    A new message; ``recipients`` must be left out where there is a ``thread``.

    Source:
        learn.microsoft.com/en-us/linkedin/shared/integrations/communications/messages, read 2026-11-23.
    """

    body: str
    thread: str = ""
    recipients: tuple[str, ...] = ()


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:
    """
    Make the request that sends a message: an answer in its thread, or the first one to a connection.

    Args:
        message: At most 8,000 characters, written by a person.
        account: With a product that sends.

    Raises:
        ConnectorError: ``PERMISSION`` where no person wrote it or the account may not send, ``CONTENT`` for an empty or
            too long text, ``RECIPIENT`` for somebody of another channel.
    """
    if not message.author_is_human:
        words = "LinkedIn lets only people write, each message by a click of theirs: nothing automatic was sent."
        raise _refused(ErrorClass.PERMISSION, "human_only", words)
    require_writing(account.settings)
    if not message.text.strip():
        raise _refused(ErrorClass.CONTENT, "empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; {TEXT_LIMIT_CHARS:,} are sent at most."
        raise _refused(ErrorClass.CONTENT, "too_long", words)
    if message.to.scheme != SCHEME or not message.to.value.startswith("urn:li:"):
        raise _refused(ErrorClass.RECIPIENT, "recipient", "This is nobody on LinkedIn.")
    if message.thread_key.startswith("urn:li:") and message.thread_key != message.to.value:
        body = Body(message.text, thread=message.thread_key)
    else:
        body = Body(message.text, recipients=(message.to.value,))
    return [Call(operation=SEND, fields={"body": msgspec.json.encode(body).decode()})]


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:  # noqa: ARG001
    """
    Say what a message takes: of what the member and the app may send in a day.

    Args:
        account: Its settings stand before the manifest's limits.
        message: Each takes one.
        limits: The manifest's, by name.
    """
    app = account.credentials.get("client_id", "")
    return (
        Charge(key=bucket(account), limits=_daily(account, "sends_per_day", limits["member"])),
        Charge(key=f"li:app:{app}", limits=_daily(account, "app_sends_per_day", limits["app"])),
    )


def bucket(account: Account) -> str:
    """Return the key of the bucket of what the member may send."""
    return f"li:member:{account.settings.get('member', '')}"


def _daily(account: Account, setting: str, default: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Stay under ``n`` in every 24 hours: a fifth saved up, the rest over time."""
    text = account.settings.get(setting, "")
    if not (text.isascii() and text.isdigit() and int(text)):
        return default
    return (Limit(max(1.0, int(text) * 0.8), 86_400.0, max(1, int(int(text) * 0.2))),)


def _refused(klass: ErrorClass, code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(klass, code, words))
