"""What channels there are: their manifests, from which the settings build the connect form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api.call import required
from connectors.apps import asks_for_app, missing_app, redirect_uri
from connectors.base import Field, Manifest

if TYPE_CHECKING:
    from api.call import SessionCall
    from connectors.registry import ConnectorRegistry
    from hub.config import Settings


class SignInFacts(msgspec.Struct, frozen=True):
    """
    How a channel is connected by signing in at its vendor.

    Attributes:
        redirect_uri: The address to register there.
        missing: What the installation lacks, in words; empty where it has an app.
        takes_own_app: Whether the form takes the keys of a member's own.
    """

    redirect_uri: str
    missing: str
    takes_own_app: bool


class ChannelView(Manifest, frozen=True, kw_only=True):
    """
    A manifest as the settings show it.

    Attributes:
        credentials: Only what a member enters.
        generated: Credentials the hub makes; each can be renewed and is then shown once.
        icon: The text of an SVG.
        sign_in: Where the channel is connected by signing in at its vendor.
        can_test: Whether a test sends something, beside asking the vendor.
    """

    generated: tuple[Field, ...] = ()
    icon: str = ""
    sign_in: SignInFacts | None = None
    can_test: bool = False


class ChannelsView(msgspec.Struct, frozen=True):
    channels: tuple[ChannelView, ...]


async def read_all(call: SessionCall) -> ChannelsView:
    """Return every channel of this installation, by name."""
    registry = required(call.resources.registry, "channels")
    views = [_view(registry, manifest, call.resources.settings) for manifest in registry.manifests()]
    return ChannelsView(tuple(sorted(views, key=lambda view: view.name.lower())))


def _view(registry: ConnectorRegistry, manifest: Manifest, settings: Settings) -> ChannelView:
    facts = {name: getattr(manifest, name) for name in Manifest.__struct_fields__}
    facts["credentials"] = tuple(one for one in manifest.credentials if not one.generated)
    sign_in, connector = None, registry.get(manifest.id)
    if connector.oauth is not None:
        sign_in = SignInFacts(
            redirect_uri(manifest.id, settings), missing_app(manifest, settings), asks_for_app(manifest)
        )
    generated = tuple(one for one in manifest.credentials if one.generated)
    return ChannelView(
        **facts,
        generated=generated,
        icon=registry.icon(manifest.id).decode(),
        sign_in=sign_in,
        can_test=connector.test is not None,
    )
