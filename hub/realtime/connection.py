"""
One connection: a socket, its session, and what it is owed. Only ``connections.py`` writes to sockets.

Less than a kilobyte while it is idle, every index included: docs/decisions/0018.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, cast, overload

from hub.realtime.owed import Owed
from hub.realtime.protocol import CloseCode, HubFrame, TypingShown, encode
from hub.realtime.resting import put_to_rest, wake
from hub.realtime.session import Phase, Session

if TYPE_CHECKING:
    import asyncio
    from collections import deque
    from collections.abc import Sequence
    from uuid import UUID

    from hub.realtime.audience import Audience, VisitorStream
    from hub.realtime.connections import Connections
    from hub.realtime.ports import Grant, Handshake
    from hub.realtime.protocol import Cursor, Read, Send, Typing, Viewing

    Work = Send | Read | Typing | Viewing

BUFFER_FRAMES = 256
BUFFER_BYTES = 1024 * 1024
# The wheel looks once a second and signs of life are noted by the second: each of these is a second short, so that
# nobody is silent for 30 s without a ping, or for 60 s and still here.
PING_AFTER_S = 29.0
SILENT_S = 59.0
# Pings of sockets that came together go out over these seconds; clients of ours speak every 25 s and get none.
PING_SPREAD_S = 3

_Value = TypeVar("_Value")


class Sink(Protocol):
    """What is under connections: one for each socket, or one for all of a kind; ``api/ws.py`` has one, tests record."""

    def write(self, connection: Connection, data: bytes) -> None:
        """Hand over whole WebSocket frames; may raise, which costs only this connection."""
        ...

    def close(self, connection: Connection, code: int, reason: str) -> None:
        """Send a close frame and end the socket; must not raise."""
        ...


class SharedSink(Sink, Protocol):
    """A sink that serves many sockets: ``lane.py``."""

    def write_all(self, connections: Sequence[Connection], data: bytes) -> list[tuple[Connection, Exception]]:
        """Hand the same frames over for each of its connections; returns those that cannot be written to."""
        ...


class _Rare(Generic[_Value]):
    """A field of ``Connection`` that few have at any moment: in a dict that is there only while one of them is set."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type[Connection], name: str) -> None:
        self._name = name

    @overload
    def __get__(self, connection: None, owner: type[Connection]) -> _Rare[_Value]: ...

    @overload
    def __get__(self, connection: Connection, owner: type[Connection]) -> _Value | None: ...

    def __get__(self, connection: Connection | None, owner: type[Connection]) -> _Rare[_Value] | _Value | None:
        if connection is None:
            return self
        return None if connection.rare is None else cast("_Value | None", connection.rare.get(self._name))

    def __set__(self, connection: Connection, value: _Value | None) -> None:
        if value is not None:
            if connection.rare is None:
                connection.rare = {}
            connection.rare[self._name] = value
        elif connection.rare is not None:
            connection.rare.pop(self._name, None)
            if not connection.rare:
                connection.rare = None


class Connection(Session):
    """
    One socket and its session. Only ``Connections`` and the rooms of ``hub/realtime`` touch its fields.

    Attributes:
        fd: The descriptor, where the sink serves many sockets; -1 where the sink is the socket.
        position: Newest seq (visitors: conversation_seq) that was queued for this socket before it went live.
        queue: What it is owed; None while that is nothing.
        heard_at_s: The second of the newest sign of life, one object for all who were heard in it.
        slot: Its one place on the wheel.
        rare: See ``_Rare``.
        handshake: Until the subject is known.
    """

    __slots__ = (
        "_number",
        "_own",
        "_shared",
        "audience",
        "closed",
        "fd",
        "heard_at_s",
        "owner",
        "position",
        "queue",
        "rare",
        "sink",
        "slot",
        "stream",
        "ticket_at_s",
        "unwritable_since_s",
    )

    drained: _Rare[asyncio.Future[None]] = _Rare()
    handshake: _Rare[Handshake] = _Rare()
    inbox: _Rare[deque[Work]] = _Rare()
    opener: _Rare[asyncio.Task[None]] = _Rare()
    resume_cursor: _Rare[Cursor] = _Rare()
    typing: _Rare[tuple[TypingShown, float]] = _Rare()
    viewing: _Rare[UUID] = _Rare()
    worker: _Rare[asyncio.Task[None]] = _Rare()

    def __init__(self, owner: Connections, sink: Sink, handshake: Handshake | None, now_s: float) -> None:
        super().__init__()
        self.owner = owner
        self.sink = sink
        self.fd = -1
        self.closed = False
        self._number = owner.next_number()
        self._shared: Grant | None = None
        self._own = b""
        self.audience: Audience | None = None
        self.stream: VisitorStream | None = None
        self.position = 0
        self.queue: Owed | None = None
        self.rare: dict[str, object] | None = None
        self.handshake = handshake
        self.heard_at_s = self.ticket_at_s = owner.second(now_s)
        self.unwritable_since_s: float | None = None
        self.slot = 0

    @property
    def id(self) -> str:
        """Its name in welcome, presence and logs; made when asked for, a string a socket is 65 bytes."""
        return f"{self.owner.name}-{self._number:x}"

    @property
    def kind(self) -> str:
        """``opening``, ``member`` or ``visitor``."""
        return "opening" if self._shared is None else self._shared.kind

    @property
    def account_id(self) -> UUID | None:
        """A visitor's live chat; None for members, and where it is not known."""
        return None if self._shared is None else self._shared.account_id

    @property
    def workspace_id(self) -> int:
        """The workspace, 0 until it is known."""
        return 0 if self._shared is None else self._shared.workspace_id

    @property
    def grant(self) -> Grant | None:
        """Who it is and what they may see, put together anew each time: compare grants by ``==``, never by ``is``."""
        return None if self._shared is None else wake(self._shared, self._own)

    @grant.setter
    def grant(self, grant: Grant) -> None:
        self._shared, self._own = put_to_rest(grant, self.owner.shared_grants)
        self.handshake = None

    def has_session(self, session_id: UUID) -> bool:
        """Say whether a sign-in is this connection's; of thousands only the right one's grant is put together."""
        if session_id.bytes not in self._own:
            return False
        grant = self.grant
        return grant is not None and grant.session_id == session_id

    @property
    def queued_bytes(self) -> int:
        """How much waits to be written."""
        return 0 if self.queue is None else self.queue.size_bytes

    def write(self, frame: bytes) -> bool:
        """
        Queue one WebSocket frame. ``Connections.write_to_all`` has the same few lines for many sockets.

        Returns:
            False when the frame will not be sent: the connection is closed, or reads too slowly (it was told so).
        """
        queue = self.queue
        if queue is None:
            if self.closed:
                return False
            self.owner.dirty.line(self.workspace_id).append(self)
        queue = self.queue = Owed(queue, frame)
        if queue.frames >= BUFFER_FRAMES or queue.size_bytes >= BUFFER_BYTES:
            return self.owner.relieve(self)
        return True

    def send(self, frame: HubFrame) -> bool:
        """Encode and queue one frame of ours."""
        return self.write(encode(frame))

    def check(self, now_s: float) -> None:
        """Close a connection that is late or silent, ping one that was silent for a while, and look again later."""
        if self.closed:
            return
        if self.phase is Phase.HELLO:
            self.owner.close(self, CloseCode.HELLO_LATE, "hello did not come in time")
            return
        silent_s = now_s - self.heard_at_s
        if silent_s >= SILENT_S:
            self.owner.close(self, CloseCode.IDLE, "idle")
            return
        if silent_s < PING_AFTER_S - PING_SPREAD_S:
            # Also where a ping was answered: the next one is due half a minute after the answer.
            again_s = self.heard_at_s + PING_AFTER_S - self._number % (PING_SPREAD_S + 1)
        else:
            self.owner.ping(self)
            again_s = self.heard_at_s + SILENT_S
        self._tidy(now_s)
        if not self.closed:
            self.owner.look_again(self, again_s)

    def _tidy(self, now_s: float) -> None:
        """Let go of what was said a while ago and counts no more."""
        if self.paid_until_s <= now_s:
            self.paid_until_s = 0.0
        if self.typing is not None and self.typing[1] <= now_s:
            self.typing = None
