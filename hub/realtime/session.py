"""
What one connection may say when, without IO: phases, and the rate of its messages. Time comes in as an argument.

Driven by ``hub.py``.
"""

from __future__ import annotations

from enum import Enum

from hub.errors import HubError, TooManyRequests
from hub.realtime.protocol import (
    PROTOCOL,
    ClientFrame,
    CloseCode,
    Cursor,
    Gap,
    GapReason,
    Hello,
    Ping,
    ProtocolViolation,
    decode,
)

RATE_PER_S = 20.0
BURST = 40.0
# A client that goes on for this many messages after its burst is not clumsy but broken.
DEBT_LIMIT = 40.0


class NotReady(HubError):
    """Something was sent before ``welcome``."""

    code = "not_ready"

    def __init__(self) -> None:
        super().__init__("Wait for welcome.")


class Phase(Enum):
    """
    Where a session stands.

    ``HELLO`` nothing heard yet; ``OPENING`` hello is being answered, or it was and events are still on their way;
    ``LIVE`` every event is passed on; ``WAITING`` no event until the client says hello again.
    """

    HELLO = "hello"
    OPENING = "opening"
    LIVE = "live"
    WAITING = "waiting"
    CLOSED = "closed"


class Session:
    """
    One connection's state; methods are called in the order things happen. ``Connection`` is one, so that a socket costs
    one object.

    Attributes:
        is_welcomed: Clients speak as soon as they are welcomed, however much they still have to be told.
        rights_seq: Cursors before this are of a time when the subject saw other inboxes.
        paid_until_s: The moment by which everything said so far fits the rate; long past where nothing was said.
    """

    __slots__ = ("is_welcomed", "paid_until_s", "phase", "rights_seq")

    def __init__(self) -> None:
        self.phase = Phase.HELLO
        self.is_welcomed = False
        self.rights_seq = 0
        self.paid_until_s = 0.0

    def receive(self, text: bytes, now_s: float) -> ClientFrame:
        """
        Check one text frame.

        Args:
            text: Its payload.
            now_s: Monotonic seconds.

        Returns:
            The frame, allowed in this phase. A ``Hello`` has moved the session to ``OPENING``.

        Raises:
            ProtocolViolation: The connection must be closed.
            HubError: The frame is refused, the connection stays.
        """
        left = self._take_token(now_s)
        if left < -DEBT_LIMIT:
            raise ProtocolViolation(CloseCode.TOO_MANY, "too many messages", retry_after_s=10.0)
        if left < 0:
            raise TooManyRequests(round(-left / RATE_PER_S, 2), "Too many messages.")
        frame: ClientFrame = self._decode_first(text) if self.phase is Phase.HELLO else decode(text)
        if isinstance(frame, Hello):
            if frame.protocol != PROTOCOL:
                raise ProtocolViolation(CloseCode.MALFORMED, f"this hub speaks protocol {PROTOCOL}")
            self.phase = Phase.OPENING
            self.is_welcomed = False
        elif self.phase is Phase.OPENING and not self.is_welcomed and not isinstance(frame, Ping):
            raise NotReady
        return frame

    def _take_token(self, now_s: float) -> float:
        """
        Take one token of a bucket that holds ``BURST`` and gains ``RATE_PER_S``, and return how many are left.

        Negative means over the limit. The bucket is one number: the moment at which it would be full again.
        """
        self.paid_until_s = max(self.paid_until_s, now_s) + 1.0 / RATE_PER_S
        # Forty times a twentieth of a second is a little more than two seconds to a float.
        return round(BURST - (self.paid_until_s - now_s) * RATE_PER_S, 6)

    def _decode_first(self, text: bytes) -> Hello:
        try:
            frame = decode(text)
        except HubError as error:
            if isinstance(error, ProtocolViolation):
                raise
            raise ProtocolViolation(CloseCode.MALFORMED, "hello comes first") from error
        if not isinstance(frame, Hello):
            raise ProtocolViolation(CloseCode.MALFORMED, "hello comes first")
        given = (frame.ticket, frame.bearer, frame.resume_ticket, frame.visitor_token)
        if sum(one is not None for one in given) > 1:
            raise ProtocolViolation(CloseCode.MALFORMED, "hello: one credential only")
        return frame

    def is_resumable(self, cursor: Cursor | None, epoch: int, head: int, limit: int) -> bool:
        """Say whether every event after ``cursor`` can be sent to a client that holds the state up to it."""
        return (
            cursor is not None
            and cursor.epoch == epoch
            and self.rights_seq <= cursor.seq <= head
            and head - cursor.seq <= limit
        )

    def lose(self, reason: GapReason, head: int) -> Gap | None:
        """
        Note that events will not reach the client any more.

        Args:
            reason: Why; ``rights`` also voids every cursor before ``head``.
            head: The newest seq of the feed.

        Returns:
            The frame that says so; None where the client already knows that it must say hello.
        """
        if reason == "rights":
            self.rights_seq = max(self.rights_seq, head)
        elif self.phase is Phase.WAITING:
            return None
        if self.phase in (Phase.CLOSED, Phase.HELLO):
            return None
        self.phase = Phase.WAITING
        return Gap(reason)
