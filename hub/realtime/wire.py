"""
RFC 6455 for detached sockets, by the sans-IO layer of ``websockets``: bytes in, messages and answers out.

A wire at rest, between two messages, knows nothing of its socket: one serves all of them in turn. Used by ``lane.py``.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.streams import StreamReader

from hub.realtime.protocol import FRAME_LIMIT_BYTES

if TYPE_CHECKING:
    from collections.abc import Generator

# RFC 6455 section 5.5: 125 bytes of payload, two of them the code.
REASON_BYTES: Final = 123

# The library logs whole frames, people's messages among them, where DEBUG is on.
_silent = logging.getLogger("websockets.server.detached")
_silent.setLevel(logging.WARNING)


class Binary(bytes):
    """The payload of a binary message, where those are taken."""

    __slots__ = ()


class Wire:
    """
    Reads one socket's bytes, or those of many in turn as long as each leaves it at rest.

    Args:
        limit_bytes: Largest message, whole or in fragments; more ends with 1009.
        takes_binary: Whether binary messages are received too, as ``Binary``; else they end with 1003.

    Attributes:
        close_code: None while the peer may go on; 0 once it closed, else the code for the rule it broke.
    """

    __slots__ = ("_is_binary", "_parts", "_protocol", "_reader", "_takes_binary", "close_code")

    def __init__(self, limit_bytes: int = FRAME_LIMIT_BYTES, *, takes_binary: bool = False) -> None:
        protocol = self._protocol = _Protocol(Side.SERVER, max_size=limit_bytes, logger=_silent)
        self._reader = protocol.reader = _Reader()
        # The library started its parser on the reader it came with.
        protocol.parser = protocol.parse()
        next(protocol.parser)
        self._parts: list[bytes] = []
        self._takes_binary = takes_binary
        self._is_binary = False
        self.close_code: int | None = None

    def is_at_rest(self) -> bool:
        """Say whether the next bytes may be another socket's: no frame is half-read, no message unfinished."""
        is_between_messages = self._reader.is_between_frames and self._protocol.current_size is None
        return is_between_messages and self.close_code is None

    def receive(self, data: bytes) -> list[bytes]:
        """
        Read bytes of the peer, cut anywhere; look at ``close_code`` and ``answers`` afterwards.

        Returns:
            The payloads of the text messages that are whole now, in order; checked to be UTF-8, 64 KiB at most.
        """
        protocol = self._protocol
        protocol.receive_data(data)
        texts: list[bytes] = []
        for frame in protocol.events_received():
            # Always: requests and responses come in the opening handshake only.
            if isinstance(frame, Frame):
                self._take(frame, texts)
                if self.close_code is not None:
                    return texts
        self._note_close()
        return texts

    def answers(self) -> bytes:
        """Take what the library says to what it received: pongs, and a close frame where that was the end."""
        return b"".join(self._protocol.data_to_send())

    def _take(self, frame: Frame, texts: list[bytes]) -> None:
        opcode = frame.opcode
        if opcode is Opcode.BINARY and not self._takes_binary:
            self._fail(CloseCode.UNSUPPORTED_DATA, "text frames only")
        elif opcode is Opcode.TEXT or opcode is Opcode.BINARY or opcode is Opcode.CONT:
            if opcode is not Opcode.CONT:
                self._is_binary = opcode is Opcode.BINARY
            data = bytes(frame.data)
            if not frame.fin:
                # Empty ones would pile up without ever reaching the limit.
                if data:
                    self._parts.append(data)
                return
            if self._parts:
                data = b"".join((*self._parts, data))
                self._parts.clear()
            self._take_message(data, texts)

    def _take_message(self, data: bytes, texts: list[bytes]) -> None:
        if self._is_binary:
            texts.append(Binary(data))
            return
        try:
            data.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")
        else:
            texts.append(data)

    def _fail(self, code: CloseCode, reason: str) -> None:
        # The library reads on: it may have found the end, or another reason, in bytes behind this frame.
        if self._protocol.state is State.OPEN:
            self._protocol.fail(code, reason)
        self._note_close()

    def _note_close(self) -> None:
        protocol = self._protocol
        if protocol.state is not State.OPEN:
            said = protocol.close_sent
            self.close_code = 0 if said is None or said is protocol.close_rcvd else int(said.code)


def close_frame(code: int, reason: str) -> bytes:
    """
    Write a close frame of the server's.

    Args:
        code: One that may be sent (RFC 6455 section 7.4).
        reason: Words; cut to what fits.
    """
    words = reason.encode()[:REASON_BYTES].decode(errors="ignore")
    return Frame(Opcode.CLOSE, Close(code, words).serialize()).serialize(mask=False)


class _Protocol(Protocol):
    """The library's protocol, except that a peer may close amid its own message (RFC 6455 section 5.4)."""

    def recv_frame(self, frame: Frame) -> None:
        """See the library, which takes that for a violation."""
        if frame.opcode is Opcode.CLOSE:
            self.current_size = None
        super().recv_frame(frame)


class _Reader(StreamReader):
    """The library's reader, which also knows whether it waits for a frame to begin."""

    def __init__(self) -> None:
        super().__init__()
        self.is_between_frames = True

    def at_eof(self) -> Generator[None, None, bool]:
        """See the library; asked only where a frame may begin."""
        while not self.buffer:
            if self.eof:
                return True
            self.is_between_frames = True
            yield
        self.is_between_frames = False
        return False
