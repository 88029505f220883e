"""
WhatsApp's Cloud API from three sides: the emulator is strict, our requests are Meta's, its calls are what others read.

Meta's OpenAPI description is older than business-scoped ids, so what goes to one is checked with a number in its place.
"""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from pywa.client import WhatsApp as Pywa
from pywa.types.message import Message, OutgoingMessage
from pywa.types.message_status import MessageStatus

from connectors.base import Account, Act
from connectors.whatsapp_cloud.render import render, render_act
from hub.envelope import Identity, OutboundAttachment, OutboundMessage, TemplateUse
from scripts.emulators.http1 import Answer, Request
from scripts.emulators.whatsapp_cloud import NUMBER_ID, TOKEN, WhatsApp

SPECS = Path(os.environ.get("HUB_SPECS_DIR", Path(__file__).parents[2].parent / "shared" / "specs"))
SPEC = SPECS / "meta_business_messaging_v23.yaml"
MESSAGES = f"/v23.0/{NUMBER_ID}/messages"
PERSON = Identity("phone", "+16505551234")
ACCOUNT = Account(
    id="1", workspace_id=1, credentials={}, settings={"phone_number_id": NUMBER_ID}, webhook_url="https://h.example/w"
)
GOOD: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "16505551234",
    "type": "text",
    "text": {"body": "Hi"},
}


async def post(body: object, *, path: str = MESSAGES, token: str = TOKEN, kind: str = "application/json"):
    emulator = WhatsApp()
    emulator.templates.append(
        {"name": "t", "language": "de", "status": "APPROVED", "components": [{"type": "BODY", "text": "Hi {{1}}"}]}
    )
    emulator.closed.add("16500000000")
    headers = {"authorization": f"Bearer {token}", "content-type": kind}
    answer = await emulator.handle(Request("POST", path, [], headers, json.dumps(body).encode()))
    assert isinstance(answer, Answer)
    return answer.status, json.loads(answer.body), emulator


# ── the emulator is strict ──────────────────────────────────────────────────────────────────────────────────────────


async def test_good_message_is_accepted():
    """The request the others spoil is good."""
    status, body, emulator = await post(GOOD)
    assert (status, body["messages"][0]["message_status"], len(emulator.sent)) == (200, "accepted", 1)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"messaging_product": None}, 100),
        ({"messaging_product": "signal"}, 100),
        ({"to": None}, 131008),
        ({"recipient": "US.1"}, 131008),
        ({"to": "+1650"}, 131009),
        ({"to": 16505551234}, 100),
        ({"text": None}, 131008),
        ({"text": {"boddy": "Hi"}}, 100),
        ({"text": {"body": "x" * 4097}}, 100),
        ({"text": {"body": " "}}, 131009),
        ({"type": "image"}, 131008),
        ({"text": None, "type": "image", "image": {"id": "1"}}, 131009),
        ({"to": "16500000000"}, 131047),
        ({"text": None, "type": "template", "template": {"name": "t"}}, 100),
        ({"message_id": "wamid.1"}, 100),
        ({"texxt": {}}, 100),
    ],
    ids=str,
)
async def test_spoilt_message_is_refused_in_metas_shape(change, code):
    """A missing, unknown or wrong field: the code Meta has for it, and nothing is accepted."""
    body = {name: value for name, value in (GOOD | change).items() if value is not None}
    status, found, emulator = await post(body)
    assert (status, found["error"]["code"]) == (400, code)
    assert set(found["error"]) == {"message", "type", "code", "fbtrace_id"}
    assert not emulator.sent


async def test_template_must_be_known_and_filled_in():
    """Name, language and the number of values are Meta's to check."""

    def template(name: str, language: str, *values: str) -> dict[str, Any]:
        part = {"type": "body", "parameters": [{"type": "text", "text": one} for one in values]}
        named = {"name": name, "language": {"code": language, "policy": "deterministic"}, "components": [part]}
        return {key: value for key, value in GOOD.items() if key != "text"} | {"type": "template", "template": named}

    assert (await post(template("t", "de", "Ann")))[0] == 200
    assert (await post(template("t", "en", "Ann")))[1]["error"]["code"] == 132001
    assert (await post(template("t", "de", "Ann", "Bo")))[1]["error"]["code"] == 132000


async def test_wrong_token_address_and_kind_are_refused():
    """The request around the fields is checked too."""
    assert (await post(GOOD, token="other"))[1]["error"]["code"] == 190
    assert (await post(GOOD, path="/v23.0/1/messages"))[1]["error"]["code"] == 100
    assert (await post(GOOD, kind="text/plain"))[1]["error"]["code"] == 100


# ── our requests are Meta's ─────────────────────────────────────────────────────────────────────────────────────────


def file(mime: str) -> OutboundAttachment:
    return OutboundAttachment(id="f", kind="file", filename="bill.pdf", mime=mime, size_bytes=9)


def message(text: str, **more: Any) -> OutboundMessage:
    return OutboundMessage(
        message_id="0190b0a0-1111-7000-8000-000000000001", to=PERSON, thread_key="t", text=text, **more
    )


def act(kind: Any) -> bytes:
    return render_act(Act(id="1", kind=kind, to=PERSON, thread_key="t", external_id="wamid.IN", emoji="👍"))


USE = TemplateUse(name="t", language="de", variables={"header_1": "7", "1": "Ann", "button_0": "x"})
OURS = {
    "text": message("Hello"),
    "quote": message("Hello", quoted_external_id="wamid.IN"),
    "image": message("look", attachments=(file("image/png"),)),
    "video": message("", attachments=(file("video/mp4"),)),
    "audio": message("", attachments=(file("audio/ogg"),)),
    "document": message("bill", attachments=(file("application/pdf"),)),
    "template": message("as it reads", template=USE),
}


def schema_of(name: str) -> Draft202012Validator:
    """
    Make a validator of one of Meta's schemas.

    ``allOf`` beside ``additionalProperties: false`` refuses everything, Meta's own examples too: what is merged is
    closed as a whole (``unevaluatedProperties``). Fields younger than the description are added.
    """
    if not SPEC.exists():
        pytest.skip("NOT RUN: specification missing (HUB_SPECS_DIR)")
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": read_components()})


@functools.cache
def read_components() -> dict[str, Any]:
    """Read Meta's description, a second and a half of it, and mend it as ``schema_of`` says."""
    document = yaml.load(SPEC.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    schemas = document["components"]["schemas"]
    for one in schemas.values():
        if isinstance(one, dict) and "allOf" in one:
            for part in one["allOf"]:
                part.pop("additionalProperties", None)
            one["unevaluatedProperties"] = False
    base = schemas["BaseMessageProperties"]["properties"]
    base["biz_opaque_callback_data"] = {"type": "string", "maxLength": 512}
    # The description writes a character class where it means numbers, and leaves "0", its own example, out.
    schemas["TemplateComponent"]["properties"].pop("index")
    schemas["TemplateComponent"]["properties"]["index"] = {"type": "string"}
    return document["components"]


NAMES = {
    "text": "TextMessage",
    "image": "ImageMessage",
    "video": "VideoMessage",
    "audio": "AudioMessage",
    "document": "DocumentMessage",
    "template": "TemplateMessage",
    "reaction": "ReactionMessage",
}


@pytest.mark.parametrize("name", OURS)
def test_our_messages_are_metas(name):
    """Every kind of message we send is one of the description's, with no field it does not know."""
    (call,) = render(OURS[name], ACCOUNT)
    body = json.loads(call.fields["body"])
    validator = schema_of(NAMES[body["type"]])

    assert [error.message for error in validator.iter_errors(body)] == []
    assert list(validator.iter_errors(body | {"boddy": 1}))
    assert list(validator.iter_errors({key: value for key, value in body.items() if key != "to"}))


def test_our_reactions_and_reads_are_metas():
    """What we do to messages is described there too."""
    for kind in ("react", "unreact"):
        assert [error.message for error in schema_of("ReactionMessage").iter_errors(json.loads(act(kind)))] == []
    assert not list(schema_of("MarkMessageRequestPayload").iter_errors(json.loads(act("mark_read"))))


# ── its calls are what others read ──────────────────────────────────────────────────────────────────────────────────

HEAD = {"from": "16505551234", "from_user_id": "US.1349", "id": "wamid.IN", "timestamp": "1795348800"}
CONTACT = {"profile": {"name": "Ann", "username": "ann.k"}, "wa_id": "16505551234", "user_id": "US.1349"}


def read_by_pywa(item: dict[str, Any], kind: Any) -> Any:
    call = json.loads(WhatsApp().call_of([item], "right").body)
    client = Pywa(phone_id=NUMBER_ID, token="x", server=None)
    return kind.from_update(client=client, update=call)


@pytest.mark.parametrize(
    ("part", "attribute", "expected"),
    [
        ({"type": "text", "text": {"body": "hi 😀"}}, "text", "hi 😀"),
        (
            {"type": "image", "image": {"id": "7", "mime_type": "image/png", "sha256": "x", "caption": "c"}},
            "caption",
            "c",
        ),
        ({"type": "text", "text": {"body": "hi"}, "context": {"from": "1", "id": "wamid.Q"}}, "is_reply", True),
        ({"type": "reaction", "reaction": {"message_id": "wamid.Q", "emoji": "👍"}}, "type", "reaction"),
    ],
)
def test_messages_are_what_another_reader_reads(part, attribute, expected):
    """An independent client's parser takes the emulator's messages, business-scoped ids included."""
    found = read_by_pywa({"message": HEAD | part, "contact": CONTACT}, Message)
    assert getattr(found, attribute) == expected
    assert (found.id, found.from_user.bsuid, found.from_user.wa_id) == ("wamid.IN", "US.1349", "16505551234")


def test_statuses_are_what_another_reader_reads():
    """A failed message's status tells its code and our own id."""
    failed = {"id": "wamid.OURS", "status": "failed", "errors": [{"code": 131047, "title": "t", "message": "m"}]}
    told = failed | {"biz_opaque_callback_data": "our-id"}
    found = read_by_pywa({"status": told}, MessageStatus)
    assert (found.status, found.tracker, type(found.error).__name__) == ("failed", "our-id", "ReEngagementMessage")


def test_echoes_are_what_another_reader_reads():
    """A message from the Business app is another reader's message of ours to the customer."""
    echo = {"from": "15550001111", "to": "16505551234", "id": "wamid.ECHO", "timestamp": "1795348800"}
    item = {"echo": echo | {"type": "text", "text": {"body": "from the phone"}}, "contact": CONTACT}
    found = read_by_pywa(item, OutgoingMessage)
    assert (found.id, found.text, found.to_user.bsuid) == ("wamid.ECHO", "from the phone", "US.1349")
