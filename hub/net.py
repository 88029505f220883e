"""
Which addresses our side may connect to when somebody else names the host: the guard against SSRF.

The name is resolved once, every answer is checked, and the caller connects to what was checked, not to the name again.
Called by ``connectors/downloads.py`` and by connectors that open their own sockets (mail servers of customers).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from hub.errors import HubError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Gives the addresses of a host and port, as text.
Resolver = Callable[[str, int], Awaitable[list[str]]]

RESOLVE_TIMEOUT_S: Final = 5.0
# Translated, tunnelled and retired ranges that may lead back inside though ``ipaddress`` calls some of them global.
# Source: IANA IPv6 special-purpose registry, RFC 6052, RFC 8215, RFC 3056, RFC 4380, RFC 3879; read 2026-11-22.
_REFUSED: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96"),
        *("192.0.0.0/24", "192.88.99.0/24"),
    )
)


class AddressRefused(HubError):
    """The host is, or leads to, an address that is not public."""

    code = "address_refused"


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver; raises ``OSError`` where the name has no address."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(RESOLVE_TIMEOUT_S):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


async def public_addresses(host: str, port: int, *, resolver: Resolver = resolve) -> list[str]:
    """
    Resolve a host and check every answer.

    Args:
        host: A name or an address, unchecked, without brackets.
        port: 1-65535.
        resolver: Asked once.

    Returns:
        Addresses to connect to, in the resolver's order, at least one. Connect to these, not to the name: a second
        answer of the resolver may be another.

    Raises:
        AddressRefused: One of them is not public, or the name has none.
        OSError: The name cannot be resolved now.

    Source:
        OWASP Server-Side Request Forgery Prevention Cheat Sheet, case 2 (2025).
    """
    found = await resolver(host, port)
    if not found or any(not is_public(one) for one in found):
        raise AddressRefused("This address is not on the public internet.")
    return found


def is_public(text: str) -> bool:
    """Say whether an address is one of the public internet; False for what is no address."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    address = plain(address)
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address.version == network.version and address in network for network in _REFUSED)


def plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one maps, else the address itself."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
