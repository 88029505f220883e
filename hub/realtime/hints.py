"""
Hints as they travel over Redis: how a message is written, and what of it a listener is told.

Called by ``broker_redis.py``, which decides when and where messages go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.events.model import LoggedEvent
from hub.log import get_logger
from hub.realtime.broker_backend import GAP_CHANNEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hub.realtime.broker import Listener
    from hub.realtime.subscription import Message

# What every process with sockets hears, whatever it wants.
ALL_CHANNEL = "hub:all"
# What one loop turn reads before others have theirs: a packet may bring thousands.
TURN_S = 0.004
# The clock is asked once for so many bytes, so that a message that comes alone pays for nothing.
LOOK_BYTES = 16 * 1024
# What a message costs beside its bytes, in bytes.
MESSAGE_BYTES = 512

_log = get_logger("broker")


class _Hints(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """
    What goes over the wire: events and signals of one shard, and which process they are from.

    The events stand behind their workspaces and undecoded: whoever wants none of these never looks into them (one by
    one they would cost 0.3 microseconds more each where they are wanted, which is the rule).
    """

    origin: bytes
    workspaces: tuple[int, ...]
    events: msgspec.Raw
    signals: tuple[tuple[int, bytes], ...] = ()


_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_DECODER = msgspec.msgpack.Decoder(_Hints)
_EVENTS = msgspec.msgpack.Decoder(list[LoggedEvent])


def encode_hints(origin: bytes, events: Sequence[LoggedEvent], signals: Sequence[tuple[int, bytes]]) -> bytes:
    """
    Write one message.

    Args:
        origin: The process that publishes: it has told its own listener already.
        events: Of any workspaces of one shard.
        signals: Workspace and what was said.
    """
    workspaces = tuple({event.workspace_id for event in events})
    undecoded = msgspec.Raw(_ENCODER.encode(events))
    return _ENCODER.encode(_Hints(origin, workspaces, undecoded, tuple(signals)))


class HintReader:
    """
    Tells a listener what messages of other processes say, as far as it wants that.

    Attributes:
        ignored: Messages of which nobody here wanted any event, dropped undecoded.
    """

    def __init__(
        self,
        listener: Listener,
        origin: bytes,
        wanted: Mapping[int, int],
        *,
        hears_all: bool,
        monotonic_s: Callable[[], float],
    ) -> None:
        """
        Begin.

        Args:
            listener: May raise: that costs it what it was just told, healing finds it.
            origin: This process, which hears itself otherwise.
            wanted: Workspaces the listener wants, as of each message.
            hears_all: It wants every one.
            monotonic_s: Measures a turn.
        """
        self._listener = listener
        self._origin = origin
        self._wanted = wanted
        self._hears_all = hears_all
        self._monotonic_s = monotonic_s
        # Events of the messages read in this turn: a listener delivers them together.
        self._events: list[LoggedEvent] = []
        self.ignored = 0

    def take(self, messages: Sequence[Message]) -> int:
        """Read messages in order, as many as one loop turn is for, and return how many that were; never raises."""
        taken = unlooked_bytes = 0
        until_s: float | None = None
        for channel, data in messages:
            self._read(channel, data)
            taken += 1
            unlooked_bytes += len(data) + MESSAGE_BYTES
            if unlooked_bytes >= LOOK_BYTES:
                unlooked_bytes = 0
                now_s = self._monotonic_s()
                if until_s is None:
                    until_s = now_s + TURN_S
                elif now_s >= until_s:
                    break
        self._tell_events()
        return taken

    def _read(self, channel: str, data: bytes) -> None:
        if channel == GAP_CHANNEL:
            self._tell(self._listener.on_gap)
            return
        try:
            hints = _DECODER.decode(data)
            if hints.origin == self._origin:
                return
            wanted = self._wanted
            if self._hears_all or channel == ALL_CHANNEL:
                self._events += _EVENTS.decode(hints.events)
            elif not wanted.keys().isdisjoint(hints.workspaces):
                events = _EVENTS.decode(hints.events)
                self._events += (
                    events
                    if len(hints.workspaces) == 1
                    else [event for event in events if event.workspace_id in wanted]
                )
            elif hints.workspaces:
                self.ignored += 1
        except msgspec.MsgspecError as error:
            # Another version's: its events are read from the log instead.
            _log.warning("hint_unreadable", channel=channel, error=str(error))
            self._tell(self._listener.on_gap)
            return
        if hints.signals:
            self._read_signals(hints.signals, hears_all=self._hears_all or channel == ALL_CHANNEL)

    def _read_signals(self, signals: Sequence[tuple[int, bytes]], *, hears_all: bool) -> None:
        for workspace_id, data in signals:
            if hears_all or workspace_id in self._wanted:
                self._tell(self._listener.on_signal, workspace_id, data)

    def _tell(self, tell: Callable[..., None], *arguments: object) -> None:
        """Tell something that is no event, behind the events that came before it."""
        self._tell_events()
        try:
            tell(*arguments)
        except Exception:  # loop: the next message is read
            _log.exception("listener_failed")

    def _tell_events(self) -> None:
        if not self._events:
            return
        events, self._events = self._events, []
        try:
            self._listener.on_events(events)
        except Exception:  # loop: hints are lost, healing finds them
            _log.exception("listener_failed")
