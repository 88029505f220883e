"""Checks that a call was signed by Meta for this account's app, and answers its handshake. Pure."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

from connectors.base import Account, WebhookReply, WebhookRequest
from hub.errors import SignatureRejected

_SIGNATURE = "x-hub-signature-256"
_SCHEME = "sha256="
_CHALLENGE_CHARS = 200


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the signature over the raw body; answer the question Meta asks when the address is entered.

    Args:
        request: The call; its body is raw, as signed.
        account: ``client_secret`` is the app's secret; ``verify_token`` (of the installation's app: ``signing_secret``)
            is what was entered beside the address.

    Returns:
        The challenge, for a handshake.

    Raises:
        SignatureRejected: Not signed with the app's secret, or not the token that was entered.

    Source:
        developers.facebook.com/docs/graph-api/webhooks/getting-started, read 2026-11-23.
    """
    if request.method == "GET":
        return _answer(request, account)
    secret = account.credentials.get("client_secret", "")
    theirs = request.headers.get(_SIGNATURE, "")
    if not secret or not theirs.startswith(_SCHEME):
        raise SignatureRejected("The call is not signed.")
    ours = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(ours.encode(), theirs.removeprefix(_SCHEME).encode("utf-8", "replace")):
        raise SignatureRejected("The call is not signed with this app's secret.")
    return None


def _answer(request: WebhookRequest, account: Account) -> WebhookReply:
    asked = parse_qs(urlsplit(request.url).query)
    token = asked.get("hub.verify_token", [""])[0].encode("utf-8", "replace")
    challenge = asked.get("hub.challenge", [""])[0]
    known = [account.credentials.get(name, "").encode() for name in ("verify_token", "signing_secret")]
    # A list, so that both are compared whatever the first one says.
    fits = [hmac.compare_digest(one, token) for one in known if one]
    if not any(fits) or asked.get("hub.mode") != ["subscribe"] or not 0 < len(challenge) <= _CHALLENGE_CHARS:
        raise SignatureRejected("The verify token is not the one of this account.")
    return WebhookReply(body=challenge.encode("utf-8", "replace"))
