"""
History of Messenger and Instagram: the emulator refuses what Meta does not document, and our requests fit it.

The connector and the emulator meet over loopback here; ``tests/acceptance/test_channels.py`` puts the whole hub between.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import msgspec
import pytest

from connectors.base import Account, Limit, ParseContext, PolledBatch, WebhookRequest
from connectors.instagram import PRODUCT as INSTAGRAM
from connectors.messenger import PRODUCT as MESSENGER
from connectors.meta import history
from connectors.meta.product import Product
from connectors.registry import ConnectorRegistry
from hub.envelope import Direction, InboundItem
from hub.errors import ConnectorError, ErrorClass
from scripts.emulators.http1 import listen
from scripts.emulators.instagram import INSTAGRAM_ID
from scripts.emulators.messenger import PAGE_ID
from scripts.emulators.meta import SECRET, TOKEN, Messaging

REGISTRY = ConnectorRegistry.load()
PRODUCTS = {"messenger": MESSENGER, "instagram": INSTAGRAM}
OURS = {"messenger": PAGE_ID, "instagram": INSTAGRAM_ID}
SETTINGS = {"messenger": {"page_id": PAGE_ID}, "instagram": {"instagram_id": INSTAGRAM_ID, "login": "instagram"}}
PERSON = "7700112233445566"
BOTH = pytest.mark.parametrize("channel", ["messenger", "instagram"])


@contextlib.asynccontextmanager
async def running(channel: str, **settings: str) -> AsyncIterator[tuple[Messaging, Account]]:
    vendor = Messaging("page" if channel == "messenger" else "instagram", OURS[channel])
    async with listen(vendor.handle, 0) as listener:
        yield (
            vendor,
            Account(
                id="1",
                workspace_id=1,
                credentials={"access_token": TOKEN, "client_secret": SECRET},
                settings=SETTINGS[channel] | settings,
                webhook_url=f"https://hub.example.com/webhooks/{channel}/1",
                base_url=f"http://127.0.0.1:{listener.port}",
            ),
        )


def ago(**how: float) -> str:
    """Write a moment as the Graph API does."""
    return (datetime.now(UTC) - timedelta(**how)).strftime("%Y-%m-%dT%H:%M:%S+0000")


def said(
    channel: str, mid: str, at: str, text: str = "", *, person: str = PERSON, by_us: bool = False, **more: Any
) -> dict[str, Any]:
    """Write a message as the Conversations API tells it."""
    named = "name" if channel == "messenger" else "username"
    them, us = {"id": person, named: "Nadia Brandt"}, {"id": OURS[channel], named: "Northwind"}
    sender, recipient = (us, them) if by_us else (them, us)
    return {"id": mid, "created_time": at, "from": sender, "to": {"data": [recipient]}, "message": text} | more


def keep(vendor: Messaging, name: str, *messages: dict[str, Any]) -> None:
    newest = max(one["created_time"] for one in messages)
    vendor.past.conversations_by_id[name] = {"id": name, "updated_time": newest, "messages": list(messages)}


async def bring_in(
    account: Account, product: Product, cursor: str | None = None, *, most: int = 1000, limits: tuple[Limit, ...] = ()
) -> tuple[list[InboundItem], list[PolledBatch]]:
    """Read history as the hub does, at most so many batches; returns the items it is read as, and the batches."""
    items: list[InboundItem] = []
    batches: list[PolledBatch] = []
    reading = history.backfill(account, cursor, product, {history.LIMIT: limits})
    async with contextlib.aclosing(cast("AsyncGenerator[PolledBatch, None]", reading)) as read:
        async for batch in read:
            for raw in batch.items:
                context = ParseContext(received_at=datetime.now(UTC), key=raw.key, settings=account.settings)
                items += REGISTRY.get(product.channel).parse(raw.body, context)
            batches.append(batch)
            if len(batches) == most:
                break
    return items, batches


def refusals(vendor: Messaging) -> list[str]:
    return [one["refused"] for one in vendor.requests if "refused" in one]


# ── the emulator is strict ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "token", "code"),
    [
        ({"platform": "messenger", "fields": "id,updated_time"}, TOKEN, None),
        ({"platform": "messenger", "fields": "id,updated_time,mood"}, TOKEN, 100),
        ({"platform": "instagram"}, TOKEN, 100),
        ({}, TOKEN, 100),
        ({"platform": "messenger", "limit": "500"}, TOKEN, 100),
        ({"platform": "messenger", "after": "nonsense"}, TOKEN, 100),
        ({"platform": "messenger", "folder": "inbox"}, TOKEN, 100),
        ({"platform": "messenger", "appsecret_proof": "00"}, TOKEN, 100),
        ({"platform": "messenger"}, "", 190),
        ({"platform": "messenger"}, "another", 190),
    ],
    ids=str,
)
async def test_spoilt_question_about_conversations_is_refused(query: Mapping[str, str], token: str, code: int | None):
    """An unknown field or parameter, another platform, no token or a wrong one: Meta's code for it."""
    async with running("messenger") as (_, account), httpx.AsyncClient(trust_env=False) as client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        answer = await client.get(
            f"{account.base_url}/v23.0/{PAGE_ID}/conversations", params=dict(query), headers=headers
        )
    assert answer.json().get("error", {}).get("code") == code


# ── our requests, and what becomes of the answers ───────────────────────────────────────────────────────────────────


@BOTH
async def test_history_comes_with_both_sides_oldest_first_and_progress(channel):
    """Pages of conversations and of messages; ours are outbound; the end is told, and nothing was refused."""
    async with running(channel) as (vendor, account):
        long = [said(channel, f"m_L{n:02}", ago(days=2, minutes=-n), f"line {n}", by_us=n % 2 == 1) for n in range(18)]
        keep(vendor, "t_long", *long)
        for n in range(27):
            person = f"88{n:03}"
            keep(vendor, f"t_{n:02}", said(channel, f"m_S{n}", ago(days=3, minutes=n), "short", person=person))
        items, batches = await bring_in(account, PRODUCTS[channel])

    assert refusals(vendor) == []
    assert {one["query"].get("appsecret_proof", "") != "" for one in vendor.requests} == {True}
    of_long = [one for one in items if one.thread_key == PERSON]
    assert [one.text for one in of_long] == [f"line {n}" for n in range(18)]
    assert [one.direction for one in of_long] == [Direction.INBOUND, Direction.OUTBOUND] * 9
    assert len({one.thread_key for one in items}) == 28
    assert batches[-1].progress is not None
    assert (batches[-1].progress.done, batches[-1].progress.what) == (45, "messages")
    named = "Nadia Brandt" if channel == "messenger" else None
    assert {one.sender.display_name for one in items if one.sender} == {named}


async def test_messenger_tells_whole_conversations_and_instagram_the_newest_messages():
    """Of Instagram's older messages there are ids alone, which are passed over."""
    found = {}
    for channel in ("messenger", "instagram"):
        async with running(channel) as (vendor, account):
            keep(vendor, "t_1", *[said(channel, f"m_{n:02}", ago(minutes=100 - n), str(n)) for n in range(50)])
            found[channel] = [one.text for one in (await bring_in(account, PRODUCTS[channel]))[0]]
            assert refusals(vendor) == []
    assert found == {"messenger": [str(n) for n in range(50)], "instagram": [str(n) for n in range(30, 50)]}


@BOTH
async def test_only_the_days_asked_for_are_read(channel):
    """Neither what is older, nor what came after reading began: that comes by webhook."""
    async with running(channel, history_days="7") as (vendor, account):
        keep(vendor, "t_1", *[said(channel, f"m_{days}", ago(days=days), f"{days} days") for days in (1, 6, 8, 40)])
        keep(vendor, "t_2", said(channel, "m_old", ago(days=20), "old", person="9900"))
        keep(vendor, "t_3", said(channel, "m_new", ago(minutes=-5), "new", person="9901"))
        items, _ = await bring_in(account, PRODUCTS[channel])
    assert [one.text for one in items] == ["6 days", "1 days"]
    assert not [one for one in vendor.requests if "t_2" in one["path"]]


@BOTH
async def test_reading_goes_on_from_its_cursor(channel):
    """After a stop no conversation that was brought in is asked about again; one that was not, is."""
    async with running(channel) as (vendor, account):
        for n in range(30):
            keep(vendor, f"t_{n:02}", said(channel, f"m_{n:02}", ago(hours=n + 1), str(n), person=f"88{n:03}"))
        first, batches = await bring_in(account, PRODUCTS[channel], most=3)
        vendor.requests.clear()
        rest, more = await bring_in(account, PRODUCTS[channel], batches[-1].cursor)
        asked = [one["path"] for one in vendor.requests if one["path"].endswith("/messages")]
        _, again = await bring_in(account, PRODUCTS[channel], more[-1].cursor)
    assert [one.text for one in (*first, *rest)] == [str(n) for n in range(30)]
    assert len(asked) == 27
    assert more[-1].progress is not None
    assert more[-1].progress.done == 30
    assert sum(len(one.items) for one in again) == 0
    assert TOKEN not in "".join(one.cursor for one in (*batches, *more))


@BOTH
async def test_cursor_that_has_ended_begins_anew(channel):
    """Meta's cursors are good for a while; what comes twice has the same keys."""
    async with running(channel) as (vendor, account):
        keep(vendor, "t_1", said(channel, "m_1", ago(days=1), "hello"))
        cursor = {"until": datetime.now(UTC).isoformat(), "page": "nonsense", "read": ["t_9"], "done": 5}
        items, batches = await bring_in(account, PRODUCTS[channel], json.dumps(cursor))
    assert [one.external_id for one in items] == ["m_1"]
    assert batches[-1].progress is not None
    assert batches[-1].progress.done == 1


@BOTH
async def test_message_of_history_is_the_one_its_webhook_call_brought(channel):
    """The same key and the same id at the vendor, whichever came first: the hub keeps one row."""
    ids = ("m_1", "m_2")
    async with running(channel) as (vendor, account):
        at = ago(days=1)
        keep(vendor, "t_1", *[said(channel, mid, at, "hello", by_us=mid == "m_2") for mid in ids])
        past, _ = await bring_in(account, PRODUCTS[channel])
        at_ms = int(datetime.fromisoformat(at).timestamp() * 1000)
        them, us = {"id": PERSON}, {"id": OURS[channel]}
        events = [
            {"sender": them, "recipient": us, "timestamp": at_ms, "message": {"mid": "m_1", "text": "hello"}},
            {
                "sender": us,
                "recipient": them,
                "timestamp": at_ms,
                "message": {"mid": "m_2", "text": "hello", "is_echo": True},
            },
        ]
        call = vendor.call_of(events, "right")
    connector = REGISTRY.get(channel)
    assert connector.split is not None
    request = WebhookRequest(
        method="POST", url="/", headers=call.headers, body=call.body, received_at=datetime.now(UTC)
    )
    live = [
        item
        for raw in connector.split(request)
        for item in connector.parse(raw.body, ParseContext(received_at=request.received_at, key=raw.key, settings={}))
    ]
    unnamed = [
        msgspec.structs.replace(one, sender=msgspec.structs.replace(one.sender, display_name=None))
        for one in past
        if one.sender
    ]
    assert sorted(unnamed, key=lambda one: one.key) == sorted(live, key=lambda one: one.key)


@BOTH
@pytest.mark.parametrize("code", [4, 17, 32, 613])
async def test_throttle_stops_reading_where_it_is(channel, code):
    """Meta's four codes for too many calls are one class, with its pause; what was read stays read."""
    async with running(channel) as (vendor, account):
        for n in range(3):
            keep(vendor, f"t_{n}", said(channel, f"m_{n}", ago(hours=n + 1), str(n), person=f"88{n:03}"))
        throttle = {"kind": "throttle", "code": code, "retry_after": 9, "path": "t_1/messages"}
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.post(f"{account.base_url}/_control", json={"op": "next", "answers": [throttle]})
        _, batches = await bring_in(account, PRODUCTS[channel], most=1)
        with pytest.raises(ConnectorError) as caught:
            await bring_in(account, PRODUCTS[channel], batches[-1].cursor)
        rest, _ = await bring_in(account, PRODUCTS[channel], batches[-1].cursor)
    assert (caught.value.info.klass, caught.value.info.retry_after_s) == (ErrorClass.RATE_LIMITED, 9.0)
    assert [one.text for one in rest] == ["1", "2"]


@BOTH
async def test_one_conversation_that_is_refused_stands_before_no_other(channel):
    """It is passed over; where none can be read, that is said."""
    refusal = {"kind": "status", "status": 400, "body": {"error": {"code": 100, "message": "gone"}}}
    async with running(channel) as (vendor, account), httpx.AsyncClient(trust_env=False) as client:
        for n in range(2):
            keep(vendor, f"t_{n}", said(channel, f"m_{n}", ago(hours=n + 1), str(n), person=f"88{n:03}"))
        control = f"{account.base_url}/_control"
        await client.post(control, json={"op": "next", "answers": [refusal | {"path": "t_0/"}]})
        items, _ = await bring_in(account, PRODUCTS[channel])
        both = [refusal | {"path": f"t_{n}/"} for n in range(2)]
        await client.post(control, json={"op": "next", "answers": both})
        with pytest.raises(ConnectorError):
            await bring_in(account, PRODUCTS[channel])
    assert [one.text for one in items] == ["1"]


@BOTH
async def test_lost_answer_may_be_asked_again_and_a_withdrawn_token_asks_a_person(channel):
    """Reading changes nothing: what is unclear is merely asked again."""
    async with running(channel) as (vendor, account), httpx.AsyncClient(trust_env=False) as client:
        keep(vendor, "t_1", said(channel, "m_1", ago(days=1), "hello"))
        await client.post(f"{account.base_url}/_control", json={"op": "next", "answers": [{"kind": "html"}]})
        with pytest.raises(ConnectorError) as lost:
            await bring_in(account, PRODUCTS[channel])
        vendor.token = "another"
        with pytest.raises(ConnectorError) as withdrawn:
            await bring_in(account, PRODUCTS[channel])
    assert (lost.value.info.klass, withdrawn.value.info.klass) == (ErrorClass.RETRYABLE, ErrorClass.AUTH)


async def test_requests_keep_the_manifests_pace():
    """No two stand closer than the limit says; the manifests stay below Meta's two a second."""
    for channel in PRODUCTS:
        (limit,) = REGISTRY.get(channel).manifest.limits[history.LIMIT]
        assert limit.rate / limit.per_s < 2
        assert limit.burst == 1
    async with running("messenger") as (vendor, account):
        for n in range(4):
            keep(vendor, f"t_{n}", said("messenger", f"m_{n}", ago(hours=n + 1), str(n), person=f"88{n:03}"))
        before = time.monotonic()
        await bring_in(account, MESSENGER, limits=(Limit(rate=10.0, per_s=1.0, burst=1),))
        took_s = time.monotonic() - before
    at = [one["at_s"] for one in vendor.requests]
    assert len(at) == 5
    assert took_s >= 0.4
    assert min(later - earlier for earlier, later in itertools.pairwise(at)) > 0.05


async def test_channel_is_wired_to_its_history_and_asks_the_page_of_an_instagram_account():
    """With Facebook login the token is a page's: Meta is asked about what the token opens."""
    async with running("instagram", login="facebook") as (vendor, account):
        keep(vendor, "t_1", said("instagram", "m_1", ago(days=1), "hello"))
        backfill = REGISTRY.get("instagram").backfill
        assert backfill is not None
        found = [raw.key async for batch in backfill(account, None) for raw in batch.items]
    assert found == ["m_1"]
    assert vendor.requests[0]["path"] == "/v23.0/me/conversations"
