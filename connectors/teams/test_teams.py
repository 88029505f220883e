"""Teams: whose calls are believed, where answers go, and what Microsoft's refusals mean."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from connectors.base import Account, Act, ParseContext, WebhookRequest
from connectors.http import Answer
from connectors.teams import CONNECTOR, client
from connectors.teams.parse import parse, split
from connectors.teams.places import activities_url, activity_of, is_service
from connectors.teams.verify import ISSUER, key_sets, verify
from hub.envelope import AttachmentRef, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, SignatureRejected, SigningKeyUnknown
from scripts.emulators.http1 import listen
from scripts.emulators.teams import APP_ID, SECRET, TENANT_ID, Teams

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SERVICE = "https://smba.trafficmanager.net/emea/"
THREAD = "19:abc@thread.tacv2;messageid=1 https://smba.trafficmanager.net/emea"
ANN = Identity("teams", "29:ann")
PRIVATE = RSAKey.generate_key(2048)
FIXTURES = Path(__file__).parent / "fixtures"


def make_account(base_url: str = "", **more: object) -> Account:
    facts = {
        "id": "1",
        "workspace_id": 1,
        "credentials": {"client_id": APP_ID, "client_secret": SECRET},
        "settings": {"tenant_id": TENANT_ID},
        "webhook_url": "https://hub.example.com/webhooks/teams/1",
        "base_url": base_url,
    }
    return Account(**facts | more)


def with_keys(**more: object) -> Account:
    public = {**PRIVATE.as_dict(private=False), "kid": "k1", "endorsements": ["msteams"], **more}
    return make_account(keys={key_sets(make_account())[0]: json.dumps({"keys": [public]}).encode()})


def call(body: dict[str, object] | None = None, kid: str = "k1", **claims: object) -> WebhookRequest:
    at_s = int(NOW.timestamp())
    said = {"iss": ISSUER, "aud": APP_ID, "exp": at_s + 60, "nbf": at_s, "serviceurl": SERVICE} | claims
    token = jws.serialize_compact({"alg": "RS256", "kid": kid}, json.dumps(said).encode(), PRIVATE)
    activity = {"type": "message", "serviceUrl": SERVICE, "channelId": "msteams"} | (body or {})
    headers = {"authorization": f"Bearer {token}"}
    return WebhookRequest(method="POST", url="", headers=headers, body=json.dumps(activity).encode(), received_at=NOW)


def make_message(**more: object) -> OutboundMessage:
    facts = {"message_id": "0190b0a0-1111-7000-8000-000000000001", "to": ANN, "thread_key": THREAD, "text": "Hello"}
    return OutboundMessage(**facts | more)


@contextlib.asynccontextmanager
async def running():
    vendor = Teams()
    async with listen(vendor.handle) as listener:
        yield vendor, make_account(f"http://127.0.0.1:{listener.port}")


async def send(account: Account, message: OutboundMessage):
    return await CONNECTOR.send(account, message, CONNECTOR.render(message, account))


def test_call_of_the_bot_connector_is_believed():
    """The call the others spoil is good; a slash at the end of the service's address makes no difference."""
    assert verify(call(), with_keys()) is None
    assert verify(call({"serviceUrl": SERVICE.rstrip("/")}), with_keys()) is None


@pytest.mark.parametrize(
    ("body", "claims"),
    [
        ({"serviceUrl": "https://evil.example/"}, {}),
        ({}, {"serviceurl": "https://other.trafficmanager.net/"}),
        ({}, {"serviceurl": ""}),
        ({"serviceUrl": ""}, {"serviceurl": ""}),
        ({"channelId": "webchat"}, {}),
        ({"serviceUrl": 7}, {}),
        ({}, {"aud": "another"}),
        ({}, {"iss": "https://sts.windows.net/"}),
        ({}, {"exp": int(NOW.timestamp()) - 301}),
    ],
    ids=str,
)
def test_call_that_is_not_all_of_it_is_refused(body, claims):
    """Another service would get our token; another channel's key, bot, issuer or time proves nothing."""
    with pytest.raises(SignatureRejected):
        verify(call(body, **claims), with_keys())


def test_key_must_be_known_and_speak_for_teams():
    """A key without the endorsement is refused; one we have not seen asks for newer ones."""
    with pytest.raises(SignatureRejected):
        verify(call(), with_keys(endorsements=["webchat"]))
    with pytest.raises(SigningKeyUnknown):
        verify(call(kid="k2"), with_keys())
    for header in ("", "Bearer", "Basic x", "Bearer a.b.c"):
        with pytest.raises(SignatureRejected):
            verify(msgspec.structs.replace(call(), headers={"authorization": header}), with_keys())


def test_words_in_angle_brackets_are_words_where_there_is_no_markup():
    """Only a text that is said to be markup is read as such; its lines stay lines."""
    recorded = json.loads((FIXTURES / "message.in.json").read_text())["body"]
    context = ParseContext(received_at=NOW, key="k", settings={})

    def read(text: str, kind: str) -> str:
        body = json.loads(recorded) | {"text": text, "textFormat": kind}
        return parse(json.dumps(body).encode(), context)[0].text

    assert read("<at>Support</at> if a < b and c > d, write to <ann@example.com>", "plain") == (
        "if a < b and c > d, write to <ann@example.com>"
    )
    assert read("<at>Support</at> <p>one<br>two</p> 1 &lt; 2", "xml") == "one\ntwo\n 1 < 2"


def test_only_the_bots_mention_is_cut():
    """Whom else a message names is part of what it says, with an id in the mark or without."""
    recorded = json.loads((FIXTURES / "message.in.json").read_text())["body"]
    known = json.loads(recorded)
    bot = {"type": "mention", "text": "<at>Support</at>", "mentioned": known["recipient"]}
    mia = {"type": "mention", "text": '<at id="1">Mia</at>', "mentioned": {"id": "29:mia", "name": "Mia"}}
    text = '<at>Support</at> ask <at id="1">Mia</at> about it'
    html = {"contentType": "text/html", "content": f"<div>{text}</div>"}
    body = known | {"text": text, "textFormat": "xml", "attachments": [html], "entities": [bot, mia]}
    (item,) = parse(json.dumps(body).encode(), ParseContext(received_at=NOW, key="k", settings={}))
    assert (item.text, item.html) == ("ask @Mia about it", "<div>ask @Mia about it</div>")


@pytest.mark.parametrize("content", [None, {}, {"downloadUrl": 7}, "x"])
def test_file_without_an_address_spoils_no_message(content):
    """The words arrive, and the file is named."""
    recorded = json.loads((FIXTURES / "message.in.json").read_text())["body"]
    kind = "application/vnd.microsoft.teams.file.download.info"
    file = {"contentType": kind, "name": "offer.pdf", "content": content}
    body = json.loads(recorded) | {"text": "Here it is", "attachments": [file]}
    (item,) = parse(json.dumps(body).encode(), ParseContext(received_at=NOW, key="k", settings={}))
    assert item.text == "Here it is\n[offer.pdf: open it in Teams]"


def test_call_of_no_tenant_is_no_accounts():
    """The account in the address gets what names its tenant, and nothing else."""
    (item,) = split(call({"conversation": {"id": "a:1"}}))
    assert item.account_ref == "no tenant"


def test_call_of_another_tenant_names_it():
    """The edge gives it to that tenant's account alone."""
    recorded = json.loads((FIXTURES / "message.in.json").read_text())
    body = recorded["body"].replace(TENANT_ID, TENANT_ID.upper())
    (item,) = split(msgspec.structs.replace(call(), body=body.encode()))
    assert item.account_ref == TENANT_ID


@pytest.mark.parametrize(
    "url",
    [
        *("http://smba.trafficmanager.net/emea", "https://trafficmanager.net.evil.example", "https://evil.example"),
        *("https://mine.trafficmanager.net/emea", "https://x.smba.trafficmanager.net"),
        *("https://user@smba.trafficmanager.net", "https://smba.trafficmanager.net:8443", "https://[", ""),
    ],
)
def test_our_token_goes_to_microsoft_alone(url):
    """Not by plain http, not to a name that only looks like it."""
    assert not is_service(url)
    with pytest.raises(ConnectorError):
        activities_url(f"a:1 {url}", "")


def test_ids_are_parts_of_an_address():
    """Whatever an id holds, it leads nowhere else."""
    assert activities_url(THREAD, "").endswith("/v3/conversations/19%3Aabc%40thread.tacv2%3Bmessageid%3D1/activities")
    assert activities_url("a/../b https://smba.trafficmanager.net", "").endswith("/conversations/a%2F..%2Fb/activities")
    assert activity_of("a:1 x/../y?z") == "x%2F..%2Fy%3Fz"
    for broken in ("", "alone", " x"):
        with pytest.raises(ConnectorError):
            activity_of(broken)


async def test_message_is_sent_changed_and_taken_back():
    """By the ids Teams gave; pictures go by their address, other files not at all."""
    async with running() as (vendor, account):
        picture = OutboundAttachment(
            id="f", kind="image", filename="a.png", mime="image/png", size_bytes=4, url="https://x.example/a"
        )
        found = await send(account, make_message(attachments=(picture,), quoted_external_id="c 17"))
        (kept,) = vendor.sent.values()
        assert (kept["conversation"], kept["reply_to"], kept["files"]) == (THREAD.split(" ", maxsplit=1)[0], "17", 1)
        (message_id,) = found.external_ids
        assert CONNECTOR.act is not None
        for kind in ("edit", "delete"):
            await CONNECTOR.act(
                account, Act(id="a", kind=kind, to=ANN, thread_key=THREAD, external_id=message_id, text="Better")
            )
        assert [(one["kind"], one["text"]) for one in vendor.done] == [("edit", "Better"), ("delete", "")]
        with pytest.raises(ConnectorError) as caught:
            await CONNECTOR.act(account, Act(id="a", kind="react", to=ANN, thread_key=THREAD, external_id=message_id))
        assert caught.value.info.klass is ErrorClass.UNSUPPORTED
        paper = msgspec.structs.replace(picture, kind="file", mime="application/pdf")
        with pytest.raises(ConnectorError, match="pictures only"):
            CONNECTOR.render(make_message(attachments=(paper,)), account)


async def test_bad_keys_are_told_before_they_are_saved():
    """Good ones give the tenant, which routes calls."""
    async with running() as (_, account):
        assert (await client.check(account)).external_ref == TENANT_ID
        assert "token" in await client.test(account)
        wrong = msgspec.structs.replace(account, credentials={"client_id": APP_ID, "client_secret": "another"})
        with pytest.raises(ConnectorError) as caught:
            await client.check(wrong)
        assert caught.value.info.klass is ErrorClass.AUTH


@pytest.mark.parametrize("status", [429, 412])
async def test_too_fast_closes_the_conversations_bucket(status):
    """412 means the same as 429 there."""
    async with running() as (_, account), httpx.AsyncClient(trust_env=False) as steer:
        plan = [{"kind": "throttle", "path": "/activities", "status": status, "retry_after": 5}]
        await steer.post(f"{account.base_url}/_control", json={"op": "next", "answers": plan})
        with pytest.raises(ConnectorError) as caught:
            await send(account, make_message())
    info = caught.value.info
    assert (info.klass, info.retry_after_s) == (ErrorClass.RATE_LIMITED, 5.0)
    assert info.bucket
    assert info.bucket.endswith(THREAD)


async def test_pause_of_the_token_service_is_not_the_conversations():
    """The account waits as a whole: its other conversations would be refused as well."""
    async with running() as (_, account), httpx.AsyncClient(trust_env=False) as steer:
        plan = [{"kind": "throttle", "path": "/oauth2/v2.0/token", "status": 429, "retry_after": 5}]
        await steer.post(f"{account.base_url}/_control", json={"op": "next", "answers": plan})
        with pytest.raises(ConnectorError) as caught:
            await send(account, make_message())
    assert (caught.value.info.klass, caught.value.info.bucket) == (ErrorClass.RATE_LIMITED, None)


@pytest.mark.parametrize(
    ("status", "code", "klass"),
    [
        (403, "MessageWritesBlocked", ErrorClass.RECIPIENT),
        (403, "ForbiddenOperationException", ErrorClass.PERMISSION),
        (403, "BotNotInConversationRoster", ErrorClass.RECIPIENT),
        (403, "Forbidden", ErrorClass.PERMISSION),
        (404, "Other", ErrorClass.RECIPIENT),
        (413, "MessageSizeTooBig", ErrorClass.CONTENT),
        (401, "Unauthorized", ErrorClass.AUTH),
        (502, "", ErrorClass.AMBIGUOUS),
        (400, "BadArgument", ErrorClass.PERMANENT),
    ],
)
def test_refusals_are_classified(status, code, klass):
    """By the code where it says more than the status; what may have been sent is never called safe to repeat."""
    body = json.dumps({"error": {"code": code, "message": "of 29:ann"}}).encode()
    info = client.read_refusal(Answer(status, {}, body), "Teams")
    assert info.klass is klass
    assert "29:ann" not in info.message


async def test_files_elsewhere_are_never_fetched():
    """Neither with the token nor without."""

    async def nothing() -> bytes:
        raise AssertionError

    for url in ("https://evil.example/x", "https://sharepoint.com.evil.example/x", "http://contoso.sharepoint.com/x"):
        with pytest.raises(ConnectorError):
            async for _ in client.fetch(make_account(), AttachmentRef(ref=url, kind="file"), nothing):
                pass
