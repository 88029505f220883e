"""A WebSocket client of a few bytes' work, which follows the rules only where a test wants it to."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
from dataclasses import dataclass, field

TEXT, BINARY, CLOSE, PING, PONG, CONT = 1, 2, 8, 9, 10, 0
KEY = "AQIDBAUGBwgJCgsMDQ4PEA=="
# RFC 6455 section 4.2.2, for the key above.
ACCEPT = "C/0nmHhBztSRGR1CwL6Tf4ZjwpY="
MASK = b"\x1f\x2e\x3d\x4c"
PATIENCE_S = 5.0
HEADERS = {
    "Host": "hub",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def frame(opcode, payload=b"", *, fin=True, rsv=0, mask=MASK, length=None):
    """
    Write one client frame, good or bad.

    Args:
        opcode: Any of 0-15.
        payload: What it holds, before masking.
        fin: Whether it is the last of its message.
        rsv: The three reserved bits, 0-7; 4 is the one of compression.
        mask: Four bytes; None leaves the frame unmasked.
        length: What the header says instead of the truth.
    """
    size = len(payload) if length is None else length
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    bit = 0 if mask is None else 0x80
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 2**16:
        head = bytes((first, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, bit | 127)) + size.to_bytes(8, "big")
    if mask is None:
        return head + payload
    stretched = (mask * (len(payload) // 4 + 1))[: len(payload)]
    masked = (int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")).to_bytes(len(payload), "big")
    return head + mask + masked


def close(code=None, reason=b"", **options):
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason, **options)


def said(type_, **fields):
    """One of the protocol's messages, as text."""
    return json.dumps({"type": type_, **fields}).encode()


HELLO = said("hello", protocol=1, ticket="t", cursor={"epoch": 1, "seq": 0})


def request(*, method="GET", path="/ws", version="HTTP/1.1", without=(), **changed):
    """Write an upgrade request; ``Sec_WebSocket_Key="x"`` changes that header, a list repeats it."""
    headers = HEADERS | {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{method} {path} {version}"]
    for name, value in headers.items():
        if name not in without:
            lines += [f"{name}: {one}" for one in (value if isinstance(value, list) else [value])]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@dataclass
class Outcome:
    """What a server said after the handshake, to its end."""

    texts: list[dict] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    closes: list[bytes] = field(default_factory=list)
    # Whether the stream ended in order; a reset may eat what came before it.
    is_reset: bool = False

    @property
    def code(self):
        """The close frame's code; None without a frame, 1005 for one without a code."""
        if not self.closes:
            return None
        return int.from_bytes(self.closes[0][:2], "big") if self.closes[0] else 1005

    @property
    def types(self):
        return [text["type"] for text in self.texts]


class Peer:
    """One connection to a server of this machine."""

    def __init__(self, port, *, receive_bytes=None):
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S)
        if receive_bytes is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *data):
        self.socket.sendall(b"".join(data))

    def send_cut(self, data, cuts, settle):
        """Send data in pieces cut at ``cuts``, each read by the server before the next comes."""
        edges = [0, *sorted(set(cuts) & set(range(1, len(data)))), len(data)]
        for start, end in itertools.pairwise(edges):
            # A server that has had enough may be gone before the last piece.
            with contextlib.suppress(ConnectionError):
                self.socket.sendall(data[start:end])
            settle()

    def end_sending(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def upgrade(self, *behind, **headers):
        """Shake hands; returns the answer's headers. Bytes ``behind`` leave in the same packet."""
        self.send(request(**headers), *behind)
        status, answered, _ = self.response()
        assert status == 101, (status, answered)
        assert answered["sec-websocket-accept"] == ACCEPT
        return answered

    def open(self):
        """Shake hands and say hello; returns when welcomed."""
        self.upgrade(frame(TEXT, HELLO))
        self.expect("welcome")

    def response(self):
        """Read an HTTP answer: status, headers by small name, body as far as its length says."""
        while b"\r\n\r\n" not in self._unread:
            assert self._read_more(), f"no answer but {self._unread!r}"
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = int(headers.get("content-length", 0))
        while len(self._unread) < size:
            assert self._read_more(), "the body ends too early"
        body, self._unread = self._unread[:size], self._unread[size:]
        return int(first.split()[1]), headers, body

    def ends(self):
        """Whether the stream ends here, with nothing unread."""
        return not self._unread and not self._read_more()

    def next(self):
        """Read one frame: opcode and payload; None at the end."""
        head = self._take(2)
        if head is None:
            return None
        assert head[0] & 0xF0 == 0x80, f"the server cut a message or used reserved bits: {head!r}"
        assert head[1] < 0x80, "the server masked a frame"
        size = head[1]
        if size >= 126:
            width = 2 if size == 126 else 8
            size = int.from_bytes(self._whole(width), "big")
            assert size >= (126 if width == 2 else 2**16), "the server wrote a length too long"
        return head[0] & 0x0F, self._whole(size)

    def expect(self, type_):
        """Read to the next message of a type."""
        while (got := self.next()) is not None:
            if got[0] == TEXT and (text := json.loads(got[1]))["type"] == type_:
                return text
            assert got[0] != CLOSE, f"closed with {got[1]!r} instead of {type_}"
        raise AssertionError(f"the end instead of {type_}")

    def outcome(self, *, answers=True):
        """Read to the end; a close frame is answered with the same, as a good client does, or not at all."""
        seen = Outcome()
        try:
            while (got := self.next()) is not None:
                opcode, payload = got
                if opcode == TEXT:
                    assert not seen.closes, "the server spoke after its close frame"
                    seen.texts.append(json.loads(payload))
                else:
                    {PONG: seen.pongs, CLOSE: seen.closes}[opcode].append(payload)
                if opcode == CLOSE and answers:
                    with contextlib.suppress(ConnectionError):
                        self.send(frame(CLOSE, payload))
        except ConnectionError:
            seen.is_reset = True
        assert len(seen.closes) <= 1, "the server closed twice"
        return seen

    def _whole(self, size):
        got = self._take(size)
        assert got is not None, "the stream ends within a frame"
        return got

    def _take(self, size):
        while len(self._unread) < size:
            if not self._read_more():
                assert not self._unread, f"the stream ends within a frame: {self._unread!r}"
                return None
        got, self._unread = self._unread[:size], self._unread[size:]
        return got

    def _read_more(self):
        more = self.socket.recv(2**16)
        self._unread += more
        return bool(more)
