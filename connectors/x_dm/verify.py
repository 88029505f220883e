"""Checks that a call was signed by X for this app, and answers its challenge. Pure."""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from connectors.base import Account, WebhookReply, WebhookRequest
from hub.errors import SignatureRejected

_SIGNATURE: Final = "x-twitter-webhooks-signature"
_SCHEME: Final = "sha256="
# Calls are signed with the same key and in the same way as we sign a challenge, and anybody may send us one: what could
# be the body of a call is no challenge, or whoever asks could have forged calls signed by us.
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_=-]{1,120}")


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the signature over the raw body; answer the challenge X asks now and then.

    Args:
        request: The call; its body is raw, as signed.
        account: ``signing_secret`` is the app's API key secret (consumer secret).

    Returns:
        The signed challenge, for one.

    Raises:
        SignatureRejected: Not signed with the app's secret, or no challenge of X's.

    Source:
        docs.x.com/x-api/webhooks (CRC and signature), as the reference notes it, read 2026-11-23.
    """
    secret = account.credentials.get("signing_secret", "")
    if not secret:
        raise SignatureRejected("This account has no secret to check calls with.")
    if request.method == "GET":
        challenge = parse_qs(urlsplit(request.url).query).get("crc_token", [""])[0]
        if not _CHALLENGE.fullmatch(challenge):
            raise SignatureRejected("This is no challenge.")
        answer = {"response_token": _sign(secret, challenge.encode())}
        return WebhookReply(content_type="application/json", body=msgspec.json.encode(answer))
    theirs = request.headers.get(_SIGNATURE, "")
    if not hmac.compare_digest(_sign(secret, request.body).encode(), theirs.encode("utf-8", "replace")):
        raise SignatureRejected("The call is not signed with this app's secret.")
    return None


def _sign(secret: str, content: bytes) -> str:
    return _SCHEME + base64.b64encode(hmac.digest(secret.encode(), content, "sha256")).decode()
