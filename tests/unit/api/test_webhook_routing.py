"""One call about many accounts: each gets its own items, if its own secret accepts the call, and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import pytest

from api.webhook_routing import Recipients
from connectors.base import RawItem, WebhookReply, WebhookRequest
from connectors.key_sets import KeySets
from hub.channels.model import AccountStatus, Route
from hub.errors import ConfigurationError, MalformedPayload, SignatureRejected

REQUEST = WebhookRequest(
    method="POST",
    url="https://hub.example.com/webhooks/pages/app",
    headers={"x-signed-with": "the-app"},
    body=b"[]",
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
)


def account(number: int, external_ref: str, *, workspace_id: int = 1) -> Route:
    return Route(
        workspace_id=workspace_id,
        id=UUID(int=number),
        inbox_id=UUID(int=1),
        channel="pages",
        status=AccountStatus.CONNECTED,
        settings={},
        external_ref=external_ref,
    )


class Installation:
    """Accounts with their secrets; a call verifies with the secret it was signed with."""

    def __init__(self, *accounts: tuple[Route, str]) -> None:
        self.accounts = accounts
        self.asked: list[UUID] = []
        self.manifest = SimpleNamespace(id="pages")
        self.routes = self
        self.keys = KeySets()
        self.broken: set[UUID] = set()

    def key_sets(self, account: object) -> tuple[str, ...]:
        return ()

    def named(self, channel: str, external_ref: str) -> Sequence[Route]:
        return [one for one, _ in self.accounts if (one.channel, one.external_ref) == (channel, external_ref)]

    def account_of(self, route: Route) -> SimpleNamespace:
        if route.id in self.broken:
            raise ConfigurationError("The key does not open this.")
        return SimpleNamespace(id=route.id, secret={one.id: secret for one, secret in self.accounts}[route.id])

    def verify(self, request: WebhookRequest, account: SimpleNamespace) -> WebhookReply | None:
        self.asked.append(account.id)
        if request.headers["x-signed-with"] != account.secret:
            raise SignatureRejected("no")
        return None

    def address(self, route: Route | None, *raw: RawItem) -> tuple[list[tuple[str, int, str]], int]:
        recipients = Recipients(REQUEST, self, self)  # type: ignore[arg-type]
        items = recipients.address(route, raw)
        return [(one.channel_account_id, one.workspace_id, one.key) for one in items], recipients.unrouted


def item(key: str, account_ref: str = "") -> RawItem:
    return RawItem(key=key, body=key.encode(), account_ref=account_ref)


def test_items_for_several_accounts_are_split():
    """Each account gets its own, in order, and is verified once however many items name it."""
    first, second = account(1, "page-1"), account(2, "page-2", workspace_id=2)
    hub = Installation((first, "the-app"), (second, "the-app"))
    raw = [item("a", "page-1"), item("b", "page-2"), item("c", "page-2"), item("d")]
    found, unrouted = hub.address(first, *raw)
    assert found == [
        (str(first.id), 1, "a"),
        (str(second.id), 2, "b"),
        (str(second.id), 2, "c"),
        (str(first.id), 1, "d"),
    ]
    assert (unrouted, hub.asked) == (0, [second.id])


def test_call_signed_for_one_tenant_reaches_no_other():
    """Mallory's own app signs well for Mallory's account and names the victim's: its secret does not accept the call."""
    mallory, victim = account(1, "page-1"), account(2, "page-2", workspace_id=2)
    hub = Installation((mallory, "the-app"), (victim, "another-app"))
    found, unrouted = hub.address(mallory, item("forged", "page-2"), item("own", "page-1"))
    assert (found, unrouted) == ([(str(mallory.id), 1, "own")], 1)


def test_account_connected_in_two_workspaces_goes_to_both_that_verify():
    """Whoever connected it with an app that did not sign this call gets nothing."""
    first, second, third = (account(n, "page-1", workspace_id=n) for n in (1, 2, 3))
    hub = Installation((first, "the-app"), (second, "the-app"), (third, "own-app"))
    found, _ = hub.address(first, item("a", "page-1"))
    assert found == [(str(first.id), 1, "a"), (str(second.id), 2, "a")]
    assert hub.address(third, item("a", "page-1"))[0] == [
        (str(first.id), 1, "a"),
        (str(second.id), 2, "a"),
        (str(third.id), 3, "a"),
    ]


def test_unknown_account_is_counted():
    """Nobody connected it, or it was removed: nothing is stored, nothing refused."""
    only = account(1, "page-1")
    found, unrouted = Installation((only, "the-app")).address(only, item("a", "page-9"), item("b"))
    assert ([key for _, _, key in found], unrouted) == (["b"], 1)


def test_account_that_does_not_open_gets_nothing():
    """One tenant's broken keys stop nobody else's items."""
    first, second = account(1, "page-1"), account(2, "page-2")
    hub = Installation((first, "the-app"), (second, "the-app"))
    hub.broken.add(second.id)
    assert hub.address(first, item("a", "page-2"), item("b", "page-1")) == ([(str(first.id), 1, "b")], 1)


def test_app_of_the_installation_has_no_account_of_its_own():
    """Every item must name one, and that account must accept the call."""
    first = account(1, "page-1")
    found, unrouted = Installation((first, "the-app")).address(None, item("a", "page-1"), item("b"))
    assert (found, unrouted) == ([(str(first.id), 1, "a")], 1)


def test_account_just_connected_is_found_by_its_address():
    """Its reference may not be in the index yet; the address in the call is enough for its own."""
    new = account(5, "page-5")
    assert Installation().address(new, item("a", "page-5"))[0] == [(str(new.id), 1, "a")]


def test_unusable_item_refuses_the_whole_call():
    """Before anything is stored, whomever the item is for."""
    only = account(1, "page-1")
    with pytest.raises(MalformedPayload):
        Installation((only, "the-app")).address(only, item("a"), item("", "page-9"))
