"""The stack of docker-compose.yml as processes, used through its nginx over TLS; and what that nginx refuses."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.emulators import ACCOUNT_SID, AUTH_TOKEN, NUMBER, EmulatedTwilio
from tests.integration.api.test_http_protocol import AMBIGUOUS
from tests.integration.scripts.compose_stack import (
    CONNECTIONS_PER_ADDRESS,
    NAME,
    PATIENCE_S,
    SETUP_TOKEN,
    ComposeStack,
    find_nginx,
    free_port,
)

EMAIL, PASSWORD = "ola@northwind.example", "correct horse battery"
# Each test that fills a limit of one address has an address of its own; all of 127/8 is this machine.
SIGN_IN, LOOKS, CONNECTIONS, VISITOR, FRAMES, HANDSHAKES = (f"127.0.0.{one}" for one in (21, 22, 23, 25, 26, 27))

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


class Client:
    """Somebody on the other side of nginx, with an address of their own, who trusts this run's certificate."""

    def __init__(self, stack: ComposeStack, address: str = "127.0.0.1") -> None:
        self.stack, self.address = stack, address
        self.tls = ssl.create_default_context(cafile=stack.certificate)
        transport = httpx.HTTPTransport(verify=self.tls, local_address=address)
        base_url = f"https://127.0.0.1:{stack.https_port}"
        self.http = httpx.Client(base_url=base_url, transport=transport, timeout=20)
        self.http.headers["host"] = f"{NAME}:{stack.https_port}"

    def ask(self, method: str, path: str, **options) -> httpx.Response:
        return self.http.request(method, path, extensions={"sni_hostname": NAME}, **options)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_error: object) -> None:
        self.http.close()

    def raw(self, tls: ssl.SSLContext | None = None, name: str = NAME, session=None) -> ssl.SSLSocket:
        """Open a bare TLS connection."""
        plain = socket.create_connection(("127.0.0.1", self.stack.https_port), 10, (self.address, 0))
        try:
            return (tls or self.tls).wrap_socket(plain, server_hostname=name, session=session)
        except BaseException:
            plain.close()
            raise


@pytest.fixture(scope="module")
def stack(twilio_process: EmulatedTwilio) -> Iterator[ComposeStack]:
    if find_nginx() is None:
        assert os.environ.get("CI") != "true", "nginx is not installed"
        pytest.skip("NOT RUN: nginx is not installed")
    twilio_process.control("clear")
    with TemporaryDirectory(prefix="hub-compose-") as name:
        folder = Path(name)
        # nginx's workers are another user, who must get to their temporary files.
        folder.chmod(0o711)
        pages = write_pages(folder / "pages")
        made = ComposeStack(folder, HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url, HUB_FRONTEND_DIR=str(pages))
        try:
            made.start()
            yield made
        finally:
            made.stop()


def write_pages(folder: Path) -> Path:
    """Write what a built frontend looks like."""
    (folder / "app" / "assets").mkdir(parents=True)
    (folder / "app" / "index.html").write_text("<!doctype html><title>Inbox</title>")
    (folder / "app" / "assets" / "app-1a2b3c.js").write_text("export const words = 'many of them';\n" * 100)
    return folder


@pytest.fixture(scope="module")
def owner(stack) -> Iterator[Client]:
    """The owner, who set the hub up through nginx and is signed in."""
    client = Client(stack)
    asked = {"workspace": "Northwind", "name": "Ola", "email": EMAIL, "password": PASSWORD, "token": SETUP_TOKEN}
    browser = {"origin": stack.public_url, "x-hub-request": "1"}
    done = client.ask("POST", "/api/v1/setup", json=asked, headers=browser)
    assert done.status_code == 200, done.text
    assert done.headers["set-cookie"].startswith("__Host-hub_session=")
    client.workspace_id = done.json()["workspace_id"]
    client.http.cookies.clear()
    signed_in = client.ask("POST", "/api/v1/session", json={"email": EMAIL, "password": PASSWORD, "bearer": True})
    client.http.headers["authorization"] = f"Bearer {signed_in.json()['token']}"
    client.api = f"/api/v1/workspaces/{client.workspace_id}"
    with client:
        yield client


@pytest.fixture(scope="module")
def sms(owner, twilio_process) -> str:
    """The webhook address of a connected number."""
    body = {
        "channel": "twilio_sms",
        "name": "Support line",
        "credentials": {"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN},
        "settings": {"phone_number": NUMBER},
    }
    answer = owner.ask("POST", f"{owner.api}/channel-accounts", json=body)
    assert answer.status_code == 201, answer.text
    url = answer.json()["webhook_url"]
    wait_until_known(owner, urlsplit(url).path, 401)
    return url


@pytest.fixture(scope="module")
def chat(owner) -> str:
    """A live chat that all workers know."""
    body = {"channel": "livechat", "name": "Website chat", "credentials": {}, "settings": {}}
    chat = owner.ask("POST", f"{owner.api}/channel-accounts", json=body).json()["id"]
    wait_until_known(owner, f"/api/v1/livechat/{chat}", 200)
    return chat


def wait_until_known(owner: Client, path: str, status: int) -> None:
    """Wait until all workers know a new account: each asks the database of an unknown one at most once a second."""
    known, deadline = 0, time.monotonic() + 30
    while known < 10:
        answer = owner.ask("GET", path, headers={"connection": "close"})
        known = known + 1 if answer.status_code == status else 0
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.05)


def call_webhook(owner: Client, url: str, text: str, **headers: str) -> httpx.Response:
    """Call as Twilio does, signed for our public address."""
    sid = f"SM{uuid.uuid4().hex}"
    form = {
        "MessageSid": sid,
        "AccountSid": ACCOUNT_SID,
        "From": "+15550001111",
        "To": NUMBER,
        "Body": text,
        "NumMedia": "0",
        "ToCity": "",
    }
    signature = RequestValidator(AUTH_TOKEN).compute_signature(url, form)
    sent = {"content-type": "application/x-www-form-urlencoded", "x-twilio-signature": signature} | headers
    return owner.ask("POST", urlsplit(url).path, content=urlencode(form).encode(), headers=sent)


def test_first_owner_is_set_up_and_the_api_answers(owner):
    """Set-up, sign-in and a snapshot, over TLS; the hub calls itself by its public address."""
    snapshot = owner.ask("GET", f"{owner.api}/snapshot")
    assert snapshot.status_code == 200
    assert snapshot.json()["seq"] >= 0
    assert snapshot.headers["strict-transport-security"].startswith("max-age=")
    assert "server" not in snapshot.headers or "/" not in snapshot.headers["server"]


async def test_webhook_message_and_reply_pass_through_both_ways(owner, sms, twilio_process):
    """A signed call becomes a frame at a socket; the reply typed there reaches the vendor; an idle socket stays."""
    assert sms.startswith(f"{owner.stack.public_url}/webhooks/twilio_sms/")
    snapshot = owner.ask("GET", f"{owner.api}/snapshot").json()
    ticket = owner.ask("POST", "/api/v1/socket-tickets", json={"workspace_id": owner.workspace_id}).json()["ticket"]
    address = {"host": "127.0.0.1", "port": owner.stack.https_port, "proxy": None, "compression": None}
    async with connect(f"wss://{NAME}:{owner.stack.https_port}/ws", ssl=owner.tls, **address) as ws:
        hello = {"type": "hello", "protocol": 1, "client": "compose/1", "ticket": ticket}
        await ws.send(json.dumps(hello | {"cursor": {"epoch": snapshot["epoch"], "seq": snapshot["seq"]}}))
        text = "Where is my parcel? 🚚 A+B & 50 % ÄÖ"
        stored = await asyncio.to_thread(call_webhook, owner, sms, text)
        received = await event(ws, lambda one: one["type"] == "message_received" and one["message"]["text"] == text)
        conversation = received["conversation"]["id"]
        # Longer than nginx waits for anything else.
        await asyncio.sleep(PATIENCE_S + 1)
        message = {"type": "send", "client_message_id": str(uuid.uuid4()), "conversation_id": conversation}
        await ws.send(
            json.dumps(message | {"kind": "message", "text": "On its way.", "attachments": [], "seen_seq": None})
        )
        await event(ws, lambda one: one["type"] == "message_status_changed" and one["status"] == "sent")

    assert (stored.status_code, stored.content) == (200, b"<Response/>")
    assert len(await asyncio.to_thread(twilio_process.sends)) == 1


async def frame(ws: ClientConnection, kind: str) -> None:
    """Wait for a frame that is no event."""
    async with asyncio.timeout(20):
        while (found := json.loads(await ws.recv()))["type"] != kind:
            assert found["type"] != "error", found


async def event(ws: ClientConnection, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Wait for an event."""
    async with asyncio.timeout(20):
        while True:
            found = json.loads(await ws.recv())
            if found["type"] == "event" and condition(found["event"]):
                return found["event"]


def test_webhook_with_a_wrong_signature_is_refused(owner, sms):
    """The raw body and every header of the vendor's reach the hub, which judges them."""
    assert call_webhook(owner, sms, "Hello").status_code == 200
    assert call_webhook(owner, sms, "Hello", **{"x-twilio-signature": "forged"}).status_code == 401


def test_plain_http_points_to_https(stack):
    """The way people type an address still ends in TLS, with path and query; a stranger's Host does not steer it."""
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.http_port}") as plain:
        answer = plain.get("/inbox?open=1", headers={"host": "evil.example"})
        proof = plain.get("/.well-known/acme-challenge/none")
        alive = plain.get("/nginx-alive")
    assert (answer.status_code, answer.headers["location"]) == (308, f"{stack.public_url}/inbox?open=1")
    assert (proof.status_code, alive.status_code) == (404, 204)


@pytest.mark.parametrize("path", ["/api/v1/session", "/webhooks/twilio_sms/x", "/ws"])
def test_programs_without_tls_are_not_led_on(stack, path):
    """A key sent in the clear is noticed: calls are refused, where a page would be sent on to https."""
    with httpx.Client(base_url=f"http://127.0.0.1:{stack.http_port}") as plain:
        answer = plain.post(path, headers={"authorization": "Bearer key"})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_answers_of_nginx_itself_are_protected(stack, owner):
    """Each header once, whether the hub answers or nginx does."""
    wanted = {"strict-transport-security": 1, "x-content-type-options": 1, "content-security-policy": 1}
    answers = [owner.ask("GET", "/metrics"), owner.ask("POST", "/api/v1/session", content=b"x" * (1024 * 1024 + 1))]
    answers += [owner.ask("GET", "/healthz"), owner.ask("GET", "/")]
    assert [one.status_code for one in answers] == [404, 413, 200, 200]
    for answer in answers:
        assert {name: len(answer.headers.get_list(name)) for name in wanted} == wanted, answer.url


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(stack, version):
    """The server itself says that it does not speak TLS 1.0 or 1.1."""
    old = ssl.create_default_context(cafile=stack.certificate)
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    old.minimum_version = old.maximum_version = version
    with pytest.raises(ssl.SSLError, match=r"(?i)alert protocol version"):
        Client(stack).raw(old).close()


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA384"])
def test_weak_ciphers_are_refused(stack, cipher):
    """Neither key exchange without forward secrecy nor CBC; what is offered by the same client otherwise is taken."""
    offers = ssl.create_default_context(cafile=stack.certificate)
    offers.maximum_version = ssl.TLSVersion.TLSv1_2
    offers.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match=r"(?i)handshake failure"):
        Client(stack).raw(offers).close()
    offers.set_ciphers("ECDHE+AESGCM")
    with Client(stack).raw(offers) as taken:
        assert taken.version() == "TLSv1.2"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_is_resumed(stack, version):
    """Who comes back need not shake hands again."""
    client = Client(stack)
    client.tls.minimum_version = client.tls.maximum_version = version
    with client.raw() as first:
        # TLS 1.3 hands the session over with the first answer.
        first.sendall(f"GET /healthz HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        assert b" 200 " in first.recv(4096)
        session, was_resumed = first.session, first.session_reused
    with client.raw(session=session) as second:
        assert (was_resumed, second.session_reused) == (False, True)


def test_other_name_gets_no_certificate(stack):
    """A scanner that knows only the address learns nothing."""
    careless = ssl.create_default_context()
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized name"):
        Client(stack).raw(careless, "other.test").close()


@pytest.mark.parametrize("fields", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_message_without_one_clear_end_does_not_pass(stack, fields):
    """nginx and the hub never differ about where a message ends: at most one answer comes, and never to what hid in it."""
    hidden = f"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: {NAME}\r\n\r\n".encode()
    head = f"POST /healthz HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n".encode()
    answer = b""
    with Client(stack).raw() as connection:
        connection.settimeout(10)
        connection.sendall(head + fields + b"\r\n" + hidden)
        while piece := connection.recv(4096):
            answer += piece
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in answer


def test_large_body_is_refused_before_it_reaches_the_hub(owner, sms):
    """A megabyte is the limit, nine where files are taken, and the refusal has the hub's own shape."""
    path = urlsplit(sms).path
    too_large = owner.ask("POST", path, content=b"x" * (1024 * 1024 + 1))
    files = owner.ask("POST", f"{owner.api}/attachments?filename=a.bin", content=b"x" * (2 * 1024 * 1024))
    huge = owner.ask("POST", f"{owner.api}/attachments?filename=a.bin", content=b"x" * (9 * 1024 * 1024 + 1))
    assert (too_large.status_code, too_large.json()["code"]) == (413, "too_large")
    # The hub's own words name the kind of body; it was not asked.
    assert too_large.json()["message"] == huge.json()["message"] == "This is too large."
    assert files.status_code < 500
    assert files.status_code != 413
    assert (huge.status_code, huge.json()["code"]) == (413, "too_large")


def test_large_head_is_refused(owner):
    """More than 32 KiB of headers, or one of more than 8 KiB, is nobody we know."""
    many = {f"x-{number}": "v" * 7000 for number in range(6)}
    assert owner.ask("GET", "/healthz", headers={"x-big": "v" * 9000}).status_code in (400, 431)
    assert owner.ask("GET", "/healthz", headers=many).status_code in (400, 431)
    assert owner.ask("GET", "/healthz", headers={"x-ordinary": "v" * 3000}).status_code == 200


def trickle(connection: ssl.SSLSocket, start: bytes) -> float:
    """Send a start, then a byte every half second; returns after how many seconds the other end had enough."""
    began = time.monotonic()
    connection.settimeout(0.5)
    connection.sendall(start)
    while time.monotonic() - began < 20:
        try:
            answer = connection.recv(4096)
            if not answer or b" 408 " in answer or b" 400 " in answer:
                return time.monotonic() - began
        except TimeoutError:
            connection.sendall(b"x") if start.endswith(b"x-slow: ") else None
        except OSError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    "start",
    [
        f"GET /healthz HTTP/1.1\r\nHost: {NAME}\r\nx-slow: ".encode(),
        f"POST /api/v1/session HTTP/1.1\r\nHost: {NAME}\r\ncontent-length: 500\r\n\r\n{{".encode(),
        b"",
    ],
    ids=["head", "body", "silence"],
)
def test_slow_client_is_cut_off(stack, start):
    """A head or a body that trickles, or never comes, holds nothing for long (slowloris)."""
    with Client(stack).raw() as connection:
        taken_s = trickle(connection, start)
    # A busy machine may take its time; an nginx that waits for ever is left after twenty seconds.
    assert PATIENCE_S * 0.5 < taken_s < 15


def test_caller_is_known_by_the_real_address(stack, chat):
    """The hub counts each caller's own address; one that a caller writes into the headers counts for nothing."""

    def look(client: Client, number: int) -> int:
        forged = {
            "x-forwarded-for": f"203.0.113.{number % 250}",
            "x-real-ip": "203.0.113.9",
            "forwarded": "for=203.0.113.9",
        }
        return client.ask("GET", f"/api/v1/livechat/{chat}", headers=forged).status_code

    with Client(stack, LOOKS) as busy:
        answers = [look(busy, number) for number in range(260)]
    assert answers[0] == 200
    assert answers[-1] == 429
    assert 200 <= answers.count(200) <= 240
    with Client(stack, "127.0.0.24") as other:
        assert look(other, 1) == 200


async def test_visitor_at_a_socket_is_known_by_the_real_address(owner, stack, chat):
    """What is counted for messages over a socket is the caller's address too, whatever the upgrade request says."""
    came = owner.ask("POST", f"/api/v1/livechat/{chat}/visitors", json={})
    assert came.status_code == 200, came.text
    visit = came.json()
    options = {"host": "127.0.0.1", "port": stack.https_port, "proxy": None, "compression": None}
    options |= {"local_addr": (VISITOR, 0), "additional_headers": {"x-forwarded-for": "203.0.113.77"}}
    async with connect(f"wss://{NAME}:{stack.https_port}/ws", ssl=owner.tls, **options) as ws:
        hello = {"type": "hello", "protocol": 1, "client": "compose/1", "visitor_token": visit["visitor_token"]}
        await ws.send(json.dumps(hello | {"cursor": visit["cursor"]}))
        await frame(ws, "welcome")
        message = {"type": "send", "client_message_id": str(uuid.uuid4()), "conversation_id": visit["conversation_id"]}
        await ws.send(json.dumps(message | {"kind": "message", "text": "Hello?", "attachments": [], "seen_seq": None}))
        await frame(ws, "ack")

    counted = stack.ephemeral_keys("throttle:livechat:send:*")
    assert f"throttle:livechat:send:{VISITOR}" in counted
    assert not any("203.0.113" in key for key in counted)


async def test_largest_frames_and_close_codes_pass_both_ways(owner, stack, chat):
    """64 KiB in, 30 KB out, cut by TLS and nginx as they like; a frame too many closes with its own code."""
    visit = owner.ask("POST", f"/api/v1/livechat/{chat}/visitors", json={}).json()
    options = {"host": "127.0.0.1", "port": stack.https_port, "proxy": None, "local_addr": (FRAMES, 0)}
    hello = {"type": "hello", "protocol": 1, "visitor_token": visit["visitor_token"], "cursor": visit["cursor"]}
    # Not UTF-8, not text, too large, not signed in; nginx passes an offer of compression on, the hub declines it.
    for bad, code in (
        (b"\xff", 1007),
        (b"x", 1003),
        ("x" * 65_537, 1009),
        (json.dumps(hello | {"visitor_token": "x"}), 4501),
    ):
        async with connect(f"wss://{NAME}:{stack.https_port}/ws", ssl=owner.tls, **options) as ws:
            assert ws.protocol.extensions == []
            if code != 4501:
                await ws.send(json.dumps(hello))
                await frame(ws, "welcome")
                pad = 65_536 - len(json.dumps({"type": "dance", "pad": ""}))
                await ws.send(json.dumps({"type": "dance", "pad": "x" * pad}))
                assert await error_of(ws) == "type"
                message = {"type": "send", "client_message_id": str(uuid.uuid4()), "text": "漢" * 20_000}
                await ws.send(json.dumps(message, ensure_ascii=False))
                shown = await event(ws, lambda one: one["type"] == "message_added")
                # Cut in the log, to fit with all else into one frame.
                assert shown["message"]["text"].startswith("漢" * 9_000)
            await ws.send(bad, text=code != 1003)
            assert await closed_with(ws) == code


async def error_of(ws: ClientConnection) -> str:
    """Wait for a refusal; the field it names."""
    async with asyncio.timeout(20):
        while (found := json.loads(await ws.recv()))["type"] != "error":
            pass
    return found["field"]


async def closed_with(ws: ClientConnection) -> int | None:
    """Wait for the end; the code of the hub's close frame."""
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(20):
            while True:
                await ws.recv()
    return closed.value.rcvd.code if closed.value.rcvd else None


def test_sign_in_is_slowed_down(stack, owner):
    """Guessing from one address is stopped at the door, in the hub's own words; reading who is signed in is not."""
    guess = {"email": "nobody@northwind.example", "password": "a wrong password"}
    with Client(stack, SIGN_IN) as guesser:
        answers = [guesser.ask("POST", "/api/v1/session", json=guess) for _ in range(40)]
        reading = guesser.ask("GET", "/api/v1/session")
    refused = [one for one in answers if one.status_code == 429 and one.headers.get("retry-after") == "30"]
    # Twenty at once, and one more every two seconds, however slow the machine is.
    assert len(refused) >= 8
    assert refused[0].json()["code"] == "too_many_requests"
    assert reading.status_code == 401
    assert owner.ask("GET", "/api/v1/session").status_code == 200


@pytest.mark.parametrize("path", ["session/second-factor", "password-resets", "email-verifications"])
def test_guessing_codes_and_links_is_slowed_down(stack, path):
    """The second step and the links in mails are behind the same door."""
    address = f"127.0.1.{len(path)}"
    with Client(stack, address) as guesser:
        statuses = [guesser.ask("POST", f"/api/v1/{path}", json={}).status_code for _ in range(40)]
    assert statuses.count(429) >= 8
    assert statuses[0] != 429


def test_handshakes_of_one_address_are_limited(stack, owner):
    """Whoever opens sockets in a loop is told to wait; a whole office that comes back at once is not, nor anybody else."""
    with Client(stack, HANDSHAKES) as greedy:
        answers = [greedy.ask("GET", "/ws") for _ in range(256)]
        assert 429 not in {one.status_code for one in answers}
        began_s = time.monotonic()
        while (answer := greedy.ask("GET", "/ws")).status_code != 429:
            assert time.monotonic() - began_s < 60, "never refused"
    assert answer.json()["code"] == "too_many_requests"
    assert owner.ask("GET", "/ws").status_code != 429


def test_connections_of_one_address_are_limited(stack, owner):
    """One address cannot take all there are; another one still gets in."""
    # Where files are taken, nginx waits a minute for a body: long enough for the whole test.
    start = f"POST /api/v1/workspaces/1/attachments HTTP/1.1\r\nHost: {NAME}\r\ncontent-length: 10\r\n\r\n".encode()
    greedy = Client(stack, CONNECTIONS)
    refused = 0
    with ExitStack() as held:
        for _ in range(CONNECTIONS_PER_ADDRESS + 8):
            connection = held.enter_context(greedy.raw())
            connection.sendall(start)
            connection.settimeout(0.02)
            try:
                refused += b" 429 " in connection.recv(4096)
            except TimeoutError:
                continue
        assert owner.ask("GET", "/healthz").status_code == 200
    assert 1 <= refused <= 8


async def test_socket_from_another_site_is_refused(owner):
    """The Origin a browser sends passes through nginx unchanged."""
    address = {"host": "127.0.0.1", "port": owner.stack.https_port, "proxy": None, "compression": None}
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"wss://{NAME}/ws", ssl=owner.tls, origin="https://evil.example", **address)
    assert refused.value.response.status_code == 403


def test_figures_are_not_for_the_internet(stack, owner):
    """Prometheus asks serve itself; through nginx there is no such page."""
    with httpx.Client() as inside:
        assert inside.get(f"http://127.0.0.1:{stack.hub_port}/metrics").status_code == 200
    assert owner.ask("GET", "/metrics").status_code == 404


def test_assets_come_compressed_and_for_ever(owner):
    """The page's parts are small on the wire and are never asked for twice."""
    asset = owner.ask("GET", "/assets/app-1a2b3c.js", headers={"accept-encoding": "gzip"})
    page = owner.ask("GET", "/inbox")
    assert (asset.headers["content-encoding"], asset.text.count("words")) == ("gzip", 100)
    assert "immutable" in asset.headers["cache-control"]
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_hub_that_is_away_is_a_503_that_asks_to_come_back(stack):
    """While the hub starts, browsers and vendors are told when to try again."""
    port, away, plain = free_port(), free_port(), free_port()
    stack.start_nginx(HUB_UPSTREAM=f"127.0.0.1:{away}", NGINX_HTTPS_PORT=str(port), NGINX_HTTP_PORT=str(plain))
    with Client(stack) as client:
        client.http.base_url = f"https://127.0.0.1:{port}"
        answer = client.ask("POST", "/webhooks/twilio_sms/none", content=b"x")
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "5", "unavailable")


def test_login_of_the_application_owns_nothing(stack):
    """The script the Postgres image runs makes a login that row-level security binds."""
    login = stack.owner_sql(
        "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = 'hub'"
    )
    password = stack.owner_sql("SELECT left(rolpassword, 14) FROM pg_authid WHERE rolname = 'hub'")
    owned = stack.owner_sql("SELECT count(*) FROM pg_class JOIN pg_roles r ON r.oid = relowner WHERE rolname = 'hub'")
    assert (login, password, owned) == ("t|f|f|f", "SCRAM-SHA-256$", "0")


def test_valkeys_run_as_the_file_says(stack):
    """The streams' own files are on disk, the other one has none, and both want the password."""
    assert any((stack.folder / "valkey-streams").rglob("*.aof"))
    assert list((stack.folder / "valkey-ephemeral").iterdir()) == []
    for port in stack._valkeys.values():
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
