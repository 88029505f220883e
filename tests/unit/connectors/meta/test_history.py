"""History of Messenger and Instagram: both ways, as the events they once were, and again from where it stopped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import Account, ParseContext, PolledBatch, WebhookRequest
from connectors.instagram import PRODUCT as INSTAGRAM
from connectors.messenger import PRODUCT as MESSENGER
from connectors.meta import history
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.envelope import Direction, InboundItem
from hub.errors import ConnectorError, ErrorClass
from scripts.emulators.meta import Messaging
from tests.unit.connectors.meta.test_messaging import BOTH, PEOPLE, SETTINGS, control, running

REGISTRY = ConnectorRegistry.load()
NORA = {"messenger": {"id": "7700", "name": "Nora Blom"}, "instagram": {"id": "8800", "username": "nora"}}


def said(vendor: Messaging, channel: str, number: int, days: float, **more: object) -> str:
    at = (clock.now() - timedelta(days=days)).isoformat()
    order = {"person": NORA[channel], "id": f"m_{number:04}", "text": f"text {number}", "at": at}
    vendor.past.add(order | more)
    return f"m_{number:04}"


async def read(channel: str, account: Account, cursor: str | None = None) -> list[PolledBatch]:
    product = MESSENGER if channel == "messenger" else INSTAGRAM
    return [one async for one in history.backfill(account, product, cursor, pace_s=0.0)]


def parse(channel: str, batches: list[PolledBatch]) -> list[InboundItem]:
    connector, now = REGISTRY.get(channel), datetime.now(UTC)
    return [
        item
        for one in batches
        for raw in one.items
        for item in connector.parse(raw.body, ParseContext(received_at=now, key=raw.key, settings={}))
    ]


@BOTH
async def test_both_ways_come_oldest_first_with_names_and_times(channel):
    """What the account said is outbound; the other side is who webhooks call them, with a name."""
    async with running(channel) as (vendor, account):
        said(vendor, channel, 2, 2, ours=True)
        said(vendor, channel, 1, 3)
        said(vendor, channel, 3, 0.5)
        said(vendor, channel, 0, 120)

        items = parse(channel, await read(channel, account))

    who = PEOPLE[channel]
    assert [(item.text, item.direction) for item in items] == [
        ("text 1", Direction.INBOUND), ("text 2", Direction.OUTBOUND), ("text 3", Direction.INBOUND),
    ]  # fmt: skip
    assert {(one.sender.scheme, one.sender.value) for one in items if one.sender} == {(who.scheme, who.value)}
    assert {one.sender.display_name for one in items if one.sender} <= {"Nora Blom", "nora"}
    assert {one.sender.scope for one in items if one.sender} == set(SETTINGS[channel].values()) - {"instagram"}
    assert round((clock.now() - items[0].occurred_at) / timedelta(days=1), 1) == 3.0


@BOTH
async def test_what_webhooks_brought_has_the_same_key(channel):
    """A message that came both ways is there once."""
    async with running(channel) as (vendor, account):
        mid = said(vendor, channel, 1, 1)
        (batch,) = await read(channel, account)
        ours = account.settings["page_id" if channel == "messenger" else "instagram_id"]
        event = {"sender": {"id": NORA[channel]["id"]}, "recipient": {"id": ours}, "timestamp": 1795348800000}
        call = vendor.call_of([event | {"message": {"mid": mid, "text": "text 1"}}], "right")
    request = WebhookRequest(
        method="POST", url="https://x.example/", headers=call.headers, body=call.body, received_at=datetime.now(UTC)
    )
    (live,) = REGISTRY.get(channel).split(request)
    assert [(raw.key, raw.account_ref) for raw in batch.items] == [(live.key, live.account_ref)]


@BOTH
async def test_files_keep_their_addresses(channel):
    """A picture, a film and any other file, as events have them."""
    files = [
        {"mime_type": "image/jpeg", "image_data": {"url": "https://scontent.example/a.jpg"}},
        {"mime_type": "video/mp4", "video_data": {"url": "https://scontent.example/b.mp4"}},
        {"mime_type": "application/pdf", "name": "c.pdf", "file_url": "https://scontent.example/c.pdf"},
    ]
    async with running(channel) as (vendor, account):
        said(vendor, channel, 1, 1, text="", attachments=files)
        (item,) = parse(channel, await read(channel, account))
    assert [(one.kind, one.ref[-5:]) for one in item.attachments] == [
        ("image", "a.jpg"), ("video", "b.mp4"), ("file", "c.pdf"),
    ]  # fmt: skip


@BOTH
async def test_pages_are_followed_and_reading_goes_on_from_its_cursor(channel):
    """Many conversations and many messages; a second reading begins after the last conversation that is safe."""
    async with running(channel) as (vendor, account):
        for person in range(60):
            for number in range(2 if person else 70):
                name = {"id": str(9000 + person), "name": f"Person {person}"}
                said(vendor, channel, person * 100 + number, 1 + number / 1000, person=name)
        batches = await read(channel, account)
        rest = await read(channel, account, batches[57].cursor)

    assert (len(batches), sum(len(one.items) for one in batches)) == (60, 70 + 59 * 2)
    assert [one.cursor for one in rest] == [one.cursor for one in batches[58:]]
    assert rest[-1].progress == batches[-1].progress
    assert batches[-1].progress is not None
    assert batches[-1].progress.what == "Messages; conversation 60 of 60"


@BOTH
async def test_refusals_are_told_and_a_lost_conversation_is_passed_over(channel):
    """An ended token asks for a sign-in; too many questions are waited for; where nothing can be read, it is said."""
    async with running(channel) as (vendor, account):
        said(vendor, channel, 1, 1)
        await control(account, "next", answers=[{"kind": "throttle", "retry_after": 7}])
        with pytest.raises(ConnectorError) as caught:
            await read(channel, account)
        assert (caught.value.info.klass, caught.value.info.retry_after_s) == (ErrorClass.RATE_LIMITED, 7)

        gone = {"error": {"message": "Unsupported get request.", "code": 100, "fbtrace_id": "x"}}
        refusal = {"kind": "status", "status": 400, "body": gone, "path": "/messages"}
        await control(account, "next", answers=[refusal])
        with pytest.raises(ConnectorError):
            await read(channel, account)

        said(vendor, channel, 2, 1, person={"id": "9999", "name": "Later"})
        names = sorted(["t_9999", f"t_{NORA[channel]['id']}"])
        await control(account, "next", answers=[refusal | {"path": names[1]}])
        assert [len(one.items) for one in await read(channel, account)] == [1, 0]

        vendor.token = "another"
        with pytest.raises(ConnectorError) as caught:
            await read(channel, account)
        assert caught.value.info.klass is ErrorClass.AUTH
