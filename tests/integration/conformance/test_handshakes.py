"""Upgrade requests, good, odd and bad: RFC 6455 section 4, over each socket path."""

from __future__ import annotations

import contextlib
import itertools
import time

import pytest

from api.ws import SocketHttp
from tests.integration.conformance.hosted import Hosted, eventually, ping_is_answered
from tests.integration.conformance.peer import ACCEPT, HELLO, KEY, PING, PONG, TEXT, close, frame, request

REFUSED = {
    "no key": (request(without=("Sec-WebSocket-Key",)), 400),
    "an empty key": (request(Sec_WebSocket_Key=""), 400),
    "a key of 15 bytes": (request(Sec_WebSocket_Key="AQIDBAUGBwgJCgsMDQ4P"), 400),
    "a key that is not base64": (request(Sec_WebSocket_Key="!" * 24), 400),
    "two keys": (request(Sec_WebSocket_Key=[KEY, KEY]), 400),
    "no version": (request(without=("Sec-WebSocket-Version",)), 426),
    "version 8": (request(Sec_WebSocket_Version="8"), 426),
    "version 14": (request(Sec_WebSocket_Version="14"), 426),
    "version thirteen": (request(Sec_WebSocket_Version="thirteen"), 426),
    "versions in a list": (request(Sec_WebSocket_Version="13, 8"), 426),
    "two versions": (request(Sec_WebSocket_Version=["13", "8"]), 426),
    "POST": (request(method="POST"), 405),
    "HEAD": (request(method="HEAD"), 405),
    "HTTP/1.0": (request(version="HTTP/1.0"), 505),
    "another path": (request(path="/ws/"), 404),
    "an encoded path": (request(path="/%77s"), 404),
    "two Origins": (request(Origin=["https://hub.example", "https://hub.example"]), 403),
    "a body": (request(Content_Length="5") + b"hello", 400),
    "a body in chunks": (request(Transfer_Encoding="chunked") + b"5\r\nhello\r\n0\r\n\r\n", 400),
    "a head of 40 KB": (request(**{f"X_{at}": "y" * 4_000 for at in range(10)}), 431),
    "an extension that is no token": (request(Sec_WebSocket_Extensions="a;;b="), 101),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n\r\n", 400),
    "a header without a colon": (request().replace(b"Host: hub", b"Host hub"), 400),
    "a header with a control character": (request(User_Agent="a\x01b"), 400),
}
# Not what we call an upgrade: the HTTP application answers.
NOT_UPGRADES = {
    "no Upgrade": request(without=("Upgrade",)),
    "another token": request(Upgrade="websockets"),
    "h2c": request(Upgrade="h2c"),
    "no Connection": request(without=("Connection",)),
    "Connection without the token": request(Connection="keep-alive"),
}


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED)
def test_a_bad_handshake_is_refused_in_words(hosted, data, status):
    """By an HTTP answer with the right status, never by silence; 426 names the version we speak."""
    with hosted.peer() as peer:
        peer.send(data)
        got, headers, body = peer.response()
        assert got == status
        if status == 101:
            return
        assert "sec-websocket-accept" not in headers
        assert headers.get("sec-websocket-version") == ("13" if status == 426 else None)
        assert body or status == 431 or data.startswith(b"HEAD")
        peer.end_sending()
        assert peer.ends()


@pytest.mark.parametrize("data", NOT_UPGRADES.values(), ids=NOT_UPGRADES)
def test_what_is_no_upgrade_is_the_applications(hosted, data):
    """One ordinary answer, no socket; and nothing behind it is taken for frames."""
    with hosted.peer() as peer:
        peer.send(data)
        status, headers, body = peer.response()
        assert (status, body) == (200, b"ok")
        assert "sec-websocket-accept" not in headers
        assert hosted.connections == 1


ACCEPTED = {
    "as Firefox": request(Connection="keep-alive, Upgrade"),
    "in small letters": request().lower().replace(KEY.lower().encode(), KEY.encode()).replace(b"get /ws http", b"GET /ws HTTP"),
    "in capitals": request(Upgrade="WEBSOCKET", Connection="UPGRADE"),
    "without spaces": request().replace(b": ", b":"),
    "with tabs and spaces": request().replace(b": ", b": \t ").replace(b"\r\n", b"  \r\n").replace(b"HTTP/1.1  ", b"HTTP/1.1").replace(b"\r\n  \r\n", b"\r\n\r\n"),
    "with a query": request(path="/ws?from=here"),
    "with strange headers": request(Sec_WebSocket_Foo="bar", X="é", Cookie="a=b; ; =; hub_session"),
    "with Content-Length 0": request(Content_Length="0"),
    "with a header of 20 KB": request(Cookie="c" * 20_000),
    "with 300 headers": request(**{f"X_{at}": "y" for at in range(300)}),
    "with two Cookies": request(Cookie=["a=b", "c=d"]),
}  # fmt: skip


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED)
def test_an_odd_handshake_opens(hosted, data):
    """Names in any case, any white space around values, headers nobody knows."""
    with hosted.peer() as peer:
        peer.send(data, frame(TEXT, HELLO))
        status, headers, _ = peer.response()
        assert (status, headers["sec-websocket-accept"]) == (101, ACCEPT)
        peer.expect("welcome")


@pytest.mark.parametrize(
    "offer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10, permessage-deflate",
        "x-webkit-deflate-frame",
        "bbf-usp-protocol, mux; max-channels=4",
        ["permessage-deflate", "x-other"],
    ],
)
def test_extensions_are_declined_and_their_bit_is_a_violation(hosted, offer):
    """The connection works without; a compressed frame sent all the same is 1002."""
    with hosted.peer() as peer:
        assert "sec-websocket-extensions" not in peer.upgrade(Sec_WebSocket_Extensions=offer)
        peer.send(frame(TEXT, HELLO))
        peer.expect("welcome")
        assert ping_is_answered(peer)
        peer.send(frame(TEXT, b"\xaa\x56\x2a\xa9\x2c\x48\x55", rsv=4))
        assert peer.outcome().code == 1002


@pytest.mark.parametrize("offer", ["chat", "graphql-ws, mqtt", ["a", "b"]])
def test_subprotocols_are_not_agreed_to(hosted, offer):
    """The connection opens without one; a client that needs it closes by itself (RFC 6455 section 4.1)."""
    with hosted.peer() as peer:
        assert "sec-websocket-protocol" not in peer.upgrade(Sec_WebSocket_Protocol=offer)
        peer.send(frame(TEXT, HELLO))
        peer.expect("welcome")


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (frame(TEXT, HELLO) + close(1000), 1000),
        (frame(TEXT, b"{"), 4500),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, HELLO, mask=None), 1002),
        (b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n", 1002),
        (b"\0" * 100_000, 1002),
    ],
    ids=["hello and close", "no JSON", "no UTF-8", "unmasked", "HTTP", "zeroes"],
)
def test_bytes_behind_the_request_are_frames(hosted, behind, code):
    """None is lost, and they are judged like any other."""
    with hosted.peer() as peer:
        peer.upgrade(behind)
        assert peer.outcome().code == code


def test_bytes_behind_a_refused_request_are_nothing(hosted):
    """Neither frames nor a second request."""
    with hosted.peer() as peer:
        peer.send(request(Sec_WebSocket_Version="8"), frame(TEXT, HELLO), request(), frame(PING))
        assert peer.response()[0] == 426
        peer.end_sending()
        assert peer.ends()


def test_a_request_cut_anywhere_opens(hosted):
    """Also within the frame behind it."""
    data = request() + frame(TEXT, HELLO)
    for cuts in itertools.chain(([at] for at in range(1, len(data), 7)), [range(1, len(data))]):
        with hosted.peer() as peer:
            peer.send_cut(data, cuts, hosted.settle)
            assert peer.response()[0] == 101
            peer.expect("welcome")


def test_an_upgrade_follows_an_answered_request(hosted):
    """On one kept connection, as proxies do it."""
    with hosted.peer() as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        assert peer.response()[2] == b"ok"
        peer.open()
        assert ping_is_answered(peer)


def test_an_upgrade_behind_an_unanswered_request_never_mixes_with_its_answer(hosted):
    """The answer comes whole and first; then either the socket or the end."""
    with hosted.peer() as peer:
        peer.send(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n", request(), frame(PING, b"p"))
        status, _, body = peer.response()
        assert (status, body) == (200, b"ok")
        if not peer.ends():
            assert peer.response()[0] == 101
            assert peer.next() == (PONG, b"p")


def test_a_handshake_that_trickles_in_is_cut_off():
    """408, as any head; a socket that is through is not concerned."""

    class Impatient(SocketHttp):
        head_timeout_s = 0.2

    with Hosted("ordinary", http=Impatient) as made:
        with made.peer() as good, made.peer() as slow:
            good.open()
            slow.send(request()[:40])
            began_s = time.monotonic()
            assert slow.response()[0] == 408
            assert slow.ends()
            assert time.monotonic() - began_s < 2
            assert ping_is_answered(good)
        eventually(made.is_idle, "a connection is left")


def test_connections_over_the_limit_are_told_when_to_come_back(hosted):
    """503 with Retry-After; those that are open stay, and a place that becomes free is given."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(hosted.peer()) for _ in range(199)]
        for peer in peers:
            peer.upgrade()
        with hosted.peer() as late:
            late.send(request())
            status, headers, body = late.response()
            assert (status, bool(body)) == (503, True)
            assert 1 <= int(headers["retry-after"]) <= 21
        peers[0].socket.close()
        eventually(lambda: hosted.connections == 199, "the place is not free")
        with hosted.peer() as late:
            late.open()
