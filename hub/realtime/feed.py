"""
The contiguous feed of each workspace: hints in any order go in, every event once and in order comes out.

A hint is never the truth: a hole is read from the log (one reader a workspace), and ``healing.py`` asks for the newest
seqs, so that a lost hint, a dead publisher or a restarted broker costs seconds and no event.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Protocol

from hub.errors import HubError, Unavailable
from hub.events.model import LogRange
from hub.log import get_logger
from hub.realtime.audience import VisitorStream
from hub.realtime.rights_version import RightsVersion
from hub.realtime.ring import Ring, RingBudget

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from hub.events.model import LoggedEvent
    from hub.realtime.audience import Audience, AudienceKey
    from hub.realtime.broker import Broker
    from hub.realtime.connections import Counters
    from hub.realtime.fanout import Unfinished
    from hub.realtime.log_reads import LogReads

# Two processes that commit next to each other publish in either order: most holes close by themselves within this.
HOLE_GRACE_S = 0.005
READ_BATCH = 200
PENDING_LIMIT = 2_000
# Older events that are read at once for whoever comes back to a ring that does not hold them.
BACKFILL_EVENTS = 250
BACKFILLS = 6
# Frames queued in one loop turn before sockets are written to: about 5 ms. More joins more frames into one write:
# with 16 waiting for each of 5,000 sockets that is one write instead of four.
DELIVER_PER_TURN = 80_000
# What an event costs beside its frames, in frames: a turn is for 400 events of 50 listeners each.
EVENT_FRAMES = 150
# After so much a turn's end is waited for; asking for it costs a lone message 5 microseconds.
UNCOUNTED_FRAMES = 10_000

# Events that come with, or may come with, a new version of the workspace's rights (``accounts.store.bump_rights``).
RIGHTS_EVENTS = frozenset(
    {
        *("member_added", "member_changed", "role_changed", "role_removed", "team_changed", "team_removed"),
        *("inbox_changed", "inbox_removed", "workspace_changed"),
        *("conversation_removed", "contacts_removed", "demo_removed"),
    }
)

_log = get_logger("realtime")


class Delivery(Protocol):
    """Passes events on to whoever listens; ``fanout.py``."""

    def deliver(self, feed: Feed, event: LoggedEvent) -> int:
        """Pass the feed's next event on; returns how many frames that was."""
        ...

    def go_on(self, feed: Feed) -> int:
        """Pass the feed's unfinished event on to more listeners; returns how many frames that was."""
        ...


class Feed:
    """
    One workspace's events as this process has applied them.

    Attributes:
        last: Every event up to this one was delivered to live connections; -1 until it is known.
        is_void: The log turned out to be another one (a restore): whoever holds this feed must open a new one.
        rights: Which version of the workspace's rights holds at ``last``.
        ring: The newest applied events, for those who come back soon.
    """

    __slots__ = (
        "audiences",
        "idle_since_s",
        "is_heard",
        "is_ready",
        "is_void",
        "last",
        "opening",
        "pending",
        "reader",
        "rights",
        "ring",
        "streams",
        "target",
        "unfinished",
        "workspace_id",
    )

    def __init__(self, workspace_id: int, ring: Ring) -> None:
        self.workspace_id = workspace_id
        self.last = -1
        self.is_void = False
        self.audiences: dict[AudienceKey, Audience] = {}
        self.streams: dict[int, VisitorStream] = {}
        self.pending: dict[int, LoggedEvent] = {}
        # Newest seq known to exist; above ``last`` means there is something to read.
        self.target = 0
        self.idle_since_s: float | None = None
        self.opening: asyncio.Future[None] | None = None
        self.is_heard = False
        self.reader: asyncio.Task[bool] | None = None
        self.is_ready = False
        self.unfinished: Unfinished | None = None
        self.rights = RightsVersion()
        self.ring = ring

    def stream(self, conversation_id: UUID) -> VisitorStream | None:
        """Return the stream of a conversation, if somebody here hears it."""
        return self.streams.get(conversation_id.int)

    def open_stream(self, conversation_id: UUID) -> VisitorStream:
        """Return the stream of a conversation, made where there is none."""
        stream = self.streams.get(conversation_id.int)
        if stream is None:
            key = conversation_id.int
            stream = self.streams[key] = VisitorStream(key)
        return stream

    def has_stream(self, stream: VisitorStream) -> bool:
        """Say whether this very stream is still fed."""
        return self.streams.get(stream.key) is stream

    def drop_if_unused(self, stream: VisitorStream) -> None:
        """Forget a stream that nobody hears."""
        if stream.is_unused and self.has_stream(stream):
            del self.streams[stream.key]

    def drop_unused_streams(self) -> None:
        """Forget every stream that nobody hears."""
        for stream in [one for one in self.streams.values() if one.is_unused]:
            del self.streams[stream.key]

    def take(self, event: LoggedEvent) -> None:
        """Make ``event`` (number ``last + 1``) the newest one and remember it for those who come back soon."""
        self.last = event.seq
        self.ring.append(event)
        if event.type in RIGHTS_EVENTS:
            self.rights.doubt(event.seq)


class Feeds:
    """The feeds of the workspaces with connections in this process."""

    def __init__(
        self,
        reads: LogReads,
        delivery: Delivery,
        counters: Counters,
        broker: Broker,
        budget: RingBudget | None = None,
    ) -> None:
        self._reads = reads
        self._broker = broker
        self._delivery = delivery
        self._counters = counters
        self._budget = budget or RingBudget()
        self._feeds: dict[int, Feed] = {}
        self._ready: deque[Feed] = deque()
        self._is_pumping = False
        self._spent = 0

    def all(self) -> list[Feed]:
        """Return every feed that knows where it stands; a copy, feeds come and go."""
        return [feed for feed in self._feeds.values() if feed.last >= 0]

    def get(self, workspace_id: int) -> Feed | None:
        """Return the feed of a workspace, if it is kept here and knows where it stands."""
        feed = self._feeds.get(workspace_id)
        return feed if feed is not None and feed.last >= 0 else None

    async def open(self, workspace_id: int) -> Feed:
        """
        Return a workspace's feed, starting it where there is none: hints count from now on, then the head is read.

        Raises:
            Unavailable: The head could not be read.
        """
        feed = self._feeds.get(workspace_id)
        if feed is None:
            feed = self._feeds[workspace_id] = Feed(workspace_id, Ring(self._budget))
        if feed.last < 0:
            if feed.opening is None:
                feed.opening = asyncio.ensure_future(self._read_head(feed))
                feed.opening.add_done_callback(_take_note)
            await asyncio.shield(feed.opening)
        feed.idle_since_s = None
        return feed

    def offer(self, events: Iterable[LoggedEvent]) -> None:
        """Take events in any order, any number of times; those of workspaces nobody here listens to are dropped."""
        for event in events:
            feed = self._feeds.get(event.workspace_id)
            if feed is None or event.seq <= feed.last:
                continue
            feed.pending[event.seq] = event
            if feed.last < 0:
                continue
            if event.seq == feed.last + 1:
                self._make_ready(feed)
                continue
            if len(feed.pending) > PENDING_LIMIT and feed.last + 1 not in feed.pending:
                self._forget_pending(feed)
            if event.seq - 1 not in feed.pending:
                self.read_missing(feed)
        if self._ready:
            self._start_pump()

    def expect(self, feed: Feed, head: int) -> None:
        """Note that the log reaches to ``head``; what is missing is read."""
        feed.target = max(feed.target, head)
        if feed.target > feed.last:
            self.read_missing(feed)

    def read_missing(self, feed: Feed) -> asyncio.Task[bool]:
        """Read what the feed lacks from the log, once at a time."""
        if feed.reader is None or feed.reader.done():
            feed.reader = asyncio.get_running_loop().create_task(self._read_missing(feed))
        return feed.reader

    async def reach(self, feed: Feed, seq: int) -> None:
        """
        Wait until the feed has applied ``seq``, or the log says that there is no such event.

        Raises:
            Unavailable: The log could not be read.
        """
        feed.target = max(feed.target, seq)
        while not feed.is_void and feed.last < seq <= feed.target:
            if not await asyncio.shield(self.read_missing(feed)):
                raise Unavailable("The log cannot be read.", retry_after_s=2.0)

    async def events_after(self, feed: Feed, seq: int, limit: int) -> list[LoggedEvent]:
        """
        Return up to ``limit`` events after ``seq``: from the ring where it has them or can be filled, else the log.

        Raises:
            Unavailable: The log could not be read.
        """
        for _ in range(BACKFILLS):
            held = feed.ring.after(seq, feed.last, limit)
            if held is not None:
                return held
            first = feed.ring.first(feed.last)
            start = max(seq, first - 1 - BACKFILL_EVENTS)
            older = await self._reads.events(LogRange(feed.workspace_id, start, first - 1 - start))
            if feed.ring.first(feed.last) >= first and not feed.is_void:
                feed.ring.prepend(older, feed.last)
            if feed.ring.first(feed.last) >= first:
                break  # kept nowhere: no budget, or the feed moved on
        return await self._reads.events(LogRange(feed.workspace_id, seq, limit))

    def void(self, feed: Feed) -> None:
        """Give a feed up: its numbers are not those of the log any more."""
        feed.is_void = True
        feed.ring.clear()
        feed.pending.clear()
        feed.target = 0
        if feed.is_heard:
            feed.is_heard = False
            self._broker.release(feed.workspace_id)
        if self._feeds.get(feed.workspace_id) is feed:
            del self._feeds[feed.workspace_id]

    def stop(self) -> None:
        """Give every feed up and end their readers."""
        for feed in list(self._feeds.values()):
            if feed.reader is not None:
                feed.reader.cancel()
            self.void(feed)

    async def _read_head(self, feed: Feed) -> None:
        try:
            # Before the head is read: what is committed in between is hinted, or part of the head.
            feed.is_heard = True
            await self._broker.want(feed.workspace_id)
            known = await self._reads.head(feed.workspace_id)
        except BaseException:
            self.void(feed)
            raise
        finally:
            feed.opening = None
        feed.last = known.head if known is not None else 0
        feed.rights.learn(known.rights_version if known is not None else 0, feed.last)
        for seq in [one for one in feed.pending if one <= feed.last]:
            del feed.pending[seq]
        if feed.last + 1 in feed.pending:
            self._make_ready(feed)
            self._start_pump()
        if feed.pending:
            self.read_missing(feed)

    def _make_ready(self, feed: Feed) -> None:
        if not feed.is_ready:
            feed.is_ready = True
            self._ready.append(feed)

    def _start_pump(self) -> None:
        """Deliver now, within the bounds of a loop turn."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            self._pump()
        finally:
            if self._ready or self._spent >= UNCOUNTED_FRAMES:
                asyncio.get_running_loop().call_soon(self._end_turn)
            else:
                self._is_pumping = False

    def _end_turn(self) -> None:
        self._is_pumping = False
        self._spent = 0
        if self._ready:
            self._start_pump()

    def _pump(self) -> None:
        """Deliver what is next in line, workspace by workspace, within this turn's budget."""
        budget = DELIVER_PER_TURN
        while self._ready and budget > 0:
            feed = self._ready.popleft()
            feed.is_ready = False
            if feed.unfinished is not None:
                budget -= EVENT_FRAMES + self._delivery.go_on(feed)
            else:
                event = feed.pending.pop(feed.last + 1, None)
                if event is None:
                    continue
                feed.take(event)
                self._counters.events_applied += 1
                budget -= EVENT_FRAMES + self._delivery.deliver(feed, event)
            if feed.unfinished is not None or feed.last + 1 in feed.pending:
                self._make_ready(feed)
            elif feed.pending or feed.target > feed.last:
                self.read_missing(feed)
        self._spent += DELIVER_PER_TURN - budget

    async def _read_missing(self, feed: Feed) -> bool:
        await asyncio.sleep(HOLE_GRACE_S)
        try:
            while not feed.is_void and self.lacks(feed):
                self._counters.holes += 1
                hinted = list(feed.pending)
                expected = feed.target
                events = await self._reads.events(LogRange(feed.workspace_id, feed.last, READ_BATCH))
                if not events:
                    # Nothing beyond: the hints of before the read were of another log, or of nothing.
                    _forget_false_hints(feed, hinted, expected)
                    continue
                self.offer(events)
                # Turn by turn, at the pace of delivery: nothing else tells when the pump is through.
                while feed.last < events[-1].seq and feed.last + 1 in feed.pending:  # noqa: ASYNC110
                    await asyncio.sleep(0)
        except HubError as error:
            # Tried again by the next hint and by healing.
            _log.debug("log_unreadable", workspace_id=feed.workspace_id, code=error.code)
            return False
        except Exception:  # loop: the next hint or healing reads again
            _log.exception("log_reader_failed", workspace_id=feed.workspace_id)
            return False
        return True

    def lacks(self, feed: Feed) -> bool:
        """Say whether an event after ``last`` exists that is not at hand."""
        if feed.last + 1 in feed.pending:
            return False
        return bool(feed.pending) or feed.target > feed.last

    def _forget_pending(self, feed: Feed) -> None:
        feed.target = max(feed.target, *feed.pending)
        feed.pending.clear()
        self.read_missing(feed)


def _forget_false_hints(feed: Feed, hinted: list[int], expected: int) -> None:
    for seq in hinted:
        if seq > feed.last:
            feed.pending.pop(seq, None)
    if feed.target == expected:
        feed.target = feed.last


def _take_note(done: asyncio.Future[None]) -> None:
    """Mark a failure as seen: everybody who waited for it may be gone."""
    if not done.cancelled():
        done.exception()
