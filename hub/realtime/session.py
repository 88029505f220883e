"""
What one connection may say when, without IO: phases, and the rate of its messages. Time comes in as an argument.

One per connection, driven by ``hub.py``.
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


class TokenBucket:
    """Lets ``RATE_PER_S`` messages pass with bursts of ``BURST``, and counts the debt of those who go on."""

    __slots__ = ("_at_s", "_tokens")

    def __init__(self, now_s: float) -> None:
        self._tokens = BURST
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """Take one token and return how many are left; negative means over the limit."""
        refilled = self._tokens + (now_s - self._at_s) * RATE_PER_S
        self._at_s = now_s
        self._tokens = min(BURST, refilled) - 1.0
        return self._tokens


class Session:
    """One connection's state; methods are called in the order things happen."""

    __slots__ = ("_bucket", "is_welcomed", "phase", "rights_seq")

    def __init__(self, now_s: float) -> None:
        self._bucket = TokenBucket(now_s)
        self.phase = Phase.HELLO
        # Clients speak as soon as they are welcomed, however much they still have to be told.
        self.is_welcomed = False
        # Cursors before this are of a time when the subject saw other inboxes.
        self.rights_seq = 0

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
        left = self._bucket.take(now_s)
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
