"""
The emulator is as strict as Gmail, and the connector gets along with it: sign in, read, send, ask again, be told.

Both meet over loopback here; ``tests/acceptance/test_channels.py`` puts the whole hub between. Every request is held
against Google's own discovery document besides.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from connectors.base import Account, Act, OAuthApp, ParseContext, RawItem, WebhookRequest
from connectors.gmail import CONNECTOR
from connectors.gmail.api import Gmail as Client
from connectors.gmail.history import backfill
from connectors.gmail.reading import expand, poll
from connectors.gmail.verify import key_sets
from connectors.gmail.watch import maintain
from hub import clock
from hub.envelope import Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, SignatureRejected, SigningKeyUnknown
from scripts.emulators.gmail import CLIENT_ID, CLIENT_SECRET, PUSH_ACCOUNT, TOPIC, Gmail
from scripts.emulators.gmail_mailbox import ADDRESS
from scripts.emulators.http1 import Answer, Request, as_json, listen
from scripts.emulators.vendor import Delivery

CALLBACK = "http://localhost:8000/connect/gmail/callback"
TOKEN = "token-of-a-test"
NADIA = Identity("email", "nadia@customers.example", display_name="Nadia")
CONVERSATION = str(uuid.uuid4())
HINT = RawItem(key="note:1", body=b"{}", hint=True)


@contextlib.asynccontextmanager
async def running(**settings: str) -> AsyncIterator[tuple[Gmail, Account]]:
    """A mailbox, and the account of it; what was asked is held against Google's document at the end."""
    vendor = Gmail()
    vendor.tokens.add(TOKEN)
    async with listen(vendor.handle) as listener:
        yield vendor, account_at(f"http://127.0.0.1:{listener.port}", **settings)
    check_against_googles_document(vendor.requests)


def account_at(base_url: str, **settings: str) -> Account:
    async def read_file(file_id: str) -> AsyncIterator[bytes]:
        yield file_id.encode() * (4_000_000 // len(file_id) if file_id.startswith("large") else 1)

    known = {"address": ADDRESS, "connected_at": "2026-11-22T12:00:00+00:00", "push_account": PUSH_ACCOUNT}
    return Account(
        id=str(uuid.uuid4()),
        workspace_id=1,
        credentials={"access_token": TOKEN},
        settings=known | settings,
        webhook_url="https://hub.example.com/webhooks/gmail/1",
        base_url=base_url,
        signing_key=b"k" * 32,
        read_file=read_file,
    )


def check_against_googles_document(requests: list[dict[str, Any]]) -> None:
    """Every path, parameter and field must be one that Google publishes."""
    text = resources.files("googleapiclient.discovery_cache").joinpath("documents", "gmail.v1.json").read_text()
    document = json.loads(text)
    users = document["resources"]["users"]
    groups = [users, *users["resources"].values()]
    methods = [one for group in groups for one in group.get("methods", {}).values()]
    for asked in requests:
        if not asked["path"].startswith(("/gmail/", "/upload/")):
            continue
        method = next(one for one in methods if one["httpMethod"] == asked["method"] and _fits(one, asked["path"]))
        known = {*method.get("parameters", {}), *document["parameters"]}
        assert set(asked["query"]) <= known, asked
        for name, value in asked["query"].items():
            allowed = method.get("parameters", {}).get(name, {}).get("enum")
            assert allowed is None or value in allowed, (name, value)
        if asked["content_type"].startswith("application/json"):
            fields = document["schemas"][method["request"]["$ref"]]["properties"]
            assert set(json.loads(asked["body"])) <= set(fields), asked


def _fits(method: dict[str, Any], path: str) -> bool:
    uploads = method.get("mediaUpload", {}).get("protocols", {}).get("simple", {}).get("path", "")
    for known in (f"/{method['flatPath']}", uploads):
        wanted, given = known.split("/"), path.split("/")
        if len(wanted) == len(given) and all(w == g or w.startswith("{") for w, g in zip(wanted, given, strict=True)):
            return True
    return False


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


async def code_for(vendor: Gmail, app: OAuthApp, verifier: str) -> str:
    vendor.steer("redirect", {"uri": CALLBACK})
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    assert CONNECTOR.oauth is not None
    url = CONNECTOR.oauth.authorize_url(app, "s" * 43, challenge, {})
    async with httpx.AsyncClient(trust_env=False) as browser:
        back = urlsplit((await browser.get(url)).headers["location"])
    return parse_qs(back.query)["code"][0]


# ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_signing_in_gives_lasting_access():
    """Authorize, code and verifier, whose mailbox it is, and renewals by one refresh token until it is taken back."""
    async with running() as (vendor, account):
        app, verifier = app_at(account.base_url), "v" * 64
        assert CONNECTOR.oauth is not None
        assert CONNECTOR.oauth.renew is not None
        granted = await CONNECTOR.oauth.exchange(app, await code_for(vendor, app, verifier), verifier)
        signed_in = msgspec.structs.replace(account, credentials=dict(granted.credentials))
        renewed = [await CONNECTOR.oauth.renew(app, signed_in) for _ in range(2)]

        assert (granted.external_ref, granted.settings["address"], granted.name) == (ADDRESS, ADDRESS, ADDRESS)
        assert "refresh_token" not in renewed[1].credentials
        newest = {**granted.credentials, **renewed[1].credentials}
        assert (await CONNECTOR.check(msgspec.structs.replace(account, credentials=newest))).external_ref == ADDRESS
        vendor.steer("revoke", {})
        with pytest.raises(ConnectorError) as caught:
            await CONNECTOR.oauth.renew(app, signed_in)
        assert caught.value.info.klass is ErrorClass.AUTH


async def test_somebody_who_unticks_the_mailbox_is_told():
    """Google lets people leave out what an app asks for."""
    async with running() as (vendor, account):
        vendor.steer("untick", {"on": True})
        app, verifier = app_at(account.base_url), "v" * 64
        assert CONNECTOR.oauth is not None
        with pytest.raises(ConnectorError, match="tick all"):
            await CONNECTOR.oauth.exchange(app, await code_for(vendor, app, verifier), verifier)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_hint_brings_what_is_new_once():
    """In and out, in one go; asked again from the cursor there is nothing."""
    async with running() as (vendor, account):
        vendor.box.receive({"mail": "m1", "text": "Where is it?"})
        first, cursor = await read(account)
        vendor.box.receive({"mail": "m2", "labels": ["SENT"], "from": ADDRESS, "to": NADIA.value})
        vendor.box.receive({"mail": "m3"})
        second, cursor = await read(account, cursor)
        again, _ = await read(account, cursor)

    assert [one.key.partition(":")[0] for one in (*first, *second)] == ["inbox", "sent", "inbox"]
    assert b"Where is it?" in first[0].body
    assert again == []


async def test_what_people_do_in_gmail_brings_nothing_but_what_comes_back():
    """Drafts, chats, spam and trash are not shown; read marks say nothing; out of spam a mail arrives."""
    async with running() as (vendor, account):
        _, cursor = await read(account)
        for number, label in enumerate(("DRAFT", "CHAT", "SPAM", "TRASH")):
            vendor.box.receive({"mail": f"m{number}", "labels": [label]})
        vendor.box.receive({"mail": "gone"})
        vendor.steer("remove", {"mail": "gone"})
        hidden, cursor = await read(account, cursor)
        vendor.steer("label", {"mail": "m2", "add": ["INBOX"], "remove": ["SPAM"]})
        vendor.steer("label", {"mail": "m3", "add": ["STARRED"]})
        back, _ = await read(account, cursor)
    assert hidden == []
    assert [b"m2@customers.example" in one.body for one in back] == [True]


async def test_many_mails_come_by_pages_and_old_ones_are_history():
    """Of the history and of searches; what came before the account was connected is left to the backfill."""
    async with running() as (vendor, account):
        for number in range(105):
            vendor.box.receive({"mail": f"old{number}", "at": f"2026-11-20T12:{number % 60:02}:00+00:00"})
        vendor.box.receive({"mail": "ancient", "at": "2025-01-01T12:00:00+00:00"})
        begun, cursor = await read(account)
        for number in range(105):
            vendor.box.receive({"mail": f"new{number}"})
        new, _ = await read(account, cursor)
        batches = [one async for one in backfill(account, None)]
        rest = [one async for one in backfill(account, batches[0].cursor)]

    old = [item for one in batches for item in one.items]
    assert (len(begun), len(new), len(old)) == (0, 105, 105)
    assert batches[-1].progress is not None
    assert (batches[-1].progress.done, batches[-1].progress.total) == (105, 105)
    assert {item.key for one in rest for item in one.items} <= {item.key for item in old}
    assert len({item.key for item in (*new, *old)}) == 210


async def test_history_that_has_ended_reads_anew():
    """404: everything since a day before the newest mail is searched for, and what comes then is told by the history."""
    async with running() as (vendor, account):
        vendor.box.receive({"mail": "m1"})
        _, cursor = await read(account)
        vendor.box.receive({"mail": "m2"})
        vendor.steer("forget_history", {})
        vendor.box.valid_from -= 1
        items, cursor = await read(account, cursor)
        vendor.box.receive({"mail": "m3"})
        later, _ = await read(account, cursor)

    assert [b"m1@" in items[0].body, b"m2@" in items[1].body] == [True, True]
    assert [b"m3@" in one.body for one in later] == [True]


async def test_a_mail_that_is_too_large_is_read_without_its_files():
    """Headers and text arrive, with a note."""
    async with running(largest_mail_mb="1") as (vendor, account):
        body = base64.b64encode(b"x" * 2_500_000).decode()
        file = {"name": "big.bin", "mime": "application/octet-stream", "body": body}
        vendor.box.receive({"mail": "m1", "text": "See below", "files": [file]})
        ((item,), _) = await read(account)
    assert len(item.body) < 100_000
    assert b"left in the mailbox" in item.body
    assert b"m1@customers.example" in item.body


async def test_a_mailbox_nobody_told_us_of_is_read_at_once():
    """The first poll does not wait for a hint."""
    async with running() as (vendor, account):
        vendor.box.receive({"mail": "m1"})
        items = [item async for batch in poll(account, None) for item in batch.items]
    assert len(items) == 1


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_keeps_its_thread_and_comes_back_as_ours():
    """threadId and headers, files, hidden recipients, and an echo with our message's id."""
    async with running() as (vendor, account):
        parent = vendor.box.receive({"mail": "m1"})
        _, cursor = await read(account)
        one = message("It left <today>.", reply_to_external_id="m1@customers.example")
        hidden = (Identity("email", "boss@northwind.example"),)
        one = msgspec.structs.replace(one, attachments=(attached("small"), attached("large")), bcc=hidden)
        external_id = await send(account, one)
        (sent,) = vendor.box.sent()
        (item,), _ = await read(account, cursor)
    (echo,) = CONNECTOR.parse(item.body, context_of(account, item.key))

    assert (sent["id"], sent["answers"]) == (external_id, "m1@customers.example")
    assert (sent["thread"], sent["bcc"]) == (parent.thread_id, "boss@northwind.example")
    assert [file["name"] for file in sent["files"]] == ["small.pdf", "large.pdf"]
    assert sent["files"][1]["size"] == 4_000_000
    assert (echo.direction.value, echo.correlation_id) == ("outbound", one.message_id)
    assert echo.thread is not None
    assert CONVERSATION in echo.thread.conversation_ids


def context_of(account: Account, key: str) -> ParseContext:
    return ParseContext(
        received_at=clock.now(),
        key=key,
        settings=account.settings,
        account_id=account.id,
        workspace_id=account.workspace_id,
        signing_key=account.signing_key,
    )


async def test_googles_own_message_id_is_the_one_that_is_kept():
    """An answer will name that one; where it cannot be read back the mail is sent all the same."""
    async with running() as (vendor, account):
        vendor.steer("rename", {"on": True})
        assert (await send(account, message())).endswith("@mail.gmail.com")
        vendor.steer("rename", {"on": False})
        # The first is for the send, the second for the look at it.
        vendor._planned.append({"kind": "late", "delay_s": 0, "path": "/messages/send"})
        vendor._planned.append({"kind": "status", "status": 500, "path": "/messages/"})
        external_id = await send(account, message())
        assert not vendor._planned
        assert len(vendor.box.sent()) == 2
        assert external_id == vendor.box.sent()[-1]["id"]


async def test_a_lost_answer_is_settled_by_the_message_id():
    """Sent, and the line broke: once, ambiguous, then sent; a second try sends nothing."""
    async with running() as (vendor, account):
        one = message()
        vendor._planned.append({"kind": "reset", "path": "/send"})
        with pytest.raises(ConnectorError) as caught:
            await send(account, one)
        found = await CONNECTOR.reconcile(account, one)
        again = await send(account, msgspec.structs.replace(one, attempt=2))

        assert caught.value.info.klass is ErrorClass.AMBIGUOUS
        assert found is not None
        assert [found.external_ids[0], again] == [vendor.box.sent()[0]["id"]] * 2
        assert len(vendor.box.sent()) == 1
        assert len([one for one in vendor.requests if one["path"].endswith("/send")]) == 1


async def test_a_mail_that_never_arrived_is_not_known():
    """The line broke before Google had it: asked, it knows nothing, and a second try sends."""
    async with running() as (vendor, account):
        one = message()
        vendor._planned.append({"kind": "reset", "path": "/send", "accept": False})
        with pytest.raises(ConnectorError):
            await send(account, one)
        assert await CONNECTOR.reconcile(account, one) is None
        await send(account, msgspec.structs.replace(one, attempt=2))
        assert len(vendor.box.sent()) == 1


@pytest.mark.parametrize(
    ("planned", "klass"),
    [
        ({"kind": "throttle", "retry_after": 7, "path": "/send"}, ErrorClass.RATE_LIMITED),
        ({"kind": "throttle", "retry_after": 7, "status": 403, "path": "/send"}, ErrorClass.RATE_LIMITED),
        ({"kind": "reset", "path": "/messages"}, ErrorClass.RETRYABLE),
        ({"kind": "status", "status": 500, "path": "/messages"}, ErrorClass.RETRYABLE),
        ({"kind": "html", "status": 502, "path": "/send"}, ErrorClass.AMBIGUOUS),
        ({"kind": "html", "status": 200, "path": "/send"}, ErrorClass.AMBIGUOUS),
        ({"kind": "status", "status": 200, "body": {"id": 7}, "path": "/send"}, ErrorClass.AMBIGUOUS),
        ({"kind": "status", "status": 401, "path": "/send"}, ErrorClass.AUTH),
    ],
    ids=str,
)
async def test_refusals_are_told_apart(planned, klass):
    """Before the send nothing is ambiguous; an answer nobody can read may be a mail that was sent."""
    async with running() as (vendor, account):
        vendor._planned.append(planned)
        with pytest.raises(ConnectorError) as caught:
            await send(account, message(reply_to_external_id="m1@customers.example"))
        assert caught.value.info.klass is klass
        assert caught.value.info.retry_after_s == (7 if klass is ErrorClass.RATE_LIMITED else None)


async def test_google_that_is_not_reached_has_nothing():
    """So it is safe to try again."""
    with pytest.raises(ConnectorError) as caught:
        await send(account_at("http://127.0.0.1:9"), message())
    assert caught.value.info.klass is ErrorClass.RETRYABLE


async def test_reading_here_is_reading_there_and_a_gone_mail_is_no_fault():
    """By Message-ID; twice is as good as once."""
    async with running() as (vendor, account):
        vendor.box.receive({"mail": "m1"})
        assert CONNECTOR.act is not None
        for external_id in ("m1@customers.example", "m1@customers.example", "gone@customers.example"):
            await CONNECTOR.act(
                account, Act(id="1", kind="mark_read", to=NADIA, thread_key="t", external_id=external_id)
            )
        assert vendor.facts()["read"] == ["m1@customers.example"]
        with pytest.raises(ConnectorError):
            await CONNECTOR.act(account, Act(id="1", kind="edit", to=NADIA, thread_key="t", external_id="x"))


async def test_the_test_button_leaves_nothing_behind():
    """A draft is made and removed."""
    async with running() as (vendor, account):
        assert CONNECTOR.test is not None
        assert "Nothing was sent" in await CONNECTOR.test(account)
        assert [one["method"] for one in vendor.requests] == ["POST", "DELETE"]


# ── being told ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_watch_is_made_where_there_is_a_topic_and_ended_where_there_is_none():
    """Anew every day; a topic Google may not publish to is said in words."""
    async with running() as (vendor, account):
        now = clock.now()
        nothing = await maintain(account, now)
        assert (nothing.settings, vendor.watched) == ({}, None)
        watching = msgspec.structs.replace(account, settings={**account.settings, "topic": TOPIC})
        made = await maintain(watching, now)
        assert vendor.watched == TOPIC
        assert 23 <= (made.next_at - now).total_seconds() / 3600 <= 24
        ended = msgspec.structs.replace(account, settings={**account.settings, **made.settings})
        assert (await maintain(ended, now)).settings == {"watched_until": ""}
        assert vendor.watched is None
        other = msgspec.structs.replace(account, settings={**account.settings, "topic": f"{TOPIC}2"})
        with pytest.raises(ConnectorError, match="gmail-api-push"):
            await maintain(other, now)


async def test_pushes_prove_whose_they_are():
    """Signed with Google's keys, as published; with another key, an old token or none they are refused."""
    async with running() as (vendor, account):
        heard: list[str] = []

        async def hear(request: Request) -> Answer:
            call = WebhookRequest(
                method=request.method,
                url=account.webhook_url,
                headers=request.headers,
                body=request.body,
                received_at=clock.now(),
            )
            try:
                assert CONNECTOR.verify is not None
                assert CONNECTOR.split is not None
                CONNECTOR.verify(call, believing)
            except (SignatureRejected, SigningKeyUnknown):
                return as_json(401, {})
            heard.extend(one.account_ref for one in CONNECTOR.split(call))
            return as_json(200, {})

        async with httpx.AsyncClient(trust_env=False) as http, listen(hear) as ours:
            (place,) = key_sets(account)
            believing = msgspec.structs.replace(account, keys={place: (await http.get(place)).content})
            vendor.webhook_url, vendor.reach_at = account.webhook_url, f"http://127.0.0.1:{ours.port}"
            for sign in ("wrong", "old", "none"):
                (told,) = await vendor.deliver([{"mail": "m1"}], Delivery(sign=sign))
                assert told["status"] == 401
            (told,) = await vendor.deliver([{"mail": "m1"}, {"mail": "m2"}], Delivery(batch=True))
    assert (told["status"], heard) == (200, [ADDRESS])


# ── the emulator ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/gmail/v1/users/me/messages?q=is:unread", None, 400),
        ("GET", "/gmail/v1/users/me/messages?search=x", None, 400),
        ("GET", "/gmail/v1/users/me/history", None, 400),
        ("GET", "/gmail/v1/users/me/history?startHistoryId=x&historyTypes=messageAdded", None, 400),
        ("GET", "/gmail/v1/users/me/messages/abc?format=mime", None, 400),
        ("GET", "/gmail/v1/users/me/labels", None, 404),
        ("POST", "/gmail/v1/users/me/watch", {}, 400),
        ("POST", "/gmail/v1/users/me/watch", {"topicName": TOPIC, "labels": []}, 400),
        ("POST", "/upload/gmail/v1/users/me/messages/send?uploadType=multipart", {"raw": "x"}, 400),
    ],
    ids=str,
)
async def test_emulator_refuses_what_gmail_refuses(method, path, body, status):
    """A field missing, unknown or of a wrong type, in Google's shape; and everything without a good token."""
    vendor = Gmail()
    vendor.tokens.add(TOKEN)
    async with listen(vendor.handle) as listener, httpx.AsyncClient(trust_env=False) as http:
        base = f"http://127.0.0.1:{listener.port}"
        refused = await http.request(method, base + path, json=body, headers={"authorization": f"Bearer {TOKEN}"})
        stranger = await http.request(method, base + path, json=body, headers={"authorization": "Bearer x"})
    assert refused.status_code == status
    assert refused.json()["error"]["errors"][0]["reason"]
    assert stranger.status_code == (404 if status == 404 else 401)


async def test_client_asks_only_its_own_origin():
    """The SDK is pointed at one place, uploads included."""
    async with running() as (vendor, account):
        await send(account, message())
        assert {one["path"].split("/")[1] for one in vendor.requests} == {"gmail", "upload"}
        assert Client(account)._origin == account.base_url
