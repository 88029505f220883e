"""
The broker over Redis pub/sub, through the ``broadcaster`` library with a backend of our own (``broker_backend.py``).

Redis sends a process only the shards of workspaces it wants: its subscriptions are broadcaster's.
What is published leaves in the background, coalesced; a full queue drops hints, which healing makes good.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from broadcaster import Broadcast

from hub import clock
from hub.log import Dependency, get_logger
from hub.realtime.broker import LINGER_S, SHARDS, TOLD_TO_ALL
from hub.realtime.broker_backend import RedisBackend
from hub.realtime.hints import ALL_CHANNEL, HintReader, encode_hints

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from hub.events.model import LoggedEvent
    from hub.realtime.broker import Listener
    from hub.realtime.subscription import Message

QUEUE_LIMIT = 20_000
MESSAGE_EVENTS = 200
STOP_WITHIN_S = 1.0

_log = get_logger("broker")


class RedisBroker:
    """
    See ``Broker``.

    Attributes:
        dropped: Hints and signals not sent, because Redis was away or too slow.
        wire: Whether Redis takes hints.
    """

    def __init__(self, url: str, *, linger_s: float = LINGER_S) -> None:
        self._backend = RedisBackend(url, self._hand_over)
        self._broadcast = Broadcast(backend=self._backend)
        self._origin = os.urandom(8)
        self._listener: Listener | None = None
        self._reader: HintReader | None = None
        self._events: list[LoggedEvent] = []
        self._signals: list[tuple[int, bytes]] = []
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_sending = False
        self._linger_s = linger_s
        self._hears_all = False
        self._wanted: dict[int, int] = {}
        # Committed here in this loop turn: this process's own listener hears it in the next one.
        self._own: list[LoggedEvent] = []
        # Shards somebody here wants, each with broadcaster's subscription; done once Redis sends them.
        self._shards: dict[int, asyncio.Task[AsyncExitStack]] = {}
        self._lasting = AsyncExitStack()
        # broadcaster loses subscribers that come to one fresh channel, or leave it, at the same time.
        self._subscribing = asyncio.Lock()
        self.dropped = 0
        self.wire = Dependency("broker", _log)

    @property
    def reconnects(self) -> int:
        """How often the listening connection was made again."""
        return self._backend.reconnects

    @property
    def ignored(self) -> int:
        """Messages of which nobody here wanted any event, dropped undecoded."""
        return 0 if self._reader is None else self._reader.ignored

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
        self._reader = HintReader(
            listener, self._origin, self._wanted, hears_all=hears_all, monotonic_s=clock.monotonic_s
        )
        for channel in map(_channel, range(SHARDS)) if hears_all else (ALL_CHANNEL,):
            await self._lasting.enter_async_context(self._broadcast.subscribe(channel))
        await self._backend.begin()

    async def want(self, workspace_id: int) -> None:
        """See ``Broker``."""
        self._wanted[workspace_id] = self._wanted.get(workspace_id, 0) + 1
        if self._listener is None or self._hears_all:
            return
        shard = workspace_id % SHARDS
        heard = self._shards.get(shard)
        if heard is None:
            heard = self._shards[shard] = asyncio.get_running_loop().create_task(self._subscribe(_channel(shard)))
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
        for subscribing in list(self._shards.values()):
            await self._unsubscribe(subscribing)
        await self._lasting.aclose()
        await self._broadcast.disconnect()

    def publish(self, events: Sequence[LoggedEvent]) -> None:
        """See ``Broker``."""
        self._events.extend(events)
        excess = len(self._events) - QUEUE_LIMIT
        if excess > 0:
            del self._events[:excess]
            self.dropped += excess
        self._wake.set()
        if events and self._listener is not None:
            # This process hears its own commits even when Redis is away; those of one turn together.
            if not self._own:
                asyncio.get_running_loop().call_soon(self._hear_own, self._listener)
            self._own.extend(events)

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
            self._run(self._unsubscribe(self._shards.pop(shard)))

    async def _subscribe(self, channel: str) -> AsyncExitStack:
        """Have broadcaster subscribe to a channel; the result ends that."""
        subscription = AsyncExitStack()
        async with self._subscribing:
            await subscription.enter_async_context(self._broadcast.subscribe(channel))
        return subscription

    async def _unsubscribe(self, subscribing: asyncio.Task[AsyncExitStack]) -> None:
        subscription = await subscribing
        async with self._subscribing:
            await subscription.aclose()

    def _hear_own(self, listener: Listener) -> None:
        events, self._own = self._own, []
        listener.on_events(events)

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
                message = encode_hints(self._origin, some_events[start:end], some_signals[start:end])
                messages.append((channel, message))
        return messages

    def _hand_over(self, messages: Sequence[Message]) -> int:
        return len(messages) if self._reader is None else self._reader.take(messages)

    def _run(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)


def _channel(shard: int) -> str:
    return f"hub:{{{shard}}}"
