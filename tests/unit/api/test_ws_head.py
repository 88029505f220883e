"""Upgrade requests that are read as they arrive: what is taken, and that everything else is left to uvicorn."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.ws_head import read_head

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PLAIN = (
    b"GET /ws HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def with_(*lines):
    """The plain request with more header lines."""
    return PLAIN[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def test_a_plain_request_is_read_and_what_follows_is_left():
    """Its length says where frames begin."""
    head = read_head(b"/ws", PLAIN + b"\x81\x80abcd")
    assert head is not None
    assert (head.key, head.origin, head.cookies, head.user_agent, head.forwarded) == (KEY, None, [], "", "")
    assert head.size_bytes == len(PLAIN)


def test_what_the_hub_needs_is_read():
    """White space around values is no part of them; headers that may come twice are all kept, in order."""
    head = read_head(
        b"/ws",
        with_(
            b"ORIGIN: \t https://hub.example \t", b"Cookie: a=1", b"cookie: b=2", b"User-Agent: first", b"User-Agent: second",
            b"X-Forwarded-For: 1.2.3.4", b"X-Forwarded-For: 5.6.7.8",
        ),
    )  # fmt: skip
    assert head is not None
    assert head[1:5] == ("https://hub.example", ["a=1", "b=2"], "first", "1.2.3.4,5.6.7.8")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.replace(b"/ws", b"/ws?from=here"),
        PLAIN.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
        PLAIN.replace(b"websocket", b"WebSocket"),
        with_(b"Sec-WebSocket-Extensions: permessage-deflate", b"Sec-WebSocket-Protocol: chat"),
    ],
)
def test_what_browsers_send_is_taken(data):
    """Queries, several connection options, any case, offers that are declined by silence."""
    assert read_head(b"/ws", data) is not None


ODD = {
    "nothing": b"",
    "another path": PLAIN.replace(b"/ws", b"/wsx"),
    "a path below": PLAIN.replace(b"/ws", b"/ws/"),
    "POST": PLAIN.replace(b"GET", b"POST"),
    "HTTP/1.0": PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/2.0": PLAIN.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "no key": PLAIN.replace(b"Sec-WebSocket-Key", b"X-Key"),
    "a key of 15 bytes": PLAIN.replace(KEY.encode(), b"AQIDBAUGBwgJCgsMDQ4P"),
    "a key that is not base64": PLAIN.replace(KEY.encode(), b"!" * 24),
    "a key with a line's end in it": PLAIN.replace(KEY.encode(), b"dGhlIHNhbXBsZSBu\r\n b25jZQ=="),
    "two keys": with_(b"Sec-WebSocket-Key: " + KEY.encode()),
    "version 8": PLAIN.replace(b"Version: 13", b"Version: 8"),
    "versions in a list": PLAIN.replace(b"Version: 13", b"Version: 13, 8"),
    "two versions": with_(b"Sec-WebSocket-Version: 13"),
    "no Upgrade": PLAIN.replace(b"Upgrade: websocket", b"X: websocket"),
    "two Upgrades": with_(b"Upgrade: websocket"),
    "h2c": PLAIN.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    "Upgrade to one of two": PLAIN.replace(b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
    "no Connection": PLAIN.replace(b"Connection: Upgrade", b"X: Upgrade"),
    "Connection without the option": PLAIN.replace(b"Connection: Upgrade", b"Connection: upgraded"),
    "two Connections": with_(b"Connection: Upgrade"),
    "two Origins": with_(b"Origin: https://hub.example", b"Origin: https://evil.example"),
    "a length of 0": with_(b"Content-Length: 0"),
    "a length": with_(b"Content-Length: 5") + b"hello",
    "two lengths": with_(b"Content-Length: 0", b"Content-Length: 40"),
    "chunks": with_(b"Transfer-Encoding: chunked"),
    "a length and chunks": with_(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
    "chunks behind a blank": with_(b"Transfer-Encoding : chunked"),
    "Expect": with_(b"Expect: 100-continue"),
    "a folded line": with_(b"X: a\r\n b"),
    "a name with a blank": with_(b"X Y: a"),
    "a line without a colon": with_(b"X"),
    "a control character": with_(b"X: a\x00b"),
    "bare line ends": PLAIN.replace(b"\r\n", b"\n"),
    "a bare carriage return": with_(b"X: a\rOrigin: https://hub.example"),
    "a request before it": b"GET /ws HTTP/1.1\r\nHost: hub\r\n\r\n" + PLAIN,
    "an address with a host": PLAIN.replace(b"/ws", b"http://hub/ws"),
    "an empty line before it": b"\r\n" + PLAIN,
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_anything_odd_is_left_to_the_ordinary_path(data):
    """Nothing is refused here, and nothing is taken that two readers could read in two ways."""
    assert read_head(b"/ws", data) is None


@pytest.mark.parametrize("size_bytes", range(len(PLAIN)))
def test_an_unfinished_request_is_left_to_the_ordinary_path(size_bytes):
    """Wherever it is cut: uvicorn waits for the rest, and for how long."""
    assert read_head(b"/ws", PLAIN[:size_bytes]) is None


@given(st.binary(max_size=40), st.integers(0, len(PLAIN)))
def test_bytes_anywhere_never_raise(junk, at):
    """And whatever is taken has the key that was sent, or none was touched."""
    head = read_head(b"/ws", PLAIN[:at] + junk + PLAIN[at:])
    assert head is None or head.size_bytes <= len(PLAIN) + len(junk)
