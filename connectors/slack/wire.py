"""
Slack's own WebClient at a configurable address: one try, no redirects, bounded answers, and not a word in the log.

Blocking; ``ask`` runs it in a thread of its own, which also loads the SDK.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from connectors.accounts import is_loopback
from connectors.blocking import in_thread
from connectors.http import ANSWER_LIMIT_BYTES, TIMEOUT_S, Answer
from connectors.slack.errors import NoAnswer, describe, describe_silence
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from urllib.request import Request

    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

ORIGIN: Final = "https://slack.com"
# Where Slack takes the bytes of files.
# Source: docs.slack.dev/reference/methods/files.getUploadURLExternal, read 2026-11-22.
UPLOAD_HOST: Final = "files.slack.com"
UPLOAD_TIMEOUT_S: Final = 30.0

T = TypeVar("T")


async def ask(base_url: str, token: str, question: Callable[[WebClient], T], timeout_s: float = TIMEOUT_S) -> T:
    """
    Ask Slack something through its SDK.

    Args:
        base_url: Slack's origin where it is not Slack's own.
        token: A bot token; empty where the request needs none.
        question: What to call; everything it raises of the SDK's becomes a ``ConnectorError``.
        timeout_s: For connecting, and for each wait for bytes.

    Raises:
        ConnectorError: What Slack's refusal, or its silence, means.
    """
    return await in_thread(lambda: _answer(base_url, token, question, timeout_s))


def upload(base_url: str, url: str, content: bytes) -> None:
    """
    Give Slack the bytes of a file, at the address it named; no token goes there.

    Raises:
        ConnectorError: ``PERMANENT`` for an address that is not Slack's; else as ``ask``. Nothing was shown to anybody.
    """
    parts, own = urlsplit(url), urlsplit(base_url)
    is_slacks = parts.scheme == "https" and parts.hostname == UPLOAD_HOST and parts.port in (None, 443)
    if not (is_slacks if not base_url else (parts.scheme, parts.netloc) == (own.scheme, own.netloc)):
        words = "Slack named an address for the file that is not Slack's."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "upload_address", words))
    try:
        answer = _post(url, content, {"content-type": "application/octet-stream"}, UPLOAD_TIMEOUT_S)
    except NoAnswer as error:
        raise ConnectorError(describe_silence(NoAnswer(may_have_left=False))) from error
    if answer.status >= 300:
        raise ConnectorError(describe(answer, ""))


def _answer(base_url: str, token: str, question: Callable[[WebClient], T], timeout_s: float) -> T:
    from slack_sdk.errors import SlackApiError, SlackClientError

    try:
        return question(_client(base_url, token, timeout_s))
    except SlackApiError as error:
        raise ConnectorError(describe(*_said(error))) from error
    except NoAnswer as error:
        raise ConnectorError(describe_silence(error)) from error
    except (SlackClientError, ValueError, TypeError, AttributeError, KeyError) as error:
        info = ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "Slack's answer could not be read.")
        raise ConnectorError(info) from error


def _said(error: SlackApiError) -> tuple[Answer, str]:
    """Return an answer that is no success and the code in it."""
    response: Any = error.response
    headers = {str(name).lower(): str(value) for name, value in dict(response.headers).items()}
    code = response.data.get("error", "") if isinstance(response.data, dict) else ""
    return Answer(int(response.status_code), headers, b""), code if isinstance(code, str) else ""


def _client(base_url: str, token: str, timeout_s: float) -> WebClient:
    from slack_sdk import WebClient

    class Wire(WebClient):
        def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
            """Make one request: the SDK's own way follows redirects and takes an answer of any size."""
            content = req.data if isinstance(req.data, bytes) else b""
            answer = _post(url, content, dict(req.header_items()), timeout_s)
            return {"status": answer.status, "headers": answer.headers, "body": answer.body.decode("utf-8", "replace")}

    return Wire(
        token=token or None,
        base_url=f"{base_url or ORIGIN}/api/",
        timeout=round(timeout_s),
        logger=Silence(),  # type: ignore[arg-type]  # as much of one as the SDK uses
        retry_handlers=[],
    )


def _post(url: str, content: bytes, headers: Mapping[str, str], timeout_s: float) -> Answer:
    import httpx

    never_left = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
    # A proxy of the environment has no way to our loopback, where emulators are.
    is_near = is_loopback(url)
    try:
        with (
            httpx.Client(timeout=timeout_s, trust_env=not is_near, verify=authorities()) as client,
            client.stream("POST", url, content=content, headers=dict(headers)) as response,
        ):
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > ANSWER_LIMIT_BYTES:
                    raise NoAnswer(may_have_left=True)
            return Answer(response.status_code, dict(response.headers), bytes(body))
    except never_left as error:
        raise NoAnswer(may_have_left=False) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(may_have_left=True) from error


class Silence:
    """Stands where libraries want a logger: they would write down texts, and bodies they cannot read."""

    level = 100

    def debug(self, *_said: object) -> None:
        """Write nothing."""

    info = warning = error = exception = debug

    def isEnabledFor(self, _level: int) -> bool:
        """Say no, before anybody makes a line of what nobody reads."""
        return False


@lru_cache(maxsize=1)
def authorities() -> ssl.SSLContext:
    """Return the usual authorities, read once: it takes tens of milliseconds."""
    import httpx

    return httpx.create_ssl_context()
