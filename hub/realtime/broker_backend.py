"""
Our backend for ``broadcaster``: one Redis pub/sub connection that reconnects, resubscribes and owns up to gaps.

The library says which channels to listen to. Messages go straight from the packet to whoever reads them: its queue and
two tasks cost 30 microseconds a message. Its own Redis backend delivers nothing on redis-py 8.1 and falls silent for
ever at the first disconnect.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from broadcaster import BroadcastBackend
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from hub.log import Dependency, get_logger
from hub.realtime.subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from broadcaster import Event

    from hub.realtime.subscription import Message

# Not a channel of Redis: a message on it says that others may have been lost up to now.
GAP_CHANNEL = "gap"
_GAP: Message = (GAP_CHANNEL, b"")
# More than this wait for their turn only where a process is busy for seconds.
RECEIVED_LIMIT = 10_000
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0
# A connection is asked for a sign of life this often; one that says nothing until the next time is dead.
PROBE_S = 5.0
COMMAND_TIMEOUT_S = 2.0

_log = get_logger("broker")


class RedisBackend(BroadcastBackend):
    """
    Publishes on one connection, listens on another.

    ``broadcaster`` loses subscribers that come to one fresh channel at the same time: callers come one after the other.

    Attributes:
        reconnects: How often the listening connection was made again.
    """

    def __init__(self, url: str, hand_over: Callable[[Sequence[Message]], int]) -> None:
        """
        Prepare both connections.

        Args:
            url: Of Redis.
            hand_over: Takes messages in order, as many as one loop turn is for, and returns how many that were; the
                rest is offered again in the next turn. ``GAP_CHANNEL`` says that some are missing. Never raises.
        """
        self._hand_over = hand_over
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
        # What a loop turn had no time for.
        self._received: list[Message] = []
        self._subscription: Subscription | None = None
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
        self._received.clear()
        await self._listening.aclose()
        await self._publishing.aclose()

    async def begin(self) -> None:
        """Start listening; returns when every channel taken is subscribed, or the first try has failed."""
        self._reader = asyncio.get_running_loop().create_task(self._read_for_ever())
        await self._attempted.wait()

    async def subscribe(self, group: str) -> None:
        """Want a channel, now and after every reconnect; returns when Redis has confirmed, or cannot be asked."""
        self._channels.add(group)
        if self._subscription is None:
            return  # a reconnect takes it from ``_channels``, and owns up to a gap
        confirmed = self._expect(group)
        self._subscription.send("SUBSCRIBE", group)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(COMMAND_TIMEOUT_S):
                await confirmed
        self._confirming.pop(group, None)

    async def unsubscribe(self, group: str) -> None:
        """Want a channel no more."""
        self._channels.discard(group)
        if self._subscription is not None:
            self._subscription.send("UNSUBSCRIBE", group)

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
        """Return never: messages go to ``hand_over``, nothing is left to the library's own task."""
        nothing: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        return await nothing

    async def _read_for_ever(self) -> None:
        pause_s = RETRY_FIRST_S
        while True:
            try:
                subscription = await Subscription.open(self._listening, self._take, self._note_confirmed)
                try:
                    await self._subscribe_all(subscription)
                    pause_s = RETRY_FIRST_S
                    await self._watch(subscription)
                finally:
                    self._subscription = None
                    await subscription.close()
            except (RedisError, OSError, TimeoutError) as error:
                self._hearing.lost(error=type(error).__name__)
            except Exception:  # loop: it connects again
                _log.exception("broker_reader_failed")
            finally:
                self._fail_expected()
                self._attempted.set()
            await asyncio.sleep(pause_s)
            pause_s = min(RETRY_MOST_S, pause_s * 2)
            self.reconnects += 1

    async def _subscribe_all(self, subscription: Subscription) -> None:
        """Subscribe and wait for Redis' word on each channel: only then is nothing missed any more."""
        asked: set[str] = set()
        async with asyncio.timeout(COMMAND_TIMEOUT_S):
            while waiting := self._channels - asked:  # more may be wanted while these are confirmed
                asked |= waiting
                confirmed = [self._expect(channel) for channel in waiting]
                subscription.send("SUBSCRIBE", *waiting)
                subscription.lost.add_done_callback(lambda _: self._fail_expected())
                await asyncio.gather(*confirmed)
                if subscription.lost.done():
                    raise ConnectionError("Redis closed the connection.")
        self._subscription = subscription
        self._hearing.found()
        if self.reconnects:
            self._take([_GAP])
        self._attempted.set()

    async def _watch(self, subscription: Subscription) -> None:
        """Return never: raise when the connection is gone, or Redis gives no sign of life."""
        while True:
            heard = subscription.heard
            # Also a busy one: asked only after a silence, a dead one is noticed half as fast.
            subscription.send("PING")
            await asyncio.wait([subscription.lost], timeout=PROBE_S)
            if subscription.lost.done():
                raise ConnectionError("Redis closed the connection.")
            if subscription.heard == heard:
                raise ConnectionError("Redis does not answer.")

    def _take(self, messages: list[Message]) -> None:
        """Hand over now what a loop turn is for, unless others wait already: order is kept."""
        received = self._received
        if not received:
            taken = self._hand_over(messages)
            if taken == len(messages):
                return
            asyncio.get_running_loop().call_soon(self._go_on)
            messages = messages[taken:]
        room = max(0, RECEIVED_LIMIT - len(received))
        if len(messages) > room:
            self._has_lost = True
        received.extend(messages[:room])

    def _go_on(self) -> None:
        """Hand over, in this loop turn, more of what waits; a gap comes before what is received after it."""
        received = self._received
        if received:
            del received[: self._hand_over(received)]
        if self._has_lost and len(received) < RECEIVED_LIMIT // 2:
            self._has_lost = False
            received.append(_GAP)
        if received:
            asyncio.get_running_loop().call_soon(self._go_on)

    def _expect(self, channel: str) -> asyncio.Future[None]:
        confirmed = self._confirming[channel] = asyncio.get_running_loop().create_future()
        return confirmed

    def _note_confirmed(self, channel: str) -> None:
        confirmed = self._confirming.pop(channel, None)
        if confirmed is None:
            # Nobody waited this long: what was published meanwhile went past.
            self._take([_GAP])
        elif not confirmed.done():
            confirmed.set_result(None)

    def _fail_expected(self) -> None:
        """Let nobody wait for the word of a connection that is gone."""
        for confirmed in self._confirming.values():
            if not confirmed.done():
                confirmed.set_result(None)
        self._confirming.clear()
