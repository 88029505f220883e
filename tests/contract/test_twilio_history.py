"""History of Twilio's numbers: both ways, oldest first, a day at a time, and again from where it stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import Account, Connector, ParseContext, PolledBatch
from connectors.twilio.history import REACHES_BACK_DAYS
from connectors.twilio_sms import CONNECTOR as SMS
from connectors.whatsapp_twilio import CONNECTOR as WHATSAPP
from hub import clock
from hub.envelope import Direction, InboundItem
from hub.errors import ConnectorError, ErrorClass, MalformedPayload
from scripts.emulators.http1 import listen
from scripts.emulators.twilio import Emulator

SID, TOKEN, NUMBER, NORA = "AC" + "0" * 32, "token", "+15559870002", "+15551230001"


@dataclass
class Past:
    """An account with a past at the emulator, as one of the two channels."""

    connector: Connector
    prefix: str
    emulator: Emulator
    account: Account

    def said(self, text: str, days: float, *, ours: bool = False, **more: object) -> str:
        ends = (self.prefix + NUMBER, self.prefix + NORA)
        sender, recipient = ends if ours else ends[::-1]
        at = clock.now() - timedelta(days=days)
        order = {"from": sender, "to": recipient, "body": text, "at": at.isoformat()} | more
        return str(self.emulator.past.add(order | ({"direction": "outbound-api"} if ours else {}))["sid"])

    async def read(self, cursor: str | None = None) -> list[PolledBatch]:
        assert self.connector.backfill is not None
        return [one async for one in self.connector.backfill(self.account, cursor)]

    def parse(self, batches: list[PolledBatch]) -> list[InboundItem]:
        now = datetime.now(UTC)
        contexts = [
            (raw, ParseContext(received_at=now, key=raw.key, settings={})) for one in batches for raw in one.items
        ]
        return [item for raw, context in contexts for item in self.connector.parse(raw.body, context)]


@pytest.fixture(params=[(SMS, ""), (WHATSAPP, "whatsapp:")], ids=["sms", "whatsapp"])
async def past(request) -> AsyncIterator[Past]:
    connector, prefix = request.param
    emulator = Emulator(SID, TOKEN, [prefix + NUMBER], [])
    async with listen(emulator.handle) as listener:
        account = Account(
            id="1",
            workspace_id=1,
            credentials={"account_sid": SID, "auth_token": TOKEN},
            settings={"phone_number": NUMBER},
            webhook_url="https://hub.example.com/webhooks/x/1",
            base_url=f"http://127.0.0.1:{listener.port}",
        )
        yield Past(connector, prefix, emulator, account)


async def test_both_ways_come_oldest_first_with_their_times(past: Past):
    """What came in has the key of its call, so that it is there once; what was sent is ours."""
    past.said("Hello?", 3)
    past.said("Hello!", 2.9, ours=True)
    newest = past.said("Where is it?", 0)
    past.said("too old", REACHES_BACK_DAYS + 2)

    batches = await past.read()
    items = past.parse(batches)

    assert [(item.text, item.direction) for item in items] == [
        ("Hello?", Direction.INBOUND), ("Hello!", Direction.OUTBOUND), ("Where is it?", Direction.INBOUND),
    ]  # fmt: skip
    assert {item.thread_key for item in items} == {NORA}
    assert {(item.sender.scheme, item.sender.value) for item in items if item.sender} == {("phone", NORA)}
    assert [round((clock.now() - item.occurred_at) / timedelta(days=1), 1) for item in items] == [3.0, 2.9, 0.0]
    assert [raw.key for one in batches for raw in one.items if raw.key == newest] == [newest]
    assert len({item.external_id for item in items}) == 3
    assert batches[-1].progress is not None
    assert (batches[-1].progress.done, batches[-1].progress.what) == (
        3,
        f"Messages; day {REACHES_BACK_DAYS + 1} of {REACHES_BACK_DAYS + 1}",
    )


async def test_reading_goes_on_from_its_cursor(past: Past):
    """Days that were read are not asked for again, and the count goes on."""
    past.said("old", 5)
    past.said("new", 1)
    batches = await past.read()
    cut = next(number for number, one in enumerate(batches) if one.items)
    past.emulator.requests.clear()

    rest = await past.read(batches[cut].cursor)

    assert [item.text for item in past.parse(rest)] == ["new"]
    assert len(past.emulator.requests) == 2 * (len(batches) - cut - 1)
    assert rest[-1].progress == batches[-1].progress


async def test_more_than_a_page_of_one_day_is_read(past: Past):
    """The next page has the same filters; nothing is left out or comes twice."""
    at = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for number in range(620):
        past.said(str(number), 0, at=(at + timedelta(seconds=number)).isoformat())
    items = past.parse(await past.read())
    assert [item.text for item in items] == [str(number) for number in range(620)]


async def test_what_nobody_got_and_other_channels_are_left_out(past: Past):
    """A failed message is no part of a conversation; the same number's other channel is another account's."""
    past.said("failed", 1, ours=True, status="undelivered")
    other = "" if past.prefix else "whatsapp:"
    past.said("elsewhere", 1, **{"from": other + NORA})
    assert past.parse(await past.read()) == []


async def test_files_are_named_as_in_calls(past: Past):
    """By the address Twilio's calls have, so that they are fetched with the same keys from the same place."""
    path = past.emulator.media.add(b"\xff\xd8photo", "image/jpeg")
    past.said("", 1, media=[{"path": path, "content_type": "image/jpeg"}])
    (item,) = past.parse(await past.read())
    assert [(one.ref, one.kind, one.mime) for one in item.attachments] == [
        (f"https://api.twilio.com{path}", "image", "image/jpeg")
    ]


async def test_refused_keys_ask_for_a_sign_in(past: Past):
    """Whoever reads history is told as whoever sends is."""
    past.emulator.auth_token = "another"
    with pytest.raises(ConnectorError) as caught:
        await past.read()
    assert caught.value.info.klass is ErrorClass.AUTH


@pytest.mark.parametrize("said", ["yesterday", "2026-11-23T10:00:00", "0001-01-01T00:00:00+00:00"])
async def test_odd_time_of_an_item_is_malformed(past: Past, said):
    """A parser never lets another error out."""
    past.said("x", 1)
    (raw,) = [raw for one in await past.read() for raw in one.items]
    odd = raw.body.replace(raw.body.split(b"hub.at=")[1].split(b"&")[0], said.encode())
    with pytest.raises(MalformedPayload):
        past.connector.parse(odd, ParseContext(received_at=datetime.now(UTC), key="k", settings={}))
