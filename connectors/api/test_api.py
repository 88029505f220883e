"""
What the channel for a member's own program does: Standard Webhooks both ways.

What fixtures show is tested by tests/contract/test_connectors.py for all channels; here is the rest.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from connectors.api import CONNECTOR
from connectors.api.signature import ID, SIGNATURE, TIMESTAMP, is_signed, sign
from connectors.base import Act
from connectors.quality import Answer, read_quality
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ErrorClass, SignatureRejected
from scripts.connector_kit.cases import Case, cases_of, recipient_of
from scripts.connector_kit.vendor import StubVendor

FOLDER = Path(__file__).parent
# What the vendor answers to a message it takes, and the id in it.
TAKEN, TAKEN_ID = b'{"id": "m-1"}', "m-1"


def case(name: str) -> Case:
    """Find a recorded call by its name, e.g. ``message``."""
    found = {one.name: one for one in cases_of(CONNECTOR, FOLDER)}
    assert name in found, f"Record what the vendor sends as fixtures/{name}.in.json, and what it means as .out.json."
    return found[name]


def message(text: str) -> OutboundMessage:
    """Make a message to whoever sent the recorded one."""
    to = recipient_of([case("message")])
    return OutboundMessage(message_id="0190b0a0-1111-7000-8000-000000000001", to=to, thread_key=to.value, text=text)


async def send(text: str, vendor: StubVendor) -> tuple[str, ...]:
    """Send through the vendor on loopback; returns its ids."""
    account = msgspec.structs.replace(case("message").account(), base_url=vendor.base_url)
    sent = await CONNECTOR.send(account, message(text), CONNECTOR.render(message(text), account))
    return sent.external_ids


def test_verify_takes_the_recorded_call():
    """A call the vendor signed passes."""
    one = case("message")
    assert CONNECTOR.verify is not None
    assert CONNECTOR.verify(one.request(), one.account()) is None


def test_verify_refuses_a_changed_call():
    """A call with one byte changed is refused, and so is any call when we have no key."""
    one = case("message")
    request, account = one.request(), one.account()
    changed = msgspec.structs.replace(request, body=request.body.replace(b"a", b"b", 1))
    without_keys = msgspec.structs.replace(account, credentials={})
    assert CONNECTOR.verify is not None
    for call, owner in ((changed, account), (request, without_keys)):
        with pytest.raises(SignatureRejected):
            CONNECTOR.verify(call, owner)


def test_message_is_read_as_recorded():
    """The recorded message becomes the item of its fixture."""
    one = case("message")
    assert one.read() == one.expected(), "parse.py does not read message.in.json as message.out.json says."


def test_unknown_kind_is_unsupported():
    """What the vendor may send and we do not handle is counted, never an error of ours."""
    errors = [reading.error for reading in case("unsupported").read()]
    assert errors == ["unsupported_payload"], "parse.py: raise UnsupportedPayload for a kind we do not handle."


def test_broken_item_is_malformed():
    """What the vendor never sends becomes a dead letter that a person can look at."""
    errors = [reading.error for reading in case("malformed").read()]
    assert errors == ["malformed_payload"], "parse.py: raise MalformedPayload for what cannot be read."


def test_text_is_rendered_whole():
    """The calls of a message carry its text; a blank one is refused as content."""
    account = case("message").account()
    words = " ".join(
        value for call in CONNECTOR.render(message("Good morning"), account) for value in call.fields.values()
    )
    assert "Good morning" in words, "render.py: put the text into the fields of the call."
    with pytest.raises(ConnectorError) as refused:
        CONNECTOR.render(message(" "), account)
    assert refused.value.info.klass is ErrorClass.CONTENT


def test_message_takes_from_the_rate_limit():
    """Sending asks the rate buckets first."""
    charges = CONNECTOR.charges(case("message").account(), message("Hello"))
    assert charges, "render.py, charges: take something from a limit of the manifest."
    assert all(charge.cost > 0 for charge in charges)


async def test_send_gives_the_vendors_id():
    """A message the vendor takes is known by the vendor's id from then on."""
    with StubVendor(201, TAKEN) as vendor:
        ids = await send("Hello", vendor)
    assert ids == (TAKEN_ID,), "client.py, send: return the id of the vendor's answer."


@pytest.mark.parametrize(
    ("status", "klass"),
    [
        (401, ErrorClass.AUTH),
        (429, ErrorClass.RATE_LIMITED),
        (500, ErrorClass.RETRYABLE),
        (404, ErrorClass.RETRYABLE),
        (410, ErrorClass.ACCOUNT),
        (301, ErrorClass.PERMANENT),
        (422, ErrorClass.PERMANENT),
    ],
)
async def test_refusal_is_classed(status, klass):
    """A refused signature asks a person, 410 stops the account, and what may pass is tried again under the same id."""
    with StubVendor(status) as vendor, pytest.raises(ConnectorError) as refused:
        await send("Hello", vendor)
    assert refused.value.info.klass is klass, f"client.py: an answer {status} must be {klass.name}."


@pytest.mark.parametrize(
    ("kind", "more", "type_", "told"),
    [
        ("edit", {"text": "Better"}, "message.edited", {"text": "Better"}),
        ("delete", {}, "message.deleted", {}),
        ("react", {"emoji": "👍"}, "reaction.changed", {"emoji": "👍"}),
        ("unreact", {"emoji": "👍"}, "reaction.changed", {"emoji": "👍", "removed": True}),
        ("mark_read", {}, "message.read", {}),
    ],
)
async def test_act_is_told_as_a_signed_event(kind, more, type_, told):
    """What a member does about a message reaches the program, under an id that stays the same."""
    one = case("message")
    to = recipient_of([one])
    act = Act(id="0190b0a0-2222-7000-8000-000000000002", kind=kind, to=to, thread_key="t-9", external_id="m-1", **more)
    with StubVendor(200) as vendor:
        assert CONNECTOR.act is not None
        await CONNECTOR.act(msgspec.structs.replace(one.account(), base_url=vendor.base_url), act)
    (asked,) = vendor.asked
    data = {"id": "m-1", "thread_id": "t-9", "contact": {"id": to.value}} | told
    assert (msgspec.json.decode(asked.body), asked.headers[ID]) == ({"type": type_, "data": data}, act.id)


async def test_call_made_again_has_the_same_id_and_a_valid_signature():
    """A receiver drops doubles by webhook-id, and checks each attempt by the member's secret and its own time."""
    account = case("message").account()
    with StubVendor(200, b"{}") as vendor:
        ids = [await send("Hello", vendor) for _ in range(2)]
    secret = account.credentials["signing_secret"]
    for asked in vendor.asked:
        signature = sign(secret, asked.headers[ID], int(asked.headers[TIMESTAMP]), asked.body)
        assert is_signed(asked.headers[SIGNATURE], signature)
    assert {asked.headers[ID] for asked in vendor.asked} == {message("").message_id}
    assert {asked.path for asked in vendor.asked} == {"/hub"}
    # A program that gives no id of its own is told ours.
    assert ids == [(message("").message_id,)] * 2


@pytest.mark.parametrize(
    "answer", [b"", b"ok", b"[]", b'{"id": 7}', b'{"id": "' + b"x" * 201 + b'"}', b'{"id": "a\\u0000"}']
)
async def test_answer_that_holds_no_usable_id_is_no_failure(answer):
    """Whatever a program answers with 2xx, it took the message."""
    with StubVendor(200, answer) as vendor:
        assert await send("Hello", vendor) == (message("").message_id,)


def test_signature_is_the_one_of_the_specification():
    """The example that every library of Standard Webhooks is tested with."""
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signature = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(("moved_s", "is_good"), [(0, True), (297, True), (-301, True), (-304, False), (300, False)])
def test_old_call_is_refused(moved_s, is_good):
    """A recorded call is good for five minutes, and clocks may differ by as much."""
    one = case("message")
    request = msgspec.structs.replace(one.request(), received_at=one.request().received_at + timedelta(seconds=moved_s))
    assert CONNECTOR.verify is not None
    if is_good:
        assert CONNECTOR.verify(request, one.account()) is None
    else:
        with pytest.raises(SignatureRejected):
            CONNECTOR.verify(request, one.account())


def test_one_good_signature_of_several_is_enough():
    """While a program changes its secret it signs with both."""
    one = case("message")
    request = one.request()
    headers = {**request.headers, SIGNATURE: f"v1,AAAA v1a,BBBB {request.headers[SIGNATURE]}"}
    assert CONNECTOR.verify is not None
    assert CONNECTOR.verify(msgspec.structs.replace(request, headers=headers), one.account()) is None


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/hub", "http://169.254.169.254/latest", "https://[::1]/", "ftp://a/", "https:///x"]
)
async def test_address_inside_is_not_called(url):
    """An address that leads to this computer or a private network is refused before anything is sent."""
    account = msgspec.structs.replace(case("message").account(), settings={"url": url})
    with pytest.raises(ConnectorError) as refused:
        await CONNECTOR.check(account)
    assert refused.value.info.code in ("host_refused", "host_unknown")


async def test_program_that_is_not_ready_is_a_warning():
    """The secret is shown with the saved account, so a program cannot check our test call before that."""
    with StubVendor(503) as vendor:
        checked = await CONNECTOR.check(msgspec.structs.replace(case("message").account(), base_url=vendor.base_url))
    assert len(checked.warnings) == 1


def test_members_own_rate_stands_before_ours():
    """How fast a program takes calls is what its owner says."""
    account = msgspec.structs.replace(case("message").account(), settings={"calls_per_second": "3"})
    (charge,) = CONNECTOR.charges(account, message("Hello"))
    assert (charge.limits[0].rate, charge.limits[0].burst) == (3.0, 3)


async def test_check_asks_the_vendor():
    """Keys are tried before they are saved."""
    account = case("message").account()
    with StubVendor(200) as vendor:
        await CONNECTOR.check(msgspec.structs.replace(account, base_url=vendor.base_url))
    assert vendor.asked, "client.py, check: ask the vendor whether the keys are good."
    with StubVendor(401) as vendor, pytest.raises(ConnectorError) as refused:
        await CONNECTOR.check(msgspec.structs.replace(account, base_url=vendor.base_url))
    assert refused.value.info.klass is ErrorClass.AUTH


def test_no_quality_rule_is_left():
    """Each rule is kept, or does not apply and says why; scripts/check_connectors.py looks whether that is true."""
    left = [rule for rule, given in read_quality(FOLDER).items() if given.answer is Answer.TODO]
    assert left == [], f"manifest.toml still answers these quality rules with todo: {', '.join(left)}."
