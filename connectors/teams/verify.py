"""Checks that a call was made by Microsoft's Bot Connector for this bot. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.base import Account, WebhookReply, WebhookRequest
from connectors.payloads import read
from connectors.signed_tokens import Expected, check_token, read_key_set
from connectors.teams.shapes import Head
from hub.errors import MalformedPayload, SignatureRejected

KEYS_AT: Final = "https://login.botframework.com"
KEYS_PATH: Final = "/v1/.well-known/keys"
ISSUER: Final = "https://api.botframework.com"
CHANNEL: Final = "msteams"
_BEARER: Final = "bearer "


class _Claims(msgspec.Struct, frozen=True):
    serviceurl: str = ""


def key_sets(account: Account) -> Sequence[str]:
    """Name where the Bot Connector publishes its keys."""
    return ((account.base_url or KEYS_AT) + KEYS_PATH,)


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the token in the header against the call it came with.

    Args:
        request: The call. The token says nothing of its body but where answers go.
        account: ``client_id`` is the bot's app; ``keys`` are the issuer's.

    Returns:
        None: there is no handshake.

    Raises:
        SignatureRejected: Not by the Bot Connector, not for this bot, too old, for another channel than the key may
            speak for, or the call names another service than the token: answers, with our token, would go there.

    Source:
        learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication, read 2026-11-22.
    """
    header = request.headers.get("authorization", "")
    if header[: len(_BEARER)].lower() != _BEARER:
        raise SignatureRejected("The call has no token.")
    app = account.credentials.get("client_id", "")
    expected = Expected(issuers=[ISSUER], audience=app, now=request.received_at)
    keys = read_key_set(account.keys.get(key_sets(account)[0], b""))
    token = check_token(header[len(_BEARER) :].strip(), keys, expected)
    try:
        claims = msgspec.json.decode(token.claims, type=_Claims)
        head = read(request.body, Head)
    except (msgspec.MsgspecError, MalformedPayload) as error:
        raise SignatureRejected("What the token is about cannot be read.") from error
    if head.channel_id != CHANNEL or CHANNEL not in token.key.endorsements:
        raise SignatureRejected("The token does not speak for Teams.")
    if not claims.serviceurl or claims.serviceurl.rstrip("/") != head.service_url.rstrip("/"):
        raise SignatureRejected("The token is of another service than the call.")
    return None
