"""What every channel must keep, over the registry and each channel's ``fixtures`` (``scripts/connector_kit/cases.py``)."""

from __future__ import annotations

import ast
import re
import socket
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.profiles import LIMIT
from connectors.registry import ConnectorRegistry
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ErrorClass, SignatureRejected
from scripts.connector_kit.cases import Case, cases_of, read_account, recipient_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connectors.base import Account, WebhookRequest

FOLDER = Path(__file__).parents[2] / "connectors"
REGISTRY = ConnectorRegistry.load()
CHANNELS = [manifest.id for manifest in REGISTRY.manifests()]
WEBHOOK_CHANNELS = [channel for channel in CHANNELS if REGISTRY.get(channel).split is not None]
PURE = {"verify", "parse", "render", "form", "numbers", "segments", "errors", "site"}
IO_MODULES = {"asyncio", "socket", "ssl", "time", "requests", "httpx", "redis", "asyncpg", "random", "os", "threading"}

CASES_BY_CHANNEL = {channel: cases_of(REGISTRY.get(channel), FOLDER / channel) for channel in CHANNELS}
CASES = [case for cases in CASES_BY_CHANNEL.values() for case in cases]
CALLS = [case for case in CASES if case.connector.verify is not None and case.is_call]


def label(case: Case) -> str:
    return f"{case.connector.manifest.id}-{case.name}"


def test_there_are_channels_and_cases():
    """An empty registry or a moved folder must not make this suite green."""
    assert "twilio_sms" in CHANNELS
    assert len(CASES) >= 20


@pytest.mark.parametrize("case", CASES, ids=label)
def test_fixture_is_read_as_expected(case):
    """Each call becomes exactly the items of its fixture."""
    assert case.read() == case.expected()


@pytest.mark.parametrize("case", CASES, ids=label)
def test_reading_is_deterministic_and_without_io(case, monkeypatch):
    """The same bytes give the same items, and no socket is opened to read them."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("parse opened a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    assert case.read() == case.read()


@pytest.mark.parametrize("case", CASES, ids=label)
def test_keys_are_short_and_unique(case):
    """A dedupe key has 1-300 characters, and no two items of a call share one."""
    keys = [raw.key for raw in case.raw_items()]
    assert all(1 <= len(key) <= 300 for key in keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("case", CALLS, ids=label)
def test_verify_accepts_the_fixture(case):
    """A call signed by the vendor passes, and is no handshake."""
    assert case.connector.verify is not None
    assert case.connector.verify(case.request(), case.account()) is None


def spoilt(case: Case) -> Iterator[tuple[WebhookRequest, Account]]:
    """Give calls and accounts that differ from the recorded ones in one place that its channel's proof covers."""
    request, account, replace = case.request(), case.account(), msgspec.structs.replace
    match case.connector.manifest.proof:
        case "signature":
            for position in range(0, len(request.body), 7):
                changed = bytearray(request.body)
                changed[position] ^= 1
                yield replace(request, body=bytes(changed)), account
            yield replace(request, headers={"content-type": request.headers["content-type"]}), account
            yield request, replace(account, credentials=dict.fromkeys(account.credentials, "f" * 32))
        case "token":
            token = request.headers["authorization"]
            # The last character of a signature in Base64 carries bits that nobody reads.
            for position in range(0, len(token) - 1, 7):
                other = "A" if token[position] != "A" else "B"
                header = f"{token[:position]}{other}{token[position + 1 :]}"
                yield replace(request, headers={**request.headers, "authorization": header}), account
            yield replace(request, headers={"content-type": request.headers["content-type"]}), account
            yield request, replace(account, keys={})
            yield request, replace(account, credentials={}, settings={}, webhook_url="https://other.example/x")
        case "secret":
            other_secret = dict.fromkeys(account.credentials, "f" * 32)
            yield request, replace(account, credentials=other_secret, signing_key=b"f" * 32)
    yield request, replace(account, credentials={}, signing_key=b"", keys={})


@pytest.mark.parametrize("case", CALLS, ids=label)
def test_verify_rejects_whatever_the_vendor_did_not_say(case):
    """One byte changed that the proof covers, another key, or none at all: refused."""
    assert case.connector.verify is not None
    calls = list(spoilt(case))
    assert len(calls) >= 2
    for call, owner in calls:
        with pytest.raises(SignatureRejected):
            case.connector.verify(call, owner)


@pytest.mark.parametrize("channel", CHANNELS)
def test_questions_about_people_have_a_rate_of_their_own(channel):
    """A channel that is asked what people are called says how often; no other has such a limit."""
    connector = REGISTRY.get(channel)
    assert (connector.profile_of is not None) == (LIMIT in connector.manifest.limits)


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_event_has_a_fixture(channel):
    """What the manifest says the channel reads is shown by a fixture; one that reads nothing takes and asks nothing."""
    connector = REGISTRY.get(channel)
    shown = {case.event for case in CASES_BY_CHANNEL[channel]}
    assert set(connector.manifest.events) <= shown
    assert bool(connector.manifest.events) == (connector.split is not None or connector.poll is not None)


@pytest.mark.parametrize("channel", WEBHOOK_CHANNELS)
def test_unknown_and_malformed_calls_have_fixtures(channel):
    """Each channel shows what it does with what it does not know."""
    errors = {reading.error for case in CASES_BY_CHANNEL[channel] for reading in case.expected()}
    assert {"unsupported_payload", "malformed_payload"} <= errors


@pytest.mark.parametrize("channel", CHANNELS)
def test_manifest_is_complete(channel):
    """A manifest says where its facts are from, and its form can be filled in."""
    manifest = REGISTRY.get(channel).manifest
    assert manifest.id == channel
    assert manifest.name
    assert manifest.summary.endswith(".")
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", manifest.read_on)
    for field in (*manifest.credentials, *manifest.settings):
        re.compile(field.pattern)
        assert not field.default or re.fullmatch(field.pattern or ".*", field.default, re.DOTALL)
        assert (field.kind == "select") == bool(field.options)
    if manifest.transport == "webhook":
        assert manifest.docs_url.startswith("https://")
        assert manifest.setup_steps
        assert any(field.kind == "secret" for field in manifest.credentials)


@pytest.mark.parametrize("channel", CHANNELS)
def test_icon_is_a_drawing_without_a_script(channel):
    """The icon is well-formed SVG and carries no code."""
    root = ET.fromstring((FOLDER / channel / "icon.svg").read_text())
    assert root.tag.endswith("svg")
    for element in root.iter():
        assert not element.tag.endswith(("script", "foreignObject"))
        assert not [name for name in element.attrib if name.lower().startswith("on") or name.endswith("href")]


@pytest.mark.parametrize("channel", CHANNELS)
def test_channel_has_a_readme(channel):
    """Each folder explains its quirks and limits."""
    assert len((FOLDER / channel / "README.md").read_text()) > 400


@pytest.mark.parametrize("channel", CHANNELS)
def test_pure_modules_import_no_io(channel):
    """verify, parse and render cannot reach the network, the clock or chance."""
    for path in (FOLDER / channel).glob("*.py"):
        if path.stem not in PURE:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.partition(".")[0] for name in names} & IO_MODULES, path.name


@pytest.mark.parametrize("channel", WEBHOOK_CHANNELS)
@given(text=st.text(min_size=0, max_size=2000))
@settings(max_examples=60, deadline=None)
def test_render_is_total(channel, text):
    """Any text is either rendered, the same way twice, or refused as content; one above the limit always is."""
    connector = REGISTRY.get(channel)
    account, to = read_account(FOLDER / channel / "fixtures"), recipient_of(CASES_BY_CHANNEL[channel])
    message = OutboundMessage(message_id="0190b0a0-1111-7000-8000-000000000001", to=to, thread_key=to.value, text=text)
    limit = connector.manifest.capabilities.text_limit
    if not text.strip() or len(text) > limit:
        with pytest.raises(ConnectorError) as caught:
            connector.render(message, account)
        assert caught.value.info.klass is ErrorClass.CONTENT
    else:
        calls = connector.render(message, account)
        assert calls == connector.render(message, account)
        assert all(charge.cost > 0 for charge in connector.charges(account, message))


@pytest.mark.parametrize("channel", CHANNELS)
def test_classify_knows_no_good_news_in_a_surprise(channel):
    """An error nobody foresaw may have been sent: never classed as safe to repeat, and its text is not shown."""
    info = REGISTRY.get(channel).classify(RuntimeError("token 0000 of +15551230001"))
    assert info.klass not in (ErrorClass.RETRYABLE, ErrorClass.RATE_LIMITED)
    assert "0000" not in info.message
    assert "+1555" not in info.message
