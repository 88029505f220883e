"""Asks Meta's Graph API with an account's token, and puts its error codes into our words."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from connectors.base import Account
from connectors.http import Answer, Request, ask, read_retry_after, refusal
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

API: Final = "https://graph.facebook.com"
# Where accounts are asked that signed in at Instagram itself.
INSTAGRAM_API: Final = "https://graph.instagram.com"
DEFAULT_VERSION: Final = "v23.0"
# Uploads of large files take their time.
TIMEOUT_S: Final = 20.0
Wanted = TypeVar("Wanted")

_UNREADABLE: Final = "{vendor}'s answer could not be read."
# Source: developers.facebook.com/docs/messenger-platform/error-codes and docs/graph-api/guides/error-handling, by the
# reference's list, read 2026-11-23. Subcodes before codes.
_BY_SUBCODE: Final[dict[int, tuple[ErrorClass, str]]] = {
    2018278: (ErrorClass.WINDOW_CLOSED, "The time to answer is over, as {vendor} counts it."),
    2534022: (ErrorClass.WINDOW_CLOSED, "The time to answer is over, as {vendor} counts it."),
    2018218: (ErrorClass.RECIPIENT, "This person has no profile at {vendor}."),
    2018001: (ErrorClass.RECIPIENT, "{vendor} knows nobody with this id."),
    2018108: (ErrorClass.RECIPIENT, "This person takes no messages at the moment."),
    1545041: (ErrorClass.RECIPIENT, "This person takes no messages at the moment."),
}
_BY_CODE: Final[dict[int, tuple[ErrorClass, str]]] = {
    0: (ErrorClass.AUTH, "{vendor} did not accept the access token."),
    102: (ErrorClass.AUTH, "The access token has ended."),
    190: (ErrorClass.AUTH, "The access token has ended or was withdrawn."),
    368: (ErrorClass.ACCOUNT, "{vendor} has blocked this page for breaking its rules."),
    3: (ErrorClass.PERMISSION, "The app may not use this part of {vendor}."),
    10: (ErrorClass.PERMISSION, "The app lacks a permission for {vendor}, or the page does not belong to the token."),
    4: (ErrorClass.RATE_LIMITED, "The app has called {vendor} too often."),
    17: (ErrorClass.RATE_LIMITED, "{vendor} was called too often."),
    32: (ErrorClass.RATE_LIMITED, "The page was used too often."),
    613: (ErrorClass.RATE_LIMITED, "{vendor} was called too often."),
    80006: (ErrorClass.RATE_LIMITED, "The page sends faster than {vendor} takes it."),
    1200: (ErrorClass.RETRYABLE, "{vendor} could not take the message for the moment."),
    551: (ErrorClass.RECIPIENT, "This person cannot be reached any more."),
    100: (ErrorClass.CONTENT, "{vendor} does not accept a value of this message."),
}
_PERMISSIONS: Final = range(200, 300)


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """One request: ``path`` below the version, ``mime`` of the body."""

    path: str
    method: str = "POST"
    query: Mapping[str, str] = {}
    body: bytes = b""
    mime: str = "application/json"


class _Error(msgspec.Struct, frozen=True):
    code: int
    error_subcode: int = 0
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error


async def ask_graph(account: Account, vendor: str, asking: Asking, kind: type[Wanted]) -> Wanted:
    """
    Make one request.

    Args:
        account: Its token goes into a header; the proof that we have the app's secret, which is none, into the query.
        vendor: As members read it.
        asking: What is asked.
        kind: What the answer is read into.

    Raises:
        ConnectorError: As Meta's code says; ``AMBIGUOUS`` for an answer that cannot be read.
    """
    token, secret = account.credentials.get("access_token", ""), account.credentials.get("client_secret", "")
    query = dict(asking.query)
    if secret:
        query["appsecret_proof"] = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    api = INSTAGRAM_API if account.settings.get("login") == "instagram" else API
    version = account.settings.get("graph_version", "") or DEFAULT_VERSION
    url = f"{account.base_url or api}/{version}/{asking.path}"
    if not token.isascii() or not token.isprintable():
        words = "An access token has only letters and digits."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "token", words))
    headers = {"authorization": f"Bearer {token}"} | ({"content-type": asking.mime} if asking.body else {})
    answer = await ask(
        Request(
            vendor=vendor,
            method=asking.method,
            url=f"{url}?{urlencode(query)}" if query else url,
            headers=headers,
            body=asking.body,
            timeout_s=TIMEOUT_S,
            read_refusal=read_refusal,
        )
    )
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        words = _UNREADABLE.format(vendor=vendor)
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", words)) from error


def read_refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """
    Say what a refused request means: by Meta's code where the body has one we know, else by the status.

    Args:
        answer: Of status 300 or above.
        vendor: As members read it.

    Returns:
        The class decides whether the message may be sent again: ``AMBIGUOUS`` unless Meta says it was not taken.
    """
    try:
        error = msgspec.json.decode(answer.body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return refusal(answer, vendor)
    if error.code == 100 and "appsecret_proof" in error.message:
        words = "The app secret is not the one of the app the access token was made for."
        return ConnectorErrorInfo(ErrorClass.AUTH, "appsecret_proof", words)
    known = _BY_SUBCODE.get(error.error_subcode) or _BY_CODE.get(error.code)
    if known is None and error.code in _PERMISSIONS:
        known = _BY_CODE[10]
    if known is None:
        return refusal(answer, vendor)
    retry_after_s = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
    code = str(error.error_subcode if error.error_subcode in _BY_SUBCODE else error.code)
    return ConnectorErrorInfo(known[0], code, known[1].format(vendor=vendor), retry_after_s)
