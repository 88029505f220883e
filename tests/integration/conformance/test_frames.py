"""Frames no client should send, and odd ones it may: RFC 6455 section 5, over each socket path."""

from __future__ import annotations

import json
import socket
import struct

import pytest

from tests.integration.conformance.peer import (
    BINARY,
    CLOSE,
    CONT,
    HELLO,
    PING,
    PONG,
    TEXT,
    close,
    frame,
    said,
)

LIMIT = 64 * 1024

# Named with the case of Autobahn|Testsuite's list that asks the same, where there is one.
VIOLATIONS = {
    "unmasked text": frame(TEXT, HELLO, mask=None),
    "unmasked empty text": frame(TEXT, mask=None),
    "unmasked ping": frame(PING, b"p", mask=None),
    "unmasked close": close(1000, mask=None),
    "unmasked behind masked": frame(PING, b"p") + frame(PING, b"q", mask=None),
    **{f"reserved bits {bits} on text (3.1-3.7)": frame(TEXT, HELLO, rsv=bits) for bits in range(1, 8)},
    "reserved bit on a ping": frame(PING, rsv=1),
    "reserved bit on a close": close(1000, rsv=2),
    "reserved bit on a continuation": frame(TEXT, b"{", fin=False) + frame(CONT, b"}", rsv=4),
    **{f"opcode {opcode} (4.1, 4.2)": frame(opcode, b"x") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "empty frame of opcode 11": frame(11),
    "ping of 126 bytes (2.5)": frame(PING, b"p" * 126),
    "pong of 126 bytes": frame(PONG, b"p" * 126),
    "close of 126 bytes (7.3.6)": close(1000, b"r" * 124),
    "fragmented ping (5.1)": frame(PING, b"p", fin=False) + frame(CONT, b"q"),
    "fragmented pong (5.2)": frame(PONG, b"p", fin=False) + frame(CONT, b"q"),
    "fragmented close": close(1000, fin=False) + frame(CONT),
    "continuation of nothing (5.9)": frame(CONT, HELLO),
    "unfinished continuation of nothing (5.10)": frame(CONT, HELLO, fin=False) + frame(CONT),
    "continuation after the last one": frame(TEXT, HELLO, fin=False) + frame(CONT) + frame(CONT),
    "text amid a text (5.18)": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
    "text amid a binary": frame(BINARY, b"{", fin=False) + frame(TEXT, b"}"),
    "binary amid a text": frame(TEXT, b"{", fin=False) + frame(BINARY, b"}"),
    "close of one byte (7.3.2)": frame(CLOSE, b"\x03"),
    **{
        f"close code {code} (7.9)": close(code)
        for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
}

NOT_UTF8 = {
    "no UTF-8 at all": b"\xff\xfe",
    "a lone continuation byte": b"a\x80b",
    "overlong two bytes": b"\xc0\xaf",
    "overlong three bytes": b"\xe0\x80\xaf",
    "overlong four bytes": b"\xf0\x80\x80\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "behind U+10FFFF": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "cut at the end": b"caf\xc3",
    "Latin-1": "déjà".encode("latin-1"),
    "UTF-16": "ping".encode("utf-16"),
}

TOO_LARGE = {
    "one byte over": frame(TEXT, b"x" * (LIMIT + 1)),
    "its header alone": frame(TEXT, length=LIMIT + 1),
    "2^31": frame(TEXT, length=2**31),
    "2^62": frame(TEXT, length=2**62),
    "2^63": frame(TEXT, length=2**63),
    "2^64 - 1": frame(TEXT, length=2**64 - 1),
    "a binary of 2^40": frame(BINARY, length=2**40),
    "a ping of 70,000": frame(PING, length=70_000),
    "fragments that sum up": frame(TEXT, b"x" * LIMIT, fin=False) + frame(CONT, b"x"),
    "a fragment announced too large": frame(TEXT, b"x", fin=False) + frame(CONT, length=LIMIT),
}


@pytest.mark.parametrize("data", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_violation_is_closed_with_1002(hosted, data):
    """Also after hello; the peer sees the code, and the end of the stream, without having closed itself."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(data)
        outcome = peer.outcome(answers=False)
    assert (outcome.code, outcome.is_reset) == (1002, False)
    assert outcome.texts == []


@pytest.mark.parametrize("text", NOT_UTF8.values(), ids=NOT_UTF8)
@pytest.mark.parametrize("fragments", [1, 2, 3])
def test_text_that_is_not_utf8_is_closed_with_1007(hosted, text, fragments):
    """Whole, and cut within the bad character (6.3, 6.4 and the like)."""
    sent = json.dumps("ok").encode() + text
    cut = len(sent) - 1
    data = {
        1: frame(TEXT, sent),
        2: frame(TEXT, sent[:cut], fin=False) + frame(CONT, sent[cut:]),
        3: frame(TEXT, fin=False) + frame(CONT, sent[:cut], fin=False) + frame(PING) + frame(CONT, sent[cut:]),
    }[fragments]
    with hosted.peer() as peer:
        peer.open()
        peer.send(data)
        outcome = peer.outcome()
    assert (outcome.code, outcome.texts, outcome.is_reset) == (1007, [], False)


def test_a_close_whose_reason_is_not_utf8_is_closed_with_1007(hosted):
    """Case 7.5.1."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(close(1000, b"caf\xe9"))
        assert peer.outcome().code == 1007


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_message_over_the_limit_is_closed_with_1009(hosted, data):
    """As soon as its length is known: nobody waits for the rest, nothing is kept for it."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(data)
        outcome = peer.outcome()
    assert (outcome.code, outcome.texts, outcome.is_reset) == (1009, [], False)


@pytest.mark.parametrize(
    "data",
    [frame(BINARY), frame(BINARY, HELLO), frame(BINARY, b"x", fin=False) + frame(PING) + frame(CONT, b"y")],
    ids=["empty", "hello as binary", "in fragments"],
)
@pytest.mark.parametrize("is_welcomed", [False, True])
def test_binary_is_closed_with_1003(hosted, data, is_welcomed):
    """Before hello as well as after it."""
    with hosted.peer() as peer:
        if is_welcomed:
            peer.open()
        else:
            peer.upgrade()
        peer.send(data)
        assert peer.outcome().code == 1003


@pytest.mark.parametrize(
    "payload",
    [b"", *(struct.pack("!H", code) for code in (1000, 1001, 1003, 1007, 1011, 1012, 3000, 3999, 4000, 4999)),
     struct.pack("!H", 1000) + ("r" * 121 + "é").encode()],
)  # fmt: skip
def test_a_close_is_answered_with_the_same(hosted, payload):
    """Code and reason come back; then the stream ends (7.1, 7.7)."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(frame(CLOSE, payload))
        outcome = peer.outcome()
    assert (outcome.closes, outcome.is_reset) == ([payload], False)


def test_what_follows_a_close_is_ignored(hosted):
    """Neither answered nor counted: messages, pings, violations, another close (7.1.2 to 7.1.6)."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(
            close(1000), frame(PING, b"late"), frame(TEXT, said("ping", cursor=0)), frame(5), close(1001), b"\0" * 9000
        )
        outcome = peer.outcome()
    assert (outcome.code, outcome.pongs, outcome.texts) == (1000, [], [])


def test_what_follows_a_violation_is_ignored(hosted):
    """The first one decides; the stream still ends in order, so that the code arrives."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(frame(CONT), frame(TEXT, b"\xff"), frame(BINARY), b"\xff" * 200_000)
        outcome = peer.outcome()
    assert (outcome.code, outcome.is_reset) == (1002, False)


def test_a_close_amid_ones_own_message_is_answered(hosted):
    """Case 7.1.5: control frames may come between fragments, and this is one."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(frame(TEXT, b'{"type"', fin=False), close(1000), frame(CONT, b"}"))
        outcome = peer.outcome()
    assert (outcome.code, outcome.texts) == (1000, [])


FRAGMENTED = {
    "pings and pongs between": [
        frame(TEXT, HELLO[:9], fin=False), frame(PING, b"1"), frame(PONG, b"2"), frame(CONT, HELLO[9:20], fin=False),
        frame(PING, b"3"), frame(CONT, HELLO[20:]),
    ],
    "empty ones": [
        frame(TEXT, fin=False), *[frame(CONT, fin=False)] * 50, frame(CONT, HELLO, fin=False), frame(CONT),
    ],
    "byte by byte": [
        frame(TEXT, HELLO[:1], fin=False), *(frame(CONT, bytes([one]), fin=False) for one in HELLO[1:]), frame(CONT),
    ],
    "another mask each": [
        frame(TEXT, HELLO[:5], fin=False, mask=b"\0\0\0\0"), frame(CONT, HELLO[5:], mask=b"\xff\x00\xff\x00"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("frames", FRAGMENTED.values(), ids=FRAGMENTED)
def test_a_message_in_fragments_is_one(hosted, frames):
    """However it is cut, with control frames between, whose answers do not wait for its end."""
    with hosted.peer() as peer:
        peer.upgrade()
        peer.send(*frames[:-1])
        pings = sum(one[0] == 0x80 | PING for one in frames)
        pongs = [peer.next() for _ in range(pings)]
        assert pongs == [(PONG, b"1"), (PONG, b"3")][:pings]
        peer.send(frames[-1])
        assert peer.expect("welcome")["recovered"] is True


def test_a_character_cut_by_fragments_is_one(hosted):
    """UTF-8 is judged when the message is whole."""
    text = json.dumps({"type": "dance", "with": "🕺 déjà"}, ensure_ascii=False).encode()
    with hosted.peer() as peer:
        peer.open()
        for cut in range(text.index(b"\xf0"), len(text)):
            peer.send(frame(TEXT, text[:cut], fin=False), frame(CONT, text[cut:]))
            assert peer.expect("error")["field"] == "type"


def test_ten_thousand_fragments_are_one_message(hosted):
    """Of one byte each, in one go; they count as the one message they are."""
    text = said("dance", pad="x" * 9_950)
    with hosted.peer() as peer:
        peer.open()
        middle = b"".join(frame(CONT, text[at : at + 1], fin=False) for at in range(1, len(text)))
        peer.send(frame(TEXT, text[:1], fin=False), middle, frame(CONT))
        assert peer.expect("error")["field"] == "type"


@pytest.mark.parametrize("is_welcomed", [False, True])
def test_pings_are_answered_with_what_they_hold(hosted, is_welcomed):
    """Empty, with 125 bytes of anything, ten at once (2.1 to 2.4, 2.10); unasked pongs are not (2.7)."""
    payloads = [b"", b"\x00\xff\xfe", bytes(range(125)), *(b"%d" % at for at in range(10))]
    with hosted.peer() as peer:
        if is_welcomed:
            peer.open()
        else:
            peer.upgrade()
        peer.send(frame(PONG, b"unasked"), *(frame(PING, one) for one in payloads))
        assert [peer.next() for _ in payloads] == [(PONG, one) for one in payloads]


@pytest.mark.parametrize("unfinished", [b"", b"\x81", frame(TEXT, HELLO)[:-1], frame(TEXT, b"{", fin=False)])
def test_a_peer_that_ends_its_side_is_let_go(hosted, unfinished):
    """Half a frame or message, then the end of the stream: no close frame is owed, the connection is."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(unfinished)
        peer.end_sending()
        outcome = peer.outcome()
    assert (outcome.closes, outcome.texts) == ([], [])


def test_a_peer_that_resets_is_let_go(hosted):
    """Amid a message, with an answer under way."""
    with hosted.peer() as peer:
        peer.open()
        peer.send(frame(TEXT, said("ping", cursor=0)), frame(TEXT, b"{", fin=False))
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


STRANGE_JSON = {
    "nothing": b"",
    "no JSON": b"hello",
    "JSON, then more": HELLO + b" {}",
    "a list": b"[]",
    "null": b"null",
    "NaN": b"NaN",
    "deep lists": b'{"type":"ping","cursor":0,"more":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "deep objects, never closed": b'{"a":' * 10_000,
    "a long number": b'{"type":"ping","cursor":' + b"9" * 60_000 + b"}",
    "a byte order mark": b"\xef\xbb\xbf" + HELLO,
}


@pytest.mark.parametrize("text", STRANGE_JSON.values(), ids=STRANGE_JSON)
@pytest.mark.parametrize("is_welcomed", [False, True])
def test_strange_json_costs_only_who_sends_it(hosted, text, is_welcomed):
    """Closed with 4500 and a bye, or refused by an error frame; before hello always closed."""
    with hosted.peer() as peer:
        if is_welcomed:
            peer.open()
        else:
            peer.upgrade()
        peer.send(frame(TEXT, text))
        _, payload = peer.next()
        answer = json.loads(payload)
        if answer["type"] == "bye":
            assert (answer["code"], peer.outcome().code) == (4500, 4500)
        else:
            assert (is_welcomed, answer["type"], answer["code"]) == (True, "error", "invalid_input")
            peer.send(close(1000))
            assert peer.outcome().code == 1000


@pytest.mark.parametrize("type_", ["ping", "send", "read", "typing", "viewing", "dance"])
def test_nothing_comes_before_hello(hosted, type_):
    """4500, whatever it is."""
    with hosted.peer() as peer:
        peer.upgrade()
        peer.send(frame(TEXT, said(type_, cursor=0)))
        outcome = peer.outcome()
    assert (outcome.types, outcome.code) == (["bye"], 4500)


def test_hello_that_never_comes_is_closed_with_4503(hosted):
    """Pings are no hello."""
    with hosted.peer() as peer:
        peer.upgrade()
        hosted.advance(4)
        peer.send(frame(PING))
        assert peer.next() == (PONG, b"")
        hosted.advance(2)
        assert peer.outcome().code == 4503
