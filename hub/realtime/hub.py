"""
The real-time hub of one process: takes frames from sockets, answers them, and keeps the loops that everything needs.

Who somebody is and what a message does is injected (``ports.py``); sockets are ``api/ws.py``'s.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from hub import clock
from hub.errors import HubError
from hub.log import get_logger
from hub.realtime.admission import Admission
from hub.realtime.broker import RevocationSignal, RightsSignal, VisitorSignal
from hub.realtime.catch_up import CatchUp
from hub.realtime.connections import Connection, Connections, Counters
from hub.realtime.draining import Drain
from hub.realtime.fanout import Fanout
from hub.realtime.feed import RIGHTS_EVENTS, Feeds
from hub.realtime.healing import Healing
from hub.realtime.inbound import Inbound
from hub.realtime.lane import Lane
from hub.realtime.limits import DEFAULT_LIMITS, Limits
from hub.realtime.lobby import Lobby
from hub.realtime.log_reads import LogReads
from hub.realtime.opening import COME_BACK_WITHIN_S, Opening, come_back_in_s
from hub.realtime.presence_rounds import PresenceRounds
from hub.realtime.protocol import (
    CloseCode,
    Hello,
    Ping,
    ProtocolViolation,
    client_message_id_of,
    refusal,
)
from hub.realtime.resume import RENEW_AFTER_S, ResumeTickets
from hub.realtime.revocations import Revocations
from hub.realtime.rights import Rights
from hub.realtime.ring import RingBudget
from hub.realtime.signals import Signals
from hub.realtime.welcome import Welcoming
from hub.realtime.wheel import Wheel
from hub.tracing import NO_TRACER

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from datetime import datetime

    from hub.events.model import LoggedEvent
    from hub.realtime.broker import Broker
    from hub.realtime.connections import Sink
    from hub.realtime.feed import Feed
    from hub.realtime.ports import Handshake, Ports
    from hub.realtime.presence import Presence
    from hub.tracing import Tracer

# Sockets looked at, and pinged where silent, in one loop turn: about 2 ms.
CHECKS_PER_TURN = 256
# Sends under way get this long to be answered and presence to be taken back.
STOP_WITHIN_S = 2.0

_log = get_logger("realtime")


class RealtimeHub:
    """
    See the module.

    Attributes:
        counters: For /metrics.
        handshakes_refused: Counted by reason by the layer that answers handshakes.
        is_draining: New sockets are refused.
        lane: Where sockets live that have left their transports.
    """

    def __init__(
        self,
        ports: Ports,
        broker: Broker,
        presence: Presence,
        *,
        secret_key: bytes,
        tracer: Tracer = NO_TRACER,
        now: Callable[[], datetime] = clock.now,
        monotonic_s: Callable[[], float] = clock.monotonic_s,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._ports = ports
        self._broker = broker
        self._tracer = tracer
        self._monotonic_s = monotonic_s
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []
        self.lane = Lane(self)
        self.counters = Counters()
        self.handshakes_refused: Counter[str] = Counter()
        self.is_draining = False
        self.wheel = Wheel(monotonic_s())
        self.fanout = Fanout(ports, self.counters, self._on_applied)
        reads = LogReads(ports)
        self.feeds = Feeds(reads, self.fanout, self.counters, broker, RingBudget(limits.ring_bytes))
        self.connections = Connections(_call_soon, self.wheel, self.counters, self._on_lost, tracer)
        self.connections.shared_sink = self.lane
        tickets = ResumeTickets(secret_key, now)
        welcoming = Welcoming(ports, tickets, self.counters)
        self.catch_up = CatchUp(reads, self.feeds, self.fanout, welcoming, self.counters)
        self.lobby = Lobby(ports, reads, self.feeds, self.fanout, welcoming, on_refused=self._refuse_hello)
        self.rights = Rights(ports, self.feeds, self.fanout, self.connections, on_conversation=self.lobby.attach)
        self.revocations = Revocations(ports, self.rights.close_revoked, monotonic_s)
        self.opening = Opening(
            ports,
            self.catch_up,
            self.lobby,
            self.feeds,
            self.fanout,
            self.connections,
            tickets,
            self.revocations,
            on_open=self._on_open,
        )
        self.admission = Admission(
            self.opening.start, self._send_to_slot, self.opening.busy, rate_per_s=limits.hellos_per_s
        )
        self._drain = Drain(self.connections, self.send_away)
        self.presence = PresenceRounds(
            presence,
            broker,
            feeds=self.feeds,
            fanout=self.fanout,
            holder=clock.new_token(8),
            monotonic_s=monotonic_s,
        )
        self.signals = Signals(
            ports, broker, self.presence, feeds=self.feeds, fanout=self.fanout, monotonic_s=monotonic_s
        )
        self.inbound = Inbound(ports, self.signals, self.rights, self.fanout, self.counters, tracer, run=self._run)
        self.healing = Healing(
            ports,
            self.feeds,
            self.counters,
            now=now,
            monotonic_s=monotonic_s,
            on_void=self._on_void,
            is_used=lambda workspace_id: workspace_id in self.fanout.by_workspace,
        )

    async def start(self) -> None:
        """Listen to the broker and start the loops: healing, rights, presence, and the one timer."""
        await self._broker.start(self)
        self.lane.start()
        loops = (
            self.healing.run(),
            self.rights.run(),
            self.revocations.run(),
            self.presence.run(),
            self._turn_wheel(),
        )
        for loop in loops:
            self._loops.append(asyncio.get_running_loop().create_task(loop))

    async def drain(self, within_s: float = 0.0) -> None:
        """
        Send every connection away, evenly over a time, each with ``bye`` and a time to come back; refuse new ones.

        Args:
            within_s: How long the last one may stay; 0 sends everybody away at once. A second call hurries the first.
        """
        self.is_draining = True
        self.admission.stop()
        await self._drain.run(within_s)

    async def stop(self) -> None:
        """Drain, then end the loops and the broker; the hub cannot be started again."""
        await self.drain()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STOP_WITHIN_S)
        self.lobby.stop()
        tasks = [*self._loops, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.lane.stop()
        self.feeds.stop()
        await self.presence.stop()
        await self._broker.stop()

    def attach(self, sink: Sink, handshake: Handshake) -> Connection:
        """Take a freshly opened socket in; it has five seconds to say hello."""
        connection = Connection(self.connections, sink, handshake, self._monotonic_s())
        self.connections.add(connection)
        return connection

    def now_s(self) -> float:
        """Return the clock that deadlines on ``wheel`` are set by."""
        return self._monotonic_s()

    def send_away(self, connection: Connection, within_s: float = COME_BACK_WITHIN_S) -> None:
        """Close one connection because this process is about to end; its client comes back within so many seconds."""
        come_back = round(come_back_in_s() * within_s / COME_BACK_WITHIN_S, 2)
        self.connections.close(connection, CloseCode.DRAIN, "the hub restarts", retry_after_s=come_back)

    def on_frame(self, connection: Connection, text: bytes) -> None:
        """Take the payload of one text frame."""
        if connection.closed:
            return
        now_s = self._monotonic_s()
        connection.heard_at_s = self.connections.second(now_s)
        self.counters.frames_in += 1
        try:
            frame = connection.receive(text, now_s)
            match frame:
                case Hello():
                    self._hear_hello(connection, frame)
                case Ping():
                    self._answer_ping(connection, now_s)
                case _:
                    self.inbound.enqueue(connection, frame)
        except ProtocolViolation as error:
            self.connections.close(connection, error.close_code, error.message, retry_after_s=error.retry_after_s)
        except HubError as error:
            self._refuse(connection, error, text)

    def on_heard(self, connection: Connection) -> None:
        """Note a sign of life that is no frame of ours: a WebSocket ping or pong."""
        connection.heard_at_s = self.connections.second(self._monotonic_s())

    def on_pause(self, connection: Connection) -> None:
        """The socket's buffer is full."""
        self.connections.pause(connection, self._monotonic_s())

    def on_resume(self, connection: Connection) -> None:
        """The socket takes bytes again."""
        self.connections.resume(connection)

    def on_close(self, connection: Connection, code: int = 0) -> None:
        """The socket is gone, or was failed with ``code`` by its own layer; safe after a close of ours."""
        if not connection.closed:
            self.counters.closes[code] += 1
            self.connections.forget(connection)

    def announce_rights(self, workspace_id: int) -> None:
        """Call after a change of rights that no event tells of: every process looks again at once."""
        self.signals.announce_rights(workspace_id)

    def announce_revocation(self, workspace_ids: Iterable[int]) -> None:
        """Call after a sign-out, with its owner's workspaces: every process closes the session's sockets at once."""
        for workspace_id in workspace_ids:
            self.signals.announce_revocation(workspace_id)

    def on_events(self, events: Sequence[LoggedEvent]) -> None:
        """See ``Listener``."""
        self.connections.hold()
        try:
            self.feeds.offer(events)
        finally:
            self.connections.let_go()

    def on_signal(self, workspace_id: int, data: bytes) -> None:
        """See ``Listener``."""
        match self.signals.on_signal(workspace_id, data):
            case RightsSignal():
                self.rights.want(workspace_id)
            case RevocationSignal():
                self.revocations.want()
            case VisitorSignal(subject_id=subject_id, conversation_id=conversation_id):
                self.inbound.move_visitor((workspace_id, subject_id), conversation_id)
            case None:
                pass

    def on_gap(self) -> None:
        """See ``Listener``."""
        self.healing.want_all()
        self.presence.want_all()
        self.rights.want_conversations()

    def _answer_ping(self, connection: Connection, now_s: float) -> None:
        is_old = now_s - connection.ticket_at_s >= RENEW_AFTER_S
        if is_old:
            connection.ticket_at_s = connection.heard_at_s
        self.opening.answer_ping(connection, renew=is_old)

    def _refuse(self, connection: Connection, error: HubError, text: bytes) -> None:
        self.counters.refused[error.code] += 1
        connection.send(refusal(error, client_message_id_of(text)))

    def _hear_hello(self, connection: Connection, hello: Hello) -> None:
        connection.resume_cursor = hello.cursor
        self.fanout.leave(connection)
        if connection.grant is None:
            self.admission.enter(connection, hello)
        else:
            self.opening.resume(connection)

    def _send_to_slot(self, connection: Connection, slot_s: float) -> None:
        self.connections.close(connection, CloseCode.DRAIN, "busy", retry_after_s=round(slot_s, 2))

    def _refuse_hello(self, connection: Connection, error: HubError) -> None:
        self.opening.refuse(connection, error)

    def _on_open(self, connection: Connection) -> None:
        grant = connection.grant
        if grant is not None and grant.kind == "member" and not connection.closed:
            self.presence.come(connection, grant)

    def _on_lost(self, connection: Connection) -> None:
        grant = connection.grant
        stream = connection.stream
        self.fanout.unbind(connection)
        self.admission.leave(connection)
        self.lobby.leave(connection)
        opener = connection.opener
        if opener is not None:
            opener.cancel()
        if grant is None:
            return
        feed = self.feeds.get(grant.workspace_id)
        if feed is not None and stream is not None:
            feed.drop_if_unused(stream)
        self.signals.leave(connection, grant)

    def _on_void(self, feed: Feed) -> None:
        self.fanout.lose(self.fanout.by_workspace.get(feed.workspace_id, []), "lost", 0)

    def _on_applied(self, event: LoggedEvent) -> None:
        self.signals.note_event(event)
        self.catch_up.note_event(event)
        self.lobby.note_event(event)
        if event.type in RIGHTS_EVENTS:
            self.rights.want(event.workspace_id)

    def members_by_workspace(self) -> dict[int, int]:
        """Return how many members' connections are here, by workspace; visitors are not counted."""
        counts = {key: sum(one.kind == "member" for one in found) for key, found in self.fanout.by_workspace.items()}
        return {key: count for key, count in counts.items() if count}

    async def _turn_wheel(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.catch_up.forget_old()
            try:
                # Turn by turn, so that others come between: ten thousand may be due in one second.
                while self.wheel.turn(self._monotonic_s(), CHECKS_PER_TURN):  # noqa: ASYNC110
                    await asyncio.sleep(0)
            except Exception:  # loop: the wheel turns on
                _log.exception("wheel_failed")

    def _run(self, coroutine: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _call_soon(callback: Callable[[], None]) -> object:
    return asyncio.get_running_loop().call_soon(callback)
