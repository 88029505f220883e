"""
The broker over Redis pub/sub, through the ``broadcaster`` library with a backend of our own (``broker_backend.py``).

Redis sends a process only the shards of workspaces it wants; of those, only the wanted workspaces' events are decoded.
What is published leaves in the background, coalesced; a full queue drops hints, which healing makes good.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, cast

import msgspec
from broadcaster import Broadcast

from hub.events.model import LoggedEvent
from hub.log import Dependency, get_logger
from hub.realtime.broker import LINGER_S, SHARDS, TOLD_TO_ALL
from hub.realtime.broker_backend import GAP_CHANNEL, RedisBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from broadcaster import Event as Published

    from hub.realtime.broker import Listener

QUEUE_LIMIT = 20_000
MESSAGE_EVENTS = 200
MESSAGES_PER_TURN = 64
STOP_WITHIN_S = 1.0
# What every process with sockets hears, whatever it wants.
ALL_CHANNEL = "hub:all"

_log = get_logger("broker")


class _Message(msgspec.Struct, frozen=True, array_like=True):
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
_DECODER = msgspec.msgpack.Decoder(_Message)
_EVENTS = msgspec.msgpack.Decoder(tuple[LoggedEvent, ...])


class RedisBroker:
    """
    See ``Broker``.

    Attributes:
        dropped: Hints and signals not sent, because Redis was away or too slow.
        ignored: Messages of which nobody here wanted any event, dropped undecoded.
        wire: Whether Redis takes hints.
    """

    def __init__(self, url: str, *, linger_s: float = LINGER_S) -> None:
        self._backend = RedisBackend(url)
        self._broadcast = Broadcast(backend=self._backend)
        self._origin = os.urandom(8)
        self._listener: Listener | None = None
        self._events: list[LoggedEvent] = []
        self._signals: list[tuple[int, bytes]] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_sending = False
        self._linger_s = linger_s
        self._hears_all = False
        self._wanted: dict[int, int] = {}
        # Shards somebody here wants; done once Redis sends them.
        self._shards: dict[int, asyncio.Future[None]] = {}
        self.dropped = 0
        self.ignored = 0
        self.wire = Dependency("broker", _log)

    @property
    def reconnects(self) -> int:
        """How often the listening connection was made again."""
        return self._backend.reconnects

    @property
    def shards(self) -> int:
        """How many shards Redis sends here."""
        return SHARDS if self._hears_all else len(self._shards)

    async def start(self, listener: Listener | None = None, *, hears_all: bool = False) -> None:
        """See ``Broker``."""
        self._listener = listener
        self._hears_all = hears_all
        await self._broadcast.connect()
        self._run(self._send_for_ever())
        if listener is None:
            return
        shards = [_channel(shard) for shard in range(SHARDS)]
        # One after the other: broadcaster loses subscribers that come to one fresh channel at the same time.
        for channel in (GAP_CHANNEL, ALL_CHANNEL, *shards):
            subscribed = asyncio.get_running_loop().create_future()
            self._run(self._listen(listener, channel, subscribed.set_result))
            await subscribed
        for channel in shards if hears_all else (ALL_CHANNEL,):
            await self._backend.listen(channel)
        await self._backend.begin()

    async def want(self, workspace_id: int) -> None:
        """See ``Broker``."""
        self._wanted[workspace_id] = self._wanted.get(workspace_id, 0) + 1
        if self._listener is None or self._hears_all:
            return
        shard = workspace_id % SHARDS
        heard = self._shards.get(shard)
        if heard is None:
            heard = self._shards[shard] = asyncio.ensure_future(self._backend.listen(_channel(shard)))
        await asyncio.shield(heard)

    def release(self, workspace_id: int) -> None:
        """See ``Broker``."""
        asyncio.get_running_loop().call_later(self._linger_s, self._forget, workspace_id)

    async def stop(self) -> None:
        """See ``Broker``."""
        try:
            async with asyncio.timeout(STOP_WITHIN_S):
                while self._events or self._signals or self._is_sending:  # noqa: ASYNC110  # a second at most, once
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self.dropped += len(self._events) + len(self._signals)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._broadcast.disconnect()

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """See ``Broker``."""
        self._events.extend(events)
        excess = len(self._events) - QUEUE_LIMIT
        if excess > 0:
            del self._events[:excess]
            self.dropped += excess
        self._wake.set()
        if self._listener is not None:
            # This process hears its own commits even when Redis is away.
            asyncio.get_running_loop().call_soon(self._listener.on_events, tuple(events))

    def publish_signal(self, workspace_id: int, data: bytes) -> None:
        """See ``Broker``."""
        if len(self._signals) < QUEUE_LIMIT:
            self._signals.append((workspace_id, data))
        else:
            self.dropped += 1
        self._wake.set()
        if self._listener is not None:
            asyncio.get_running_loop().call_soon(self._listener.on_signal, workspace_id, data)

    def _forget(self, workspace_id: int) -> None:
        self._wanted[workspace_id] -= 1
        if self._wanted[workspace_id]:
            return
        del self._wanted[workspace_id]
        shard = workspace_id % SHARDS
        if shard in self._shards and not any(one % SHARDS == shard for one in self._wanted):
            del self._shards[shard]
            self._run(self._backend.ignore(_channel(shard)))

    async def _send_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            # What other callbacks of this loop turn publish goes along.
            await asyncio.sleep(0)
            self._is_sending = True
            events, self._events = self._events, []
            signals, self._signals = self._signals, []
            try:
                await self._backend.publish_all(self._messages(events, signals))
                self.wire.found()
            except OSError as error:
                self.dropped += len(events) + len(signals)
                self.wire.lost(error=type(error).__name__)
            except Exception:  # loop: hints are lost, healing finds them
                self.dropped += len(events) + len(signals)
                _log.exception("broker_send_failed")
            finally:
                self._is_sending = False

    def _messages(self, events: list[LoggedEvent], signals: list[tuple[int, bytes]]) -> list[tuple[str, bytes]]:
        by_channel: dict[str, tuple[list[LoggedEvent], list[tuple[int, bytes]]]] = {}
        for event in events:
            by_channel.setdefault(_channel(event.workspace_id % SHARDS), ([], []))[0].append(event)
            if event.type.startswith(TOLD_TO_ALL):
                by_channel.setdefault(ALL_CHANNEL, ([], []))[0].append(event)
        for signal in signals:
            by_channel.setdefault(_channel(signal[0] % SHARDS), ([], []))[1].append(signal)
        messages: list[tuple[str, bytes]] = []
        for channel, (some_events, some_signals) in by_channel.items():
            for start in range(0, max(len(some_events), len(some_signals)), MESSAGE_EVENTS):
                end = start + MESSAGE_EVENTS
                messages.append((channel, self._message(some_events[start:end], some_signals[start:end])))
        return messages

    def _message(self, events: list[LoggedEvent], signals: list[tuple[int, bytes]]) -> bytes:
        workspaces = tuple({event.workspace_id for event in events})
        undecoded = msgspec.Raw(_ENCODER.encode(events))
        return _ENCODER.encode(_Message(self._origin, workspaces, undecoded, tuple(signals)))

    async def _listen(self, listener: Listener, channel: str, subscribed: Callable[[None], None]) -> None:
        async with self._broadcast.subscribe(channel) as subscriber:
            subscribed(None)
            taken = 0
            async for published in cast("AsyncIterator[Published]", subscriber):
                taken += 1
                if taken % MESSAGES_PER_TURN == 0:
                    # What is there already comes without a pause: thousands would hold the loop up.
                    await asyncio.sleep(0)
                try:
                    self._hand_over(listener, channel, published)
                except Exception:  # loop: hints are lost, healing finds them
                    _log.exception("listener_failed", channel=channel)

    def _hand_over(self, listener: Listener, channel: str, published: Published) -> None:
        if channel == GAP_CHANNEL:
            listener.on_gap()
            return
        try:
            message = _DECODER.decode(cast("bytes", published.message))
            if message.origin == self._origin:
                return
            hears_all = self._hears_all or channel == ALL_CHANNEL
            wanted = self._wanted
            events: tuple[LoggedEvent, ...] = ()
            if hears_all or not wanted.keys().isdisjoint(message.workspaces):
                events = _EVENTS.decode(message.events)
            elif message.workspaces:
                self.ignored += 1
        except msgspec.MsgspecError as error:
            # Another version's: its events are read from the log instead.
            _log.warning("hint_unreadable", channel=channel, error=str(error))
            listener.on_gap()
            return
        heard = events if hears_all else [event for event in events if event.workspace_id in wanted]
        if heard:
            listener.on_events(heard)
        for workspace_id, data in message.signals:
            if hears_all or workspace_id in wanted:
                listener.on_signal(workspace_id, data)

    def _run(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)


def _channel(shard: int) -> str:
    return f"hub:{{{shard}}}"
