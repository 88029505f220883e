"""Messages of the fan-out benchmark: the same size for all, with their marks where the generator finds them."""

from __future__ import annotations

import json

import msgspec
import pytest

from scripts.benchmarks.fanout.messages import (
    MS_MARK,
    SEQ_MARK,
    TIME_MARK,
    Message,
    body,
    body_json,
    http_post,
    redis_publish,
)


@pytest.mark.parametrize("size_bytes", [120, 300, 4000])
def test_body_has_the_size_asked_for(size_bytes):
    """What the message costs on the wire is what the option says."""
    assert len(body_json(size_bytes)) == size_bytes
    assert len(json.dumps(body(size_bytes, time_as_text=True), separators=(",", ":"))) == size_bytes


def test_line_names_the_places_of_the_marks():
    """Replacing what the line points at changes the time and the numbers, and nothing else."""
    inner = msgspec.msgpack.encode({"seq": SEQ_MARK, "ms": MS_MARK, "data": body_json(200)})
    message = Message(redis_publish(b"hub:{3}", inner), first_seq=8)

    head, data = message.line().split(b"\n", 1)

    t_at, ms_at, seq_at, first_seq, size = map(int, head.split())
    assert (first_seq, size, data) == (8, len(message.data), message.data + b"\n")
    assert data[t_at:].startswith(TIME_MARK.encode())
    assert data[ms_at : ms_at + 8] == MS_MARK.to_bytes(8, "big")
    assert data[seq_at : seq_at + 8] == SEQ_MARK.to_bytes(8, "big")


def test_line_without_numbers_points_nowhere():
    """Bare JSON has a time and no more."""
    head = Message(http_post("/pub?room=1", body_json(150))).line().split(b"\n", 1)[0]

    assert head.split()[1:4] == [b"-1", b"-1", b"0"]


def test_line_refuses_a_message_whose_marks_are_lost():
    """A format that no longer carries the number as eight bytes is found before anything is measured."""
    inner = msgspec.json.encode({"seq": SEQ_MARK, "data": TIME_MARK})

    with pytest.raises(ValueError, match="marks"):
        Message(redis_publish(b"c", inner), first_seq=1).line()


def test_http_post_states_the_length_of_its_body():
    """nchan reads exactly the message."""
    head, payload = http_post("/pub?room=7", b"12345").split(b"\r\n\r\n")

    assert head.startswith(b"POST /pub?room=7 HTTP/1.1\r\n")
    assert b"Content-Length: 5" in head
    assert payload == b"12345"
