"""
The installation's own apps at vendors whose channels are connected by signing in there, read from the environment.

``HUB_OAUTH_<CHANNEL>_CLIENT_ID`` makes one; ``_CLIENT_SECRET`` and ``_SIGNING_SECRET`` go with it. For ``config``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX: Final = "HUB_OAUTH_"
_PARTS: Final = ("CLIENT_ID", "CLIENT_SECRET", "SIGNING_SECRET")
_VARIABLE: Final = re.compile(rf"{_PREFIX}([A-Z][A-Z0-9_]{{1,39}}?)_({'|'.join(_PARTS)})")
_LIMIT_CHARS: Final = 500
# Under what names an app's keys stand among an account's credentials.
APP_NAMES: Final = frozenset({"client_id", "client_secret", "signing_secret"})


class OAuthKeys(msgspec.Struct, frozen=True, kw_only=True):
    """
    An app of the installation at one vendor.

    Attributes:
        client_secret: Empty for a public client, which is protected by PKCE alone.
        signing_secret: With which the vendor signs its calls, where that is not the client secret.
    """

    client_id: str
    client_secret: str = ""
    signing_secret: str = ""

    def __repr__(self) -> str:
        return "OAuthKeys()"

    def credentials(self) -> dict[str, str]:
        """Return them under the names that connect forms use, empty ones left out."""
        named = {
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "signing_secret": self.signing_secret,
        }
        return {name: value for name, value in named.items() if value}


def variable(channel: str, part: str) -> str:
    """Return the name of a variable, e.g. ``HUB_OAUTH_GMAIL_CLIENT_ID``."""
    return f"{_PREFIX}{channel.upper()}_{part}"


def read_oauth_apps(env: Mapping[str, str]) -> dict[str, OAuthKeys]:
    """
    Read every app of the environment, by channel.

    Raises:
        ConfigurationError: A variable is not known, an id is missing, or a value cannot be a key; no text repeats one.
    """
    found: dict[str, dict[str, str]] = {}
    for name, value in env.items():
        if not name.startswith(_PREFIX) or not value:
            continue
        match = _VARIABLE.fullmatch(name)
        if match is None:
            raise ConfigurationError(
                f"{name} is not known: HUB_OAUTH_<CHANNEL>_ is followed by {', '.join(_PARTS)}.", field=name
            )
        text = value.strip()
        if not text.isascii() or not text.isprintable() or " " in text or len(text) > _LIMIT_CHARS:
            raise ConfigurationError(f"{name} holds characters that no key has.", field=name)
        found.setdefault(match[1].lower(), {})[match[2].lower()] = text
    for channel, given in found.items():
        if "client_id" not in given:
            name = variable(channel, "CLIENT_ID")
            raise ConfigurationError(f"{name} is missing.", field=name)
    return {channel: OAuthKeys(**found[channel]) for channel in sorted(found)}
