"""The pure parts of the channel: proof, hints, mails, what is rendered and charged, and what refusals mean."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.http import Answer
from connectors.mime.mailbox import own_addresses
from connectors.outlook import CONNECTOR
from connectors.outlook.cursor import Place, read_cursor
from connectors.outlook.draft import content
from connectors.outlook.errors import NOT_FOUND, RESYNC, describe
from connectors.outlook.graph import Graph, message_path, quoted, with_query
from connectors.outlook.mails import Parts, cut
from connectors.outlook.parse import INBOX, NOTE, mail_key, parse, split
from connectors.outlook.signin import _describe
from connectors.outlook.verify import verify
from hub.envelope import Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, MalformedPayload, SignatureRejected, UnsupportedPayload

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATE = "state-of-a-test"
URL = "https://hub.example.com/webhooks/outlook/1"
FIXTURES = Path(__file__).parent / "fixtures"
NADIA = Identity("email", "nadia@customers.example")
ACCOUNT = Account(
    id="0190b0a0-0000-7000-8000-0000000000aa",
    workspace_id=1,
    credentials={"client_state": STATE, "access_token": "t"},
    settings={"address": "Support@northwind.example", "aliases": "help@northwind.example, SALES@northwind.example"},
    webhook_url=URL,
    signing_key=b"k" * 32,
)
MESSAGE = OutboundMessage(
    message_id="0190b0a0-1111-7000-8000-000000000001",
    to=NADIA,
    thread_key="t",
    text="Hello",
    conversation_id="0190b0a0-3333-7000-8000-000000000001",
)


def call(body: Any, query: str = "") -> WebhookRequest:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest(method="POST", url=URL + query, headers={}, body=raw, received_at=NOW)


def context(key: str) -> ParseContext:
    return ParseContext(received_at=NOW, key=key, settings=ACCOUNT.settings, account_id=ACCOUNT.id, signing_key=b"k")


# ── proof ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        {"value": [{"clientState": STATE}, {"clientState": "another"}]},
        {"value": [{"clientState": STATE}, {}]},
        {"value": [{"clientState": None}]},
        {"value": [{"clientState": STATE + "x"}]},
        {"value": [{"clientState": "ä" + STATE}]},
        {"value": []},
        {"value": {"clientState": STATE}},
        {},
        [],
        b"",
        b"\xff\xfe",
        b'{"value":[{"clientState":"\\ud800"}]}',
        b"[" * 100_000,
    ],
    ids=str,
)
def test_a_call_in_which_one_item_does_not_know_the_secret_is_refused(body):
    """Every item of a batch carries it, and there is one at least."""
    with pytest.raises(SignatureRejected):
        verify(call(body), ACCOUNT)


def test_an_account_without_a_secret_takes_nothing():
    """An empty secret matches nobody, an empty one neither."""
    bare = msgspec.structs.replace(ACCOUNT, credentials={})
    with pytest.raises(SignatureRejected):
        verify(call({"value": [{"clientState": ""}]}), bare)


def test_handshake_is_answered_with_its_token_decoded_as_plain_text():
    """What looks like HTML stays text; a token beside notifications proves nothing."""
    reply = verify(call(b"", "?validationToken=Validation%3A+a%26%3Cb%3E%C3%A4"), ACCOUNT)
    assert reply is not None
    assert (reply.status, reply.content_type, reply.body.decode()) == (200, "text/plain", "Validation: a&<b>ä")
    with pytest.raises(SignatureRejected):
        verify(call({"value": [{"clientState": "no"}]}, "?validationToken=x"), ACCOUNT)
    with pytest.raises(SignatureRejected):
        verify(call(b"", "?validationToken=" + "x" * 5000), ACCOUNT)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_secret_is_never_kept():
    """Neither in hints nor in what becomes a dead letter."""
    for path in FIXTURES.glob("*.in.json"):
        recorded = json.loads(path.read_text())
        if "key" not in recorded:
            for one in split(call(recorded["body"].encode())):
                assert b"outlook-state-0001" not in one.body


def test_mutated_calls_and_mails_end_in_our_words_only():
    """Whatever bytes come: items, or one of the two refusals a parser has."""
    chance = random.Random(11)
    for path in sorted(FIXTURES.glob("*.in.json")):
        recorded = json.loads(path.read_text())
        whole = recorded["body"].encode()
        for _ in range(60):
            body = bytearray(whole)
            for _ in range(chance.randint(1, 6)):
                place = chance.randrange(len(body))
                body[place : place + chance.randint(0, 3)] = chance.choice(
                    (b"\x00", b"\xff", b'"', b"{", b"null", b"\\ud800", b"1e999", b"")
                )
            try:
                if "key" in recorded:
                    parse(bytes(body), context(recorded["key"]))
                    continue
                for one in split(call(bytes(body))):
                    parse(one.body, context(one.key))
            except (MalformedPayload, UnsupportedPayload):
                continue


def test_keys_are_short_whatever_graph_calls_a_mail():
    """Ids have no length one could rely on."""
    assert mail_key(INBOX, "AAk") == "inbox:AAk"
    assert mail_key(INBOX, "x" * 1000) == mail_key(INBOX, "x" * 1000) != mail_key(INBOX, "y" * 1000)
    assert len(mail_key(INBOX, "x" * 1000)) < 300


def test_own_addresses_are_the_mailbox_and_its_aliases():
    """Lower case, each once."""
    assert own_addresses(ACCOUNT.settings) == tuple(f"{one}@northwind.example" for one in ("support", "help", "sales"))


def test_a_cut_mail_reads_like_the_original():
    """Sender, subject, id and text are there; a header cannot begin another one."""
    headers = [
        {"name": "From", "value": "Nadia <nadia@customers.example>"},
        {"name": "Subject", "value": "Grüße\r\nX-Evil: 1"},
        {"name": "Message-ID", "value": "<n-1@customers.example>"},
        {"name": "Content-Type", "value": "multipart/mixed; boundary=x"},
    ]
    parts = msgspec.convert(
        {"internetMessageHeaders": headers, "body": {"contentType": "html", "content": "<p>Größe</p>"}}, Parts
    )
    mail = cut(parts, 25 * 1024 * 1024)
    (item,) = parse(mail, context("inbox:1"))
    assert (item.external_id, item.sender and item.sender.value) == ("n-1@customers.example", NADIA.value)
    assert "Größe" in item.text
    assert "larger than 25 MB" in item.text
    assert b"\r\nX-Evil" not in mail


@pytest.mark.parametrize("text", [None, "", "{", '{"mailbox":"other","since":"2026-01-01T00:00:00Z"}'])
def test_a_cursor_that_is_not_this_mailboxs_begins_anew(text):
    """Broken, missing or another mailbox's."""
    cursor = read_cursor(text, ACCOUNT, NOW)
    assert (cursor.since, cursor.folders) == (NOW, {})
    kept = cursor.at("inbox", Place(link="https://graph.microsoft.com/x"))
    assert read_cursor(kept.text(), ACCOUNT, datetime(2020, 1, 1, tzinfo=UTC)) == kept


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_draft_carries_our_mark_and_a_signed_reference():
    """By the mark it is found again; the reference survives Exchange's own Message-ID."""
    body: Any = content(ACCOUNT, msgspec.structs.replace(MESSAGE, cc=(Identity("email", "jo@customers.example"),)))
    assert body["singleValueExtendedProperties"][0]["value"] == MESSAGE.message_id
    (header,) = body["internetMessageHeaders"]
    assert header["name"].lower().startswith("x-")
    raw = f"From: support@northwind.example\r\nTo: {NADIA.value}\r\n{header['name']}: {header['value']}\r\n\r\nHi"
    own = ParseContext(
        received_at=NOW,
        key="sent:1",
        settings={"address": "support@northwind.example"},
        account_id=ACCOUNT.id,
        workspace_id=1,
        signing_key=ACCOUNT.signing_key,
    )
    (item,) = parse(raw.encode(), own)
    assert item.correlation_id == MESSAGE.message_id
    assert body["ccRecipients"] == [{"emailAddress": {"address": "jo@customers.example"}}]


def test_text_is_escaped_in_html():
    """What a member writes is text."""
    body: Any = content(ACCOUNT, msgspec.structs.replace(MESSAGE, text="<b>1 & 2</b>", subject="a\r\nBcc: x\ud800"))
    assert "&lt;b&gt;1 &amp; 2&lt;/b&gt;" in body["body"]["content"]
    assert body["subject"] == "a Bcc: x\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    ("change", "klass"),
    [
        ({"text": " "}, ErrorClass.CONTENT),
        ({"text": "x" * 200_001}, ErrorClass.CONTENT),
        ({"to": Identity("email", "nobody")}, ErrorClass.RECIPIENT),
        ({"cc": (Identity("email", "a b@customers.example"),)}, ErrorClass.RECIPIENT),
        ({"bcc": (NADIA,) * 500}, ErrorClass.CONTENT),
    ],
    ids=["empty", "long", "address", "copy", "many"],
)
def test_what_cannot_be_sent_is_refused_before_it_is_tried(change, klass):
    """With the class that says what to do about it."""
    with pytest.raises(ConnectorError) as caught:
        CONNECTOR.render(msgspec.structs.replace(MESSAGE, **change), ACCOUNT)
    assert caught.value.info.klass is klass


def test_a_mail_is_charged_by_requests_bytes_and_people():
    """And never more than a bucket holds."""
    file = OutboundAttachment(id="1", kind="file", filename="a", mime="a/b", size_bytes=20 * 1024 * 1024)
    many = msgspec.structs.replace(MESSAGE, attachments=(file,), cc=(NADIA,) * 100)
    costs = {one.key.rpartition(":")[2]: one.cost for one in CONNECTOR.charges(ACCOUNT, many)}
    assert costs["mailbox"] == 6
    assert costs["recipients"] == CONNECTOR.manifest.limits["recipients"][0].burst
    assert costs["upload"] > 20_000


# ── Graph ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ids_and_filters_cannot_leave_their_place():
    """Slashes, quotes and the like are written so that they stay what they are."""
    assert message_path("a/b+c=") == "/me/messages/a%2Fb%2Bc%3D"
    assert quoted("o'hara") == "'o''hara'"
    assert (
        with_query("/x", changeType="created", filter="a eq 'b&c'")
        == "/x?changeType=created&$filter=a%20eq%20%27b%26c%27"
    )


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.evil.example/v1.0",
        "http://graph.microsoft.com/v1.0",
        "https://graph.microsoft.com:444/v1.0",
        "https://me@graph.microsoft.com/v1.0",
        "//graph.microsoft.com",
        "https://[",
    ],
)
def test_only_graphs_own_origin_is_asked(link):
    """Another host, scheme, port or user is another origin."""
    assert not Graph(ACCOUNT).owns(link)
    assert Graph(ACCOUNT).owns("https://graph.microsoft.com/v1.0/me/x?$skiptoken=1")


def refusal(status: int, code: str = "", **headers: str) -> Answer:
    body = json.dumps({"error": {"code": code, "message": "for nadia@customers.example"}}).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


@pytest.mark.parametrize(
    ("answer", "klass", "code", "wait_s"),
    [
        (refusal(401), ErrorClass.AUTH, "401", None),
        (refusal(410, "SyncStateNotFound"), ErrorClass.PERMANENT, RESYNC, None),
        (refusal(400, "syncStateInvalid"), ErrorClass.PERMANENT, RESYNC, None),
        (refusal(404, "ErrorItemNotFound"), ErrorClass.PERMANENT, NOT_FOUND, None),
        (refusal(404), ErrorClass.PERMANENT, NOT_FOUND, None),
        (refusal(429, "ApplicationThrottled", retry_after="9"), ErrorClass.RATE_LIMITED, "429", 9.0),
        (refusal(429), ErrorClass.RATE_LIMITED, "429", 10.0),
        (refusal(503, "ErrorServerBusy", retry_after="5"), ErrorClass.RETRYABLE, "ErrorServerBusy", 5.0),
        (refusal(503, "ErrorServerBusy"), ErrorClass.AMBIGUOUS, "ErrorServerBusy", None),
        (refusal(504), ErrorClass.AMBIGUOUS, "504", None),
        (refusal(413), ErrorClass.CONTENT, "413", None),
        (refusal(403, "ErrorExceededMessageLimit"), ErrorClass.RATE_LIMITED, "ErrorExceededMessageLimit", 900.0),
        (refusal(507, "ErrorQuotaExceeded"), ErrorClass.ACCOUNT, "ErrorQuotaExceeded", None),
        (refusal(400, "a secret sentence"), ErrorClass.PERMANENT, "400", None),
        (Answer(400, {}, b'{"error":"no"}'), ErrorClass.PERMANENT, "400", None),
        (Answer(502, {}, b"<html>"), ErrorClass.AMBIGUOUS, "502", None),
    ],
    ids=str,
)
def test_refusals_have_our_words(answer, klass, code, wait_s):
    """Class, code and pause; nothing of Graph's own text, which names people."""
    info = describe(answer)
    assert (info.klass, info.code, info.retry_after_s) == (klass, code, wait_s)
    assert "nadia" not in info.message


@pytest.mark.parametrize(
    ("status", "error", "klass"),
    [
        (400, "invalid_grant", ErrorClass.AUTH),
        (400, "interaction_required", ErrorClass.AUTH),
        (401, "invalid_client", ErrorClass.AUTH),
        (400, "temporarily_unavailable", ErrorClass.PERMANENT),
        (503, "", ErrorClass.AMBIGUOUS),
    ],
)
def test_token_endpoints_refusals_say_who_must_help(status, error, klass):
    """A person signs in again; an outage is no reason to ask one."""
    info = _describe(
        Answer(status, {}, json.dumps({"error": error, "error_description": "AADSTS70000"}).encode()), "Microsoft"
    )
    assert info.klass is klass
    assert "AADSTS" not in info.message


def test_notes_that_are_no_hints_are_told_apart():
    """Unknown: counted. Broken: a dead letter."""
    with pytest.raises(UnsupportedPayload):
        parse(b'{"subscriptionId":"s","changeType":"moved","resourceData":{"id":"1"}}', context(f"{NOTE}1"))
    with pytest.raises(MalformedPayload):
        parse(b'{"subscriptionId":7}', context(f"{NOTE}1"))
