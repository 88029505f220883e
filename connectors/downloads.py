"""
Fetches a file without being led astray: the guard of every address that came in with an item.

A vendor's: only https to hosts the connector names; keys go to the first host alone; an account with ``base_url`` (an
emulator, the demo) reaches that origin and no other. A stranger's: any public host. Resolved once and checked, each
redirect anew.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx
import msgspec

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.net import AddressRefused, Resolver, public_addresses, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_S: Final = 30.0
REDIRECTS: Final = 3
PIECE_BYTES: Final = 64 * 1024

REFUSED: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "address", "The file's address is not one we fetch from.")
GONE: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "gone", "The file is no longer there.")
_KEYS: Final = ConnectorErrorInfo(ErrorClass.AUTH, "keys", "The channel's keys were not accepted for this file.")
_LATER: Final = ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_answer", "The file could not be reached.")
_HEADERS: Final = {"accept-encoding": "identity", "user-agent": "clientcontact-hub"}
_PORTS: Final = {"https": 443, "http": 80}


class Reach(msgspec.Struct, frozen=True):
    """
    Which servers of strangers are reached; tests have their own.

    Attributes:
        addresses: Resolves and checks a host; raises ``AddressRefused`` or ``OSError``.
        ports: Those allowed; None for all.
        tls: Whom to trust; the usual authorities when None.
    """

    addresses: Callable[[str, int], Awaitable[list[str]]] = public_addresses
    ports: frozenset[int] | None = frozenset(_PORTS.values())
    tls: ssl.SSLContext | None = None


PUBLIC: Final = Reach()


async def download(
    url: str,
    *,
    hosts: Sequence[str],
    auth: tuple[str, str] | None = None,
    bearer: str = "",
    base_url: str = "",
    resolver: Resolver = resolve,
) -> AsyncGenerator[bytes]:
    """
    Fetch a file in pieces; the caller limits its size and the time.

    Args:
        url: As the vendor gave it, unchecked.
        hosts: Where it and its redirects may be, e.g. ``api.twilio.com`` or ``.twiliocdn.com`` for all below it.
        auth: User and password for the first host; never sent to another.
        bearer: A token in their place, under the same rule.
        base_url: The only origin asked where it is not empty.
        resolver: Asked once a host.

    Raises:
        ConnectorError: ``PERMANENT`` for a refused address or a file that is gone, ``AUTH``, or ``RETRYABLE``.
    """
    origin = _origin(urlsplit(base_url)) if base_url else ""

    async def request(client: httpx.AsyncClient, url: str) -> httpx.Request:
        return await _request(client, url, hosts, origin, resolver)

    keys = httpx.BasicAuth(*auth) if auth else _Bearer(bearer) if bearer else None
    async with aclosing(_follow(request, url, auth=keys, keeps_auth=not origin)) as pieces:
        async for piece in pieces:
            yield piece


async def download_public(url: str, *, accept: str, reach: Reach = PUBLIC) -> AsyncGenerator[bytes]:
    """
    Fetch a stranger's file in pieces, as nobody: no cookies, no referrer, no caller's address; the caller limits size
    and time.

    Args:
        url: As a stranger wrote it, unchecked; http or https.
        accept: Media types, as the header has them.
        reach: Which servers.

    Raises:
        ConnectorError: As ``download`` says.
    """

    async def request(client: httpx.AsyncClient, url: str) -> httpx.Request:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
        host = (parts.hostname or "").encode("idna").decode("ascii").lower()
        if not host or parts.scheme not in _PORTS or parts.username is not None:
            raise AddressRefused("Not an address of a file.")
        if reach.ports is not None and port not in reach.ports:
            raise AddressRefused("Not a port of a website.")
        address = (await reach.addresses(host, port))[0]
        return _pinned(client, parts, (host, port, address), {**_HEADERS, "accept": accept})

    async with aclosing(_follow(request, url, tls=reach.tls)) as pieces:
        async for piece in pieces:
            yield piece


class _Bearer(httpx.Auth):
    """A token as the Authorization header has it, RFC 6750 section 2.1."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def is_allowed(host: str, hosts: Sequence[str]) -> bool:
    """Say whether a host is one of those a connector names; a leading dot means all below."""
    return any(host.endswith(one) if one.startswith(".") else host == one for one in hosts)


async def _request(
    client: httpx.AsyncClient, url: str, hosts: Sequence[str], origin: str, resolver: Resolver
) -> httpx.Request:
    """Check where a request goes, and make it go to the address that was checked."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if origin:
        if _origin(parts) != origin:
            raise AddressRefused("This account reaches only its own endpoint.")
        return client.build_request("GET", url, headers=_HEADERS)
    if parts.scheme != "https" or parts.username or parts.port not in (None, 443) or not is_allowed(host, hosts):
        raise AddressRefused("Not an address of this vendor.")
    address = (await public_addresses(host, 443, resolver=resolver))[0]
    return _pinned(client, parts, (host, 443, address), _HEADERS)


def _pinned(
    client: httpx.AsyncClient, parts: SplitResult, place: tuple[str, int, str], headers: Mapping[str, str]
) -> httpx.Request:
    """Make a request that goes to the address that was checked: a second look-up could find another."""
    host, port, address = place
    named = f"[{host}]" if ":" in host else host
    suffix = "" if port == _PORTS[parts.scheme] else f":{port}"
    netloc = (f"[{address}]" if ":" in address else address) + suffix
    return client.build_request(
        "GET",
        parts._replace(netloc=netloc, fragment="").geturl(),
        headers={**headers, "host": f"{named}{suffix}"},
        # The certificate is checked against the name, though the connection goes to the address.
        extensions={"sni_hostname": host},
    )


async def _follow(
    request: Callable[[httpx.AsyncClient, str], Awaitable[httpx.Request]],
    url: str,
    *,
    auth: httpx.Auth | None = None,
    keeps_auth: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[bytes]:
    """Ask, and ask again where a redirect leads; ``request`` checks each address before it is connected to."""
    verify = tls or _authorities()
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S)
    with _translated():
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout, verify=verify) as client:
            for _ in range(REDIRECTS + 1):
                response = await client.send(await request(client, url), stream=True, auth=auth)
                try:
                    if response.is_redirect:
                        target = urljoin(url, response.headers.get("location", ""))
                        same = keeps_auth and _origin(urlsplit(target)) == _origin(urlsplit(url))
                        auth, url = auth if same else None, target
                        # What one server wants remembered is nothing to the next, which may have the same address.
                        client.cookies.clear()
                        continue
                    _check_status(response.status_code)
                    async for piece in response.aiter_raw(PIECE_BYTES):
                        yield piece
                    return
                finally:
                    await response.aclose()
    raise ConnectorError(REFUSED)


@lru_cache(maxsize=1)
def _authorities() -> ssl.SSLContext:
    """Read the usual authorities once: it takes tens of milliseconds of a loop that serves others."""
    return httpx.create_ssl_context(trust_env=False)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except AddressRefused as error:
        raise ConnectorError(REFUSED) from error
    except (httpx.InvalidURL, ValueError) as error:
        raise ConnectorError(REFUSED) from error
    except (httpx.HTTPError, OSError) as error:
        raise ConnectorError(_LATER) from error


def _check_status(status: int) -> None:
    if status == 200:
        return
    if status in (404, 410):
        raise ConnectorError(GONE)
    if status in (401, 403):
        raise ConnectorError(_KEYS)
    if status == 429 or status >= 500:
        raise ConnectorError(_LATER)
    raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, str(status), "The file was refused by the channel."))


def _origin(parts: SplitResult) -> str:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"
