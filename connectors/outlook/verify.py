"""Checks that a notification repeats our secret, and answers the handshake of a new subscription. Pure."""

from __future__ import annotations

import hmac
from typing import Final
from urllib.parse import parse_qsl, urlsplit

import msgspec

from connectors.base import Account, WebhookReply, WebhookRequest
from connectors.outlook.parse import UNREADABLE
from hub.errors import SignatureRejected

_LONGEST_TOKEN_CHARS: Final = 4096


class _Item(msgspec.Struct, frozen=True, rename="camel"):
    client_state: str


class _Call(msgspec.Struct, frozen=True):
    value: tuple[_Item, ...]


_decoder = msgspec.json.Decoder(_Call)


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check every item's ``clientState``, or repeat the token of a handshake.

    Args:
        request: The call. Nothing in it is signed, so all it can do is make us look into the mailbox.
        account: Whose secret it must know.

    Returns:
        The handshake's token as plain text; None for notifications.

    Raises:
        SignatureRejected: An item without our secret, or no items at all.

    Source:
        learn.microsoft.com/en-us/graph/change-notifications-delivery-webhooks, read 2026-11-23.
    """
    token = dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True)).get("validationToken", "")
    if token and not request.body.strip():
        if len(token) > _LONGEST_TOKEN_CHARS:
            raise SignatureRejected("The handshake's token is too long.")
        return WebhookReply(body=token.encode("utf-8", "replace"))
    ours = account.credentials.get("client_state", "").encode()
    try:
        items = _decoder.decode(request.body).value
    except UNREADABLE:
        raise SignatureRejected("The call does not know this account's secret.") from None
    matches = [hmac.compare_digest(ours, one.client_state.encode("utf-8", "replace")) for one in items]
    if not ours or not matches or not all(matches):
        raise SignatureRejected("The call does not know this account's secret.")
    return None
