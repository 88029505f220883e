"""The emulator is as strict as LinkedIn, and the connector gets along with it: sign in, read, send, look for what was lost."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from connectors.base import Account, OAuthApp, ParseContext
from connectors.linkedin import CONNECTOR, client
from connectors.linkedin.api import Asking, ask_linkedin
from connectors.linkedin.reading import PAGE_SIZE, backfill, poll, read_new, read_since
from connectors.linkedin.signin import authorize_url, exchange, renew
from hub.envelope import Identity, OutboundMessage
from hub.errors import ConnectorError, ErrorClass
from scripts.emulators.http1 import listen
from scripts.emulators.linkedin import CLIENT_ID, CLIENT_SECRET, OWNER, LinkedIn, event_of
from scripts.emulators.vendor import Delivery

REDIRECT = "https://hub.example.com/connect/linkedin/callback"
ANN = "urn:li:person:ann-7"
THREAD = "urn:li:messagingThread:2-abc"
PRODUCTS = ["none", "messages_api", "member_portability"]


def make_app(base_url: str, product: str) -> OAuthApp:
    return OAuthApp(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        base_url=base_url,
        redirect_uri=REDIRECT,
        settings={"product": product},
    )


@contextlib.asynccontextmanager
async def running(product: str = "messages_api"):
    """Give the emulator in this process and an account that signed in there."""
    vendor = LinkedIn(product)
    async with listen(vendor.handle) as listener:
        app = make_app(f"http://127.0.0.1:{listener.port}", product)
        async with httpx.AsyncClient(trust_env=False) as browser:
            answer = await browser.get(authorize_url(app, "s" * 22, "", app.settings))
        assert answer.status_code == 302, answer.text
        code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
        granted = await exchange(app, code, "")
        account = Account(
            id="1",
            workspace_id=1,
            credentials=dict(granted.credentials),
            settings={"product": product, "poll_every_s": "0", **granted.settings},
            webhook_url="",
            base_url=app.base_url,
        )
        yield vendor, account, granted


def make_event(key: str, text: str = "Hi", actor: str = ANN):
    return event_of(key, actor, text, thread=THREAD, people=[ANN], names={ANN: "Ann Brandt"})


def make_message(text: str = "Hello", **more: object) -> OutboundMessage:
    facts = {"message_id": "0190b0a0-1111-7000-8000-000000000001", "thread_key": THREAD, "text": text}
    return OutboundMessage(**facts | {"to": Identity("linkedin", ANN)} | more)


async def send(account: Account, message: OutboundMessage):
    return await CONNECTOR.send(account, message, CONNECTOR.render(message, account))


async def plan(account: Account, answers: list[dict[str, object]]) -> None:
    """Say what the emulator answers next."""
    async with httpx.AsyncClient(trust_env=False) as steer:
        answer = await steer.post(f"{account.base_url}/_control", json={"op": "next", "answers": answers})
    assert answer.status_code == 200, answer.text


async def read(account: Account, cursor: str | None):
    return [batch async for batch in read_new(account, cursor)]


@pytest.mark.parametrize("product", PRODUCTS)
async def test_signing_in_gives_whose_account_it_is(product):
    """With each product's own scopes, and a word on what is missing; without a refresh token a person signs in again."""
    async with running(product) as (vendor, account, granted):
        assert granted.external_ref == OWNER
        checked = await client.check(account)
        assert checked.external_ref == OWNER
        assert bool(checked.warnings) is (product != "messages_api")
        assert "Nothing was sent" in await client.test(account)
        assert granted.expires_at is not None
        with pytest.raises(ConnectorError) as caught:
            await renew(make_app(account.base_url, product), account)
        assert caught.value.info.klass is ErrorClass.AUTH
        assert not vendor.sent


@pytest.mark.parametrize("product", PRODUCTS[1:])
async def test_reading_finds_each_event_once_oldest_first(product):
    """Over more than one page, told twice, and again from the cursor: keys are LinkedIn's ids."""
    async with running(product) as (vendor, account, _):
        count = PAGE_SIZE + 7
        keys = [f"e-{number:03}" for number in range(count)]
        await vendor.deliver([make_event(key) for key in keys], Delivery(times=2))
        batches = await read(account, None)
        assert sorted(item.key for batch in batches for item in batch.items) == keys
        again = await read(account, batches[-1].cursor)
        assert {item.key for batch in again for item in batch.items} <= set(keys)
        await vendor.deliver([make_event("new")], Delivery())
        assert "new" in {item.key for batch in await read(account, batches[-1].cursor) for item in batch.items}


async def test_polling_goes_on_and_hands_each_event_on_once():
    """What shares the newest moment comes again with each look, and is not handed on again."""
    async with running() as (vendor, account, _):
        await vendor.deliver([make_event("one")], Delivery())
        looks = poll(account, None)
        assert [one.key for one in (await anext(looks)).items] == ["one"]
        await vendor.deliver([make_event("two")], Delivery())
        assert [one.key for one in (await anext(looks)).items] == ["two"]
        await looks.aclose()


async def test_other_events_and_earlier_ones_are_left_out_of_what_is_new():
    """Likes are nobody's message; what was before the account was connected is history."""
    async with running() as (vendor, account, _):
        await vendor.deliver([make_event("like") | {"resourceName": "socialActions/likes"}], Delivery())
        await vendor.deliver([make_event("old")], Delivery())
        later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        moved = msgspec.structs.replace(account, settings={**account.settings, "connected_at": later})
        assert [batch.items for batch in await read(moved, None)] == [()]
        past = [item.key async for batch in backfill(moved, None) for item in batch.items]
        assert past == ["old"]


async def test_without_a_product_nobody_is_asked():
    """An account without a grant reads nothing and sends nothing."""
    async with running("none") as (vendor, account, _):
        before = len(vendor.requests)
        assert [batch async for batch in poll(account, None)] == []
        with pytest.raises(ConnectorError):
            await send(account, make_message())
        assert len(vendor.requests) == before


async def test_portability_cannot_send_even_where_somebody_sets_the_product_wrong():
    """LinkedIn's own refusal is put into words."""
    async with running("member_portability") as (vendor, account, _):
        wrong = msgspec.structs.replace(account, settings={**account.settings, "product": "messages_api"})
        with pytest.raises(ConnectorError) as caught:
            await send(wrong, make_message())
        assert caught.value.info.klass is ErrorClass.PERMISSION
        assert not vendor.sent


async def test_what_was_sent_is_told_again_under_the_same_id():
    """The echo's id is the answer's, so that it is shown once."""
    async with running() as (vendor, account, _):
        await vendor.deliver([make_event("e-1")], Delivery())
        result = await send(account, make_message())
        found = await read_since(account, 1)
        items = [one for row in found for one in CONNECTOR.parse(row.item.body, context_of(row.item.key))]
        echo = next(one for one in items if one.text == "Hello")
        assert echo.external_id == result.external_ids[0]
        assert echo.sender is not None
        assert echo.sender.value == ANN


def context_of(key: str):
    return ParseContext(received_at=datetime.now(UTC), key=key, settings={})


async def test_lost_answer_is_looked_for_in_the_thread_and_never_invented():
    """The same words of ours since the try began, in this thread, are it; others' and older ones are not."""
    async with running() as (vendor, account, _):
        began = datetime.now(UTC)
        message = make_message("perhaps", attempted_at=began)
        await vendor.deliver([make_event("theirs", "perhaps")], Delivery())
        assert await client.reconcile(account, message) is None
        await plan(account, [{"kind": "reset", "path": "/rest/messages"}])
        with pytest.raises(ConnectorError) as caught:
            await send(account, message)
        assert caught.value.info.klass is ErrorClass.AMBIGUOUS
        found = await client.reconcile(account, message)
        assert found is not None
        assert found.external_ids == (vendor.sent[0]["id"],)
        elsewhere = make_message("perhaps", attempted_at=began, thread_key="urn:li:messagingThread:2-other")
        assert await client.reconcile(account, elsewhere) is None
        later = make_message("perhaps", attempted_at=began + timedelta(minutes=5))
        assert await client.reconcile(account, later) is None


@pytest.mark.parametrize(
    ("planned", "klass"),
    [
        ({"kind": "throttle", "retry_after": 3}, ErrorClass.RATE_LIMITED),
        ({"kind": "status", "status": 503}, ErrorClass.AMBIGUOUS),
        ({"kind": "html", "status": 502}, ErrorClass.AMBIGUOUS),
        ({"kind": "reset", "accept": False}, ErrorClass.AMBIGUOUS),
    ],
)
async def test_each_way_of_failing_is_told_apart(planned, klass):
    """Too fast names the member's bucket; whatever may have been sent is ambiguous."""
    async with running() as (_vendor, account, _):
        await plan(account, [{"path": "/rest/messages", **planned}])
        with pytest.raises(ConnectorError) as caught:
            await send(account, make_message())
        assert caught.value.info.klass is klass
        if klass is ErrorClass.RATE_LIMITED:
            assert caught.value.info.retry_after_s == 3
            assert caught.value.info.bucket == f"li:member:{OWNER}"


async def test_revoked_token_asks_for_a_sign_in():
    """Reading and sending say the same."""
    async with running() as (vendor, account, _):
        vendor.steer("revoke", {})
        for doing in (read(account, None), send(account, make_message())):
            with pytest.raises(ConnectorError) as caught:
                await doing
            assert caught.value.info.klass is ErrorClass.AUTH


@pytest.mark.parametrize(
    "asking",
    [
        Asking(method="POST", path="/rest/messages", body=b'{"body":"x"}'),
        Asking(
            method="POST", path="/rest/messages", body=b'{"body":"x","thread":"urn:li:a:1","recipients":["urn:li:a:2"]}'
        ),
        Asking(method="POST", path="/rest/messages", body=b'{"body":"x","thread":"urn:li:a:1","html":"x"}'),
        Asking(path="/rest/memberComplianceEvents", query={"q": "memberAndApplication", "count": "51"}),
        Asking(path="/rest/memberComplianceEvents", query={"q": "owner"}),
        Asking(path="/rest/conversations"),
    ],
)
async def test_emulator_refuses_what_linkedin_would(asking):
    """Unknown fields, both or neither of thread and recipients, too large pages, other finders."""
    async with running() as (vendor, account, _):
        with pytest.raises(ConnectorError):
            await ask_linkedin(account, asking, msgspec.Raw)
        assert not vendor.sent
