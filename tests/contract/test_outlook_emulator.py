"""
The emulator is as strict as Graph, and the connector gets along with it: sign in, read, send, ask again, subscribe.

Both meet over loopback here; ``tests/acceptance/test_channels.py`` puts the whole hub between.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from connectors.base import Account, Act, OAuthApp, RawItem, WebhookRequest
from connectors.outlook import CONNECTOR
from connectors.outlook.draft import MARK
from connectors.outlook.graph import Graph as Client
from connectors.outlook.history import backfill
from connectors.outlook.parse import NOTE
from connectors.outlook.reading import expand, poll
from connectors.outlook.watch import maintain
from hub import clock
from hub.envelope import DeliveryStatus, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, SignatureRejected
from scripts.emulators.http1 import Answer, Request, as_json, listen
from scripts.emulators.outlook import CLIENT_ID, CLIENT_SECRET, USER_ID, Graph
from scripts.emulators.outlook_mailbox import ADDRESS
from scripts.emulators.vendor import Delivery

CALLBACK = "http://localhost:8000/connect/outlook/callback"
TOKEN, STATE = "token-of-a-test", "secret-of-a-test"
NADIA = Identity("email", "nadia@customers.example", display_name="Nadia")
CONVERSATION = str(uuid.uuid4())
HINT = RawItem(key=f"{NOTE}1", body=b'{"subscriptionId":"s","changeType":"created"}', hint=True)


class Hub:
    """Stands where webhooks are answered: verifies as the hub does and keeps what it was told."""

    def __init__(self) -> None:
        self.account: Account | None = None
        self.items: list[RawItem] = []
        self.refused = 0

    async def handle(self, request: Request) -> Answer:
        assert self.account is not None
        assert CONNECTOR.verify is not None
        assert CONNECTOR.split is not None
        query = httpx.QueryParams(request.query)
        call = WebhookRequest(
            method=request.method,
            url=f"{self.account.webhook_url}?{query}",
            headers=request.headers,
            body=request.body,
            received_at=clock.now(),
        )
        try:
            reply = CONNECTOR.verify(call, self.account)
        except SignatureRejected:
            self.refused += 1
            return as_json(401, {})
        if reply is not None:
            return Answer(reply.status, reply.body, reply.content_type)
        self.items += CONNECTOR.split(call)
        return as_json(200, {})


@contextlib.asynccontextmanager
async def running(**settings: str) -> AsyncIterator[tuple[Graph, Account, Hub]]:
    """A mailbox, the account of it, and a hub that answers its calls."""
    vendor, hub = Graph(), Hub()
    vendor.tokens.add(TOKEN)
    async with listen(vendor.handle) as listener, listen(hub.handle) as ours:
        hub.account = account_at(f"http://127.0.0.1:{listener.port}", f"http://127.0.0.1:{ours.port}", **settings)
        yield vendor, hub.account, hub


def account_at(base_url: str, origin: str, **settings: str) -> Account:
    async def read_file(file_id: str) -> AsyncIterator[bytes]:
        yield file_id.encode() * (4_000_000 // len(file_id) if file_id.startswith("large") else 1)

    return Account(
        id=str(uuid.uuid4()),
        workspace_id=1,
        credentials={"access_token": TOKEN, "client_state": STATE},
        settings={"address": ADDRESS, "connected_at": "2026-11-22T12:00:00+00:00"} | settings,
        webhook_url=f"{origin}/webhooks/outlook/1",
        base_url=base_url,
        signing_key=b"k" * 32,
        read_file=read_file,
    )


def message(text: str = "Hello", **more: Any) -> OutboundMessage:
    plain: dict[str, Any] = {
        "message_id": str(uuid.uuid4()),
        "to": NADIA,
        "thread_key": "t",
        "text": text,
        "subject": "Re: Question",
    }
    return OutboundMessage(**(plain | {"conversation_id": CONVERSATION} | more))


def attached(file_id: str) -> OutboundAttachment:
    return OutboundAttachment(id=file_id, kind="file", filename=f"{file_id}.pdf", mime="application/pdf", size_bytes=9)


async def send(account: Account, one: OutboundMessage) -> str:
    (external_id,) = (await CONNECTOR.send(account, one, CONNECTOR.render(one, account))).external_ids
    return external_id


async def read(account: Account, cursor: str | None = None) -> tuple[list[RawItem], str]:
    items: list[RawItem] = []
    async for batch in expand(account, HINT, cursor):
        items += batch.items
        cursor = batch.cursor
    assert cursor is not None
    return items, cursor


def app_at(base_url: str) -> OAuthApp:
    return OAuthApp(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, base_url=base_url, redirect_uri=CALLBACK)


# ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_signing_in_gives_tokens_that_roll():
    """Authorize, code and verifier, whose mailbox it is, and a renewal with a new refresh token."""
    async with running() as (vendor, account, _):
        vendor.steer("redirect", {"uri": CALLBACK})
        app, verifier = app_at(account.base_url), "v" * 64
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        assert CONNECTOR.oauth is not None
        assert CONNECTOR.oauth.renew is not None
        url = CONNECTOR.oauth.authorize_url(app, "s" * 43, challenge, {})
        async with httpx.AsyncClient(trust_env=False) as browser:
            back = urlsplit((await browser.get(url)).headers["location"])
        granted = await CONNECTOR.oauth.exchange(app, parse_qs(back.query)["code"][0], verifier)
        signed_in = msgspec.structs.replace(account, credentials=dict(granted.credentials))
        renewed = await CONNECTOR.oauth.renew(app, signed_in)

        assert (granted.external_ref, granted.settings["address"], granted.name) == (USER_ID, ADDRESS, ADDRESS)
        assert renewed.credentials["refresh_token"] != granted.credentials["refresh_token"]
        assert (await CONNECTOR.check(msgspec.structs.replace(account, credentials=renewed.credentials))).external_ref
        with pytest.raises(ConnectorError) as caught:
            await CONNECTOR.oauth.renew(app, signed_in)
        assert caught.value.info.klass is ErrorClass.AUTH


def test_tenant_is_part_of_microsofts_address():
    """The form's tenant is where people sign in, and cannot lead elsewhere."""
    assert CONNECTOR.oauth is not None
    url = CONNECTOR.oauth.authorize_url(app_at(""), "s", "c", {"tenant": "north/../wind.example"})
    assert url.startswith("https://login.microsoftonline.com/north%2F..%2Fwind.example/oauth2/v2.0/authorize?")


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_hint_brings_what_is_new_once():
    """Both folders, in one go; asked again from the cursor there is nothing."""
    async with running() as (vendor, account, _):
        vendor.box.receive({"mail": "m1", "text": "Where is it?"})
        vendor.box.receive({"mail": "m2", "folder": "sentitems", "from": ADDRESS, "to": NADIA.value})
        first, cursor = await read(account)
        again, cursor = await read(account, cursor)
        vendor.box.receive({"mail": "m3"})
        later, _ = await read(account, cursor)

    assert [one.key.partition(":")[0] for one in first] == ["inbox", "sent"]
    assert b"Where is it?" in first[0].body
    assert (len(again), len(later)) == (0, 1)


async def test_many_mails_come_by_pages_and_old_ones_are_history():
    """A page has 25; what came before the account was connected is left to the backfill, which counts it."""
    async with running() as (vendor, account, _):
        for number in range(30):
            vendor.box.receive({"mail": f"new{number}"})
            vendor.box.receive({"mail": f"old{number}", "at": f"2026-11-20T12:00:{number:02}+00:00"})
        vendor.box.receive({"mail": "ancient", "at": "2025-01-01T12:00:00+00:00"})
        new, _ = await read(account)
        batches = [one async for one in backfill(account, None)]
        rest = [one async for one in backfill(account, batches[0].cursor)]

    old = [item for one in batches for item in one.items]
    assert (len(new), len(old)) == (30, 30)
    assert batches[-1].progress is not None
    assert (batches[-1].progress.done, batches[-1].progress.total) == (30, 30)
    assert {item.key for one in rest for item in one.items} <= {item.key for item in old}
    assert len({item.key for item in (*new, *old)}) == 60


async def test_an_ended_delta_link_reads_anew():
    """410: the folder is read again, and what came meanwhile is there."""
    async with running() as (vendor, account, _):
        vendor.box.receive({"mail": "m1"})
        _, cursor = await read(account)
        vendor.box.receive({"mail": "m2"})
        vendor.steer("resync", {})
        vendor.box.valid_from, before = 1_000, vendor.box.valid_from
        items, cursor = await read(account, cursor)
        vendor.box.valid_from = min(before, 0)
        again, _ = await read(account, cursor)

    assert any("m2@" in one.body.decode() for one in items)
    assert again == []


async def test_a_mail_that_is_too_large_is_read_without_its_files():
    """Headers and text arrive, with a note."""
    async with running(largest_mail_mb="1") as (vendor, account, _):
        file = {
            "name": "big.bin",
            "mime": "application/octet-stream",
            "body": base64.b64encode(b"x" * 1_200_000).decode(),
        }
        vendor.box.receive({"mail": "m1", "text": "See below", "files": [file]})
        ((item,), _) = await read(account)

    assert len(item.body) < 100_000
    assert b"left in the mailbox" in item.body
    assert b"m1@customers.example" in item.body


async def test_a_link_to_another_origin_never_gets_the_token():
    """A cursor whose links lead elsewhere is not followed."""
    async with running() as (_, account, _hub):
        with pytest.raises(ConnectorError) as caught:
            await Client(account).get("https://evil.example/v1.0/me", msgspec.Raw)
    assert caught.value.info.code == "address"


async def test_a_mailbox_nobody_told_us_of_is_read_at_once():
    """The first poll does not wait for a hint."""
    async with running() as (vendor, account, _):
        vendor.box.receive({"mail": "m1"})
        items = [item async for batch in poll(account, None) for item in batch.items]
    assert len(items) == 1


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_keeps_its_thread_and_comes_back_as_ours():
    """createReply, our text, a file each way, and an echo with our message's id."""
    async with running() as (vendor, account, _):
        vendor.box.receive({"mail": "m1"})
        one = message("It left <today>.", reply_to_external_id="m1@customers.example")
        one = msgspec.structs.replace(one, attachments=(attached("small"), attached("large")))
        external_id = await send(account, one)
        (sent,) = vendor.box.sent()
        items, _ = await read(account)
    context = context_of(account, items[-1].key)
    (echo,) = CONNECTOR.parse(items[-1].body, context)

    assert (sent["id"], sent["answers"], sent["text"]) == (external_id, "m1@customers.example", "It left <today>.")
    assert [file["name"] for file in sent["files"]] == ["small.pdf", "large.pdf"]
    assert sent["files"][1]["size"] == 4_000_000
    assert (echo.direction.value, echo.correlation_id) == ("outbound", one.message_id)
    assert echo.thread is not None
    assert CONVERSATION in echo.thread.conversation_ids


def context_of(account: Account, key: str) -> Any:
    from connectors.base import ParseContext

    return ParseContext(
        received_at=clock.now(),
        key=key,
        settings=account.settings,
        account_id=account.id,
        workspace_id=account.workspace_id,
        signing_key=account.signing_key,
    )


async def test_a_reply_without_a_subject_leaves_it_to_graph():
    """An empty one would take the answered mail's place; a new mail may have none."""
    async with running() as (vendor, account, _):
        vendor.box.receive({"mail": "m1"})
        await send(account, message(subject="", reply_to_external_id="m1@customers.example"))
        await send(account, message(subject="", reply_to_external_id="gone@customers.example"))
        assert [(one["answers"], one["subject"]) for one in vendor.box.sent()] == [
            ("m1@customers.example", "RE: Question"),
            ("", ""),
        ]


async def test_a_throttled_send_leaves_no_second_draft():
    """The try after it removes the draft of the first."""
    async with running() as (vendor, account, _):
        one = message()
        vendor._planned.append({"kind": "throttle", "retry_after": 7, "path": "/send"})
        with pytest.raises(ConnectorError):
            await send(account, one)
        await send(account, msgspec.structs.replace(one, attempt=2))
        assert [mail.is_draft for mail in vendor.box.mails.values()] == [False]


async def test_a_lost_answer_is_settled_by_our_own_mark():
    """Sent, and the line broke: ambiguous, then sent; a second try sends nothing."""
    async with running() as (vendor, account, _):
        one = message()
        vendor._planned.append({"kind": "reset", "path": "/send"})
        with pytest.raises(ConnectorError) as caught:
            await send(account, one)
        found = await CONNECTOR.reconcile(account, one)
        again = await send(account, msgspec.structs.replace(one, attempt=2))

        assert caught.value.info.klass is ErrorClass.AMBIGUOUS
        assert found is not None
        assert found.status is DeliveryStatus.SENT
        assert [found.external_ids[0], again] == [vendor.box.sent()[0]["id"]] * 2
        assert len(vendor.box.sent()) == 1


async def test_a_draft_that_stayed_a_draft_failed_and_is_removed():
    """The send never arrived: not said at once, then said, and nothing is left that could go out."""
    async with running() as (vendor, account, _):
        one = msgspec.structs.replace(message(), attempted_at=clock.now())
        vendor._planned.append({"kind": "reset", "path": "/send", "accept": False})
        with pytest.raises(ConnectorError):
            await send(account, one)
        soon = await CONNECTOR.reconcile(account, one)
        late = msgspec.structs.replace(one, attempted_at=clock.now() - timedelta(minutes=3))
        failed = await CONNECTOR.reconcile(account, late)

        assert soon is None
        assert failed is not None
        assert failed.status is DeliveryStatus.FAILED
        assert not [mail for mail in vendor.box.mails.values() if mail.mark.get(MARK)]


@pytest.mark.parametrize(
    ("planned", "klass"),
    [
        ({"kind": "throttle", "retry_after": 7, "path": "/me/messages"}, ErrorClass.RATE_LIMITED),
        ({"kind": "reset", "path": "/me/messages"}, ErrorClass.RETRYABLE),
        ({"kind": "status", "status": 500, "path": "/me/messages"}, ErrorClass.RETRYABLE),
        ({"kind": "html", "status": 502, "path": "/send"}, ErrorClass.AMBIGUOUS),
        ({"kind": "status", "status": 403, "body": {"error": {"code": "ErrorAccessDenied"}}}, ErrorClass.PERMISSION),
        (
            {"kind": "status", "status": 404, "body": {"error": {"code": "MailboxNotEnabledForRESTAPI"}}},
            ErrorClass.ACCOUNT,
        ),
        (
            {"kind": "status", "status": 400, "body": {"error": {"code": "ErrorInvalidRecipients"}}},
            ErrorClass.RECIPIENT,
        ),
        ({"kind": "status", "status": 401}, ErrorClass.AUTH),
    ],
    ids=str,
)
async def test_refusals_are_told_apart(planned, klass):
    """Before the send nothing is ambiguous; Graph's own codes have words."""
    async with running() as (vendor, account, _):
        vendor._planned.append(planned)
        with pytest.raises(ConnectorError) as caught:
            await send(account, message())
        assert caught.value.info.klass is klass
        assert caught.value.info.retry_after_s == (7 if klass is ErrorClass.RATE_LIMITED else None)


async def test_reading_here_is_reading_there_and_a_gone_mail_is_no_fault():
    """isRead by Message-ID, quotes in it and all; twice is as good as once."""
    async with running() as (vendor, account, _):
        vendor.box.receive({"mail": "o'hara@customers.example"})
        assert CONNECTOR.act is not None
        for external_id in ("o'hara@customers.example", "o'hara@customers.example", "gone@customers.example"):
            await CONNECTOR.act(
                account, Act(id="1", kind="mark_read", to=NADIA, thread_key="t", external_id=external_id)
            )
        assert vendor.facts()["read"] == ["o'hara@customers.example"]


async def test_the_test_button_leaves_nothing_behind():
    """A draft is made and removed."""
    async with running() as (vendor, account, _):
        assert CONNECTOR.test is not None
        assert ADDRESS in await CONNECTOR.test(account)
        assert not vendor.box.mails


# ── subscriptions ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_subscriptions_are_made_once_and_told_of_new_mail():
    """The handshake is answered, both folders are watched, and a mail is a hint; another secret is refused."""
    async with running() as (vendor, account, hub):
        made = await maintain(account, clock.now())
        kept = msgspec.structs.replace(account, settings={**account.settings, **made.settings})
        same = await maintain(kept, clock.now())
        await vendor.deliver([{"mail": "m1"}], Delivery(times=2))
        wrong = await vendor.deliver([{"mail": "m1"}, {"mail": "m2"}], Delivery(sign="wrong", batch=True))

        assert len(vendor.subscriptions) == 2
        assert len(made.settings["subscriptions"].split()) == 2
        assert same.settings == {}
        assert [one.hint for one in hub.items] == [True, True]
        assert hub.items[0].key == hub.items[1].key
        assert STATE.encode() not in b"".join(one.body for one in hub.items)
        assert (hub.refused, wrong[0]["status"]) == (1, 401)


async def test_removed_and_ageing_subscriptions_are_mended():
    """Gone: made anew. Half their life over: renewed, under the same id. Another secret: made anew."""
    async with running() as (vendor, account, hub):
        made = await maintain(account, clock.now())
        vendor.steer("drop", {})
        note = RawItem(
            key=f"{NOTE}2", body=json.dumps({"subscriptionId": "s", "lifecycleEvent": "subscriptionRemoved"}).encode()
        )
        assert [one async for one in expand(account, note, None)]
        remade = dict(vendor.subscriptions)
        aged = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
        for one in vendor.subscriptions.values():
            one["expirationDateTime"] = aged
        renewed = await maintain(account, clock.now())
        settings = {**account.settings, **renewed.settings}
        other = msgspec.structs.replace(
            account, settings=settings, credentials={**account.credentials, "client_state": "new"}
        )
        hub.account = other
        await maintain(other, clock.now())

        assert len(remade) == 2
        assert made.settings["subscriptions"] != renewed.settings["subscriptions"] == " ".join(sorted(remade))
        assert {one["clientState"] for one in vendor.subscriptions.values()} == {"new"}
        assert not set(remade) & set(vendor.subscriptions)


async def test_without_a_public_address_nothing_is_subscribed():
    """Graph could not call it; the mailbox is asked instead."""
    account = msgspec.structs.replace(account_at("", "http://localhost:8000"), base_url="")
    assert (await maintain(account, clock.now())).settings == {}


# ── strictness ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "code"),
    [
        ("GET", "/v1.0/me?$select=id", {"authorization": "Bearer no"}, None, 401, "InvalidAuthenticationToken"),
        ("GET", "/v1.0/me?$select=id", {"prefer": "x"}, None, 400, "ErrorPreferMissing"),
        ("GET", "/v1.0/me?select=id", {}, None, 400, "BadRequest"),
        ("GET", "/v1.0/nothing", {}, None, 404, "ResourceNotFound"),
        ("POST", "/v1.0/me/messages", {}, {"subject": "x"}, 400, "BadRequest"),
        (
            "POST",
            "/v1.0/me/messages",
            {},
            {"subject": "x", "body": {"contentType": "md", "content": ""}},
            400,
            "BadRequest",
        ),
        ("GET", "/v1.0/me/messages?$filter=a&$select=id", {}, None, 400, "ErrorInvalidUrlQueryFilter"),
        ("GET", "/v1.0/me/messages/AAkALgNone/$value", {}, None, 404, "ErrorItemNotFound"),
        ("GET", "/v1.0/me/mailFolders/inbox/messages/delta?$select=id", {}, None, 400, "ErrorInvalidUrlQuery"),
    ],
)
async def test_spoilt_request_is_refused_in_graphs_shape(method, path, headers, body, status, code):
    """Credentials, the id preference, unknown fields and filters: each has its own refusal."""
    async with running() as (_, account, _hub):
        good = {"authorization": f"Bearer {TOKEN}", "prefer": 'IdType="ImmutableId"'}
        async with httpx.AsyncClient(base_url=account.base_url, trust_env=False) as client:
            answer = await client.request(method, path, headers=good | headers, json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
