"""
The broker over Redis pub/sub, through the ``broadcaster`` library with a backend of our own (``broker_backend.py``).

Exactly one broadcaster subscription per shard channel and process, taken once at start. What is published leaves in the
background, coalesced; a full queue drops hints, which healing makes good.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, cast

import msgspec
from broadcaster import Broadcast

from hub.events.model import LoggedEvent
from hub.log import Dependency, get_logger
from hub.realtime.broker import SHARDS
from hub.realtime.broker_backend import GAP_CHANNEL, RedisBackend

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from broadcaster import Event as Published

    from hub.realtime.broker import Listener

QUEUE_LIMIT = 20_000
MESSAGE_EVENTS = 200
STOP_WITHIN_S = 1.0

_log = get_logger("broker")


class _Message(msgspec.Struct, frozen=True, array_like=True):
    """What goes over the wire: events and signals of one shard, and which process they are from."""

    origin: bytes
    events: tuple[LoggedEvent, ...] = ()
    signals: tuple[tuple[int, bytes], ...] = ()


_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_DECODER = msgspec.msgpack.Decoder(_Message)


class RedisBroker:
    """
    See ``Broker``.

    Attributes:
        dropped: Hints and signals not sent, because Redis was away or too slow.
        wire: Whether Redis takes hints.
    """

    def __init__(self, url: str) -> None:
        self._backend = RedisBackend(url)
        self._broadcast = Broadcast(backend=self._backend)
        self._origin = os.urandom(8)
        self._listener: Listener | None = None
        self._events: list[LoggedEvent] = []
        self._signals: list[tuple[int, bytes]] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_sending = False
        self.dropped = 0
        self.wire = Dependency("broker", _log)

    @property
    def reconnects(self) -> int:
        """How often the listening connection was made again."""
        return self._backend.reconnects

    async def start(self, listener: Listener | None = None) -> None:
        """See ``Broker``."""
        self._listener = listener
        await self._broadcast.connect()
        self._run(self._send_for_ever())
        if listener is not None:
            # One after the other: broadcaster loses subscribers that come to one fresh channel at the same time.
            for channel in (GAP_CHANNEL, *(_channel(shard) for shard in range(SHARDS))):
                subscribed = asyncio.get_running_loop().create_future()
                self._run(self._listen(listener, channel, subscribed.set_result))
                await subscribed
            await self._backend.begin()

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
        by_shard: dict[int, tuple[list[LoggedEvent], list[tuple[int, bytes]]]] = {}
        for event in events:
            by_shard.setdefault(event.workspace_id % SHARDS, ([], []))[0].append(event)
        for signal in signals:
            by_shard.setdefault(signal[0] % SHARDS, ([], []))[1].append(signal)
        messages: list[tuple[str, bytes]] = []
        for shard, (some_events, some_signals) in by_shard.items():
            for start in range(0, max(len(some_events), len(some_signals)), MESSAGE_EVENTS):
                end = start + MESSAGE_EVENTS
                message = _Message(self._origin, tuple(some_events[start:end]), tuple(some_signals[start:end]))
                messages.append((_channel(shard), _ENCODER.encode(message)))
        return messages

    async def _listen(self, listener: Listener, channel: str, subscribed: Callable[[None], None]) -> None:
        async with self._broadcast.subscribe(channel) as subscriber:
            subscribed(None)
            async for published in cast("AsyncIterator[Published]", subscriber):
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
        except msgspec.MsgspecError as error:
            # Another version's: its events are read from the log instead.
            _log.warning("hint_unreadable", channel=channel, error=str(error))
            listener.on_gap()
            return
        if message.origin == self._origin:
            return
        if message.events:
            listener.on_events(message.events)
        for workspace_id, data in message.signals:
            listener.on_signal(workspace_id, data)

    def _run(self, coroutine: Coroutine[object, object, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(coroutine))


def _channel(shard: int) -> str:
    return f"hub:{{{shard}}}"
