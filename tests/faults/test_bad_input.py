"""Whatever comes in over webhooks and sockets gets a clear answer or becomes a dead letter, and its neighbours are stored."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

import asyncpg
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from scripts.benchmarks.services import run_alone
from tests.acceptance.running import ProtocolClient, RunningHub
from tests.emulators import EmulatedTwilio
from tests.faults.bad_input import call, exchange, head_of, large_call, new_sid, signed_form, signed_json, sms
from tests.faults.rig import Rig, environ_of, find_process

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(180)]

MIB = 1024 * 1024
LARGE_BYTES = 10 * MIB
STORED_WITHIN_S = 15.0


@pytest.fixture(scope="module")
def rig(twilio_process: EmulatedTwilio, tmp_path_factory) -> Iterator[Rig]:
    twilio_process.control("clear")
    hub = RunningHub(HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url)
    try:
        hub.set_up()
        started = Rig(hub, tmp_path_factory.mktemp("bad-input"))
        run_alone(started.make_workspaces(2))
        yield started
    finally:
        hub.stop()


@pytest.fixture
def url(rig: Rig) -> str:
    return rig.urls[rig.hub.workspace_id]


@pytest.fixture
async def owner(rig: Rig):
    connection = await asyncpg.connect(environ_of(rig.hub)["DATABASE_OWNER_URL"])
    await connection.execute("SET row_security = off")
    yield connection
    await connection.close()


async def rows(owner, sid: str) -> list[tuple[int, str]]:
    """The messages of one vendor id, as (workspace, text)."""
    found = await owner.fetch("SELECT workspace_id, text FROM message WHERE external_id = $1 ORDER BY 1, 2", sid)
    return [tuple(row) for row in found]


async def wait_stored(owner, sid: str) -> str:
    deadline_s = time.monotonic() + STORED_WITHIN_S
    while not (found := await rows(owner, sid)):
        assert time.monotonic() < deadline_s, "a valid message was not stored"
        await asyncio.sleep(0.02)
    ((_, text),) = found
    return text


async def neighbour_is_stored(owner, url: str) -> None:
    """A valid message right after; intake keeps the order, so whatever came before it has been dealt with."""
    sid = new_sid()
    answer = await call(url, *signed_form(url, sms(sid)))
    assert answer.status == 200
    assert await wait_stored(owner, sid) == sid


async def dead_letters(owner) -> int:
    return await owner.fetchval("SELECT count(*) FROM dead_letter")


# ── webhooks: refused at the door ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("break_it", "status"),
    [
        (lambda url: (url, *signed_form(url, sms(new_sid()), key="another key")), 401),
        (lambda url: (url, signed_form(url, sms(new_sid()))[0], {"content-type": "application/x-www-form-urlencoded"}), 401),
        (lambda url: (url, signed_form(url, sms(new_sid()))[0] + b"&More=1", signed_form(url, sms(new_sid()))[1]), 401),
        (lambda url: (url, b'{"a":', {"content-type": "application/json", "x-twilio-signature": "\xff\xfe"}), 401),
        (lambda url: (url, *signed_form(url, [(f"F{n}".encode(), b"") for n in range(600)])), 401),
        (lambda url: (url, *signed_form(url, [])), 400),
        (lambda url: (url[:-36] + str(uuid.uuid4()), *signed_form(url, sms(new_sid()))), 404),
        (lambda url: (url[:-36] + "x" * 36, *signed_form(url, sms(new_sid()))), 404),
        (lambda url: (url[:-36] + "%00%ff", *signed_form(url, sms(new_sid()))), 404),
        (lambda url: (url.replace("twilio_sms", "livechat"), *signed_form(url, sms(new_sid()))), 404),
        (lambda url: (url.replace("twilio_sms", "no_such"), *signed_form(url, sms(new_sid()))), 404),
        (lambda url: (url, b"", {"x-filler": "x" * 40_000}), 431),
    ],
    ids=[
        "wrong key", "no signature", "changed after signing", "malformed JSON", "too many fields", "empty body",
        "unknown account", "no id", "NUL in the path", "another channel", "unknown channel", "huge headers",
    ],
)  # fmt: skip
async def test_refused_calls_are_told_why_and_store_nothing(owner, url, break_it, status):
    """A call that cannot be ours gets its 4xx, in our words where there is a body; nothing of it is kept."""
    before = await dead_letters(owner)
    answer = await call(*break_it(url))

    await neighbour_is_stored(owner, url)
    assert answer.status == status
    assert status == 431 or set(answer.json()) >= {"code", "message"}
    assert await dead_letters(owner) == before


async def test_a_message_too_long_for_a_stream_is_stored(owner, url):
    """More than 64 KiB of signed text travels by reference and becomes a message; nothing of it stays in between."""
    sid = new_sid()
    answer = await call(url, *signed_form(url, sms(sid, Body="x" * 200_000)))

    assert answer.status == 200
    text = await wait_stored(owner, sid)
    assert (len(text), text[:19_999]) == (20_000, "x" * 19_999)
    await neighbour_is_stored(owner, url)
    assert await owner.fetchval("SELECT count(*) FROM raw_item") == 0


async def test_another_method_is_refused(owner, url):
    """Webhooks are POST or GET."""
    answer = await call(url, *signed_form(url, sms(new_sid())), method="DELETE")

    assert answer.status == 405
    await neighbour_is_stored(owner, url)


@pytest.mark.parametrize("is_chunked", [False, True], ids=["length told", "chunked"])
async def test_large_bodies_are_refused_early_and_cost_no_memory(rig, owner, url, is_chunked):
    """Twenty bodies of 10 MB at once: 413 in seconds, serve does not hold them, valid calls go on meanwhile."""
    pid = find_process(rig.hub, "serve")
    before = resident_bytes(pid)
    calls = [exchange(url, *large_call(url, LARGE_BYTES, is_chunked=is_chunked)) for _ in range(20)]
    flooding = asyncio.gather(*calls)
    await neighbour_is_stored(owner, url)
    answers = await flooding

    assert {one.status for one in answers} == {413}
    assert max(one.seconds for one in answers) < 10
    assert resident_bytes(pid) - before < 64 * MIB
    assert find_process(rig.hub, "serve") == pid


def resident_bytes(pid: int) -> int:
    (line,) = [one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1]) * 1024


async def test_half_a_call_keeps_nobody_waiting(owner, url):
    """A caller that hangs up amid the body is nobody's loss."""
    body, headers = signed_form(url, sms(new_sid()))
    _, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].split("/")[0]))
    writer.write(head_of("POST", url, {"host": "localhost", "content-length": str(len(body))} | headers) + body[:50])
    await writer.drain()
    writer.transport.abort()

    await neighbour_is_stored(owner, url)


# ── webhooks: taken, and stored as text ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"a\x00b", "a\ufffdb"),
        (b"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"),
        (b"a\xff\xfeb", "a\ufffd\ufffdb"),
        ("\u202egnirts\u202c \u200f\u0627\u0644\u0633\u0644\u0627\u0645".encode(), None),
        (("👩‍👩‍👧 e" + "\u0301" * 5_000).encode(), None),
        (b"<script>alert(1)</script>'; DROP TABLE message; --", None),
        (b"{\"json\": true} %00 \\u0000", None),
    ],
    ids=["NUL", "lone surrogate", "not UTF-8", "right to left", "combining marks", "markup and SQL", "escapes"],
)  # fmt: skip
async def test_odd_texts_are_stored_as_they_are_or_with_replacement_marks(owner, url, sent, stored):
    """What Postgres can keep stays; what it cannot becomes U+FFFD; nothing fails."""
    sid = new_sid()
    answer = await call(url, *signed_form(url, sms(sid, Body=sent)))

    assert answer.status == 200
    text = await wait_stored(owner, sid)
    assert text == (sent.decode() if stored is None else stored)
    await neighbour_is_stored(owner, url)


# ── webhooks: taken, and kept as dead letters or set aside ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pairs", "dead"),
    [
        (lambda sid: sms(sid, From=None), 1),
        (lambda sid: sms(sid, From=" "), 1),
        (lambda sid: sms(sid, NumMedia="x"), 1),
        (lambda sid: sms(sid, Body=None), 1),
        (lambda sid: [(b"Hello", b"World"), (b"Nonce", sid.encode())], 1),
        (lambda sid: sms(sid, MessageStatus="teleported", SmsStatus="teleported"), 0),
        (lambda sid: sms(sid, MessageStatus="delivered", SmsStatus="delivered"), 0),
        (lambda sid: sms(sid, From="whatsapp:+15550001111"), 0),
        (lambda sid: [(b"AccountSid", b"AC1"), (b"CallSid", sid.encode())], 0),
    ],
    ids=[
        "no sender", "blank sender", "media count", "no text", "another form", "unknown status",
        "receipt of nothing", "another channel", "unknown kind",
    ],
)  # fmt: skip
async def test_signed_calls_we_cannot_use_are_kept_or_ignored(owner, url, pairs, dead):
    """A signed call of the wrong shape is a dead letter with its bytes; what is not an SMS is acknowledged and left."""
    sid = new_sid()
    before = await dead_letters(owner)
    answer = await call(url, *signed_form(url, pairs(sid)))

    assert answer.status == 200
    await neighbour_is_stored(owner, url)
    assert await rows(owner, sid) == []
    assert await dead_letters(owner) == before + dead
    if dead:
        body = await owner.fetchval("SELECT body FROM dead_letter ORDER BY created_at DESC, id DESC LIMIT 1")
        assert sid.encode() in body


@pytest.mark.parametrize(("body", "dead"), [(b'{"a": [1, ', 1), (b"[" * 5_000, 1), (b'{"a": 1}', 0)])
async def test_signed_json_is_kept_or_ignored(owner, url, body, dead):
    """A JSON body, which this channel does not use, neither fails nor holds up: malformed ones are dead letters."""
    before = await dead_letters(owner)
    body = body.ljust(len(body) + 36) if not dead else body + uuid.uuid4().hex.encode()
    address, headers = signed_json(url, body)
    answer = await call(address, body, headers)

    assert answer.status == 200
    await neighbour_is_stored(owner, url)
    assert await dead_letters(owner) == before + dead


# ── once, and in one place ──────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_webhook_three_times_at_once_is_one_message(owner, url):
    """Three equal calls side by side are all acknowledged and make one row and one event."""
    sid = new_sid()
    answers = await asyncio.gather(*(call(url, *signed_form(url, sms(sid))) for _ in range(3)))

    assert [one.status for one in answers] == [200] * 3
    await wait_stored(owner, sid)
    await neighbour_is_stored(owner, url)
    assert len(await rows(owner, sid)) == 1
    events = await owner.fetchval("SELECT count(*) FROM event WHERE data->'message'->>'text' = $1", sid)
    assert events == 1


async def test_the_same_identifiers_in_two_workspaces_never_cross(rig, owner):
    """One SID, sender and number, two workspaces: each has its own text, contact and conversation."""
    sid, sender = new_sid(), "+15558880001"
    (one, one_url), (other, other_url) = rig.urls.items()
    for address, text in ((one_url, "for one"), (other_url, "for the other")):
        answer = await call(address, *signed_form(address, sms(sid, From=sender, Body=text)))
        assert answer.status == 200
    # Signed for one address, sent to the other.
    crossed = await call(other_url, *signed_form(one_url, sms(new_sid(), From=sender)))
    await neighbour_is_stored(owner, one_url)
    await neighbour_is_stored(owner, other_url)

    assert crossed.status == 401
    assert await rows(owner, sid) == [(one, "for one"), (other, "for the other")]
    contacts = await owner.fetch("SELECT workspace_id, contact_id FROM contact_identity WHERE value = $1", sender)
    assert sorted(row["workspace_id"] for row in contacts) == [one, other]
    assert len({row["contact_id"] for row in contacts}) == 2
    seen = [await texts_seen_by_api(rig, workspace_id, sender) for workspace_id in (one, other)]
    assert seen == [["for one"], ["for the other"]]


async def texts_seen_by_api(rig: Rig, workspace_id: int, sender: str) -> list[str]:
    first, rig.hub.workspace_id = rig.hub.workspace_id, workspace_id
    try:
        with rig.hub.api() as api:
            (contact,) = api.get("contacts", params={"q": sender}).json()["contacts"]
            found = api.get("conversations", params={"contact": contact["id"]}).json()["conversations"]
            return [
                one["text"]
                for row in found
                for one in api.get(f"conversations/{row['id']}/messages").json()["messages"]
            ]
    finally:
        rig.hub.workspace_id = first


async def test_status_callbacks_in_every_order_end_the_same(rig, owner, url, twilio_process):
    """Sent, delivered and read in all six orders, each twice over, and a late failure: read is where it ends."""
    twilio_process.control("clear")
    twilio_process.control("callbacks", order=[])
    sid = new_sid()
    await call(url, *signed_form(url, sms(sid, From="+15558880002")))
    await wait_stored(owner, sid)
    conversation = await owner.fetchval("SELECT conversation_id FROM message WHERE external_id = $1", sid)
    orders = list(itertools.permutations(["sent", "delivered", "read"]))
    with rig.hub.api() as api:
        for order in orders:
            body = {
                "client_message_id": str(uuid.uuid4()),
                "kind": "message",
                "text": "-".join(order),
                "attachments": [],
            }
            assert api.post(f"conversations/{conversation}/messages", json=body).status_code == 201
    sends = await wait_for_sends(twilio_process, len(orders))
    for order in orders:
        accepted = sends["-".join(order)]
        for status in (*order, *order, "failed"):
            fields = sms(accepted["sid"], Body=None, SmsStatus=status, MessageStatus=status, To="+15558880002")
            answer = await call(accepted["callback"], *signed_form(accepted["callback"], fields))
            assert answer.status == 200
    await neighbour_is_stored(owner, url)

    found = await owner.fetch(
        "SELECT status, count(*) AS n FROM message WHERE conversation_id = $1 AND direction = 'outbound' GROUP BY 1",
        conversation,
    )
    assert [tuple(row) for row in found] == [("read", len(orders))]


async def wait_for_sends(twilio: EmulatedTwilio, count: int) -> dict[str, dict[str, str]]:
    """Each accepted message by its text: its SID, and where its receipts go."""
    deadline_s = time.monotonic() + 30
    while True:
        state = await asyncio.to_thread(twilio.state)
        forms = [parse_qs(one["body"]) for one in state["requests"] if one["path"].endswith("/Messages.json")]
        callbacks = {form["Body"][0]: form["StatusCallback"][0] for form in forms if "Body" in form}
        sent = {one["body"]: {"sid": one["sid"], "callback": callbacks[one["body"]]} for one in state["messages"]}
        if len(sent) == count:
            return sent
        assert time.monotonic() < deadline_s, f"{len(sent)} of {count} were sent"
        await asyncio.sleep(0.1)


# ── sockets ─────────────────────────────────────────────────────────────────────────────────────────────────────────

HELLO_LATE_S = 8


@pytest.mark.parametrize(
    ("frames", "close_codes"),
    [
        ([b"\xff\xfe"], {1003, 1007, 4500}),
        (["not JSON"], {4500}),
        (['{"type":"hello","protocol":1'], {4500}),
        (['{"type":"hello","protocol":2}'], {4500}),
        (['{"type":"hello","protocol":1,"ticket":"\\u0000"}'], {4500}),
        (['{"type":"hello","protocol":1,"ticket":"\\ud800"}'], {4500, 4501}),
        (['{"type":"hello","protocol":1,"cursor":{"epoch":1,"seq":-1}}'], {4500}),
        (['{"type":"hello","protocol":1,"bearer":"x","workspace_id":99999999999999999999}'], {4500, 4501}),
        (['{"type":"hello","protocol":1,"bearer":"\u202e","workspace_id":1}'], {4501}),
        (["[" * 30_000], {4500}),
        (['{"type":"send","text":"first"}'], {4500}),
        (["x" * 70_000], {1009}),
        ([], {4503}),
    ],
    ids=[
        "binary", "no JSON", "half JSON", "protocol 2", "NUL", "lone surrogate", "negative seq", "huge id",
        "right to left", "deep", "no hello", "too long", "silence",
    ],
)  # fmt: skip
async def test_a_socket_that_begins_wrongly_is_closed_with_its_code(rig, frames, close_codes):
    """Nobody is let in, and the code says whether to come back."""
    async with connect(f"ws://127.0.0.1:{rig.hub.port}/ws", compression=None, proxy=None) as socket:
        for frame in frames:
            await socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            async with asyncio.timeout(HELLO_LATE_S):
                while True:
                    await socket.recv()

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in close_codes


def bad_send(**changes) -> str:
    fields = {
        "type": "send",
        "client_message_id": str(uuid.uuid4()),
        "conversation_id": str(uuid.uuid4()),
        "kind": "message",
        "text": "text",
        "attachments": [],
        "seen_seq": None,
    }
    return json.dumps(fields | changes)


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"send"}',
        '{"type":"no_such_type","x":1}',
        bad_send(text="a\x00b"),
        bad_send(text="").replace('""', '"\\ud800"'),
        bad_send(text=""),
        bad_send(text="x" * 20_001),
        bad_send(kind="telegram"),
        bad_send(conversation_id="not an id"),
        bad_send(),
        bad_send(attachments=["\u202e"]),
        '{"type":"read","conversation_id":"","seq":1e400}',
        '{"type":"viewing","conversation_id":7}',
    ],
    ids=[
        "no fields", "unknown type", "NUL", "lone surrogate", "empty", "too long", "unknown kind", "no id",
        "unknown conversation", "attachment", "number", "wrong type",
    ],
)  # fmt: skip
async def test_a_bad_frame_is_refused_and_neighbours_hear_on(rig, owner, url, frame):
    """A frame that cannot be used is answered by an error or the end of its own socket; another client misses nothing."""
    with rig.hub.api() as api:
        state = api.get("snapshot").json()
    cursor = {"epoch": state["epoch"], "seq": state["seq"]}
    neighbour, culprit = ProtocolClient(rig.hub, cursor=cursor), ProtocolClient(rig.hub, cursor=cursor)
    await neighbour.open()
    await culprit.open()
    for client in (neighbour, culprit):
        await client.wait_for(lambda c: any(one["type"] == "welcome" for one in c.other))
    await culprit.socket.send(frame)
    await culprit.wait_for(lambda c: c._reading.done() or any(one["type"] == "error" for one in c.other))
    await neighbour_is_stored(owner, url)
    await neighbour.wait_for(lambda c: "message_received" in c.types())

    for error in [one for one in culprit.other if one["type"] == "error"]:
        assert error["code"]
        assert error["message"]
    if culprit._reading.done():
        assert culprit.socket.close_code == 4500
    await culprit.cut()
    await neighbour.cut()
