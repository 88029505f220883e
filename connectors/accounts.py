"""Assembles a connected account as its connector sees it. Called by webhooks, dispatch and the settings."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from connectors.base import Account
from hub.channels.signing import signing_key
from hub.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from connectors.base import Reach
    from hub.channels.model import Route
    from hub.config import Settings

# The setting of a demo account that says where its emulator listens; no form has it.
DEMO_URL = "demo_url"
# Fields that say whom to talk to.
_PLACES = ("host", "server", "url", "origin", "endpoint", "domain")
# Nobody listens there: what a demo account without an emulator gets in place of the vendor's own address.
_NOWHERE = "http://127.0.0.1:1"


def account_of(route: Route, credentials: Mapping[str, str], settings: Settings) -> Account:
    """
    Make a connector's view of a channel account.

    Args:
        route: The account without its secrets.
        credentials: Its opened credentials.
        settings: The process's settings: our public address, and where vendors are.

    Returns:
        The account, good for one call; secrets are open in it.

    Raises:
        ConfigurationError: ``HUB_VENDOR_URL_…`` would send the keys over plain http to another machine; or the account
            belongs to the demo and names another machine.
    """
    return Account(
        id=str(route.id),
        workspace_id=route.workspace_id,
        credentials=with_app(route.channel, credentials, settings),
        settings=route.settings,
        webhook_url=webhook_url(route.channel, route.id, settings),
        base_url=_demo_base_url(route, credentials) if route.demo else vendor_base_url(route.channel, settings),
        signing_key=signing_key(settings.secret_key, route.workspace_id, route.id) if settings.secret_key else b"",
        reach=_reach(route, settings),
    )


def webhook_url(channel: str, account_id: UUID, settings: Settings) -> str:
    """Return our address for a channel account, as its vendor calls it."""
    return f"{settings.base_url}/webhooks/{channel}/{account_id}"


def app_account(channel: str, settings: Settings) -> Account:
    """
    Make what stands for an account where the installation's own app at a vendor calls, for any of its accounts.

    Raises:
        NotFound: The installation has no app there.
    """
    app = settings.oauth_apps.get(channel)
    if app is None:
        raise NotFound("app of this channel")
    return Account(
        id="",
        workspace_id=0,
        credentials=app.credentials(),
        settings={},
        webhook_url=f"{settings.base_url}/webhooks/{channel}/app",
        base_url=vendor_base_url(channel, settings),
    )


def with_app(channel: str, credentials: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    """
    Add the installation's app to an account that has none of its own.

    Args:
        channel: The account's.
        credentials: As they are stored; whoever has a ``client_id`` of their own keeps all of their own.
        settings: Hold the apps.

    Returns:
        What the connector is shown; never stored.
    """
    app = settings.oauth_apps.get(channel)
    if app is None or credentials.get("client_id"):
        return credentials
    return {**app.credentials(), **credentials}


def is_loopback(url: str) -> bool:
    """Say whether an address points at this computer only."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _demo_base_url(route: Route, credentials: Mapping[str, str]) -> str:
    """Return the emulator a demo account talks to, never the vendor: nothing of a demo may leave this computer."""
    for name, value in (*route.settings.items(), *credentials.items()):
        if value and name.endswith(_PLACES) and not is_loopback(value if "//" in value else f"//{value}"):
            raise ConfigurationError(f"A demo account reaches this computer only: {name} names another.", field=name)
    return route.settings.get(DEMO_URL) or _NOWHERE


def _reach(route: Route, settings: Settings) -> Reach:
    """The demo never leaves this computer, whatever else is allowed."""
    if route.demo:
        return "loopback"
    return "any" if settings.allow_private_hosts else "public"


def vendor_base_url(channel: str, settings: Settings) -> str:
    """Return where a channel's vendor is, if it is not at its own address."""
    url = settings.vendor_base_urls.get(channel, "")
    if url and not (url.startswith("https://") or is_loopback(url)):
        name = f"HUB_VENDOR_URL_{channel.upper()}"
        raise ConfigurationError(f"{name} must be an https address, or one on this computer.", field=name)
    return url
