"""Keeps the subscriptions that make Graph call us: one a folder, found by our address, renewed at half their life."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec

from connectors.base import Account, Maintained
from connectors.outlook.errors import NOT_FOUND, failure, is_code
from connectors.outlook.graph import Graph
from hub.errors import ConnectorError, ErrorClass

RESOURCES: Final = ("me/mailFolders('inbox')/messages", "me/mailFolders('sentitems')/messages")
# Below every maximum Microsoft has named for mail; what was granted is read back.
LIFE: Final = timedelta(minutes=4200)
# A subscription that Graph removed is noticed this soon even where its own word for that was lost.
LOOK_EVERY: Final = timedelta(hours=1)
LOOK_SELDOM: Final = timedelta(hours=12)


class Subscription(msgspec.Struct, frozen=True, rename="camel"):
    """One of ours as Graph has it; the secret is never shown."""

    id: str
    resource: str
    expiration_date_time: datetime
    notification_url: str = ""


class _List(msgspec.Struct, frozen=True):
    value: tuple[Subscription, ...] = ()


async def maintain(account: Account, now: datetime) -> Maintained:
    """
    See that Graph tells us of new mail, where it can reach us.

    Args:
        account: ``webhook_url`` is the address it calls.
        now: Aware.

    Raises:
        ConnectorError: Graph cannot be asked, or refuses; ``AUTH`` where only a sign-in helps.
    """
    if not _can_be_called(account):
        return Maintained(next_at=now + LOOK_SELDOM)
    kept = await mend(account, now)
    ends = min(one.expiration_date_time for one in kept)
    settings = {
        "subscriptions": " ".join(sorted(one.id for one in kept)),
        "subscribed_until": ends.astimezone(UTC).isoformat(),
        "subscribed_with": _secret_mark(account),
    }
    changed = {name: value for name, value in settings.items() if account.settings.get(name) != value}
    return Maintained(next_at=now + min(LOOK_EVERY, (ends - now) / 2), settings=changed)


async def mend(account: Account, now: datetime, *, is_asked: bool = False) -> Sequence[Subscription]:
    """
    Make, renew and tidy the account's subscriptions.

    Args:
        account: Whose mailbox, and the secret that notifications repeat.
        now: Aware.
        is_asked: Graph wants every one renewed now.

    Returns:
        One for each of ``RESOURCES``.
    """
    if not _can_be_called(account):
        return ()
    graph = Graph(account)
    listed = await graph.get("/subscriptions", _List)
    ours = [one for one in listed.value if one.notification_url == account.webhook_url]
    if account.settings.get("subscribed_with", _secret_mark(account)) != _secret_mark(account):
        for one in ours:
            await _remove(graph, one)
        ours = []
    kept = []
    for resource in RESOURCES:
        found = [one for one in ours if one.resource.lower() == resource.lower()]
        for double in found[1:]:
            await _remove(graph, double)
        renewed = await _renewed(graph, found[0], now, is_asked=is_asked) if found else None
        kept.append(renewed or await _make(graph, account, resource, now))
    return kept


async def _renewed(graph: Graph, one: Subscription, now: datetime, *, is_asked: bool) -> Subscription | None:
    """Renew one whose life is half over; None when it has gone."""
    if one.expiration_date_time - now > LIFE / 2 and not is_asked:
        return one
    ends = now + LIFE
    try:
        await graph.patch(f"/subscriptions/{quote(one.id, safe='')}", {"expirationDateTime": _moment(ends)})
    except ConnectorError as error:
        if not is_code(error, NOT_FOUND):
            raise
        return None
    return msgspec.structs.replace(one, expiration_date_time=ends)


async def _make(graph: Graph, account: Account, resource: str, now: datetime) -> Subscription:
    """Subscribe; Graph calls us with its handshake before it answers."""
    body = {
        "changeType": "created",
        "notificationUrl": account.webhook_url,
        # Cannot be added later.
        "lifecycleNotificationUrl": account.webhook_url,
        "resource": resource,
        "expirationDateTime": _moment(now + LIFE),
        "clientState": account.credentials.get("client_state", ""),
    }
    try:
        return await graph.post("/subscriptions", body, Subscription)
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.PERMANENT or is_code(error, NOT_FOUND):
            raise
        words = "Microsoft could not subscribe: can it reach this installation's public address over https?"
        raise failure(ErrorClass.RETRYABLE, "not_subscribed", words) from error


async def _remove(graph: Graph, one: Subscription) -> None:
    try:
        await graph.delete(f"/subscriptions/{quote(one.id, safe='')}")
    except ConnectorError as error:
        if not is_code(error, NOT_FOUND):
            raise


def _can_be_called(account: Account) -> bool:
    """Graph calls https only; an emulator calls whatever it is told."""
    return bool(account.base_url) or urlsplit(account.webhook_url).scheme == "https"


def _secret_mark(account: Account) -> str:
    """Tell whether the secret is another than the subscriptions have."""
    return hashlib.sha256(account.credentials.get("client_state", "").encode()).hexdigest()[:16]


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
