"""
The lobby: visitors who said hello wait here together until one query has said where all of them stand.

Most sockets are visitors, each with a conversation of their own: whoever missed nothing is live without a query, a task
or an await of their own. Called by ``opening.py``, and by ``hub.py`` for conversations that begin on an open socket.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from hub.errors import HubError, Unavailable
from hub.events.model import ConversationRange
from hub.log import get_logger
from hub.realtime.catch_up import CHUNK_EVENTS, advance_cursor, drained
from hub.realtime.log_reads import QUERY_EVENTS
from hub.realtime.protocol import RESUME_LIMIT_EVENTS
from hub.realtime.session import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence
    from uuid import UUID

    from hub.events.model import LoggedEvent
    from hub.realtime.audience import VisitorStream
    from hub.realtime.connections import Connection
    from hub.realtime.fanout import Fanout
    from hub.realtime.feed import Feed, Feeds
    from hub.realtime.log_reads import LogReads
    from hub.realtime.ports import Grant, Ports, VisitorConversation, VisitorThread
    from hub.realtime.welcome import Welcoming

# Visitors of one query.
BATCH = 500
# Least time between two queries: in a storm each answers everybody who came since the last.
PAUSE_S = 0.05
# While a store is away the lobby asks again after these pauses, and sends away who has waited for longer than the last.
RETRY_S = (0.2, 0.5, 1.0, 2.0)
WAITS_S = 7.5
# How far back in a ring a visitor's events are looked for before the log is read.
RING_LOOK_EVENTS = 200

_log = get_logger("realtime")


class _Behind(NamedTuple):
    """A visitor who was welcomed and has events to be read."""

    connection: Connection
    feed: Feed
    stream: VisitorStream

    def range(self) -> ConversationRange:
        """Return what is to be read next."""
        position = self.connection.position
        missing = min(max(self.stream.head - position, 1), CHUNK_EVENTS)
        return ConversationRange(self.feed.workspace_id, self.stream.conversation_id, position, missing)


class Lobby:
    """Answers visitors' cursors with ``welcome`` and the events after them."""

    def __init__(
        self,
        ports: Ports,
        reads: LogReads,
        feeds: Feeds,
        fanout: Fanout,
        welcoming: Welcoming,
        *,
        on_refused: Callable[[Connection, HubError], None],
    ) -> None:
        self._ports = ports
        self._reads = reads
        self._feeds = feeds
        self._fanout = fanout
        self._welcoming = welcoming
        self._on_refused = on_refused
        # Who waits, and since when.
        self._waiting: dict[Connection, float] = {}
        self._runner: asyncio.Task[None] | None = None
        self._asks_at_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        # Newest conversation_seq of events applied while a query is under way: its answer may be older.
        self._applied: dict[tuple[int, UUID], int] | None = None

    def __len__(self) -> int:
        """How many wait or are being caught up."""
        return len(self._waiting) + len(self._tasks)

    def enter(self, connection: Connection) -> None:
        """Have a visitor's cursor answered: the connection is in ``OPENING`` and its grant is set."""
        self._waiting.setdefault(connection, asyncio.get_running_loop().time())
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._run())

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is gone."""
        self._waiting.pop(connection, None)

    def note_event(self, event: LoggedEvent) -> None:
        """Take note of an event that was just applied."""
        if self._applied is not None and event.conversation_seq is not None and event.conversation_id is not None:
            self._applied[event.workspace_id, event.conversation_id] = event.conversation_seq

    def attach(self, connection: Connection) -> None:
        """Let a live visitor hear a conversation that just began, from its beginning."""
        grant = connection.grant
        if grant is not None and grant.conversation_id is not None and connection.phase is Phase.LIVE:
            self._go(connection, None, lambda: self._attach(connection, grant))

    def stop(self) -> None:
        """End what is under way."""
        for task in (self._runner, *self._tasks):
            if task is not None:
                task.cancel()

    async def _run(self) -> None:
        failures = 0
        try:
            while self._waiting:
                await asyncio.sleep(self._pause_s(failures))
                self._asks_at_s = asyncio.get_running_loop().time() + PAUSE_S
                batch = {one: self._waiting.pop(one) for one in list(self._waiting)[:BATCH]}
                try:
                    await self._answer(batch)
                    failures = 0
                except HubError as error:
                    failures += 1
                    self._put_off(batch, error)
                except Exception:  # loop: these say hello again
                    _log.exception("lobby_failed")
                    self._put_off(batch, Unavailable("This failed on our side.", retry_after_s=5.0))
        finally:
            self._runner = None
            if not self._waiting:
                self._waiting = {}  # an emptied dict keeps its size

    def _pause_s(self, failures: int) -> float:
        if failures:
            return RETRY_S[min(failures, len(RETRY_S)) - 1]
        return max(0.0, self._asks_at_s - asyncio.get_running_loop().time())

    def _put_off(self, batch: dict[Connection, float], error: HubError) -> None:
        """Have everybody wait on, and send away who has waited too long."""
        now_s = asyncio.get_running_loop().time()
        for connection, since_s in batch.items():
            if connection.closed:
                continue
            if now_s - since_s < WAITS_S:
                self._waiting.setdefault(connection, since_s)
            else:
                self._on_refused(connection, error)

    async def _answer(self, batch: dict[Connection, float]) -> None:
        """Say to everybody of a batch where they stand; raises ``Unavailable`` before anybody was told anything."""
        grants: dict[Connection, Grant] = {}
        for connection in batch:
            opener, grant = connection.opener, connection.grant
            is_answered = opener is not None and not opener.done()
            if grant is not None and connection.phase is Phase.OPENING and not is_answered:
                grants[connection] = grant
        workspace_ids = list({grant.workspace_id for grant in grants.values()})
        feeds = dict(zip(workspace_ids, await asyncio.gather(*map(self._feeds.open, workspace_ids)), strict=True))
        threads = {connection: self._ports.visitor_thread(grant) for connection, grant in grants.items()}
        self._applied = {}
        behind: list[_Behind] = []
        try:
            found = await self._find(list(set(threads.values())))
            for connection, thread in threads.items():
                feed = feeds[thread.workspace_id]
                if connection.grant != grants[connection] or feed.is_void:
                    # Another tab's first message, or the log went back in time, while we asked.
                    if not connection.closed:
                        self._waiting.setdefault(connection, batch[connection])
                elif connection.phase is Phase.OPENING:
                    self._place_guarded(connection, grants[connection], feed, found.get(thread), behind)
        finally:
            self._applied = None
        await self._read_missed(behind)

    async def _find(self, threads: list[VisitorThread]) -> dict[VisitorThread, VisitorConversation]:
        return dict(await self._ports.visitor_conversations(threads)) if threads else {}

    def _place_guarded(
        self,
        connection: Connection,
        grant: Grant,
        feed: Feed,
        found: VisitorConversation | None,
        behind: list[_Behind],
    ) -> None:
        try:
            stream = self._place(connection, grant, feed, found)
            if stream is not None:
                behind.append(_Behind(connection, feed, stream))
        except Exception:  # loop: one visitor costs only their own connection
            _log.exception("hello_failed", connection=connection.id)
            self._on_refused(connection, HubError("This failed on our side.", retry_after_s=5.0))

    def _place(
        self, connection: Connection, grant: Grant, feed: Feed, found: VisitorConversation | None
    ) -> VisitorStream | None:
        """Welcome a visitor and make them live; returns their stream where what they missed must be read first."""
        cursor, epoch = connection.resume_cursor, self._welcoming.epoch()
        is_known = cursor is not None and cursor.epoch == epoch
        if found is None:
            self._place_new(connection, is_recovered=is_known and cursor is not None and cursor.seq == 0)
            return None
        if found.conversation_id != grant.conversation_id:
            # A ticket of another conversation: the cursor counts that one's events.
            is_known = is_known and grant.conversation_id is None
            connection.grant = structs.replace(grant, conversation_id=found.conversation_id)
        stream = feed.open_stream(found.conversation_id)
        applied = (self._applied or {}).get((feed.workspace_id, found.conversation_id), 0)
        stream.head = max(stream.head, found.head, applied)
        if cursor is None or not is_known or not 0 <= stream.head - cursor.seq <= RESUME_LIMIT_EVENTS:
            self._welcoming.welcome(connection, stream.head, recovered=False)
            return None
        connection.position = cursor.seq
        self._welcoming.welcome(connection, stream.head, recovered=True)
        for event in _held(feed, stream, cursor.seq):
            self._write(connection, event)
        if connection.phase is not Phase.OPENING:
            return None
        if connection.position < stream.head:
            return stream
        self._join(connection, stream)
        return None

    def _join(self, connection: Connection, stream: VisitorStream) -> None:
        connection.resume_cursor = None
        self._fanout.join_stream(connection, stream)

    def _place_new(self, connection: Connection, *, is_recovered: bool) -> None:
        """A visitor without a conversation has nothing to miss; their first send attaches them."""
        connection.position = 0
        connection.resume_cursor = None
        self._welcoming.welcome(connection, 0, recovered=is_recovered)
        if is_recovered and connection.phase is Phase.OPENING:
            connection.phase = Phase.LIVE

    async def _read_missed(self, behind: list[_Behind]) -> None:
        """Read what a batch missed, many conversations a query, and make everybody live whose log that was."""
        for one in behind:
            one.stream.opening += 1
        try:
            for some in _slices(behind):
                ranges = [one.range() for one in some]
                found = await self._ports.conversation_ranges(list(dict.fromkeys(ranges)))
                for one, wanted in zip(some, ranges, strict=True):
                    self._finish(one, found.get(wanted, ()))
        except HubError:
            # They say hello again, and wait here until the log can be read.
            self._fanout.lose([one.connection for one in behind if self._is_theirs(one)], "lost", 0)
        finally:
            for one in behind:
                one.stream.opening -= 1

    def _is_theirs(self, one: _Behind) -> bool:
        """Whether a connection still waits for what was read: it may have gone, or said hello again."""
        connection = one.connection
        return connection.phase is Phase.OPENING and connection not in self._waiting

    def _finish(self, one: _Behind, events: Sequence[LoggedEvent]) -> None:
        if not self._is_theirs(one):
            return
        connection, feed, stream = one
        if not events or feed.is_void or not feed.has_stream(stream):
            self._fanout.lose([connection], "lost", 0)
            return
        for event in events:
            self._write(connection, event)
        stream.head = max(stream.head, connection.position)
        if not self._is_theirs(one):
            return
        if connection.position == stream.head:
            self._join(connection, stream)
        else:
            self._go(connection, stream, lambda: self._catch_up(connection, feed, stream))

    async def _attach(self, connection: Connection, grant: Grant) -> None:
        feed = await self._feeds.open(grant.workspace_id)
        if connection.grant != grant or grant.conversation_id is None:
            return
        stream = feed.open_stream(grant.conversation_id)
        stream.opening += 1
        try:
            connection.position = 0
            await self._catch_up(connection, feed, stream, is_asked=False)
        finally:
            stream.opening -= 1

    async def _catch_up(
        self, connection: Connection, feed: Feed, stream: VisitorStream, *, is_asked: bool = True
    ) -> None:
        """Send what lies between the connection and the stream; ``is_asked``: the stream's head is known."""
        while connection.phase in (Phase.OPENING, Phase.LIVE):
            if feed.is_void or not feed.has_stream(stream):
                self._fanout.lose([connection], "lost", 0)
                return
            if is_asked and stream.head <= connection.position:
                self._fanout.join_stream(connection, stream)
                return
            limit = min(max(stream.head - connection.position, 1), CHUNK_EVENTS) if is_asked else CHUNK_EVENTS
            wanted = ConversationRange(feed.workspace_id, stream.conversation_id, connection.position, limit)
            events = await self._reads.conversation_events(wanted)
            if not events and stream.head > connection.position:
                self._fanout.lose([connection], "lost", 0)
                return
            is_asked = is_asked or len(events) < limit
            for event in events:
                self._write(connection, event)
            stream.head = max(stream.head, connection.position)
            advance_cursor(connection)
            await drained(connection)

    def _write(self, connection: Connection, event: LoggedEvent) -> None:
        seq = event.conversation_seq or 0
        if seq > connection.position:
            connection.write(self._fanout.visitor_frame(event, seq))
            connection.position = seq

    def _go(
        self, connection: Connection, stream: VisitorStream | None, work: Callable[[], Coroutine[object, object, None]]
    ) -> None:
        """Run a visitor's own task; ``stream`` is not forgotten meanwhile. The next hello, or the end, cancels it."""
        task = asyncio.get_running_loop().create_task(self._guarded(connection, work))
        self._tasks.add(task)
        connection.opener = task
        if stream is not None:
            stream.opening += 1

        def end(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            if connection.opener is done:
                connection.opener = connection.resume_cursor = None
            if stream is not None:
                stream.opening -= 1

        task.add_done_callback(end)

    async def _guarded(self, connection: Connection, work: Callable[[], Coroutine[object, object, None]]) -> None:
        try:
            await work()
        except HubError:
            # They say hello again, and wait here until the log can be read.
            self._fanout.lose([connection], "lost", 0)
        except Exception:  # loop: one visitor costs only their own connection
            _log.exception("catch_up_failed", connection=connection.id)
            self._fanout.lose([connection], "lost", 0)


def _slices(behind: list[_Behind]) -> Iterator[list[_Behind]]:
    some: list[_Behind] = []
    weight = 0
    for one in behind:
        added = one.range().limit
        if some and weight + added > QUERY_EVENTS:
            yield some
            some, weight = [], 0
        some.append(one)
        weight += added
    if some:
        yield some


def _held(feed: Feed, stream: VisitorStream, position: int) -> list[LoggedEvent]:
    """Return every event of the conversation after ``position`` where the ring holds them all, else nothing."""
    missing = stream.head - position
    found: list[LoggedEvent] = []
    if not 0 < missing <= CHUNK_EVENTS:
        return found
    conversation_id = stream.conversation_id
    for event in islice(feed.ring.newest_first(feed.last), RING_LOOK_EVENTS):
        if event.conversation_id == conversation_id and event.conversation_seq is not None:
            found.append(event)
            if event.conversation_seq == position + 1:
                found.reverse()
                return found if len(found) == missing else []
    return []
