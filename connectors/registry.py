"""Finds the channels: every folder here with a ``manifest.toml``. There is no list to edit."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.base import Connector
from connectors.manifest import FILENAME, ICON, read_manifest
from hub.errors import ConfigurationError, NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.base import Manifest

FOLDER = Path(__file__).parent


class ConnectorRegistry:
    """
    The channels of this installation.

    Args:
        folders: Folder of each channel by its id, with its manifest read and checked.
        package: Where the folders are importable from.
    """

    def __init__(self, folders: Mapping[str, tuple[Path, Manifest]], package: str) -> None:
        self._folders = dict(folders)
        self._package = package
        self._loaded: dict[str, Connector] = {}

    @classmethod
    def load(cls, folder: Path = FOLDER, package: str = "connectors") -> ConnectorRegistry:
        """
        Read the manifest of every channel; the code of one is imported when it is first asked for.

        Raises:
            ConfigurationError: A manifest cannot be used; the text names folder and field.
        """
        found = sorted(path.parent for path in folder.glob(f"*/{FILENAME}"))
        return cls({one.name: (one, read_manifest(one)) for one in found}, package)

    def get(self, channel: str) -> Connector:
        """
        Return a channel's functions.

        Raises:
            NotFound: There is no such channel.
            ConfigurationError: Its package has no ``CONNECTOR``, or one that says it is another channel.
        """
        connector = self._loaded.get(channel)
        return connector if connector is not None else self._import(channel)

    def manifests(self) -> list[Manifest]:
        """Return the manifests of all channels, by id."""
        return [manifest for _, manifest in self._folders.values()]

    def icon(self, channel: str) -> bytes:
        """Return a channel's icon, SVG; ``NotFound`` where there is no such channel."""
        return (self._folder(channel) / ICON).read_bytes()

    def _import(self, channel: str) -> Connector:
        self._folder(channel)
        module = importlib.import_module(f"{self._package}.{channel}")
        connector = getattr(module, "CONNECTOR", None)
        if not isinstance(connector, Connector):
            raise ConfigurationError(f"connectors/{channel}/__init__.py must define CONNECTOR, a Connector.")
        if connector.manifest.id != channel:
            raise ConfigurationError(f"CONNECTOR of connectors/{channel} says it is {connector.manifest.id!r}.")
        self._loaded[channel] = connector
        return connector

    def _folder(self, channel: str) -> Path:
        if channel not in self._folders:
            raise NotFound("channel")
        return self._folders[channel][0]
