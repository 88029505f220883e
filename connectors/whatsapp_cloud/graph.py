"""Asks Meta's Graph API with an account's token. Used by the parts of this channel that talk to WhatsApp."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from connectors.base import Account
from connectors.http import Answer, Request, ask
from connectors.whatsapp_cloud.errors import is_wrong_proof, read_refusal
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

API: Final = "https://graph.facebook.com"
VENDOR: Final = "WhatsApp"
DEFAULT_VERSION: Final = "v23.0"
WRONG_PROOF: Final = ConnectorErrorInfo(
    ErrorClass.AUTH, "appsecret_proof", "The app secret is not the one of the app the access token was made for."
)
# Uploads of large files take their time.
TIMEOUT_S: Final = 20.0
Wanted = TypeVar("Wanted")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """One request: ``path`` below the version, ``mime`` of the body."""

    path: str
    method: str = "POST"
    query: Mapping[str, str] = {}
    body: bytes = b""
    mime: str = "application/json"


async def ask_graph(account: Account, asking: Asking, kind: type[Wanted]) -> Wanted:
    """
    Make one request.

    Args:
        account: Its token goes into a header; the proof that we have the app's secret, which is none, into the query.
        asking: What is asked.
        kind: What the answer is read into.

    Raises:
        ConnectorError: As Meta's code says; ``AMBIGUOUS`` for an answer that cannot be read.
    """
    token, secret = account.credentials.get("access_token", ""), account.credentials.get("client_secret", "")
    query = dict(asking.query)
    if secret:
        query["appsecret_proof"] = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    version = account.settings.get("graph_version", "") or DEFAULT_VERSION
    url = f"{account.base_url or API}/{version}/{asking.path}"
    headers = {"authorization": f"Bearer {token}"} | ({"content-type": asking.mime} if asking.body else {})
    request = Request(
        vendor=VENDOR,
        method=asking.method,
        url=f"{url}?{urlencode(query)}" if query else url,
        headers=headers,
        body=asking.body,
        timeout_s=TIMEOUT_S,
        read_refusal=_refusal,
    )
    try:
        answer = await ask(request)
    except UnicodeEncodeError as error:
        words = "An access token has only letters and digits."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "token", words)) from error
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConnectorError(classify(error)) from error


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "WhatsApp's answer could not be read.")


def _refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    return WRONG_PROOF if is_wrong_proof(answer) else read_refusal(answer, vendor)
