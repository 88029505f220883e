"""Random streams behind a good handshake, and any stream cut anywhere: never an error, always an end, always the same."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.conformance.hosted import eventually
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

# What the hub may say of itself at the end; None where the stream just ended.
CODES = {None, 1002, 1003, 1007, 1009, 4003, 4500, 4501}
FUZZ = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    # Each run is another walk; a failure prints what to repeat it with.
    print_blob=True,
    database=None,
)

MASKS = st.binary(min_size=4, max_size=4)
# Answered at once or not at all, so that a stream has one right outcome.
TEXTS = st.sampled_from(
    [said("ping", cursor=0), '{"type":"d🕺nce","on":"é"}'.encode(), said("ping", cursor=-1), said("read")]
)


@st.composite
def messages(draw, texts=TEXTS):
    """A text message in one to five fragments, with control frames between them."""
    text = draw(texts)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    edges = [0, *cuts, len(text)]
    data = b""
    for at, (start, end) in enumerate(itertools.pairwise(edges)):
        last = at == len(edges) - 2
        data += frame(TEXT if at == 0 else CONT, text[start:end], fin=last, mask=draw(MASKS))
        if not last:
            data += draw(st.just(b"") | controls())
    return data


@st.composite
def controls(draw):
    """A ping or an unasked pong."""
    return frame(draw(st.sampled_from([PING, PONG])), draw(st.binary(max_size=125)), mask=draw(MASKS))


@st.composite
def bad_frames(draw):
    """A frame that breaks a rule, or ends the connection, whatever came before it."""
    payload = draw(st.binary(max_size=20))
    return draw(
        st.sampled_from(
            [
                frame(TEXT, payload, mask=None),
                frame(PING, payload, rsv=draw(st.integers(1, 7))),
                frame(draw(st.sampled_from([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])), payload),
                frame(PONG, payload, fin=False),
                frame(CONT, payload),
                frame(CLOSE, payload[:1] or b"x"),
                close(draw(st.sampled_from([0, 1004, 1005, 1006, 1015, 2999, 5000]))),
                close(1000, b"\xff"),
                close(draw(st.sampled_from([1000, 1001, 3000, 4999]))),
                frame(TEXT, payload + b"\xff"),
                frame(TEXT, b'{"type":1}'),
                frame(TEXT, length=2**16 + 1),
                frame(BINARY, payload),
            ]
        )
    )


@dataclass(frozen=True)
class Stream:
    """What a client sends after hello; ``ends`` says whether its last frame ends the connection."""

    data: bytes
    ends: bool


@st.composite
def streams(draw):
    parts = draw(st.lists(messages() | controls(), max_size=6))
    last = draw(st.just(b"") | bad_frames())
    return Stream(b"".join(parts) + last, bool(last))


def play(hosted, data, cuts):
    """Open, send the data in pieces, let the hub answer, end the stream; returns what it said."""
    with hosted.peer() as peer:
        peer.open()
        peer.send_cut(data, cuts, hosted.settle)
        hosted.settle(30)
        peer.end_sending()
        return peer.outcome(answers=False)


@settings(FUZZ, max_examples=40)
@given(stream=streams(), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_a_stream_means_the_same_however_it_is_cut(hosted, stream, cuts):
    """In one piece, in some, byte by byte: the same answers, the same pongs, the same close frame."""
    whole = play(hosted, stream.data, [])
    for pieces in (cuts, range(len(stream.data)) if len(stream.data) < 400 else cuts):
        assert_same(stream, whole, play(hosted, stream.data, pieces))


@settings(FUZZ, max_examples=40)
@given(stream=streams(), cuts=st.lists(st.integers(0, 300), max_size=5))
def test_a_stream_means_the_same_on_both_paths(servers, stream, cuts):
    """The lane and the ordinary path answer alike, to the bytes of the close frame."""
    lane, ordinary = (play(servers[path], stream.data, cuts) for path in ("lane", "ordinary"))
    assert_same(stream, lane, ordinary)
    for server in servers.values():
        eventually(server.is_idle, "something is left")


def assert_same(stream, one, other):
    assert (one.code, one.closes, one.pongs) == (other.code, other.closes, other.pongs)
    if not stream.ends:
        assert one.texts == other.texts
        return
    # Who is sent away, or goes, in the same breath is not owed an answer to what they said before.
    fewer, more = sorted((said_before_bye(one), said_before_bye(other)), key=len)
    assert more[: len(fewer)] == fewer
    assert ("bye" in one.types) == ("bye" in other.types)


def said_before_bye(outcome):
    return [text for text in outcome.texts if text["type"] != "bye"]


@settings(FUZZ, max_examples=120)
@given(
    data=st.binary(max_size=400)
    | st.lists(st.binary(max_size=40) | messages(st.just(HELLO) | TEXTS) | bad_frames(), max_size=5).map(b"".join)
    | st.tuples(streams(), st.integers(0, 400), st.integers(0, 7)).map(lambda one: flip(one[0].data, one[1], one[2])),
    cuts=st.lists(st.integers(0, 400), max_size=3),
    is_welcomed=st.booleans(),
)
def test_any_bytes_end_in_order(hosted, data, cuts, is_welcomed):
    """Noise, frames among noise, a flipped bit: what the hub says is well-formed, and its code one of a few."""
    with hosted.peer() as peer:
        if is_welcomed:
            peer.open()
        else:
            peer.upgrade()
        peer.send_cut(data, cuts, hosted.settle)
        hosted.settle()
        peer.end_sending()
        outcome = peer.outcome(answers=False)
    assert outcome.code in CODES or (b"\x88" in data and outcome.closes)


def flip(data, at, bit):
    """Turn one bit over."""
    if not data:
        return data
    at %= len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]
