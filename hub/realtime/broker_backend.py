"""
Our backend for ``broadcaster``: one Redis pub/sub connection that reconnects, resubscribes and owns up to gaps.

The library's own Redis backend delivers nothing on redis-py 8.1 and falls silent for ever at the first disconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, TypedDict, cast

from broadcaster import BroadcastBackend, Event
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from hub.log import Dependency, get_logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis.asyncio.client import PubSub

# Not a channel of Redis: an event on it says that messages may have been lost up to now.
GAP_CHANNEL = "gap"
RECEIVED_LIMIT = 10_000
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0
# An idle connection is asked for a sign of life this often; one that does not answer within it is dead.
PROBE_S = 5.0
COMMAND_TIMEOUT_S = 2.0

_log = get_logger("broker")


class _PubSubMessage(TypedDict):
    type: str
    channel: bytes | None
    data: bytes | int | None


class RedisBackend(BroadcastBackend):
    """
    Publishes on one connection, listens on another.

    Attributes:
        reconnects: How often the listening connection was made again.
    """

    def __init__(self, url: str) -> None:
        # redis-py 8: 5 s socket timeout and no retry by default; a listener waits for as long as it takes.
        self._listening = Redis.from_url(
            url,
            socket_timeout=None,
            socket_connect_timeout=COMMAND_TIMEOUT_S,
            protocol=2,
            retry=Retry(ExponentialBackoff(), 0),
        )
        # A hint that goes out twice is dropped as old, so sending again is safe.
        self._publishing = Redis.from_url(
            url,
            socket_timeout=COMMAND_TIMEOUT_S,
            socket_connect_timeout=COMMAND_TIMEOUT_S,
            protocol=2,
            retry=Retry(ExponentialBackoff(cap=0.2, base=0.02), 2),
        )
        self._channels: set[str] = set()
        self._confirming: dict[str, asyncio.Future[None]] = {}
        # One command after the other: a subscription must not overtake the end of the one before it.
        self._telling = asyncio.Lock()
        self._received: asyncio.Queue[Event] = asyncio.Queue()
        self._pubsub: PubSub | None = None
        self._reader: asyncio.Task[None] | None = None
        self._attempted = asyncio.Event()
        self._has_lost = False
        self.reconnects = 0
        self._hearing = Dependency("broker_subscription", _log)

    async def connect(self) -> None:
        """Do nothing yet: ``begin`` listens once the channels are known, publishing connects by itself."""

    async def disconnect(self) -> None:
        """End both connections."""
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        await self._listening.aclose()
        await self._publishing.aclose()

    async def begin(self) -> None:
        """Start listening; returns when every channel taken is subscribed, or the first try has failed."""
        self._reader = asyncio.get_running_loop().create_task(self._read_for_ever())
        await self._attempted.wait()

    async def subscribe(self, group: str) -> None:
        """Do nothing: a channel's reader stands for good, ``listen`` says when Redis is to send something."""

    async def unsubscribe(self, group: str) -> None:
        """Do nothing, see ``subscribe``."""

    async def listen(self, channel: str) -> None:
        """Want a channel, now and after every reconnect; returns when Redis has confirmed, or cannot be asked."""
        async with self._telling:
            self._channels.add(channel)
            if self._pubsub is None:
                return  # a reconnect takes it from ``_channels``, and owns up to a gap
            confirmed = self._confirming[channel] = asyncio.get_running_loop().create_future()
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                await self._pubsub.subscribe(channel)
                async with asyncio.timeout(COMMAND_TIMEOUT_S):
                    await confirmed
            self._confirming.pop(channel, None)

    async def ignore(self, channel: str) -> None:
        """Want a channel no more."""
        async with self._telling:
            self._channels.discard(channel)
            if self._pubsub is not None:
                with contextlib.suppress(RedisError, OSError):
                    await self._pubsub.unsubscribe(channel)

    async def publish(self, channel: str, message: bytes) -> None:
        """Send one message; raises ``OSError`` when Redis does not take it."""
        await self.publish_all([(channel, message)])

    async def publish_all(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Send messages in one round trip; raises ``OSError`` when Redis does not take them."""
        if not messages:
            return
        try:
            async with self._publishing.pipeline(transaction=False) as pipeline:
                for channel, message in messages:
                    pipeline.publish(channel, message)
                await pipeline.execute()
        except RedisError as error:
            raise ConnectionError("Redis did not take the hints.") from error

    async def next_published(self) -> Event:
        """Return what comes next; a gap comes before what was received after it."""
        event = await self._received.get()
        if self._has_lost and self._received.qsize() < RECEIVED_LIMIT // 2:
            self._has_lost = False
            self._received.put_nowait(Event(GAP_CHANNEL, ""))
        return event

    async def _read_for_ever(self) -> None:
        pause_s = RETRY_FIRST_S
        while True:
            try:
                async with self._listening.pubsub() as pubsub:
                    await self._subscribe_all(pubsub)
                    pause_s = RETRY_FIRST_S
                    await self._read(pubsub)
            except (RedisError, OSError) as error:
                self._hearing.lost(error=type(error).__name__)
            except Exception:  # loop: it connects again
                _log.exception("broker_reader_failed")
            finally:
                self._pubsub = None
                self._attempted.set()
            await asyncio.sleep(pause_s)
            pause_s = min(RETRY_MOST_S, pause_s * 2)
            self.reconnects += 1

    async def _subscribe_all(self, pubsub: PubSub) -> None:
        """Subscribe and wait for Redis' word on each channel: only then is nothing missed any more."""
        asked: set[str] = set()
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            while waiting := self._channels - asked:  # more may be wanted while these are confirmed
                asked |= waiting
                await pubsub.subscribe(*waiting)
                while waiting:
                    message = await _next(pubsub, COMMAND_TIMEOUT_S)
                    if message is not None and message["type"] == "subscribe":
                        waiting.discard(_text(message["channel"]))
                    elif message is not None:
                        self._take(message)
        self._pubsub = pubsub
        self._hearing.found()
        if self.reconnects:
            self._received.put_nowait(Event(GAP_CHANNEL, ""))
        self._attempted.set()

    async def _read(self, pubsub: PubSub) -> None:
        is_probed = False
        while True:
            message = await _next(pubsub, PROBE_S)
            if message is not None:
                is_probed = False
                self._take(message)
            elif is_probed:
                raise ConnectionError("Redis does not answer.")
            else:
                is_probed = True
                await pubsub.ping()

    def _take(self, message: _PubSubMessage) -> None:
        if message["type"] != "message":
            self._note_confirmed(message)
            return
        if self._received.qsize() >= RECEIVED_LIMIT:
            self._has_lost = True
            return
        # broadcaster's Event says str; its own code never looks inside.
        self._received.put_nowait(Event(_text(message["channel"]), cast("str", message["data"])))

    def _note_confirmed(self, message: _PubSubMessage) -> None:
        if message["type"] != "subscribe":
            return
        confirmed = self._confirming.pop(_text(message["channel"]), None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)
        else:
            # Nobody waited this long: what was published meanwhile went past.
            self._received.put_nowait(Event(GAP_CHANNEL, ""))


async def _next(pubsub: PubSub, timeout_s: float) -> _PubSubMessage | None:
    return cast("_PubSubMessage | None", await pubsub.get_message(timeout=timeout_s))


def _text(channel: bytes | None) -> str:
    return (channel or b"").decode()
