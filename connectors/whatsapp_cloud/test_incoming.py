"""WhatsApp's Cloud API: the handshake, how calls are cut, and what refusals mean; nothing is asked."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.base import Account, ParseContext, WebhookRequest
from connectors.http import Answer
from connectors.meta.verify import verify
from connectors.whatsapp_cloud.errors import describe_code, read_refusal
from connectors.whatsapp_cloud.parse import parse, split
from hub.errors import ErrorClass, MalformedPayload, SignatureRejected

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIXTURES = Path(__file__).parent / "fixtures"
URL = "https://hub.example.com/webhooks/whatsapp_cloud/1"


def make_account(**credentials: str) -> Account:
    return Account(
        id="1",
        workspace_id=1,
        credentials={"client_secret": "a secret", "verify_token": "a word"} | credentials,
        settings={},
        webhook_url=URL,
    )


def test_handshake_is_answered_for_the_right_token_alone():
    """Meta's question gets its challenge back; another token, mode or no challenge is refused."""

    def ask(query: str) -> WebhookRequest:
        return WebhookRequest(method="GET", url=f"{URL}?{query}", headers={}, body=b"", received_at=NOW)

    good = "hub.mode=subscribe&hub.verify_token=a%20word&hub.challenge=1158201444"
    reply = verify(ask(good), make_account())
    assert reply is not None
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", b"1158201444")
    of_app = make_account(verify_token="", signing_secret="a word")
    assert verify(ask(good), of_app) == reply
    for bad in (good.replace("word", "w0rd"), good.replace("subscribe", "x"), "hub.mode=subscribe", ""):
        with pytest.raises(SignatureRejected):
            verify(ask(bad), make_account())
    with pytest.raises(SignatureRejected):
        verify(ask("hub.mode=subscribe&hub.verify_token=&hub.challenge=1"), make_account(verify_token=""))


def test_each_item_names_its_number():
    """A call about two numbers reaches two accounts, and each item stands for itself."""
    call = json.loads((FIXTURES / "message.batch.in.json").read_text())["body"]
    other = call.replace("106540352242922", "999").replace("wamid.", "wamid.X")
    both = json.loads(call)
    both["entry"] += json.loads(other)["entry"]
    items = split(WebhookRequest(method="POST", url=URL, headers={}, body=json.dumps(both).encode(), received_at=NOW))

    assert [one.account_ref for one in items].count("106540352242922") == 3
    assert [one.account_ref for one in items].count("999") == 3


def test_spoilt_item_does_not_keep_the_others_back():
    """One message of a call that makes no sense fails alone, under a key of its own."""
    call = json.loads(json.loads((FIXTURES / "message.batch.in.json").read_text())["body"])
    call["entry"][0]["changes"][0]["value"]["messages"] += ["nonsense", {"id": 7}]
    items = split(WebhookRequest(method="POST", url=URL, headers={}, body=json.dumps(call).encode(), received_at=NOW))
    outcomes = []
    for one in items:
        try:
            outcomes.append(len(parse(one.body, ParseContext(received_at=NOW, key=one.key, settings={}))))
        except MalformedPayload:
            outcomes.append(0)

    assert sorted(outcomes) == [0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("status", "body", "klass"),
    [
        (400, {"code": 131047}, ErrorClass.WINDOW_CLOSED),
        (500, {"code": 131000}, ErrorClass.RETRYABLE),
        (400, {"code": 131026}, ErrorClass.RECIPIENT),
        (400, {"code": 131042}, ErrorClass.ACCOUNT),
        (403, {"code": 200}, ErrorClass.PERMISSION),
        (400, {"code": 190}, ErrorClass.AUTH),
        (401, {"code": 0}, ErrorClass.AUTH),
        (400, {"code": 999999}, ErrorClass.PERMANENT),
        (500, {"code": 1}, ErrorClass.AMBIGUOUS),
        (503, {"code": 999999}, ErrorClass.AMBIGUOUS),
        (502, None, ErrorClass.AMBIGUOUS),
        (401, None, ErrorClass.AUTH),
        (429, None, ErrorClass.RATE_LIMITED),
    ],
)
def test_refusals_are_classified_by_metas_code(status, body, klass):
    """The code decides, the status only where there is none; an unknown failure may have been sent."""
    content = b"<html>" if body is None else json.dumps({"error": {"message": "secret +1555", **body}}).encode()
    info = read_refusal(Answer(status, {}, content), "WhatsApp")
    assert info.klass is klass
    assert "+1555" not in info.message


def test_failed_message_without_a_reason_is_final():
    """A status may name no code; one we do not know is shown by its number."""
    assert describe_code(0).klass is ErrorClass.PERMANENT
    assert "131999" in describe_code(131999).message
