"""Which app a channel signs in with: a member's own, from the form, or the installation's; what is missing. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.accounts import vendor_base_url
from connectors.base import OAuthApp
from hub.errors import ConfigurationError, InvalidInput
from hub.oauth_settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connectors.base import Manifest
    from connectors.registry import ConnectorRegistry
    from hub.config import Settings

_OWN = ("client_id", "client_secret")


def redirect_uri(channel: str, settings: Settings) -> str:
    """Return the address to register at a channel's vendor: one for each channel, so that none answers for another."""
    return f"{settings.base_url}/connect/{channel}/callback"


def asks_for_app(manifest: Manifest) -> bool:
    """Say whether the channel's form takes a member's own app."""
    names = {one.name for one in (*manifest.credentials, *manifest.settings)}
    return "client_id" in names


def missing_app(manifest: Manifest, settings: Settings) -> str:
    """Say in words what an installation lacks to sign in at a channel's vendor; empty where nothing."""
    if manifest.id in settings.oauth_apps:
        return ""
    names = " and ".join(variable(manifest.id, part) for part in ("CLIENT_ID", "CLIENT_SECRET"))
    words = (
        f"This installation has no app at {manifest.name} yet. Register one there with the redirect address "
        f"{redirect_uri(manifest.id, settings)}, then set {names} and start the hub again."
    )
    return f"{words} Or enter the keys of an app of your own below." if asks_for_app(manifest) else words


def require_known(registry: ConnectorRegistry | None, settings: Settings) -> None:
    """Refuse apps of channels there are not, when a process starts: a name misspelt would be found by a member."""
    known = {one.id for one in registry.manifests()} if registry is not None else set()
    for channel in settings.oauth_apps:
        if channel not in known:
            name = variable(channel, "CLIENT_ID")
            raise ConfigurationError(f"{name} names no channel of this installation.", field=name)


def app_of(
    manifest: Manifest, entered: Iterable[Mapping[str, str]], settings: Settings, *, base_url: str | None = None
) -> OAuthApp:
    """
    Find the app to sign in with.

    Args:
        manifest: The channel's.
        entered: The account's credentials and settings, either of which may name an app of its own.
        settings: Hold the installation's apps.
        base_url: The vendor's origin; by default where the installation says the vendor is.

    Raises:
        InvalidInput: There is none; the text says what is missing.
    """
    own: dict[str, str] = {}
    asked = {one.name for one in manifest.settings}
    chosen: dict[str, str] = {}
    for group in entered:
        own |= {name: group[name] for name in _OWN if group.get(name)}
        chosen |= {name: value for name, value in group.items() if name in asked}
    if "client_id" not in own:
        app = settings.oauth_apps.get(manifest.id)
        if app is None:
            raise InvalidInput(
                "credentials.client_id" if asks_for_app(manifest) else "channel", missing_app(manifest, settings)
            )
        own = {"client_id": app.client_id, "client_secret": app.client_secret}
    return OAuthApp(
        client_id=own["client_id"],
        client_secret=own.get("client_secret", ""),
        base_url=vendor_base_url(manifest.id, settings) if base_url is None else base_url,
        redirect_uri=redirect_uri(manifest.id, settings),
        settings=chosen,
    )
