"""WhatsApp's Cloud API: what is sent, what answers mean, and files, against the emulator in this process."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from connectors.base import Account, Act
from connectors.whatsapp_cloud import CONNECTOR, client
from connectors.whatsapp_cloud.render import charges, render
from connectors.whatsapp_cloud.templates import Listed, components_of, read_template
from hub.envelope import AttachmentRef, Identity, OutboundAttachment, OutboundMessage, TemplateUse
from hub.errors import (
    ConnectorError,
    ErrorClass,
    InvalidInput,
)
from scripts.emulators.http1 import listen
from scripts.emulators.whatsapp_cloud import NUMBER_ID, SECRET, TOKEN, WABA_ID, WhatsApp

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIXTURES = Path(__file__).parent / "fixtures"
URL = "https://hub.example.com/webhooks/whatsapp_cloud/1"
ANN = Identity("bsuid", "US.13491208655302741918")
MESSAGE_ID = "0190b0a0-1111-7000-8000-000000000001"


def make_account(base_url: str = "", **credentials: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"access_token": TOKEN, "client_secret": SECRET, "verify_token": "a word"} | credentials,
        settings={"phone_number_id": NUMBER_ID, "waba_id": WABA_ID},
        webhook_url=URL,
        base_url=base_url,
        read_file=read_file,
    )


async def read_file(_file_id: str):
    yield b"%PDF"
    yield b"-1.7"


def make_message(text: str = "Hello", **more: object) -> OutboundMessage:
    return OutboundMessage(**{"message_id": MESSAGE_ID, "to": ANN, "thread_key": ANN.value, "text": text} | more)


def make_file(mime: str = "application/pdf", size_bytes: int = 8, name: str = "bill.pdf") -> OutboundAttachment:
    return OutboundAttachment(id="file-1", kind="file", filename=name, mime=mime, size_bytes=size_bytes)


@contextlib.asynccontextmanager
async def running():
    """Give the emulator in this process and an account of it."""
    vendor = WhatsApp()
    async with listen(vendor.handle) as listener:
        yield vendor, make_account(f"http://127.0.0.1:{listener.port}")


async def control(account: Account, op: str, **order: object) -> dict[str, object]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{account.base_url}/_control", json={"op": op} | order)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(account: Account, message: OutboundMessage):
    return await CONNECTOR.send(account, message, CONNECTOR.render(message, account))


def bodies(message: OutboundMessage) -> list[dict[str, object]]:
    return [json.loads(call.fields["body"]) for call in render(message, make_account())]


# ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_text_goes_to_a_scoped_id_or_a_number():
    """Who has no number is named by ``recipient``; our id rides along; an address shows a preview."""
    (scoped,) = bodies(make_message("See https://example.com"))
    (number,) = bodies(make_message(to=Identity("phone", "+16505551234"), quoted_external_id="wamid.Q"))

    assert scoped == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "type": "text",
        "recipient": ANN.value,
        "biz_opaque_callback_data": MESSAGE_ID,
        "text": {"body": "See https://example.com", "preview_url": True},
    }
    assert (number["to"], number["context"]) == ("16505551234", {"message_id": "wamid.Q"})
    with pytest.raises(ConnectorError) as caught:
        render(make_message(to=Identity("email", "ann@example.com")), make_account())
    assert caught.value.info.klass is ErrorClass.RECIPIENT


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        (make_file("image/jpeg"), "image"),
        (make_file("image/jpeg", 6_000_000), "document"),
        (make_file("image/webp"), "document"),
        (make_file("video/mp4"), "video"),
        (make_file("audio/ogg"), "audio"),
        (make_file("application/zip"), "document"),
    ],
)
def test_file_goes_as_what_it_is_shown_as(file, kind):
    """What WhatsApp would not show, or takes only smaller, goes as a document with its name."""
    (body,) = bodies(make_message("", attachments=(file,)))
    assert body["type"] == kind
    assert ("filename" in body[kind]) == (kind == "document")


def test_text_is_the_first_files_caption_where_it_fits():
    """A long text, or one with a sound, is a message of its own; only the first part quotes."""
    files = (make_file(), make_file("image/png"))
    short = bodies(make_message("two files", attachments=files, quoted_external_id="wamid.Q"))
    long = bodies(make_message("x" * 1025, attachments=files))
    voice = bodies(make_message("listen", attachments=(make_file("audio/ogg"),)))

    assert [one["type"] for one in short] == ["document", "image"]
    assert short[0]["document"]["caption"] == "two files"
    assert [("context" in one) for one in short] == [True, False]
    assert [one["type"] for one in long] == ["text", "document", "image"]
    assert [one["type"] for one in voice] == ["text", "audio"]
    with pytest.raises(ConnectorError) as caught:
        bodies(make_message("", attachments=(make_file(size_bytes=101 << 20),)))
    assert caught.value.info.klass is ErrorClass.CONTENT


def test_message_is_charged_to_its_number_and_its_person():
    """Each part costs; the number's own rate may be set, and two accounts of a number share the bucket."""
    account = msgspec.structs.replace(make_account(), settings={"phone_number_id": "1", "messages_per_second": "20"})
    number, pair = charges(account, make_message("x" * 2000, attachments=(make_file(),)), CONNECTOR.manifest.limits)

    assert (number.key, number.cost, number.limits[0].rate) == ("whatsapp:number:1", 2.0, 20.0)
    assert (pair.key, pair.limits[0].per_s) == (f"whatsapp:pair:1:{ANN.value}", 6.0)


async def test_sent_message_is_taken_once_with_our_id():
    """The answer's id is what statuses will name; the proof goes along and the token stays out of the address."""
    async with running() as (vendor, account):
        result = await send(account, make_message())

    assert result.external_ids == ("wamid.EMU000001",)
    assert vendor.sent["wamid.EMU000001"]["reference"] == MESSAGE_ID
    assert set(vendor.requests[0]["query"]) == {"appsecret_proof"}


async def test_files_are_uploaded_before_anything_leaves():
    """The file's bytes reach Meta, and the message names them; a refused upload sends nothing."""
    async with running() as (vendor, account):
        result = await send(account, make_message("x" * 1100, attachments=(make_file(name='a "b"\r\n.pdf'),)))
        refused = make_message("short", attachments=(make_file("application/x-unknown"),))
        with pytest.raises(ConnectorError) as caught:
            await send(account, refused)

    assert [one["path"].rpartition("/")[2] for one in vendor.requests[:3]] == ["media", "messages", "messages"]
    assert [one["type"] for one in vendor.sent.values()] == ["text", "document"]
    assert [file.body for file in vendor.files.values()] == [b"%PDF-1.7"]
    assert len(result.external_ids) == 2
    assert (caught.value.info.klass, caught.value.info.code) == (ErrorClass.CONTENT, "131053")


async def test_upload_without_an_answer_may_be_tried_again_and_a_message_may_not():
    """Nothing was sent while files go up; after that a lost answer is ambiguous."""
    async with running() as (vendor, account):
        await control(account, "next", answers=[{"kind": "reset", "path": "/media"}])
        with pytest.raises(ConnectorError) as upload:
            await send(account, make_message(attachments=(make_file(),)))
        await control(account, "next", answers=[{"kind": "reset", "path": "/messages"}])
        with pytest.raises(ConnectorError) as message:
            await send(account, make_message())

    assert upload.value.info.klass is ErrorClass.RETRYABLE
    assert message.value.info.klass is ErrorClass.AMBIGUOUS
    assert len(vendor.sent) == 1


async def test_parts_after_a_refused_one_are_not_sent_and_nothing_is_repeated():
    """A message that went out halfway fails for good, with the count in words."""
    async with running() as (vendor, account):
        calls = render(make_message("x" * 1100, attachments=(make_file(), make_file())), account)
        await control(account, "next", answers=[{"kind": "late", "path": "/messages", "delay_s": 0.01}])
        await control(account, "next", answers=[{"kind": "throttle", "path": "/messages", "retry_after": 3}])
        with pytest.raises(ConnectorError) as caught:
            await CONNECTOR.send(account, make_message(), calls)

    assert caught.value.info.klass is ErrorClass.PERMANENT
    assert caught.value.info.message.startswith("Only 1 of 3 parts were sent.")
    assert len(vendor.sent) == 1


@pytest.mark.parametrize(
    ("code", "bucket"), [(130429, f"whatsapp:number:{NUMBER_ID}"), (131056, f"whatsapp:pair:{NUMBER_ID}:{ANN.value}")]
)
async def test_throttle_closes_the_bucket_it_names(code, bucket):
    """Too fast for the number, or too much for one person: the wait is Meta's, the bucket the right one."""
    async with running() as (_, account):
        await control(
            account, "next", answers=[{"kind": "throttle", "path": "/messages", "retry_after": 4, "code": code}]
        )
        with pytest.raises(ConnectorError) as caught:
            await send(account, make_message())

    info = caught.value.info
    assert (info.klass, info.retry_after_s, info.bucket) == (ErrorClass.RATE_LIMITED, 4.0, bucket)


async def test_closed_window_takes_a_template_with_its_values():
    """Free text is refused as too late; a listed template with its values is taken."""
    listed = {
        "id": "1",
        "name": "order_update",
        "language": "en_US",
        "status": "APPROVED",
        "components": [
            {"type": "HEADER", "format": "TEXT", "text": "Order {{1}}"},
            {"type": "BODY", "text": "Hello {{1}}, your {{2}} left today."},
            {"type": "BUTTONS", "buttons": [{"type": "URL", "text": "Track", "url": "https://example.com/{{1}}"}]},
        ],
    }
    async with running() as (vendor, account):
        await control(account, "template", template=listed)
        await control(account, "template", template=listed | {"name": "waiting", "status": "PENDING"})
        await control(account, "close_window", person=ANN.value)
        with pytest.raises(ConnectorError) as caught:
            await send(account, make_message())
        (template,) = await client.list_templates(account)
        values = dict(zip(template.variables, ("7", "Ann", "chair", "t-9"), strict=True))
        use = TemplateUse(name=template.name, language=template.language, id=template.id, variables=values)
        await send(account, make_message(template=use))

    assert caught.value.info.klass is ErrorClass.WINDOW_CLOSED
    assert template.variables == ("header_1", "1", "2", "button_0")
    (sent,) = vendor.sent.values()
    found = {one["type"]: [value["text"] for value in one["parameters"]] for one in sent["part"]["components"]}
    assert found == {"header": ["7"], "body": ["Ann", "chair"], "button": ["t-9"]}


async def test_templates_are_read_to_the_last_page():
    """More than one page of templates is one list."""
    async with running() as (vendor, account):
        for number in range(120):
            one = {"id": str(number), "name": f"t{number}", "language": "de", "status": "APPROVED"}
            vendor.templates.append(one | {"components": [{"type": "BODY", "text": "Hi"}]})
        found = await client.list_templates(account)

    assert [one.name for one in found] == [f"t{number}" for number in range(120)]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "HEADER", "format": "IMAGE"},
        {"type": "CAROUSEL"},
        {"type": "BUTTONS", "buttons": [{"type": "COPY_CODE"}]},
    ],
)
def test_template_we_could_not_fill_in_is_left_out(part):
    """Files, cards and codes have no field in our form."""
    listed = {"name": "t", "language": "de", "status": "APPROVED", "components": [part]}
    assert read_template(msgspec.convert(listed, Listed)) is None


def test_places_keep_their_order_and_their_names():
    """Positional places are sent in their order without a name, named ones with it."""
    positional = components_of({"2": "b", "1": "a"})
    named = components_of({"customer": "Ann"})

    assert [one.text for one in positional[0].parameters] == ["a", "b"]
    assert [one.parameter_name for one in positional[0].parameters] == ["", ""]
    assert named[0].parameters[0].parameter_name == "customer"


async def test_reaction_and_read_reach_the_vendor():
    """React, take back, mark read; what WhatsApp cannot do is refused without asking it."""

    def act(kind: str, emoji: str = "") -> Act:
        return Act(id="1", kind=kind, to=ANN, thread_key=ANN.value, external_id="wamid.IN", emoji=emoji)

    async with running() as (vendor, account):
        for wanted in (act("react", "👍"), act("unreact", "👍"), act("mark_read")):
            await client.act(account, wanted)
        with pytest.raises(ConnectorError) as caught:
            await client.act(account, act("edit"))

    assert [one["kind"] for one in vendor.done] == ["react", "unreact", "read"]
    assert caught.value.info.klass is ErrorClass.UNSUPPORTED
    assert len(vendor.requests) == 3


async def test_keys_are_checked_before_they_are_saved():
    """Good keys give the number's id; a wrong token, secret or number is told apart."""
    async with running() as (vendor, account):
        found = await client.check(account)
        said = await client.test(account)
        with pytest.raises(ConnectorError) as token:
            await client.check(make_account(account.base_url, access_token="other"))
        with pytest.raises(InvalidInput) as secret:
            await client.check(make_account(account.base_url, client_secret="other"))
        with pytest.raises(InvalidInput) as none:
            await client.check(make_account(account.base_url, client_secret=""))
        open_door = await client.check(make_account(account.base_url, verify_token=""))
        elsewhere = msgspec.structs.replace(account, settings={"phone_number_id": "55555", "waba_id": WABA_ID})
        with pytest.raises(InvalidInput) as number:
            await client.check(elsewhere)

    assert (found.external_ref, found.warnings) == (NUMBER_ID, ())
    assert "+1 555-000-1111" in said
    assert none.value.field == "client_secret"
    assert len(open_door.warnings) == 1
    assert any(one["path"].endswith("/subscribed_apps") for one in vendor.requests)
    assert token.value.info.klass is ErrorClass.AUTH
    assert (secret.value.field, number.value.field) == ("client_secret", "phone_number_id")


async def test_file_is_fetched_in_two_steps_with_the_token():
    """First where it is, then its bytes; one that is gone is final, an id that is none is not asked for."""

    async def fetched(account: Account, ref: str) -> bytes:
        return b"".join(
            [piece async for piece in client.fetch(account, AttachmentRef(ref=ref, kind="image"), read_raw)]
        )

    async def read_raw() -> bytes:
        raise AssertionError

    async with running() as (vendor, account):
        file = await control(account, "file", body="aGk=", mime="image/png")
        assert await fetched(account, str(file["id"])) == b"hi"
        asked = len(vendor.requests)
        for wrong in ("99999", "../../me", ""):
            with pytest.raises(ConnectorError) as caught:
                await fetched(account, wrong)
            assert caught.value.info.klass is ErrorClass.PERMANENT
        assert len(vendor.requests) == asked + 1
        with pytest.raises(ConnectorError) as keys:
            await fetched(make_account(account.base_url, access_token="other"), str(file["id"]))

    assert keys.value.info.klass is ErrorClass.AUTH


async def test_file_elsewhere_is_never_fetched(monkeypatch):
    """An address that is not Meta's is refused before anything is asked of it, least of all with the token."""
    asked = []

    async def answer(_account, asking, kind):
        asked.append(asking.path)
        return kind(url="https://lookaside.fbsbx.com.evil.example/x")

    monkeypatch.setattr(client, "ask_graph", answer)
    with pytest.raises(ConnectorError) as caught:
        async for _ in client.fetch(make_account(), AttachmentRef(ref="1", kind="image"), read_file):
            pass

    assert (caught.value.info.klass, asked) == (ErrorClass.PERMANENT, ["1"])
