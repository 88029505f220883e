"""What channels there are: their manifests, from which the settings build the connect form."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api.call import required
from connectors.base import Field, Manifest

if TYPE_CHECKING:
    from api.call import SessionCall
    from connectors.registry import ConnectorRegistry


class ChannelView(Manifest, frozen=True, kw_only=True):
    """
    A manifest as the settings show it.

    Attributes:
        credentials: Only what a member enters.
        generated: Credentials the hub makes; each can be renewed and is then shown once.
        icon: The text of an SVG.
    """

    generated: tuple[Field, ...] = ()
    icon: str = ""


class ChannelsView(msgspec.Struct, frozen=True):
    channels: tuple[ChannelView, ...]


async def read_all(call: SessionCall) -> ChannelsView:
    """Return every channel of this installation, by name."""
    registry = required(call.resources.registry, "channels")
    views = [_view(registry, manifest) for manifest in registry.manifests()]
    return ChannelsView(tuple(sorted(views, key=lambda view: view.name.lower())))


def _view(registry: ConnectorRegistry, manifest: Manifest) -> ChannelView:
    facts = {name: getattr(manifest, name) for name in Manifest.__struct_fields__}
    facts["credentials"] = tuple(one for one in manifest.credentials if not one.generated)
    generated = tuple(one for one in manifest.credentials if one.generated)
    return ChannelView(**facts, generated=generated, icon=registry.icon(manifest.id).decode())
