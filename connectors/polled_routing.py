"""
Whose a polled item is: one account's connection may bring what is of another, where the vendor has one for an app.

The counterpart of ``api/webhook_routing.py`` for items that no signed call brought.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connectors.base import Connector, RawItem
    from hub.channels.model import Route


class Named(Protocol):
    """See ``hub.channels.routes.ChannelRoutes.named``."""

    def __call__(self, channel: str, external_ref: str, /) -> Sequence[Route]: ...


def nobody(channel: str, external_ref: str, /) -> Sequence[Route]:  # noqa: ARG001
    """Stand in where an account's items are its own."""
    return ()


def recipients(reader: Route, connector: Connector, raw: RawItem, named: Named) -> list[Route]:
    """
    Say which accounts get an item.

    Args:
        reader: The account it was polled for.
        connector: The channel's; its ``shares`` says who else may get it.
        raw: The item; without an ``account_ref`` it is the reader's.
        named: Knows accounts by the vendor's id.

    Returns:
        None where the vendor speaks of an account that nobody connected, or that is none of the reader's.
    """
    if not raw.account_ref:
        return [reader]
    others = [
        one
        for one in named(reader.channel, raw.account_ref)
        if one.id != reader.id and one.demo == reader.demo and connector.shares(reader.settings, one.settings)
    ]
    return [reader, *others] if reader.external_ref == raw.account_ref else others
