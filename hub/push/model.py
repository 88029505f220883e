"""Browsers that take pushes, and which addresses may stand for one. Pure."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import msgspec

from hub.errors import InvalidInput

TTL_S: Final = 24 * 3600


class NewSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """
    A browser, as it describes itself.

    Attributes:
        public_key: Its P-256 point, uncompressed, 65 bytes.
        auth: Its authentication secret, 16 bytes.
    """

    login_id: UUID
    session_id: UUID
    endpoint: str
    public_key: bytes
    auth: bytes

    def __repr__(self) -> str:
        return f"NewSubscription(login_id={self.login_id})"


class Target(msgspec.Struct, frozen=True):
    """Where one browser is reached, and the keys only it can open."""

    endpoint: str
    public_key: bytes
    auth: bytes

    def __repr__(self) -> str:
        return "Target()"


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is sent to a browser.

    Attributes:
        payload: JSON for our service worker, 3,900 bytes at most.
        topic: At most 32 characters of base64url: a push not yet delivered of the same topic is replaced.
        is_urgent: Wakes a phone that saves power.
    """

    payload: bytes
    topic: str
    is_urgent: bool = False


def check_endpoint(url: str) -> str:
    """
    Refuse what cannot be a push service's address; whether it is a public one is asked before each push.

    Raises:
        InvalidInput: Not https on its own port, or with something that has no business there.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput("endpoint", "This is not the address of a push service.") from None
    is_plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    if not is_plain or parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
        raise InvalidInput("endpoint", "This is not the address of a push service.")
    if port not in (None, 443) or len(url) < 10:
        raise InvalidInput("endpoint", "This is not the address of a push service.")
    return url
