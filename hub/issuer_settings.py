"""
Issuers the operator lets people sign in with (Google, LinkedIn, any OpenID Connect issuer), read from the environment.

``HUB_ISSUER_<SLUG>_CLIENT_ID`` makes one; ``_CLIENT_SECRET``, ``_URL`` and ``_NAME`` go with it. Called by ``config``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX: Final = "HUB_ISSUER_"
_PARTS: Final = ("CLIENT_ID", "CLIENT_SECRET", "URL", "NAME")
_VARIABLE: Final = re.compile(rf"{_PREFIX}([A-Z0-9_]{{1,40}}?)_({'|'.join(_PARTS)})")


class IssuerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """
    One issuer.

    Attributes:
        slug: Its name in our addresses, ``a-z0-9-``; the redirect URI registered there ends in it.
        name: On the button.
        url: The issuer identifier, exactly as its ID tokens have it, a slash at the end included.
        client_secret: Empty for a public client, which is protected by PKCE alone.
        sends_nonce: Whether its ID tokens carry our nonce; only an issuer known not to is let off.
        takes_pkce: Whether it takes PKCE; only an issuer known to refuse it is let off.
        posts_secret: Whether it takes the secret in the form only, though its document does not say so.
    """

    slug: str
    name: str
    url: str
    client_id: str
    client_secret: str = ""
    sends_nonce: bool = True
    takes_pkce: bool = True
    posts_secret: bool = False

    def __repr__(self) -> str:
        return f"IssuerSettings(slug={self.slug!r}, url={self.url!r})"


# Source: https://accounts.google.com/.well-known/openid-configuration; LinkedIn's discovery document, and its web flow
# without nonce and PKCE as reported in authlib/authlib#763 and nextauthjs/next-auth#8831; read 2026-11-23.
_PRESETS: Final[Mapping[str, IssuerSettings]] = {
    "google": IssuerSettings(slug="google", name="Google", url="https://accounts.google.com", client_id=""),
    "linkedin": IssuerSettings(
        slug="linkedin",
        name="LinkedIn",
        url="https://www.linkedin.com/oauth",
        client_id="",
        sends_nonce=False,
        takes_pkce=False,
        posts_secret=True,
    ),
}


def read_issuers(env: Mapping[str, str]) -> tuple[IssuerSettings, ...]:
    """
    Read every issuer of the environment, in the order of their slugs.

    Raises:
        ConfigurationError: A variable is not known, an id or address is missing, or an address cannot be an issuer's.
    """
    found: dict[str, dict[str, str]] = {}
    for name, value in env.items():
        if not name.startswith(_PREFIX) or not value:
            continue
        match = _VARIABLE.fullmatch(name)
        if match is None:
            raise ConfigurationError(
                f"{name} is not known: HUB_ISSUER_<SLUG>_ is followed by {', '.join(_PARTS)}.", field=name
            )
        found.setdefault(match[1].lower().replace("_", "-"), {})[match[2]] = value.strip()
    return tuple(_issuer(slug, found[slug]) for slug in sorted(found))


def _issuer(slug: str, given: Mapping[str, str]) -> IssuerSettings:
    variable = f"{_PREFIX}{slug.upper().replace('-', '_')}_"
    preset = _PRESETS.get(slug) or IssuerSettings(slug=slug, name=slug.replace("-", " ").title(), url="", client_id="")
    url = given.get("URL", preset.url)
    if url != preset.url:
        # Another address is another issuer: what the preset's is let off does not hold for it.
        preset = msgspec.structs.replace(preset, sends_nonce=True, takes_pkce=True, posts_secret=False)
    if not given.get("CLIENT_ID"):
        raise ConfigurationError(f"{variable}CLIENT_ID is missing.", field=f"{variable}CLIENT_ID")
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ConfigurationError(
            f"{variable}URL must be the issuer's identifier, such as https://login.example.com.",
            field=f"{variable}URL",
        )
    if not preset.takes_pkce and not given.get("CLIENT_SECRET"):
        raise ConfigurationError(f"{variable}CLIENT_SECRET is missing.", field=f"{variable}CLIENT_SECRET")
    return msgspec.structs.replace(
        preset,
        url=url,
        name=given.get("NAME", preset.name),
        client_id=given["CLIENT_ID"],
        client_secret=given.get("CLIENT_SECRET", ""),
    )
