"""Asks the X API with an account's token, and puts its refusals into our words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from connectors.base import Account
from connectors.http import Answer, Request, ask, refusal
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

API: Final = "https://api.x.com"
VENDOR: Final = "X"
TIMEOUT_S: Final = 20.0
_LONGEST_WAIT_S: Final = 86_400.0
Wanted = TypeVar("Wanted")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    method: str = "POST"
    query: Mapping[str, str] = {}
    body: bytes = b""


async def ask_x(account: Account, asking: Asking, kind: type[Wanted]) -> Wanted:
    """
    Make one request.

    Raises:
        ConnectorError: As ``read_refusal`` says; ``AMBIGUOUS`` for an answer that cannot be read.
    """
    token = account.credentials.get("access_token", "")
    headers = {"authorization": f"Bearer {token}"} | ({"content-type": "application/json"} if asking.body else {})
    url = f"{account.base_url or API}{asking.path}"
    answer = await ask(
        Request(
            vendor=VENDOR,
            method=asking.method,
            url=f"{url}?{urlencode(asking.query)}" if asking.query else url,
            headers=headers,
            body=asking.body,
            timeout_s=TIMEOUT_S,
            read_refusal=read_refusal,
        )
    )
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConnectorError(classify(error)) from error


def classify(error: BaseException) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "X's answer could not be read.")


def read_refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """
    Say what a refused request means.

    Args:
        answer: Of status 300 or above.
        vendor: As members read it.

    Source:
        docs.x.com/x-api/fundamentals/rate-limits (``x-rate-limit-reset``: seconds since 1970) and response codes, as
        the reference notes them, read 2026-11-23.
    """
    match answer.status:
        case 429:
            reset = answer.headers.get("x-rate-limit-reset", "")
            if reset.isascii() and reset.isdigit() and not answer.headers.get("retry-after"):
                left_s = min(max(float(reset[:12]) - clock.now().timestamp(), 1.0), _LONGEST_WAIT_S)
                return ConnectorErrorInfo(ErrorClass.RATE_LIMITED, "429", "X takes no more messages for now.", left_s)
        case 402:
            return ConnectorErrorInfo(ErrorClass.ACCOUNT, "402", "The app has no credits left at X: buy some there.")
        case 403:
            words = "X does not let you write to this person: they take no messages from you, or the app lacks a right."
            return ConnectorErrorInfo(ErrorClass.RECIPIENT, "403", words)
        case 400:
            return ConnectorErrorInfo(ErrorClass.CONTENT, "400", "X does not accept something in this message.")
        case _:
            pass
    return refusal(answer, vendor)
