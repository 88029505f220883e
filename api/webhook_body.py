"""
Reads the body of a vendor's call: bounded in length, in time, and in what all calls of a process hold together.

Called by ``api/webhooks.py`` only; other routes have ``api/body.py``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from hub.errors import HubError, TooLarge, Unavailable

if TYPE_CHECKING:
    from starlette.types import Message, Receive

# What calls that came in pieces hold in this process, from their first piece until they are answered. Calls of one
# piece (64 KiB, nearly all there are) are not counted: the server has read them already.
BUDGET_BYTES: Final = 64 * 1024 * 1024
# A body that comes in pieces must be here within this; most come in one.
BODY_TIMEOUT_S: Final = 10.0
_RETRY_AFTER_S: Final = 5.0


class BodyLate(HubError):
    """The body did not arrive in time."""

    code = "timeout"


class CallerGone(HubError):
    """The caller hung up before the body was here."""

    code = "disconnected"


class BodyBudget:
    """The bytes of calls in hand, of one process."""

    def __init__(self, limit_bytes: int = BUDGET_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self.held_bytes = 0

    def take(self, size_bytes: int) -> None:
        """
        Count bytes that arrived.

        Raises:
            Unavailable: Too many are held: the vendor must come back.
        """
        if self.held_bytes + size_bytes > self._limit_bytes:
            raise Unavailable("Too many large calls at once.", retry_after_s=_RETRY_AFTER_S)
        self.held_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Let go of bytes that were taken."""
        self.held_bytes -= size_bytes


class Body:
    """
    One call's body; ``with`` it until the call is answered.

    Args:
        budget: Of the process.
        limit_bytes: Longest body taken.
    """

    def __init__(self, budget: BodyBudget, limit_bytes: int) -> None:
        self._budget = budget
        self._limit_bytes = limit_bytes
        self._taken_bytes = 0

    def __enter__(self) -> Body:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._taken_bytes)

    async def read(self, receive: Receive, content_length: str) -> bytes:
        """
        Read at most the limit, whatever the caller says or sends.

        Args:
            receive: The server's.
            content_length: The header, or "".

        Raises:
            TooLarge: It is longer than the limit.
            Unavailable: Too many large calls at once.
            BodyLate: It did not arrive in time.
            CallerGone: The caller hung up.
        """
        if content_length.isdigit() and int(content_length[:12]) > self._limit_bytes:
            raise TooLarge(self._limit_bytes)
        message = await receive()
        if not message.get("more_body") and message["type"] == "http.request":
            body: bytes = message.get("body", b"")
            if len(body) > self._limit_bytes:
                raise TooLarge(self._limit_bytes)
            return body
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await self._read_pieces(message, receive)
        except TimeoutError:
            raise BodyLate("The body did not arrive in time.") from None

    async def _read_pieces(self, first: Message, receive: Receive) -> bytes:
        pieces = bytearray()
        piece = first
        while True:
            if piece["type"] == "http.disconnect":
                raise CallerGone("The caller hung up.")
            part: bytes = piece.get("body", b"")
            if len(pieces) + len(part) > self._limit_bytes:
                raise TooLarge(self._limit_bytes)
            # Counted as it arrives: a length that is only announced takes nothing from others.
            self._budget.take(len(part))
            self._taken_bytes += len(part)
            pieces += part
            if not piece.get("more_body"):
                return bytes(pieces)
            piece = await receive()
