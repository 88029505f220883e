"""Checks that a call was signed by Twilio for this account. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from functools import lru_cache
from urllib.parse import parse_qsl, urlsplit

from connectors.base import Account, WebhookReply, WebhookRequest
from connectors.twilio.form import read_form
from hub.errors import MalformedPayload, SignatureRejected

_SIGNATURE = "x-twilio-signature"
_SETTINGS = "x-twilio-webhooks-signature-settings"
_FORM = "application/x-www-form-urlencoded"
_DEFAULT_PORTS = {"https": "443", "http": "80"}


def verify(request: WebhookRequest, account: Account) -> WebhookReply | None:
    """
    Check the signature over the configured address and the form fields (or the hash of any other body).

    Args:
        request: The call; ``url`` is the address configured at Twilio.
        account: Whose keys may have signed it.

    Returns:
        None: Twilio has no handshake to answer.

    Raises:
        SignatureRejected: Not signed by a key of this account.

    Source:
        twilio.com/docs/usage/webhooks/webhooks-security and webhook-shared-keys, read 2026-11-22.
    """
    signature = request.headers.get(_SIGNATURE, "").encode("utf-8", "replace")
    keys, algorithm = _keys(request, account)
    tail = _signed_tail(request)
    # Stops at the first match: which key or spelling it was is no secret.
    if not any(
        hmac.compare_digest(_sign(key, url.encode() + tail, algorithm), signature)
        for key in keys
        for url in _spellings(request.url)
    ):
        raise SignatureRejected("The call is not signed with a key of this account.")
    return None


def _keys(request: WebhookRequest, account: Account) -> tuple[list[bytes], str]:
    """Choose the keys by what the account has configured; the header only names one of them."""
    credentials = account.credentials
    settings = request.headers.get(_SETTINGS, "")
    if not settings:
        tokens = (credentials.get("auth_token", ""), credentials.get("auth_token_secondary", ""))
        return [token.encode() for token in tokens if token], "sha1"
    named: dict[str, str] = {}
    for part in settings.split(","):
        name, _, value = part.strip().partition("=")
        named[name] = value
    key_id, secret = credentials.get("shared_key_id", ""), credentials.get("shared_key_secret", "")
    if not key_id or not secret or named.get("key") != key_id or named.get("algorithm", "").upper() != "HMAC_SHA256":
        raise SignatureRejected("The call is signed with a shared key that is not configured for this account.")
    return [secret.encode()], "sha256"


def _signed_tail(request: WebhookRequest) -> bytes:
    """What follows the address in the signed text: sorted fields of a form, nothing for a body signed by its hash."""
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if kind == _FORM:
        try:
            fields = read_form(request.body)
        except MalformedPayload as error:
            raise SignatureRejected("The call has more fields than Twilio sends.") from error
        # Twilio signs a repeated field's values once each, sorted: a set of pairs says the same.
        return b"".join(name + value for name, value in sorted(set(fields)))
    hashes = [value for name, value in parse_qsl(urlsplit(request.url).query) if name == "bodySHA256"]
    body_hash = hashlib.sha256(request.body).hexdigest().encode()
    if not hashes or not hmac.compare_digest(body_hash, hashes[0].lower().encode("utf-8", "replace")):
        raise SignatureRejected("The body is not covered by a signature.")
    return b""


@lru_cache(maxsize=4096)
def _spellings(url: str) -> tuple[str, ...]:
    """The address as it is, then with or without its port: Twilio is not consistent about default ports."""
    plain = url.partition("#")[0]
    parts = urlsplit(plain)
    host = re.sub(r":\d*$", "", parts.netloc)
    port = _DEFAULT_PORTS.get(parts.scheme, "")
    with_port = parts.netloc if host != parts.netloc else f"{host}:{port}"
    # A dict keeps the order and drops what is there twice.
    return tuple(dict.fromkeys((plain, *(parts._replace(netloc=one).geturl() for one in (host, with_port)))))


def _sign(key: bytes, text: bytes, algorithm: str) -> bytes:
    return base64.b64encode(hmac.digest(key, text, algorithm))
