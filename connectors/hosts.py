"""
Connects to servers whose names members type in, and to none that they have no business with.

A name is resolved once, all its addresses are checked, and the connection goes to a checked address, so that a name
cannot point elsewhere a moment later. Blocking: call it in a thread. Called by connectors of polled channels.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from typing import TYPE_CHECKING

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.net import is_public, plain

if TYPE_CHECKING:
    from connectors.base import Reach

_MOST_ADDRESSES = 8


def may_reach(address: str, reach: Reach) -> bool:
    """
    Say whether a connection to an address is allowed.

    Args:
        address: IPv4 or IPv6, as text.
        reach: ``public`` takes only what is reachable by everybody, ``loopback`` only this computer, ``any`` both and
            private networks; link-local (a cloud's metadata service) and multicast are never taken.
    """
    one = plain(ipaddress.ip_address(address.partition("%")[0]))
    if one.is_multicast or one.is_unspecified or one.is_link_local:
        return False
    if reach == "any":
        return True
    if reach == "loopback":
        return one.is_loopback
    return is_public(address)


def connect(host: str, port: int, reach: Reach, timeout_s: float) -> socket.socket:
    """
    Open a TCP connection to a named server.

    Args:
        host: Name or address, as a member entered it.
        port: 1-65535.
        reach: Which addresses are allowed; all of the name's must be.
        timeout_s: For all its addresses together.

    Returns:
        A connected socket with ``timeout_s`` set; the caller closes it.

    Raises:
        ConnectorError: Codes ``host_unknown``, ``host_refused``, ``no_connection``.
    """
    ends_at_s = time.monotonic() + timeout_s
    for address in _addresses(host, port, reach):
        left_s = ends_at_s - time.monotonic()
        if left_s <= 0:
            break
        try:
            return socket.create_connection((address, port), min(left_s, max(3.0, timeout_s / 2)))
        except OSError:
            continue
    words = f"{host} does not answer on port {port}. Is the port right, and not blocked?"
    raise ConnectorError(ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", words))


def is_this_computer(host: str) -> bool:
    """Say whether a name means this computer and nothing else; asks the resolver."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(may_reach(str(one[4][0]), "loopback") for one in found)


def _addresses(host: str, port: int, reach: Reach) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        # The name server itself may be away; a name that does not exist is a member's slip.
        passing = error.errno in (socket.EAI_AGAIN, socket.EAI_FAIL)
        klass = ErrorClass.RETRYABLE if passing else ErrorClass.PERMANENT
        words = f"There is no server {host}." if not passing else f"{host} could not be looked up."
        raise ConnectorError(ConnectorErrorInfo(klass, "host_unknown", words)) from error
    except (OSError, UnicodeError) as error:
        info = ConnectorErrorInfo(ErrorClass.PERMANENT, "host_unknown", "This is not the name of a server.")
        raise ConnectorError(info) from error
    addresses = list(dict.fromkeys(str(one[4][0]) for one in found))[:_MOST_ADDRESSES]
    if not addresses or not all(may_reach(one, reach) for one in addresses):
        words = f"{host} is in a private network, which this installation does not connect to."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "host_refused", words))
    return addresses
