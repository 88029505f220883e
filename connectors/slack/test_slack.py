"""
What the Slack channel does beyond its fixtures and its emulator: forgeries, markup, emoji, words for errors, keys.

Fixtures are tested by tests/contract/test_connectors.py, requests by tests/contract/test_slack_emulator.py.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Account, OAuthApp, ParseContext, WebhookRequest
from connectors.http import Answer
from connectors.slack import CONNECTOR
from connectors.slack.emojis import to_character, to_names
from connectors.slack.errors import NoAnswer, describe
from connectors.slack.mrkdwn import from_text, to_html, to_text
from connectors.slack.render import TEXT_LIMIT_CHARS, place_of
from hub.envelope import Direction, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, MalformedPayload, SignatureRejected, UnsupportedPayload
from scripts.connector_kit.cases import Case, cases_of

FOLDER = Path(__file__).parent
CASES = {one.name: one for one in cases_of(CONNECTOR, FOLDER)}
NADIA = Identity("slack", "U0NADIA", "T0HUB")


def case(name: str = "message") -> Case:
    return CASES[name]


def signed(body: bytes, **headers: str) -> WebhookRequest:
    """Sign a body as Slack does, by hand."""
    request, key = case().request(), case().account().credentials["signing_secret"].encode()
    at = request.headers["x-slack-request-timestamp"]
    digest = hmac.new(key, b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
    named = {"x-slack-request-timestamp": at, "x-slack-signature": f"v0={digest}"} | headers
    return msgspec.structs.replace(request, body=body, headers=named)


def verify(request: WebhookRequest, account: Account | None = None) -> Any:
    assert CONNECTOR.verify is not None
    return CONNECTOR.verify(request, account or case().account())


def message(text: str = "Hello", **more: Any) -> OutboundMessage:
    plain = {"message_id": "0190b0a0-1111-7000-8000-000000000001", "to": NADIA, "thread_key": "U0NADIA", "text": text}
    return OutboundMessage(**(plain | more))


def changed(name: str, **event: Any) -> Any:
    """Read a recorded event with some of its fields changed, None for left out."""
    recorded = json.loads(case(name).request().body)
    recorded["event"] = {key: value for key, value in (recorded["event"] | event).items() if value is not None}
    return read(json.dumps(recorded).encode())


def read(body: bytes, **more: str) -> Any:
    account = case().account()
    context = ParseContext(received_at=case().request().received_at, key="Ev1", settings={**account.settings, **more})
    return CONNECTOR.parse(body, context)


# ── whose call it is ────────────────────────────────────────────────────────────────────────────────────────────────


def test_handshake_is_answered_only_when_it_is_signed():
    """Slack's challenge comes back as it was; a stranger's gets nothing."""
    body = b'{"token":"x","challenge":"c-52","type":"url_verification"}'
    assert verify(signed(body)).body == b"c-52"
    with pytest.raises(SignatureRejected):
        verify(signed(body, **{"x-slack-signature": "v0=" + "0" * 64}))
    with pytest.raises(MalformedPayload):
        verify(signed(b'{"type":"url_verification","challenge":""}'))


def test_message_that_speaks_of_a_handshake_is_none():
    """Only the call's own type counts, not the words of a customer."""
    body = case().request().body.replace(b"Where is my order 12?", b"url_verification")
    assert verify(signed(body)) is None


@pytest.mark.parametrize("stamp", ["", "soon", "+1795348800", " 1795348800", "١٧٩٥٣٤٨٨٠٠", "9" * 400, "-1"])
def test_timestamp_that_is_no_number_is_refused_not_an_error(stamp):
    """The SDK's verifier would raise on these."""
    with pytest.raises(SignatureRejected):
        verify(signed(b"{}", **{"x-slack-request-timestamp": stamp}))


@pytest.mark.parametrize("signature", ["", "v0=", "v0=é", "\udcff", "v1=" + "0" * 64])
def test_signature_that_is_none_is_refused_not_an_error(signature):
    """Nor may a header that is no ASCII, or a body that is no UTF-8, become anything but a refusal."""
    with pytest.raises(SignatureRejected):
        verify(signed(b"{}", **{"x-slack-signature": signature}))
    with pytest.raises(SignatureRejected):
        verify(signed(b'{"text":"\xff"}'))


@pytest.mark.parametrize("minutes", [-6, 6])
def test_recorded_call_is_refused_after_five_minutes(minutes):
    """What somebody copied is good for five minutes, by the time it came, not by ours."""
    request = case().request()
    verify(msgspec.structs.replace(request, received_at=request.received_at + timedelta(minutes=4)))
    with pytest.raises(SignatureRejected):
        verify(msgspec.structs.replace(request, received_at=request.received_at + timedelta(minutes=minutes)))


def test_retry_is_the_same_item_of_the_workspace_that_sees_it():
    """A retry header changes nothing; the account is the installation's workspace, not the writer's."""
    assert CONNECTOR.split is not None
    request = case("message.other_organisation").request()
    again = msgspec.structs.replace(request, headers={**request.headers, "x-slack-retry-num": "2"})
    (first,), (second,) = CONNECTOR.split(request), CONNECTOR.split(again)
    assert (first.key, first.account_ref) == (second.key, second.account_ref) == ("Ev00007", "T0HUB")


# ── who wrote ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everybody_of_our_organisation_is_a_colleague_where_the_account_says_so():
    """In a shared channel only the others are customers; in a direct conversation everybody is."""
    thread = case("message.thread").request().body
    own = {"customers": "people of other organisations"}
    assert read(thread)[0].direction is Direction.INBOUND
    (echo,) = read(thread, **own)
    assert (echo.direction, echo.sender.value) == (Direction.OUTBOUND, "U0NADIA")
    assert read(case("message.other_organisation").request().body, **own)[0].direction is Direction.INBOUND
    assert read(case().request().body, **own)[0].direction is Direction.INBOUND


def test_our_app_is_known_by_each_of_its_names():
    """By bot, app or user alone; without our id in it, it names nobody in a direct conversation."""
    for names in ({"bot_id": "B0HUB"}, {"app_id": "A0HUB"}, {"user": "U0HUBBOT"}, {"bot_profile": {"app_id": "A0HUB"}}):
        with pytest.raises(UnsupportedPayload):
            changed("message", **names)


def test_mention_of_our_app_has_its_name():
    """In a message and in an edit; other people keep their ids."""
    body = case().request().body
    assert read(body, bot_name="help desk")[0].text == "Where is my order 12? @help desk & co"
    assert read(body)[0].text == "Where is my order 12? @U0HUBBOT & co"


def test_id_that_somebody_else_put_into_a_message_is_not_ours():
    """Another app cannot name a message of ours, nor can a broken id of our app's."""
    forged = {"event_type": "hub_message", "event_payload": {"message_id": "0190b0a0-1111-7000-8000-000000000001"}}
    assert changed("message", metadata=forged)[0].correlation_id is None
    with pytest.raises(UnsupportedPayload):
        changed("echo.our_app", metadata={"event_type": "hub_message", "event_payload": {"message_id": "x"}})


# ── markup ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("source", "text", "formatted"),
    [
        ("2*3*4 and snake_case_name", "2*3*4 and snake_case_name", None),
        ("*_both_*", "both", "<b><i>both</i></b>"),
        ("```\n*no* &lt;b&gt;\n```", "\n*no* <b>\n", "<pre>*no* &lt;b&gt;</pre>"),
        ("<@U1|ola> <@U2> <#C1> <!subteam^S1|@help> <!date^1^{d}|May>", "@ola @U2 #C1 @help May", None),
        ("<https://x.example>", "https://x.example", None),
        ("<https://x.example|x.example>", "https://x.example", '<a href="https://x.example">x.example</a>'),
        ("<javascript:alert(1)|click>", "click (javascript:alert(1))", None),
        ('<https://x.example/"onclick="x|y>', 'y (https://x.example/"onclick="x)', None),
        ("&amp;lt;", "&lt;", None),
        (":tada: :no_such_thing: 10:30:45", "🎉 :no_such_thing: 10:30:45", None),
        ("<a `b` c>", "<a b c>", None),
    ],
    ids=str,
)
def test_markup_is_read(source, text, formatted):
    """As text, and as HTML where there is something to format."""
    assert to_text(source) == text
    found = to_html(source)
    if formatted is not None:
        assert found == formatted
    elif found is not None:
        assert 'href="javascript' not in found
        assert "<a onclick" not in found


@given(st.text(max_size=300))
@settings(max_examples=150, deadline=None)
def test_what_members_write_calls_nobody_and_comes_back_readable(text):
    """Nothing in it is a command of Slack's, and no placeholder of ours is left in any text."""
    written = from_text(text)
    for token in written.split("<")[1:]:
        assert token.startswith(("https://", "http://"))
    for result in (to_text(written), to_html(written) or "", to_text(text.replace("\x00", ""))):
        assert "\x00" not in result


def test_members_markdown_becomes_slacks():
    """Bold, strike and links; code stays as it is."""
    assert from_text("**b** ~~s~~ [p|q](https://x.example/?a=1&b=2) `**c**`") == (
        "*b* ~s~ <https://x.example/?a=1&amp;b=2|p/q> `**c**`"
    )


@pytest.mark.parametrize(
    ("name", "character"),
    [("+1", "👍"), ("thumbsup::skin-tone-6", "👍🏿"), ("flag-de", "🇩🇪"), ("man-shrugging", "🤷‍♂️"), ("heart", "❤️")],
)
def test_emoji_goes_both_ways(name, character):
    """A name is the emoji, and among the emoji's names is one that Slack knows."""
    assert to_character(name) == character
    assert name in to_names(character)


# ── what goes out ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("thread_key", "newest", "channel", "thread_ts"),
    [
        ("U0NADIA", None, "U0NADIA", ""),
        ("U0NADIA", "D0NADIA/1795348799.000100", "D0NADIA", ""),
        ("U0NADIA/1795348799.000100", "D0NADIA/1795348801.000300", "D0NADIA", "1795348799.000100"),
        ("C0ORDERS/1795348799.000100", "C0ORDERS/1795348801.000200", "C0ORDERS", "1795348799.000100"),
    ],
)
def test_answer_goes_where_the_question_came_from(thread_key, newest, channel, thread_ts):
    """Into the thread, or the direct channel that the newest message names."""
    place = place_of(message(thread_key=thread_key, reply_to_external_id=newest))
    assert (place.channel, place.thread_ts) == (channel, thread_ts)


def test_longest_text_is_never_cut_by_slack():
    """Even all of characters that are escaped: below the 40,000 at which Slack cuts."""
    (call,) = CONNECTOR.render(message("&" * TEXT_LIMIT_CHARS), case().account())
    assert len(call.fields["text"]) <= 40_000
    for broken in (message("x" * (TEXT_LIMIT_CHARS + 1)), message("  "), message(thread_key="no place")):
        with pytest.raises(ConnectorError):
            CONNECTOR.render(broken, case().account())


def test_reply_shows_who_wrote_it():
    """Name and picture where the account says so; the picture only where Slack can fetch it, and neither on files."""
    plain = case().account()
    account = msgspec.structs.replace(plain, settings={**plain.settings, "show_author": "true"})
    wrote = message(author_name="Priya\n Shah", author_avatar="abc/d")

    def shown(one: Any, of: Account) -> dict[str, str]:
        (call,) = CONNECTOR.render(one, of)
        return {name: call.fields[name] for name in ("username", "icon_url") if name in call.fields}

    assert shown(wrote, account) == {"username": "Priya Shah", "icon_url": "https://hub.example.com/avatars/abc%2Fd"}
    assert shown(wrote, plain) == {}
    assert shown(message(), account) == {}
    local = msgspec.structs.replace(account, webhook_url="http://localhost:8000/webhooks/slack/1")
    assert shown(wrote, local) == {"username": "Priya Shah"}
    file = OutboundAttachment(id="1", kind="file", filename="a", mime="a/b", size_bytes=1)
    assert shown(msgspec.structs.replace(wrote, attachments=(file,)), account) == {}


def test_rates_are_the_channels_the_workspaces_and_the_files():
    """Each has a bucket of its own; the account's own rate stands before the manifest's."""
    file = OutboundAttachment(id="1", kind="file", filename="a", mime="a/b", size_bytes=1)
    account = case().account()
    found = CONNECTOR.charges(account, message(thread_key="C1X/1795348799.000100", attachments=(file, file)))
    assert [(one.key, one.cost) for one in found] == [
        ("slack:post:T0HUB:C1X", 1.0),
        ("slack:T0HUB:chat.postMessage", 1.0),
        ("slack:T0HUB:files", 2.0),
    ]
    faster = msgspec.structs.replace(account, settings={**account.settings, "messages_per_second": "5"})
    assert CONNECTOR.charges(faster, message())[0].limits[0].rate == 5.0


@pytest.mark.parametrize(
    ("status", "code", "klass"),
    [
        (200, "invalid_auth", ErrorClass.AUTH),
        (200, "account_inactive", ErrorClass.AUTH),
        (200, "channel_not_found", ErrorClass.RECIPIENT),
        (200, "is_archived", ErrorClass.RECIPIENT),
        (200, "msg_too_long", ErrorClass.CONTENT),
        (200, "restricted_action", ErrorClass.PERMISSION),
        (200, "missing_scope", ErrorClass.PERMISSION),
        (200, "ratelimited", ErrorClass.RATE_LIMITED),
        (429, "", ErrorClass.RATE_LIMITED),
        (200, "internal_error", ErrorClass.AMBIGUOUS),
        (500, "internal_error", ErrorClass.AMBIGUOUS),
        (503, "service_unavailable", ErrorClass.RETRYABLE),
        (200, "new_code_of_slacks", ErrorClass.PERMANENT),
        (200, "Received a response in a non-JSON format: <html>", ErrorClass.AMBIGUOUS),
        (502, "", ErrorClass.AMBIGUOUS),
        (401, "", ErrorClass.AUTH),
    ],
)
def test_refusal_is_classed_by_its_code_and_said_in_our_words(status, code, klass):
    """What may have happened halfway is never safe to repeat."""
    info = describe(Answer(status, {"retry-after": "30"}, b""), code)
    assert info.klass is klass
    assert "<" not in info.message
    if klass is ErrorClass.RATE_LIMITED:
        assert info.retry_after_s == 30.0


def test_silence_is_safe_to_repeat_only_where_nothing_left():
    """No connection: again. A connection that broke: nobody knows."""
    assert CONNECTOR.classify(NoAnswer(may_have_left=False)).klass is ErrorClass.RETRYABLE
    assert CONNECTOR.classify(NoAnswer(may_have_left=True)).klass is ErrorClass.AMBIGUOUS


def test_sign_in_goes_to_slack_with_no_secret_in_the_address():
    """The browser sees the app's id and our state, and nothing that must stay with us."""
    assert CONNECTOR.oauth is not None
    app = OAuthApp(client_id="1.2", client_secret="kept", redirect_uri="https://hub.example.com/connect/slack/callback")
    url = CONNECTOR.oauth.authorize_url(app, "state-1", "challenge", {})
    assert url.startswith("https://slack.com/oauth/v2/authorize?client_id=1.2&scope=chat%3Awrite%2C")
    assert "kept" not in url
    assert "channels%3Aread" not in url
    assert "channels%3Aread" in CONNECTOR.oauth.authorize_url(app, "state-1", "challenge", {"bring_in_history": "true"})


# ── whatever comes ──────────────────────────────────────────────────────────────────────────────────────────────────


_ODD: list[Any] = [
    None,
    7,
    -1,
    "",
    "x",
    "\x00",
    "9" * 400,
    [],
    {},
    [None],
    {"ts": 1},
    True,
    "1.5",
    "<" * 3000,
    "*" * 3000,
]


def test_spoilt_events_end_in_our_two_errors_only():
    """Each field of each fixture replaced by odd things: read, malformed or unsupported, and never anything else."""
    chance = random.Random(11)
    bodies = [json.loads(one.request().body) for one in CASES.values() if one.name != "malformed.no_json"]
    for body in bodies:
        for _ in range(40):
            spoilt = json.loads(json.dumps(body))
            _spoil(spoilt, chance)
            raw = json.dumps(spoilt).encode()
            try:
                items = read(raw)
            except (MalformedPayload, UnsupportedPayload):
                continue
            for item in items:
                msgspec.json.encode(item).decode()
                assert item.occurred_at.tzinfo is not None
                assert "\x00" not in item.text + item.thread_key + (item.external_id or "")


def _spoil(value: Any, chance: random.Random) -> None:
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = chance.choice(keys)
        if isinstance(place[key], (dict, list)) and place[key] and chance.random() < 0.8:
            place = place[key]
            continue
        place[key] = chance.choice(_ODD)
        return


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff", b'{"type":"event_callback"}', b"[" * 100_000])
def test_what_is_no_event_is_malformed(body):
    """No depth, no charset and no shape of JSON is an error of ours."""
    with pytest.raises(MalformedPayload):
        read(body)
