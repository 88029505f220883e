"""Uvicorn's HTTP/1.1 with bounds on a request's head, which it does not have: size and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.errors import HubError

if TYPE_CHECKING:
    import asyncio

_TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class _HeadTooLarge(HubError):
    """Ends the parser from inside its callback; uvicorn then answers by ``send_400_response``."""

    code = "head_too_large"


class BoundedHttp(HttpToolsProtocol):
    """One connection: a head that trickles in (slowloris) or never ends is refused."""

    head_timeout_s: float = 10.0
    head_limit_bytes: int = 32 * 1024

    # Runs from the connection, or a later request's first byte, to the end of the head.
    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes: int = 0
    _chunk_bytes: int = 0
    _is_head_too_large: bool = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._start_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._chunk_bytes = len(data)
        super().data_received(data)
        if self._head_timer is None:
            return
        self._head_bytes += len(data)
        if self._head_bytes > self.head_limit_bytes:
            self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        if self._head_timer is None:
            self._start_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._end_head()
        # A head within one chunk was parsed before it could be counted; most chunks are smaller than the limit.
        if self._chunk_bytes > self.head_limit_bytes and self._parsed_bytes() > self.head_limit_bytes:
            self._is_head_too_large = True
            raise _HeadTooLarge("The head of this request is too large.")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with a head; the parser has stopped for good."""
        if self._is_head_too_large:
            self._refuse(_TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _parsed_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _start_head(self) -> None:
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(self.head_timeout_s, self._refuse, _TOO_SLOW)

    def _end_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, answer: bytes) -> None:
        self._end_head()
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()
