"""RFC 6455 over one wire for many sockets: bytes cut anywhere, rules broken, and when a wire is at rest."""

import pytest
from websockets.frames import Close, Frame, Opcode

from hub.realtime.protocol import FRAME_LIMIT_BYTES
from hub.realtime.wire import Binary, Wire, close_frame


def text(data=b'{"type":"ping"}', opcode=Opcode.TEXT, **fields):
    return Frame(opcode, data, **fields).serialize(mask=True)


def test_a_message_cut_into_single_bytes_is_one_message():
    """Not at rest from the first byte to the last."""
    wire, found = Wire(), []
    data = text(b"x" * 300)
    for at in range(len(data)):
        assert wire.is_at_rest() is (at == 0)
        found += wire.receive(data[at : at + 1])
    assert found == [b"x" * 300]
    assert wire.is_at_rest()
    assert wire.answers() == b""


def test_many_messages_in_one_packet_come_in_order():
    """A half one behind them stays until the rest comes."""
    wire = Wire()
    data = b"".join(text(b"%d" % number) for number in range(50))
    assert wire.receive(data + data[:3]) == [b"%d" % number for number in range(50)]
    assert not wire.is_at_rest()
    assert wire.receive(data[3:]) == [b"%d" % number for number in range(50)]
    assert wire.is_at_rest()


def test_only_a_header_leaves_the_wire_owned():
    """Its bytes are taken out of the buffer already: the next socket's would be read as this one's."""
    wire = Wire()
    wire.receive(text()[:2])
    assert not wire.is_at_rest()


def test_one_wire_serves_sockets_in_turn():
    """What one leaves at rest is as good as new."""
    wire = Wire()
    for number in range(5):
        assert wire.receive(text(b"%d" % number)) == [b"%d" % number]
        assert wire.is_at_rest()


def test_fragments_are_joined_with_a_ping_between_them():
    """The ping is answered at once; the message comes whole, even when its first fragment is empty."""
    wire = Wire()
    assert wire.receive(text(b"", fin=False)) == []
    assert not wire.is_at_rest()
    assert wire.receive(text(b"p", Opcode.PING)) == []
    assert wire.answers() == Frame(Opcode.PONG, b"p").serialize(mask=False)
    assert wire.receive(text("ä".encode()[:1], Opcode.CONT, fin=False)) == []
    assert wire.receive(text("ä".encode()[1:], Opcode.CONT)) == ["ä".encode()]
    assert wire.is_at_rest()


def test_a_close_is_answered_with_its_code():
    """Code and reason go back; nothing counts behind it."""
    wire = Wire()
    close = Close(4321, "bye").serialize()
    assert wire.receive(text() + text(close, Opcode.CLOSE) + text()) == [b'{"type":"ping"}']
    assert wire.close_code == 0
    assert wire.answers() == Frame(Opcode.CLOSE, close).serialize(mask=False)
    assert not wire.is_at_rest()


BIG = FRAME_LIMIT_BYTES + 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (text(b"\xff"), 1007),
        (text(b"ok", fin=False) + text(b"\xc3", Opcode.CONT), 1007),
        (text(b"x", Opcode.BINARY), 1003),
        (text(b"x", Opcode.BINARY, fin=False), 1002),  # the text behind it interrupts it
        (Frame(Opcode.TEXT, b"x").serialize(mask=False), 1002),
        (b"\xc1\x80\0\0\0\0", 1002),  # a reserved bit
        (b"\x83\x80\0\0\0\0", 1002),  # an opcode nobody knows
        (b"\x09\x80\0\0\0\0", 1002),  # a ping in fragments
        (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),  # a ping too long
        (text(b"x", Opcode.CONT), 1002),
        (text(b"x", fin=False) + text(b"y"), 1002),
        (text(b"\x03", Opcode.CLOSE), 1002),
        (text((1005).to_bytes(2, "big"), Opcode.CLOSE), 1002),
        (text((1000).to_bytes(2, "big") + b"\xff", Opcode.CLOSE), 1007),
        (b"\x81\xff" + BIG.to_bytes(8, "big"), 1009),
        (b"\x81\xff" + b"\x7f" + b"\xff" * 7, 1009),
        (text(b"x" * 40_000, fin=False) + text(b"x" * 40_000, Opcode.CONT, fin=False), 1009),
    ],
)
def test_a_broken_rule_is_closed_by_its_code(data, code):
    """Reserved bits, masks, opcodes, control frames, fragments, UTF-8, sizes: the close frame says which."""
    wire = Wire()
    assert wire.receive(data + text()) == []
    assert wire.close_code == code
    answer = wire.answers()
    assert answer[0] == 0x88
    assert int.from_bytes(answer[2:4], "big") == code


def test_messages_before_a_broken_rule_count():
    """They came first."""
    wire = Wire()
    assert wire.receive(text(b"1") + text(b"2") + text(b"\xff")) == [b"1", b"2"]
    assert wire.close_code == 1007


def test_a_close_frames_reason_is_cut_to_whole_characters():
    """125 bytes at most, and still UTF-8."""
    frame = close_frame(4000, "ä" * 100)
    assert len(frame) <= 127
    assert frame[4:].decode() == "ä" * 61
    assert close_frame(4000, "")[2:] == (4000).to_bytes(2, "big")


def test_a_close_amid_the_peers_own_message_is_answered():
    """Control frames may come between fragments, and a close is one."""
    wire = Wire()
    close = Close(1000, "").serialize()
    assert wire.receive(text(b"{", fin=False) + text(close, Opcode.CLOSE)) == []
    assert (wire.close_code, wire.answers()) == (0, Frame(Opcode.CLOSE, close).serialize(mask=False))


def test_binary_is_received_where_it_is_taken():
    """Told from text by its type, whole from its fragments, of any bytes; the limit is the wire's own."""
    wire = Wire(10, takes_binary=True)
    data = text(b"\xff", Opcode.BINARY) + text(b"a", Opcode.BINARY, fin=False) + text(b"\xfe", Opcode.CONT) + text(b"t")
    found = wire.receive(data)
    assert [(type(one), one) for one in found] == [(Binary, b"\xff"), (Binary, b"a\xfe"), (bytes, b"t")]
    assert wire.is_at_rest()
    assert wire.receive(text(b"x" * 11, Opcode.BINARY)) == []
    assert wire.close_code == 1009
