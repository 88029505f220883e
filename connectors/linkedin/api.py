"""Asks LinkedIn's API with an account's token, below its root and nowhere else, and reads its refusals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from connectors.base import Account
from connectors.http import Answer, Request, ask, refusal
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

API: Final = "https://api.linkedin.com"
VENDOR: Final = "LinkedIn"
TIMEOUT_S: Final = 20.0
ANSWER_LIMIT_BYTES: Final = 4 * 1024 * 1024
_VERSION: Final = "202511"
_PATH: Final = re.compile(r"/(rest|v2)(/[A-Za-z0-9_~-]+)+")
# Daily quotas begin anew at midnight UTC, and it is tried again at least this often.
_LONGEST_PAUSE_S: Final = 3600.0
Wanted = TypeVar("Wanted")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    method: str = "GET"
    query: Mapping[str, str] = {}
    body: bytes = b""


async def ask_linkedin(account: Account, asking: Asking, kind: type[Wanted]) -> tuple[Wanted, Answer]:
    """
    Make one request.

    Returns:
        The answer as asked for, and as it came: some facts are only in its headers.

    Raises:
        ConnectorError: As ``read_refusal`` says; ``AMBIGUOUS`` for an answer that cannot be read.
    """
    answer = await ask(
        Request(
            vendor=VENDOR,
            method=asking.method,
            url=url_of(account, asking),
            headers=_headers(account, asking),
            body=asking.body,
            timeout_s=TIMEOUT_S,
            limit_bytes=ANSWER_LIMIT_BYTES,
            read_refusal=read_refusal,
        )
    )
    try:
        return msgspec.json.decode(answer.body or b"{}", type=kind), answer
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConnectorError(classify(error)) from error


def url_of(account: Account, asking: Asking) -> str:
    """
    Write the address of a request: always below the API's root, because LinkedIn's pages are never fetched.

    Raises:
        ConnectorError: ``PERMANENT`` for a path that is none of the API's.
    """
    if not _PATH.fullmatch(asking.path):
        words = "This is no address of LinkedIn's API, and its pages are never fetched."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "not_the_api", words))
    url = f"{account.base_url or API}{asking.path}"
    return f"{url}?{urlencode(asking.query)}" if asking.query else url


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "LinkedIn's answer could not be read.")


def read_refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """
    Say what a refused request means; LinkedIn's own words, which may name people, are not passed on.

    Args:
        answer: Of status 300 or above.
        vendor: As members read it.

    Source:
        learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts (error handling, rate limits), by the reference.
    """
    plain = refusal(answer, vendor)
    match answer.status:
        case 429 if plain.retry_after_s is None:
            words = "LinkedIn takes no more requests today."
            return ConnectorErrorInfo(ErrorClass.RATE_LIMITED, "429", words, _until_midnight_s())
        case 403:
            words = (
                "LinkedIn has not granted this app the product that is set here, or lets you not write to this person."
            )
            return ConnectorErrorInfo(ErrorClass.PERMISSION, "403", words)
        case 426:
            words = "LinkedIn no longer takes this version of its API: set a newer one on the account."
            return ConnectorErrorInfo(ErrorClass.ACCOUNT, "426", words)
        case 400 | 422:
            return ConnectorErrorInfo(ErrorClass.CONTENT, str(answer.status), "LinkedIn does not accept this request.")
        case _:
            return plain


def _headers(account: Account, asking: Asking) -> dict[str, str]:
    headers = {
        "authorization": f"Bearer {account.credentials.get('access_token', '')}",
        "x-restli-protocol-version": "2.0.0",
    }
    # Only the versioned half of the API knows versions.
    if asking.path.startswith("/rest/"):
        headers["linkedin-version"] = account.settings.get("api_version") or _VERSION
    return headers | ({"content-type": "application/json"} if asking.body else {})


def _until_midnight_s() -> float:
    now = clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return min(max((midnight - now).total_seconds(), 1.0), _LONGEST_PAUSE_S)
