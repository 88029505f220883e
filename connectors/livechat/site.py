"""What a live chat's settings say: where it may be shown, what it asks first, whom it lets in. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, cast

import msgspec

from hub.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGINS_LIMIT = 50
ORIGINS_FIELD = "settings.allowed_origins"

# RFC 6454 section 6.2 (December 2011): scheme, host, port, nothing else. Only characters that are safe in a header.
_ORIGIN = re.compile(
    r"https?://(\*\.)?[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?|"
    r"https?://\[[0-9a-f:]+\](:[0-9]{1,5})?"
)

Ask = Literal["off", "optional", "required"]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """
    A live chat as its visitors meet it.

    Attributes:
        origins: Websites that may show it, ``https://*.example.com`` for all below one; empty means any.
        ask_name: Whether the pre-chat form asks for a name.
        ask_email: Whether it asks for an e-mail address.
        identity: Whether visitors can, or must, be users of the customer's own site.
    """

    title: str
    greeting: str
    color: str
    origins: tuple[str, ...]
    ask_name: Ask
    ask_email: Ask
    identity: Ask

    def allows(self, origin: str) -> bool:
        """Say whether a website may show this chat."""
        origin = _without_default_port(origin.lower())
        return not self.origins or any(_matches(allowed, origin) for allowed in self.origins)


def read_site(settings: Mapping[str, str]) -> Site:
    """
    Read a channel account's settings.

    Args:
        settings: As saved; a missing one has its plainest meaning.

    Raises:
        InvalidInput: A website in the list is no address; saved settings were checked before.
    """
    return Site(
        title=settings.get("title", ""),
        greeting=settings.get("greeting", ""),
        color=settings.get("color", ""),
        origins=read_origins(settings.get("allowed_origins", "")),
        ask_name=_ask(settings, "pre_chat_name"),
        ask_email=_ask(settings, "pre_chat_email"),
        identity=_ask(settings, "identity"),
    )


def read_origins(text: str) -> tuple[str, ...]:
    """
    Read a list of websites, one a line (commas and spaces separate too).

    Args:
        text: As entered; a trailing slash is forgiven.

    Raises:
        InvalidInput: One of them is no origin, or there are more than ``ORIGINS_LIMIT``.
    """
    origins = tuple(dict.fromkeys(_read_origin(one) for one in re.split(r"[\s,]+", text) if one))
    if len(origins) > ORIGINS_LIMIT:
        raise InvalidInput(ORIGINS_FIELD, f"List at most {ORIGINS_LIMIT} websites.")
    return origins


def _read_origin(text: str) -> str:
    origin = text.lower().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise InvalidInput(
            ORIGINS_FIELD, f"{text[:100]!r} is not the address of a website, like https://www.example.com."
        )
    return _without_default_port(origin)


def _without_default_port(origin: str) -> str:
    """Browsers leave the default port out of ``Origin``."""
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _matches(allowed: str, origin: str) -> bool:
    scheme, _, host = allowed.partition("://")
    if not host.startswith("*."):
        return allowed == origin
    return origin.startswith(f"{scheme}://") and origin.endswith(host[1:]) and _ORIGIN.fullmatch(origin) is not None


def _ask(settings: Mapping[str, str], name: str) -> Ask:
    value = settings.get(name, "off")
    return cast("Ask", value) if value in ("optional", "required") else "off"
