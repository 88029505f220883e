"""
Fetches a file from a vendor without being led astray: the guard of every address that came in with an item.

Only https to hosts the connector names, resolved once and checked, each redirect anew; keys go to the first host alone.
An account with ``base_url`` (an emulator, the demo) reaches that origin and no other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import httpx

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.net import AddressRefused, Resolver, public_addresses, resolve

CONNECT_TIMEOUT_S: Final = 10.0
SILENCE_S: Final = 30.0
REDIRECTS: Final = 3
PIECE_BYTES: Final = 64 * 1024

REFUSED: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "address", "The file's address is not one we fetch from.")
GONE: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "gone", "The file is no longer there.")
_KEYS: Final = ConnectorErrorInfo(ErrorClass.AUTH, "keys", "The channel's keys were not accepted for this file.")
_LATER: Final = ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_answer", "The file could not be reached.")


async def download(
    url: str,
    *,
    hosts: Sequence[str],
    auth: tuple[str, str] | None = None,
    base_url: str = "",
    resolver: Resolver = resolve,
) -> AsyncIterator[bytes]:
    """
    Fetch a file in pieces; the caller limits its size and the time.

    Args:
        url: As the vendor gave it, unchecked.
        hosts: Where it and its redirects may be, e.g. ``api.twilio.com`` or ``.twiliocdn.com`` for all below it.
        auth: User and password for the first host; never sent to another.
        base_url: The only origin asked where it is not empty.
        resolver: Asked once a host.

    Raises:
        ConnectorError: ``PERMANENT`` for a refused address or a file that is gone, ``AUTH``, or ``RETRYABLE``.
    """
    origin = _origin(urlsplit(base_url)) if base_url else ""
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S)
    try:
        async with httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout) as client:
            for _ in range(REDIRECTS + 1):
                request = await _request(client, url, hosts, origin, resolver)
                basic = httpx.BasicAuth(*auth) if auth else None
                response = await client.send(request, stream=True, auth=basic)
                try:
                    if response.is_redirect:
                        target = urljoin(url, response.headers.get("location", ""))
                        auth = auth if _origin(urlsplit(target)) == _origin(urlsplit(url)) and not origin else None
                        url = target
                        continue
                    _check_status(response.status_code)
                    async for piece in response.aiter_raw(PIECE_BYTES):
                        yield piece
                    return
                finally:
                    await response.aclose()
    except AddressRefused as error:
        raise ConnectorError(REFUSED) from error
    except (httpx.InvalidURL, ValueError) as error:
        raise ConnectorError(REFUSED) from error
    except (httpx.HTTPError, OSError) as error:
        raise ConnectorError(_LATER) from error
    raise ConnectorError(REFUSED)


def is_allowed(host: str, hosts: Sequence[str]) -> bool:
    """Say whether a host is one of those a connector names; a leading dot means all below."""
    return any(host.endswith(one) if one.startswith(".") else host == one for one in hosts)


async def _request(
    client: httpx.AsyncClient, url: str, hosts: Sequence[str], origin: str, resolver: Resolver
) -> httpx.Request:
    """Check where a request goes, and make it go to the address that was checked."""
    parts = urlsplit(url)
    host, headers = (parts.hostname or "").lower(), {"accept-encoding": "identity", "user-agent": "clientcontact-hub"}
    if origin:
        if _origin(parts) != origin:
            raise AddressRefused("This account reaches only its own endpoint.")
        return client.build_request("GET", url, headers=headers)
    if parts.scheme != "https" or parts.username or parts.port not in (None, 443) or not is_allowed(host, hosts):
        raise AddressRefused("Not an address of this vendor.")
    address = (await public_addresses(host, 443, resolver=resolver))[0]
    netloc = f"[{address}]" if ":" in address else address
    return client.build_request(
        "GET",
        parts._replace(netloc=netloc, fragment="").geturl(),
        headers=headers | {"host": host},
        # The certificate is checked against the name, though the connection goes to the address.
        extensions={"sni_hostname": host},
    )


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
