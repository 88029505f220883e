"""Messenger and Instagram: what is sent, what answers mean, and files, against the emulator in this process."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from connectors.base import Account, Act
from connectors.http import Answer
from connectors.meta.graph import read_refusal
from connectors.meta.render import tagged
from connectors.registry import ConnectorRegistry
from hub.envelope import AttachmentRef, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, InvalidInput
from scripts.emulators.http1 import listen
from scripts.emulators.instagram import INSTAGRAM_ID
from scripts.emulators.messenger import PAGE_ID
from scripts.emulators.meta import SECRET, TOKEN, Messaging

REGISTRY = ConnectorRegistry.load()
PEOPLE = {"messenger": Identity("psid", "7700"), "instagram": Identity("igsid", "8800")}
SETTINGS = {"messenger": {"page_id": PAGE_ID}, "instagram": {"instagram_id": INSTAGRAM_ID, "login": "instagram"}}
MESSAGE_ID = "0190b0a0-1111-7000-8000-000000000001"
BOTH = pytest.mark.parametrize("channel", ["messenger", "instagram"])


def make_account(channel: str, base_url: str = "", **credentials: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"access_token": TOKEN, "client_secret": SECRET} | credentials,
        settings=SETTINGS[channel],
        webhook_url=f"https://hub.example.com/webhooks/{channel}/1",
        base_url=base_url,
        read_file=read_file,
    )


async def read_file(_file_id: str):
    yield b"\x89PNG"
    yield b"...."


def make_message(channel: str, text: str = "Hello", **more: object) -> OutboundMessage:
    to = PEOPLE[channel]
    return OutboundMessage(**{"message_id": MESSAGE_ID, "to": to, "thread_key": to.value, "text": text} | more)


def make_file(url: str = "") -> OutboundAttachment:
    return OutboundAttachment(id="f", kind="image", filename='a"b.png', mime="image/png", size_bytes=8, url=url)


@contextlib.asynccontextmanager
async def running(channel: str):
    kind, ours = ("page", PAGE_ID) if channel == "messenger" else ("instagram", INSTAGRAM_ID)
    vendor = Messaging(kind, ours)
    async with listen(vendor.handle, 0) as listener:
        yield vendor, make_account(channel, f"http://127.0.0.1:{listener.port}")


async def control(account: Account, op: str, **order: object) -> dict:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{account.base_url}/_control", json={"op": op, **order})
    return answer.json()


async def send(channel: str, account: Account, message: OutboundMessage):
    connector = REGISTRY.get(channel)
    return await connector.send(account, message, connector.render(message, account))


def texts(channel: str, text: str) -> list[str]:
    calls = REGISTRY.get(channel).render(make_message(channel, text), make_account(channel))
    return [json.loads(call.fields["body"])["message"]["text"] for call in calls]


def test_long_text_goes_in_parts_that_fit_and_break_no_character():
    """Instagram takes 1,000 bytes: parts end at spaces, and an emoji of several code points stays whole."""
    words = "Grüße " * 300
    parts = texts("instagram", words)
    assert all(len(one.encode()) <= 1000 for one in parts)
    assert " ".join(parts).split() == words.split()
    family = "👨‍👩‍👧‍👦"
    assert all(set(one.split(family)) == {""} for one in texts("instagram", family * 60))
    flags = "🇦🇹" * 200
    assert all(len(one) % 2 == 0 for one in texts("instagram", flags))
    assert "".join(texts("instagram", "e\u0301" * 900)) == "e\u0301" * 900
    assert texts("messenger", "x" * 2000) == ["x" * 2000]


@BOTH
def test_what_cannot_be_sent_is_refused_before_anything_is_asked(channel):
    """No text, somebody of another channel, a file Meta could not fetch."""
    render, account = REGISTRY.get(channel).render, make_account(channel)
    for message, klass in (
        (make_message(channel, " "), ErrorClass.CONTENT),
        (make_message(channel, "x" * 5_001), ErrorClass.CONTENT),
        (make_message(channel, to=Identity("phone", "+15550100")), ErrorClass.RECIPIENT),
    ):
        with pytest.raises(ConnectorError) as caught:
            render(message, account)
        assert caught.value.info.klass is klass
    if channel == "instagram":
        with pytest.raises(ConnectorError, match="public address"):
            render(make_message(channel, "", attachments=(make_file(),)), account)


@BOTH
async def test_late_answer_of_a_person_is_tagged(channel):
    """Inside the window a plain response; later only a person's message goes, with the tag; its text may say anything."""
    now = datetime.now(UTC)
    async with running(channel) as (vendor, account):
        tricky = '"messaging_type":"RESPONSE" said the book'
        open_until, over = now + timedelta(hours=1), now - timedelta(hours=1)
        await send(channel, account, make_message(channel, tricky, window_expires_at=open_until))
        await send(channel, account, make_message(channel, tricky, window_expires_at=over))
        await send(channel, account, make_message(channel, "auto", window_expires_at=over, author_is_human=False))
        kept = [(one["tag"], one["text"], one["metadata"]) for one in vendor.sent.values()]
    assert kept == [(None, tricky, MESSAGE_ID), ("HUMAN_AGENT", tricky, MESSAGE_ID), (None, "auto", MESSAGE_ID)]
    assert tagged("{}") == "{}"


async def test_files_of_messenger_are_uploaded_before_anything_leaves():
    """Two uploads, then the text and both files, by the ids the uploads gave."""
    async with running("messenger") as (vendor, account):
        files = (make_file(), make_file())
        found = await send("messenger", account, make_message("messenger", "Two", attachments=files))
        paths = [one["path"].rpartition("/")[2] for one in vendor.requests]
        kept = list(vendor.sent.values())
    assert paths == ["message_attachments"] * 2 + ["messages"] * 3
    assert found.external_ids == tuple(one["id"] for one in kept)
    assert len({one["file"]["payload"]["attachment_id"] for one in kept[1:]}) == 2


async def test_files_of_instagram_go_by_their_address():
    """Nothing is uploaded: Meta fetches."""
    async with running("instagram") as (vendor, account):
        file = make_file("https://hub.example.com/f/1?s=2")
        await send("instagram", account, make_message("instagram", "", attachments=(file,)))
        (kept,) = vendor.sent.values()
    assert kept["file"] == {"type": "image", "payload": {"attachment_id": "", "url": file.url}}


@BOTH
async def test_throttle_names_its_bucket_and_parts_are_not_repeated(channel):
    """Too fast closes the page's bucket as long as Meta says; after a first part nothing is sent again."""
    async with running(channel) as (vendor, account):
        await control(account, "next", answers=[{"kind": "throttle", "retry_after": 7}])
        with pytest.raises(ConnectorError) as caught:
            await send(channel, account, make_message(channel))
        info = caught.value.info
        assert (info.klass, info.retry_after_s) == (ErrorClass.RATE_LIMITED, 7.0)
        assert info.bucket.startswith(f"{channel}:text:")
        files = (make_file("https://hub.example.com/f"),)
        await control(
            account, "next", answers=[{"kind": "late", "delay_s": 0}, {"kind": "throttle", "path": "/messages"}]
        )
        with pytest.raises(ConnectorError) as caught:
            await send(channel, account, make_message(channel, "one", attachments=files))
        assert len(vendor.sent) <= 1


@BOTH
async def test_reaction_and_seen_reach_the_vendor(channel):
    """What Meta has a call for is done, the rest refused."""
    async with running(channel) as (vendor, account):
        act = REGISTRY.get(channel).act
        assert act is not None
        to = PEOPLE[channel]
        await act(account, Act(id="a", kind="react", to=to, thread_key=to.value, external_id="m_1", emoji="👍"))
        await act(account, Act(id="b", kind="unreact", to=to, thread_key=to.value, external_id="m_1", emoji="👍"))
        await act(account, Act(id="c", kind="mark_read", to=to, thread_key=to.value, external_id="m_1"))
        with pytest.raises(ConnectorError) as caught:
            await act(account, Act(id="d", kind="edit", to=to, thread_key=to.value, external_id="m_1", text="x"))
        assert caught.value.info.klass is ErrorClass.UNSUPPORTED
        assert [(one["kind"], one["text"]) for one in vendor.done] == [("react", "👍"), ("unreact", "")]
        assert len(vendor.requests) == 3


@BOTH
async def test_person_is_asked_about_and_called_as_they_show_themselves(channel):
    """Messenger gives two names, Instagram one or a username; who shows nothing is no riddle to be asked again."""
    ask, who = REGISTRY.get(channel).profile_of, PEOPLE[channel]
    shown = {"profile_pic": "https://scontent.xx.fbcdn.net/v/1.jpg"}
    shown |= {"first_name": "Nadia", "last_name": "Brandt"} if channel == "messenger" else {"username": "nadia.b"}
    async with running(channel) as (vendor, account):
        with pytest.raises(ConnectorError) as unknown:
            await ask(account, who)
        vendor.people[who.value] = shown
        found = await ask(account, who)
        with pytest.raises(ConnectorError) as odd:
            await ask(account, Identity(who.scheme, "me/accounts"))

    assert found.avatar_url == shown["profile_pic"]
    assert (found.name, found.handle) == (("Nadia Brandt", None) if channel == "messenger" else ("", "nadia.b"))
    assert {unknown.value.info.klass, odd.value.info.klass} == {ErrorClass.RECIPIENT}
    assert len(vendor.requests) == 2


@BOTH
async def test_keys_are_checked_before_they_are_saved(channel):
    """Good ones give the id that routes calls; each wrong one is named."""
    async with running(channel) as (_, account):
        connector = REGISTRY.get(channel)
        good = await connector.check(account)
        assert (good.external_ref, good.warnings) == ((PAGE_ID if channel == "messenger" else INSTAGRAM_ID), ())
        assert connector.test is not None
        assert "orthwind" in await connector.test(account)
        with pytest.raises(ConnectorError) as caught:
            await connector.check(make_account(channel, account.base_url, access_token="another"))
        assert caught.value.info.klass is ErrorClass.AUTH
        with pytest.raises(InvalidInput) as wrong:
            await connector.check(make_account(channel, account.base_url, client_secret="another"))
        assert wrong.value.field == "client_secret"


async def test_file_elsewhere_is_never_fetched():
    """An address that is not Meta's is refused without a question to anybody."""
    fetch = REGISTRY.get("messenger").fetch
    assert fetch is not None

    async def nothing() -> bytes:
        raise AssertionError

    for url in (
        "https://evil.example/x",
        "http://127.0.0.1/x",
        "https://fbcdn.net.evil.example/x",
        "file:///etc/passwd",
    ):
        with pytest.raises(ConnectorError):
            async for _ in fetch(make_account("messenger"), AttachmentRef(ref=url, kind="image"), nothing):
                pass


@pytest.mark.parametrize(
    ("status", "error", "klass"),
    [
        (400, {"code": 10, "error_subcode": 2018278}, ErrorClass.WINDOW_CLOSED),
        (400, {"code": 10}, ErrorClass.PERMISSION),
        (403, {"code": 200}, ErrorClass.PERMISSION),
        (400, {"code": 100, "error_subcode": 2018001}, ErrorClass.RECIPIENT),
        (400, {"code": 551}, ErrorClass.RECIPIENT),
        (400, {"code": 100}, ErrorClass.CONTENT),
        (401, {"code": 190}, ErrorClass.AUTH),
        (400, {"code": 613}, ErrorClass.RATE_LIMITED),
        (500, {"code": 1200}, ErrorClass.RETRYABLE),
        (400, {"code": 368}, ErrorClass.ACCOUNT),
        (500, {"code": 1}, ErrorClass.AMBIGUOUS),
        (502, None, ErrorClass.AMBIGUOUS),
        (400, {"code": 999_999}, ErrorClass.PERMANENT),
    ],
)
def test_refusals_are_classified_by_metas_code(status, error, klass):
    """Subcode before code before status; Meta's own words, which may name people, are not passed on."""
    body = b"<html>" if error is None else json.dumps({"error": {"message": "user +1555", **error}}).encode()
    info = read_refusal(Answer(status, {}, body), "Messenger")
    assert info.klass is klass
    assert "+1555" not in info.message
