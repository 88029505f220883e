"""
From a cursor to live, without a hole: what lies between the cursor and the feed is sent, then the connection joins.

The feed runs before the log is read, and the step to live happens in one loop turn in which nothing is missing.
Called by ``opening.py`` only.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hub.realtime.audience import Audience, AudienceKey, audience_key, is_visible, payload_for
from hub.realtime.feed import RING_EVENTS
from hub.realtime.protocol import RESUME_LIMIT_EVENTS, Cursor, Welcome, encode_event
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from hub.events.model import LoggedEvent
    from hub.realtime.audience import VisitorStream
    from hub.realtime.connections import Connection, Counters
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feed, Feeds
    from hub.realtime.ports import Ports
    from hub.realtime.resume import ResumeTickets

# Below the 256 frames of the buffer, so that a client that reads never overflows it while it catches up.
CHUNK_EVENTS = 100


class CatchUp:
    """Answers a cursor with ``welcome`` and the events after it."""

    def __init__(self, ports: Ports, feeds: Feeds, fanout: Fanout, tickets: ResumeTickets, counters: Counters) -> None:
        self._ports = ports
        self._feeds = feeds
        self._fanout = fanout
        self._tickets = tickets
        self._counters = counters
        self._visible_heads: dict[tuple[Feed, AudienceKey, int], asyncio.Future[int]] = {}

    async def resume(self, connection: Connection) -> None:
        """
        Welcome a connection whose grant is known, by its ``resume_cursor``, and make it live or waiting.

        Raises:
            Unavailable: The log could not be read; may be called again.
        """
        grant = connection.grant
        if grant is None:
            return
        feed = await self._feeds.open(grant.workspace_id)
        grant = connection.grant or grant  # a visitor's first message may have come from another tab meanwhile
        if grant.kind == "member":
            connection.rights_seq = max(connection.rights_seq, grant.rights_seq)
            await self._resume_member(connection, feed)
        elif grant.conversation_id is None:
            self._resume_new_visitor(connection)
        else:
            stream = feed.open_stream(grant.conversation_id)
            stream.opening += 1
            try:
                await self._resume_visitor(connection, feed, stream)
            finally:
                stream.opening -= 1

    async def attach_visitor(self, connection: Connection) -> None:
        """Let a live visitor hear their new conversation from its beginning (after their first message)."""
        grant = connection.grant
        if grant is None or grant.conversation_id is None or connection.phase is not Phase.LIVE:
            return
        feed = await self._feeds.open(grant.workspace_id)
        stream = feed.open_stream(grant.conversation_id)
        stream.opening += 1
        try:
            await self._catch_up_visitor(connection, feed, stream, [])
        finally:
            stream.opening -= 1

    async def _resume_member(self, connection: Connection, feed: Feed) -> None:
        cursor = connection.resume_cursor
        epoch = self._ports.epoch()
        if cursor is not None and cursor.epoch == epoch and cursor.seq > feed.last:
            # A snapshot may be ahead of the hints.
            await self._feeds.reach(feed, cursor.seq)
        audience = await self._audience(connection, feed)
        if not connection.is_resumable(cursor, epoch, feed.last, RESUME_LIMIT_EVENTS):
            self._welcome(connection, audience.head, recovered=False)
            return
        assert cursor is not None
        prev = await self._visible_before(feed, audience, cursor)
        connection.position = cursor.seq
        self._welcome(connection, audience.head, recovered=True)
        await self._catch_up(connection, feed, prev)

    async def _catch_up(self, connection: Connection, feed: Feed, prev: int) -> None:
        """Send what lies between the connection and the feed, then let it hear live events."""
        while connection.phase is Phase.OPENING:
            if feed.is_void:
                self._fanout.lose([connection], "lost", 0)
                return
            if connection.position == feed.last:
                audience = await self._audience(connection, feed)
                if connection.position == feed.last and feed.audiences.get(audience.key) is audience:
                    connection.position = feed.last  # the same number, but one object for all who are up to date
                    self._fanout.join(connection, audience)
                    return
                continue
            events = feed.remembered_after(connection.position, CHUNK_EVENTS)
            if events is None:
                events = list(await self._ports.events_after(feed.workspace_id, connection.position, CHUNK_EVENTS))
                if not events:
                    self._fanout.lose([connection], "lost", 0)
                    return
            prev = self._write_events(connection, feed, events, prev)
            _advance_cursor(connection)
            await self._drain(connection)

    def _write_events(self, connection: Connection, feed: Feed, events: list[LoggedEvent], prev: int) -> int:
        inboxes = connection.grant.visible_inboxes if connection.grant is not None else frozenset()
        for event in events:
            if event.seq > feed.last:
                break  # the rest comes live
            payload = payload_for(inboxes, event, self._fanout)
            if payload is not None:
                connection.write(encode_event(event.seq, prev, payload))
                prev = event.seq
            connection.position = event.seq
        return prev

    async def _audience(self, connection: Connection, feed: Feed) -> Audience:
        """Find or make the audience of a member, its head read from the log where it is new."""
        grant = connection.grant
        assert grant is not None
        key = audience_key(grant)
        while True:
            if (audience := feed.audiences.get(key)) is not None:
                return audience
            at = feed.last
            head = at if key.inboxes is None else await self._visible_head(feed, key, at)
            missed = feed.remembered_after(at, RING_EVENTS)
            if key in feed.audiences or missed is None:
                continue
            for event in missed:
                if is_visible(key.inboxes, event):
                    head = event.seq
            return feed.audiences.setdefault(key, Audience(key, head))

    async def _visible_head(self, feed: Feed, key: AudienceKey, at: int) -> int:
        """Ask once for everybody of one audience who comes at the same time."""
        asked = (feed, key, at)
        future = self._visible_heads.get(asked)
        if future is None:
            inboxes = sorted(key.inboxes or ())
            future = asyncio.ensure_future(self._ports.visible_head(feed.workspace_id, at, inboxes))
            self._visible_heads[asked] = future
            future.add_done_callback(lambda done: self._forget_question(asked, done))
        return await asyncio.shield(future)

    def _forget_question(self, asked: tuple[Feed, AudienceKey, int], done: asyncio.Future[int]) -> None:
        self._visible_heads.pop(asked, None)
        if not done.cancelled():
            done.exception()  # taken note of: everybody who asked may be gone

    async def _visible_before(self, feed: Feed, audience: Audience, cursor: Cursor) -> int:
        """Return the ``prev`` of the first event after the cursor, exactly."""
        if audience.inboxes is None:
            return cursor.seq
        if audience.head <= cursor.seq:
            return audience.head
        for event in feed.remembered_until(cursor.seq):
            if is_visible(audience.inboxes, event):
                return event.seq
        return await self._visible_head(feed, audience.key, cursor.seq)

    def _resume_new_visitor(self, connection: Connection) -> None:
        """A visitor without a conversation has nothing to miss; their first send attaches them."""
        cursor = connection.resume_cursor
        recovered = cursor is not None and cursor.epoch == self._ports.epoch() and cursor.seq == 0
        connection.position = 0
        self._welcome(connection, 0, recovered=recovered)
        if recovered and connection.phase is Phase.OPENING:
            connection.phase = Phase.LIVE

    async def _resume_visitor(self, connection: Connection, feed: Feed, stream: VisitorStream) -> None:
        cursor = connection.resume_cursor
        if cursor is None or cursor.epoch != self._ports.epoch():
            self._welcome(connection, await self._conversation_head(feed, stream), recovered=False)
            return
        # One event further back than asked for: without it the cursor is beyond the conversation's end.
        start = max(cursor.seq - 1, 0)
        events = list(
            await self._ports.conversation_events_after(
                feed.workspace_id, stream.conversation_id, start, RESUME_LIMIT_EVENTS + 2
            )
        )
        newest = events[-1].conversation_seq or 0 if events else 0
        stream.head = max(stream.head, newest)
        if newest < cursor.seq or newest - cursor.seq > RESUME_LIMIT_EVENTS:
            self._welcome(connection, stream.head, recovered=False)
            return
        connection.position = cursor.seq
        self._welcome(connection, stream.head, recovered=True)
        await self._catch_up_visitor(connection, feed, stream, events)

    async def _catch_up_visitor(
        self, connection: Connection, feed: Feed, stream: VisitorStream, events: list[LoggedEvent]
    ) -> None:
        is_asked = bool(events)
        while connection.phase in (Phase.OPENING, Phase.LIVE):
            for event in events:
                seq = event.conversation_seq or 0
                if seq > connection.position:
                    connection.write(self._fanout.visitor_frame(event, seq))
                    connection.position = seq
            stream.head = max(stream.head, connection.position)
            _advance_cursor(connection)
            if feed.is_void or not feed.has_stream(stream):
                self._fanout.lose([connection], "lost", 0)
                return
            if is_asked and stream.head <= connection.position:
                self._fanout.join_stream(connection, stream)
                return
            await self._drain(connection)
            events = list(
                await self._ports.conversation_events_after(
                    feed.workspace_id, stream.conversation_id, connection.position, CHUNK_EVENTS
                )
            )
            is_asked = True
            if not events and stream.head > connection.position:
                self._fanout.lose([connection], "lost", 0)
                return

    async def _conversation_head(self, feed: Feed, stream: VisitorStream) -> int:
        newest = 0
        while True:
            events = await self._ports.conversation_events_after(
                feed.workspace_id, stream.conversation_id, newest, RESUME_LIMIT_EVENTS
            )
            if events:
                newest = events[-1].conversation_seq or newest
            if len(events) < RESUME_LIMIT_EVENTS:
                return newest

    async def _drain(self, connection: Connection) -> None:
        """Wait until what was queued has left for the socket; at once when the connection is closed."""
        if connection.queue is not None and not connection.closed:
            drained = connection.drained
            if drained is None:
                drained = connection.drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(drained)

    def _welcome(self, connection: Connection, head: int, *, recovered: bool) -> None:
        grant = connection.grant
        if grant is None or connection.phase is not Phase.OPENING:
            return  # closed, or a gap went out meanwhile: the client says hello again
        self._counters.resumes["recovered" if recovered else "snapshot"] += 1
        if not recovered:
            connection.phase = Phase.WAITING
        connection.is_welcomed = True
        is_member = grant.kind == "member"
        connection.send(
            Welcome(
                connection_id=connection.id,
                epoch=self._ports.epoch(),
                head=head,
                recovered=recovered,
                resume_ticket=self._tickets.issue(grant, self._ports.epoch()),
                member_id=grant.subject_id if is_member else None,
                conversation_id=None if is_member else grant.conversation_id,
            )
        )


def _advance_cursor(connection: Connection) -> None:
    """Should the log become unreadable now, the next try goes on from here."""
    if connection.resume_cursor is not None:
        connection.resume_cursor = Cursor(connection.resume_cursor.epoch, connection.position)
