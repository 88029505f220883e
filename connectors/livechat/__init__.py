"""
Live chat: our own channel.

Visitors are connected to the hub itself. What they write goes straight to the store, and what members answer reaches
them as an event on their socket, so nothing here talks to a vendor.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base import Call, Checked, Connector
from connectors.livechat.site import read_origins
from connectors.manifest import read_manifest
from hub.envelope import SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, UnsupportedPayload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.base import Account, Act, ParseContext
    from hub.envelope import InboundItem, OutboundMessage

ANY_SITE = "Any website can show this chat. List your websites to change that."


def parse(body: bytes, context: ParseContext) -> Sequence[InboundItem]:  # noqa: ARG001  the shape all channels share
    """Refuse: nothing of this channel travels through the ingress streams."""
    raise UnsupportedPayload("Live chat has no webhooks.")


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:  # noqa: ARG001
    """Return no call: the event of the message is what the visitor's socket receives."""
    return ()


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:  # noqa: ARG001
    """Report the message as sent: it is in the conversation, and a visitor who is away finds it there later."""
    return SendResult(external_ids=())


async def act(account: Account, wanted: Act) -> None:
    """Do nothing: the event of the change is what the visitor's socket receives."""


async def check(account: Account) -> Checked:
    """Check the list of websites; raises ``InvalidInput`` for one that is no address."""
    origins = read_origins(account.settings.get("allowed_origins", ""))
    return Checked(warnings=() if origins else (ANY_SITE,))


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Call anything unexpected permanent: there is no vendor whose mood could change."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.PERMANENT, type(error).__name__, "The message could not be delivered.")


CONNECTOR = Connector(
    manifest=read_manifest(Path(__file__).parent),
    parse=parse,
    render=render,
    send=send,
    classify=classify,
    check=check,
    act=act,
)
