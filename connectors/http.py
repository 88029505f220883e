"""
One request to a vendor's HTTP API, its failures already in our words. For connectors' ``client.py``.

No retries and no pool: whether a request may be repeated is the delivery queue's decision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import msgspec

from connectors.accounts import is_loopback
from connectors.base import Reach
from connectors.hosts import may_reach
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.net import resolve

ANSWER_LIMIT_BYTES: Final = 1024 * 1024
TIMEOUT_S: Final = 10.0
_LONGEST_RETRY_AFTER_S: Final = 86_400.0
_UNKNOWN: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "host_unknown", "There is no server at this address.")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is asked.

    Attributes:
        vendor: Its name, as members read it in an error.
        body: JSON is written by the caller, with its ``content-type``.
        timeout_s: For connecting, and for each wait for bytes.
        reach: For an address a member entered: where it may lead, looked up once and checked. None: the vendor's own.
        limit_bytes: Longest answer that is read.
        read_refusal: Says what an answer that is no success means, where its body says more than its status. None:
            ``refusal``.
    """

    vendor: str
    url: str
    method: str = "POST"
    headers: Mapping[str, str] = {}
    body: bytes = b""
    timeout_s: float = TIMEOUT_S
    reach: Reach | None = None
    limit_bytes: int = ANSWER_LIMIT_BYTES
    read_refusal: Callable[[Answer, str], ConnectorErrorInfo] | None = None


class Answer(msgspec.Struct, frozen=True):
    """What came back; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(request: Request) -> Answer:
    """
    Make one request and take the answer, whatever it says; redirects are not followed.

    Returns:
        An answer of status 200-299.

    Raises:
        ConnectorError: ``RETRYABLE`` when the vendor was not reached, so that it has nothing; ``AMBIGUOUS`` when it may
            have acted; for an answer that is no success what ``refusal`` says.
    """
    import httpx  # loaded with the first call: receiving alone never needs it

    never_left = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    # A proxy of the environment has no way to our loopback, where emulators are.
    use_environment = request.reach is None and not is_loopback(request.url)
    place = _Place(request.url, {}, {}) if request.reach is None else await _checked_place(request, request.reach)
    try:
        async with (
            httpx.AsyncClient(timeout=request.timeout_s, trust_env=use_environment) as client,
            client.stream(
                request.method,
                place.url,
                headers={**request.headers, **place.headers},
                content=request.body,
                extensions=place.extensions,
            ) as response,
        ):
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > request.limit_bytes:
                    raise ConnectorError(_ambiguous("too_large", f"{request.vendor}'s answer could not be read."))
            answer = Answer(response.status_code, dict(response.headers), bytes(body))
    except never_left as error:
        words = f"{request.vendor} could not be reached."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", words)) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        words = f"{request.vendor} did not answer; it may have acted on the request."
        raise ConnectorError(_ambiguous("no_answer", words)) from error
    if not 200 <= answer.status < 300:
        raise ConnectorError((request.read_refusal or refusal)(answer, request.vendor))
    return answer


def refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """
    Say what an answer that is no success means, where its status is all that is known.

    Args:
        answer: Status 300 or above.
        vendor: Its name, as members read it.

    Returns:
        ``AMBIGUOUS`` for what may have happened halfway (5xx, 408), unless the vendor says when to come back.

    Source:
        RFC 9110 sections 10.2.3 and 15, RFC 6585 section 4.
    """
    status, code = answer.status, str(answer.status)
    retry_after_s = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
    match status:
        case 401:
            return ConnectorErrorInfo(ErrorClass.AUTH, code, f"{vendor} did not accept the keys.")
        case 403:
            return ConnectorErrorInfo(ErrorClass.PERMISSION, code, f"{vendor} does not allow this account to do this.")
        case 429:
            words = f"{vendor} is taking no more requests for the moment."
            return ConnectorErrorInfo(ErrorClass.RATE_LIMITED, code, words, retry_after_s)
        case 503 if retry_after_s is not None:
            words = f"{vendor} is away for the moment."
            return ConnectorErrorInfo(ErrorClass.RETRYABLE, code, words, retry_after_s)
        case _ if status == 408 or status >= 500:
            return _ambiguous(code, f"{vendor} failed (HTTP {status}); it may have acted on the request.")
        case _:
            return ConnectorErrorInfo(ErrorClass.PERMANENT, code, f"{vendor} refused the request (HTTP {status}).")


def read_retry_after(value: str, now: datetime) -> float | None:
    """
    Read a ``Retry-After`` header.

    Args:
        value: Seconds, or an HTTP date; anything else counts as absent.
        now: Aware, UTC; what a date is compared with.

    Returns:
        Seconds from now, 0 to 86,400, or None.

    Source:
        RFC 9110 section 10.2.3.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _LONGEST_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_RETRY_AFTER_S)


class _Place(msgspec.Struct, frozen=True):
    """Where a request really goes: an address that was checked, while certificate and ``Host`` stay the name's."""

    url: str
    headers: Mapping[str, str]
    extensions: dict[str, str]


async def _checked_place(request: Request, reach: Reach) -> _Place:
    """Look a member's address up, once, and refuse it unless all it leads to may be reached."""
    try:
        parts = urlsplit(request.url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConnectorError(_UNKNOWN) from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ConnectorError(_UNKNOWN)
    if parts.scheme == "http" and reach == "public":
        words = "Plain http is not private. Use an address that starts with https://."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "host_refused", words))
    try:
        found = await resolve(host, port)
    except (OSError, UnicodeError, TimeoutError) as error:
        raise ConnectorError(_UNKNOWN) from error
    if not found or not all(may_reach(one, reach) for one in found):
        words = f"{host} is in a private network, which this installation does not connect to."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "host_refused", words))
    netloc = f"[{found[0]}]:{port}" if ":" in found[0] else f"{found[0]}:{port}"
    url = parts._replace(netloc=netloc, fragment="").geturl()
    return _Place(url, {"host": parts.netloc}, {"sni_hostname": host})


def _ambiguous(code: str, words: str) -> ConnectorErrorInfo:
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, code, words)
