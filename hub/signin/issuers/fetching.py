"""
HTTPS to issuers: only to public addresses, each checked before it is connected to; no redirects, small answers.

What an issuer's documents name is an address somebody else wrote. Called by ``provider.py``.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import httpx
import msgspec

from hub.net import AddressRefused, plain, public_addresses, resolve
from hub.signin.issuers.model import IssuerRefused, Refusal

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

TIMEOUT_S: Final = 8.0
ANSWER_LIMIT_BYTES: Final = 256 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


async def addresses_of_ours(host: str, port: int) -> list[str]:
    """Resolve a host that may be in a private network; a cloud's metadata service is never one."""
    found = await resolve(host, port)
    for one in found:
        address = plain(ipaddress.ip_address(one.partition("%")[0]))
        if address.is_link_local or address.is_multicast or address.is_unspecified:
            raise AddressRefused("This address is no issuer's.")
    return found


class Reach(msgspec.Struct, frozen=True):
    """
    How issuers are reached.

    Attributes:
        addresses: Resolves and checks a host; raises ``AddressRefused`` or ``OSError``.
        tls: Whom to trust; the usual authorities when None.
    """

    addresses: Callable[[str, int], Awaitable[list[str]]] = public_addresses
    tls: ssl.SSLContext | None = None


PUBLIC: Final = Reach()
WITHIN: Final = Reach(addresses=addresses_of_ours)


class IssuerHttp:
    """Asks issuers."""

    def __init__(self, reach: Reach = PUBLIC) -> None:
        self._reach = reach

    async def get(self, url: str, *, bearer: str = "") -> bytes:
        """Read a document; ``IssuerRefused`` unless it answers 200."""
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        return await self._ask("GET", url, headers, b"")

    async def post(self, url: str, form: Mapping[str, str], *, basic: str = "") -> bytes:
        """Send a form; ``IssuerRefused`` unless it answers 200."""
        headers = {"content-type": _FORM} | ({"authorization": f"Basic {basic}"} if basic else {})
        return await self._ask("POST", url, headers, urlencode(form).encode())

    async def _ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> bytes:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                status, answer = await self._exchange(method, url, headers, body)
        except AddressRefused as error:
            raise IssuerRefused(Refusal.UNREACHABLE, "address") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise IssuerRefused(Refusal.UNREACHABLE, type(error).__name__) from error
        if status >= 500 or status == 429:
            raise IssuerRefused(Refusal.UNREACHABLE, f"status {status}")
        if status != 200:
            raise IssuerRefused(Refusal.ISSUER, f"status {status}")
        return answer

    async def _exchange(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port or 443
        if parts.scheme != "https" or not host or parts.username or parts.password:
            raise AddressRefused("Not an address of an issuer.")
        address = (await self._reach.addresses(host, port))[0]
        netloc = (f"[{address}]" if ":" in address else address) + ("" if port == 443 else f":{port}")
        sent = {
            "host": parts.netloc.lower(),
            "accept": "application/json",
            # What is compressed could be larger than it looks.
            "accept-encoding": "identity",
            "user-agent": "clientcontact-hub",
            **headers,
        }
        verify: ssl.SSLContext | bool = True if self._reach.tls is None else self._reach.tls
        # The certificate is checked against the name, though the connection goes to the address.
        target, extensions = parts._replace(netloc=netloc, fragment="").geturl(), {"sni_hostname": host}
        async with (
            httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=TIMEOUT_S, verify=verify) as client,
            client.stream(method, target, content=body, headers=sent, extensions=extensions) as response,
        ):
            answer = bytearray()
            async for piece in response.aiter_raw():
                answer += piece
                if len(answer) > ANSWER_LIMIT_BYTES:
                    raise IssuerRefused(Refusal.ISSUER, "answer too large")
            return response.status_code, bytes(answer)
