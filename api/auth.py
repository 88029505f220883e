"""From a call's cookie, bearer token or API key to who acts; the rules of cookies, Origins and addresses."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from hub.access.cache import AccessCache
from hub.access.entry import Asked, Found
from hub.accounts import sessions
from hub.accounts.model import SignedIn
from hub.db import Database
from hub.errors import ConfigurationError, Forbidden, NotFound, NotSignedIn
from hub.keys import actions as keys
from hub.keys.token import Pepper, read_token

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from hub.accounts.model import Actor
    from hub.config import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_COOKIE_AGE_S: Final = int(sessions.LIFETIME.total_seconds())
_MOST_WORKSPACE_ID: Final = 2**63 - 1
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Edge(msgspec.Struct, frozen=True):
    """
    How browsers reach this hub; made once at start.

    Attributes:
        cookie_name: ``__Host-hub_session`` on https, ``hub_session`` on a loopback address.
        secure: Whether the cookie is for https only.
        origins: What a browser's Origin may be, exactly.
        behind_proxy: Whether calls come through a proxy of ours on this machine, which names the caller.
        trusted_proxies: Proxies of ours elsewhere, by the operator's word.
    """

    cookie_name: str
    secure: bool
    origins: frozenset[str]
    behind_proxy: bool
    trusted_proxies: tuple[Network, ...] = ()

    def trusts(self, address: str) -> bool:
        """Say whether who calls from there is a proxy of ours, which names the caller."""
        if self.behind_proxy and (not address or is_loopback(address)):
            return True
        try:
            known = _plain(ipaddress.ip_address(address))
        except ValueError:
            return False
        return any(known in network for network in self.trusted_proxies)


def edge_of(settings: Settings) -> Edge:
    """
    Decide cookies and Origins from the public URL.

    Raises:
        ConfigurationError: The public URL is http on a host that is not this computer: the session cookie would cross
            the network in the clear.
    """
    trusted = tuple(ipaddress.ip_network(text) for text in settings.trusted_proxies)
    if not settings.public_url:
        origins = frozenset(f"http://{name}:{settings.port}" for name in _LOOPBACK_NAMES)
        return Edge(
            "hub_session",
            secure=False,
            origins=_with_default_port(origins),
            behind_proxy=False,
            trusted_proxies=trusted,
        )
    url = urlsplit(settings.public_url)
    if not url.hostname or url.path or url.query or url.fragment or url.username:
        raise ConfigurationError(
            "HUB_PUBLIC_URL must be only a scheme and a host, e.g. https://hub.example.com.", field="HUB_PUBLIC_URL"
        )
    if url.scheme == "https":
        origin = f"https://{url.netloc.lower().removesuffix(':443')}"
        return Edge(
            "__Host-hub_session", secure=True, origins=frozenset({origin}), behind_proxy=True, trusted_proxies=trusted
        )
    if not is_loopback(url.hostname):
        raise ConfigurationError(
            f"HUB_PUBLIC_URL is http on {url.hostname}: passwords and sessions would cross the network in the clear. "
            "Put a proxy with a certificate in front and use https, or leave it out to use this computer only.",
            field="HUB_PUBLIC_URL",
        )
    port = url.port or 80
    origins = frozenset(f"http://{name}:{port}" for name in _LOOPBACK_NAMES)
    return Edge(
        "hub_session", secure=False, origins=_with_default_port(origins), behind_proxy=False, trusted_proxies=trusted
    )


def is_loopback(host: str) -> bool:
    """Say whether a host name or address means this computer."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _with_default_port(origins: frozenset[str]) -> frozenset[str]:
    """Browsers leave the scheme's own port out of an Origin."""
    return frozenset(origin.removesuffix(":80") for origin in origins)


def session_cookie(edge: Edge, token: str) -> str:
    """Return the ``Set-Cookie`` value that keeps a session in a browser."""
    return _cookie(edge, token, _COOKIE_AGE_S)


def ended_cookie(edge: Edge) -> str:
    """Return the ``Set-Cookie`` value that takes the session out of a browser."""
    return _cookie(edge, "", 0)


def _cookie(edge: Edge, value: str, age_s: int) -> str:
    secure = "; Secure" if edge.secure else ""
    return f"{edge.cookie_name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"


def bearer_of(request: Request) -> str | None:
    """Return the token of an ``Authorization: Bearer`` header, if there is one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def entered_cookie(edge: Edge, token: str, age_s: int) -> str:
    """Return the ``Set-Cookie`` value of an operator's stay in a workspace; their own session's stays beside it."""
    secure = "; Secure" if edge.secure else ""
    return f"{entered_name(edge.cookie_name)}={token}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}"


def entered_name(cookie_name: str) -> str:
    """Return the name of the cookie that goes before the session's while an operator is in somebody's workspace."""
    return cookie_name.replace("session", "entered")


def token_of(edge: Edge, request: Request) -> str:
    """Return the session's token: of the bearer header where there is one, else of the cookie."""
    bearer = bearer_of(request)
    cookies = request.cookies
    entered = cookies.get(entered_name(edge.cookie_name))
    token = bearer if bearer is not None else entered or cookies.get(edge.cookie_name)
    if not token:
        raise NotSignedIn
    return token


def check_origin(edge: Edge, request: Request) -> None:
    """
    Refuse a browser's call that changes something unless one of our own pages makes it.

    A call is a browser's when it says so by any of ``Origin``, ``Sec-Fetch-Site`` or its user agent: every browser
    sends Origin with such calls, and Sec-Fetch-Site on https and loopback, the only addresses we serve. Others
    (scripts, the command line) cannot be made to call by a page somebody visits; nor can those with a bearer token.

    Raises:
        Forbidden: It comes from elsewhere, or without the header that only our own code can add.

    Source:
        OWASP Cross-Site Request Forgery Prevention Cheat Sheet: custom request headers, verifying origin (2025).
    """
    headers = request.headers
    if bearer_of(request) is not None:
        return
    origin = headers.get("origin")
    if origin is None:
        if "sec-fetch-site" in headers or headers.get("user-agent", "").startswith("Mozilla/"):
            raise Forbidden("This call must come from the hub's own pages: its Origin is missing.")
        return
    if origin not in edge.origins:
        raise Forbidden("This call must come from the hub's own pages: its Origin is another.")
    if headers.get("x-hub-request") != "1":
        raise Forbidden("This call must carry the header X-Hub-Request: 1.")


def address_of(edge: Edge, request: Request) -> str:
    """Return whom a call comes from, for throttling; as ``caller_of``."""
    peer = request.client.host if request.client else ""
    return caller_of(edge, peer, ",".join(request.headers.getlist("x-forwarded-for")))


def caller_of(edge: Edge, peer: str, forwarded: str) -> str:
    """
    Return whom a connection serves, for throttling.

    Args:
        edge: Knows our proxies.
        peer: The other end's address; empty where it is a unix socket.
        forwarded: All of X-Forwarded-For, which anybody can write: read from its end, where our own proxies write, and
            only as long as it was a proxy of ours that wrote.

    Returns:
        An IPv4 address, or the /64 of an IPv6 one (one customer has at least that many), or ``unknown``.
    """
    text = peer
    named = [part.strip() for part in forwarded.split(",") if part.strip()]
    while named and edge.trusts(text):
        text = named.pop()
    try:
        address = _plain(ipaddress.ip_address(text))
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _plain(address: Address) -> Address:
    """An IPv4 address that a dual-stack socket shows as IPv6 is the IPv4 address."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


async def sign_in_of(database: Database, token: str, access: AccessCache | None = None) -> SignedIn:
    """Find whose session a token is; ``NotSignedIn`` where it is none."""

    async def load() -> Found:
        return Found(await sessions.find_signed_in(database, token))

    return (await _find(access, Asked(token), load)).signed_in


async def actor_of(
    database: Database, token: str, workspace: str, access: AccessCache | None = None
) -> tuple[SignedIn, Actor]:
    """
    Find who calls under a workspace, in one round trip.

    Args:
        database: The installation.
        token: The session's secret, unchecked.
        workspace: ``{workspace_id}`` of the path, unchecked.
        access: May answer instead.

    Raises:
        NotSignedIn: The token is no live session.
        NotFound: The path names no workspace.
        Forbidden: They are not a member there; a workspace that does not exist answers the same.
    """
    workspace_id = workspace_id_of(workspace)

    async def load() -> Found:
        return Found(*await sessions.find_actor(database, token, workspace_id))

    return _with_actor(await _find(access, Asked(token, workspace_id), load))


class KeyDoor(msgspec.Struct, frozen=True):
    """
    What API keys are checked with.

    Attributes:
        pepper: Keys of the verifiers.
        access: May answer instead of the database.
    """

    database: Database
    pepper: Pepper
    access: AccessCache | None = None


async def key_actor_of(door: KeyDoor, text: str, workspace: str) -> tuple[SignedIn, Actor]:
    """
    Find as whom an API key calls under a workspace.

    Args:
        door: What keys are checked with.
        text: The key, unchecked.
        workspace: ``{workspace_id}`` of the path, unchecked.

    Returns:
        What stands for a session, with the key's own id: no step-up was ever made with it; and the actor.

    Raises:
        NotSignedIn, Forbidden, NotFound: As ``actor_of``.
    """
    workspace_id = workspace_id_of(workspace)

    async def load() -> Found:
        key, actor = await keys.find_actor(door.database, door.pepper, text, workspace_id)
        signed_in = SignedIn(
            session_id=key.id,
            login_id=actor.login_id,
            email="",
            name=key.name,
            expires_at=key.expires_at or _NEVER,
        )
        return Found(signed_in, actor)

    return _with_actor(await _find(door.access, Asked(text, workspace_id, read_token(text).id), load))


async def _find(access: AccessCache | None, asked: Asked, load: Callable[[], Awaitable[Found]]) -> Found:
    return await load() if access is None else await access.find(asked, load)


def _with_actor(found: Found) -> tuple[SignedIn, Actor]:
    if found.actor is None:
        raise Forbidden("You are not a member of this workspace.")
    return found.signed_in, found.actor


def workspace_id_of(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19 or not 0 < int(text) <= _MOST_WORKSPACE_ID:
        raise NotFound("workspace")
    return int(text)
