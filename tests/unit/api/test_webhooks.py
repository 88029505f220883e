"""What a vendor is answered, and that nothing is answered 2xx before the stream has it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from types import SimpleNamespace
from uuid import UUID

import pytest
from starlette.requests import Request

from api.webhook_body import BodyBudget
from api.webhooks import WebhookDeps, WebhookGate, receive_webhook
from connectors.base import Account, RawItem, Staff, WebhookReply
from connectors.key_sets import KeySets
from hub.errors import (
    ConnectorError,
    ConnectorErrorInfo,
    ErrorClass,
    MalformedPayload,
    NotFound,
    SignatureRejected,
    SigningKeyUnknown,
    Unavailable,
)

AWAY = ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", "Away.")
ACCOUNT_ID = UUID("01890000-0000-7000-8000-0000000000ab")
LIMIT_BYTES = 1024 * 1024
PATH = f"/webhooks/sms/{ACCOUNT_ID}"


class RecordingStreams:
    def __init__(self) -> None:
        self.items = []
        self.error: Exception | None = None
        self.is_slow = False
        self.go_on = asyncio.Event()

    async def append(self, item):
        if self.is_slow:
            await self.go_on.wait()
        if self.error:
            raise self.error
        self.items.append(item)


class Edge:
    """The gate over a channel ``sms`` whose body lists its items, one a line, signed by the header ``x-sign: good``."""

    def __init__(self) -> None:
        self.streams = RecordingStreams()
        self.requests = []
        self.find_error: Exception | None = None
        self.account_ref = ""
        self.issuers: tuple[str, ...] = ()
        self.documents = [ConnectorError(AWAY)]
        self.now_s = 1000.0
        channel = SimpleNamespace(
            manifest=SimpleNamespace(id="sms", webhook_limit_bytes=LIMIT_BYTES),
            verify=self.verify,
            key_sets=self.key_sets,
            split=self.split,
            stored_reply=WebhookReply(content_type="text/xml", body=b"<ok/>"),
            reply=None,
        )
        self.channels = {"sms": channel, "livechat": SimpleNamespace(verify=None, split=None)}
        self.deps = WebhookDeps(
            base_url="https://hub.example.com",
            routes=self,
            connectors=self,
            streams=self.streams,
            account_of=lambda route: Account(
                id=str(route.id), workspace_id=7, credentials={}, settings={}, webhook_url="https://hub.example.com/x"
            ),
            keys=KeySets(self.fetch, lambda: self.now_s),
        )
        self.passed_on = []
        self.gate = WebhookGate(self.pass_on, self.deps)

    def key_sets(self, account):
        return self.issuers

    async def fetch(self, url):
        document = self.documents.pop(0)
        if isinstance(document, Exception):
            raise document
        return document

    async def find(self, account_id):
        if self.find_error:
            raise self.find_error
        if account_id != ACCOUNT_ID:
            raise NotFound("channel account")
        return SimpleNamespace(workspace_id=7, id=ACCOUNT_ID, channel="sms", status="paused", external_ref="ext-1")

    def named(self, channel, external_ref):
        return []

    def get(self, channel):
        return self.channels[channel]

    def verify(self, request, account):
        self.requests.append(request)
        if request.headers.get("x-sign") != "good":
            raise SignatureRejected("no")
        if self.issuers and b"good" not in account.keys[self.issuers[0]]:
            raise SigningKeyUnknown("no such key")
        return WebhookReply(body=b"challenge") if "hub.challenge=" in request.url else None

    def split(self, request):
        if request.body == b"malformed":
            raise MalformedPayload("Not a form.")
        return [
            RawItem(key=f"k{n}", body=line, account_ref=self.account_ref)
            for n, line in enumerate(request.body.split(b"\n"))
        ]

    async def pass_on(self, scope, receive, send):
        self.passed_on.append(scope["path"])

    async def call(self, path=PATH, *, method="POST", pieces=(b"hello",), headers=(), query=b"", sign=b"good"):
        """Call the gate as a server does; returns status, headers and body."""
        messages = [{"type": "http.request", "body": one, "more_body": True} for one in pieces[:-1]]
        messages += [{"type": "http.request", "body": pieces[-1], "more_body": False}]
        self.unread = iter(messages)
        sent = []

        async def receive():
            return next(self.unread)

        async def send(message):
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(b"host", b"evil.example"), (b"x-sign", sign), *headers],
        }
        await self.gate(scope, receive, send)
        start, body = sent
        return SimpleNamespace(
            status=start["status"],
            headers={name.decode(): value.decode() for name, value in start["headers"]},
            body=body["body"],
        )


@pytest.fixture
def edge():
    return Edge()


async def test_call_is_stored_and_answered(edge):
    """A signed call becomes one item for its account, answered in the channel's words."""
    answer = await edge.call()

    (item,) = edge.streams.items
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"<ok/>", "text/xml")
    assert (item.workspace_id, item.channel_account_id, item.channel) == (7, str(ACCOUNT_ID), "sms")
    assert (item.key, item.body) == ("k0", b"hello")
    assert edge.deps.metrics.items == 1


async def test_answer_of_a_channel_may_depend_on_the_call(edge):
    """A channel that reads the call to answer it, and asks who is there, does so after the items are stored."""

    async def staff(route):
        return Staff(here=frozenset({f"{route.id}@example.com"}))

    def reply(request, account, staff):
        assert len(edge.streams.items) == 1
        # Asked for the call that needs it, and for no other.
        assert staff.here == ({f"{account.id}@example.com"} if request.body == b"hello" else None)
        if request.body == b"odd":
            raise MalformedPayload("Not a call.")
        return WebhookReply(content_type="text/xml", body=request.body + account.id.encode())

    edge.channels["sms"].reply = reply
    edge.channels["sms"].asks_staff = lambda request: request.body == b"hello"
    edge.deps = dataclasses.replace(edge.deps, staff=staff)
    edge.gate = WebhookGate(edge.pass_on, edge.deps)
    answer = await edge.call()
    edge.streams.items.clear()
    odd = await edge.call(pieces=(b"odd",))

    assert (answer.status, answer.body) == (200, b"hello" + str(ACCOUNT_ID).encode())
    assert odd.status == 400


async def test_keys_of_an_issuer_are_fetched_before_a_token_is_checked(edge):
    """Not to be had: 503, so that the vendor comes back. A key that is not in the copy: fetched again, once."""
    edge.issuers = ("https://issuer.example/keys",)
    assert (await edge.call()).status == 503
    edge.now_s += 10
    edge.documents = [b"old keys", b"good keys"]
    assert (await edge.call()).status == 401
    edge.now_s += 61
    assert (await edge.call()).status == 200
    assert edge.documents == []
    assert len(edge.streams.items) == 1


async def test_call_of_a_paused_account_is_stored(edge):
    """A pause stops our sending; what the vendor tells us meanwhile is kept (the account of this test is paused)."""
    assert (await edge.call()).status == 200
    assert len(edge.streams.items) == 1


async def test_call_is_answered_only_after_the_durable_reply(edge):
    """No 2xx before every item is on disk."""
    edge.streams.is_slow = True
    task = asyncio.create_task(edge.call(pieces=(b"a\nb",)))
    for _ in range(5):
        await asyncio.sleep(0)

    assert not task.done()
    edge.streams.go_on.set()
    assert (await task).status == 200
    assert [one.body for one in edge.streams.items] == [b"a", b"b"]


async def test_verify_sees_the_public_address(edge):
    """Signatures cover the address the vendor was given, with its query; the Host header has no say."""
    await edge.call(query=b"a=%20b&c=")

    assert edge.requests[0].url == f"https://hub.example.com{PATH}?a=%20b&c="


async def test_verify_sees_raw_bytes_and_lower_case_headers(edge):
    """The body reaches verify byte for byte, whatever pieces it came in."""
    await edge.call(pieces=(b"\xff\x00", b"Body=", b""))

    assert edge.requests[0].body == b"\xff\x00Body="
    assert edge.requests[0].headers["x-sign"] == "good"


async def test_handshake_is_answered_without_storing(edge):
    """A vendor's question whether we are there is answered by verify alone."""
    answer = await edge.call(method="GET", query=b"hub.challenge=1")

    assert (answer.status, answer.body) == (200, b"challenge")
    assert edge.streams.items == []


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        ({"sign": b"bad"}, 401, "signature_rejected"),
        ({"path": "/webhooks/sms/01890000-0000-7000-8000-0000000000ff"}, 404, "not_found"),
        ({"path": f"/webhooks/livechat/{ACCOUNT_ID}"}, 404, "not_found"),
        ({"path": "/webhooks/sms/not-an-id"}, 404, "not_found"),
        ({"path": f"/webhooks/sms/{ACCOUNT_ID.hex}"}, 404, "not_found"),
        ({"path": f"{PATH}/"}, 404, "not_found"),
        ({"path": "/webhooks/sms"}, 404, "not_found"),
        ({"pieces": (b"malformed",)}, 400, "malformed_payload"),
        ({"method": "DELETE"}, 405, "method_not_allowed"),
        ({"headers": [(b"content-length", b"10485760")]}, 413, "too_large"),
        ({"pieces": (b"x" * 600_000, b"x" * 600_000, b"")}, 413, "too_large"),
        ({"pieces": (b"x" * 1_048_577,)}, 413, "too_large"),
    ],
)
async def test_refused_calls_store_nothing(edge, arguments, status, code):
    """Every refusal has its status and code, and leaves nothing on the stream, not even the good half of a call."""
    answer = await edge.call(**arguments)

    assert (answer.status, json.loads(answer.body)["code"]) == (status, code)
    assert edge.streams.items == []


async def test_an_announced_giant_is_refused_unread(edge):
    """Ten megabytes are refused by their announcement, without reading a byte."""
    await edge.call(headers=[(b"content-length", b"10485760")])

    assert len(list(edge.unread)) == 1


async def test_an_unannounced_giant_is_refused_in_time(edge):
    """A body that never ends is cut off at the limit, not collected."""
    await edge.call(pieces=tuple(b"x" * 262_144 for _ in range(100)))

    assert len(list(edge.unread)) == 95


async def test_a_channel_may_take_longer_calls(edge):
    """How long a call may be is the channel's own: its manifest says so."""
    pieces = tuple(b"x" * 262_144 for _ in range(8))
    assert (await edge.call(pieces=pieces)).status == 413
    edge.channels["sms"].manifest.webhook_limit_bytes = 2 * LIMIT_BYTES

    assert (await edge.call(pieces=pieces)).status == 200
    assert len(edge.streams.items[0].body) == 2 * LIMIT_BYTES


async def test_unknown_accounts_are_refused_before_their_body_is_read(edge):
    """Nobody sends us megabytes for an address that does not exist."""
    await edge.call(path="/webhooks/sms/01890000-0000-7000-8000-0000000000ff", pieces=(b"x", b"x"))

    assert len(list(edge.unread)) == 2


async def test_large_calls_share_a_budget(edge):
    """Beyond what this process may hold, a large call is told to come back; small ones go on; the budget comes back."""
    edge.deps = dataclasses.replace(edge.deps, bodies=BodyBudget(1_000_000))
    edge.gate = WebhookGate(edge.pass_on, edge.deps)
    edge.streams.is_slow = True
    large = (b"x" * 300_000, b"x" * 300_000)
    first = asyncio.create_task(edge.call(pieces=large))
    await asyncio.sleep(0)

    refused = await edge.call(pieces=large)
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    edge.streams.go_on.set()
    assert (await edge.call(pieces=(b"x" * 500_000,))).status == 200
    assert (await first).status == 200
    assert (await edge.call(pieces=large)).status == 200
    assert edge.deps.bodies.held_bytes == 0


@pytest.mark.parametrize("number_of_items", [1, 3])
async def test_stream_down_is_503(edge, number_of_items):
    """Without a durable stream the vendor is told to come back, and when."""
    edge.streams.error = Unavailable("The message queue is not answering.", retry_after_s=5)

    answer = await edge.call(pieces=(b"\n".join([b"x"] * number_of_items),))

    assert answer.status == 503
    assert answer.headers["retry-after"] == "5"
    assert edge.deps.metrics.unavailable == 1


async def test_routes_unknown_is_503(edge):
    """Not knowing the accounts (a start without Postgres) is our fault, not a 404 that makes a vendor give up."""
    edge.find_error = Unavailable("The channel accounts cannot be read.")

    assert (await edge.call()).status == 503


async def test_a_bug_is_500_without_details(edge):
    """A crash in a connector is answered 500 and tells the outside nothing."""
    edge.channels["sms"].split = lambda request: 1 / 0

    answer = await edge.call()

    assert answer.status == 500
    assert b"division" not in answer.body


async def test_an_item_of_an_account_nobody_connected_is_answered_and_counted(edge):
    """A call that names another account of the vendor never lands in this one; the vendor need not send it again."""
    edge.account_ref = "ext-2"
    assert (await edge.call(pieces=(b"one\ntwo",))).status == 200
    assert (edge.streams.items, edge.deps.metrics.unrouted) == ([], 2)
    edge.account_ref = "ext-1"
    assert (await edge.call()).status == 200
    assert len(edge.streams.items) == 1


async def test_the_address_of_an_app_the_installation_does_not_have_is_nobodys(edge):
    """It answers like any unknown account."""
    assert (await edge.call("/webhooks/sms/app")).status == 404


async def test_other_paths_pass_through(edge):
    """Everything else belongs to the application behind the gate."""
    await edge.gate({"type": "http", "path": "/api/v1/webhooks"}, None, None)
    await edge.gate({"type": "websocket", "path": PATH}, None, None)

    assert edge.passed_on == ["/api/v1/webhooks", PATH]


async def test_receive_webhook_answers_like_the_gate(edge):
    """As an ordinary route it is the same function."""

    async def receive():
        return {"type": "http.request", "body": b"hello", "more_body": False}

    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": [(b"x-sign", b"good")]}
    response = await receive_webhook(Request(scope, receive), edge.deps)

    assert (response.status_code, response.body) == (200, b"<ok/>")
    assert response.headers["content-type"] == "text/xml"
    assert len(edge.streams.items) == 1
