"""Microsoft Graph as far as we need it: one account's requests, typed answers, ids that survive moves. No retries."""

from __future__ import annotations

from typing import Final, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from connectors.base import Account
from connectors.http import Answer, Request, ask
from connectors.outlook.errors import VENDOR, describe, failure
from hub.errors import ErrorClass

ORIGIN: Final = "https://graph.microsoft.com"
VERSION: Final = "/v1.0"
TIMEOUT_S: Final = 10.0
# Ids change when a mail is moved unless every request says otherwise, those that follow a link too.
# Source: learn.microsoft.com/en-us/graph/outlook-immutable-id, read 2026-11-23.
_IMMUTABLE: Final = 'IdType="ImmutableId"'
_MEGABYTE: Final = 1024 * 1024

T = TypeVar("T")


class Nothing(msgspec.Struct, frozen=True):
    """An answer nobody looks into."""


class Graph:
    """
    The requests of one account.

    Args:
        account: Its access token is sent to Graph's own origin alone, or to the account's ``base_url``.
    """

    def __init__(self, account: Account) -> None:
        self._origin = account.base_url or ORIGIN
        self._token = account.credentials.get("access_token", "")

    async def get(self, place: str, kind: type[T], *, page_size: int = 0) -> T:
        """
        Ask for something.

        Args:
            place: A path below the version, or a link that Graph gave.
            kind: What the answer is.
            page_size: Most rows of a page, where pages come.

        Raises:
            ConnectorError: See ``describe``; ``RETRYABLE`` for an answer that is not of the kind.
        """
        prefer = f"{_IMMUTABLE}, odata.maxpagesize={page_size}" if page_size else _IMMUTABLE
        answer = await self._ask("GET", place, prefer=prefer)
        return _read(answer, kind)

    async def get_mime(self, message_id: str, limit_bytes: int) -> bytes:
        """Fetch a mail as it was sent; ``AMBIGUOUS`` with the code ``too_large`` above the limit."""
        answer = await self._ask("GET", f"{message_path(message_id)}/$value", limit_bytes=limit_bytes, timeout_s=30.0)
        return answer.body

    async def post(self, path: str, body: object, kind: type[T]) -> T:
        """Make or do something; ``body`` is what msgspec can write."""
        return _read(await self._ask("POST", path, body=body), kind)

    async def do(self, path: str) -> None:
        """Do something that takes no arguments."""
        await self._ask("POST", path)

    async def patch(self, path: str, body: object) -> None:
        """Change something."""
        await self._ask("PATCH", path, body=body)

    async def delete(self, path: str) -> None:
        """Remove something."""
        await self._ask("DELETE", path)

    async def _ask(
        self,
        method: str,
        place: str,
        *,
        body: object = None,
        prefer: str = _IMMUTABLE,
        limit_bytes: int = 4 * _MEGABYTE,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        headers = {"authorization": f"Bearer {self._token}", "prefer": prefer}
        if body is not None:
            headers["content-type"] = "application/json"
        return await ask(
            Request(
                vendor=VENDOR,
                method=method,
                url=self._url(place),
                headers=headers,
                body=b"" if body is None else msgspec.json.encode(body),
                timeout_s=timeout_s,
                limit_bytes=limit_bytes,
                read_refusal=describe,
            )
        )

    def _url(self, place: str) -> str:
        """A link is followed only where the token belongs."""
        if place.startswith("/"):
            return f"{self._origin}{VERSION}{place}"
        if not self.owns(place):
            raise failure(ErrorClass.PERMANENT, "address", "Microsoft named an address that is not its own.")
        return place

    def owns(self, link: str) -> bool:
        """Say whether a link leads to where this account's requests go."""
        return _origin_of(link) == _origin_of(self._origin)


def message_path(message_id: str) -> str:
    """Return the path of one message; ids may hold ``/`` and ``+``."""
    return f"/me/messages/{quote(message_id, safe='')}"


def with_query(path: str, **query: str) -> str:
    """Write a path with OData options; their ``$`` is put before each name but ``changeType``."""
    named = {name if name == "changeType" else f"${name}": value for name, value in query.items()}
    return f"{path}?{urlencode(named, quote_via=quote, safe='$')}"


def quoted(text: str) -> str:
    """Write a string of an OData filter."""
    return "'" + text.replace("'", "''") + "'"


def _read(answer: Answer, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer.body or b"{}", type=kind)
    except msgspec.DecodeError as error:
        words = "Microsoft's answer could not be read."
        raise failure(ErrorClass.AMBIGUOUS, "unreadable", words) from error


def _origin_of(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()
