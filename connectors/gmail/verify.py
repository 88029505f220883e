"""Checks that a call was made by Cloud Pub/Sub for this account's subscription. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.base import Account, WebhookReply, WebhookRequest
from connectors.signed_tokens import Expected, check_token, read_key_set
from hub.errors import SignatureRejected

KEYS_AT: Final = "https://www.googleapis.com"
KEYS_PATH: Final = "/oauth2/v3/certs"
ISSUERS: Final = ("https://accounts.google.com", "accounts.google.com")
_BEARER: Final = "bearer "


class _Claims(msgspec.Struct, frozen=True):
    email: str = ""
    email_verified: bool = False


def key_sets(account: Account) -> Sequence[str]:
    """Name where Google publishes its keys."""
    return ((account.base_url or KEYS_AT) + KEYS_PATH,)


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the token in the header: made by Google, for our address, in the name of the subscription's service account.

    Args:
        request: The call. The token says nothing of its body, so all it can do is make us look into the mailbox.
        account: ``push_account`` is the service account; without it nobody is believed. ``keys`` are Google's.

    Returns:
        None: there is no handshake.

    Raises:
        SignatureRejected: Not by Google, not for this address, too old, or of somebody else's service account.

    Source:
        cloud.google.com/pubsub/docs/authenticate-push-subscriptions, as the reference notes it, read 2026-11-23.
    """
    header = request.headers.get("authorization", "")
    if header[: len(_BEARER)].lower() != _BEARER:
        raise SignatureRejected("The call has no token.")
    ours = account.settings.get("push_account", "").strip().lower()
    expected = Expected(issuers=ISSUERS, audience=account.webhook_url, now=request.received_at)
    keys = read_key_set(account.keys.get(key_sets(account)[0], b""))
    token = check_token(header[len(_BEARER) :].strip(), keys, expected)
    try:
        claims = msgspec.json.decode(token.claims, type=_Claims)
    except msgspec.MsgspecError as error:
        raise SignatureRejected("What the token is about cannot be read.") from error
    theirs = claims.email.lower().encode("utf-8", "replace")
    if not ours or not claims.email_verified or not hmac.compare_digest(theirs, ours.encode()):
        raise SignatureRejected("The token is not of this subscription's service account.")
    return None
