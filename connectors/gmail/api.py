"""The Gmail API by Google's SDK: requests by its discovery document, answers typed, each asked once."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import resources
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from connectors.base import Account
from connectors.blocking import in_thread
from connectors.gmail.errors import describe, failure
from connectors.gmail.line import Line
from connectors.http import Answer
from hub.errors import ConnectorError, ErrorClass

ORIGIN: Final = "https://gmail.googleapis.com"
ME: Final = "me"
TIMEOUT_S: Final = 10.0
_MEGABYTE: Final = 1024 * 1024

T = TypeVar("T")
# The SDK makes its methods from the document as it is loaded: there are no types to name.
Users = Any
Ask = Callable[[Users], Any]


class Gmail:
    """
    The requests of one account.

    Args:
        account: Its access token is sent to Gmail's own origin alone, or to the account's ``base_url``.
    """

    def __init__(self, account: Account) -> None:
        self._origin = account.base_url or ORIGIN
        self._token = account.credentials.get("access_token", "")

    async def ask(
        self, build: Ask, kind: type[T], *, limit_bytes: int = 4 * _MEGABYTE, timeout_s: float = TIMEOUT_S
    ) -> T:
        """
        Ask for something, once.

        Args:
            build: Makes the request of the resource ``users``.
            kind: What the answer is.
            limit_bytes: Longest answer that is read.
            timeout_s: For each wait for bytes.

        Raises:
            ConnectorError: See ``describe``; ``AMBIGUOUS`` where an answer was lost or is not of the kind.
        """
        line = Line(_origin_of(self._origin), self._token, timeout_s, limit_bytes)
        answer = await in_thread(partial(_execute, self._origin, build, line))
        try:
            return msgspec.convert(answer, kind)
        except msgspec.ValidationError as error:
            raise failure(ErrorClass.AMBIGUOUS, "unreadable", "Google's answer could not be read.") from error


def _execute(origin: str, build: Ask, line: Line) -> object:
    from googleapiclient.errors import HttpError

    request = build(_service(origin).users())
    try:
        return request.execute(http=line, num_retries=0) or {}
    except HttpError as error:
        headers = {name: str(value) for name, value in error.resp.items()}
        raise ConnectorError(describe(Answer(int(error.resp.status), headers, error.content))) from None
    except (ValueError, RecursionError) as error:
        raise failure(ErrorClass.AMBIGUOUS, "unreadable", "Google's answer could not be read.") from error


@lru_cache(maxsize=8)
def _service(origin: str) -> Users:
    """
    Make the SDK's client of a place; it only builds requests, so that threads may share it.

    The document is the one in the SDK's wheel: nothing is asked of the network. Changing only ``api_endpoint`` would
    leave uploads and batches at Google (measured 2026-11-22).
    """
    from googleapiclient.discovery import build_from_document

    text = resources.files("googleapiclient.discovery_cache").joinpath("documents", "gmail.v1.json").read_text("utf-8")
    document = json.loads(text) | {"rootUrl": f"{origin}/"}
    document.pop("mtlsRootUrl", None)
    return build_from_document(document, http=Line(_origin_of(origin), "", TIMEOUT_S, _MEGABYTE))


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
