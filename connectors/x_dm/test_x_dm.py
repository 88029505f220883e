"""X: the challenge that signs nothing else, limits and money, sends and what is looked for, signing in."""

from __future__ import annotations

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from connectors.base import Account, OAuthApp, WebhookRequest
from connectors.http import Answer
from connectors.x_dm import CONNECTOR, client
from connectors.x_dm.api import read_refusal
from connectors.x_dm.signin import authorize_url, exchange, renew
from connectors.x_dm.verify import verify
from hub.envelope import AttachmentRef, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, SignatureRejected
from scripts.emulators.http1 import listen
from scripts.emulators.x_dm import CLIENT_ID, CLIENT_SECRET, SECRET, USER_ID, X, signed

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ANN = Identity("x", "222")
REDIRECT = "https://hub.example.com/connect/x_dm/callback"
VERIFIER = "v" * 43
# base64url(sha256(VERIFIER)), as RFC 7636 section 4.2 has it.
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"


async def read_file(_file_id: str):
    yield b"\x89PNG"


def make_account(base_url: str = "", token: str = "t", **settings: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"access_token": token, "signing_secret": SECRET},
        settings={"user_id": USER_ID} | settings,
        webhook_url="https://hub.example.com/webhooks/x_dm/1",
        base_url=base_url,
        read_file=read_file,
    )


def make_message(text: str = "Hello", **more: object) -> OutboundMessage:
    facts = {"message_id": "0190b0a0-1111-7000-8000-000000000001", "to": ANN, "thread_key": "222", "text": text}
    return OutboundMessage(**facts | more)


def make_app(base_url: str) -> OAuthApp:
    return OAuthApp(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, base_url=base_url, redirect_uri=REDIRECT)


@contextlib.asynccontextmanager
async def running():
    """Give the emulator in this process and an account that signed in there."""
    vendor = X()
    async with listen(vendor.handle) as listener:
        base_url = f"http://127.0.0.1:{listener.port}"
        granted = await exchange(make_app(base_url), await agree(base_url), VERIFIER)
        yield vendor, make_account(base_url, granted.credentials["access_token"]), granted


async def agree(base_url: str) -> str:
    """Allow the app in the browser; returns the code."""
    url = authorize_url(make_app(base_url), "s" * 22, CHALLENGE, {})
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


async def send(account: Account, message: OutboundMessage):
    return await CONNECTOR.send(account, message, CONNECTOR.render(message, account))


def ask(query: str) -> WebhookRequest:
    return WebhookRequest(method="GET", url=f"https://hub.example.com/x?{query}", headers={}, body=b"", received_at=NOW)


def test_challenge_is_answered_and_nothing_else_is_ever_signed():
    """Whoever could have a body signed could make calls in X's name."""
    reply = verify(ask("crc_token=MWFlZTU0ODIt"), make_account())
    assert reply is not None
    assert json.loads(reply.body) == {"response_token": signed(b"MWFlZTU0ODIt", SECRET)}
    for hostile in ('{"data":{"event_type":"dm.received"}}', "%7B%22data%22%3A1%7D", "", "a b", "x" * 121, "[1]"):
        with pytest.raises(SignatureRejected):
            verify(ask(f"crc_token={hostile}"), make_account())
    with pytest.raises(SignatureRejected):
        verify(ask("crc_token=abc"), msgspec.structs.replace(make_account(), credentials={}))


def test_messages_are_charged_to_the_account_the_day_and_the_budget():
    """Settings stand before the manifest's limits; money counts only where there is a budget."""
    plain = CONNECTOR.charges(make_account(), make_message())
    assert [(one.key, one.cost) for one in plain] == [(f"x:dm:user:{USER_ID}", 1.0), (f"x:dm:day:{USER_ID}", 1.0)]
    # A fifth saved up and the rest over time stay under 15 in any 15 minutes.
    assert plain[0].limits[0].burst + plain[0].limits[0].rate <= 15
    files = tuple(make_file(str(place)) for place in range(3))
    paid = CONNECTOR.charges(
        make_account(sends_per_15_minutes="100", monthly_budget_usd="20"), make_message(attachments=files)
    )
    assert (paid[0].limits[0].rate, paid[0].limits[0].burst) == (80.0, 20)
    assert (paid[2].limits[0].rate, paid[2].cost) == (20.0, pytest.approx(0.045))


def make_file(name: str = "f") -> OutboundAttachment:
    return OutboundAttachment(id=name, kind="image", filename="a.png", mime="image/png", size_bytes=4)


async def test_pictures_are_uploaded_before_anything_leaves():
    """One a message: the text goes with the first."""
    async with running() as (vendor, account, _):
        found = await send(account, make_message("Two", attachments=(make_file("a"), make_file("b"))))
        paths = [one["path"].rpartition("/")[2] for one in vendor.requests if one["method"] == "POST"]
        kept = [(one["id"], one["text"], one["files"]) for one in vendor.sent]
    assert paths[-4:] == ["upload", "upload", "messages", "messages"]
    assert [text for _, text, _ in kept] == ["Two", ""]
    assert found.external_ids == tuple(one for one, _, _ in kept)


async def test_lost_answer_is_looked_for_and_never_invented():
    """The same words sent since the try began are it; older ones, others' and pictures are not."""
    async with running() as (vendor, account, _):
        began = datetime.now(UTC)
        message = make_message("perhaps", attempted_at=began)
        assert await client.reconcile(account, message) is None
        sent = await send(account, message)
        found = await client.reconcile(account, message)
        assert found is not None
        assert found.external_ids == sent.external_ids
        assert await client.reconcile(account, make_message("other", attempted_at=began)) is None
        later = make_message("perhaps", attempted_at=began + timedelta(minutes=5))
        assert await client.reconcile(account, later) is None
        assert (
            await client.reconcile(account, make_message("perhaps", attachments=(make_file(),), attempted_at=began))
            is None
        )
        assert len(vendor.sent) == 1


async def test_signing_in_gives_whose_account_it_is_and_tokens_are_renewed_once():
    """A refresh token that was used is good no more; then a person must sign in."""
    async with running() as (vendor, account, granted):
        assert (granted.external_ref, granted.name) == (USER_ID, "@northwind")
        assert granted.settings == {"user_id": USER_ID, "username": "northwind"}
        assert granted.expires_at is not None
        app, old = make_app(account.base_url), {"refresh_token": granted.credentials["refresh_token"]}
        newer = await renew(app, msgspec.structs.replace(account, credentials=old))
        assert newer.credentials["refresh_token"] != old["refresh_token"]
        fresh = msgspec.structs.replace(account, credentials=dict(newer.credentials) | {"signing_secret": SECRET})
        assert (await client.check(fresh)).external_ref == USER_ID
        assert "@northwind" in await client.test(fresh)
        with pytest.raises(ConnectorError) as caught:
            await renew(app, msgspec.structs.replace(account, credentials=old))
        assert caught.value.info.klass is ErrorClass.AUTH
        wrong = msgspec.structs.replace(app, client_secret="another")
        with pytest.raises(ConnectorError) as caught:
            await exchange(wrong, await agree(account.base_url), VERIFIER)
        assert caught.value.info.klass is ErrorClass.AUTH
        assert "token" not in repr(granted)
        assert vendor.oauth.renewals == 1


async def test_file_comes_from_the_api_with_the_token():
    """By the three parts of its address; whatever the address in the message said."""
    async with running() as (vendor, account, _):
        async with httpx.AsyncClient(trust_env=False) as steer:
            order = {"op": "file", "body": base64.b64encode(b"picture").decode(), "mime": "image/jpeg"}
            url = (await steer.post(f"{account.base_url}/_control", json=order)).json()["url"]
        ref = url.partition("/dm/")[2]

        async def nothing() -> bytes:
            raise AssertionError

        pieces = [one async for one in client.fetch(account, AttachmentRef(ref=ref, kind="image"), nothing)]
        assert b"".join(pieces) == b"picture"
        assert vendor.requests[-1]["path"].endswith(ref)


@pytest.mark.parametrize(
    ("status", "klass"),
    [
        (401, ErrorClass.AUTH),
        (402, ErrorClass.ACCOUNT),
        (403, ErrorClass.RECIPIENT),
        (400, ErrorClass.CONTENT),
        (503, ErrorClass.AMBIGUOUS),
    ],
)
def test_refusals_are_classified_by_status(status, klass):
    """X's own words, which may name people, are not passed on."""
    info = read_refusal(Answer(status, {}, b'{"detail":"user 222"}'), "X")
    assert info.klass is klass
    assert "222" not in info.message


def test_too_fast_waits_until_x_says():
    """The header counts seconds since 1970; one that is no number counts as absent."""
    reset = str(int(datetime.now(UTC).timestamp()) + 90)
    info = read_refusal(Answer(429, {"x-rate-limit-reset": reset}, b""), "X")
    assert info.klass is ErrorClass.RATE_LIMITED
    assert info.retry_after_s is not None
    assert 85 < info.retry_after_s <= 90
    assert read_refusal(Answer(429, {"x-rate-limit-reset": "soon"}, b""), "X").retry_after_s is None
