"""
History from Twilio's list, of SMS and WhatsApp: both ways, oldest first, once, with files by their addresses.

The connectors and the emulator meet over loopback; the emulator takes only the filters that Twilio publishes.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import pytest

from connectors.base import Account, Connector, ParseContext, PolledBatch, RawItem
from connectors.twilio_sms import CONNECTOR as SMS
from connectors.whatsapp_twilio import CONNECTOR as WHATSAPP
from hub.envelope import DeliveryStatus, Direction, InboundItem, ItemKind
from hub.errors import ConnectorError, ErrorClass
from scripts.emulators.http1 import listen
from scripts.emulators.twilio import Emulator

SID, TOKEN, NUMBER, SERVICE = "AC" + "0" * 32, "token", "+15559870002", "MG" + "0" * 31 + "1"
NADIA, OMAR = "+15551230001", "+15551230002"
HOUR_S, DAY_S = 3600, 86_400

both = pytest.mark.parametrize(("connector", "prefix"), [(SMS, ""), (WHATSAPP, "whatsapp:")], ids=["sms", "whatsapp"])


@contextlib.asynccontextmanager
async def running(prefix: str, **settings: str) -> AsyncIterator[tuple[Emulator, Account]]:
    vendor = Emulator(SID, TOKEN, [prefix + NUMBER], [SERVICE])
    async with listen(vendor.handle) as listener:
        yield (
            vendor,
            Account(
                id="0190b0a0-0000-7000-8000-0000000000aa",
                workspace_id=1,
                credentials={"account_sid": SID, "auth_token": TOKEN},
                settings={"phone_number": NUMBER, "bring_in_history": "true", "history_days": "5"} | settings,
                webhook_url="https://hub.example.com/webhooks/twilio/1",
                base_url=f"http://127.0.0.1:{listener.port}",
            ),
        )


def theirs(prefix: str, text: str, age_s: float, **more: Any) -> dict[str, object]:
    return {"from": prefix + NADIA, "to": prefix + NUMBER, "body": text, "age_s": age_s} | more


def ours(prefix: str, text: str, age_s: float, **more: Any) -> dict[str, object]:
    sent = {"from": prefix + NUMBER, "to": prefix + NADIA, "direction": "outbound-api", "status": "delivered"}
    return sent | {"body": text, "age_s": age_s} | more


async def read(
    connector: Connector, account: Account, cursor: str | None = None, most: int = 1000
) -> tuple[list[PolledBatch], list[InboundItem]]:
    """Read history as the hub does, at most so many batches."""
    batches: list[PolledBatch] = []
    assert connector.backfill is not None
    polled = cast("AsyncGenerator[PolledBatch, None]", connector.backfill(account, cursor))
    async with contextlib.aclosing(polled):
        async for batch in polled:
            batches.append(batch)
            if len(batches) == most:
                break
    return batches, [item for batch in batches for raw in batch.items for item in parse(connector, account, raw)]


def parse(connector: Connector, account: Account, raw: RawItem) -> list[InboundItem]:
    return list(
        connector.parse(raw.body, ParseContext(received_at=datetime.now(UTC), key=raw.key, settings=account.settings))
    )


def asked(vendor: Emulator, ending: str = "/Messages.json") -> list[dict[str, str]]:
    return [dict(one["query"]) for one in vendor.requests if str(one["path"]).endswith(ending)]  # type: ignore[call-overload]


@both
async def test_both_sides_come_oldest_first_at_their_own_times(connector: Connector, prefix: str):
    """Within the days asked for; ours as outbound with how far they came, and nothing of other numbers or channels."""
    other = "" if prefix else "whatsapp:"
    async with running(prefix) as (vendor, account):
        for one in (
            theirs(prefix, "too old", 5 * DAY_S + HOUR_S),
            theirs(prefix, "first", 4 * DAY_S),
            ours(prefix, "second", 4 * DAY_S - HOUR_S, status="read" if prefix else "delivered"),
            ours(prefix, "fourth", HOUR_S, status="undelivered", error_code=30003),
            theirs(prefix, "third", 2 * DAY_S),
            ours(prefix, "fifth", HOUR_S / 2, status="sent"),
            theirs(other, "another channel", DAY_S),
            theirs(prefix, "another number", DAY_S, to=f"{prefix}+15550009999"),
            ours(prefix, "never sent", HOUR_S, status="canceled"),
        ):
            vendor.lists.add(one)
        batches, items = await read(connector, account)

    said = [one for one in items if one.kind is ItemKind.MESSAGE]
    assert [one.text for one in said] == ["first", "second", "third", "fourth", "fifth"]
    assert [one.direction is Direction.OUTBOUND for one in said] == [False, True, False, True, True]
    assert {one.sender.value for one in said if one.sender} == {NADIA}
    ages_s = [(datetime.now(UTC) - one.occurred_at).total_seconds() for one in said]
    assert ages_s == pytest.approx([4 * DAY_S, 4 * DAY_S - HOUR_S, 2 * DAY_S, HOUR_S, HOUR_S / 2], abs=10)
    receipts = {one.target_external_id: one.receipt for one in items if one.receipt is not None}
    states = [receipts[one.external_id].status for one in said if one.external_id in receipts]
    assert states == [DeliveryStatus.READ if prefix else DeliveryStatus.DELIVERED, DeliveryStatus.FAILED]
    progress = [(one.progress.done, one.progress.total) for one in batches if one.progress]
    assert progress[0][0] <= 1
    assert progress[-1] == (5, 5)
    assert all(
        set(one) == {"DateSent<", "DateSent>", "PageSize"} | ({"To"} if "To" in one else {"From"})
        for one in asked(vendor)
    )


@both
async def test_listed_message_is_the_one_that_a_call_brought(connector: Connector, prefix: str):
    """The same key, id and person as the webhook's, so that one of them is a double."""
    sid = "SM" + "a" * 32
    form = f"MessageSid={sid}&SmsStatus=received&NumMedia=0&AccountSid={SID}&Body=Hi"
    form += f"&From={(prefix + NADIA).replace('+', '%2B')}&To={(prefix + NUMBER).replace('+', '%2B')}"
    async with running(prefix) as (vendor, account):
        vendor.lists.add(theirs(prefix, "Hi", HOUR_S, sid=sid))
        _, (listed,) = await read(connector, account)
    (called,) = parse(connector, account, RawItem(key=sid, body=form.encode()))

    same = ("kind", "key", "external_id", "thread_key", "sender", "text", "direction")
    assert [getattr(listed, one) for one in same] == [getattr(called, one) for one in same]


@both
async def test_files_are_named_by_their_address_and_can_be_fetched(connector: Connector, prefix: str):
    """Asked for only where a message has any; Twilio's addresses, which the account's keys open."""
    async with running(prefix) as (vendor, account):
        path = vendor.media.add(b"\x89PNG picture", "image/png")
        vendor.lists.add(theirs(prefix, "", HOUR_S, media=[{"path": path, "content_type": "image/png"}]))
        vendor.lists.add(theirs(prefix, "text", 2 * HOUR_S))
        _, items = await read(connector, account)
        (file,) = items[1].attachments

        async def nothing() -> bytes:
            return b""

        assert connector.fetch is not None
        content = b"".join([piece async for piece in connector.fetch(account, file, nothing)])

    assert (file.ref, file.mime, file.kind) == (account.base_url + path, "image/png", "image")
    assert content == b"\x89PNG picture"
    assert len(asked(vendor, "/Media.json")) == 1


@both
async def test_history_goes_on_where_it_stopped_page_by_page(connector: Connector, prefix: str):
    """More than a page in a day; after a break nothing is missing, and what comes twice has the same key."""
    async with running(prefix) as (vendor, account):
        for number in range(230):
            vendor.lists.add(theirs(prefix, f"line {number}", DAY_S - number))
        vendor.lists.add(ours(prefix, "first", 4 * DAY_S))
        begun, first = await read(connector, account, most=7)
        vendor.requests.clear()
        rest, items = await read(connector, account, begun[-1].cursor)

    texts = [one.text for one in (*first, *items) if one.kind is ItemKind.MESSAGE]
    assert list(dict.fromkeys(texts)) == ["first", *(f"line {number}" for number in range(230))]
    assert len({one.key for one in items if one.kind is ItemKind.MESSAGE}) < 231
    assert any("PageToken" in one for one in asked(vendor))
    assert rest[-1].progress is not None
    assert max(len(one.items) for one in (*begun, *rest)) <= 50


@both
async def test_service_brings_what_went_over_any_of_its_numbers(connector: Connector, prefix: str):
    """Twilio chose the sender; what is of no number and of no service of ours is passed over."""
    elsewhere = f"{prefix}+15550009999"
    async with running(prefix, messaging_service_sid=SERVICE) as (vendor, account):
        vendor.lists.add(ours(prefix, "by service", 2 * HOUR_S) | {"from": elsewhere, "messaging_service_sid": SERVICE})
        vendor.lists.add(theirs(prefix, "to service", HOUR_S) | {"to": elsewhere, "messaging_service_sid": SERVICE})
        vendor.lists.add(theirs(prefix, "to us", HOUR_S / 2))
        vendor.lists.add(theirs(prefix, "to others", HOUR_S) | {"to": elsewhere})
        _, items = await read(connector, account)

    assert [one.text for one in items if one.kind is ItemKind.MESSAGE] == ["by service", "to service", "to us"]


@both
async def test_refusal_is_said_in_our_words_and_the_cursor_stays(connector: Connector, prefix: str):
    """Wrong keys are AUTH; a cursor that is none, or of another number, begins anew."""
    async with running(prefix) as (vendor, account):
        vendor.lists.add(theirs(prefix, "Hi", HOUR_S))
        batches, _ = await read(connector, account)
        wrong = msgspec.structs.replace(account, credentials={"account_sid": SID, "auth_token": "wrong"})
        with pytest.raises(ConnectorError) as refused:
            await read(connector, wrong)
        moved = msgspec.structs.replace(account, settings={**account.settings, "phone_number": "+15550000000"})
        done, nothing = await read(connector, account, batches[-1].cursor)
        again, items = await read(connector, account, "{")
        elsewhere, _ = await read(connector, moved, batches[-1].cursor)

    assert refused.value.info.klass is ErrorClass.AUTH
    assert (done, nothing) == ([], [])
    assert [one.text for one in items] == ["Hi"]
    assert len(elsewhere) >= 5
    assert again[-1].progress == elsewhere[-1].progress
