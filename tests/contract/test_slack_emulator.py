"""
The emulator is as strict as Slack, and what it signs is what Slack's own framework takes; our requests fit both.

The connector and the emulator meet over loopback here; ``tests/acceptance/test_channels.py`` puts the whole hub between.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from connectors.base import Account, Act, OAuthApp, ParseContext, PolledBatch
from connectors.slack import CONNECTOR
from connectors.slack.client import HISTORY_SCOPES, NAME_SCOPES, SCOPES
from hub.envelope import AttachmentRef, Direction, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, UnsupportedPayload
from scripts.emulators.http1 import listen
from scripts.emulators.slack import Workspace
from scripts.emulators.slack_app import APP, BOT, BOT_USER, CLIENT_ID, CLIENT_SECRET, OWNER, SIGNING_SECRET, TEAM

CALLBACK = "http://localhost:8000/connect/slack/callback"
NADIA = Identity("slack", "U0NADIA", TEAM)
STATE, TOKEN = "s" * 43, "xoxb-of-a-test"
THREAD = "C0ORDERS/1795348799.000100"


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[tuple[Workspace, Account]]:
    """A workspace with the app in it, and the account of it."""
    vendor = Workspace((CALLBACK,))
    vendor.app.tokens[TOKEN] = "good"
    async with listen(vendor.handle) as listener:
        yield vendor, account_at(f"http://127.0.0.1:{listener.port}")


def account_at(base_url: str, **credentials: str) -> Account:
    async def read_file(file_id: str) -> AsyncIterator[bytes]:
        yield f"bytes of {file_id}".encode()

    return Account(
        id=str(uuid.uuid4()),
        workspace_id=1,
        credentials={"access_token": TOKEN, "signing_secret": SIGNING_SECRET} | credentials,
        settings={"team_id": TEAM, "app_id": APP, "bot_user_id": BOT_USER, "bot_id": BOT, "installed_by": OWNER},
        webhook_url="https://hub.example.com/webhooks/slack/1",
        base_url=base_url,
        read_file=read_file,
    )


def message(text: str = "Hello", **more: Any) -> OutboundMessage:
    return OutboundMessage(
        **({"message_id": str(uuid.uuid4()), "to": NADIA, "thread_key": NADIA.value, "text": text} | more)
    )


def attached(name: str = "label.pdf") -> OutboundAttachment:
    return OutboundAttachment(id=f"id-of-{name}", kind="file", filename=name, mime="application/pdf", size_bytes=9)


async def send(account: Account, one: OutboundMessage) -> str:
    (name,) = (await CONNECTOR.send(account, one, CONNECTOR.render(one, account))).external_ids
    return name


async def act(account: Account, kind: Any, name: str, **more: str) -> None:
    assert CONNECTOR.act is not None
    await CONNECTOR.act(account, Act(id="1", kind=kind, to=NADIA, thread_key=NADIA.value, external_id=name, **more))


def shapes_of(vendor: Workspace) -> list[str]:
    """Return what was refused for its shape: a request the vendor does not document."""
    return [one["refused"] for one in vendor.requests if "invalid_arguments" in one.get("refused", "")]


async def test_text_goes_to_the_member_and_the_thread_with_our_id_unseen():
    """A first message opens the direct channel; one in a thread stays in it; both carry our id."""
    async with running() as (vendor, account):
        first, second = message("a <b> & <!channel>"), message("in a thread", thread_key=THREAD)
        names = [await send(account, first), await send(account, second)]

    direct, threaded = vendor.messages
    assert names == [f"D0NADIA/{direct['ts']}", f"C0ORDERS/{threaded['ts']}"]
    assert direct["text"] == "a &lt;b&gt; &amp; &lt;!channel&gt;"
    assert threaded["thread_ts"] == "1795348799.000100"
    assert [one["metadata"]["event_payload"]["message_id"] for one in vendor.messages] == [
        first.message_id,
        second.message_id,
    ]
    assert shapes_of(vendor) == []


async def test_known_direct_channel_is_not_opened_again():
    """Where a message came from the direct channel, its answer costs one request."""
    async with running() as (vendor, account):
        await send(account, message(reply_to_external_id="D0NADIA/1795348799.000100"))

    assert [one["path"] for one in vendor.requests] == ["/api/chat.postMessage"]


async def test_edit_deletion_and_reactions_twice_come_to_the_same():
    """Each act is done once however often it is asked, and the emoji is found under a name Slack knows."""
    async with running() as (vendor, account):
        name = await send(account, message())
        for _ in range(2):
            await act(account, "edit", name, text="Hello again")
            await act(account, "react", name, emoji="🎉")
        for _ in range(2):
            await act(account, "unreact", name, emoji="🎉")
        for _ in range(2):
            await act(account, "delete", name)

    kinds = [one["kind"] for one in vendor.done]
    assert kinds == ["edit", "react", "edit", "unreact", "delete"]
    assert {one["text"] for one in vendor.done if one["kind"] == "react"} == {"tada"}
    assert shapes_of(vendor) == []


async def test_emoji_slack_has_no_name_for_is_refused_in_words():
    """What no name of Slack's fits is said to the member, not tried for ever."""
    async with running() as (_, account):
        name = await send(account, message())
        for emoji in ("🪿", "no emoji"):
            with pytest.raises(ConnectorError) as refused:
                await act(account, "react", name, emoji=emoji)
            assert refused.value.info.klass in (ErrorClass.CONTENT, ErrorClass.UNSUPPORTED)


async def test_reply_is_shown_as_its_authors():
    """Where the account says so: as the member's, with their picture."""
    async with running() as (vendor, account):
        shown = {**account.settings, "show_author": "true"}
        account = msgspec.structs.replace(
            account, settings=shown, webhook_url="https://hub.example.com/webhooks/slack/1"
        )
        await send(account, message("Hello", author_name="Priya Shah", author_avatar="abc"))
    (told,) = vendor.messages
    assert (told["username"], told["icons"]) == ("Priya Shah", {"image_48": "https://hub.example.com/avatars/abc"})


async def test_files_go_out_in_one_message_with_their_text():
    """Bytes are uploaded without a token, then shared at once; the message is known by its own name."""
    async with running() as (vendor, account):
        name = await send(account, message("the labels", attachments=(attached("a.pdf"), attached("b.pdf"))))

    (shared,) = vendor.messages
    assert name == f"D0NADIA/{shared['ts']}"
    assert shared["text"] == "the labels"
    found = [vendor.files[one["id"]] for one in shared["files"]]
    assert [one["sha256"] for one in found] == [
        hashlib.sha256(f"bytes of id-of-{name}".encode()).hexdigest() for name in ("a.pdf", "b.pdf")
    ]
    assert shapes_of(vendor) == []


async def test_file_whose_message_has_no_name_yet_can_be_deleted_and_no_more(monkeypatch):
    """Slack shares late: the file stands for its message; deleting works, editing is refused in words."""
    monkeypatch.setattr("connectors.slack.sharing._SHARED_PAUSE_S", 0.0)
    async with running() as (vendor, account):
        vendor.slow_share = True
        name = await send(account, message("", attachments=(attached(),)))
        with pytest.raises(ConnectorError) as refused:
            await act(account, "edit", name, text="x")
        await act(account, "delete", name)
        await act(account, "delete", name)

    assert refused.value.info.klass is ErrorClass.UNSUPPORTED
    assert [one["kind"] for one in vendor.done] == ["delete"]


@pytest.mark.parametrize("attachments", [(), (attached(),)], ids=["text", "files"])
async def test_lost_answer_is_found_again(attachments):
    """The vendor took it and hung up: ambiguous; then the channel's history has it under its name."""
    async with running() as (vendor, account):
        one = message("perhaps", attachments=attachments, thread_key=THREAD, attempted_at=datetime.now(UTC))
        path = "files.completeUploadExternal" if attachments else "chat.postMessage"
        vendor._planned.append({"kind": "reset", "path": path})
        with pytest.raises(ConnectorError) as lost:
            await send(account, one)
        found = await CONNECTOR.reconcile(account, one)
        other = await CONNECTOR.reconcile(account, msgspec.structs.replace(one, message_id=str(uuid.uuid4()), text="-"))

    assert lost.value.info.klass is ErrorClass.AMBIGUOUS
    assert found is not None
    assert found.external_ids == (f"C0ORDERS/{vendor.messages[0]['ts']}",)
    assert other is None


async def test_doubt_before_the_message_is_no_doubt_about_it():
    """An upload that hung up shows nothing to anybody: trying again is safe."""
    async with running() as (vendor, account):
        vendor._planned.append({"kind": "reset", "path": "getUploadURLExternal"})
        with pytest.raises(ConnectorError) as failed:
            await send(account, message("x", attachments=(attached(),)))

    assert failed.value.info.klass is ErrorClass.RETRYABLE
    assert vendor.messages == []


async def test_request_is_made_once_and_waits_as_told():
    """The SDK's own retries are off, and Retry-After is what Slack said."""
    async with running() as (vendor, account):
        vendor._planned.append({"kind": "throttle", "retry_after": 7, "path": "chat.postMessage"})
        with pytest.raises(ConnectorError) as throttled:
            await send(account, message(reply_to_external_id="D0NADIA/1795348799.000100"))

    assert (throttled.value.info.klass, throttled.value.info.retry_after_s) == (ErrorClass.RATE_LIMITED, 7.0)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("answer", [{"kind": "html", "status": 200}, {"kind": "html", "status": 502}], ids=str)
async def test_page_in_place_of_an_answer_proves_nothing(answer):
    """A proxy's page, also with 200, may stand for a message that went out."""
    async with running() as (vendor, account):
        vendor._planned.append(answer)
        with pytest.raises(ConnectorError) as failed:
            await send(account, message(reply_to_external_id="D0NADIA/1795348799.000100"))

    assert failed.value.info.klass is ErrorClass.AMBIGUOUS
    assert "Bad gateway" not in failed.value.info.message


async def test_revoked_token_asks_for_a_sign_in():
    """Every request says so: a send, a check, a file."""
    async with running() as (vendor, account):
        vendor.steer("revoke", {})
        for request in (send(account, message()), CONNECTOR.check(account)):
            with pytest.raises(ConnectorError) as refused:
                await request
            assert refused.value.info.klass is ErrorClass.AUTH


async def test_nobody_listening_is_safe_to_repeat():
    """A connection that was never made left nothing with Slack."""
    with pytest.raises(ConnectorError) as failed:
        await send(account_at("http://127.0.0.1:9"), message(reply_to_external_id="D0NADIA/1795348799.000100"))
    assert failed.value.info.klass is ErrorClass.RETRYABLE


# ── files of people ─────────────────────────────────────────────────────────────────────────────────────────────────


async def fetch(account: Account, ref: str) -> bytes:
    async def raw() -> bytes:
        raise AssertionError("nothing is kept")

    assert CONNECTOR.fetch is not None
    wanted = AttachmentRef(ref=ref, kind="file", mime="application/pdf")
    return b"".join([piece async for piece in CONNECTOR.fetch(account, wanted, raw)])


def keep(vendor: Workspace, origin: str) -> dict[str, Any]:
    body = base64.b64encode(b"%PDF of a test").decode()
    kept: dict[str, Any] = vendor._keep(
        {"origin": origin, "name": "paper.pdf", "mime": "application/pdf", "body": body}
    )
    return kept


async def test_file_is_fetched_with_the_token_by_address_or_by_id():
    """Both ways an event may name it."""
    async with running() as (vendor, account):
        file = keep(vendor, account.base_url)
        assert await fetch(account, file["url_private_download"]) == b"%PDF of a test"
        assert await fetch(account, f"file:{file['id']}") == b"%PDF of a test"


async def test_page_to_sign_in_is_no_file():
    """Slack answers 200 and a page where the token may not read files."""
    async with running() as (vendor, account):
        file = keep(vendor, account.base_url)
        elsewhere = msgspec.structs.replace(account, credentials={"access_token": "another"})
        with pytest.raises(ConnectorError) as refused:
            await fetch(elsewhere, file["url_private_download"])
    assert refused.value.info.code == "missing_scope"


@pytest.mark.parametrize(
    "url", ["https://files.slack.com.evil.example/x", "https://evil.example/x", "http://files.slack.com/x"]
)
async def test_token_goes_to_slacks_own_host_only(url):
    """An address in an event leads nowhere else, whoever wrote it."""
    with pytest.raises(ConnectorError) as refused:
        await fetch(msgspec.structs.replace(account_at(""), base_url=""), url)
    assert refused.value.info.code == "address"


# ── signing in ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def sign_in(vendor: Workspace, app: OAuthApp) -> Any:
    """Do what a browser does, then exchange the code."""
    assert CONNECTOR.oauth is not None
    async with httpx.AsyncClient(trust_env=False) as browser:
        answer = await browser.get(CONNECTOR.oauth.authorize_url(app, STATE, "c" * 43, {}))
    assert answer.status_code == 302, answer.text
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    assert query["state"] == [STATE]
    return await CONNECTOR.oauth.exchange(app, query["code"][0], "v" * 43)


def app_at(base_url: str, secret: str = CLIENT_SECRET) -> OAuthApp:
    return OAuthApp(client_id=CLIENT_ID, client_secret=secret, base_url=base_url, redirect_uri=CALLBACK)


async def test_signing_in_gives_the_workspace_and_who_we_are_there():
    """The token opens the workspace; team, app and bot are kept, for knowing our own messages again."""
    async with running() as (vendor, account):
        granted = await sign_in(vendor, app_at(account.base_url))
        fresh = msgspec.structs.replace(account, credentials=granted.credentials)
        checked = await CONNECTOR.check(fresh)
        assert CONNECTOR.test is not None
        said = await CONNECTOR.test(msgspec.structs.replace(fresh, settings=granted.settings))

    assert granted.external_ref == checked.external_ref == TEAM
    assert checked.warnings == ()
    assert granted.settings == {
        "team_id": TEAM,
        "app_id": APP,
        "bot_user_id": BOT_USER,
        "bot_id": BOT,
        "bot_name": "hub",
        "installed_by": OWNER,
    }
    assert granted.expires_at is None
    assert vendor.messages[0]["channel"] == f"D{OWNER[1:]}"
    assert "direct message" in said


async def test_token_that_ends_is_renewed_once_by_its_refresh_token():
    """Rotation: the new pair works, the old refresh token does not."""
    async with running() as (vendor, account):
        vendor.app.rotates = True
        app = app_at(account.base_url)
        granted = await sign_in(vendor, app)
        old = msgspec.structs.replace(account, credentials=granted.credentials)
        assert CONNECTOR.oauth is not None
        assert CONNECTOR.oauth.renew is not None
        renewed = await CONNECTOR.oauth.renew(app, old)
        await CONNECTOR.check(msgspec.structs.replace(account, credentials=renewed.credentials))
        with pytest.raises(ConnectorError) as again:
            await CONNECTOR.oauth.renew(app, old)

    assert granted.expires_at is not None
    assert renewed.credentials["refresh_token"] != granted.credentials["refresh_token"]
    assert again.value.info.klass is ErrorClass.AUTH


async def test_code_used_twice_and_a_wrong_secret_are_refused_in_words():
    """What a member reads has no code, no secret and no address in it."""
    async with running() as (vendor, account):
        with pytest.raises(ConnectorError) as wrong:
            await sign_in(vendor, app_at(account.base_url, "another-secret"))
        assert CONNECTOR.oauth is not None
        with pytest.raises(ConnectorError) as unknown:
            await CONNECTOR.oauth.exchange(app_at(account.base_url), "no-such-code", "v" * 43)
        with pytest.raises(ConnectorError) as never:
            assert CONNECTOR.oauth.renew is not None
            await CONNECTOR.oauth.renew(app_at(account.base_url), account)

    for one in (wrong, unknown, never):
        assert one.value.info.klass is ErrorClass.AUTH
        assert not {"another-secret", "no-such-code", "127.0.0.1"} & set(one.value.info.message.split())


def test_scopes_are_those_the_manifest_tells_members_to_add():
    """The setup steps and the address of the sign-in ask for the same permissions."""
    steps = " ".join(CONNECTOR.manifest.setup_steps)
    history = next(one.help for one in CONNECTOR.manifest.settings if one.name == "bring_in_history")
    assert [one for one in (*SCOPES, *NAME_SCOPES) if one not in steps] == []
    assert [one for one in HISTORY_SCOPES if one not in history] == []


async def test_reply_goes_as_the_apps_where_it_may_not_be_a_members():
    """Without the permission Slack refuses the name, and the message goes without it, once."""
    async with running() as (vendor, account):
        vendor.scopes = ",".join(SCOPES)
        account = msgspec.structs.replace(account, settings={**account.settings, "show_author": "true"})
        await send(
            account, message("Hello", author_name="Priya Shah", reply_to_external_id="D0NADIA/1795348799.000100")
        )
        warned = (await CONNECTOR.check(account)).warnings

    (told,) = vendor.messages
    assert (told["text"], "username" in told) == ("Hello", False)
    assert [one["path"] for one in vendor.requests] == ["/api/chat.postMessage"] * 2 + ["/api/auth.test"]
    assert "chat:write.customize" in warned[0]
    assert "users:read" in warned[0]


# ── names ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_member_is_asked_about_by_id_and_called_as_slack_shows_them():
    """The display name stands before the full one, the handle where there is neither; a stranger is no riddle."""
    shown = {
        "U0NADIA": {
            "display_name": "nadia",
            "real_name": "Nadia Brandt",
            "image_192": "https://a.slack-edge.com/1.png",
        },
        "U0ANA": {"display_name": " ", "real_name": "Ana Okafor"},
    }
    ask = CONNECTOR.profile_of
    assert ask is not None
    async with running() as (vendor, account):
        vendor.people |= shown
        found = [await ask(account, Identity("slack", member, TEAM)) for member in ("U0NADIA", "U0ANA", "U0OLA")]
        with pytest.raises(ConnectorError) as unknown:
            await ask(account, Identity("slack", "B0BOT", TEAM))

    assert [(one.name, one.handle, one.avatar_url) for one in found] == [
        ("nadia", "u0nadia", "https://a.slack-edge.com/1.png"),
        ("Ana Okafor", "u0ana", None),
        ("", "u0ola", None),
    ]
    assert unknown.value.info.klass is ErrorClass.RECIPIENT
    assert vendor.requests[0]["body"] == "user=U0NADIA"
    assert shapes_of(vendor) == []


# ── history ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def said(number: int, channel: str = "D0NADIA", **more: Any) -> dict[str, Any]:
    ts = f"{int(time.time()) - 1000 + number}.000100"
    return {"type": "message", "user": "U0NADIA", "text": f"line {number}", "ts": ts, "channel": channel} | more


async def bring_in(account: Account, cursor: str | None = None, most: int = 1000) -> tuple[list[Any], str | None]:
    """Read history as the hub does, at most so many batches; returns the items it is read as, and the cursor."""
    items: list[Any] = []
    assert CONNECTOR.backfill is not None
    async with contextlib.aclosing(
        cast("AsyncGenerator[PolledBatch, None]", CONNECTOR.backfill(account, cursor))
    ) as read:
        async for batch in read:
            for raw in batch.items:
                context = ParseContext(received_at=datetime.now(UTC), key=raw.key, settings=account.settings)
                with contextlib.suppress(UnsupportedPayload):
                    items += CONNECTOR.parse(raw.body, context)
            cursor, most = batch.cursor, most - 1
            if most == 0:
                break
    return items, cursor


async def test_history_comes_oldest_first_with_threads_and_our_answers():
    """Each channel once, pages and replies included; what our app said in a direct conversation names its member."""
    root = said(50, "C0ORDERS", reply_count=20, thread_ts=said(50)["ts"])
    replies = [said(51 + n, "C0ORDERS", thread_ts=root["ts"], parent_user_id="U0NADIA") for n in range(20)]
    ours = said(40, user=BOT_USER, bot_id=BOT, text="our answer")
    joined = said(45, "C0ORDERS", subtype="channel_join")
    async with running() as (vendor, account):
        vendor.past = [*(said(n) for n in range(35)), ours, root, *replies, joined]
        items, _ = await bring_in(account)

    direct = [one for one in items if one.thread_key == "U0NADIA"]
    thread = [one for one in items if one.thread_key == f"C0ORDERS/{root['ts']}"]
    assert [one.text for one in direct] == [*(f"line {n}" for n in range(35)), "our answer"]
    assert [one.text for one in thread] == [f"line {50 + n}" for n in range(21)]
    assert direct[-1].direction is Direction.OUTBOUND
    assert len(items) == len(direct) + len(thread)
    assert shapes_of(vendor) == []


async def test_history_goes_on_where_it_stopped():
    """After a crash nothing is missing and nothing comes twice."""
    async with running() as (vendor, account):
        vendor.past = [said(n, channel) for channel in ("D0NADIA", "D0OMAR") for n in range(70)]
        first, cursor = await bring_in(account, most=1)
        rest, _ = await bring_in(account, cursor)

    assert len(first) == 50
    names = [one.external_id for one in (*first, *rest)]
    assert len(names) == len(set(names)) == 140


# ── what the emulator refuses, and what it sends ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "body", "code"),
    [
        ("chat.postMessage", {"channel": "C1"}, "no_text"),
        ("chat.postMessage", {"channel": "C1", "text": 7}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "C1", "text": "x", "txt": "y"}, "invalid_arguments"),
        ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
        ("chat.postMessage", {"channel": "U0NADIA", "text": "x"}, "channel_not_found"),
        ("chat.update", {"channel": "C1", "ts": "1.000000", "text": "x"}, "message_not_found"),
        ("chat.tell", {}, "unknown_method"),
    ],
    ids=str,
)
async def test_spoilt_request_is_refused_with_200_and_a_code(method: str, body: Mapping[str, Any], code: str):
    """As Slack does: HTTP says nothing, the body does."""
    async with running() as (_, account), httpx.AsyncClient(trust_env=False) as client:
        url = f"{account.base_url}/api/{method}"
        answer = await client.post(url, json=body, headers={"authorization": f"Bearer {TOKEN}"})
        unknown = await client.post(url, json=body, headers={"authorization": "Bearer xoxb-unknown"})

    assert (answer.status_code, answer.json()["ok"], answer.json()["error"]) == (200, False, code)
    assert unknown.json()["error"] in ("invalid_auth", "unknown_method")


async def test_slacks_own_framework_takes_the_emulators_calls():
    """Bolt checks signature and handshake by itself and finds the listener by the event's shape; forgeries it refuses."""
    from slack_bolt import App, BoltRequest
    from slack_bolt.authorization import AuthorizeResult

    seen: list[str] = []
    known = AuthorizeResult(enterprise_id=None, team_id=TEAM, bot_token=TOKEN, bot_id=BOT, bot_user_id=BOT_USER)
    bolt = App(signing_secret=SIGNING_SECRET, authorize=lambda **_: known, process_before_response=True)
    bolt.event("message")(lambda event: seen.append(event["text"]))
    vendor = Workspace()
    event = {"type": "message", "user": "U0NADIA", "text": "hi", "ts": "1795348799.000100", "channel": "C1"}
    statuses = {}
    for sign in ("right", "wrong", "old"):
        call = vendor.call_of([{"event": event | {"channel_type": "channel"}, "event_id": "Ev1"}], sign)
        statuses[sign] = bolt.dispatch(BoltRequest(body=call.body.decode(), headers={**call.headers})).status
    call = vendor.call_of([{"challenge": "c-1"}], "right")
    shake = bolt.dispatch(BoltRequest(body=call.body.decode(), headers={**call.headers}))

    assert statuses == {"right": 200, "wrong": 401, "old": 401}
    assert seen == ["hi"]
    assert "c-1" in shake.body
