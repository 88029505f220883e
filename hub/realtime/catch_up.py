"""
From a cursor to live, without a hole, for members: what lies between the cursor and the feed is sent, then they join.

The feed runs before the log is read, and the step to live happens in one loop turn in which nothing is missing.
Called by ``opening.py`` only; visitors are ``lobby.py``'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.errors import HubError
from hub.events.model import VisibleHead
from hub.realtime.audience import Audience, AudienceKey, audience_key, is_visible
from hub.realtime.encoded import EncodedRanges
from hub.realtime.protocol import RESUME_LIMIT_EVENTS, Cursor
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from uuid import UUID

    from hub.events.model import LoggedEvent
    from hub.realtime.connections import Connection, Counters
    from hub.realtime.encoded import EncodedRange
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feed, Feeds
    from hub.realtime.log_reads import LogReads
    from hub.realtime.ports import Grant
    from hub.realtime.welcome import Welcoming

# Below the 256 frames of the buffer, so that a client that reads never overflows it while it catches up.
CHUNK_EVENTS = 100


class RightsChangedError(HubError):
    """The grant may be older than what is to be sent: it must be read again first."""

    code = "rights_changed"


class _HeadInQuestion:
    """An audience whose newest visible seq is being read."""

    __slots__ = ("inboxes", "newest")

    def __init__(self, inboxes: frozenset[UUID]) -> None:
        self.inboxes = inboxes
        self.newest = 0


class CatchUp:
    """Answers a member's cursor with ``welcome`` and the events after it."""

    def __init__(self, reads: LogReads, feeds: Feeds, fanout: Fanout, welcoming: Welcoming, counters: Counters) -> None:
        self._reads = reads
        self._feeds = feeds
        self._fanout = fanout
        self._welcoming = welcoming
        self._counters = counters
        self._encoded = EncodedRanges(fanout)
        # Audiences whose head is being read, by workspace: what is applied meanwhile counts as well.
        self._questions: dict[int, list[_HeadInQuestion]] = {}

    def note_event(self, event: LoggedEvent) -> None:
        """Take note of an event that was just applied."""
        for question in self._questions.get(event.workspace_id, ()):
            if is_visible(question.inboxes, event):
                question.newest = event.seq

    def resume_now(self, connection: Connection, grant: Grant, feed: Feed) -> bool:
        """
        Welcome a member and make them live in this loop turn, where everything that takes is at hand.

        Args:
            connection: In ``OPENING``, its grant set.
            grant: The connection's.
            feed: The workspace's, running.

        Returns:
            False where something must be read first: nothing was sent, ``resume`` does it.
        """
        cursor = connection.resume_cursor
        epoch = self._welcoming.epoch()
        if cursor is not None and cursor.epoch == epoch and cursor.seq > feed.last:
            return False
        if not feed.rights.are(grant.rights_version):
            return False
        audience = self._audience_now(feed, grant)
        if audience is None:
            return False
        connection.rights_seq = max(connection.rights_seq, grant.rights_seq)
        if not connection.is_resumable(cursor, epoch, feed.last, RESUME_LIMIT_EVENTS):
            self._welcoming.welcome(connection, audience.head, recovered=False)
            return True
        assert cursor is not None
        missed: EncodedRange | None = None
        if cursor.seq < feed.last:
            prev = self._visible_before_now(feed, audience, cursor)
            events = feed.ring.after(cursor.seq, feed.last, CHUNK_EVENTS)
            if prev is None or events is None or cursor.seq + len(events) < feed.last:
                return False
            missed = self._encoded.encode(feed, audience.inboxes, events, prev)
            if missed.position < feed.last:
                return False
        self._welcoming.welcome(connection, audience.head, recovered=True)
        connection.position = feed.last
        if missed is not None and missed.data:
            self._write(connection, missed)
        if connection.phase is Phase.OPENING:
            self._fanout.join(connection, audience)
        return True

    async def resume(self, connection: Connection) -> None:
        """
        Welcome a member by the connection's ``resume_cursor`` and make them live or waiting.

        Raises:
            Unavailable: The log could not be read; may be called again.
            RightsChangedError: The grant must be read again; then this may be called again.
        """
        grant = connection.grant
        if grant is None:
            return
        feed = await self._feeds.open(grant.workspace_id)
        self._check_rights(connection, feed)
        connection.rights_seq = max(connection.rights_seq, grant.rights_seq)
        cursor = connection.resume_cursor
        epoch = self._welcoming.epoch()
        if cursor is not None and cursor.epoch == epoch and cursor.seq > feed.last:
            # A snapshot may be ahead of the hints.
            await self._feeds.reach(feed, cursor.seq)
        audience = await self._audience(connection, feed)
        if not connection.is_resumable(cursor, epoch, feed.last, RESUME_LIMIT_EVENTS):
            self._welcoming.welcome(connection, audience.head, recovered=False)
            return
        assert cursor is not None
        prev = await self._visible_before(feed, audience, cursor)
        self._check_rights(connection, feed)
        connection.position = cursor.seq
        self._welcoming.welcome(connection, audience.head, recovered=True)
        await self._catch_up(connection, feed, prev)

    def forget_old(self) -> None:
        """Let go of what was encoded for those who came back a while ago; called every second."""
        self._encoded.forget_old()

    async def _catch_up(self, connection: Connection, feed: Feed, prev: int) -> None:
        """Send what lies between the connection and the feed, then let it hear live events."""
        while connection.phase is Phase.OPENING:
            if feed.is_void:
                self._fanout.lose([connection], "lost", 0)
                return
            if connection.position == feed.last:
                audience = await self._audience(connection, feed)
                self._check_rights(connection, feed)
                if connection.position == feed.last and feed.audiences.get(audience.key) is audience:
                    self._fanout.join(connection, audience)
                    return
                continue
            events = await self._feeds.events_after(feed, connection.position, CHUNK_EVENTS)
            if not events and _is_opening(connection):
                self._fanout.lose([connection], "lost", 0)
            if not _is_opening(connection):
                return
            self._check_rights(connection, feed)
            inboxes = connection.grant.visible_inboxes if connection.grant is not None else frozenset()
            missed = self._encoded.encode(feed, inboxes, events, prev)
            connection.position, prev = missed.position, missed.prev
            if missed.data:
                self._write(connection, missed)
            advance_cursor(connection)
            await drained(connection)

    def _write(self, connection: Connection, missed: EncodedRange) -> None:
        """Queue many frames as one: the buffer counts their bytes."""
        connection.write(missed.data)
        self._counters.frames_out += missed.frames - 1

    def _check_rights(self, connection: Connection, feed: Feed) -> None:
        grant = connection.grant
        if grant is not None and not feed.is_void and not feed.rights.are(grant.rights_version):
            raise RightsChangedError("Rights changed meanwhile.")

    def _audience_now(self, feed: Feed, grant: Grant) -> Audience | None:
        key = audience_key(grant)
        audience = feed.audiences.get(key)
        if audience is None and key.inboxes is None:
            audience = feed.audiences[key] = Audience(key, feed.last)
        return audience

    async def _audience(self, connection: Connection, feed: Feed) -> Audience:
        """Find or make the audience of a member, its head read from the log where it is new."""
        grant = connection.grant
        assert grant is not None
        key = audience_key(grant)
        if (audience := feed.audiences.get(key)) is not None:
            return audience
        if key.inboxes is None:
            return feed.audiences.setdefault(key, Audience(key, feed.last))
        question = _HeadInQuestion(key.inboxes)
        asked = self._questions.setdefault(feed.workspace_id, [])
        asked.append(question)
        try:
            head = await self._visible_head(feed, key, feed.last)
        finally:
            asked.remove(question)
            if not asked:
                self._questions.pop(feed.workspace_id, None)
        return feed.audiences.setdefault(key, Audience(key, max(head, question.newest)))

    async def _visible_head(self, feed: Feed, key: AudienceKey, at: int) -> int:
        """Ask once for everybody of one audience who comes at the same time, and with those of other audiences."""
        return await self._reads.visible_head(VisibleHead(feed.workspace_id, at, key.inboxes or frozenset()))

    async def _visible_before(self, feed: Feed, audience: Audience, cursor: Cursor) -> int:
        """Return the ``prev`` of the first event after the cursor, exactly."""
        known = self._visible_before_now(feed, audience, cursor)
        return known if known is not None else await self._visible_head(feed, audience.key, cursor.seq)

    def _visible_before_now(self, feed: Feed, audience: Audience, cursor: Cursor) -> int | None:
        if audience.inboxes is None:
            return cursor.seq
        if audience.head <= cursor.seq:
            return audience.head
        for event in feed.ring.newest_first(cursor.seq):
            if is_visible(audience.inboxes, event):
                return event.seq
        return None


async def drained(connection: Connection) -> None:
    """Wait until what was queued has left for the socket; at once when the connection is closed."""
    if connection.queue is not None and not connection.closed:
        waiter = connection.drained
        if waiter is None:
            waiter = connection.drained = asyncio.get_running_loop().create_future()
        await asyncio.shield(waiter)


def _is_opening(connection: Connection) -> bool:
    """Whether it still waits for events: a gap or a close may have come while the log was read."""
    return connection.phase is Phase.OPENING


def advance_cursor(connection: Connection) -> None:
    """Should the log become unreadable now, the next try goes on from here."""
    cursor = connection.resume_cursor
    if cursor is not None:
        connection.resume_cursor = Cursor(cursor.epoch, connection.position)
