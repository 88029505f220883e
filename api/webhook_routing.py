"""
Whose the items of a call are: one call of a vendor's app may be about many accounts, of many workspaces.

An account other than the one in the address gets an item only if the same call verifies with ITS secrets: who may make
calls for one account cannot put anything into another. From memory, no Postgres.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from connectors.raw_items import ITEM_LIMIT_BYTES
from hub import tracing
from hub.envelope import StreamItem
from hub.errors import ConfigurationError, MalformedPayload, NotFound, SignatureRejected, TooLarge, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.account_notes import AccountNotes
    from connectors.base import Account, Connector, RawItem, WebhookRequest
    from connectors.key_sets import KeySets
    from hub.channels.model import Route

KEY_LIMIT_CHARS = 300


class Named(Protocol):
    """What is needed of ``hub.channels.routes.ChannelRoutes``."""

    def named(self, channel: str, external_ref: str) -> Sequence[Route]: ...


class Ports(Protocol):
    """What is needed of ``api.webhooks.WebhookDeps``."""

    @property
    def routes(self) -> Named: ...

    @property
    def account_of(self) -> Callable[[Route], Account]: ...

    @property
    def keys(self) -> KeySets: ...


def no_app(channel: str) -> Account:  # noqa: ARG001  every channel is answered alike
    """Stand in where an installation has no app: its address is nobody's."""
    raise NotFound("app of this channel")


class Recipients:
    """
    Addresses the items of one verified call.

    Args:
        request: The call.
        connector: The channel's.
        ports: Knows the accounts.

    Attributes:
        unrouted: Items of accounts that nobody connected here, or whose own secrets do not accept the call.
    """

    def __init__(self, request: WebhookRequest, connector: Connector, ports: Ports) -> None:
        self._request = request
        self._connector = connector
        self._ports = ports
        self._verified: dict[UUID, bool] = {}
        self.unrouted = 0

    def address(self, route: Route | None, raw_items: Sequence[RawItem]) -> list[StreamItem]:
        """
        Say which accounts get which items; all items are checked before the first one is stored.

        Args:
            route: The account in the address, verified; None where the installation's app called.
            raw_items: What the call brings.

        Raises:
            MalformedPayload: An item has no usable id.
            TooLarge: An item is.
        """
        if route is not None:
            self._verified[route.id] = True
        items: list[StreamItem] = []
        for raw in raw_items:
            _check(raw)
            recipients = self._recipients(route, raw.account_ref)
            self.unrouted += not recipients
            items += [self._item(one, raw) for one in recipients]
        return items

    def note(self, notes: AccountNotes, items: Sequence[StreamItem]) -> None:
        """Note for their pages which accounts something came for."""
        for workspace_id, account_id in {(one.workspace_id, one.channel_account_id) for one in items}:
            notes.item_came(workspace_id, UUID(account_id))

    def _recipients(self, route: Route | None, account_ref: str) -> list[Route]:
        if not account_ref:
            return [] if route is None else [route]
        found = [
            one for one in self._ports.routes.named(self._connector.manifest.id, account_ref) if self._accepts(one)
        ]
        if route is not None and route.external_ref == account_ref and all(one.id != route.id for one in found):
            found.append(route)
        return found

    def _accepts(self, route: Route) -> bool:
        """Ask each account once, however many items name it."""
        known = self._verified.get(route.id)
        if known is None:
            known = self._verified[route.id] = self._verifies(route)
        return known

    def _verifies(self, route: Route) -> bool:
        if self._connector.verify is None:
            return False
        try:
            # A handshake is nobody's item.
            account = self._ports.keys.attach_known(self._connector, self._ports.account_of(route))
            return self._connector.verify(self._request, account) is None
        except (SignatureRejected, MalformedPayload, NotFound, ConfigurationError, Unavailable):
            return False

    def _item(self, route: Route, raw: RawItem) -> StreamItem:
        return StreamItem(
            workspace_id=route.workspace_id,
            channel_account_id=str(route.id),
            channel=route.channel,
            key=raw.key,
            body=raw.body,
            received_at_ms=int(self._request.received_at.timestamp() * 1000),
            trace=tracing.current(),
            hint=raw.hint,
        )


def _check(raw: RawItem) -> None:
    if not 0 < len(raw.key) <= KEY_LIMIT_CHARS:
        raise MalformedPayload("An item has no usable id.")
    if len(raw.body) > ITEM_LIMIT_BYTES:
        raise TooLarge(ITEM_LIMIT_BYTES)
