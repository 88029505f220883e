"""Frames and the session's phases."""

import json
from uuid import UUID, uuid4

import pytest

from hub.errors import HubError, InvalidInput, TooManyRequests
from hub.realtime import protocol
from hub.realtime.protocol import CloseCode, Cursor, Hello, Ping, ProtocolViolation, Send, decode
from hub.realtime.session import BURST, DEBT_LIMIT, NotReady, Phase, Session
from tests.realtime_fakes import parse_frames

HELLO = b'{"type":"hello","protocol":1,"ticket":"x"}'


def test_decode_reads_every_client_frame_of_the_page():
    """Each frame of docs/protocol.md section 3 is read, unknown fields included."""
    one = str(uuid4())
    frames = [
        {"type": "hello", "protocol": 1, "ticket": "t", "cursor": {"epoch": 1, "seq": 41}, "client": "x/1"},
        {
            "type": "send",
            "client_message_id": one,
            "conversation_id": one,
            "kind": "note",
            "text": "a",
            "attachments": [],
            "seen_seq": 4,
        },
        {"type": "read", "conversation_id": one, "seq": 3},
        {"type": "typing", "conversation_id": one, "on": True, "kind": "message"},
        {"type": "viewing", "conversation_id": None},
        {"type": "ping", "cursor": 7, "invented": [1]},
    ]
    read = [decode(json.dumps(frame).encode()) for frame in frames]
    assert read[0] == Hello(1, ticket="t", cursor=Cursor(1, 41), client="x/1")
    assert isinstance(read[1], Send)
    assert read[1].seen_seq == 4
    assert read[5] == Ping(7)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'{"type":5}',
        b'{"type":""}',
        b"\xff\xfe",
        b'{"type":"hello","protocol":"1"}',
        b'{"type":"hello"}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"type":"ping","more":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"type":"ping","cursor":-1',
        b'{"type":"ping","cursor":-1,"more":\xff}',
        b'{"type":"ping","cursor":-1,"more":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b'{"type":"hello","protocol":1,"workspace_id":9223372036854775808}',
        b'{"type":"hello","protocol":1,"ticket":"\\u0000"}',
    ],
)
def test_decode_refuses_what_is_no_frame_with_4500(text):
    """What is not an object with a type, or a broken hello, ends the connection."""
    with pytest.raises(ProtocolViolation) as refused:
        decode(text)
    assert refused.value.close_code == CloseCode.MALFORMED


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"type":"dance"}', "type"),
        ('{"type":"send","client_message_id":"5f0c0000-0000-4000-8000-000000000001"}', "text"),
        ('{"type":"send","client_message_id":"no","text":"x"}', "client_message_id"),
        ('{"type":"send","client_message_id":"5f0c0000-0000-4000-8000-000000000001","text":""}', "text"),
        ('{"type":"ping","cursor":-1}', "cursor"),
        ('{"type":"read","seq":1.5}', "seq"),
        ('{"type":"send","client_message_id":"5f0c0000-0000-4000-8000-000000000001","text":"a\\u0000"}', "text"),
        (
            '{"type":"send","client_message_id":"5f0c0000-0000-4000-8000-000000000001","text":"a",'
            '"addressing":{"to":[{"address":"a@b.example","name":"\\u0000"}]}}',
            "addressing",
        ),
    ],
)
def test_decode_names_the_wrong_field(text, field):
    """A wrong field is refused by name and the connection stays."""
    with pytest.raises(InvalidInput) as refused:
        decode(text.encode())
    assert refused.value.field == field


def test_decode_takes_an_escaped_backslash_for_what_it_is():
    """The text ``\\u0000`` in six characters holds no NUL."""
    text = json.dumps({"type": "send", "client_message_id": str(uuid4()), "text": "\\u0000"}).encode()
    assert decode(text).text == "\\u0000"


def test_client_message_id_is_found_in_a_refused_send():
    """The error can name the message it is about, even where another field is wrong."""
    wanted = uuid4()
    assert (
        protocol.client_message_id_of(json.dumps({"type": "send", "client_message_id": str(wanted)}).encode()) == wanted
    )
    assert protocol.client_message_id_of(b'{"client_message_id":7}') is None
    assert protocol.client_message_id_of(b"\xff") is None
    assert protocol.client_message_id_of(b"[" * 60_000) is None
    assert protocol.client_message_id_of(b'{"client_message_id":' + b"[" * 60_000) is None


@pytest.mark.parametrize("size", [1, 125, 126, 65_535, 65_536, 200_000])
def test_text_frame_has_the_header_of_its_length(size):
    """Frames of every length class are read back by a strict parser."""
    payload = json.dumps("x" * size).encode()[: size + 2]
    assert parse_frames(protocol.text_frame(payload) * 2) == ["x" * size] * 2


def test_event_frame_splices_the_stored_object():
    """An event's JSON goes out byte for byte."""
    data = '{"type":"note_added","text":"\u202eü"}'.encode()
    assert parse_frames(protocol.encode_event(9, 7, data)) == [
        {"type": "event", "seq": 9, "prev": 7, "event": json.loads(data)}
    ]


def test_session_takes_nothing_before_hello():
    """Any other first frame, a wrong version or two credentials end the connection with 4500."""
    for text in (
        b'{"type":"ping"}',
        b'{"type":"dance"}',
        b'{"type":"hello","protocol":2}',
        b'{"type":"hello","protocol":1,"ticket":"a","bearer":"b"}',
    ):
        with pytest.raises(ProtocolViolation) as refused:
            Session().receive(text, 0)
        assert refused.value.close_code == CloseCode.MALFORMED


def test_session_refuses_sends_until_welcome_but_answers_pings():
    """While hello is answered, a send is told to wait; it is not queued."""
    session = Session()
    session.receive(HELLO, 0)
    assert session.phase is Phase.OPENING
    with pytest.raises(NotReady):
        session.receive(b'{"type":"viewing","conversation_id":null}', 0)
    assert isinstance(session.receive(b'{"type":"ping"}', 0), Ping)


def test_session_hello_again_goes_back_to_opening():
    """Resume in place needs only protocol and cursor."""
    session = Session()
    session.receive(HELLO, 0)
    session.phase = Phase.LIVE
    hello = session.receive(b'{"type":"hello","protocol":1,"cursor":{"epoch":1,"seq":5}}', 0)
    assert isinstance(hello, Hello)
    assert session.phase is Phase.OPENING


def test_session_limits_messages_to_20_a_second_with_bursts_of_40():
    """The 41st of a burst is refused, a second later 20 more pass, and who goes on is closed with 4003."""
    session = Session()
    session.receive(HELLO, 0)
    for _ in range(int(BURST) - 1):
        session.receive(b'{"type":"ping"}', 0)
    with pytest.raises(TooManyRequests) as refused:
        session.receive(b'{"type":"ping"}', 0)
    assert refused.value.retry_after_s is not None
    passed = 0
    for _ in range(20):
        try:
            session.receive(b'{"type":"ping"}', 1.05)
            passed += 1
        except TooManyRequests:
            pass
    assert passed == 20
    for _ in range(int(DEBT_LIMIT) - 1):
        with pytest.raises(TooManyRequests):
            session.receive(b'{"type":"ping"}', 1.05)
    with pytest.raises(ProtocolViolation) as closed:
        session.receive(b'{"type":"ping"}', 1.0)
    assert closed.value.close_code == CloseCode.TOO_MANY


@pytest.mark.parametrize(
    ("cursor", "expected"),
    [
        (None, False),
        (Cursor(2, 50), False),
        (Cursor(1, 101), False),
        (Cursor(1, 89), False),
        (Cursor(1, 90), True),
        (Cursor(1, 100), True),
    ],
)
def test_session_is_resumable_only_within_the_window(cursor, expected):
    """No cursor, another epoch, beyond the head or too far behind: a snapshot is needed."""
    assert Session().is_resumable(cursor, epoch=1, head=100, limit=10) is expected


def test_session_voids_cursors_of_before_a_change_of_rights():
    """After gap{rights} only a cursor of a newer snapshot resumes."""
    session = Session()
    session.phase = Phase.LIVE
    assert session.lose("rights", 40) == protocol.Gap("rights")
    assert not session.is_resumable(Cursor(1, 39), 1, 60, 1000)
    assert session.is_resumable(Cursor(1, 40), 1, 60, 1000)


def test_session_says_one_gap_until_the_next_hello():
    """A client that was told to say hello is not told again."""
    session = Session()
    session.phase = Phase.LIVE
    assert session.lose("slow", 1) is not None
    assert session.lose("lost", 2) is None
    session.receive(HELLO, 0)
    assert session.lose("lost", 3) is not None


def test_refusal_carries_what_the_client_needs():
    """An error frame names code, field, wait and message."""
    one = UUID(int=5)
    frame = protocol.refusal(InvalidInput("text", "Too long."), one)
    assert (frame.code, frame.field, frame.client_message_id) == ("invalid_input", "text", one)
    assert protocol.refusal(HubError("x")).code == "internal"
