"""What an audience is sent of a range of events, as bytes: made once for all who come back to one place. No IO."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from hub.realtime.audience import payload_for
from hub.realtime.protocol import encode_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.events.model import LoggedEvent
    from hub.realtime.audience import MoveViews
    from hub.realtime.feed import Feed

LIMIT_BYTES = 4 * 1024 * 1024
# Well below the 1 MiB of a connection's buffer: a client that reads never overflows it while it catches up.
RANGE_BYTES = 256 * 1024
KEPT_S = 20


class EncodedRange(NamedTuple):
    """
    The frames of the events after a seq that an audience may see.

    Attributes:
        data: Whole frames.
        frames: How many.
        position: The last event looked at.
        prev: The last one among them, or before them, that the audience may see.
    """

    data: bytes
    frames: int
    position: int
    prev: int


class EncodedRanges:
    """Remembers the ranges encoded last, all feeds together, within a few MiB."""

    def __init__(self, moves: MoveViews) -> None:
        self._moves = moves
        self._held_bytes = 0
        self._unused_s = 0
        self._ranges: OrderedDict[tuple[Feed, frozenset[UUID] | None, int, int, int], EncodedRange] = OrderedDict()

    def encode(
        self, feed: Feed, inboxes: frozenset[UUID] | None, events: Sequence[LoggedEvent], prev: int
    ) -> EncodedRange:
        """
        Encode events for an audience, as many as fit.

        Args:
            feed: Whose events; those after its ``last`` are left out: they come live.
            inboxes: What the audience may see; None means every inbox.
            events: One or more, in order, without a hole.
            prev: The newest seq before them that the audience may see.
        """
        self._unused_s = 0
        key = (feed, inboxes, events[0].seq, min(events[-1].seq, feed.last), prev)
        known = self._ranges.get(key)
        if known is None:
            known = self._ranges[key] = self._encode(feed, inboxes, events, prev)
            self._held_bytes += len(known.data)
            while self._held_bytes > LIMIT_BYTES:
                self._held_bytes -= len(self._ranges.popitem(last=False)[1].data)
        return known

    def forget_old(self) -> None:
        """Forget everything a while after it was asked for last; called every second."""
        self._unused_s += 1
        if self._unused_s > KEPT_S and self._ranges:
            self._ranges.clear()
            self._held_bytes = 0

    def _encode(
        self, feed: Feed, inboxes: frozenset[UUID] | None, events: Sequence[LoggedEvent], prev: int
    ) -> EncodedRange:
        frames: list[bytes] = []
        size, position = 0, events[0].seq - 1
        for event in events:
            if event.seq > feed.last or size >= RANGE_BYTES:
                break
            payload = payload_for(inboxes, event, self._moves)
            if payload is not None:
                frames.append(encode_event(event.seq, prev, payload))
                size += len(frames[-1])
                prev = event.seq
            position = event.seq
        return EncodedRange(b"".join(frames), len(frames), position, prev)
