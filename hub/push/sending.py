"""
Hands pushes to the services of browser makers, whose addresses browsers tell us: only to public ones, never redirected.

A host is resolved once, every address checked, and the connection goes to a checked one. Called by
``hub/notices/pushing.py``.
"""

from __future__ import annotations

from email.utils import parseaddr, parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import httpx
import msgspec

from hub import clock
from hub.errors import ConfigurationError, InvalidInput
from hub.log import get_logger
from hub.net import AddressRefused, public_addresses
from hub.push import store
from hub.push.keys import PAYLOAD_LIMIT_BYTES, PushKey, encrypt
from hub.push.model import TTL_S, check_endpoint

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from hub.config import Settings
    from hub.db import TenantConn
    from hub.push.model import Push, Target

TIMEOUT_S: Final = 10.0
# RFC 8292 section 2: at most a day; half of it leaves room for clocks that differ.
TOKEN_LIFE_S: Final = 12 * 3600
MOST_WAIT_S: Final = 3600.0

_log = get_logger("hub.push")


class Fate(StrEnum):
    SENT = "sent"
    GONE = "gone"
    LATER = "later"
    REFUSED = "refused"


class Answer(msgspec.Struct, frozen=True):
    """
    What became of a push.

    Attributes:
        retry_after_s: How long the service wants to be left alone; None where it did not say.
    """

    fate: Fate
    code: str = ""
    retry_after_s: float | None = None


class Route(msgspec.Struct, frozen=True):
    """
    How push services are reached; tests have their own.

    Attributes:
        addresses: Resolves and checks a host; raises ``AddressRefused`` or ``OSError``.
        check: Refuses an endpoint's form; raises ``InvalidInput``.
        tls: Whom to trust; the usual authorities when None.
    """

    addresses: Callable[[str, int], Awaitable[list[str]]] = public_addresses
    check: Callable[[str], str] = check_endpoint
    tls: ssl.SSLContext | None = None


DEFAULT_ROUTE: Final = Route()


class PushSender:
    """Sends as this installation, known by its key and a contact."""

    def __init__(
        self,
        key: PushKey,
        contact: str,
        *,
        route: Route = DEFAULT_ROUTE,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._key = key
        self._contact = contact
        self._route = route
        self._now = now

    async def send(self, target: Target, push: Push) -> Answer:
        """
        Send one push.

        Source:
            RFC 8030 sections 5.2-5.4 (TTL, Urgency, Topic; December 2016): 201 taken, 404 and 410 gone for good,
            429 and 5xx later, ``Retry-After`` says when.
        """
        if len(push.payload) > PAYLOAD_LIMIT_BYTES:
            return Answer(Fate.REFUSED, "too_large")
        try:
            self._route.check(target.endpoint)
            body = encrypt(push.payload, target)
        except (InvalidInput, ValueError):
            return Answer(Fate.GONE, "unusable")
        parts = urlsplit(target.endpoint)
        host, port = (parts.hostname or "").lower(), parts.port or 443
        try:
            address = (await self._route.addresses(host, port))[0]
        except AddressRefused:
            return Answer(Fate.GONE, "not_public")
        except OSError:
            return Answer(Fate.LATER, "not_resolved")
        netloc = (f"[{address}]" if ":" in address else address) + ("" if port == 443 else f":{port}")
        expires_at_s = int(self._now().timestamp()) + TOKEN_LIFE_S
        headers = {
            "host": parts.netloc.lower(),
            "authorization": self._key.authorization(f"https://{parts.netloc.lower()}", expires_at_s, self._contact),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(TTL_S),
            "topic": push.topic,
            "urgency": "high" if push.is_urgent else "normal",
        }
        verify: ssl.SSLContext | bool = True if self._route.tls is None else self._route.tls
        try:
            # The certificate is checked against the name, though the connection goes to the address.
            url, extensions = parts._replace(netloc=netloc).geturl(), {"sni_hostname": host}
            async with (
                httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=TIMEOUT_S, verify=verify) as client,
                client.stream("POST", url, content=body, headers=headers, extensions=extensions) as response,
            ):
                return self._judge(response.status_code, response.headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError):
            return Answer(Fate.LATER, "no_connection")

    def _judge(self, status: int, headers: Mapping[str, str]) -> Answer:
        if status in (200, 201, 202, 204):
            return Answer(Fate.SENT)
        if status in (404, 410):
            return Answer(Fate.GONE, str(status))
        if status == 429 or status >= 500:
            return Answer(Fate.LATER, str(status), self._retry_after_s(headers.get("retry-after", "")))
        return Answer(Fate.REFUSED, str(status))

    def _retry_after_s(self, text: str) -> float | None:
        """Source: RFC 9110 section 10.2.3 (June 2022): seconds, or a date."""
        if text.isascii() and text.isdigit():
            return min(float(text[:9]), MOST_WAIT_S)
        try:
            return min(max((parsedate_to_datetime(text) - self._now()).total_seconds(), 0.0), MOST_WAIT_S)
        except (ValueError, TypeError):
            return None


async def ensure_key(conn: TenantConn, keys: Mapping[int, bytes]) -> PushKey:
    """
    Open the installation's key, made at the first call.

    Args:
        conn: Across workspaces.
        keys: What ``Sealer.derive_keys(keys.PURPOSE)`` made. One sealed under a secret that is lost is replaced:
            browsers must then subscribe again.
    """
    found = await store.sealed_key(conn)
    if found is not None:
        try:
            return PushKey.open(found, keys)
        except ConfigurationError:
            _log.warning("push_key_replaced")
    await store.keep_key(conn, PushKey.make().seal(keys), clock.now(), replaces=found is not None)
    kept = await store.sealed_key(conn)
    assert kept is not None
    return PushKey.open(kept, keys)


def contact_of(settings: Settings) -> str:
    """Return whom a push service writes to when our pushes make trouble; Apple's refuses an address that is none."""
    if settings.mail is not None:
        return f"mailto:{parseaddr(settings.mail.sender)[1]}"
    return settings.public_url or "mailto:operator@localhost.invalid"
