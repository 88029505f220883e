"""One request to a vendor: every way it can fail, in our words."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest

from connectors.http import ANSWER_LIMIT_BYTES, Answer, Request, ask, read_retry_after, refusal
from hub.errors import ConnectorError, ErrorClass
from scripts.connector_kit.vendor import StubVendor

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def request(url: str, **fields) -> Request:
    return Request(vendor="Pigeon", url=url, **fields)


async def test_ask_gives_the_answer_and_sends_what_it_was_given():
    """Method, headers and body reach the vendor; its answer comes back whole."""
    with StubVendor(201, b'{"id": 7}', {"x-part": "1"}) as vendor:
        answer = await ask(request(f"{vendor.base_url}/v1?a=b", headers={"x-token": "t"}, body=b"hello"))
    (asked,) = vendor.asked
    assert (answer.status, answer.body, answer.headers["x-part"]) == (201, b'{"id": 7}', "1")
    assert (asked.method, asked.path, asked.body, asked.headers["x-token"]) == ("POST", "/v1?a=b", b"hello", "t")


@pytest.mark.parametrize(
    ("status", "headers", "klass", "retry_after_s"),
    [
        (401, {}, ErrorClass.AUTH, None),
        (403, {}, ErrorClass.PERMISSION, None),
        (429, {"retry-after": "7"}, ErrorClass.RATE_LIMITED, 7.0),
        (429, {}, ErrorClass.RATE_LIMITED, None),
        (503, {"retry-after": "30"}, ErrorClass.RETRYABLE, 30.0),
        (503, {}, ErrorClass.AMBIGUOUS, None),
        (500, {}, ErrorClass.AMBIGUOUS, None),
        (408, {}, ErrorClass.AMBIGUOUS, None),
        (422, {}, ErrorClass.PERMANENT, None),
        (302, {"location": "https://elsewhere.example"}, ErrorClass.PERMANENT, None),
    ],
)
async def test_ask_classes_a_refusal_by_its_status(status, headers, klass, retry_after_s):
    """What may have happened halfway is ambiguous; redirects, with our keys in them, are not followed."""
    with StubVendor(status, b"token 0000", headers) as vendor, pytest.raises(ConnectorError) as refused:
        await ask(request(vendor.base_url))
    info = refused.value.info
    assert (info.klass, info.retry_after_s, info.code) == (klass, retry_after_s, str(status))
    assert "Pigeon" in info.message
    assert "0000" not in info.message


async def test_ask_without_a_listener_is_retryable():
    """Nothing left this machine: it may be sent again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectorError) as refused:
            await ask(request(f"http://127.0.0.1:{unused.getsockname()[1]}"))
    assert refused.value.info.klass is ErrorClass.RETRYABLE


async def test_ask_without_an_answer_is_ambiguous():
    """A vendor that takes the request and says nothing may have acted on it."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(ConnectorError) as refused:
            await ask(request(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2))
    assert (refused.value.info.klass, refused.value.info.code) == (ErrorClass.AMBIGUOUS, "no_answer")


async def test_ask_stops_reading_an_endless_answer():
    """A vendor's answer cannot fill our memory."""
    with StubVendor(200, b"x" * (ANSWER_LIMIT_BYTES + 1)) as vendor, pytest.raises(ConnectorError) as refused:
        await ask(request(vendor.base_url))
    assert (refused.value.info.klass, refused.value.info.code) == (ErrorClass.AMBIGUOUS, "too_large")


async def test_ask_leaves_the_proxy_of_the_environment_out_on_loopback(monkeypatch):
    """An emulator on this machine is reached whatever proxy the machine has."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with StubVendor(200) as vendor:
        assert (await ask(request(vendor.base_url))).status == 200


def test_refusal_keeps_the_vendors_longest_wait():
    """A wait of weeks is cut to a day, a date in the past to nothing."""
    assert refusal(Answer(429, {"retry-after": "99999999"}, b""), "Pigeon").retry_after_s == 86_400.0
    assert read_retry_after("Sun, 22 Nov 2026 12:00:07 GMT", NOW) == 7.0
    assert read_retry_after("Sun, 22 Nov 2020 12:00:00 GMT", NOW) == 0.0
    assert read_retry_after("soon", NOW) is None
