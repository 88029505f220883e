"""The pure parts of the channel: proof, hints, mails, cursors, what is charged, and what Google's refusals mean."""

from __future__ import annotations

import base64
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.gmail import CONNECTOR
from connectors.gmail.cursor import Cursor, later, read_cursor
from connectors.gmail.errors import NOT_FOUND, classify, describe
from connectors.gmail.line import Line
from connectors.gmail.mails import _cut, _Full
from connectors.gmail.parse import parse, split
from connectors.gmail.reading import History
from connectors.gmail.signin import SCOPE, _describe, authorize_url
from connectors.gmail.verify import key_sets, verify
from connectors.http import Answer
from connectors.oauth import OAuthApp
from hub.envelope import Identity, OutboundAttachment, OutboundMessage
from hub.errors import (
    ConnectorError,
    ErrorClass,
    MalformedPayload,
    SignatureRejected,
    SigningKeyUnknown,
    UnsupportedPayload,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
URL = "https://hub.example.com/webhooks/gmail/1"
PUSHER = "gmail-push@northwind-1.iam.gserviceaccount.com"
FIXTURES = Path(__file__).parent / "fixtures"
PRIVATE = RSAKey.generate_key(2048)
NADIA = Identity("email", "nadia@customers.example")
ACCOUNT = Account(
    id="0190b0a0-0000-7000-8000-0000000000aa",
    workspace_id=1,
    credentials={"access_token": "t"},
    settings={"address": "support@northwind.example", "push_account": PUSHER},
    webhook_url=URL,
    signing_key=b"k" * 32,
)
KEYS = json.dumps({"keys": [{**PRIVATE.as_dict(private=False), "kid": "g1"}]}).encode()
BELIEVING = msgspec.structs.replace(ACCOUNT, keys={key_sets(ACCOUNT)[0]: KEYS})
MESSAGE = OutboundMessage(
    message_id="0190b0a0-1111-7000-8000-000000000001",
    to=NADIA,
    thread_key="t",
    text="Hello",
    conversation_id="0190b0a0-3333-7000-8000-000000000001",
)


def call(body: Any = None, kid: str = "g1", **claims: Any) -> WebhookRequest:
    at_s = int(NOW.timestamp())
    said = {"iss": "https://accounts.google.com", "aud": URL, "iat": at_s, "exp": at_s + 60}
    said |= {"email": PUSHER, "email_verified": True} | claims
    token = jws.serialize_compact({"alg": "RS256", "kid": kid}, json.dumps(said).encode(), PRIVATE)
    raw = body if isinstance(body, bytes) else json.dumps(body or push()).encode()
    headers = {"authorization": f"Bearer {token}"}
    return WebhookRequest(method="POST", url=URL, headers=headers, body=raw, received_at=NOW)


def push(data: str = '{"emailAddress":"support@northwind.example","historyId":1}', **more: Any) -> dict[str, Any]:
    message = {"data": base64.urlsafe_b64encode(data.encode()).decode(), "messageId": "77"} | more
    return {"message": message, "subscription": "projects/p/subscriptions/s"}


def context(key: str) -> ParseContext:
    return ParseContext(received_at=NOW, key=key, settings=ACCOUNT.settings, account_id=ACCOUNT.id, signing_key=b"k")


# ── proof ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_call_of_the_subscription_is_believed(issuer):
    """The call the others spoil is good, by either name of Google's."""
    assert verify(call(iss=issuer), BELIEVING) is None


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://accounts.google.com.evil.example"},
        {"aud": "https://hub.example.com/webhooks/gmail/2"},
        {"email": "else@northwind-1.iam.gserviceaccount.com"},
        {"email": ""},
        {"email": 7},
        {"email_verified": False},
        {"exp": int(NOW.timestamp()) - 301},
    ],
    ids=str,
)
def test_call_of_anybody_else_is_refused(claims):
    """Another issuer, address, service account or time; and everybody where no service account is entered."""
    with pytest.raises(SignatureRejected):
        verify(call(**claims), BELIEVING)
    nobody = msgspec.structs.replace(BELIEVING, settings={})
    with pytest.raises(SignatureRejected):
        verify(call(), nobody)
    with pytest.raises(SignatureRejected):
        verify(call(email=""), nobody)


def test_call_without_a_token_or_with_an_unknown_key_is_refused():
    """A key we have not seen asks for newer ones."""
    with pytest.raises(SigningKeyUnknown):
        verify(call(kid="g2"), BELIEVING)
    for header in ("", "Bearer", "Basic x", "Bearer a.b.c"):
        with pytest.raises(SignatureRejected):
            verify(msgspec.structs.replace(call(), headers={"authorization": header}), BELIEVING)


# ── hints ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_push_is_a_hint_for_the_account_of_its_mailbox():
    """One subscription serves all mailboxes of a project, and repeats have one key."""
    data = '{"emailAddress":"Support@Northwind.example","historyId":"9"}'
    (item,) = split(call(push(data)))
    assert (item.key, item.account_ref, item.hint) == ("note:77", "support@northwind.example", True)
    assert list(parse(item.body, context(item.key))) == []


@pytest.mark.parametrize("data", ["", "{}", '{"emailAddress":7}', "\u0001", '{"deploy":1}'])
def test_what_gmail_did_not_publish_is_counted(data):
    """It is kept as it came, and no hint: a topic may have other publishers."""
    (item,) = split(call(push(data)))
    assert not item.hint
    with pytest.raises(UnsupportedPayload):
        parse(item.body, context(item.key))


@pytest.mark.parametrize("body", [b"", b"[]", b'{"message":7}', b"\xff"])
def test_what_is_no_push_is_malformed(body):
    """Whoever signed it."""
    with pytest.raises(MalformedPayload):
        split(call(body or b" "))


def test_key_is_usable_whatever_the_id_is():
    """A strange or missing id of the message gives way to a hash of the call."""
    for odd in ("", "a b", "x" * 201):
        (item,) = split(call(push(messageId=odd)))
        assert len(item.key) == len("note:") + 64


def test_mutated_calls_and_mails_end_in_our_words_only():
    """Ten thousand of them, from a fixed seed."""
    randoms = random.Random(20261123)
    recorded = [json.loads((FIXTURES / f"{name}.in.json").read_text()) for name in ("notification", "bounce")]
    for number in range(10_000):
        one = recorded[number % 2]
        body = bytearray(one["body"].encode())
        for _ in range(randoms.randint(1, 4)):
            body[randoms.randrange(len(body))] = randoms.randrange(256)
        try:
            items = split(call_as_it_is(bytes(body))) if "key" not in one else ()
            for item in items:
                parse(item.body, context(item.key))
            if "key" in one:
                parse(bytes(body), context(one["key"]))
        except (MalformedPayload, UnsupportedPayload):
            continue


def call_as_it_is(body: bytes) -> WebhookRequest:
    return WebhookRequest(method="POST", url=URL, headers={}, body=body, received_at=NOW)


# ── mails and cursors ───────────────────────────────────────────────────────────────────────────────────────────────


def test_history_names_each_new_mail_once():
    """New ones and those that came back to the inbox; read marks, other labels and ``messages`` bring nothing."""
    page = msgspec.json.decode(
        json.dumps(
            {
                "history": [
                    {"id": "1", "messages": [{"id": "m0"}], "messagesAdded": [{"message": {"id": "m1"}}]},
                    {"id": "2", "messagesAdded": [{"message": {"id": "m1"}}]},
                    {"id": "3", "labelsAdded": [{"message": {"id": "m2"}, "labelIds": ["INBOX"]}]},
                    {"id": "4", "labelsAdded": [{"message": {"id": "m3"}, "labelIds": ["STARRED"]}]},
                ],
                "historyId": "4",
            }
        ).encode(),
        type=History,
    )
    assert page.ids() == ["m1", "m2"]


@pytest.mark.parametrize(
    ("one", "other", "wanted"), [("9", "10", "10"), ("10", "9", "10"), ("10", "", "10"), ("", "x", "x")]
)
def test_cursor_never_goes_back(one, other, wanted):
    """Ids are numbers of up to 20 digits, compared as such."""
    assert later(one, other) == wanted


@pytest.mark.parametrize("text", [None, "", "{", "[]", Cursor(mailbox="another", since=NOW).text()])
def test_a_cursor_that_is_not_this_mailboxs_begins_anew(text):
    """Whatever was kept for another one."""
    found = read_cursor(text, ACCOUNT, NOW)
    assert (found.history_id, found.since) == ("", NOW)
    kept = msgspec.structs.replace(found, history_id="7")
    assert read_cursor(kept.text(), ACCOUNT, NOW) == kept


def test_a_cut_mail_reads_like_the_original():
    """Headers and the text that is no file, with a note; HTML where there is no other."""

    def part(mime: str, text: str, name: str = "") -> dict[str, Any]:
        body = {"data": base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")}
        return {"mimeType": mime, "filename": name, "body": body}

    headers = [{"name": "From", "value": "Nadia <nadia@customers.example>"}, {"name": "Subject", "value": "Größe"}]
    headers += [{"name": "Content-Type", "value": "multipart/mixed"}, {"name": "Message-ID", "value": "<b@c.example>"}]
    inner = {"mimeType": "multipart/alternative", "parts": [part("text/plain", "Grüße"), part("text/html", "<p>H")]}
    file = part("text/plain", "not this", "notes.txt")
    full = {"payload": {"mimeType": "multipart/mixed", "headers": headers, "parts": [file, inner]}}
    (item,) = parse(_cut(msgspec.convert(full, _Full), 25 << 20), context("inbox:1"))
    assert item.text.startswith("Grüße")
    assert "larger than 25 MB" in item.text
    assert (item.subject, item.external_id) == ("Größe", "b@c.example")
    only_html = {"payload": {"mimeType": "text/html", "headers": headers, "body": inner["parts"][1]["body"]}}
    (item,) = parse(_cut(msgspec.convert(only_html, _Full), 25 << 20), context("inbox:1"))
    assert item.text.startswith("H")


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "klass"),
    [
        ({"text": " "}, ErrorClass.CONTENT),
        ({"text": "x" * 200_001}, ErrorClass.CONTENT),
        ({"to": Identity("email", "no address")}, ErrorClass.RECIPIENT),
        ({"cc": tuple(Identity("email", f"a{n}@b.example") for n in range(100))}, ErrorClass.CONTENT),
        (
            {"attachments": (OutboundAttachment(id="f", kind="file", filename="a", mime="a/b", size_bytes=26 << 20),)},
            ErrorClass.CONTENT,
        ),
    ],
    ids=["empty", "long", "address", "people", "files"],
)
def test_what_cannot_be_sent_is_refused_before_it_is_tried(change, klass):
    """In words, with nothing asked of Google."""
    with pytest.raises(ConnectorError) as caught:
        CONNECTOR.render(msgspec.structs.replace(MESSAGE, **change), ACCOUNT)
    assert caught.value.info.klass is klass


def test_a_mail_is_charged_by_units_and_people():
    """Never more than a bucket holds, and accounts of one mailbox share it."""
    many = tuple(Identity("email", f"a{n}@b.example") for n in range(80))
    units, people = CONNECTOR.charges(ACCOUNT, msgspec.structs.replace(MESSAGE, cc=many))
    assert (units.key, units.cost) == ("gmail:support@northwind.example:units", 120)
    assert (people.key, people.cost) == ("gmail:support@northwind.example:recipients", 81)


@pytest.mark.parametrize(
    "url", ["https://evil.example/x", "http://gmail.googleapis.com/x", "https://gmail.googleapis.com:8443/"]
)
def test_our_token_goes_to_gmails_origin_alone(url):
    """Whatever address an answer named."""
    with pytest.raises(ConnectorError) as caught:
        Line("https://gmail.googleapis.com", "t", 1.0, 100).request(url)
    assert caught.value.info.code == "address"


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def told(status: int, reason: str = "", **headers: str) -> Answer:
    error = {"code": status, "message": "of ann@example.com", "errors": [{"reason": reason}] if reason else []}
    return Answer(status, headers, json.dumps({"error": error}).encode())


@pytest.mark.parametrize(
    ("answer", "klass", "wait_s"),
    [
        (told(401, "authError"), ErrorClass.AUTH, None),
        (told(403, "userRateLimitExceeded"), ErrorClass.RATE_LIMITED, 20.0),
        (told(403, "rateLimitExceeded", **{"retry-after": "7"}), ErrorClass.RATE_LIMITED, 7.0),
        (told(429, "rateLimitExceeded"), ErrorClass.RATE_LIMITED, 20.0),
        (told(403, "dailyLimitExceeded"), ErrorClass.RATE_LIMITED, 3600.0),
        (told(403, "insufficientPermissions"), ErrorClass.PERMISSION, None),
        (told(403, "domainPolicy"), ErrorClass.PERMISSION, None),
        (told(400, "failedPrecondition"), ErrorClass.ACCOUNT, None),
        (told(400, "invalidArgument"), ErrorClass.PERMANENT, None),
        (told(413), ErrorClass.CONTENT, None),
        (told(500, "backendError"), ErrorClass.AMBIGUOUS, None),
        (Answer(502, {}, b"<html>"), ErrorClass.AMBIGUOUS, None),
        (Answer(403, {}, b"[" * 100_000), ErrorClass.PERMISSION, None),
    ],
    ids=lambda one: getattr(one, "name", None),
)
def test_refusals_have_our_words(answer, klass, wait_s):
    """By Google's reason where it says more than the status; nothing of theirs is shown."""
    info = describe(answer)
    assert (info.klass, info.retry_after_s) == (klass, wait_s)
    assert "ann@" not in info.message


def test_what_is_gone_has_a_code_of_ours():
    """For mails, and for history that does not reach back so far."""
    assert describe(told(404, "notFound")).code == NOT_FOUND
    assert classify(ValueError("x")).klass is ErrorClass.AMBIGUOUS


@pytest.mark.parametrize(
    ("status", "error", "klass"),
    [
        (400, "invalid_grant", ErrorClass.AUTH),
        (401, "invalid_client", ErrorClass.AUTH),
        (503, "", ErrorClass.AMBIGUOUS),
    ],
)
def test_token_endpoints_refusals_say_who_must_help(status, error, klass):
    """The person, whoever runs the installation, or time."""
    assert _describe(Answer(status, {}, json.dumps({"error": error}).encode()), "Google").klass is klass


def test_sign_in_asks_for_lasting_access_to_one_mailbox():
    """With consent each time: else no refresh token comes."""
    url = authorize_url(OAuthApp(client_id="c", redirect_uri="https://h.example/cb"), "s", "c", {})
    assert url.startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    for part in ("access_type=offline", "prompt=consent%20select_account", "code_challenge_method=S256"):
        assert part in url
    assert SCOPE.rpartition("/")[2] in url
